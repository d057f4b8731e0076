//! Segments in their envelope: rules SEG-1 to SEG-12, EP-2.

use layerlock_seal::statement::Statement;
use layerlock_terms::envelope::EnvelopeHeader;
use layerlock_terms::ids::JobId;

use super::super::file::Vector;
use super::super::forge::{self, Fields, Vault, cat};
use super::super::support::{header, signer};
use super::{TEXTS, envelope, fields, flipped, manifest_of, sealed, seed, vault};

pub fn all() -> Vec<Vector> {
    [shapes(), places(), seals()].concat()
}

/// The byte form of a segment: SEG-1 to SEG-5.
fn shapes() -> Vec<Vector> {
    let (vault, (right, manifest)) = (vault(), sealed());
    let one = fields()[1].clone();
    let text: Vec<u8> = TEXTS.iter().flat_map(|(.., text)| text.to_vec()).collect();
    let bare = vault.signed(&vault.frame(&one, 16), &[0; 16]);
    vec![
        envelope("right", "success", "", "five segments, three layers, two epochs", &right, &manifest)
            .bytes("text", &text),
        second(
            "cut",
            "truncated",
            "SEG-1",
            "the last byte is missing",
            right[1][..right[1].len() - 1].to_vec(),
        ),
        second("trailing", "trailing", "SEG-2", "a byte follows the signature", cat(&[&right[1], &[0]])),
        second(
            "too-long",
            "too-long",
            "SEG-3",
            "65 bytes of text under a limit of 64, rightly sealed and signed",
            vault.segment(&Fields { text: vec![7; 65], ..one.clone() }),
        ),
        second(
            "announces-4-gib",
            "too-long",
            "SEG-3",
            "a frame that announces 4 GiB, and ends",
            cat(&[&right[1][..13], &[0xff; 4], &right[1][17..49]]),
        ),
        second("empty", "empty", "SEG-4", "a tag alone, rightly signed", bare),
        second(
            "flags",
            "unknown-flags",
            "SEG-5",
            "flags 3, rightly signed",
            vault.segment(&Fields { flags: 3, ..one.clone() }),
        ),
    ]
}

/// Where a segment stands: SEG-6 to SEG-9, SEG-11. All of these are rightly sealed and signed.
fn places() -> Vec<Vector> {
    let (vault, (right, manifest)) = (vault(), sealed());
    let one = fields()[1].clone();
    let after = Fields::new(5, 2, 1, 1, b"more");
    let to_piece_end = Fields { index: 4, layer: 3, ..fields()[4].clone() };
    let swapped = [right[0].clone(), right[2].clone(), right[1].clone(), right[3].clone(), right[4].clone()];
    vec![
        envelope(
            "swapped",
            "refused-at 1 out-of-order",
            "SEG-6",
            "segments 1 and 2 swapped",
            &swapped,
            &manifest,
        ),
        second("doubled", "out-of-order", "SEG-6", "segment 0 again", right[0].clone()),
        second("skipped", "out-of-order", "SEG-6", "segment 2 where 1 is due", right[2].clone()),
        second(
            "layer-skips",
            "wrong-layer",
            "SEG-7",
            "layer 2 after layer 0, rightly signed",
            vault.segment(&Fields { layer: 2, epoch: 1, ..one.clone() }),
        ),
        third(
            "layer-inside-piece",
            "SEG-7",
            "layer 1 begins inside layer 0's piece",
            &Fields { layer: 1, ..fields()[2].clone() },
        ),
        fifth(
            "layer-back",
            "SEG-7",
            "layer 0 after layer 1",
            &Fields { layer: 0, epoch: 0, ..fields()[4].clone() },
        ),
        fifth("layer-far", "SEG-7", "layer 3 after layer 1", &to_piece_end),
        second(
            "epoch",
            "wrong-epoch",
            "SEG-8",
            "layer 0 in epoch 1, rightly sealed there and signed",
            vault.segment(&Fields { epoch: 1, ..one.clone() }),
        ),
        second(
            "commitment",
            "wrong-commitment",
            "SEG-9",
            "another commitment inside epoch 0, rightly signed",
            vault.segment(&Fields { commitment: Some([9; 32]), ..one.clone() }),
        ),
        envelope(
            "after-final",
            "refused-at 5 after-final",
            "SEG-11",
            "a sixth segment, rightly sealed and signed",
            &[&right[..], &[vault.segment(&after)]].concat(),
            &manifest,
        ),
    ]
}

/// Whose a segment is and what opens it: SEG-10, SEG-12, EP-2.
fn seals() -> Vec<Vector> {
    let (right, _) = sealed();
    let one = fields()[1].clone();
    vec![
        second(
            "ciphertext",
            "bad-signature",
            "SEG-10",
            "one bit of the ciphertext is flipped",
            flipped(&right[1], 49, 0),
        ),
        second(
            "signature",
            "bad-signature",
            "SEG-10",
            "one bit of the signature is flipped",
            flip_last(&right[1]),
        ),
        second(
            "other-job",
            "bad-signature",
            "SEG-10",
            "the same segment sealed under another header",
            other_job(&one),
        ),
        second("other-vault", "bad-signature", "SEG-10", "signed by another key", other_key(&one)),
        unopenable(),
        other_secret(),
    ]
}

/// An envelope whose segment 1 is replaced.
fn second(name: &str, reason: &str, rule: &str, comment: &str, segment: Vec<u8>) -> Vector {
    let (mut segments, manifest) = sealed();
    segments[1] = segment;
    envelope(name, &format!("refused-at 1 {reason}"), rule, comment, &segments, &manifest)
}

fn third(name: &str, rule: &str, comment: &str, fields: &Fields) -> Vector {
    let (mut segments, manifest) = sealed();
    segments[2] = vault().segment(fields);
    envelope(name, "refused-at 2 wrong-layer", rule, comment, &segments, &manifest)
}

fn fifth(name: &str, rule: &str, comment: &str, fields: &Fields) -> Vector {
    let (mut segments, manifest) = sealed();
    segments[4] = vault().segment(fields);
    envelope(name, "refused-at 4 wrong-layer", rule, comment, &segments, &manifest)
}

fn flip_last(segment: &[u8]) -> Vec<u8> {
    flipped(segment, segment.len() - 60, 0)
}

fn other_job(fields: &Fields) -> Vec<u8> {
    let other = EnvelopeHeader { job: JobId::from_bytes([0x99; 16]), ..header() };
    // The frame is this envelope's to the last bit, so that nothing but the header tells.
    let commitment = Some(vault().commitment(fields.epoch));
    let header = Statement::sign(&other, &signer()).emit();
    Vault { header, ..vault() }.segment(&Fields { commitment, ..fields.clone() })
}

fn other_key(fields: &Fields) -> Vec<u8> {
    Vault { key: forge::key(&seed("another key")), ..vault() }.segment(fields)
}

/// Rightly signed and counted, but sealed with a key nobody was given.
fn unopenable() -> Vector {
    let (mut segments, _) = sealed();
    segments[1] = vault().segment(&Fields { segment_key: Some([1; 32]), ..fields()[1].clone() });
    let comment = "segment 1 is sealed with another key, rightly signed and in the manifest";
    envelope("unopenable", "refused-at 1 cannot-open", "SEG-12", comment, &segments, &manifest_of(&segments))
}

/// Rightly signed and counted, but epoch 0 commits to a secret that isn't the one released.
fn other_secret() -> Vector {
    let (mut segments, _) = sealed();
    for (segment, fields) in segments.iter_mut().zip(fields()).filter(|(_, fields)| fields.epoch == 0) {
        *segment = vault().segment(&Fields { commitment: Some([9; 32]), ..fields });
    }
    let comment = "the frames of epoch 0 commit to another secret than the one released";
    envelope("other-secret", "refused-at 0 cannot-open", "EP-2", comment, &segments, &manifest_of(&segments))
}
