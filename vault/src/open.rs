//! Opening a vault, and what a crash left: the same effects that the last step would have had.
//!
//! Order: trust → directories → worker probe → key-encryption keys → revocations → sweep of what belongs to no record → work. A job that was
//! being pressed is pressed anew under another secret, a closed one is settled, by whoever takes it up (`pull`); a sealed
//! one is offered when its device comes. A record that is damaged is left out and named, the rest is served (V4).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use layerlock_proto::refusal::Reason;
use layerlock_seal::kek_ring::KekRing;
use layerlock_seal::keys::KekId;
use layerlock_store::StoreError;
use layerlock_store::blobs::{BlobDir, BlobError, Blobs};
use layerlock_terms::units::{Millis, Timestamp};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::desk::Desk;
use crate::envelope::{EnvelopeDir, EnvelopeObjects, Envelopes};
use crate::job::Job;
use crate::keys::{self, Keys, TrustError};
use crate::records::{KekInUse, Records};
use crate::refusal::Refusal;
use crate::worker::{self, Engines, WorkerError, sweep_rooms};
use crate::{Config, Files, Vault, intake};

/// Pause between two looks for jobs past their deadline.
const OVERDUE_PAUSE: Duration = Duration::from_secs(60);

/// Pause between two sweeps of shared objects, and the age of what is left over.
const SWEEP_PAUSE: Duration = Duration::from_secs(60 * 60);
const LEFT_OVER: Millis = Millis(24 * 60 * 60 * 1000);

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
    /// A key is missing that wraps what is kept.
    #[error(
        "designs here are wrapped by the key-encryption key {0}, which is not among those handed over: name its source \
         after the current one's, or wrap them anew where it is held (`layerlock operator kek rewrap`)"
    )]
    UnknownKek(KekId),
    /// Something kept can't be taken up.
    #[error("what the vault kept can't be taken up: {0}")]
    Recovery(#[from] Refusal),
}

fn open_files(files: Files, records: &Records) -> Result<(Blobs, Envelopes), OpenError> {
    match files {
        Files::Directory(directory) => {
            let at = |dir: &str| directory.join(dir);
            let blobs = BlobDir::open(&at("designs"))?;
            let envelopes = EnvelopeDir::open(at("envelopes"))
                .map_err(|source| OpenError::Directory { dir: at("envelopes"), source })?;
            Ok((Blobs::Dir(blobs), Envelopes::Files(envelopes)))
        }
        Files::Objects(objects) => {
            let envelopes = EnvelopeObjects::new(objects.clone(), records.clone());
            Ok((Blobs::Objects(objects), Envelopes::Objects(envelopes)))
        }
    }
}

/// Makes sure that every key that wraps something is held, and says which one wraps from now on.
async fn hold_keks(records: &Records, keks: &KekRing) -> Result<KekInUse, OpenError> {
    for kek in records.keks_in_use().await? {
        if !keks.ids().any(|held| held == kek.id) {
            return Err(OpenError::UnknownKek(kek.id));
        }
    }
    Ok(records.use_kek(keks.current().key_id()).await?)
}

impl Vault {
    /// Opens a vault and takes up what it was at.
    ///
    /// # Errors
    /// [`OpenError`] names what does not hold and the mend; nothing was changed then but swept left-overs.
    pub async fn open(config: Config) -> Result<Arc<Self>, OpenError> {
        let own = (&config.certificate, &config.delivery);
        let trust = keys::establish(&config.root, &config.licensor_certificates, own, config.clock.now())?;
        let records = Records::new(config.store);
        let (blobs, envelopes) = open_files(config.files, &records)?;
        let limits = config.limits;
        let confinement = worker::probe(&config.worker, limits.worker_memory).await?;
        for guard in confinement.lacking() {
            tracing::warn!("{}", guard.warning());
        }
        metrics::gauge!("layerlock_worker_guards_lacking").set(confinement.lacking().count() as f64);
        sweep_rooms();
        let engines = Engines::probe(&config.worker, &config.engines, limits.worker_memory).await;
        for installed in engines.iter() {
            tracing::info!(
                engine = installed.engine.name(),
                version = installed.version,
                "an engine is offered"
            );
            for guard in installed.confinement.lacking() {
                tracing::warn!(engine = installed.engine.name(), "{}", guard.warning());
            }
        }
        let vault = Arc::new(Self {
            vault_key: config.delivery.verifying_key(),
            keys: Keys {
                delivery: Arc::new(config.delivery),
                certificate: config.certificate,
                in_use: hold_keks(&records, &config.keks).await?,
                keks: config.keks,
            },
            trust,
            licensor: config.licensor,
            records,
            blobs,
            envelopes,
            worker: config.worker,
            engines,
            clock: config.clock,
            randomness: config.randomness,
            limits,
            confinement,
            desk: Desk::default(),
            sessions: Default::default(),
            revocations: Default::default(),
            uploads: Semaphore::new(limits.concurrent_uploads.max(1).into()),
            gallery: Default::default(),
            pending: Default::default(),
        });
        vault.recover().await?;
        Ok(vault)
    }

    async fn recover(self: &Arc<Self>) -> Result<(), OpenError> {
        self.recall_revocations().await?;
        match &self.envelopes {
            Envelopes::Files(dir) => {
                self.sweep_blobs(self.clock.now()).await?;
                dir.sweep(&self.records.open_jobs().await?).map_err(Refusal::from)?;
            }
            Envelopes::Objects(objects) => self.start_sweeping(objects.clone()),
        }
        self.start_following();
        self.start_pulling();
        self.start_closing_overdue();
        Ok(())
    }

    /// Removes the blobs no design names that were written up to this moment: what a crash between blob and record left.
    async fn sweep_blobs(&self, before: Timestamp) -> Result<(), Refusal> {
        let uploads = self.records.uploads().await?;
        let mut named = self.records.design_blobs().await?;
        named.extend(uploads.into_iter().flat_map(|(_, _, blobs)| blobs));
        let (blobs, before) = (self.blobs.clone(), UNIX_EPOCH + Duration::from_millis(before.0));
        spawn_blocking(move || intake::sweep(&blobs, &named, before)).await.expect("sweeping does not panic")
    }

    /// Sweeps shared objects, for as long as the vault lives: only what is so old that no process is still writing it.
    fn start_sweeping(self: &Arc<Self>, envelopes: EnvelopeObjects) {
        let vault = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(vault) = vault.upgrade() {
                let before = Timestamp(vault.clock.now().0.saturating_sub(LEFT_OVER.0));
                let swept = async {
                    vault.sweep_blobs(before).await?;
                    envelopes.sweep(before).await
                };
                if let Err(refusal) = swept.await {
                    tracing::warn!(%refusal, "what crashes left could not be swept");
                }
                drop(vault);
                tokio::time::sleep(SWEEP_PAUSE).await;
            }
        });
    }

    /// Withdraws, for as long as the vault lives, what no device fetched before its hold's deadline, and forgets uploads that
    /// nobody went on with.
    fn start_closing_overdue(self: &Arc<Self>) {
        let vault = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(vault) = vault.upgrade() {
                if let Err(refusal) = vault.close_overdue().await {
                    tracing::warn!(%refusal, "what is overdue can't be listed");
                }
                if let Err(refusal) = vault.end_uploads().await {
                    tracing::warn!(%refusal, "uploads whose time is over can't be listed");
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
}
