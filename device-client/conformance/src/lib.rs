//! The conformance kit: an OEM's client, started as a child, against a vault that is right, wrong or hostile.
//!
//! [`run`] starts the client once for every case and speaks a line protocol with it over its standard input and
//! output (`docs/oem.md`): sealed messages in, the device's messages and its machine's commands out. A case judges
//! only what can be seen from outside. Everything is made from seeds, so a run repeats byte for byte. Deliberately
//! absent: the network, and any part of our own device; this crate can't depend on it.

mod bench;
mod cases;
mod motion;
mod peer;
mod report;
mod vectors;
pub mod world;

use std::path::PathBuf;

pub use report::{Finding, Report};

/// The client to be judged: a program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Against {
    /// The program.
    pub program: PathBuf,
    /// What it is called with.
    pub arguments: Vec<String>,
}

/// Runs all cases, or those whose name holds `only`.
pub fn run(against: &Against, only: Option<&str>, tell: &mut dyn FnMut(&Finding)) -> Report {
    let wanted = |name: &str| only.is_none_or(|part| name.contains(part));
    let mut findings = Vec::new();
    for case in cases::ALL.iter().filter(|case| wanted(case.name)) {
        let finding = Finding::of(case.name, case.rules, bench::judged(against, case.run));
        tell(&finding);
        findings.push(finding);
    }
    for vector in vectors::all().filter(|vector| wanted(vector.name)) {
        let rules = vector.rule();
        let finding = Finding::of(vector.name, &rules, bench::judged(against, |bench| vector.run(bench)));
        tell(&finding);
        findings.push(finding);
    }
    Report { findings }
}
