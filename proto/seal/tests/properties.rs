//! What holds of every statement, blob and envelope, whatever is in it: what was sealed comes back the same, and
//! nothing else does. A failing case prints its inputs, made as small as they get.

mod support;

use layerlock_seal::blob::{self, CHUNK, HEADER, Part, Place};
use layerlock_seal::enrolment::{EnrolmentAnswer, WrappedAnswer};
use layerlock_seal::keys::OpeningKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::{Checked, Checker, Ends, Live, Opener, Refused, Sealer};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::ids::{DesignId, DeviceId, HoldId, JobId, LicenseId, SellerId};
use layerlock_terms::receipt::{
    Cause, CopyOutcome, Countersignature, Counts, Event, Extent, JobEvent, JobReport, Outcome, Receipt,
    Settlement,
};
use layerlock_terms::release::{Grounds, KeyRelease};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;
use proptest::prelude::*;
use proptest::sample::Index;
use support::{Repeatable, device, header, kek, signer, summary};

/// One change to some bytes: a byte replaced, dropped, doubled or added at the end.
#[derive(Debug, Clone)]
enum Change {
    Replace(Index, u8),
    Drop(Index),
    Double(Index),
    Append(u8),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (any::<Index>(), 1u8..).prop_map(|(at, xor)| Change::Replace(at, xor)),
        1 => any::<Index>().prop_map(Change::Drop),
        1 => any::<Index>().prop_map(Change::Double),
        1 => any::<u8>().prop_map(Change::Append),
    ]
}

impl Change {
    fn of(&self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        match self {
            Self::Replace(at, xor) => changed[at.index(bytes.len())] ^= xor,
            Self::Drop(at) => drop(changed.remove(at.index(bytes.len()))),
            Self::Double(at) => changed.insert(at.index(bytes.len()), bytes[at.index(bytes.len())]),
            Self::Append(byte) => changed.push(*byte),
        }
        changed
    }
}

/// Segments as they are sealed: the layer, what ends, the text.
type Script = Vec<(u32, Ends, Vec<u8>)>;

/// Some layers of some pieces of some segments each, and how many layers share an epoch.
fn script() -> impl Strategy<Value = (Script, u32)> {
    let text = prop::collection::vec(any::<u8>(), 1..=LIMIT as usize);
    let piece = prop::collection::vec(text, 1..4);
    let layer = prop::collection::vec(piece, 1..3);
    (prop::collection::vec(layer, 1..7).prop_map(flatten), 1u32..4)
}

const LIMIT: u32 = 48;

fn flatten(layers: Vec<Vec<Vec<Vec<u8>>>>) -> Script {
    let mut script = Script::new();
    for (layer, pieces) in layers.into_iter().enumerate() {
        for piece in pieces {
            script.extend(piece.into_iter().map(|text| (layer as u32, Ends::Nothing, text)));
            script.last_mut().expect("a piece has a segment").1 = Ends::Piece;
        }
    }
    script.last_mut().expect("a script has a segment").1 = Ends::Toolpath;
    script
}

/// A sealed script.
struct Envelope {
    header: Verified<EnvelopeHeader>,
    segments: Vec<Vec<u8>>,
    manifest: Verified<Manifest>,
    release: Verified<KeyRelease>,
}

impl Envelope {
    fn seal((script, epoch_layers): &(Script, u32), seed: &'static str) -> Self {
        let key = signer().verifying_key();
        let header = EnvelopeHeader { segment_limit: LIMIT, epoch_layers: *epoch_layers, ..header() };
        let mut sealer = Sealer::new(header, signer(), &mut Repeatable::new(seed));
        let header = sealer.header().verify(&key).expect("just signed");
        let seal = |(layer, ends, text): &(u32, Ends, Vec<u8>)| {
            let mut segment = Vec::new();
            sealer.seal(*layer, *ends, text, &mut segment).expect("a script is in order");
            segment
        };
        let segments = script.iter().map(seal).collect();
        let last = script.last().expect("a segment").0 / epoch_layers;
        let (hash, to, rng) =
            (sealer.header_hash(), device().wrapping_key(), &mut Repeatable::new("wrapping"));
        let release = sealer.job_secret().release(&hash, Grounds::Receipts, 0..=last, &to, rng);
        let release = Statement::sign(&release, &signer()).verify(&key).expect("just signed");
        let manifest = sealer.finish(summary()).expect("a script ends").verify(&key).expect("just signed");
        Self { header, segments, manifest, release }
    }

    fn check(&self, segments: &[Vec<u8>]) -> Result<Checked, Refused> {
        let mut checker = Checker::new(self.header.clone());
        for segment in segments {
            checker.segment(segment)?;
        }
        checker.finish(&self.manifest)
    }

    /// The text, opened as it comes; the manifest at the end.
    fn live(&self, segments: &[Vec<u8>]) -> Result<Vec<u8>, Refused> {
        let mut live = Live::new(self.header.clone());
        for epoch in 0..self.manifest.epochs() {
            live.add_epoch(self.secret(epoch))?;
        }
        let mut text = Vec::new();
        for segment in segments {
            text.extend_from_slice(live.open(&mut segment.clone())?.1);
        }
        live.finish(&self.manifest).map(|_| text)
    }

    /// The text from segment `from` on, each secret taken when it is needed.
    fn open(&self, checked: &Checked, from: usize) -> Vec<u8> {
        let mut opener = Opener::resume(checked, from as u32);
        let mut text = Vec::new();
        for segment in &self.segments[from..] {
            let epoch = u32::from_be_bytes(segment[8..12].try_into().expect("a frame"));
            if !opener.holds(epoch) {
                opener.add_epoch(self.secret(epoch)).expect("the committed secret");
            }
            text.extend_from_slice(opener.open(&mut segment.clone()).expect("it was checked").1);
        }
        text
    }

    fn secret(&self, epoch: u32) -> layerlock_seal::toolpath::EpochSecret {
        device().open_epoch(&self.release, &self.header, epoch).expect("the release is the device's")
    }
}

fn texts(script: &Script, from: usize) -> Vec<u8> {
    script[from..].iter().flat_map(|(.., text)| text.clone()).collect()
}

fn place() -> Place {
    Place {
        seller: SellerId::from_bytes([1; 16]),
        design: DesignId::from_bytes([2; 16]),
        version: Digest([3; 32]),
        part: Part::Upload,
    }
}

/// Every noun that travels signed between device, vault and licensor during a job, as one statement each.
fn statements(number: u32) -> Vec<(&'static str, Vec<u8>)> {
    let (device, job) = (DeviceId::from_bytes([1; 16]), JobId::from_bytes([2; 16]));
    let (hold, at) = (HoldId::from_bytes([3; 16]), Timestamp(number.into()));
    let extent = Extent { layers: number, total_layers: number, lines: 7, filament_um: 9 };
    let counts = Counts { granted: number, free: 0, held: 0, spent: number };
    let (cause, copy) = (Cause::Overdue, CopyOutcome::Spent);
    let event = Event::Ended(Outcome::Failed, extent);
    let envelope = Envelope::seal(&(vec![(0, Ends::Toolpath, vec![7])], 1), "one segment");
    vec![
        (EnvelopeHeader::TYPE, envelope.header.statement().emit()),
        (Manifest::TYPE, envelope.manifest.statement().emit()),
        (KeyRelease::TYPE, envelope.release.statement().emit()),
        stated(&Receipt { device, job, hold, sequence: number, at, event }),
        stated(&JobReport { job, hold, at, event: JobEvent::Admitted }),
        stated(&Countersignature { job, hold, receipt: Digest([4; 32]), at }),
        stated(&Settlement { license: LicenseId::from_bytes([5; 16]), hold, job, at, cause, copy, counts }),
    ]
}

fn stated<T: Noun>(noun: &T) -> (&'static str, Vec<u8>) {
    (T::TYPE, Statement::sign(noun, &signer()).emit())
}

/// Whether these bytes verify as a statement of this type.
fn verifies(kind: &str, bytes: &[u8]) -> bool {
    fn as_noun<T: Noun>(bytes: &[u8]) -> bool {
        let key = signer().verifying_key();
        Statement::parse(bytes).is_ok_and(|statement| statement.verify::<T>(&key).is_ok())
    }
    match kind {
        EnvelopeHeader::TYPE => as_noun::<EnvelopeHeader>(bytes),
        Manifest::TYPE => as_noun::<Manifest>(bytes),
        KeyRelease::TYPE => as_noun::<KeyRelease>(bytes),
        Receipt::TYPE => as_noun::<Receipt>(bytes),
        JobReport::TYPE => as_noun::<JobReport>(bytes),
        Countersignature::TYPE => as_noun::<Countersignature>(bytes),
        Settlement::TYPE => as_noun::<Settlement>(bytes),
        other => panic!("no noun `{other}` here"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn a_statement_reads_back_verifies_as_its_noun_alone_and_with_no_byte_changed(
        number in any::<u32>(), change in change(),
    ) {
        let statements = statements(number);
        for (kind, bytes) in &statements {
            prop_assert_eq!(&Statement::parse(bytes).unwrap().emit(), bytes);
            for (other, _) in &statements {
                prop_assert_eq!(verifies(other, bytes), kind == other);
            }
            let changed = change.of(bytes);
            prop_assert_eq!(verifies(kind, &changed), changed == *bytes, "{} {:?}", kind, change);
        }
    }

    #[test]
    fn a_blob_opens_to_its_text_in_whatever_pieces_either_comes(
        length in prop_oneof![0usize..200, CHUNK - 2..CHUNK + 3, 2 * CHUNK - 2..2 * CHUNK + 3],
        first in 1usize..CHUNK + 100,
        then in 1usize..CHUNK + 100,
    ) {
        let text: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
        let (mut sealer, header) = blob::Sealer::new(&kek(), &place(), &mut Repeatable::new("blob"));
        let mut sealed = Vec::new();
        text.chunks(first).for_each(|piece| sealer.seal(piece, &mut sealed));
        sealer.finish(&mut sealed);
        let whole = blob::seal(&kek(), &place(), &text, &mut Repeatable::new("blob"));
        prop_assert!(whole == [header.as_bytes(), &sealed[..]].concat(), "pieces change the sealed bytes");

        let mut opener = blob::Opener::new(&kek(), &place(), &header).unwrap();
        let mut opened = Vec::new();
        for piece in sealed.chunks(then) {
            opener.open(piece, &mut opened).unwrap();
        }
        opener.finish(&mut opened).unwrap();
        prop_assert!(opened == text && *blob::open(&kek(), &place(), &whole).unwrap() == text);
    }

    #[test]
    fn a_blob_of_several_chunks_opens_with_no_byte_changed_and_no_chunk_moved_or_missing(
        change in change(), chunks in Just([0usize, 1, 2]).prop_shuffle(), kept in 0usize..=3,
    ) {
        let text = vec![0x5a; 2 * CHUNK + 10];
        let whole = blob::seal(&kek(), &place(), &text, &mut Repeatable::new("blob"));
        let changed = change.of(&whole);
        prop_assert_eq!(blob::open(&kek(), &place(), &changed).is_ok(), changed == whole);
        let sealed: Vec<&[u8]> = whole[HEADER..].chunks(CHUNK + 16).collect();
        let moved: Vec<u8> = chunks[..kept].iter().flat_map(|chunk| sealed[*chunk].to_vec()).collect();
        let moved = [&whole[..HEADER], &moved].concat();
        prop_assert_eq!(blob::open(&kek(), &place(), &moved).is_ok(), moved == whole);
    }

    #[test]
    fn what_is_sealed_is_checked_and_opens_to_the_same_whichever_way(script in script(), from in any::<Index>()) {
        let envelope = Envelope::seal(&script, "job");
        let checked = envelope.check(&envelope.segments).unwrap();
        let from = from.index(envelope.segments.len());
        prop_assert_eq!(envelope.open(&checked, 0), texts(&script.0, 0));
        prop_assert_eq!(envelope.open(&checked, from), texts(&script.0, from));
        prop_assert_eq!(envelope.live(&envelope.segments), Ok(texts(&script.0, 0)));
    }

    #[test]
    fn segments_in_another_order_or_not_all_or_twice_are_refused_both_ways(
        script in script(), order in prop::collection::vec(any::<Index>(), 0..30), drop_one in any::<Index>(),
    ) {
        let envelope = Envelope::seal(&script, "job");
        let right = &envelope.segments;
        let drawn: Vec<_> = order.iter().map(|at| right[at.index(right.len())].clone()).collect();
        let mut short = right.clone();
        short.remove(drop_one.index(right.len()));
        let doubled = [&right[..], &[right[drop_one.index(right.len())].clone()]].concat();
        for segments in [drawn, short, doubled] {
            prop_assert_eq!(envelope.check(&segments).is_ok(), segments == *right);
            prop_assert_eq!(envelope.live(&segments).is_ok(), segments == *right);
        }
    }

    #[test]
    fn a_changed_segment_never_passes_a_check_and_never_opens(
        script in script(), at in any::<Index>(), change in change(),
    ) {
        let envelope = Envelope::seal(&script, "job");
        let mut segments = envelope.segments.clone();
        let at = at.index(segments.len());
        segments[at] = change.of(&segments[at]);
        let same = segments == envelope.segments;
        prop_assert_eq!(envelope.check(&segments).is_ok(), same);
        // Live: nothing after the segments before it is given out.
        let opened = envelope.live(&segments);
        prop_assert_eq!(opened.is_ok(), same);
        prop_assert!(same || opened.unwrap_err().index as usize == at);
    }

    #[test]
    fn a_segment_of_a_twin_under_the_same_header_is_refused_both_ways(script in script(), at in any::<Index>()) {
        // Header and place are the same to the last bit; the job secret isn't.
        let (envelope, twin) = (Envelope::seal(&script, "job"), Envelope::seal(&script, "another job"));
        prop_assert_eq!(&envelope.header, &twin.header);
        let mut segments = envelope.segments.clone();
        let at = at.index(segments.len());
        segments[at].clone_from(&twin.segments[at]);
        prop_assert!(envelope.check(&segments).is_err());
        prop_assert_eq!(envelope.live(&segments).unwrap_err().index as usize, at);
    }

    #[test]
    fn a_challenge_opens_for_its_device_and_request_with_no_byte_changed(
        request in any::<[u8; 32]>(), other in any::<[u8; 32]>(), change in change(),
    ) {
        let answer = EnrolmentAnswer::generate(&mut Repeatable::new("answer"));
        let wrapped = answer.wrap(&Digest(request), &device().wrapping_key(), &mut Repeatable::new("wrap"));
        let bytes = [wrapped.encapsulated(), wrapped.ciphertext()].concat();
        let opens = |key: &OpeningKey, request, bytes: &[u8]| {
            let (enc, sealed) = bytes.split_at(32);
            WrappedAnswer::parse(enc, sealed).is_ok_and(|it| key.open_enrolment(&it, &Digest(request)).is_ok())
        };
        prop_assert!(opens(&device(), request, &bytes));
        prop_assert_eq!(opens(&device(), other, &bytes), request == other);
        prop_assert!(!opens(&OpeningKey::from_seed(&[9; 32]), request, &bytes));
        let changed = change.of(&bytes);
        prop_assert_eq!(opens(&device(), request, &changed), changed == bytes, "{:?}", change);
    }
}
