//! The core without the standard library: it builds, it reads what a vault seals, and its heap is counted.

#![allow(clippy::unwrap_used, reason = "a test's own tools: whatever is not there fails it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use layerlock_seal::keys::{OpeningKey, SigningKey};
use layerlock_seal::statement::Statement;
use layerlock_seal::toolpath::{Ends, Sealer};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Summary};
use layerlock_terms::ids::{DeviceId, HoldId, JobId, LicenseId};
use layerlock_terms::release::Grounds;
use layerlock_terms::toolpath::{Feature, Layer, Path as Line, Piece, Point, Point3, Step};
use layerlock_terms::units::{Feed, Micrometres, Millis, MmPerMinute, Timestamp};
use rand_core::{CryptoRng, TryCryptoRng, TryRng};

/// The bar for segments of 64 KiB: checking, opening and decoding.
const BAR: usize = 256 * 1024;
const LAYERS: u32 = 4;

/// Counts, and is thereby chance enough for keys nobody uses.
struct Counting(u8);

impl TryRng for Counting {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|n| n as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(1);
        Ok(u64::from(self.0) * 0x9e37_79b9_7f4a_7c15)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.iter_mut().for_each(|byte| {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0.wrapping_mul(167);
        });
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

/// So many moves, each of them hard to foretell.
fn scattered(count: i32) -> Vec<(Point, Feed)> {
    let mut state = 12345_u32;
    let mut chance = |most: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) % most) as i32
    };
    (0..count)
        .map(|_| {
            (Point { x: 50_000 + chance(60_000), y: 50_000 + chance(60_000) }, Feed(1_000 + chance(40_000)))
        })
        .collect()
}

/// So many moves, all alike but for the last one's filament: nothing else costs as few bytes.
fn alike(count: i32) -> Vec<(Point, Feed)> {
    (1..=count).map(|at| (Point { x: at, y: 0 }, Feed(if at == count { 1 } else { 3 }))).collect()
}

/// A path of these moves; paths of different speeds are of different styles.
fn path(points: &[(Point, Feed)], speed: u32) -> Step {
    Step::Extrude(Line {
        feature: Feature::OuterPerimeter,
        width: Micrometres(450),
        speed: MmPerMinute(speed),
        climb: None,
        points: points.to_vec(),
    })
}

fn put(record: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(record.len()).unwrap().to_be_bytes());
    out.extend_from_slice(record);
}

/// The bytes of layers that all have these steps.
fn layers(steps: &[Step]) -> Vec<Vec<u8>> {
    let layer = |index: u32| {
        let z = Micrometres(200 * (index as i32 + 1));
        Piece::Layer(Layer { index, z, height: Micrometres(200), steps: steps.to_vec() }).emit()
    };
    (0..LAYERS).map(layer).collect()
}

/// A recorded envelope with a layer to a segment.
fn recorded(layers: &[Vec<u8>], rng: &mut impl CryptoRng) -> Vec<u8> {
    let (vault, device) = (Arc::new(SigningKey::generate(rng)), OpeningKey::generate(rng));
    let header = EnvelopeHeader {
        job: JobId::from_bytes([1; 16]),
        hold: HoldId::from_bytes([2; 16]),
        license: LicenseId::from_bytes([3; 16]),
        design_version: Digest([4; 32]),
        device: DeviceId::from_bytes([5; 16]),
        machine: "ender-3".into(),
        profile: Digest([6; 32]),
        created: Timestamp(1_800_000_000_000),
        segment_limit: 65_536,
        epoch_layers: 2,
    };
    let mut sealer = Sealer::new(header, Arc::clone(&vault), rng);
    let mut segments = Vec::new();
    for (index, text) in (0..LAYERS).zip(layers) {
        assert!(text.len() <= 65_536, "{} bytes are no one segment", text.len());
        let ends = if index + 1 == LAYERS { Ends::Toolpath } else { Ends::Piece };
        let mut segment = Vec::new();
        sealer.seal(index, ends, text, &mut segment).unwrap();
        segments.push(segment);
    }
    let hash = sealer.header_hash();
    let wrapping = device.wrapping_key();
    let release = sealer.job_secret().release(&hash, Grounds::Receipts, 0..=LAYERS / 2 - 1, &wrapping, rng);
    let release = Statement::sign(&release, &vault).emit();
    let corner = Point3 { x: 50_000, y: 50_000, z: 200 };
    let summary = Summary { duration: Millis(1), filament_um: 1, min: corner, max: corner };
    let mut out = Vec::new();
    put(vault.verifying_key().as_bytes(), &mut out);
    put(&device.to_seed()[..], &mut out);
    put(&sealer.header().emit(), &mut out);
    put(&sealer.finish(summary).unwrap().emit(), &mut out);
    put(&release, &mut out);
    segments.iter().for_each(|segment| put(segment, &mut out));
    out
}

/// Builds the program once, in a workspace of its own.
fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/bare/Cargo.toml");
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bare");
        let mut cargo = Command::new(env!("CARGO"));
        // Its packages are all among the workspace's, of the same versions: nothing has to be fetched.
        cargo
            .args(["build", "--locked", "--offline", "--quiet", "--manifest-path", manifest, "--target-dir"])
            .arg(&target);
        let built = cargo.output().expect("cargo runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        target.join("debug/layerlock-bare")
    })
}

fn read(recorded: &[u8]) -> Output {
    static FILES: AtomicU32 = AtomicU32::new(0);
    let name = format!("envelope-{}-{}", std::process::id(), FILES.fetch_add(1, Ordering::Relaxed));
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, recorded).unwrap();
    let output = Command::new(program()).arg(&file).output().unwrap();
    std::fs::remove_file(file).unwrap();
    output
}

fn figure(output: &Output, name: &str) -> usize {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_whitespace().skip_while(|word| *word != name);
    words.nth(1).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no `{name}` in {text:?}"))
}

#[test]
fn the_core_reads_an_envelope_without_the_standard_library() {
    let recorded = recorded(&layers(&[path(&scattered(500), 1_800)]), &mut Counting(1));
    let output = read(&recorded);
    assert!(output.status.success(), "{output:?}");
    assert_eq!((figure(&output, "segments"), figure(&output, "pieces")), (4, 4));
    assert_eq!((figure(&output, "steps"), figure(&output, "moves")), (4, 2000));
    for at in [100, recorded.len() / 2, recorded.len() - 3] {
        let mut changed = recorded.clone();
        changed[at] ^= 1;
        let output = read(&changed);
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "byte {at} may be anything: {output:?}"
        );
    }
}

#[test]
fn a_rightly_sealed_layer_that_is_malformed_in_its_last_byte_moves_nothing() {
    let mut layers = layers(&[path(&scattered(500), 1_800)]);
    *layers[0].last_mut().unwrap() ^= 1;
    let output = read(&recorded(&layers, &mut Counting(1)));
    assert_eq!(output.status.code(), Some(27), "28 is a move too late: {output:?}");
}

/// Of full segments with these steps: the peaks of checking, opening and decoding.
fn peaks(steps: &[Step]) -> [usize; 3] {
    let layers = layers(steps);
    let longest = layers.iter().map(Vec::len).max().unwrap();
    assert!(longest > 60_000, "segments of {longest} bytes prove nothing about 64 KiB");
    let output = read(&recorded(&layers, &mut Counting(1)));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(figure(&output, "steps"), LAYERS as usize * steps.len());
    eprintln!("{}", String::from_utf8_lossy(&output.stdout));
    ["checking", "opening", "decoding"].map(|part| figure(&output, part))
}

#[test]
fn verifying_opening_and_decoding_64_kib_segments_stays_under_the_bar() {
    let peaks = peaks(&[path(&scattered(10_500), 1_800)]);
    assert!(peaks.iter().all(|peak| *peak <= BAR), "{peaks:?}");
}

#[test]
fn a_segment_of_far_more_moves_takes_no_more_heap() {
    let peaks = peaks(&[path(&alike(1_850_000), 1_800)]);
    assert!(peaks.iter().all(|peak| *peak <= BAR), "{peaks:?}");
}

#[test]
fn a_layer_of_a_thousand_styles_stays_under_the_bar() {
    let steps: Vec<Step> =
        scattered(9_000).chunks(9).zip(1_000..).map(|(points, at)| path(points, at)).collect();
    let peaks = peaks(&steps);
    assert!(peaks.iter().all(|peak| *peak <= BAR), "{peaks:?}");
}
