//! Manifests: rules MAN-1 to MAN-8.

use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::Manifest;
use layerlock_terms::wire::Noun;

use super::super::file::Vector;
use super::super::forge;
use super::{MANIFEST, delivery, envelope, manifest, sealed, seed};

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
            "bad-manifest epochs",
            "MAN-7",
            "one epoch more",
            Manifest { epochs: 3, ..base.clone() },
        ),
        wrong(
            "root",
            "bad-manifest root",
            "MAN-8",
            "another root",
            Manifest { root: Digest([9; 32]), ..base.clone() },
        ),
    ]
}
