//! Blobs: rules BLOB-1 to BLOB-9.

use super::super::file::Vector;
use super::super::forge::{self, Blob, cat};
use super::{flipped, seed};

const KEK: &str = "key-encryption key";

fn place(part: u8) -> Vec<u8> {
    cat(&[&[part], &[0x71; 16], &[0x72; 16], &[0x73; 32]])
}

fn blob_vector(name: &str, expect: &str, rule: &str, comment: &str, blob: &[u8]) -> Vector {
    Vector::new(&format!("blob/{name}"), expect, rule, comment)
        .text("kind", "blob")
        .bytes("kek", &seed(KEK))
        .bytes("place", &place(1))
        .bytes("blob", blob)
}

fn blob<'a>(chunks: &'a [(&'a [u8], u64, u8)]) -> Blob<'a> {
    let (data_key, salt) = (seed("data key"), seed("salt"));
    Blob { kek: seed(KEK), place: place(1), data_key, salt, commitment: None, chunks }
}

pub fn all() -> Vec<Vector> {
    let no = "cannot-open";
    let text: &[u8] = b"solid cube";
    let one = [(text, 0, 1)];
    let right = blob(&one).emit();
    let full = vec![0x5a; 65_536];
    let two = blob(&[(&full, 0, 0), (text, 1, 1)]).emit();
    let other_kek = Blob { kek: seed("another key"), ..blob(&one) }.emit();
    let other_place = Blob { place: place(2), ..blob(&one) }.emit();
    let uncommitted = Blob { commitment: Some([9; 32]), ..blob(&one) }.emit();
    let at_text = |vector: Vector, text: &[u8]| vector.bytes("text-sha256", &forge::sha256(text));
    vec![
        at_text(blob_vector("right", "success", "", "one short chunk", &right), text),
        at_text(
            blob_vector("empty", "success", "", "no text: one empty chunk", &blob(&[(b"", 0, 1)]).emit()),
            b"",
        ),
        at_text(
            blob_vector("two-chunks", "success", "", "a full chunk and a short one", &two),
            &cat(&[&full, text]),
        ),
        blob_vector("magic", no, "BLOB-1", "begins with another letter", &flipped(&right, 0, 0)),
        blob_vector("suite", no, "BLOB-1", "suite 0", &flipped(&right, 5, 0)),
        blob_vector("kek-id", no, "BLOB-2", "names another key", &flipped(&right, 6, 0)),
        blob_vector("other-kek", no, "BLOB-2", "rightly sealed under another key", &other_kek),
        blob_vector("salt", no, "BLOB-3", "another salt", &flipped(&right, 22, 0)),
        blob_vector("commitment", no, "BLOB-3", "another commitment", &flipped(&right, 54, 0)),
        blob_vector("uncommitted", no, "BLOB-3", "commits to nothing, and all else would open", &uncommitted),
        blob_vector("other-place", no, "BLOB-4", "sealed for the picture of the same version", &other_place),
        blob_vector(
            "wrapped",
            no,
            "BLOB-5",
            "one bit of the wrapped data key is flipped",
            &flipped(&right, 86, 0),
        ),
        blob_vector(
            "wrapped-tag",
            no,
            "BLOB-5",
            "one bit of the wrapped key's tag is flipped",
            &flipped(&right, 133, 7),
        ),
        blob_vector("chunk", no, "BLOB-6", "one bit of the chunk is flipped", &flipped(&right, 134, 0)),
        blob_vector(
            "chunk-number",
            no,
            "BLOB-6",
            "chunk 1 where chunk 0 is due",
            &blob(&[(text, 1, 1)]).emit(),
        ),
        blob_vector("cut-at-edge", no, "BLOB-7", "cut after the first of two chunks", &two[..134 + 65_552]),
        blob_vector(
            "not-marked",
            no,
            "BLOB-7",
            "the last chunk isn't marked last",
            &blob(&[(text, 0, 0)]).emit(),
        ),
        blob_vector("cut-in-chunk", no, "BLOB-7", "the last byte is missing", &right[..right.len() - 1]),
        blob_vector("no-chunk", no, "BLOB-7", "a header alone", &right[..134]),
        blob_vector(
            "empty-last",
            no,
            "BLOB-8",
            "a full chunk and an empty last one",
            &blob(&[(&full, 0, 0), (b"", 1, 1)]).emit(),
        ),
        blob_vector("trailing", no, "BLOB-9", "a byte follows", &cat(&[&right, &[0]])),
    ]
}
