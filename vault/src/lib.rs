//! The vault: keeps designs sealed, and presses them into toolpaths for one device, one job, one hold at a time.
//!
//! Decides nothing by itself: a job is pressed on a verified hold, a key is released on a verified receipt. The
//! road runs `api` → [`admit`] → `press` → `envelope` → `api::sessions` → [`release`] → `settle`; [`job`] is the
//! map of it. Never here: license counts, the checkpoint key, a socket. Whoever serves [`Vault::routes`] owns
//! the connections, their deadlines and TLS.

use std::path::PathBuf;
use std::sync::Arc;

use layerlock_seal::kek_ring::KekRing;
use layerlock_seal::keys::{SigningKey, VerifyingKey};
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::trust::{Anchors, Endorsement};
use layerlock_store::Store;
use layerlock_store::blobs::{Blobs, Objects};
use layerlock_terms::trust::Role;
use layerlock_terms::units::Millis;
use layerlock_terms::wire::Noun;
use tokio::sync::Semaphore;

pub mod admit;
mod alike;
mod api;
pub mod caller;
mod desk;
mod envelope;
mod hold;
mod intake;
pub mod job;
mod keys;
pub mod licensor_link;
mod news;
mod open;
mod opened;
mod pictures;
mod press;
mod pull;
mod records;
mod refusal;
pub mod release;
mod revocations;
pub mod rewrap;
mod session;
mod settle;
mod source;
mod uploads;
pub mod worker;

pub use keys::TrustError;
pub use open::OpenError;
pub use refusal::Refusal;
pub use source::{Clock, Randomness};

use alike::Gallery;
use desk::Desk;
use envelope::Envelopes;
use keys::Keys;
use licensor_link::LicensorLink;
use records::{Records, Signers};
use revocations::RevocationList;
use session::Sessions;
use uploads::Uploads;
use worker::{Bounds, Confinement, EnginePrograms, Engines, WorkerCommand};

/// All a vault is made of; what comes from outside is handed in.
pub struct Config {
    /// Signs headers, segments, manifests, reports and welcomes.
    pub delivery: SigningKey,
    /// The root's service certificate for `delivery`.
    pub certificate: Endorsement,
    /// Wrap the keys of everything at rest.
    pub keks: KekRing,
    /// The root.
    pub root: Endorsement,
    /// The root's service certificates for the licensor's keys, former ones among them if they are to stand.
    pub licensor_certificates: Vec<Endorsement>,
    /// The line to the licensor.
    pub licensor: Arc<dyn LicensorLink>,
    /// Where records are kept.
    pub store: Arc<dyn Store>,
    /// Where designs and envelopes are kept.
    pub files: Files,
    /// How workers are started.
    pub worker: WorkerCommand,
    /// Programs that slice where a profile asks for them.
    pub engines: EnginePrograms,
    /// Tells the time.
    pub clock: Clock,
    /// Where keys, ids and challenges are drawn from.
    pub randomness: Randomness,
    /// What callers and workers may use.
    pub limits: Limits,
}

/// Where designs and envelopes are kept.
#[derive(Debug, Clone)]
pub enum Files {
    /// In directories that are made in this one, for this process alone.
    Directory(PathBuf),
    /// In a store of objects, which every process on the same records shares.
    Objects(Objects),
}

/// What callers and workers may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest upload, in bytes.
    pub upload_bytes: u64,
    /// Address space of a worker, in bytes.
    pub worker_memory: u64,
    /// Longest a worker may take.
    pub worker_time: Millis,
    /// Most bytes a worker may answer with: bounds the toolpath.
    pub output_bytes: u64,
    /// Threads of a worker.
    pub threads: u16,
    /// Jobs pressed at once; more wait. None: other processes on the same records press.
    pub concurrent_jobs: u16,
    /// Uploads taken at once; more are refused as busy.
    pub concurrent_uploads: u16,
    /// Longest pause of a caller in the middle of something, and of a reader that takes nothing.
    pub stall: Millis,
    /// How long after the end of a process another one takes over what it was at.
    pub lease: Millis,
    /// Pause between two looks over what other processes did and, because they died, never told.
    pub look_over: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upload_bytes: 256 << 20,
            worker_memory: 4 << 30,
            worker_time: Millis(15 * 60 * 1000),
            output_bytes: 2 << 30,
            threads: 2,
            concurrent_jobs: 2,
            concurrent_uploads: 4,
            stall: Millis(30_000),
            lease: Millis(10_000),
            look_over: Millis(30_000),
        }
    }
}

impl Limits {
    fn bounds(&self) -> Bounds {
        Bounds {
            memory: self.worker_memory,
            time: self.worker_time,
            output: self.output_bytes,
            threads: self.threads,
        }
    }
}

/// A vault at work.
pub struct Vault {
    keys: Keys,
    trust: Anchors,
    vault_key: VerifyingKey,
    licensor: Arc<dyn LicensorLink>,
    records: Records,
    blobs: Blobs,
    envelopes: Envelopes,
    worker: WorkerCommand,
    engines: Engines,
    clock: Clock,
    randomness: Randomness,
    limits: Limits,
    confinement: Confinement,
    desk: Desk,
    sessions: Sessions,
    revocations: RevocationList,
    uploads: Semaphore,
    gallery: Gallery,
    pending: Uploads,
}

impl Vault {
    /// The services, for whoever listens.
    pub fn routes(self: &Arc<Self>) -> tonic::service::Routes {
        api::routes(self)
    }

    /// Which guards of its workers' cage this machine has.
    pub fn confinement(&self) -> Confinement {
        self.confinement
    }

    /// The foreign engines that run here.
    pub fn engines(&self) -> &Engines {
        &self.engines
    }

    /// What the licensor stated, as long as its chain is not past its end.
    fn by_licensor<T: Noun>(&self, what: &str, statement: &Statement) -> Result<Verified<T>, Refusal> {
        let verified = self.trust.verify(Role::Licensor, statement, self.clock.now());
        verified.map_err(|why| Refusal::not_the_licensors(what, &why))
    }

    fn vault_key(&self) -> &VerifyingKey {
        &self.vault_key
    }

    fn signers(&self) -> Signers<'_> {
        Signers { licensor: &self.trust, vault: &self.vault_key }
    }
}
