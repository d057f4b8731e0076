//! Segments in their envelope: rules SEG-1 to SEG-10, EP-3.

use layerlock_terms::release::KeyRelease;

use super::super::file::Vector;
use super::super::forge::{Fields, cat};
use super::{
    envelope, envelope_of, fields, manifest_of, other_release, release, sealed, stated_release, text, vault,
};

pub fn all() -> Vec<Vector> {
    [shapes(), places(), seals()].concat()
}

/// The byte form of a segment: SEG-1 to SEG-5.
fn shapes() -> Vec<Vector> {
    let (vault, (right, manifest)) = (vault(), sealed());
    let one = fields()[1].clone();
    let bare = cat(&[&vault.frame(&one, 16), &[0; 16]]);
    vec![
        envelope("right", "success", "", "five segments, three layers, two epochs", &right, &manifest)
            .bytes("text", &text()),
        second(
            "cut",
            "truncated",
            "SEG-1",
            "the last byte is missing",
            right[1][..right[1].len() - 1].to_vec(),
        ),
        second("cut-in-frame", "truncated", "SEG-1", "ends within the frame", right[1][..16].to_vec()),
        second("trailing", "trailing", "SEG-2", "a byte follows the tag", cat(&[&right[1], &[0]])),
        second(
            "too-long",
            "too-long",
            "SEG-3",
            "65 bytes of text under a limit of 64, rightly sealed",
            vault.segment(&Fields { text: vec![7; 65], ..one.clone() }),
        ),
        second(
            "announces-4-gib",
            "too-long",
            "SEG-3",
            "a frame that announces 4 GiB, and ends",
            cat(&[&right[1][..13], &[0xff; 4]]),
        ),
        second("empty", "empty", "SEG-4", "a tag alone", bare),
        second(
            "flags",
            "unknown-flags",
            "SEG-5",
            "flags 3, rightly sealed",
            vault.segment(&Fields { flags: 3, ..one.clone() }),
        ),
    ]
}

/// Where a segment stands: SEG-6 to SEG-9. All of these are rightly sealed.
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
            "layer 2 after layer 0, rightly sealed",
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
            "layer 0 in epoch 1, rightly sealed there",
            vault.segment(&Fields { epoch: 1, ..one.clone() }),
        ),
        envelope(
            "after-final",
            "refused-at 5 after-final",
            "SEG-9",
            "a sixth segment, rightly sealed",
            &[&right[..], &[vault.segment(&after)]].concat(),
            &manifest,
        ),
    ]
}

/// What opens a segment: SEG-10, EP-3.
fn seals() -> Vec<Vector> {
    vec![unopenable(), unreleased(), other_secret()]
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

/// Rightly counted, but sealed with a key nobody was given.
fn unopenable() -> Vector {
    let (mut segments, _) = sealed();
    segments[1] = vault().segment(&Fields { segment_key: Some([1; 32]), ..fields()[1].clone() });
    let comment = "segment 1 is sealed with another key, and in the manifest";
    envelope("unopenable", "refused-at 1 cannot-open", "SEG-10", comment, &segments, &manifest_of(&segments))
}

/// Rightly signed and rightly wrapped, but for the second epoch not the secret the manifest commits to: a reader that
/// doesn't compare gets as far as segment 4.
fn other_secret() -> Vector {
    let mut mixed = release();
    mixed.epochs[1] = other_release().epochs[1].clone();
    let comment = "the release holds another secret for epoch 1 than the manifest commits to";
    released("other-secret", "refused-at 0 cannot-open", "EP-3", comment, &mixed)
}

fn unreleased() -> Vector {
    let mut first = release();
    first.epochs.truncate(1);
    released("unreleased", "refused-at 4 no-epoch-secret", "SEG-10", "epoch 1 was not released", &first)
}

fn released(name: &str, expect: &str, rule: &str, comment: &str, release: &KeyRelease) -> Vector {
    let ((segments, manifest), release) = (sealed(), stated_release(release));
    envelope_of("envelope", name, expect, rule, comment, &segments, &[release], &manifest)
}
