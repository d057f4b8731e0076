//! Runs the runs of receipts of `proto/vectors/receipt` through the job's own steps: a vault takes what the page
//! says, and refuses the same receipt the page refuses.

use std::fs;
use std::path::Path;

use super::*;

/// A file's fields: lines of `name: value`, bytes in hex; a name may repeat.
struct File(String);

impl File {
    fn all(&self, name: &str) -> Vec<&str> {
        self.0.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
    }

    fn field(&self, name: &str) -> &str {
        self.all(name)[0]
    }

    fn id(&self, name: &str) -> [u8; 16] {
        unhex(self.field(name)).try_into().expect("16 bytes")
    }

    fn key(&self, name: &str) -> VerifyingKey {
        VerifyingKey::parse(&unhex(self.field(name))).expect("a fit key")
    }

    /// The job as it waits for its device's first word.
    fn delivering(&self) -> Job {
        let device = DeviceId::from_bytes(self.id("device"));
        let (job, hold) = (JobId::from_bytes(self.id("job")), HoldId::from_bytes(self.id("hold")));
        let order = order_of(device, self.key("key"), job, hold);
        let manifest = Statement::parse(&unhex(self.field("manifest"))).expect("well formed");
        let manifest = manifest.verify(&self.key("vault-key")).expect("the vault's");
        // The page's manifests name headers of their own, so none of them could be reached by `Event::Sealed`.
        let slicing = Slicing { admitted: Admitted { order, at: NOW }, header: header(), secret: vec![1] };
        Job::Delivering(Delivering { sealed: Sealed { slicing, manifest, figures: Figures::default() } })
    }

    /// The place of the first receipt that isn't taken.
    fn refused_at(&self) -> Option<usize> {
        let mut job = self.delivering();
        for (place, receipt) in self.all("receipt").into_iter().enumerate() {
            let receipt = Statement::parse(&unhex(receipt)).expect("well formed");
            let Ok(receipt) = receipt.verify(&self.key("key")) else { return Some(place) };
            let Ok(step) = job.step(Event::Received(receipt), NOW) else { return Some(place) };
            job = step.next;
        }
        assert!(matches!(job, Job::Closed(_)), "a run that is taken ends the job");
        None
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The place an `expect` line names: `refused-at 2 backwards`, or none of `success`.
fn expected(line: &str) -> Option<usize> {
    let place = line.strip_prefix("refused-at ")?.split(' ').next().expect("a place");
    Some(place.parse().expect("a number"))
}

#[test]
fn every_run_of_receipts_ends_where_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/vectors/receipt");
    let mut ran = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let file = File(fs::read_to_string(&path).expect("readable"));
        if file.field("kind") == "receipts" {
            assert_eq!(file.refused_at(), expected(file.field("expect")), "{}", path.display());
            ran += 1;
        }
    }
    assert_eq!(ran, 20, "runs of receipts");
}
