//! Settling a hold: held → spent or free, and the ledger's entry, in one commit; hop 12 and hop 13.
//!
//! The only write path that ends a hold, whoever asks: a device's receipt, a vault's withdrawal, or the sweep.
//! A settled hold stays as it is; asking again, with whatever evidence, gives the same entry. Deliberately absent:
//! judging evidence. What comes in here has been verified.

use layerlock_proto::refusal::Reason;
use layerlock_proto::types::v1::LedgerEntry;
use layerlock_store::{Commit, CommitError, Expect};
use layerlock_terms::digest::SignKey;
use layerlock_terms::ids::HoldId;
use layerlock_terms::license as terms;
use layerlock_terms::receipt::{Extent, Outcome, Settlement};
use layerlock_terms::units::Timestamp;
use tokio::sync::MutexGuard;
use tonic::Status;

use crate::Licensor;
use crate::copies::{Ending, Settled};
use crate::ledger::{LedgerError, Log};
use crate::once::ATTEMPTS;
use crate::records::shelf::put;
use crate::records::{Head, Hold, License, Loaded, Opening, Stage, tables};
use crate::refuse;

/// Why a hold is asked to end. Verified by whoever asks; whether it fits the hold's stage is decided here, in
/// the same breath as the commit, so that an admission in between is never overlooked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Claim {
    /// The device's final receipt, countersigned by the vault that admitted the hold.
    Receipt(Outcome, Extent),
    /// A withdrawal by the vault with this key.
    Withdrawal(SignKey),
    /// Its deadline, as of this moment.
    Deadline(Timestamp),
}

/// A hold and the license it takes a copy of, as they stand.
struct Running {
    hold: Loaded<Hold>,
    terms: terms::Hold,
    license: Loaded<License>,
    granted: terms::License,
    vault: Option<SignKey>,
}

impl Licensor {
    /// Ends the hold as the claim says, or answers how it has ended.
    pub(crate) async fn settle(&self, id: HoldId, claim: Claim) -> Result<LedgerEntry, Status> {
        for _ in 0..ATTEMPTS {
            let (log, head) = self.log().await?;
            let hold = self.shelf.find::<Hold>(&tables::hold(&id), id).await?;
            let (vault, hold) = match hold.value.stage {
                Stage::Settled(_, opening) => return entry(&log, &head.value, &opening),
                Stage::Placed => (None, hold),
                Stage::Admitted(vault) => (Some(vault), hold),
            };
            let running = self.running(hold, vault).await?;
            let ending = claim.ending(&running.terms, vault)?;
            let commit = self.settlement(running, ending, &log, &head)?;
            let leaves = log.next_index() + 1;
            // If we crash before this commit the hold still runs and whoever asked asks again; if after, asking
            // again reads the entry. Counts, settlement, leaf and head are never apart.
            match self.shelf.0.commit(commit).await {
                Ok(_) => {
                    metrics::counter!("layerlock_settlements_total", "cause" => ending.cause().name())
                        .increment(1);
                    metrics::gauge!("layerlock_ledger_leaves").set(leaves as f64);
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(refuse::commit(&error)),
            }
        }
        Err(refuse::busy())
    }

    /// The opened entry of a settled hold, proven against the newest checkpoint.
    pub(crate) async fn entry(&self, opening: &Opening) -> Result<LedgerEntry, Status> {
        let (log, head) = self.log().await?;
        entry(&log, &head.value, opening)
    }

    /// The log as the store has it now, and its head.
    pub(crate) async fn log(&self) -> Result<(MutexGuard<'_, Log>, Loaded<Head>), Status> {
        self.ledger.current(&self.shelf, &self.keys.checkpoint).await.map_err(ledger_down)
    }

    async fn running(&self, hold: Loaded<Hold>, vault: Option<SignKey>) -> Result<Running, Status> {
        let terms = self.issued::<terms::Hold>(&hold.value.statement)?;
        let license = self.shelf.owned::<License>(&tables::license(&terms.license)).await?;
        let granted = self.issued::<terms::License>(&license.value.statement)?;
        Ok(Running { hold, terms, license, granted, vault })
    }

    fn settlement(
        &self,
        running: Running,
        ending: Ending,
        log: &Log,
        head: &Loaded<Head>,
    ) -> Result<Commit, Status> {
        let Running { hold, terms, mut license, granted, vault } = running;
        let (standing, settled) =
            license.value.standing.settle(&granted, ending).map_err(|_| refuse::damaged(terms.license))?;
        license.value.standing = standing;
        let opening = self.opening(&terms, ending, &settled, log.next_index());
        let due = tables::hold_due(due(&terms, vault), &terms.id);
        let commit = log.append(Commit::new(), head, opening.leaf(), &self.keys.checkpoint);
        let commit = put(commit, tables::license(&granted.id), &license.value, license.expected());
        let ended = Hold { stage: Stage::Settled(vault, opening), ..hold.value.clone() };
        let commit = put(commit, tables::hold(&terms.id), &ended, hold.expected());
        Ok(commit.delete(due, Expect::Anything))
    }

    /// States how the hold ended; needs the evidence that a copy moved so.
    fn opening(&self, hold: &terms::Hold, ending: Ending, settled: &Settled, index: u64) -> Opening {
        let settlement = self.keys.state(&Settlement {
            license: hold.license,
            hold: hold.id,
            job: hold.job,
            at: self.clock.now(),
            cause: ending.cause(),
            copy: settled.outcome(),
            counts: settled.counts(),
        });
        Opening { settlement, blinding: self.randomness.bytes(), index }
    }
}

impl Claim {
    fn ending(self, hold: &terms::Hold, vault: Option<SignKey>) -> Result<Ending, Status> {
        match (self, vault) {
            (Self::Receipt(outcome, extent), _) => Ok(Ending::Reported(outcome, extent)),
            (Self::Withdrawal(by), Some(admitted)) if by != admitted => {
                Err(refuse::untrusted("report", "another vault admitted this hold"))
            }
            (Self::Withdrawal(_), _) => Ok(Ending::Withdrawn),
            (Self::Deadline(now), vault) if now < due(hold, vault) => {
                Err(Reason::HoldUsed.status("the hold is not due: a vault admitted it just now"))
            }
            (Self::Deadline(_), None) => Ok(Ending::NotAdmitted),
            (Self::Deadline(_), Some(_)) => Ok(Ending::Overdue),
        }
    }
}

/// The moment at which a hold ends by rule: until a vault admits it, and then until a receipt comes.
pub(crate) fn due(hold: &terms::Hold, vault: Option<SignKey>) -> Timestamp {
    match vault {
        None => hold.admit_by,
        Some(_) => hold.settle_by,
    }
}

fn entry(log: &Log, head: &Head, opening: &Opening) -> Result<LedgerEntry, Status> {
    let proof = log.prove_inclusion(opening.index).map_err(refuse::damaged)?;
    Ok(LedgerEntry {
        settlement: opening.settlement.emit(),
        blinding: opening.blinding.to_vec(),
        index: opening.index,
        inclusion: proof.path.iter().map(|hash| hash.0.to_vec()).collect(),
        checkpoint: head.note.clone().into_bytes(),
    })
}

fn ledger_down(error: LedgerError) -> Status {
    match error {
        LedgerError::Store(error) => refuse::store(&error),
        LedgerError::Head(_)
        | LedgerError::Missing { .. }
        | LedgerError::Root(_)
        | LedgerError::Malformed(_) => refuse::damaged(error),
    }
}
