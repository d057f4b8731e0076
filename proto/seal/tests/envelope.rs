//! An envelope's whole road, and every way off it that a segment's bytes alone can take.

mod support;

use layerlock_seal::keys::OpeningKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::{
    Checked, Checker, Ends, JobSecret, Live, Misplaced, Opener, Reason, Refused, Sealer,
};
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use support::{Repeatable, device, header, signer, summary};

/// A sealed envelope of five segments in three layers and two epochs, and what is needed to open it.
struct Sealed {
    header: Verified<EnvelopeHeader>,
    segments: Vec<Vec<u8>>,
    manifest: Statement,
    wrapped: Vec<layerlock_seal::toolpath::WrappedEpoch>,
}

const TEXTS: [(u32, Ends, &[u8]); 5] = [
    (0, Ends::Piece, b"prologue"),
    (0, Ends::Nothing, b"layer nought, first half"),
    (0, Ends::Piece, b"layer nought, second half"),
    (1, Ends::Piece, b"layer one"),
    (2, Ends::Toolpath, b"layer two"),
];

fn seal(seed: &'static str) -> Sealed {
    let mut rng = Repeatable::new(seed);
    let mut sealer = Sealer::new(header(), signer(), &mut rng);
    let mut segments = Vec::new();
    for (layer, ends, text) in TEXTS {
        let mut segment = Vec::new();
        sealer.seal(layer, ends, text, &mut segment).expect("the texts are in order");
        segments.push(segment);
    }
    let hash = sealer.header_hash();
    let wrap = |epoch| {
        sealer.job_secret().wrap_epoch(&hash, epoch, &device().wrapping_key(), &mut Repeatable::new("wrap"))
    };
    let wrapped = vec![wrap(0), wrap(1)];
    let header = sealer.header().verify(&signer().verifying_key()).expect("just signed");
    Sealed { header, segments, manifest: sealer.finish(summary()).expect("the texts end"), wrapped }
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
        for wrapped in &sealed.wrapped[..] {
            if index == 0 || wrapped.epoch() == 1 {
                opener.add_epoch(&device().open_epoch(wrapped, checked.header_hash()).unwrap()).unwrap();
            }
        }
        opener.open(segment, &mut text).unwrap();
    }
    assert_eq!(text, TEXTS.map(|(_, _, text)| text).concat());
    assert_eq!(checked.manifest().layers, 3);
    assert_eq!(checked.manifest().epochs, 2);
}

#[test]
fn live_opening_gives_the_same_text_and_ends_checked() {
    let sealed = seal("job");
    let mut live = Live::new(sealed.header.clone());
    let mut text = Vec::new();
    let hash = manifest(&sealed).header;
    for wrapped in &sealed.wrapped {
        live.add_epoch(&device().open_epoch(wrapped, &hash).unwrap());
    }
    for segment in &sealed.segments {
        live.open(segment, &mut text).unwrap();
    }
    assert_eq!(text, TEXTS.map(|(_, _, text)| text).concat());
    live.finish(&manifest(&sealed)).unwrap();
}

#[test]
fn every_flipped_bit_of_every_segment_is_refused_at_its_index() {
    let sealed = seal("job");
    for (index, segment) in sealed.segments.iter().enumerate() {
        for bit in 0..segment.len() * 8 {
            let mut checker = Checker::new(sealed.header.clone());
            for before in &sealed.segments[..index] {
                checker.segment(before).unwrap();
            }
            let mut changed = segment.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let refused = checker.segment(&changed).expect_err("a changed segment is refused");
            assert_eq!(refused.index as usize, index, "bit {bit}");
            // The same checker goes on with the right segment: a refusal changes nothing.
            checker.segment(segment).unwrap();
        }
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
fn segments_of_another_job_under_the_same_key_are_refused() {
    // Same header bytes but for the job id: N7 of the attack list.
    let sealed = seal("job");
    let other = EnvelopeHeader { job: layerlock_terms::ids::JobId::from_bytes([9; 16]), ..header() };
    let statement = Statement::sign(&other, &signer());
    let mut checker = Checker::new(statement.verify(&signer().verifying_key()).unwrap());
    let refused = checker.segment(&sealed.segments[0]);
    assert_eq!(refused, Err(Refused { index: 0, reason: Reason::BadSignature }));
}

#[test]
fn another_device_cannot_unwrap_an_epoch() {
    let sealed = seal("job");
    let clone = OpeningKey::generate(&mut Repeatable::new("another device"));
    let hash = manifest(&sealed).header;
    assert!(clone.open_epoch(&sealed.wrapped[0], &hash).is_err());
    assert!(device().open_epoch(&sealed.wrapped[0], &hash).is_ok());
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
    let kept = sealer.job_secret().seal(&support::kek(), &place, &mut Repeatable::new("keep"));
    let secret = JobSecret::open(&support::kek(), &place, &kept).unwrap();
    let to = device().wrapping_key();
    let wrap = |secret: &JobSecret| secret.wrap_epoch(&hash, 3, &to, &mut Repeatable::new("wrap"));
    assert_eq!(wrap(&secret), wrap(sealer.job_secret()));
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
    let secret = device().open_epoch(&other.wrapped[0], checked.header_hash()).unwrap();
    let refused = Opener::new(&checked).add_epoch(&secret);
    assert_eq!(refused, Err(Refused { index: 0, reason: Reason::CannotOpen }));
}

#[test]
fn an_opener_takes_segments_in_order_and_each_once() {
    let sealed = seal("job");
    let checked = check(&sealed).unwrap();
    let mut opener = Opener::new(&checked);
    opener.add_epoch(&device().open_epoch(&sealed.wrapped[0], checked.header_hash()).unwrap()).unwrap();
    let mut text = Vec::new();
    opener.open(&sealed.segments[0], &mut text).unwrap();
    for wrong in [0, 2] {
        let refused = opener.open(&sealed.segments[wrong], &mut text);
        assert_eq!(refused, Err(Refused { index: 1, reason: Reason::OutOfOrder }), "segment {wrong}");
    }
    assert_eq!(text, TEXTS[0].2);
}

#[test]
fn an_opener_resumes_at_any_segment() {
    let sealed = seal("job");
    let checked = check(&sealed).unwrap();
    for stop in 0..TEXTS.len() {
        let mut opener = Opener::resume(&checked, stop as u32);
        for wrapped in &sealed.wrapped {
            opener.add_epoch(&device().open_epoch(wrapped, checked.header_hash()).unwrap()).unwrap();
        }
        let mut text = Vec::new();
        for segment in &sealed.segments[stop..] {
            opener.open(segment, &mut text).unwrap();
        }
        assert_eq!(text, TEXTS[stop..].iter().flat_map(|(.., text)| text.to_vec()).collect::<Vec<_>>());
    }
}

#[test]
fn a_segment_waits_for_its_epochs_secret_and_drops_those_before() {
    let sealed = seal("job");
    let checked = check(&sealed).unwrap();
    let mut opener = Opener::resume(&checked, 4);
    let mut text = Vec::new();
    opener.add_epoch(&device().open_epoch(&sealed.wrapped[0], checked.header_hash()).unwrap()).unwrap();
    let refused = opener.open(&sealed.segments[4], &mut text);
    assert_eq!(refused, Err(Refused { index: 4, reason: Reason::NoEpochSecret }));
    assert!(opener.holds(0) && !opener.holds(1));
    opener.add_epoch(&device().open_epoch(&sealed.wrapped[1], checked.header_hash()).unwrap()).unwrap();
    opener.open(&sealed.segments[4], &mut text).unwrap();
    assert!(opener.holds(1) && !opener.holds(0), "the secret of the epoch that is over is erased");
}

#[test]
fn a_live_segment_is_checked_before_it_is_opened_and_a_refused_one_may_come_again() {
    let sealed = seal("job");
    let mut live = Live::new(sealed.header.clone());
    let mut text = Vec::new();
    let due = |reason| Err(Refused { index: 0, reason });
    assert_eq!(live.open(&sealed.segments[1], &mut text), due(Reason::OutOfOrder));
    assert_eq!(live.open(&sealed.segments[0], &mut text), due(Reason::NoEpochSecret));
    live.add_epoch(&device().open_epoch(&sealed.wrapped[0], &manifest(&sealed).header).unwrap());
    let mut changed = sealed.segments[0].clone();
    changed[50] ^= 1;
    assert_eq!(live.open(&changed, &mut text), due(Reason::BadSignature));
    assert!(text.is_empty());
    live.open(&sealed.segments[0], &mut text).unwrap();
    assert_eq!(live.finish(&manifest(&sealed)).unwrap_err().reason, Reason::Incomplete);
}
