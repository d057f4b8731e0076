//! Runs the evidence files of `proto/vectors/receipt` through the functions that settle holds.

use std::fs;
use std::path::Path;

use layerlock_terms::ids::{DeviceId, HoldId, JobId, LicenseId};
use layerlock_terms::units::Timestamp;

use super::*;

/// A file's fields: lines of `name: value`, bytes in hex.
struct File(String);

impl File {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let hex = self.field(name)?;
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
        Some((0..hex.len()).step_by(2).map(byte).collect())
    }

    fn id(&self, name: &str) -> [u8; 16] {
        self.bytes(name).expect("an id").try_into().expect("16 bytes")
    }

    fn key(&self, name: &str) -> VerifyingKey {
        VerifyingKey::parse(&self.bytes(name).expect("a key")).expect("a fit key")
    }

    fn statement(&self, name: &str) -> Option<Statement> {
        self.bytes(name).map(|bytes| Statement::parse(&bytes).expect("well formed"))
    }

    fn hold(&self) -> Hold {
        Hold {
            id: HoldId::from_bytes(self.id("hold")),
            license: LicenseId::from_bytes([0; 16]),
            job: JobId::from_bytes(self.id("job")),
            device: DeviceId::from_bytes(self.id("device")),
            issued: Timestamp(0),
            admit_by: Timestamp(1),
            settle_by: Timestamp(2),
        }
    }

    fn judge(&self) -> Result<(), NotEvidence> {
        let (hold, vault) = (self.hold(), self.key("vault-key"));
        match (self.statement("report"), self.statement("receipt"), self.statement("countersignature")) {
            (Some(report), None, None) => withdrawn(&report, &hold, &vault),
            (None, Some(receipt), Some(said)) => {
                final_receipt(&receipt, &hold, &self.key("key"))?;
                countersigned(&said, &hold, &receipt, &vault)
            }
            _ => panic!("neither a withdrawal nor a countersigned receipt"),
        }
    }
}

fn word(outcome: Result<(), NotEvidence>) -> &'static str {
    match outcome {
        Ok(()) => "success",
        Err(NotEvidence::Refused(Refused::WrongSigner { .. })) => "refused-signer",
        Err(NotEvidence::Refused(_)) => "refused otherwise",
        Err(NotEvidence::OtherHold) => "refused-other-hold",
        Err(NotEvidence::NotFinal) => "refused-not-final",
        Err(NotEvidence::OtherReceipt) => "refused-other-receipt",
        Err(NotEvidence::NotWithdrawn) => "refused-not-withdrawn",
    }
}

#[test]
fn every_evidence_file_ends_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/vectors/receipt");
    let mut ran = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let file = File(fs::read_to_string(&path).expect("readable"));
        if file.field("kind") == Some("evidence") {
            assert_eq!(Some(word(file.judge())), file.field("expect"), "{}", path.display());
            ran += 1;
        }
    }
    assert_eq!(ran, 14, "files of evidence");
}
