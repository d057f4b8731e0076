//! The C interface as C sees it: the header, the example as a whole device, and clients that must be found out.

#![allow(clippy::unwrap_used, reason = "a test's own tools: whatever is not there fails it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use layerlock_conformance::{Against, Report, run};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// How an example is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Static,
    Shared,
}

/// Where cargo put the libraries of this test run.
fn libraries() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its program");
    let deps = test.parent().expect("a program lies in a folder");
    deps.to_owned()
}

/// cargo builds the crate's libraries before its tests; the newest is this run's.
fn library(suffix: &str) -> PathBuf {
    let is_ours = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("liblayerlock_device_c") && name.ends_with(suffix)
    };
    let found = std::fs::read_dir(libraries()).unwrap().map(|entry| entry.unwrap().path());
    let newest =
        found.filter(|path| is_ours(path)).max_by_key(|path| path.metadata().unwrap().modified().unwrap());
    newest.unwrap_or_else(|| panic!("no liblayerlock_device_c*{suffix} in {}", libraries().display()))
}

fn built(dir: &Path, name: &str, link: Link, flags: &[&str]) -> Against {
    let program = dir.join(name);
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g"]).args(flags);
    cc.arg(format!("-I{HERE}/include")).arg(format!("{HERE}/example/client.c"));
    match link {
        Link::Static => {
            cc.arg(library(".a")).args(["-lpthread", "-ldl", "-lm"]);
        }
        Link::Shared => {
            let shared = library(".so");
            cc.arg(&shared).arg(format!("-Wl,-rpath,{}", shared.parent().unwrap().display()));
        }
    }
    let made = cc.arg("-o").arg(&program).output().expect("cc runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Against { program, arguments: Vec::new() }
}

fn judge(against: &Against, only: Option<&str>) -> Report {
    run(against, only, &mut |_| {})
}

fn faults(report: &Report) -> Vec<String> {
    report.findings.iter().filter(|finding| finding.fault.is_some()).map(|finding| finding.line()).collect()
}

fn failed_rules(report: &Report) -> Vec<&str> {
    let failed = report.findings.iter().filter(|finding| finding.fault.is_some());
    failed.flat_map(|finding| finding.rules.iter().map(String::as_str)).collect()
}

/// One address-sanitized build for all tests of this file.
fn sanitized() -> &'static (tempfile::TempDir, Against) {
    static BUILT: OnceLock<(tempfile::TempDir, Against)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        let against = built(dir.path(), "sanitized", Link::Static, &flags);
        (dir, against)
    })
}

#[test]
fn the_header_is_the_one_this_source_makes() {
    let config = cbindgen::Config::from_file(format!("{HERE}/cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_crate(HERE).with_config(config).generate().unwrap();
    let mut made = Vec::new();
    bindings.write(&mut made);
    let path = format!("{HERE}/include/layerlock_device.h");
    let kept = std::fs::read(&path).unwrap_or_default();
    if std::env::var_os("LAYERLOCK_WRITE_HEADER").is_some() {
        std::fs::write(&path, &made).unwrap();
        return;
    }
    assert!(kept == made, "{path} is not what the source makes: run this test with LAYERLOCK_WRITE_HEADER=1");
}

#[test]
fn the_example_passes_every_case_and_leaves_no_byte_unaccounted_for() {
    let report = judge(&sanitized().1, None);
    assert!(report.is_clean(), "{}", faults(&report).join("\n"));
    assert!(report.findings.len() > 70, "{} cases", report.findings.len());
}

#[test]
fn the_example_prints_with_the_shared_library_too() {
    let dir = tempfile::tempdir().unwrap();
    let report = judge(&built(dir.path(), "shared", Link::Shared, &[]), Some("offer_to_ledger"));
    assert!(report.is_clean(), "{}", faults(&report).join("\n"));
}

#[test]
fn a_client_without_a_journal_fails_with_the_rules_named() {
    let dir = tempfile::tempdir().unwrap();
    let forgetful = built(dir.path(), "forgetful", Link::Static, &["-DBREAK_FORGETS"]);
    let report = judge(&forgetful, Some("session/"));
    for rule in ["SES-6", "D3", "RC-14"] {
        assert!(failed_rules(&report).contains(&rule), "{rule} in {:#?}", faults(&report));
    }
}

#[test]
fn a_client_that_moves_before_the_check_fails_with_the_rule_named() {
    let dir = tempfile::tempdir().unwrap();
    let hasty = built(dir.path(), "hasty", Link::Static, &["-DBREAK_MOVES_EARLY"]);
    let report = judge(&hasty, Some("nothing_moves_before"));
    assert_eq!(failed_rules(&report), ["MODE-1"], "{:#?}", faults(&report));
    let json: String = report.json();
    assert!(json.contains("\"passed\": false") && json.contains("\"MODE-1\""), "{json}");
}

#[test]
fn a_program_that_is_no_client_fails_and_hangs_nobody() {
    let quiet = Against { program: "/bin/true".into(), arguments: Vec::new() };
    let report = judge(&quiet, Some("offer_to_ledger"));
    assert_eq!(report.failed(), 1);
    let nowhere = Against { program: "/no/such/client".into(), arguments: Vec::new() };
    assert_eq!(judge(&nowhere, Some("offer_to_ledger")).failed(), 1);
}

#[test]
fn every_mistake_of_a_caller_is_a_status_and_not_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("mistakes");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-fsanitize=address,undefined"]);
    cc.arg(format!("-I{HERE}/include")).arg(format!("{HERE}/tests/mistakes.c"));
    cc.arg(library(".a")).args(["-lpthread", "-ldl", "-lm", "-o"]).arg(&program);
    let made = cc.output().expect("cc runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let ran = Command::new(&program).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
