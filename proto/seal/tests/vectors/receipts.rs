//! Judges what is said about a job as `proto/spec/receipt.md` says it, written from the page. The vault's state
//! machine and the licensor's evidence run the same files in tests of their own.

use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::Manifest;
use layerlock_terms::receipt::{Countersignature, Event, Extent, JobEvent, JobReport, Outcome, Receipt};
use layerlock_terms::wire::Noun;

use super::Outcome as End;
use super::file::Vector;

/// How far a run of receipts has come.
enum Stage {
    Unchecked,
    Printing { sequence: u32, extent: Extent },
    Ended(Digest),
}

pub fn run_receipts(vector: &Vector) -> Result<(), End> {
    let manifest: Verified<Manifest> = super::verify_with(vector, "manifest", "vault-key")?;
    let key = VerifyingKey::parse(&vector.unhex("key"))?;
    let mut stage = Stage::Unchecked;
    for (place, bytes) in vector.all("receipt").iter().enumerate() {
        let refused = |word: &str| End(format!("refused-at {place} {word}"));
        let receipt: Verified<Receipt> =
            Statement::parse(bytes)?.verify(&key).map_err(|_| refused("signer"))?;
        if !is_of_the_job(vector, &receipt) {
            return Err(refused("other-job"));
        }
        stage = hear(stage, &receipt, &manifest).map_err(refused)?;
    }
    Ok(())
}

fn is_of_the_job(vector: &Vector, receipt: &Receipt) -> bool {
    let named = [receipt.device.as_bytes(), receipt.job.as_bytes(), receipt.hold.as_bytes()];
    named.map(|id| id.to_vec()) == ["device", "job", "hold"].map(|field| vector.unhex(field))
}

fn hear(
    stage: Stage,
    receipt: &Verified<Receipt>,
    manifest: &Verified<Manifest>,
) -> Result<Stage, &'static str> {
    let ended = Stage::Ended(receipt.statement().digest());
    match (stage, receipt.event) {
        (Stage::Ended(digest), _) if digest == receipt.statement().digest() => Ok(Stage::Ended(digest)),
        (Stage::Ended(_), _) | (Stage::Unchecked, Event::Progress(_)) => Err("out-of-place"),
        (_, Event::Checked(digest)) if digest != manifest.statement().digest() => Err("other-manifest"),
        (Stage::Unchecked, Event::Checked(_)) => {
            Ok(Stage::Printing { sequence: receipt.sequence, extent: Extent::default() })
        }
        (Stage::Printing { sequence, extent }, Event::Checked(_)) => {
            Ok(Stage::Printing { sequence: sequence.max(receipt.sequence), extent })
        }
        (Stage::Unchecked, Event::Ended(outcome, extent)) => {
            let unprinted = outcome != Outcome::Printed && extent.layers == 0;
            if unprinted { Ok(ended) } else { Err("not-printed") }
        }
        (Stage::Printing { sequence, extent }, Event::Progress(_)) if receipt.sequence <= sequence => {
            Ok(Stage::Printing { sequence, extent })
        }
        (Stage::Printing { extent, .. }, Event::Progress(next)) => {
            forward(extent, next, manifest)?;
            Ok(Stage::Printing { sequence: receipt.sequence, extent: next })
        }
        (Stage::Printing { extent, .. }, Event::Ended(outcome, last)) => {
            forward(extent, last, manifest)?;
            let whole = last.layers == manifest.layers;
            if outcome == Outcome::Printed && !whole { Err("not-printed") } else { Ok(ended) }
        }
    }
}

fn forward(before: Extent, now: Extent, manifest: &Manifest) -> Result<(), &'static str> {
    let less = now.layers < before.layers || now.lines < before.lines || now.filament_um < before.filament_um;
    match () {
        () if less => Err("backwards"),
        () if now.total_layers != manifest.layers || now.layers > manifest.layers => Err("other-total"),
        () => Ok(()),
    }
}

pub fn run_evidence(vector: &Vector) -> Result<(), End> {
    match vector.find("report") {
        Some(_) => withdrawal(vector),
        None => final_receipt(vector),
    }
}

fn final_receipt(vector: &Vector) -> Result<(), End> {
    let receipt: Verified<Receipt> = super::verify(vector, "receipt")?;
    if !is_of_the_job(vector, &receipt) {
        return Err(End::new("refused-other-hold"));
    }
    if !matches!(receipt.event, Event::Ended(..)) {
        return Err(End::new("refused-not-final"));
    }
    let said: Verified<Countersignature> = super::verify_with(vector, "countersignature", "vault-key")?;
    let same = (said.job, said.hold) == (receipt.job, receipt.hold);
    let of_it = said.receipt == receipt.statement().digest();
    if same && of_it { Ok(()) } else { Err(End::new("refused-other-receipt")) }
}

fn withdrawal(vector: &Vector) -> Result<(), End> {
    let report: Verified<JobReport> = super::verify_with(vector, "report", "vault-key")?;
    if [*report.job.as_bytes(), *report.hold.as_bytes()] != [vector.array("job"), vector.array("hold")] {
        return Err(End::new("refused-other-hold"));
    }
    match report.event {
        JobEvent::Withdrawn => Ok(()),
        JobEvent::Admitted => Err(End::new("refused-not-withdrawn")),
    }
}

/// Verifies a statement of one of the nouns of the page.
pub fn run_noun<T: Noun>(vector: &Vector) -> Result<(), End> {
    super::verify::<T>(vector, "statement").map(drop)
}
