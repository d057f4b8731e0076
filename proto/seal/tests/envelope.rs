//! An envelope's whole road, and every way off it that a segment's bytes alone can take.

mod support;

use layerlock_seal::kek_ring::KekRing;
use layerlock_seal::keys::OpeningKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::{
    Checked, Checker, Ends, EpochSecret, JobSecret, Live, Misplaced, Opener, Reason, Refused, Sealer,
};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::release::{Grounds, KeyRelease};
use support::{Repeatable, device, header, signer, summary};

/// A sealed envelope of five segments in three layers and two epochs, and what is needed to open it.
struct Sealed {
    header: Verified<EnvelopeHeader>,
    segments: Vec<Vec<u8>>,
    manifest: Statement,
    release: Verified<KeyRelease>,
}

const TEXTS: [(u32, Ends, &[u8]); 5] = [
    (0, Ends::Piece, b"prologue"),
    (0, Ends::Nothing, b"layer nought, first half"),
    (0, Ends::Piece, b"layer nought, second half"),
    (1, Ends::Piece, b"layer one"),
    (2, Ends::Toolpath, b"layer two"),
];

fn seal(seed: &'static str) -> Sealed {
    sealed(header(), seed)
}

fn seal_under(header: EnvelopeHeader) -> Sealed {
    sealed(header, "job")
}

fn sealed(header: EnvelopeHeader, seed: &'static str) -> Sealed {
    let mut rng = Repeatable::new(seed);
    let mut sealer = Sealer::new(header, signer(), &mut rng);
    let mut segments = Vec::new();
    for (layer, ends, text) in TEXTS {
        let mut segment = Vec::new();
        sealer.seal(layer, ends, text, &mut segment).expect("the texts are in order");
        segments.push(segment);
    }
    let hash = sealer.header_hash();
    let release = release(sealer.job_secret(), &hash, Grounds::Receipts);
    let header = sealer.header().verify(&signer().verifying_key()).expect("just signed");
    Sealed { header, segments, manifest: sealer.finish(summary()).expect("the texts end"), release }
}

/// Both epochs to the device, signed.
fn release(secret: &JobSecret, header: &Digest, grounds: Grounds) -> Verified<KeyRelease> {
    let (to, mut rng) = (device().wrapping_key(), Repeatable::new("wrap"));
    let release = secret.release(header, grounds, 0..=1, &to, &mut rng);
    Statement::sign(&release, &signer()).verify(&signer().verifying_key()).expect("just signed")
}

impl Sealed {
    fn secret(&self, epoch: u32) -> EpochSecret {
        device().open_epoch(&self.release, &self.header, epoch).expect("released to this device")
    }
}

/// Opens a copy of a segment.
fn open(opener: &mut Opener, segment: &[u8]) -> Result<Vec<u8>, Refused> {
    opener.open(&mut segment.to_vec()).map(|(_, text)| text.to_vec())
}

fn open_live(live: &mut Live, segment: &[u8]) -> Result<Vec<u8>, Refused> {
    live.open(&mut segment.to_vec()).map(|(_, text)| text.to_vec())
}

fn manifest(sealed: &Sealed) -> Verified<Manifest> {
    sealed.manifest.verify(&signer().verifying_key()).expect("signed by the header's signer")
}

fn check(sealed: &Sealed) -> Result<Checked, Refused> {
    let mut checker = Checker::new(sealed.header.clone());
    for segment in &sealed.segments {
        checker.segment(segment)?;
    }
    checker.finish(&manifest(sealed))
}

#[test]
fn what_was_sealed_is_checked_without_keys_and_opens_with_released_ones() {
    let sealed = seal("job");
    let checked = check(&sealed).unwrap();
    let mut opener = Opener::new(&checked);
    let mut text = Vec::new();
    for (index, segment) in sealed.segments.iter().enumerate() {
        match index {
            0 => opener.add_epoch(sealed.secret(0)).unwrap(),
            4 => opener.add_epoch(sealed.secret(1)).unwrap(),
            _ => {}
        }
        text.extend(open(&mut opener, segment).unwrap());
    }
    assert_eq!(text, TEXTS.map(|(_, _, text)| text).concat());
    assert_eq!(checked.manifest().layers, 3);
    assert_eq!(checked.manifest().epochs(), 2);
}

#[test]
fn live_opening_gives_the_same_text_and_ends_checked() {
    let sealed = seal("job");
    let mut live = Live::new(sealed.header.clone());
    let mut text = Vec::new();
    (0..2).for_each(|epoch| live.add_epoch(sealed.secret(epoch)).unwrap());
    for segment in &sealed.segments {
        text.extend(open_live(&mut live, segment).unwrap());
    }
    assert_eq!(text, TEXTS.map(|(_, _, text)| text).concat());
    live.finish(&manifest(&sealed)).unwrap();
}

#[test]
fn every_flipped_bit_of_every_segment_is_refused_without_a_key_by_the_manifest_at_the_latest() {
    let sealed = seal("job");
    for (index, segment) in sealed.segments.iter().enumerate() {
        for bit in 0..segment.len() * 8 {
            let mut segments = sealed.segments.clone();
            segments[index][bit / 8] ^= 1 << (bit % 8);
            let refused = check(&Sealed { segments, ..seal("job") }).expect_err("changed");
            assert!(refused.index as usize >= index, "segment {index}, bit {bit}: {refused}");
        }
    }
}

#[test]
fn every_flipped_bit_of_every_segment_is_refused_before_its_motion_in_live_mode() {
    let sealed = seal("job");
    for (index, segment) in sealed.segments.iter().enumerate() {
        let mut live = Live::new(sealed.header.clone());
        (0..2).for_each(|epoch| live.add_epoch(sealed.secret(epoch)).unwrap());
        for before in &sealed.segments[..index] {
            open_live(&mut live, before).unwrap();
        }
        for bit in 0..segment.len() * 8 {
            let mut changed = segment.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let refused = live.open(&mut changed).expect_err("a changed segment is refused");
            assert_eq!(refused.index as usize, index, "bit {bit}");
        }
        // The same reader goes on with the right segment: a refusal changes nothing.
        open_live(&mut live, segment).unwrap();
    }
}

#[test]
fn swapped_doubled_and_skipped_segments_are_refused_where_they_stand() {
    let sealed = seal("job");
    for wrong in [[0, 2], [0, 0]] {
        let mut checker = Checker::new(sealed.header.clone());
        checker.segment(&sealed.segments[wrong[0]]).unwrap();
        let refused = checker.segment(&sealed.segments[wrong[1]]);
        assert_eq!(refused, Err(Refused { index: 1, reason: Reason::OutOfOrder }));
    }
}

#[test]
fn a_dropped_final_segment_is_incomplete() {
    let mut sealed = seal("job");
    sealed.segments.pop();
    assert_eq!(check(&sealed).unwrap_err(), Refused { index: 4, reason: Reason::Incomplete });
}

#[test]
fn segments_of_another_job_for_the_same_device_are_refused() {
    // Same header bytes but for the job id: N7 of the attack list.
    let sealed = seal("job");
    let other = EnvelopeHeader { job: layerlock_terms::ids::JobId::from_bytes([9; 16]), ..header() };
    let header = Statement::sign(&other, &signer()).verify(&signer().verifying_key()).unwrap();
    assert!(device().open_epoch(&sealed.release, &header, 0).is_err());
    let refused = check(&Sealed { header, ..seal("job") }).unwrap_err();
    assert_eq!(refused, Refused { index: 5, reason: Reason::WrongHeader });
}

#[test]
fn another_device_cannot_open_a_release() {
    let sealed = seal("job");
    let clone = OpeningKey::generate(&mut Repeatable::new("another device"));
    assert!(clone.open_epoch(&sealed.release, &sealed.header, 0).is_err());
    assert!(device().open_epoch(&sealed.release, &sealed.header, 0).is_ok());
    assert!(device().open_epoch(&sealed.release, &sealed.header, 2).is_err(), "not released");
}

#[test]
fn a_release_by_another_key_is_none_of_this_vaults() {
    let sealed = seal("job");
    let other = layerlock_seal::keys::SigningKey::generate(&mut Repeatable::new("another key"));
    let stated = Statement::sign::<KeyRelease>(&sealed.release, &other);
    let release = stated.verify(&other.verifying_key()).unwrap();
    assert!(device().open_epoch(&release, &sealed.header, 0).is_err());
}

#[test]
fn a_sealer_refuses_what_every_checker_would_refuse() {
    let mut sealer = Sealer::new(header(), signer(), &mut Repeatable::new("job"));
    let mut out = Vec::new();
    let mut refusal = |layer, ends, text: &[u8]| sealer.seal(layer, ends, text, &mut out).err();
    assert_eq!(refusal(1, Ends::Piece, b"x"), Some(Misplaced::WrongLayer(1)));
    assert_eq!(refusal(0, Ends::Piece, b""), Some(Misplaced::Empty));
    assert_eq!(refusal(0, Ends::Piece, &[0; 65]), Some(Misplaced::TooLong { length: 65, limit: 64 }));
    assert_eq!(refusal(0, Ends::Nothing, b"x"), None);
    assert_eq!(refusal(1, Ends::Piece, b"x"), Some(Misplaced::WrongLayer(1)));
    assert_eq!(refusal(0, Ends::Piece, b"x"), None);
    assert_eq!(refusal(2, Ends::Piece, b"x"), Some(Misplaced::WrongLayer(2)));
    assert_eq!(refusal(1, Ends::Toolpath, b"x"), None);
    assert_eq!(refusal(1, Ends::Toolpath, b"x"), Some(Misplaced::AfterFinal));
}

#[test]
fn a_kept_job_secret_wraps_the_same_epochs() {
    use layerlock_seal::blob::{Part, Place};
    let sealer = Sealer::new(header(), signer(), &mut Repeatable::new("job"));
    let hash = sealer.header_hash();
    let place = Place {
        seller: layerlock_terms::ids::SellerId::from_bytes([7; 16]),
        design: layerlock_terms::ids::DesignId::from_bytes([8; 16]),
        version: hash,
        part: Part::JobSecret,
    };
    let keks = KekRing::new(support::kek());
    let kept = sealer.job_secret().seal(&keks, &place, &mut Repeatable::new("keep"));
    let secret = JobSecret::open(&keks, &place, &kept).unwrap();
    let released = |secret: &JobSecret| release(secret, &hash, Grounds::Receipts).into_inner();
    assert_eq!(released(&secret), released(sealer.job_secret()));
}

#[test]
fn a_manifest_by_another_trusted_key_is_refused_for_its_signer() {
    let sealed = seal("job");
    let other = layerlock_seal::keys::SigningKey::generate(&mut Repeatable::new("another key"));
    let stated = Statement::sign::<Manifest>(&manifest(&sealed), &other);
    let mut checker = Checker::new(sealed.header.clone());
    for segment in &sealed.segments {
        checker.segment(segment).unwrap();
    }
    let refused = checker.finish(&stated.verify(&other.verifying_key()).unwrap());
    assert_eq!(refused.err(), Some(Refused { index: 5, reason: Reason::WrongSigner }));
}

#[test]
fn an_opener_takes_no_secret_but_the_committed_one() {
    let (sealed, other) = (seal("job"), seal("another job"));
    let checked = check(&sealed).unwrap();
    // The same header and so the same hash, but another job secret: it unwraps, and is still not the one.
    let refused = Opener::new(&checked).add_epoch(other.secret(0));
    assert_eq!(refused, Err(Refused { index: 0, reason: Reason::CannotOpen }));
}

#[test]
fn an_opener_takes_segments_in_order_and_each_once() {
    let sealed = seal("job");
    let checked = check(&sealed).unwrap();
    let mut opener = Opener::new(&checked);
    opener.add_epoch(sealed.secret(0)).unwrap();
    assert_eq!(open(&mut opener, &sealed.segments[0]).unwrap(), TEXTS[0].2);
    for wrong in [0, 2] {
        let refused = open(&mut opener, &sealed.segments[wrong]);
        assert_eq!(refused, Err(Refused { index: 1, reason: Reason::OutOfOrder }), "segment {wrong}");
    }
}

#[test]
fn an_opener_resumes_at_any_segment() {
    let sealed = seal("job");
    let checked = check(&sealed).unwrap();
    for stop in 0..TEXTS.len() {
        let mut opener = Opener::resume(&checked, stop as u32);
        (0..2).for_each(|epoch| opener.add_epoch(sealed.secret(epoch)).unwrap());
        let mut text = Vec::new();
        for segment in &sealed.segments[stop..] {
            text.extend(open(&mut opener, segment).unwrap());
        }
        assert_eq!(text, TEXTS[stop..].iter().flat_map(|(.., text)| text.to_vec()).collect::<Vec<_>>());
    }
}

#[test]
fn a_segment_waits_for_its_epochs_secret_and_drops_those_before() {
    let sealed = seal("job");
    let checked = check(&sealed).unwrap();
    let mut opener = Opener::resume(&checked, 4);
    opener.add_epoch(sealed.secret(0)).unwrap();
    let refused = open(&mut opener, &sealed.segments[4]);
    assert_eq!(refused, Err(Refused { index: 4, reason: Reason::NoEpochSecret }));
    assert!(opener.holds(0) && !opener.holds(1));
    opener.add_epoch(sealed.secret(1)).unwrap();
    open(&mut opener, &sealed.segments[4]).unwrap();
    assert!(opener.holds(1) && !opener.holds(0), "the secret of the epoch that is over is erased");
}

#[test]
fn a_segment_that_does_not_open_leaves_no_byte_of_its_text() {
    let sealed = seal("job");
    let checked = check(&sealed).unwrap();
    let mut opener = Opener::new(&checked);
    opener.add_epoch(sealed.secret(0)).unwrap();
    let mut changed = sealed.segments[0].clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let refused = opener.open(&mut changed).map(|(info, _)| info);
    assert_eq!(refused, Err(Refused { index: 0, reason: Reason::CannotOpen }));
    assert!(!changed.windows(4).any(|window| TEXTS[0].2.windows(4).any(|text| text == window)));
}

#[test]
fn a_live_segment_is_held_to_its_place_and_secret_and_a_refused_one_may_come_again() {
    let sealed = seal("job");
    let mut live = Live::new(sealed.header.clone());
    let due = |reason| Err(Refused { index: 0, reason });
    assert_eq!(open_live(&mut live, &sealed.segments[1]), due(Reason::OutOfOrder));
    assert_eq!(open_live(&mut live, &sealed.segments[0]), due(Reason::NoEpochSecret));
    live.add_epoch(sealed.secret(0)).unwrap();
    let mut changed = sealed.segments[0].clone();
    changed[20] ^= 1;
    assert_eq!(open_live(&mut live, &changed), due(Reason::CannotOpen));
    assert_eq!(open_live(&mut live, &sealed.segments[0]).unwrap(), TEXTS[0].2);
    assert_eq!(live.finish(&manifest(&sealed)).unwrap_err().reason, Reason::Incomplete);
}

#[test]
fn live_mode_takes_one_secret_for_an_epoch() {
    let (sealed, other) = (seal("job"), seal("another job"));
    let mut live = Live::new(sealed.header.clone());
    live.add_epoch(sealed.secret(0)).unwrap();
    live.add_epoch(sealed.secret(0)).unwrap();
    assert_eq!(live.add_epoch(other.secret(0)).unwrap_err().reason, Reason::CannotOpen);
}

#[test]
fn a_secret_of_another_envelope_is_taken_by_no_opener_and_spoils_none() {
    let (sealed, other) = (seal("job"), seal_under(EnvelopeHeader { epoch_layers: 3, ..header() }));
    let mut opener = Opener::new(&check(&sealed).unwrap());
    let mut live = Live::new(sealed.header.clone());
    assert_eq!(opener.add_epoch(other.secret(0)).unwrap_err().reason, Reason::CannotOpen);
    assert_eq!(live.add_epoch(other.secret(0)).unwrap_err().reason, Reason::CannotOpen);
    opener.add_epoch(sealed.secret(0)).unwrap();
    live.add_epoch(sealed.secret(0)).unwrap();
}

#[test]
#[should_panic(expected = "a header within its bounds")]
fn a_header_no_reader_would_take_begins_no_envelope() {
    let header = EnvelopeHeader { epoch_layers: 0, ..header() };
    drop(Sealer::new(header, signer(), &mut Repeatable::new("job")));
}

#[test]
#[should_panic(expected = "epochs in one release")]
fn more_epochs_than_a_reader_would_take_are_not_released() {
    let sealer = Sealer::new(header(), signer(), &mut Repeatable::new("job"));
    let to = device().wrapping_key();
    let rng = &mut Repeatable::new("wrap");
    drop(sealer.job_secret().release(&sealer.header_hash(), Grounds::Receipts, 0..=1024, &to, rng));
}
