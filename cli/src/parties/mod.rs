//! The parties as clients: what a seller, a buyer and an operator ask of the services, one method a call.
//!
//! The commands and the demo both walk the road through these, so what the demo shows is what a person types.

pub mod buyer;
pub mod home;
pub mod operator;
mod pieces;
pub mod seller;

use layerlock_proto::refusal::Reason;
use layerlock_terms::ids::{IdError, RequestId};
use tonic::Status;

use crate::backup::BackupError;
use crate::ceremony::CeremonyError;
use crate::commands::operator::kek::RotationError;
use crate::connect::ConnectError;
use crate::random::id_bytes;

/// Why a call did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum PartyError {
    /// The service said no.
    #[error("{}", refusal(.0))]
    Refused(Box<Status>),
    /// No service there.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Not an id of the wanted kind.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A file of this party.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The party has not joined yet.
    #[error("no API key in {0}: run `join` with the key you were given")]
    NotJoined(std::path::PathBuf),
    /// A file of this party, or an argument, holds something else.
    #[error("{0}")]
    Malformed(String),
    /// A step of the offline keys' ceremony.
    #[error(transparent)]
    Ceremony(Box<CeremonyError>),
    /// A rotation of the vault's keys.
    #[error(transparent)]
    Rotation(Box<RotationError>),
    /// A copy of the server's folder.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A job that is over without a part.
    #[error("the part was not printed")]
    NotPrinted,
    /// What the service answered does not verify.
    #[error("the answer does not verify: {0}")]
    NotTrusted(String),
}

impl From<Status> for PartyError {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

impl PartyError {
    /// The reason of the closed list, if a service gave one.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused(status) => Reason::of(status),
            _ => None,
        }
    }
}

/// The service's own words, with its reason so that they can be looked up.
fn refusal(status: &Status) -> String {
    match Reason::of(status) {
        Some(Reason::Unauthenticated) => {
            "the service does not know this API key: run `join` again with the key you were given".to_owned()
        }
        Some(reason) => format!("{} [{}]", status.message(), reason.as_str()),
        None => format!(
            "the connection was lost ({:?}): nothing that was answered is lost, try again",
            status.code()
        ),
    }
}

/// A fresh request id, as text.
pub fn request_id() -> String {
    RequestId::from_bytes(id_bytes()).to_string()
}
