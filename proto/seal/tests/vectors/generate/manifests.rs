//! Manifests: rules MAN-1 to MAN-9.

use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::Manifest;
use layerlock_terms::wire::Noun;

use super::super::file::Vector;
use super::super::forge;
use super::lives::other_job;
use super::{MANIFEST, delivery, envelope, fields, flipped, manifest, sealed, seed};

pub fn all() -> Vec<Vector> {
    let (segments, right) = sealed();
    let base = manifest(&segments);
    let wrong = |name: &str, reason: &str, rule: &str, comment: &str, manifest: Manifest| {
        let stated = forge::statement(MANIFEST, &manifest.emit(), &delivery());
        let expect = format!("refused-at 5 {reason}");
        envelope(&format!("manifest-{name}"), &expect, rule, comment, &segments, &stated)
    };
    let other = forge::statement(MANIFEST, &base.emit(), &forge::key(&seed("another key")));
    vec![
        envelope("manifest-signer", "refused-signer", "MAN-1", "signed by another key", &segments, &other),
        wrong(
            "header",
            "wrong-header",
            "MAN-2",
            "of another header",
            Manifest { header: Digest([9; 32]), ..base.clone() },
        ),
        envelope(
            "incomplete",
            "refused-at 4 incomplete",
            "MAN-3",
            "the final segment is missing",
            &segments[..4],
            &right,
        ),
        envelope(
            "no-segment",
            "refused-at 0 incomplete",
            "MAN-3",
            "a manifest, and no segment at all",
            &[],
            &right,
        ),
        wrong(
            "segments",
            "bad-manifest segments",
            "MAN-4",
            "one segment more",
            Manifest { segments: 6, ..base.clone() },
        ),
        wrong(
            "sealed-bytes",
            "bad-manifest sealed_bytes",
            "MAN-5",
            "one byte more",
            Manifest { sealed_bytes: base.sealed_bytes + 1, ..base.clone() },
        ),
        wrong(
            "layers",
            "bad-manifest layers",
            "MAN-6",
            "one layer less",
            Manifest { layers: 2, ..base.clone() },
        ),
        wrong(
            "epochs",
            "bad-manifest commitments",
            "MAN-7",
            "one epoch more",
            Manifest { commitments: [&base.commitments[..], &[[9; 32]]].concat(), ..base.clone() },
        ),
        wrong(
            "digest",
            "bad-manifest digest",
            "MAN-8",
            "another digest",
            Manifest { digest: Digest([9; 32]), ..base.clone() },
        ),
        envelope(
            "manifest-4097-epochs",
            "refused-payload",
            "MAN-9",
            "announces 4,097 epochs, and ends",
            &segments,
            &many_epochs(&base),
        ),
        changed("ciphertext", "one bit of segment 1's ciphertext is flipped", flipped(&segments[1], 20, 0)),
        changed("tag", "one bit of segment 1's tag is flipped", flip_last(&segments[1])),
        changed("other-job", "segment 1 is sealed under another header", other_job(&fields()[1])),
    ]
}

/// An envelope whose segment 1 came otherwise than it was sealed: found by the manifest alone.
fn changed(name: &str, comment: &str, segment: Vec<u8>) -> Vector {
    let (mut segments, right) = sealed();
    segments[1] = segment;
    envelope(name, "refused-at 5 bad-manifest digest", "MAN-8", comment, &segments, &right)
}

fn flip_last(segment: &[u8]) -> Vec<u8> {
    flipped(segment, segment.len() - 1, 0)
}

fn many_epochs(base: &Manifest) -> Vec<u8> {
    let (before, mut payload) = (32 + 4 + 8 + 32 + 4, base.emit());
    payload.truncate(before);
    payload.extend_from_slice(&(4096 + 1u32).to_be_bytes());
    forge::statement(MANIFEST, &payload, &delivery())
}
