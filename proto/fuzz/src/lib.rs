//! What the fuzz targets share: a bound on memory, the one property of every byte form, and one right envelope.
//!
//! A target proves more than that nothing panics: what is read is written back to the same bytes, reading costs
//! no memory the input didn't bring, and nothing that differs from what was sealed is ever taken for it.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use layerlock_seal::keys::{OpeningKey, SigningKey, VerifyingKey};
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::{Checked, Checker, Ends, EpochSecret, Sealer};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest, Summary};
use layerlock_terms::ids::{DeviceId, HoldId, JobId, LicenseId};
use layerlock_terms::release::{Grounds, KeyRelease};
use layerlock_terms::toolpath::Point3;
use layerlock_terms::units::{Millis, Timestamp};
use layerlock_terms::wire::Noun;
use peak_alloc::PeakAlloc;
use rand_core::{TryCryptoRng, TryRng};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What reading may hold at once beside its input: parsed forms are a few times the bytes they come from (a list of
/// empty texts is the worst: 24 bytes for 4), and vectors grow by doubling.
const PER_BYTE: usize = 24;
const ALWAYS: usize = 16 * 1024;

/// The toolpath of the right envelope: layer, what ends, text.
pub const TEXTS: [(u32, Ends, &[u8]); 5] = [
    (0, Ends::Piece, b"prologue"),
    (0, Ends::Nothing, b"layer nought, first half"),
    (0, Ends::Piece, b"layer nought, second half"),
    (1, Ends::Piece, b"layer one"),
    (2, Ends::Toolpath, b"layer two"),
];

/// An envelope as it was sealed, and all that opens it.
pub struct Envelope {
    pub vault: SigningKey,
    pub device: OpeningKey,
    pub header: Verified<EnvelopeHeader>,
    pub segments: Vec<Vec<u8>>,
    pub manifest: Verified<Manifest>,
    pub release: Verified<KeyRelease>,
}

/// The one right envelope all targets change.
pub static ENVELOPE: LazyLock<Envelope> = LazyLock::new(|| {
    let sealed = Envelope::seal();
    assert!(
        sealed.is_the_vectors(),
        "the seeds hold another envelope: seal here as the vectors' generator does"
    );
    sealed
});

/// That envelope, checked.
pub static CHECKED: LazyLock<Checked> =
    LazyLock::new(|| checker().finish(&ENVELOPE.manifest).expect("the right manifest"));

/// The vector of that envelope; the seeds begin with its very bytes.
const RIGHT: &str = include_str!("../../vectors/envelope/right.txt");

/// Reads so many bytes and fails if that held more memory than they account for.
pub fn bounded<T>(length: usize, read: impl FnOnce() -> T) -> T {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let read = read();
    let held = MEMORY.peak_usage().saturating_sub(before);
    assert!(held <= ALWAYS + PER_BYTE * length, "{held} bytes held to read {length}");
    read
}

/// Whatever reads as a noun is its one byte form, and survives being stated.
pub fn is_one_noun<T: Noun + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let noun = bounded(bytes.len(), || T::parse(bytes)).ok()?;
    assert_eq!(noun.emit(), bytes, "read as {noun:?}, written otherwise");
    assert_eq!(T::parse(bytes).as_ref(), Ok(&noun));
    Some(noun)
}

/// The same, and a statement of it verifies, as itself and as nothing else.
pub fn is_stated<T: Noun + PartialEq + Debug>(bytes: &[u8]) {
    let Some(noun) = is_one_noun::<T>(bytes) else { return };
    let stated = Statement::sign(&noun, &ENVELOPE.vault);
    let verified = stated.verify::<T>(&key()).expect("it was just signed");
    assert_eq!(*verified, noun);
}

/// A checker that has seen all the right segments.
pub fn checker() -> Checker {
    let mut checker = Checker::new(ENVELOPE.header.clone());
    for segment in &ENVELOPE.segments {
        checker.segment(segment).expect("the right one");
    }
    checker
}

/// The key everything right is signed with.
pub fn key() -> VerifyingKey {
    ENVELOPE.vault.verifying_key()
}

impl Envelope {
    fn seal() -> Self {
        let vault = SigningKey::generate(&mut Repeatable::new("delivery key"));
        let device = OpeningKey::generate(&mut Repeatable::new("device key"));
        let verifying = vault.verifying_key();
        let signer = Arc::new(SigningKey::from_seed(&vault.to_seed()));
        let mut sealer = Sealer::new(header(), signer, &mut Repeatable::new("job"));
        let header = sealer.header().verify(&verifying).expect("just signed");
        let segments = TEXTS.map(|(layer, ends, text)| {
            let mut segment = Vec::new();
            sealer.seal(layer, ends, text, &mut segment).expect("the texts are in order");
            segment
        });
        let rng = &mut Repeatable::new("wrap");
        let (hash, to) = (sealer.header_hash(), device.wrapping_key());
        let release = sealer.job_secret().release(&hash, Grounds::Receipts, 0..=1, &to, rng);
        let release = Statement::sign(&release, &vault).verify(&verifying).expect("just signed");
        let manifest = sealer.finish(summary()).expect("the texts end");
        let manifest = manifest.verify(&verifying).expect("just signed");
        Self { vault, device, header, segments: segments.into(), manifest, release }
    }

    fn is_the_vectors(&self) -> bool {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let line = |name, bytes: &[u8]| format!("{name}: {}", hex(bytes));
        let header = line("header", &self.header.statement().emit());
        let manifest = line("manifest", &self.manifest.statement().emit());
        let segments = self.segments.iter().map(|segment| line("segment", segment));
        segments.chain([header, manifest]).all(|line| RIGHT.lines().any(|found| found == line))
    }

    /// The secrets of both epochs.
    pub fn secrets(&self) -> [EpochSecret; 2] {
        [0, 1].map(|epoch| {
            let opened = self.device.open_epoch(&self.release, &self.header, epoch);
            opened.expect("the right release opens")
        })
    }
}

fn header() -> EnvelopeHeader {
    EnvelopeHeader {
        job: JobId::from_bytes([0x11; 16]),
        hold: HoldId::from_bytes([0x22; 16]),
        license: LicenseId::from_bytes([0x33; 16]),
        design_version: Digest([0x44; 32]),
        device: DeviceId::from_bytes([0x55; 16]),
        machine: "prusa-mk3s".into(),
        profile: Digest([0x66; 32]),
        created: Timestamp(1_700_000_000_000),
        segment_limit: 64,
        epoch_layers: 2,
    }
}

fn summary() -> Summary {
    Summary {
        duration: Millis(3_600_000),
        filament_um: 4_200_000,
        min: Point3 { x: 0, y: 0, z: 200 },
        max: Point3 { x: 60_000, y: 31_000, z: 48_000 },
    }
}

/// SHA-256 of a seed and a counter, as the vectors draw their keys.
struct Repeatable {
    seed: &'static str,
    block: u64,
}

impl Repeatable {
    fn new(seed: &'static str) -> Self {
        Self { seed, block: 0 }
    }
}

impl TryRng for Repeatable {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            let block = layerlock_seal::sha256(format!("{} {}", self.seed, self.block).as_bytes());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
            self.block += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Repeatable {}
