//! Writes the fuzzers' first inputs from `proto/vectors`, so that none is kept twice: every statement, payload,
//! segment and header of every vector becomes a seed of the targets that read such bytes; so do the pieces that
//! `proto/spec/toolpath.md` shows. Terms and refusals, which no vector holds, are written here field by field.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The types of the nouns that `trust` reads, in the order of its table; then come trust files and successors.
const NOUNS: [&str; 19] = [
    "root",
    "service-certificate",
    "seller-certificate",
    "device-certificate",
    "enrolment-request",
    "revocations",
    "design",
    "seller-pass",
    "upload-ticket",
    "session-proof",
    "session-welcome",
    "license",
    "hold",
    "profile",
    "receipt",
    "job-report",
    "countersignature",
    "settlement",
    "device-attestation",
];

/// Every seed: its target and its bytes.
type Seeds = BTreeSet<(&'static str, Vec<u8>)>;

fn main() -> io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seeds = Seeds::new();
    for path in vectors(&here.join("../vectors"))? {
        gather(&fs::read_to_string(path)?, &mut seeds);
    }
    by_hand(&mut seeds);
    successors(&mut seeds);
    pieces(&fs::read_to_string(here.join("../spec/toolpath.md"))?, &mut seeds);
    for target in ["convert", "header", "manifest", "segment", "statement", "toolpath", "trust"] {
        let of_target = seeds.iter().filter(|(seed, _)| *seed == target).enumerate();
        let folder = here.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        let mut written = 0;
        for (number, (_, bytes)) in of_target {
            fs::write(folder.join(format!("vector-{number:04}")), bytes)?;
            written += 1;
        }
        assert!(written > 0, "no vector makes a seed for {target}");
    }
    Ok(())
}

fn vectors(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => files.extend(vectors(&path)?),
            false if path.extension().is_some_and(|it| it == "txt") => files.push(path),
            false => {}
        }
    }
    Ok(files)
}

/// The seeds of one vector.
fn gather(vector: &str, seeds: &mut Seeds) {
    let mut segments = Vec::new();
    for line in vector.lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        let Some(bytes) = unhex(value) else { continue };
        match name {
            "segment" => segments.extend(bytes),
            "blob" => drop(seeds.insert(("header", bytes[..bytes.len().min(134)].to_vec()))),
            _ => statement(bytes, seeds),
        }
    }
    if !segments.is_empty() {
        seeds.insert(("segment", segments));
    }
}

/// A statement is a seed, and its payload one of the targets that read payloads.
fn statement(bytes: Vec<u8>, seeds: &mut Seeds) {
    if bytes.starts_with(b"LLTE") {
        seeds.insert(("trust", [&[NOUNS.len() as u8], &bytes[..]].concat()));
    }
    if let Some((kind, payload)) = parts(&bytes) {
        let name = kind.strip_prefix("layerlock/").and_then(|it| it.strip_suffix("/v1"));
        let noun = NOUNS.iter().position(|noun| Some(*noun) == name);
        match (name, noun) {
            (Some("envelope-header"), _) => drop(seeds.insert(("header", payload.to_vec()))),
            (Some("envelope-manifest" | "key-release"), _) => {
                seeds.insert(("manifest", payload.to_vec()));
            }
            (_, Some(noun)) => drop(seeds.insert(("trust", [&[noun as u8], payload].concat()))),
            (_, None) => {}
        }
        seeds.insert(("statement", bytes));
    }
}

/// Type and payload of a statement or a trust file, if it looks like one.
fn parts(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (kind, rest, between) = match bytes.strip_prefix(b"LLTE\x00\x01") {
        Some(file) => part(file).map(|(kind, rest)| (kind, rest, 0))?,
        None => part(bytes.strip_prefix(&[1])?).map(|(kind, rest)| (kind, rest, 16))?,
    };
    let (payload, _) = part(rest.get(between..)?)?;
    Some((std::str::from_utf8(kind).ok()?, payload))
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// Messages of the wire, after the byte that says which conversion reads them.
fn by_hand(seeds: &mut Seeds) {
    let device = b"device-0123456789abcdef0123456789abcdef";
    let share = [number(5, 100), number(6, 100), number(8, 50)].concat();
    let any = [number(1, 3), number(3, 1), share.clone(), text(7, b"pla"), number(9, 2)].concat();
    let listed = [number(1, 1), number(2, 1 << 40), text(4, device), share, number(10, 1)].concat();
    let info = [text(1, b"NO_COPY_FREE"), text(2, b"layerlock")].concat();
    let any_message = [text(1, b"type.googleapis.com/google.rpc.ErrorInfo"), text(2, &info)].concat();
    let status = [number(1, 8), text(2, b"no copy is free"), text(3, &any_message)].concat();
    let conversions: [&[&[u8]]; 5] = [
        &[&any, &listed],
        &[device, b"job-00"],
        &[&[7; 16], &[7; 32]],
        &[&counts()],
        &[&[&[8], &status[..]].concat()],
    ];
    for (conversion, inputs) in conversions.iter().enumerate() {
        for input in *inputs {
            seeds.insert(("convert", [&[conversion as u8], *input].concat()));
        }
    }
}

/// Successors of a root, after the byte that says so: signers, keys, threshold, version, and what is changed where.
fn successors(seeds: &mut Seeds) {
    for successor in
        [[0b111, 0b111, 2, 2, 0, 0, 0], [0b11011, 0b11000, 2, 2, 0, 0, 0], [1, 1, 1, 2, 0, 40, 1]]
    {
        seeds.insert(("trust", [&[NOUNS.len() as u8 + 1], &successor[..]].concat()));
    }
}

/// The pieces of the page's worked example, a name and hex words to a line.
fn pieces(page: &str, seeds: &mut Seeds) {
    let example = page.split("```").nth(1).unwrap_or_default();
    for line in example.lines() {
        let hex: String = line.split_whitespace().skip(1).collect();
        let piece = unhex(&hex).filter(|piece| !piece.is_empty());
        seeds.extend(piece.map(|piece| ("toolpath", piece)));
    }
}

fn counts() -> Vec<u8> {
    [5u32, 3, 1, 1].iter().flat_map(|count| count.to_be_bytes()).collect()
}

/// A protobuf field of a number.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A protobuf field of bytes.
fn text(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.len().is_multiple_of(2) && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    digits.then(|| {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
        (0..hex.len()).step_by(2).map(byte).collect()
    })
}
