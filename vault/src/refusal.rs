//! What the vault's rooms refuse with: one reason of the closed list and the words for the caller.
//!
//! Inner errors (store, disk) end here: their text goes to the log under the place they happened, the caller
//! gets the reason and the mend. Deliberately absent: statuses, which are made at the doors (`api`).

use layerlock_proto::refusal::Reason;
use layerlock_seal::trust::TrustError;
use layerlock_store::blobs::BlobError;
use layerlock_store::{CommitError, StopCause, StoreError};

use crate::worker::{NoEngine, WorkerError};

/// A call, a job or a record that doesn't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Refusal {
    /// Why, for programs.
    pub reason: Reason,
    /// Why and the mend, for people.
    pub words: String,
}

impl Refusal {
    /// Refuses for this reason.
    pub fn new(reason: Reason, words: impl Into<String>) -> Self {
        Self { reason, words: words.into() }
    }

    /// A statement that is not believed to be the licensor's, or one of its chain that is past its end. Where that
    /// is the root or the licensor's own certificate, no caller can mend it.
    pub(crate) fn not_the_licensors(what: &str, why: &TrustError) -> Self {
        if let TrustError::Expired { what: "root" | "service certificate", .. } = why {
            tracing::error!(%why, "the chain of trust does not hold");
            return Self::new(
                Reason::Stopped,
                "the vault must be given a fresh root or licensor certificate",
            );
        }
        Self::new(Reason::NotTrusted, format!("the {what} is not the licensor's: {why}"))
    }

    /// Absent, or another's.
    pub(crate) fn absent(what: impl std::fmt::Display) -> Self {
        Self::new(Reason::NotFound, format!("there is no {what} for this caller"))
    }
}

impl From<Refusal> for tonic::Status {
    fn from(refusal: Refusal) -> Self {
        refusal.reason.status(refusal.words)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::ForeignPageToken => Self::new(Reason::InvalidField, error.to_string()),
            error => {
                tracing::error!(%error, "the store does not answer");
                unanswered(&error)
            }
        }
    }
}

/// A store that has stopped answers nothing before the operator has restarted the service.
fn unanswered(error: &StoreError) -> Refusal {
    match error {
        StoreError::Stopped { cause: StopCause::DiskFull, .. } => Refusal::new(
            Reason::DiskFull,
            "the vault's disk is full; nothing more is stored. Free space and restart the service, then try again",
        ),
        StoreError::Stopped { cause: StopCause::Fault, .. } => Refusal::new(
            Reason::Stopped,
            "the vault stopped on a storage error; its log names it: restart it once mended",
        ),
        _ => Refusal::new(Reason::Stopped, "the vault's records can't be reached: try again later"),
    }
}

impl From<CommitError> for Refusal {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { .. } => {
                Self::new(Reason::Busy, "someone else changed the same thing just now: try again")
            }
            CommitError::Store(error) => error.into(),
        }
    }
}

impl From<BlobError> for Refusal {
    fn from(error: BlobError) -> Self {
        tracing::error!(%error, "a blob could not be had or kept");
        match error {
            BlobError::Full { .. } => disk_full(),
            BlobError::Remote { .. } => {
                Self::new(Reason::Stopped, "the vault's files can't be reached: try again later")
            }
            _ => Self::new(Reason::Stopped, "the vault's disk does not answer: try again later"),
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        tracing::error!(%error, "the disk refused");
        match error.kind() {
            std::io::ErrorKind::StorageFull => disk_full(),
            _ => Self::new(Reason::Stopped, "the vault's disk does not answer: try again later"),
        }
    }
}

fn disk_full() -> Refusal {
    Refusal::new(Reason::DiskFull, "the vault's disk is full and nothing was stored: try again later")
}

impl From<NoEngine> for Refusal {
    fn from(why: NoEngine) -> Self {
        Self::new(Reason::InvalidField, why.to_string())
    }
}

impl From<WorkerError> for Refusal {
    fn from(error: WorkerError) -> Self {
        let reason = match &error {
            WorkerError::Start { .. } => {
                tracing::error!(%error, "no worker starts");
                return Self::new(Reason::Stopped, "the vault can't start a worker: try again later");
            }
            WorkerError::NoRoom(_) => {
                tracing::error!(%error, "no engine can work");
                return Self::new(Reason::Stopped, "the vault has no room for this engine: take `layerlock`");
            }
            WorkerError::NotPrintable(_) | WorkerError::Output | WorkerError::Engine(_) => {
                Reason::NotPrintable
            }
            WorkerError::BadMesh(_)
            | WorkerError::Memory
            | WorkerError::Time
            | WorkerError::Died(_)
            | WorkerError::Garbled => Reason::BadMesh,
        };
        Self::new(reason, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_stopped_is_told_with_its_mend_and_without_its_inner_text() {
        let rows = [
            (StopCause::DiskFull, Reason::DiskFull, "Free space and restart"),
            (StopCause::Fault, Reason::Stopped, "restart it once mended"),
        ];
        for (cause, reason, mend) in rows {
            let error = StoreError::Stopped { cause, reason: "writing /secret/journal failed".to_owned() };
            for refusal in [Refusal::from(error.clone()), CommitError::from(error).into()] {
                assert_eq!(refusal.reason, reason);
                assert!(refusal.words.contains(mend) && !refusal.words.contains("/secret"), "{refusal}");
            }
        }
    }
}
