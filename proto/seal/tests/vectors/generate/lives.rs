//! Envelopes opened as they come: rules SEG-10, EP-4, and those of the buffered mode once more in live mode.

use layerlock_seal::statement::Statement;
use layerlock_terms::envelope::EnvelopeHeader;
use layerlock_terms::ids::JobId;

use super::super::file::Vector;
use super::super::forge::{Fields, Vault};
use super::super::support::{header, signer};
use super::{
    envelope_of, fields, flipped, manifest, manifest_of, other_release, release, sealed, stated_manifest,
    stated_release, text, vault,
};

pub fn all() -> Vec<Vector> {
    let (segments, right) = sealed();
    let mut foreign = manifest(&segments);
    foreign.commitments[1] = [9; 32];
    vec![
        live("right", "success", "", "the envelope, opened as it comes", &segments, &right)
            .bytes("text", &text()),
        second("ciphertext", "cannot-open", "SEG-10", "one bit of the ciphertext is flipped", {
            flipped(&segments[1], 20, 0)
        }),
        second("frame", "cannot-open", "SEG-10", "the flags say that a piece ends", {
            flipped(&segments[1], 12, 0)
        }),
        second("other-job", "cannot-open", "SEG-10", "the same segment sealed under another header", {
            other_job(&fields()[1])
        }),
        second("swapped", "out-of-order", "SEG-6", "segment 2 where 1 is due", segments[2].clone()),
        live(
            "incomplete",
            "refused-at 4 incomplete",
            "MAN-3",
            "the final segment is missing",
            &segments[..4],
            &right,
        ),
        live(
            "manifest-commitments",
            "refused-at 5 bad-manifest commitments",
            "EP-4",
            "the manifest commits to another secret for epoch 1 than was released",
            &segments,
            &stated_manifest(&foreign),
        ),
        two_secrets(&segments, &right),
        resealed(),
    ]
}

fn live(
    name: &str,
    expect: &str,
    rule: &str,
    comment: &str,
    segments: &[Vec<u8>],
    manifest: &[u8],
) -> Vector {
    let releases = [stated_release(&release())];
    envelope_of("live", name, expect, rule, comment, segments, &releases, manifest)
}

fn second(name: &str, reason: &str, rule: &str, comment: &str, segment: Vec<u8>) -> Vector {
    let (mut segments, right) = sealed();
    segments[1] = segment;
    live(name, &format!("refused-at 1 {reason}"), rule, comment, &segments, &right)
}

/// Two releases, both signed, of two secrets for one epoch.
fn two_secrets(segments: &[Vec<u8>], right: &[u8]) -> Vector {
    let releases = [stated_release(&release()), stated_release(&other_release())];
    let comment = "a second release holds another secret for epoch 0";
    envelope_of(
        "live",
        "two-secrets",
        "refused-at 0 cannot-open",
        "EP-4",
        comment,
        segments,
        &releases,
        right,
    )
}

/// Opens to the last segment, but the manifest is over another segment 1.
fn resealed() -> Vector {
    let (segments, _) = sealed();
    let mut others = segments.clone();
    others[1] =
        vault().segment(&Fields { text: b"layer nought, another ...".to_vec(), ..fields()[1].clone() });
    others[1].truncate(segments[1].len());
    let comment = "the manifest is over another segment 1 than came";
    let manifest = manifest_of(&others);
    live("digest", "refused-at 5 bad-manifest digest", "MAN-8", comment, &segments, &manifest)
}

/// A segment whose frame is this envelope's to the last bit, so that nothing but the header tells.
pub fn other_job(fields: &Fields) -> Vec<u8> {
    let other = EnvelopeHeader { job: JobId::from_bytes([0x99; 16]), ..header() };
    Vault { header: Statement::sign(&other, &signer()).emit(), ..vault() }.segment(fields)
}
