//! Opening a vault, and what a crash left: the same effects that the last step would have had.
//!
//! Order: trust → directories → worker probe → revocations → sweep of what belongs to no record → work. A job that was
//! being pressed is pressed anew under another secret, a closed one is settled, by whoever takes it up (`pull`); a sealed
//! one is offered when its device comes. A record that is damaged is left out and named, the rest is served (V4).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use layerlock_proto::refusal::Reason;
use layerlock_store::StoreError;
use layerlock_store::blobs::{BlobDir, BlobError};
use tokio::sync::Semaphore;

use crate::desk::{Desk, Live};
use crate::envelope::EnvelopeDir;
use crate::job::Job;
use crate::keys::{self, Keys, TrustError};
use crate::records::Records;
use crate::refusal::Refusal;
use crate::worker::{self, WorkerError};
use crate::{Config, Vault, intake};

/// Pause between two looks for jobs past their deadline.
const OVERDUE_PAUSE: Duration = Duration::from_secs(60);

/// Why a vault does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The chain of certificates does not hold.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// No worker comes up.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob directory can't be used.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// A directory can't be used.
    #[error("the directory {} can't be used: {source}", dir.display())]
    Directory {
        /// Which.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something kept can't be taken up.
    #[error("what the vault kept can't be taken up: {0}")]
    Recovery(#[from] Refusal),
}

impl Vault {
    /// Opens a vault and takes up what it was at.
    ///
    /// # Errors
    /// [`OpenError`] names what does not hold and the mend; nothing was changed then but swept left-overs.
    pub async fn open(config: Config) -> Result<Arc<Self>, OpenError> {
        let own = (&config.certificate, &config.delivery);
        let trust = keys::establish(&config.root, &config.licensor_certificates, own, config.clock.now())?;
        let at = |dir: &str| config.directory.join(dir);
        let blobs = BlobDir::open(&at("designs"))?;
        let envelopes = EnvelopeDir::open(at("envelopes"))
            .map_err(|source| OpenError::Directory { dir: at("envelopes"), source })?;
        let limits = config.limits;
        let confinement = worker::probe(&config.worker, limits.worker_memory).await?;
        for guard in confinement.lacking() {
            tracing::warn!("{}", guard.warning());
        }
        metrics::gauge!("layerlock_worker_guards_lacking").set(confinement.lacking().count() as f64);
        let vault = Arc::new(Self {
            vault_key: config.delivery.verifying_key(),
            keys: Keys {
                delivery: Arc::new(config.delivery),
                certificate: config.certificate,
                kek: config.kek,
            },
            trust,
            licensor: config.licensor,
            records: Records::new(config.store),
            blobs,
            envelopes,
            worker: config.worker,
            clock: config.clock,
            randomness: config.randomness,
            limits,
            confinement,
            desk: Desk::default(),
            sessions: Default::default(),
            revocations: Default::default(),
            uploads: Semaphore::new(limits.concurrent_uploads.max(1).into()),
        });
        vault.recover().await?;
        Ok(vault)
    }

    async fn recover(self: &Arc<Self>) -> Result<(), OpenError> {
        self.recall_revocations().await?;
        intake::sweep(&self.blobs, &self.records.design_blobs().await?)?;
        self.envelopes.sweep(&self.records.open_jobs().await?).map_err(Refusal::from)?;
        self.start_following();
        self.start_pulling();
        self.start_closing_overdue();
        Ok(())
    }

    /// Withdraws, for as long as the vault lives, what no device fetched before its hold's deadline.
    fn start_closing_overdue(self: &Arc<Self>) {
        let vault = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(vault) = vault.upgrade() {
                if let Err(refusal) = vault.close_overdue().await {
                    tracing::warn!(%refusal, "what is overdue can't be listed");
                }
                drop(vault);
                tokio::time::sleep(OVERDUE_PAUSE).await;
            }
        });
    }

    async fn close_overdue(self: &Arc<Self>) -> Result<(), Refusal> {
        for id in self.records.overdue_jobs(self.clock.now()).await? {
            if let Some(live) = self.take_up(id).await
                && let Job::Sealed(_) | Job::Delivering(_) = &*live.view().job
            {
                let words = "its device did not print it before the hold's deadline: place a new one";
                self.give_up(&live, Refusal::new(Reason::HoldExpired, words)).await;
            }
        }
        Ok(())
    }

    /// Has the envelope of a sealed job at hand; a job whose envelope is lost is withdrawn.
    pub(crate) async fn attach_envelope(self: &Arc<Self>, live: &Arc<Live>) {
        if live.envelope().is_some() {
            return;
        }
        if let Err(refusal) = self.reopen_envelope(live) {
            tracing::error!(job = %live.id, %refusal, "an envelope is lost");
            let (vault, live) = (self.clone(), live.clone());
            tokio::spawn(async move { vault.give_up(&live, refusal).await });
        }
    }
}
