//! What a hold is settled by: a device's final receipt that its vault countersigned, or the vault's withdrawal.
//!
//! Implements the evidence rules of `proto/spec/receipt.md`; pure, so the files of `proto/vectors/receipt` run
//! through these very functions. Deliberately absent: which key is the device's or the vault's, which the door
//! knows from its records, and whether the hold still runs, which is decided with the commit.

use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::{Refused, Statement};
use layerlock_terms::license::Hold;
use layerlock_terms::receipt::{Countersignature, Event, Extent, JobEvent, JobReport, Outcome, Receipt};

/// Why a statement settles nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotEvidence {
    /// Its signature, signer or form (RC-17, RC-20, RC-22).
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It is about something else (RC-18, RC-22).
    #[error("it speaks of another device, job or hold")]
    OtherHold,
    /// The job goes on (RC-19).
    #[error("it says the job goes on: send the final one")]
    NotFinal,
    /// It closes the job by something else (RC-20).
    #[error("it is of another receipt, job or hold")]
    OtherReceipt,
    /// It says something else of the job (RC-22).
    #[error("it does not withdraw this hold's job")]
    NotWithdrawn,
}

/// How the job of `hold` ended by the word of its device, whose key this is.
///
/// # Errors
/// RC-17 to RC-19.
pub(crate) fn final_receipt(
    receipt: &Statement,
    hold: &Hold,
    device: &VerifyingKey,
) -> Result<(Outcome, Extent), NotEvidence> {
    let receipt = receipt.verify::<Receipt>(device)?;
    if (receipt.device, receipt.job, receipt.hold) != (hold.device, hold.job, hold.id) {
        return Err(NotEvidence::OtherHold);
    }
    match receipt.event {
        Event::Ended(outcome, extent) => Ok((outcome, extent)),
        Event::Checked(_) | Event::Progress(_) => Err(NotEvidence::NotFinal),
    }
}

/// Whether the vault with this key closed the job of `hold` by this very receipt.
///
/// # Errors
/// RC-20.
pub(crate) fn countersigned(
    countersignature: &Statement,
    hold: &Hold,
    receipt: &Statement,
    vault: &VerifyingKey,
) -> Result<(), NotEvidence> {
    let said = countersignature.verify::<Countersignature>(vault)?;
    let of_it = (said.job, said.hold, said.receipt) == (hold.job, hold.id, receipt.digest());
    if of_it { Ok(()) } else { Err(NotEvidence::OtherReceipt) }
}

/// Whether the vault with this key withdrew the job of `hold`.
///
/// # Errors
/// RC-22.
pub(crate) fn withdrawn(report: &Statement, hold: &Hold, vault: &VerifyingKey) -> Result<(), NotEvidence> {
    let report = report.verify::<JobReport>(vault)?;
    if (report.job, report.hold) != (hold.job, hold.id) {
        return Err(NotEvidence::OtherHold);
    }
    match report.event {
        JobEvent::Withdrawn => Ok(()),
        JobEvent::Admitted => Err(NotEvidence::NotWithdrawn),
    }
}

#[cfg(test)]
mod tests;
