//! What an envelope costs beside the bare ciphers it is made of, per segment of 4 and 64 KiB.
//!
//! `sealing` encrypts, hashes, signs; `checking` hashes and verifies; `opening` decrypts. `chacha20poly1305`
//! and `ring` are the cipher alone.

use std::hint::black_box;
use std::sync::Arc;

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use layerlock_seal::toolpath::{Checker, Ends, Opener, Sealer};
use layerlock_terms::envelope::{EnvelopeHeader, SEGMENT_LIMIT};
use ring::aead;

#[path = "../tests/support/mod.rs"]
mod support;

use support::{Repeatable, device, header, signer, summary};

fn sealer() -> Sealer {
    let header = EnvelopeHeader { segment_limit: SEGMENT_LIMIT, ..header() };
    Sealer::new(header, Arc::clone(&signer()), &mut Repeatable::new("bench"))
}

fn segments(criterion: &mut Criterion) {
    for size in [4 * 1024, 64 * 1024] {
        let text = vec![0x5a; size];
        let mut group = criterion.benchmark_group(format!("segment of {} KiB", size / 1024));
        group.throughput(Throughput::Bytes(size as u64)).sample_size(20);
        let mut sealer = sealer();
        let mut out = Vec::new();
        group.bench_function("sealing", |bench| {
            bench.iter(|| {
                out.clear();
                sealer.seal(0, Ends::Piece, black_box(&text), &mut out).expect("in place")
            })
        });
        drop(group);
        receiving(criterion, &text);
        bare(criterion, &text);
    }
}

/// One segment's check and opening, each from a fresh start so that every round does the same.
fn receiving(criterion: &mut Criterion, text: &[u8]) {
    let mut group = criterion.benchmark_group(format!("segment of {} KiB", text.len() / 1024));
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    let mut sealer = sealer();
    let mut segment = Vec::new();
    sealer.seal(0, Ends::Toolpath, text, &mut segment).expect("in place");
    let header = sealer.header().verify::<EnvelopeHeader>(&signer().verifying_key()).expect("just signed");
    let wrapped = sealer.job_secret().wrap_epoch(
        &sealer.header_hash(),
        0,
        &device().wrapping_key(),
        &mut Repeatable::new("wrap"),
    );
    let secret = device().open_epoch(&wrapped, &sealer.header_hash()).expect("wrapped to this device");
    let manifest =
        sealer.finish(summary()).expect("ended").verify(&signer().verifying_key()).expect("just signed");
    let check = || {
        let mut checker = Checker::new(header.clone());
        checker.segment(black_box(&segment)).expect("rightly sealed");
        checker
    };
    group.bench_function("checking", |bench| bench.iter(check));
    let checked = check().finish(&manifest).expect("whole");
    let mut out = Vec::new();
    group.bench_function("opening", |bench| {
        bench.iter_batched(
            || {
                let mut opener = Opener::new(&checked);
                opener.add_epoch(&secret).expect("the committed secret");
                opener
            },
            |mut opener| {
                out.clear();
                opener.open(black_box(&segment), &mut out).expect("checked")
            },
            criterion::BatchSize::SmallInput,
        )
    });
}

fn bare(criterion: &mut Criterion, text: &[u8]) {
    let mut group = criterion.benchmark_group(format!("segment of {} KiB", text.len() / 1024));
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    let mut bytes = text.to_vec();
    let cipher = ChaCha20Poly1305::new(&[7; 32].into());
    group.bench_function("bare chacha20poly1305", |bench| {
        bench.iter(|| {
            cipher.encrypt_inout_detached(&[0; 12].into(), b"", (&mut bytes[..]).into()).expect("short")
        })
    });
    let key =
        aead::LessSafeKey::new(aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &[7; 32]).expect("32 bytes"));
    group.bench_function("bare ring", |bench| {
        bench.iter(|| {
            let nonce = aead::Nonce::assume_unique_for_key([0; 12]);
            key.seal_in_place_separate_tag(nonce, aead::Aad::empty(), &mut bytes).expect("short")
        })
    });
}

criterion_group!(benches, segments);
criterion_main!(benches);
