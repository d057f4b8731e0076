//! Who may know whom: the dependency edges between our own crates, read from `cargo metadata`.
//!
//! The directory is the threat model; an edge that is not in this table is a hole in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Each crate of ours, and the only crates of ours it may name.
const ALLOWED: &[(&str, &[&str])] = &[
    ("terms", &[]),
    ("tlog", &[]),
    ("store", &[]),
    ("slicer", &["terms"]),
    ("seal", &["terms"]),
    ("proto", &["terms"]),
    ("licensor", &["proto", "terms", "seal", "tlog", "store"]),
    // The guard's word is the same for the device that prints and for the vault that takes a seller's own G-code.
    ("gcode", &["terms"]),
    ("engines", &["terms", "slicer", "gcode"]),
    ("vault", &["proto", "terms", "seal", "slicer", "engines", "store"]),
    ("device", &["proto", "terms", "seal", "tlog", "gcode"]),
    ("device-c", &["device", "terms"]),
    // It judges devices, ours among them: it may not share a line with ours.
    ("conformance", &["proto", "terms", "seal", "tlog"]),
    (
        "cli",
        &["proto", "terms", "seal", "tlog", "slicer", "store", "licensor", "vault", "device", "conformance"],
    ),
    ("tests", &["proto", "terms", "seal", "tlog", "slicer", "store", "licensor", "vault", "device", "cli"]),
    ("bench", &["terms", "seal", "slicer", "device"]),
    ("load", &["proto", "terms", "seal", "slicer", "device", "cli", "bench", "tests"]),
];

/// Crates that may be named under `seal` only; `deny.toml` says the same of whoever we depend on.
const CIPHERS: &[&str] = &[
    "aead",
    "blake3",
    "chacha20",
    "chacha20poly1305",
    "curve25519-dalek",
    "ed25519",
    "ed25519-dalek",
    "hkdf",
    "hmac",
    "hpke",
    "poly1305",
    "sha2",
    "subtle",
    "x25519-dalek",
];

/// Who may name `ring`, and what of it: the ledger and the journal hash, the journal draws a number.
const RING: &[(&str, &[&str])] = &[("tlog", &["digest"]), ("store", &["digest", "rand"])];

const PREFIX: &str = "layerlock-";

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata reads this workspace");
    let ours = metadata.workspace_packages().into_iter().cloned().collect::<Vec<_>>();
    assert!(!ours.is_empty(), "a test that finds nothing to test fails");
    ours
}

fn edges(package: &Package) -> BTreeSet<String> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal)
        .filter_map(|dependency| dependency.name.strip_prefix(PREFIX).map(str::to_owned))
        .collect()
}

#[test]
fn no_crate_names_another_beyond_the_table() {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    for package in packages() {
        let name = package.name.strip_prefix(PREFIX).expect("our crates are named layerlock-*").to_owned();
        let may =
            allowed.get(name.as_str()).unwrap_or_else(|| panic!("`{name}` is not in the table of edges"));
        for edge in edges(&package) {
            assert!(may.contains(&edge.as_str()), "`{name}` may not depend on `{edge}`");
        }
    }
}

#[test]
fn every_crate_of_the_table_is_there() {
    let there: BTreeSet<_> = packages().iter().map(|p| p.name.to_string()).collect();
    for (name, _) in ALLOWED {
        assert!(
            there.contains(&format!("{PREFIX}{name}")),
            "`{name}` is in the table of edges but not in the workspace"
        );
    }
}

/// The Rust files of a crate's `src`, one text.
fn sources(package: &Package) -> String {
    let mut folders = vec![package.manifest_path.parent().expect("a manifest lies in a folder").join("src")];
    let mut all = String::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().expect("readable").map(|entry| entry.expect("readable")) {
            if entry.path().is_dir() {
                folders.push(entry.path().to_owned());
            } else {
                all += &fs::read_to_string(entry.path()).expect("readable");
            }
        }
    }
    all
}

/// The modules of `ring` that a text names.
fn modules_of_ring(source: &str) -> BTreeSet<&str> {
    // Neither the end of a longer name nor a module of another crate, as rustls has one.
    let is_whole = |at: usize| {
        let before = &source[..at];
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_') && !before.ends_with("crypto::")
    };
    let module = |at: usize| {
        let rest = &source[at + "ring::".len()..];
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().expect("a split gives a first part")
    };
    source.match_indices("ring::").filter(|(at, _)| is_whole(*at)).map(|(at, _)| module(at)).collect()
}

#[test]
fn outside_seal_ring_is_named_for_hashes_and_chance_only() {
    let names_ring = |package: &Package| package.dependencies.iter().any(|it| it.name == "ring");
    let naming: Vec<_> = packages().into_iter().filter(names_ring).collect();
    assert_eq!(naming.len(), RING.len() + 1, "`seal` and those of the table name `ring`");
    for (name, modules) in RING {
        let named = format!("{PREFIX}{name}");
        let package = naming.iter().find(|package| package.name.as_str() == named);
        let package = package.unwrap_or_else(|| panic!("`{name}` does not name `ring`"));
        assert_eq!(modules_of_ring(&sources(package)), modules.iter().copied().collect(), "`{name}`");
    }
}

#[test]
fn ciphers_and_signatures_are_named_under_seal_only() {
    for package in packages().iter().filter(|p| p.name.as_str() != "layerlock-seal") {
        for dependency in &package.dependencies {
            assert!(
                !CIPHERS.contains(&dependency.name.as_str()),
                "`{}` names `{}`",
                package.name,
                dependency.name
            );
        }
    }
}
