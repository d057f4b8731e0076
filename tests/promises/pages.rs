//! The pages hold: every test that SECURITY.md names exists, every path that a page names exists.
//!
//! A promise is a test with that name. A page that points at nothing is a page nobody has read since.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the checkout").to_owned()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What stands between backticks on a line.
fn quoted(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let page = page("SECURITY.md");
    let promises: Vec<&str> = page.lines().filter(|line| line.starts_with("| P")).collect();
    assert!(promises.len() >= 10, "SECURITY.md makes {} promises: has its table moved?", promises.len());
    let mut numbers = HashSet::new();
    for line in promises {
        let number = line.split('|').nth(1).expect("a row has cells").trim();
        assert!(numbers.insert(number), "two promises are called {number}");
        let tests: Vec<_> = quoted(line).into_iter().filter(|name| name.contains("::")).collect();
        assert!(!tests.is_empty(), "no test is named in: {line}");
        for named in tests {
            let (file, test) = named.split_once("::").expect("it was filtered for it");
            let source =
                fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            // A test stands as a function, or as a row of the file's own table of tests.
            let stands =
                [format!("fn {test}("), format!("    {test}: ")].iter().any(|form| source.contains(form));
            assert!(stands, "SECURITY.md names `{test}`, {file} has no such test");
        }
    }
}

#[test]
fn every_path_in_the_life_of_a_print_exists() {
    let page = page("docs/life-of-a-print.md");
    let paths: Vec<&str> =
        page.lines().flat_map(quoted).filter(|name| name.contains('/') && name.ends_with(".rs")).collect();
    assert!(paths.len() >= 13, "the page names {} paths: has it lost its way?", paths.len());
    for path in paths {
        assert!(root().join(path).is_file(), "docs/life-of-a-print.md names {path}, which is not there");
    }
}

#[test]
fn every_rule_of_the_printers_wire_has_a_test_of_its_number() {
    let page = page("docs/printer-link.md");
    let mut code = String::new();
    for folder in ["device-client/src", "device-client/gcode/src"] {
        read_all(&root().join(folder), &mut code);
    }
    // The rules of a serial line, and those of Klipper.
    for (before, test, last) in [("", "rule_", 31), ("K", "k", 16)] {
        let number = |line: &str| line.strip_prefix(before)?.split_once(". ")?.0.parse().ok();
        let rules: Vec<u32> = page.lines().filter_map(number).collect();
        assert_eq!(
            rules,
            (1..=last).collect::<Vec<_>>(),
            "docs/printer-link.md numbers its rules {before}1 to {before}{last}"
        );
        for rule in rules {
            assert!(code.contains(&format!("fn {test}{rule}_")), "rule {before}{rule} has no test");
        }
    }
}

fn read_all(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("readable").path();
        match path.is_dir() {
            true => read_all(&path, into),
            false => *into += &fs::read_to_string(&path).expect("text"),
        }
    }
}
