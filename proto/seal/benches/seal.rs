//! What an envelope costs beside the bare cipher it is made of, in streams of 4 and 64 KiB segments, and what a
//! job, a statement and an epoch cost beside the bare signature and KEM.
//!
//! After criterion's figures come ratios: each operation and its peer in turn, round after round, and the median
//! of the rounds' ratios, so that a machine that is busy for a while is busy for both.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use criterion::{BatchSize, Criterion, Throughput};
use ed25519_dalek::Signer;
use layerlock_seal::keys::SigningKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::{Checked, Checker, Ends, Opener, Sealer};
use layerlock_terms::envelope::{EnvelopeHeader, Manifest, SEGMENT_LIMIT};
use layerlock_terms::release::{Grounds, KeyRelease};
use ring::aead;

#[path = "../tests/support/mod.rs"]
mod support;

use support::{Repeatable, device, header, signer, summary};

/// Plaintext bytes of a stream: as much as a middling print's toolpath.
const STREAM: usize = 1024 * 1024;

const SIZES: [usize; 2] = [4 * 1024, 64 * 1024];

/// Rounds of which a ratio is the median.
const ROUNDS: usize = 101;

/// A sealed stream and all that opens it.
struct Envelope {
    header: Verified<EnvelopeHeader>,
    segments: Vec<Vec<u8>>,
    manifest: Verified<Manifest>,
    release: Verified<KeyRelease>,
}

/// An operation over one segment, in place.
type InPlace = Box<dyn FnMut(&mut [u8])>;

/// An operation over a whole stream, timed.
struct Timed<'a> {
    name: &'static str,
    run: Box<dyn FnMut() -> Duration + 'a>,
}

fn sealer() -> Sealer {
    let header = EnvelopeHeader { segment_limit: SEGMENT_LIMIT, ..header() };
    Sealer::new(header, signer(), &mut Repeatable::new("bench"))
}

/// Seals a stream into one buffer, over and over: what is sealed is handed on before the next comes.
fn seal_stream(sealer: &mut Sealer, text: &[u8], out: &mut Vec<u8>) {
    for _ in 0..STREAM / text.len() {
        out.clear();
        sealer.seal(0, Ends::Piece, black_box(text), out).expect("in place");
    }
}

fn open_one(opener: &mut Opener, segment: &mut [u8]) {
    black_box(opener.open(segment).expect("checked"));
}

impl Envelope {
    fn new(size: usize) -> Self {
        let (mut sealer, text) = (sealer(), vec![0x5a; size]);
        let count = STREAM / size;
        let segments = (1..=count).map(|number| {
            let ends = if number == count { Ends::Toolpath } else { Ends::Piece };
            let mut segment = Vec::new();
            sealer.seal(0, ends, &text, &mut segment).expect("in place");
            segment
        });
        let segments = segments.collect();
        let key = signer().verifying_key();
        let (hash, to) = (sealer.header_hash(), device().wrapping_key());
        let rng = &mut Repeatable::new("wrap");
        let release = sealer.job_secret().release(&hash, Grounds::Receipts, 0..=0, &to, rng);
        Self {
            header: sealer.header().verify(&key).expect("just signed"),
            segments,
            manifest: sealer.finish(summary()).expect("ended").verify(&key).expect("just signed"),
            release: Statement::sign(&release, &signer()).verify(&key).expect("just signed"),
        }
    }

    fn check(&self) -> Checked {
        let mut checker = Checker::new(self.header.clone());
        for segment in &self.segments {
            checker.segment(black_box(segment)).expect("rightly sealed");
        }
        checker.finish(&self.manifest).expect("whole")
    }

    fn opener(&self, checked: &Checked) -> Opener {
        let mut opener = Opener::new(checked);
        let secret = device().open_epoch(&self.release, &self.header, 0).expect("released to this device");
        opener.add_epoch(secret).expect("the committed secret");
        opener
    }
}

fn ring_key() -> aead::LessSafeKey {
    aead::LessSafeKey::new(aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &[7; 32]).expect("32 bytes"))
}

fn nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; 12])
}

fn timed(mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn streams(criterion: &mut Criterion) {
    for size in SIZES {
        let text = vec![0x5a; size];
        let envelope = Envelope::new(size);
        let checked = envelope.check();
        let mut group = criterion.benchmark_group(format!("1 MiB in segments of {} KiB", size / 1024));
        group.throughput(Throughput::Bytes(STREAM as u64)).sample_size(20);
        let (mut sealer, mut out) = (sealer(), Vec::new());
        group.bench_function("sealing", |bench| bench.iter(|| seal_stream(&mut sealer, &text, &mut out)));
        group.bench_function("checking", |bench| bench.iter(|| envelope.check()));
        group.bench_function("opening", |bench| {
            bench.iter_batched_ref(
                || (envelope.opener(&checked), envelope.segments.clone()),
                |(opener, segments)| segments.iter_mut().for_each(|segment| open_one(opener, segment)),
                BatchSize::LargeInput,
            )
        });
        for mut bare in bare(size) {
            group.bench_function(bare.name, |bench| {
                bench.iter_custom(|rounds| (0..rounds).map(|_| (bare.run)()).sum())
            });
        }
    }
}

/// The bare ciphers and hashes over as many bytes in parts of as many.
fn bare(size: usize) -> Vec<Timed<'static>> {
    let (count, text) = (STREAM / size, vec![0x5a; size]);
    let (ring, dalek) = (ring_key(), ChaCha20Poly1305::new(&[7; 32].into()));
    let over = move |name, mut one: InPlace| {
        let mut text = text.clone();
        let run = Box::new(move || timed(|| (0..count).for_each(|_| one(black_box(&mut text)))));
        Timed { name, run }
    };
    let opening = ring_key();
    let mut sealed = vec![0x5a; size];
    ring.seal_in_place_append_tag(nonce(), aead::Aad::empty(), &mut sealed).expect("short");
    let open = Box::new(move || {
        let mut copies = vec![sealed.clone(); count];
        timed(|| {
            for copy in &mut copies {
                opening.open_in_place(nonce(), aead::Aad::empty(), black_box(copy)).expect("right");
            }
        })
    });
    vec![
        over(
            "ring ChaCha20-Poly1305 sealing",
            Box::new(move |text| {
                let tag = ring.seal_in_place_separate_tag(nonce(), aead::Aad::empty(), text);
                let _ = black_box(tag.expect("short"));
            }),
        ),
        Timed { name: "ring ChaCha20-Poly1305 opening", run: open },
        over(
            "chacha20poly1305 sealing",
            Box::new(move |text| {
                let tag = dalek.encrypt_inout_detached(&[0; 12].into(), b"", text.into());
                let _ = black_box(tag.expect("short"));
            }),
        ),
        over(
            "BLAKE3",
            Box::new(|text| {
                black_box(blake3::hash(text));
            }),
        ),
        over(
            "ring SHA-256",
            Box::new(|text| {
                black_box(ring::digest::digest(&ring::digest::SHA256, text));
            }),
        ),
    ]
}

fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keys");
    group.sample_size(20);
    let (key, bare) = (signer(), ed25519_dalek::SigningKey::from_bytes(&signer().to_seed()));
    let (statement, message) = (Statement::sign(&header(), &key), [7; 180]);
    let signature = bare.sign(&message);
    group.bench_function("sign a header", |b| b.iter(|| Statement::sign(black_box(&header()), &key)));
    group.bench_function("bare Ed25519 sign", |b| b.iter(|| bare.sign(black_box(&message))));
    let verifying = key.verifying_key();
    group.bench_function("verify a header", |b| b.iter(|| statement.verify::<EnvelopeHeader>(&verifying)));
    group.bench_function("bare Ed25519 strict verification", |b| {
        b.iter(|| bare.verifying_key().verify_strict(black_box(&message), &signature))
    });
    let (sealer, to, mut rng) = (sealer(), device().wrapping_key(), Repeatable::new("wrap"));
    let hash = sealer.header_hash();
    group.bench_function("wrap an epoch", |b| {
        b.iter(|| sealer.job_secret().release(&hash, Grounds::Receipts, 0..=0, &to, &mut rng))
    });
    let envelope = Envelope::new(SIZES[1]);
    group.bench_function("unwrap an epoch", |b| {
        b.iter(|| device().open_epoch(&envelope.release, &envelope.header, 0).expect("released"))
    });
    kem(&mut group);
}

/// HPKE alone, over the same 32 bytes.
fn kem(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
    use hpke::aead::ChaCha20Poly1305;
    use hpke::kdf::HkdfSha256;
    use hpke::kem::X25519HkdfSha256;
    use hpke::{Kem, OpModeR, OpModeS, single_shot_open, single_shot_seal_with_rng};
    let mut rng = Repeatable::new("hpke");
    let (secret, public) = X25519HkdfSha256::gen_keypair_with_rng(&mut rng);
    let mut seal = || {
        single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public,
            b"info",
            &[7; 32],
            b"",
            &mut rng,
        )
        .expect("a fresh key")
    };
    let (enc, sealed) = seal();
    group.bench_function("bare HPKE seal", |b| b.iter(&mut seal));
    group.bench_function("bare HPKE open", |b| {
        b.iter(|| {
            single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &secret,
                &enc,
                b"info",
                &sealed,
                b"",
            )
        })
    });
}

/// All that a job costs whatever its length: signed header, job secret, first epoch, signed manifest, one release.
fn whole_job(signer: &Arc<SigningKey>, rng: &mut Repeatable, out: &mut Vec<u8>) {
    let mut sealer = Sealer::new(header(), Arc::clone(signer), rng);
    out.clear();
    sealer.seal(0, Ends::Toolpath, b"x", out).expect("in place");
    let (hash, to) = (sealer.header_hash(), device().wrapping_key());
    let release = sealer.job_secret().release(&hash, Grounds::Receipts, 0..=0, &to, rng);
    black_box(Statement::sign(&release, signer));
    black_box(sealer.finish(summary()).expect("ended"));
}

fn jobs(criterion: &mut Criterion) {
    let (signer, mut rng, mut out) = (signer(), Repeatable::new("job"), Vec::new());
    criterion.bench_function("a job of one byte, sealed and released", |bench| {
        bench.iter(|| whole_job(&signer, &mut rng, &mut out))
    });
}

/// Rates beside the bare cipher's, as medians of rounds that take turns.
#[expect(clippy::print_stdout, reason = "the figures are what a bench is run for")]
fn ratios() {
    println!("\nRates beside ring's bare ChaCha20-Poly1305 (1 is as fast), median of {ROUNDS} rounds:");
    for size in SIZES {
        let text = vec![0x5a; size];
        let (envelope, mut bare) = (Envelope::new(size), bare(size));
        let checked = envelope.check();
        let (mut sealer, mut out) = (sealer(), Vec::new());
        let open = || {
            let (mut opener, mut segments) = (envelope.opener(&checked), envelope.segments.clone());
            timed(|| segments.iter_mut().for_each(|segment| open_one(&mut opener, segment)))
        };
        let seal = || timed(|| seal_stream(&mut sealer, &text, &mut out));
        let check = || timed(|| drop(black_box(envelope.check())));
        let (sealing, opening) = bare.split_at_mut(1);
        let kib = size / 1024;
        println!("  sealing  {kib:2} KiB  {:.3}", ratio(&mut sealing[0].run, seal));
        println!("  opening  {kib:2} KiB  {:.3}", ratio(&mut opening[0].run, open));
        println!("  checking {kib:2} KiB  {:.3}", ratio(&mut opening[0].run, check));
    }
}

/// How many times as fast as its peer the work is.
fn ratio(mut peer: impl FnMut() -> Duration, mut work: impl FnMut() -> Duration) -> f64 {
    let mut ratios: Vec<f64> = (0..ROUNDS).map(|_| peer().as_secs_f64() / work().as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    streams(&mut criterion);
    keys(&mut criterion);
    jobs(&mut criterion);
    criterion.final_summary();
    // `cargo test` runs benches once, to see that they run.
    if std::env::args().any(|argument| argument == "--bench") {
        ratios();
    }
}
