//! The tables of labels in `proto/spec/glossary.md` are the labels in the code, and no label is a prefix of
//! another (LBL-1, LBL-2).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use layerlock_seal::labels;

fn proto(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The first column of a table of the glossary, under this heading.
fn table(heading: &str) -> BTreeSet<String> {
    let page = fs::read_to_string(proto("spec/glossary.md")).expect("the page is there");
    let section = page.split(heading).nth(1).expect("the heading is there");
    let section = section.split("\n#").next().expect("a section");
    let label = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    section.lines().filter_map(label).collect()
}

fn sources(folder: PathBuf) -> String {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path());
    let read = |path: PathBuf| {
        if path.is_dir() { sources(path) } else { fs::read_to_string(path).expect("readable") }
    };
    entries.map(read).collect()
}

/// Every text in quotes that begins as labels do.
fn quoted_labels(source: &str) -> BTreeSet<String> {
    source
        .split('"')
        .filter(|text| text.starts_with("layerlock/") && !text.contains('\n'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_label_of_the_code_is_in_the_table_and_no_other() {
    let listed: BTreeSet<String> = labels::ALL.iter().map(|label| (*label).to_owned()).collect();
    assert_eq!(listed.len(), labels::ALL.len(), "a label twice");
    assert_eq!(
        quoted_labels(&sources(proto("seal/src"))),
        listed,
        "labels stand in `labels.rs` and in its list"
    );
    assert_eq!(table("### Uses of keys and hashes"), listed);
}

#[test]
fn every_noun_that_is_signed_has_its_type_in_the_table() {
    let types = quoted_labels(&sources(proto("terms/src")));
    assert!(types.len() > 10, "the nouns were not found: {types:?}");
    assert_eq!(table("### Types of signed nouns"), types);
}

#[test]
fn no_label_is_a_prefix_of_another() {
    let all: BTreeSet<String> =
        table("### Uses of keys and hashes").union(&table("### Types of signed nouns")).cloned().collect();
    for label in &all {
        let longer = all.iter().find(|other| *other != label && other.starts_with(label.as_str()));
        assert_eq!(longer, None, "`{label}` begins it");
        assert!(label.is_ascii());
    }
}
