//! What a refused or failed call is told: one reason of the closed list, the offender and the mend.
//!
//! Pure refusals become a status here and nowhere else. What the store says goes to our own log by kind and key,
//! never to the caller. Deliberately absent: any text that tells an absent thing from another tenant's (L9).

use std::fmt::Display;

use layerlock_proto::refusal::Reason;
use layerlock_seal::keys::UnfitKey;
use layerlock_seal::statement::{Refused, Statement};
use layerlock_seal::trust::Endorsement;
use layerlock_store::{CommitError, StopCause, StoreError};
use tonic::Status;

use crate::copies::NoCopy;
use crate::keys::TrustError;
use crate::license::NoHold;
use crate::offer::Beyond;

/// Absent, or not the caller's: the two are not told apart.
pub(crate) fn not_found(what: impl Display) -> Status {
    Reason::NotFound
        .status(format!("{what} is not among what this caller may see: check the id and the API key"))
}

pub(crate) fn invalid(why: impl Display) -> Status {
    Reason::InvalidField.status(why.to_string())
}

pub(crate) fn untrusted(what: &str, why: impl Display) -> Status {
    Reason::NotTrusted.status(format!("{what}: {why}"))
}

/// A public key of low order or not canonical (D7).
pub(crate) fn unfit(field: &'static str, why: UnfitKey) -> Status {
    Reason::UnfitKey.status(format!("`{field}`: {why}"))
}

/// The store failed; a repeat with the same request id finds out whether it was stored. A store that has stopped
/// answers nothing before the operator has restarted the service, so nobody is told to just try again.
pub(crate) fn store(error: &StoreError) -> Status {
    if matches!(error, StoreError::ForeignPageToken) {
        return invalid(error);
    }
    tracing::error!(%error, "the store failed");
    match error {
        StoreError::Stopped { cause: StopCause::DiskFull, .. } => Reason::DiskFull.status(
            "the licensor's disk is full; nothing more is stored. Free space and restart the service, then try \
             again with the same request id",
        ),
        StoreError::Stopped { cause: StopCause::Fault, .. } => Reason::Stopped
            .status("the licensor stopped on a storage error; its log names it: restart it once mended"),
        _ => Reason::Stopped
            .status("the licensor can't store or read just now: try again with the same request id"),
    }
}

/// What is stored contradicts itself or its signatures; `what` names the record in our log only.
pub(crate) fn damaged(what: impl Display) -> Status {
    tracing::error!(record = %what, "a stored record does not hold: it was changed outside the licensor");
    Reason::Stopped.status("a record this call needs is damaged: the operator's log names it")
}

pub(crate) fn commit(error: &CommitError) -> Status {
    match error {
        CommitError::Conflict { .. } => busy(),
        CommitError::Store(error) => store(error),
    }
}

pub(crate) fn busy() -> Status {
    Reason::Busy.status("too many calls change the same thing at once: try again with the same request id")
}

/// Reads a statement that came with a call.
pub(crate) fn parse_statement(bytes: &[u8], field: &'static str) -> Result<Statement, Status> {
    Statement::parse(bytes).map_err(|error| invalid(format!("`{field}` is no statement: {error}")))
}

/// Reads an endorsement that came with a call.
pub(crate) fn parse_endorsement(bytes: &[u8], field: &'static str) -> Result<Endorsement, Status> {
    Endorsement::parse(bytes).map_err(|error| invalid(format!("`{field}` is no endorsement: {error}")))
}

pub(crate) fn refused(field: &'static str) -> impl FnOnce(Refused) -> Status {
    move |error| untrusted(field, error)
}

impl From<NoHold> for RefusalStatus {
    fn from(refusal: NoHold) -> Self {
        let reason = match &refusal {
            NoHold::Revoked => Reason::LicenseRevoked,
            NoHold::Expired(_) => Reason::LicenseExpired,
            NoHold::DeviceNotAllowed(_) => Reason::DeviceNotAllowed,
            NoHold::NoCopy(NoCopy::Free { .. }) => Reason::NoCopyFree,
            NoHold::NoCopy(NoCopy::Held) => Reason::Stopped,
        };
        Self(reason.status(refusal.to_string()))
    }
}

impl From<Beyond> for RefusalStatus {
    fn from(refusal: Beyond) -> Self {
        Self(Reason::BeyondTerms.status(refusal.to_string()))
    }
}

impl From<TrustError> for RefusalStatus {
    fn from(refusal: TrustError) -> Self {
        Self(Reason::NotTrusted.status(refusal.to_string()))
    }
}

/// A pure refusal on its way to a caller.
pub(crate) struct RefusalStatus(Status);

impl From<RefusalStatus> for Status {
    fn from(refusal: RefusalStatus) -> Self {
        refusal.0
    }
}

/// For `map_err`: a pure refusal as the status it is answered with.
pub(crate) fn status(refusal: impl Into<RefusalStatus>) -> Status {
    refusal.into().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(cause: StopCause) -> StoreError {
        StoreError::Stopped { cause, reason: "writing /secret/journal failed".to_owned() }
    }

    #[test]
    fn a_store_that_stopped_is_told_with_its_mend_and_without_its_inner_text() {
        let rows = [
            (StopCause::DiskFull, Reason::DiskFull, "Free space and restart"),
            (StopCause::Fault, Reason::Stopped, "restart it once mended"),
        ];
        for (cause, reason, mend) in rows {
            for status in [store(&stopped(cause)), commit(&stopped(cause).into())] {
                assert_eq!(Reason::of(&status), Some(reason));
                assert!(status.message().contains(mend), "{status:?}");
                assert!(!status.message().contains("/secret"), "{status:?}");
            }
        }
    }

    #[test]
    fn a_store_that_cannot_be_reached_may_be_asked_again() {
        let status = store(&StoreError::Unavailable { detail: "no route".to_owned() });
        assert_eq!(Reason::of(&status), Some(Reason::Stopped));
        assert!(status.message().contains("try again with the same request id"), "{status:?}");
    }
}
