//! The licensor: who may print, how many copies are left, and the public account of every copy.
//!
//! It never has a mesh, a toolpath, or code that reads geometry. What decides is pure (`copies`, `license`,
//! `offer`); what stores writes one commit per call; what signs makes the signed bytes itself. Everything from
//! outside (keys, store, time, randomness) comes in with [`Config`].
//!
//! Deliberately absent: sockets, TLS and the accept loop. The `layerlock` program serves [`Licensor::routes`].

mod api;
mod audit;
mod caller;
pub mod clock;
pub mod copies;
mod evidence;
mod keys;
mod lanes;
mod ledger;
pub mod license;
pub mod offer;
mod once;
mod records;
mod refuse;
mod settle;
mod sweep;

use std::sync::Arc;

use layerlock_seal::keys::SigningKey;
use layerlock_seal::note::NoteSigner;
use layerlock_seal::statement::Statement;
use layerlock_seal::token::ApiKeyHash;
use layerlock_seal::trust::Endorsement;
use layerlock_store::Store;
use layerlock_terms::trust::{Revocations, Role};
use layerlock_terms::units::{Millis, Timestamp};
use layerlock_terms::wire::Noun;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Request, Status};

pub use audit::AuditError;
pub use clock::{Clock, Randomness};
pub use keys::TrustError;
pub use ledger::LedgerError;
pub use sweep::Swept;

use caller::Caller;
use keys::{Keys, Trust};
use lanes::Lanes;
use ledger::Ledger;
use records::{Revoked, Shelf, tables};

/// All a licensor is made of.
pub struct Config {
    /// Signs licenses, holds, certificates, revocations and settlements. Certified by the root as licensor.
    pub issuer: SigningKey,
    /// Signs the ledger's checkpoints and names the ledger. Certified by the root as checkpoint.
    pub checkpoint: NoteSigner,
    /// Every version of the root, oldest first: devices that were away walk them all.
    pub roots: Vec<Endorsement>,
    /// Certificates of all services under the newest root, this licensor's two among them.
    pub service_certificates: Vec<Endorsement>,
    /// Hash of the operator's API key; the key itself stays with the operator.
    pub operator_key: ApiKeyHash,
    /// Where records are kept.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Clock,
    /// Where ids, blinding and challenges come from.
    pub randomness: Randomness,
    /// How long things last.
    pub lifetimes: Lifetimes,
}

/// How long what the licensor issues lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// From placing a hold to the moment by which a vault must have admitted it.
    pub hold_admit: Millis,
    /// From placing a hold to the moment at which it is settled by rule.
    pub hold_settle: Millis,
    /// Of an enrolment code.
    pub enrolment_code: Millis,
    /// Of seller certificates.
    pub certificate: Millis,
    /// Of device certificates: a device that was off for years is no stranger. What stops a device is the list of
    /// revocations.
    pub device: Millis,
    /// Of a list of revocations: a device with an older list stops (L6, D6).
    pub revocations: Millis,
}

/// A licensor that is open: its keys are certified and its records agree with its ledger.
pub struct Licensor {
    trust: Trust,
    keys: Keys,
    operator: ApiKeyHash,
    shelf: Shelf,
    ledger: Ledger,
    lanes: Lanes,
    clock: Clock,
    randomness: Randomness,
    lifetimes: Lifetimes,
}

/// Why a licensor doesn't open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Its keys aren't ones anybody could trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The ledger's name can't stand in a checkpoint.
    #[error(
        "`{0}` can't name a ledger: use 1 to 256 characters without spaces and `+`, as in `example.com/ledger`"
    )]
    Origin(String),
    /// Records and ledger contradict each other.
    #[error(
        "the records contradict the ledger: {0}. Nothing is served; compare with a backup and the public log"
    )]
    Audit(#[from] AuditError),
}

impl Default for Lifetimes {
    /// 15 minutes to admit, a week to settle, 15 minutes for a code, a year for a seller's certificate, ten for a
    /// device's, a minute for revocations.
    fn default() -> Self {
        const MINUTE: u64 = 60_000;
        const DAY: u64 = 24 * 60 * MINUTE;
        Self {
            hold_admit: Millis(15 * MINUTE),
            hold_settle: Millis(7 * DAY),
            enrolment_code: Millis(15 * MINUTE),
            certificate: Millis(365 * DAY),
            device: Millis(3650 * DAY),
            revocations: Millis(MINUTE),
        }
    }
}

impl Licensor {
    /// Checks the keys against the root and the records against the ledger, and opens.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is served then, and nothing was changed but an empty ledger begun.
    pub async fn open(config: Config) -> Result<Arc<Self>, OpenError> {
        let now = config.clock.now();
        let trust = Trust::establish(&config.roots, &config.service_certificates, now)?;
        trust.certified(Role::Licensor, &config.issuer.verifying_key(), now)?;
        trust.certified(Role::Checkpoint, &config.checkpoint.verifying_key(), now)?;
        if !ledger::is_origin(config.checkpoint.origin()) {
            return Err(OpenError::Origin(config.checkpoint.origin().to_owned()));
        }
        let licensor = Self {
            trust,
            keys: Keys::new(config.issuer, config.checkpoint),
            operator: config.operator_key,
            shelf: Shelf(config.store),
            ledger: Ledger::default(),
            lanes: Lanes::new(),
            clock: config.clock,
            randomness: config.randomness,
            lifetimes: config.lifetimes,
        };
        licensor.audit().await?;
        Ok(Arc::new(licensor))
    }

    /// All services, with their message size limits set.
    pub fn routes(self: &Arc<Self>) -> Routes {
        api::routes(self)
    }

    async fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        Caller::of(metadata, &self.operator, &self.shelf).await
    }

    /// Who calls, and what with.
    async fn opened<T>(&self, request: Request<T>) -> Result<(Caller, T), Status> {
        let caller = self.caller(request.metadata()).await?;
        Ok((caller, request.into_inner()))
    }

    /// A stored statement of our own, verified again (L5).
    fn issued<T: Noun>(&self, statement: &Statement) -> Result<T, Status> {
        let verified = self.trust.issued::<T>(statement);
        verified
            .map(|v| v.into_inner())
            .map_err(|_| refuse::damaged(format!("{} {}", T::TYPE, statement.digest())))
    }

    /// The revocations of now, signed for as long as they are fresh.
    async fn revocations(&self, now: Timestamp) -> Result<Statement, Status> {
        let stored = self.shelf.load::<Revoked>(&tables::revocations()).await?;
        let Revoked { version, devices } = stored.map(|list| list.value).unwrap_or_default();
        let expires = now.plus(self.lifetimes.revocations);
        Ok(self.keys.state(&Revocations { version, expires, devices }))
    }
}
