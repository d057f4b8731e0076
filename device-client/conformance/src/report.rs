//! What a run found: a line for a person, and JSON for a machine.

use serde_json::json;

/// What one case found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The case.
    pub case: String,
    /// The rules it holds the client to.
    pub rules: Vec<String>,
    /// What the client did against them; `None` when it passed.
    pub fault: Option<String>,
}

/// What a run found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order they ran.
    pub findings: Vec<Finding>,
}

impl Finding {
    pub(crate) fn of(case: &str, rules: &[&str], judged: Result<(), String>) -> Self {
        let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
        Self { case: case.to_owned(), rules, fault: judged.err() }
    }

    /// One line, and a second where it failed.
    pub fn line(&self) -> String {
        let rules = self.rules.join(" ");
        match &self.fault {
            None => format!("pass  {}  [{rules}]", self.case),
            Some(fault) => format!("FAIL  {}  [{rules}]\n      {fault}", self.case),
        }
    }
}

impl Report {
    /// Whether nothing was found, of at least one case.
    pub fn is_clean(&self) -> bool {
        !self.findings.is_empty() && self.failed() == 0
    }

    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.findings.iter().filter(|finding| finding.fault.is_some()).count()
    }

    /// The machine's form.
    pub fn json(&self) -> String {
        let cases = self.findings.iter().map(|finding| {
            let Finding { case, rules, fault } = finding;
            json!({ "case": case, "rules": rules, "passed": fault.is_none(), "fault": fault })
        });
        let report = json!({
            "format": "layerlock/conformance/v1",
            "kit": env!("CARGO_PKG_VERSION"),
            "passed": self.findings.len() - self.failed(),
            "failed": self.failed(),
            "cases": cases.collect::<Vec<_>>(),
        });
        format!("{report:#}\n")
    }
}
