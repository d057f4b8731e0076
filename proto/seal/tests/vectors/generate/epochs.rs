//! Wrapped epochs: rules EP-1 and EP-3.

use layerlock_seal::keys::OpeningKey;

use super::super::file::Vector;
use super::super::forge::cat;
use super::super::support::{Repeatable, device};
use super::{flipped, sealer};

pub fn all() -> Vec<Vector> {
    let sealer = sealer();
    let hash = sealer.header_hash();
    let wrap = |to: &OpeningKey, epoch: u32| {
        sealer.job_secret().wrap_epoch(&hash, epoch, &to.wrapping_key(), &mut Repeatable::new("wrap")).emit()
    };
    let vector = |name: &str, expect: &str, rule: &str, comment: &str, header: &[u8; 32], wrapped: &[u8]| {
        Vector::new(&format!("epoch/{name}"), expect, rule, comment)
            .text("kind", "epoch")
            .bytes("opening-key", &device().to_seed()[..])
            .bytes("header-hash", header)
            .bytes("wrapped", wrapped)
    };
    let right = wrap(&device(), 1);
    let clone = OpeningKey::generate(&mut Repeatable::new("another device"));
    let no = "cannot-open";
    vec![
        vector("right", "success", "", "epoch 1, wrapped to this device", hash.as_bytes(), &right),
        vector("other-device", no, "EP-1", "wrapped to another device", hash.as_bytes(), &wrap(&clone, 1)),
        vector("other-envelope", no, "EP-1", "wrapped under another header", &[0; 32], &right),
        vector("other-epoch", no, "EP-1", "epoch 1 renamed epoch 0", hash.as_bytes(), &flipped(&right, 3, 0)),
        vector(
            "changed",
            no,
            "EP-1",
            "one bit of the sealed secret is flipped",
            hash.as_bytes(),
            &flipped(&right, 40, 0),
        ),
        vector("low-order", no, "EP-1", "the encapsulated key is zero", hash.as_bytes(), &zero_enc(&right)),
        vector(
            "short",
            "refused-truncated",
            "EP-3",
            "the last byte is missing",
            hash.as_bytes(),
            &right[..83],
        ),
        vector("long", "refused-trailing", "EP-3", "a byte follows", hash.as_bytes(), &cat(&[&right, &[0]])),
    ]
}

fn zero_enc(wrapped: &[u8]) -> Vec<u8> {
    cat(&[&wrapped[..4], &[0; 32], &wrapped[36..]])
}
