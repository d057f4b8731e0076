//! What the vault keeps in its store, and the byte form of each record.
//!
//! Tables: `design`, `design-by-age` and `design-version` (sealed: a stolen store tells no names, V1), `upload` (under way), `job` with its rows in `open-job`,
//! `work` and `due-job` (`index`), `envelope` (`made`), `device` (session counters), `device-forked` (two receipts of it that contradict each other), `offline` and `offline-job` (numbers of offline prints), `revocations`, `kek` (which keys wrap). Records are read distrustfully:
//! a job's evidence is verified again and must be of the job it is kept under, so a record edited, swapped or spliced
//! in what was signed is no record (V2, S1). A whole older record put back is not noticed. Large bytes are files
//! (`envelope`, blobs), durable before the record that names them.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::Anchors;
use layerlock_store::{
    Claim, Commit, CommitError, Expect, Key, Listener, Listing, Page, Prefix, Revision, Standing, Store,
    StoreError,
};
use layerlock_terms::ids::{DeviceId, JobId};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Writer;

use crate::job::Job;
use crate::refusal::Refusal;

mod codec;
mod design;
mod index;
mod kek;
mod made;
mod upload;

#[cfg(test)]
pub(crate) use codec::{emit_job, parse_job};
pub(crate) use design::{Design, DesignName, DesignRecord, GCODE_LIMIT, KeepError, Sealed, UNNUMBERED};
pub(crate) use index::Work;
pub(crate) use kek::KekInUse;
pub(crate) use made::{Made, Run};
pub(crate) use upload::{Pending, Piece};

/// The vault's records over any store.
#[derive(Clone)]
pub(crate) struct Records {
    store: Arc<dyn Store>,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Records")
    }
}

/// Whose signatures a record's evidence must carry.
#[derive(Clone, Copy)]
pub(crate) struct Signers<'a> {
    /// Licenses, holds, device certificates.
    pub(crate) licensor: &'a Anchors,
    /// Headers, manifests, reports: the vault itself.
    pub(crate) vault: &'a VerifyingKey,
}

/// A record as it was read, and the commit that wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Kept<T> {
    /// What it says.
    pub(crate) value: T,
    /// For the next commit's expectation.
    pub(crate) revision: Revision,
}

impl Records {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// One job.
    pub(crate) async fn job(&self, id: JobId, signers: Signers<'_>) -> Result<Option<Kept<Job>>, Refusal> {
        let Some(record) = self.store.load(&job_key(id)).await? else { return Ok(None) };
        let job = codec::parse_job(&record.value, signers).ok().filter(|job| job.order().job() == id);
        let value = job.ok_or_else(|| damaged(id))?;
        Ok(Some(Kept { value, revision: record.revision }))
    }

    /// Every job that is not over.
    pub(crate) async fn open_jobs(&self) -> Result<Vec<JobId>, StoreError> {
        Ok(self.open_jobs_by_device().await?.into_iter().map(|(_, job)| job).collect())
    }

    /// Every job that is not over, with its device.
    pub(crate) async fn open_jobs_by_device(&self) -> Result<Vec<(DeviceId, JobId)>, StoreError> {
        let rows = self.rows(&index::prefix(index::OPEN, &[])).await?;
        Ok(rows.iter().filter_map(index::open_row).collect())
    }

    /// The jobs of a device that are not over.
    pub(crate) async fn open_jobs_of(&self, device: DeviceId) -> Result<Vec<JobId>, StoreError> {
        let rows = self.rows(&index::prefix(index::OPEN, &[device.as_bytes()])).await?;
        Ok(rows.iter().filter_map(index::open_row).map(|(_, job)| job).collect())
    }

    /// The jobs that wait for their device and whose hold has come to its deadline.
    pub(crate) async fn overdue_jobs(&self, now: Timestamp) -> Result<Vec<JobId>, StoreError> {
        let page = Page::first(Page::MAX_LIMIT);
        let listed = self.list(&index::prefix(index::DUE, &[]), page).await?;
        let rows = listed.records.iter().filter_map(|(row, _)| index::due_row(row));
        Ok(rows.take_while(|(at, _)| *at <= now).map(|(_, job)| job).collect())
    }

    async fn rows(&self, prefix: &Prefix) -> Result<Vec<Key>, StoreError> {
        let mut page = Page::first(Page::MAX_LIMIT);
        let mut rows = Vec::new();
        loop {
            let listing = self.store.list(prefix, page).await?;
            rows.extend(listing.records.into_iter().map(|(row, _)| row));
            match listing.next {
                Some(token) => page = Page::after(token, Page::MAX_LIMIT),
                None => return Ok(rows),
            }
        }
    }

    /// Keeps a job in place of what `expect` says, and its rows in place of those of `before`.
    pub(crate) async fn keep_job(
        &self,
        before: Option<&Job>,
        job: &Job,
        expect: Expect,
    ) -> Result<Revision, CommitError> {
        let (key, value) = (job_key(job.order().job()), codec::emit_job(job));
        let commit = Commit::new().put(key.clone(), value.clone(), expect);
        self.commit_surely(index::step(commit, before, job), &key, &value).await
    }

    /// What is committed from now on, by any process.
    pub(crate) fn listen(&self) -> Listener {
        self.store.listen()
    }

    /// Claims a job that asks for this work, the one that has waited longest.
    pub(crate) async fn claim(&self, work: Work, lease: Duration) -> Result<Option<Claim>, StoreError> {
        self.store.claim(&work.prefix(), lease).await
    }

    /// Makes a claim last longer.
    pub(crate) async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Standing, StoreError> {
        self.store.renew(claim, lease).await
    }

    /// Gives a claim up.
    pub(crate) async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        self.store.release(claim).await
    }

    /// The counter of a device's newest session; absent before its first.
    pub(crate) async fn counter(&self, device: DeviceId) -> Result<Option<Kept<u64>>, Refusal> {
        let Some(record) = self.store.load(&device_key(device)).await? else { return Ok(None) };
        let value = record.value.try_into().map(u64::from_be_bytes).map_err(|_| damaged(device))?;
        Ok(Some(Kept { value, revision: record.revision }))
    }

    /// Keeps a session counter.
    pub(crate) async fn keep_counter(
        &self,
        device: DeviceId,
        counter: u64,
        expect: Expect,
    ) -> Result<(), CommitError> {
        let (key, value) = (device_key(device), counter.to_be_bytes().to_vec());
        let commit = Commit::new().put(key.clone(), value.clone(), expect);
        self.commit_surely(commit, &key, &value).await.map(drop)
    }

    /// Whether two receipts of this device were found that contradict each other.
    pub(crate) async fn is_forked(&self, device: DeviceId) -> Result<bool, StoreError> {
        Ok(self.store.load(&forked_key(device)).await?.is_some())
    }

    /// Keeps such two, as they were signed: the first ones of a device, for good.
    pub(crate) async fn keep_fork(&self, device: DeviceId, both: [&Statement; 2]) -> Result<(), CommitError> {
        let mut value = Writer::new();
        for receipt in both {
            value.bytes(&receipt.emit());
        }
        let (key, value) = (forked_key(device), value.finish());
        let commit = Commit::new().put(key.clone(), value.clone(), Expect::Absent);
        match self.commit_surely(commit, &key, &value).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The number of this offline print of a device, durable: given to this job alone, and again when asked again
    /// (REL-6).
    pub(crate) async fn offline_number(&self, device: DeviceId, job: JobId) -> Result<NonZeroU64, Refusal> {
        loop {
            if let Some(record) = self.store.load(&offline_job_key(job)).await? {
                return number(&record.value).ok_or_else(|| damaged(job));
            }
            let known = self.store.load(&offline_key(device)).await?;
            let before = known.as_ref().map(|record| number(&record.value).ok_or_else(|| damaged(device)));
            let next = before.transpose()?.map_or(NonZeroU64::MIN, |before| before.saturating_add(1));
            let expect = known.map_or(Expect::Absent, |record| Expect::At(record.revision));
            let value = next.get().to_be_bytes().to_vec();
            let commit = Commit::new().put(offline_key(device), value.clone(), expect).put(
                offline_job_key(job),
                value,
                Expect::Absent,
            );
            match self.store.commit(commit).await {
                // Ours, or another asker was first: the job's record says which number it is.
                Ok(_) | Err(CommitError::Conflict { .. }) => {}
                Err(error @ CommitError::Store(_)) => return Err(error.into()),
            }
        }
    }

    /// The revocation list of each licensor key that was kept; no signature is checked here.
    pub(crate) async fn revocations(&self) -> Result<Vec<Statement>, StoreError> {
        let prefix = Prefix::new("revocations", &[]).expect("a table's name is far below the bound");
        let listed = self.list(&prefix, Page::first(Page::MAX_LIMIT)).await?;
        Ok(listed.records.iter().filter_map(|(_, record)| Statement::parse(&record.value).ok()).collect())
    }

    /// Keeps a newer revocation list of its licensor key.
    pub(crate) async fn keep_revocations(&self, list: &Statement) -> Result<(), CommitError> {
        let (key, value) = (key("revocations", &[list.signer().as_bytes()]), list.emit());
        let commit = Commit::new().put(key.clone(), value.clone(), Expect::Anything);
        self.commit_surely(commit, &key, &value).await.map(drop)
    }

    async fn list(&self, prefix: &Prefix, page: Page) -> Result<Listing, StoreError> {
        self.store.list(prefix, page).await
    }

    /// Commits. A store that could not say whether it was stored is asked: if `key` holds the value meant, it was, and
    /// all of the commit with it. So an answer lost on the way never makes a step happen twice.
    async fn commit_surely(&self, commit: Commit, key: &Key, value: &[u8]) -> Result<Revision, CommitError> {
        match self.store.commit(commit).await {
            Err(CommitError::Store(error @ StoreError::Unavailable { .. })) => {
                match self.store.load(key).await? {
                    Some(record) if record.value == value => Ok(record.revision),
                    Some(_) | None => Err(error.into()),
                }
            }
            answer => answer,
        }
    }
}

/// What a changed key means to a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// A job made a step.
    Job(JobId),
    /// A job of this device began or is over.
    OpenJob(DeviceId, JobId),
    /// A job began or ceased to ask for this.
    Work(Work),
    /// An envelope of this job has grown, or is gone.
    Envelope(JobId),
    /// A device opened a session.
    Device(DeviceId),
    /// A design version was uploaded.
    Design(DesignName),
}

impl Changed {
    /// What `key` means; nothing for a record nobody waits for.
    pub(crate) fn of(key: &Key) -> Option<Self> {
        if key.is_of("job") {
            sole_part(key).map(JobId::from_bytes).map(Self::Job)
        } else if key.is_of(index::OPEN) {
            index::open_row(key).map(|(device, job)| Self::OpenJob(device, job))
        } else if key.is_of(index::WORK) {
            index::Work::of_row(key).map(|(work, _)| Self::Work(work))
        } else if key.is_of(made::TABLE) {
            let job = key.parts().into_iter().next()?.try_into().ok()?;
            Some(Self::Envelope(JobId::from_bytes(job)))
        } else if key.is_of("device") {
            sole_part(key).map(DeviceId::from_bytes).map(Self::Device)
        } else if key.is_of(design::BY_AGE) {
            design::listed_name(&key.parts()).map(Self::Design)
        } else {
            None
        }
    }
}

/// The job of a claim.
pub(crate) fn claimed_job(claim: &Claim) -> Option<JobId> {
    index::Work::of_row(&claim.key).map(|(_, job)| job)
}

fn sole_part(key: &Key) -> Option<[u8; 16]> {
    key.parts().into_iter().next()?.try_into().ok()
}

fn number(bytes: &[u8]) -> Option<NonZeroU64> {
    NonZeroU64::new(u64::from_be_bytes(bytes.try_into().ok()?))
}

fn job_key(id: JobId) -> Key {
    key("job", &[id.as_bytes()])
}

fn device_key(id: DeviceId) -> Key {
    key("device", &[id.as_bytes()])
}

fn forked_key(id: DeviceId) -> Key {
    key("device-forked", &[id.as_bytes()])
}

fn offline_key(id: DeviceId) -> Key {
    key("offline", &[id.as_bytes()])
}

fn offline_job_key(id: JobId) -> Key {
    key("offline-job", &[id.as_bytes()])
}

fn key(table: &'static str, parts: &[&[u8]]) -> Key {
    Key::new(table, parts).expect("our keys hold ids and digests, far below the bound")
}

fn damaged(what: impl std::fmt::Display) -> Refusal {
    tracing::error!(%what, "a record is damaged or was edited");
    Refusal::new(
        layerlock_proto::refusal::Reason::Stopped,
        format!("the vault's record of {what} is damaged; everything else is served: tell its operator"),
    )
}
