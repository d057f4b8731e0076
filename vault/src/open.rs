//! Opening a vault, and what a crash left: the same effects that the last step would have had.
//!
//! Order: trust → directories → worker probe → revocations → sweep of what belongs to no record → jobs. A job
//! that was being pressed is pressed anew under another secret; a sealed one is offered again; a closed one is
//! settled. A record that is damaged is left out and named, the rest is served (V4).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use layerlock_proto::refusal::Reason;
use layerlock_store::StoreError;
use layerlock_store::blobs::{BlobDir, BlobError};
use layerlock_terms::ids::JobId;
use tokio::sync::Semaphore;

use crate::desk::{Desk, Live};
use crate::envelope::EnvelopeDir;
use crate::job::{Effect, Job};
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
            presses: Semaphore::new(limits.concurrent_jobs.max(1).into()),
            uploads: Semaphore::new(limits.concurrent_uploads.max(1).into()),
        });
        vault.recover().await?;
        Ok(vault)
    }

    async fn recover(self: &Arc<Self>) -> Result<(), OpenError> {
        self.recall_revocations().await?;
        intake::sweep(&self.blobs, &self.records.design_blobs().await?)?;
        let ids = self.records.jobs().await?;
        self.envelopes.sweep(&ids).map_err(Refusal::from)?;
        for id in ids {
            self.recover_job(id).await;
        }
        self.start_closing_overdue();
        Ok(())
    }

    /// Withdraws, for as long as the vault lives, what no device fetched before its hold's deadline.
    fn start_closing_overdue(self: &Arc<Self>) {
        let vault = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(vault) = vault.upgrade() {
                vault.close_overdue().await;
                drop(vault);
                tokio::time::sleep(OVERDUE_PAUSE).await;
            }
        });
    }

    async fn close_overdue(self: &Arc<Self>) {
        let now = self.clock.now();
        for live in self.desk.all() {
            let job = live.view().job;
            let waits = matches!(&*job, Job::Sealed(_) | Job::Delivering(_));
            if waits && now >= job.order().hold().settle_by {
                let words = "its device did not print it before the hold's deadline: place a new one";
                self.give_up(&live, Refusal::new(Reason::HoldExpired, words)).await;
            }
        }
    }

    async fn recover_job(self: &Arc<Self>, id: JobId) {
        match self.take_up_job(id).await {
            Ok(Some(live)) => self.resume(&live),
            Ok(None) => {}
            Err(refusal) => tracing::error!(job = %id, %refusal, "a job is left out"),
        }
    }

    /// Does what a job's state asks for.
    fn resume(self: &Arc<Self>, live: &Arc<Live>) {
        let effect = match &*live.view().job {
            // The licensor may or may not have answered: pressing asks nothing of it, so it is asked again.
            Job::Requested(_) => return self.start_admitting(live),
            Job::Admitted(_) | Job::Slicing(_) => Effect::Press,
            Job::Sealed(_) | Job::Delivering(_) | Job::Printing(_) => return self.resume_delivery(live),
            Job::Closed(_) => Effect::Settle,
            Job::Settled(_) | Job::Refused(_) => Effect::Discard,
        };
        self.perform(live, effect);
    }

    fn resume_delivery(self: &Arc<Self>, live: &Arc<Live>) {
        if let Err(refusal) = self.reopen_envelope(live) {
            tracing::error!(job = %live.id, %refusal, "an envelope is lost");
            let (vault, live) = (self.clone(), live.clone());
            tokio::spawn(async move { vault.give_up(&live, refusal).await });
        }
    }
}
