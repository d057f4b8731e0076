//! Ciphers, KDFs, KEMs and signatures are called in one file and its two makings of what streams need (0008 in
//! `docs/decisions`), so that these are what a reviewer of the cryptography has to read.

use std::fs;
use std::path::PathBuf;

const CRYPTOGRAPHY: [&str; 12] = [
    "blake3::",
    "chacha20poly1305::",
    "curve25519_dalek::",
    "ed25519_dalek::",
    "hkdf::Hkdf",
    "hmac::Hmac",
    "hmac::{",
    "hpke::",
    "ring::",
    "sha2::",
    "subtle::",
    "x25519_dalek::",
];

fn sources(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path());
    entries.flat_map(|path| if path.is_dir() { sources(path) } else { vec![path] }).collect()
}

/// Whether a text holds this path, and not one whose first word merely ends the same (`String::`).
fn names(text: &str, path: &str) -> bool {
    let is_whole = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    text.match_indices(path).any(|(at, _)| is_whole(at))
}

#[test]
fn only_the_primitives_name_a_cryptographic_crate() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut naming: Vec<PathBuf> = sources(root.clone())
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).expect("readable");
            CRYPTOGRAPHY.iter().any(|name| names(&text, name))
        })
        .collect();
    naming.sort();
    let may = ["primitives/fast.rs", "primitives/portable.rs", "primitives.rs"];
    assert_eq!(naming, may.map(|file| root.join(file)));
}

#[test]
fn the_crate_has_no_clock_file_socket_or_random_source() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(root) {
        let text = fs::read_to_string(&path).expect("readable");
        for name in ["std::fs", "std::net", "std::time", "std::env", "getrandom", "SystemRandom", "unsafe"] {
            assert!(!text.contains(name), "{} names `{name}`", path.display());
        }
    }
}
