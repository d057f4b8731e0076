//! Who may know whom: the dependency edges between our own crates, read from `cargo metadata`.
//!
//! The directory is the threat model; an edge that is not in this table is a hole in it.

use std::collections::{BTreeMap, BTreeSet};

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
    ("vault", &["proto", "terms", "seal", "slicer", "store"]),
    ("device", &["proto", "terms", "seal", "tlog"]),
    ("cli", &["proto", "terms", "seal", "tlog", "slicer", "store", "licensor", "vault", "device"]),
    ("tests", &["proto", "terms", "seal", "tlog", "slicer", "store", "licensor", "vault", "device", "cli"]),
];

/// Crates that may be named under `seal` only.
const CIPHERS: &[&str] = &["ed25519-dalek", "chacha20poly1305", "hpke", "x25519-dalek", "hkdf", "aead"];

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
