//! Holds the pages of `proto/spec` to files and code: a rule without a mark has a file that breaks it, a rule
//! marked as tested beside the code names tests that stand there, and every worked example is real bytes.
//!
//! Deliberately absent: examples of nouns without files (`examples.rs`), and those of `ledger` and `toolpath`, which
//! tests beside their code compare.

use std::collections::BTreeSet;
use std::fs;

use super::file::{Vector, directory};
use super::read_all;

/// Pages whose worked examples stand in the files.
const OF_VECTORS: [&str; 5] = ["statement", "trust", "vault-blob", "sealed-toolpath", "receipt"];

/// A rule of a page.
struct Rule {
    id: String,
    mark: Mark,
}

/// Where a rule is held.
enum Mark {
    /// By a file that breaks it.
    Vector,
    /// By no bytes from outside.
    Construction,
    /// By these tests.
    Beside(Vec<String>),
}

pub fn page(name: &str) -> String {
    fs::read_to_string(directory().join(format!("../spec/{name}.md"))).expect("the page is there")
}

/// Every rule of every page there is.
fn rules() -> Vec<Rule> {
    let entries = fs::read_dir(directory().join("../spec")).expect("the folder is there");
    let texts = entries.map(|entry| fs::read_to_string(entry.expect("readable").path()).expect("text"));
    texts.flat_map(|text| rules_of(&text)).collect()
}

/// A rule runs to the next rule or empty line; its mark comes first and may be broken across lines.
fn rules_of(text: &str) -> Vec<Rule> {
    let starts = text.split("\n- **[").skip(1);
    let rule = |start: &str| {
        let (id, rest) = start.split_once("]**").expect("a rule's id is closed");
        let words = rest.split("\n\n").next().expect("a text").split_whitespace();
        Rule { id: id.to_owned(), mark: mark(&words.collect::<Vec<_>>().join(" ")) }
    };
    starts.map(rule).collect()
}

fn mark(text: &str) -> Mark {
    let Some((mark, _)) = text.strip_prefix("*(").and_then(|marked| marked.split_once(")*")) else {
        return Mark::Vector;
    };
    match mark.strip_prefix("tested beside the code: ") {
        Some(tests) => Mark::Beside(tests.split('`').skip(1).step_by(2).map(str::to_owned).collect()),
        None if mark == "by construction" => Mark::Construction,
        None => panic!("`{mark}` is no mark"),
    }
}

#[test]
fn every_rule_that_bytes_can_break_is_broken_by_a_vector_and_cited_in_the_code() {
    let broken: BTreeSet<String> =
        read_all().iter().filter_map(|vector| vector.find("rule").map(str::to_owned)).collect();
    let unmarked = rules().into_iter().filter(|rule| matches!(rule.mark, Mark::Vector));
    let rules: BTreeSet<String> = unmarked.map(|rule| rule.id).collect();
    assert!(rules.len() > 30, "the pages were not read: {rules:?}");
    assert_eq!(rules, broken);
    let source = sources();
    let uncited: Vec<_> = rules.iter().filter(|rule| !cites(&source, rule)).collect();
    assert!(uncited.is_empty(), "no check names {uncited:?}");
}

#[test]
fn every_rule_tested_beside_the_code_names_tests_that_stand_there() {
    let mut seen = 0;
    for rule in rules() {
        let Mark::Beside(tests) = rule.mark else { continue };
        assert!(!tests.is_empty(), "{} names no test", rule.id);
        for named in tests {
            let (file, test) = named.split_once("::").unwrap_or_else(|| panic!("{}: `{named}`", rule.id));
            let path = directory().join("../..").join(file);
            let source = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {file}: {why}", rule.id));
            assert!(is_test(&source, test), "{} names `{test}`, {file} has no such test", rule.id);
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} tests are named: were the marks read?");
}

/// Whether the function of this name is a test: an attribute that says so stands right above it.
fn is_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else { return false };
    let above = before.rsplit_once('\n').map_or("", |(above, _)| above);
    let attributes = above.lines().rev().take_while(|line| line.trim().starts_with("#["));
    attributes.map(str::trim).any(|line| line == "#[test]" || line.starts_with("#[tokio::test"))
}

#[test]
fn no_two_rules_have_one_id() {
    let mut ids: Vec<String> = rules().into_iter().map(|rule| rule.id).collect();
    ids.sort();
    let twice: Vec<_> = ids.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

fn sources() -> String {
    // Runs of receipts are judged by the vault, evidence by the licensor.
    let homes = ["../seal/src", "../terms/src", "../../vault/src", "../../licensor/src"];
    let mut folders: Vec<_> = homes.map(|home| directory().join(home)).into();
    let mut all = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all += &fs::read_to_string(path).expect("readable");
            }
        }
    }
    all
}

/// Whether a source names a rule, and not merely one whose id begins the same.
fn cites(source: &str, rule: &str) -> bool {
    source
        .match_indices(rule)
        .any(|(at, _)| !source[at + rule.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

#[test]
fn the_worked_examples_are_in_the_vectors() {
    let vectors: String = read_all().iter().map(Vector::emit).collect();
    for name in OF_VECTORS {
        let text = page(name);
        let hex: Vec<&str> = example(&text).split_whitespace().filter(|word| is_hex(word)).collect();
        assert!(hex.len() > 3, "{name}: the example has no bytes");
        let missing: Vec<_> = hex.iter().filter(|word| !vectors.contains(**word)).collect();
        assert!(missing.is_empty(), "{name}: {missing:?} in no vector");
    }
}

pub fn example(page: &str) -> &str {
    let example = page.split("## Worked example").nth(1).expect("a worked example");
    example.split("\n## ").next().expect("a section")
}

fn is_hex(word: &str) -> bool {
    word.len() >= 16 && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
