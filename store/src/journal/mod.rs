//! The embedded store: an append-only journal is the truth, sled is the view that answers reads.
//!
//! The road of a commit: `writer` stages it, `part` makes its frame durable, `view` publishes it, the caller is
//! answered. The road back: `recover` reads the journal (`walk`), settles its end and publishes what the view lacks
//! through the same function. `compact` replaces old parts by a snapshot. `FORMAT.md` fixes the bytes (`frame`,
//! `payload`) and the file names (`layout`).
//!
//! Deliberately absent: any reading of the truth from sled, any flushing of sled, any repair of a damaged journal.

mod beside;
mod compact;
mod disk;
mod error;
mod frame;
mod layout;
mod part;
mod payload;
mod recover;
mod report;
mod restore;
mod sample;
mod stop;
mod view;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::claim::LocalClaims;
use crate::lock::DirLock;
use crate::news::{News, Teller};
use crate::{
    Claim, Commit, CommitError, Key, Listener, Listing, Page, Prefix, Record, Revision, Standing, Store,
    StoreError,
};

use disk::{DirDisk, Disk};
use recover::recover;
use writer::{Request, Shared, Writer};

pub use beside::{Sound, copy_journal, read_journal};
pub use error::OpenError;
pub use frame::{Flaw, Hash, Head};
pub use report::{Recovery, TornTail, ViewFault, ViewOutcome};

/// Durable records in one directory, for one process.
#[derive(Debug)]
pub struct JournalStore {
    shared: Arc<Shared>,
    /// `None` only while dropping: closing the channel ends the writer.
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
    teller: Teller,
    claims: LocalClaims,
    /// Last, so that the directory is free only after the view is closed.
    _lock: DirLock,
}

/// How a journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A part that has reached this many bytes is closed and a new one begun. A part is read into memory whole.
    pub part_bytes: u64,
    /// A snapshot is made when the journal behind the newest one has grown by this many bytes.
    pub compact_after_bytes: u64,
    /// What sled may keep in memory, in bytes.
    pub view_cache_bytes: u64,
}

/// Requests that may wait before callers wait to send theirs.
const WAITING_REQUESTS: usize = 4096;

impl Default for Options {
    fn default() -> Options {
        Options { part_bytes: 32 << 20, compact_after_bytes: 256 << 20, view_cache_bytes: 128 << 20 }
    }
}

impl JournalStore {
    /// Opens the store in `dir`, made if needed, and recovers it. Blocks for as long as reading the journal takes;
    /// call it off the async threads. The report is worth logging, always.
    ///
    /// # Errors
    /// [`OpenError`], naming the file, the offset and the mend.
    pub fn open(dir: &Path, options: Options) -> Result<(JournalStore, Recovery), OpenError> {
        JournalStore::open_on(Arc::new(DirDisk::new(dir)), dir, options)
    }

    /// As [`JournalStore::open`], with the journal on any disk and the lock and the view in `dir`.
    fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: Options,
    ) -> Result<(JournalStore, Recovery), OpenError> {
        let lock = DirLock::take(dir)?;
        let (recovered, report) = recover(&*disk, &dir.join(layout::VIEW), &options)?;
        let (writer, shared) = Writer::new(disk, options, recovered);
        let (requests, receiver) = mpsc::channel(WAITING_REQUESTS);
        let spawned =
            std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run(receiver));
        let writer = Some(spawned.map_err(|source| OpenError::io(dir, source))?);
        let (teller, claims) = (Teller::default(), LocalClaims::default());
        let requests = Some(requests);
        Ok((JournalStore { shared, requests, writer, teller, claims, _lock: lock }, report))
    }

    /// The newest published state: what a checkpoint elsewhere can pin, to notice an old copy put back.
    pub fn head(&self) -> Head {
        self.shared.published()
    }

    /// Replaces the journal so far by a snapshot; answers once that is durable and verified. Commits go on meanwhile.
    /// The store does this by itself as the journal grows.
    ///
    /// # Errors
    /// [`StoreError::Stopped`].
    pub async fn compact(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::Compact { reply }).await?;
        answer.await.unwrap_or_else(|_| Err(self.shared.stop.error()))
    }

    async fn request(&self, request: Request) -> Result<(), StoreError> {
        self.shared.stop.check()?;
        let requests = self.requests.as_ref().expect("only drop takes the channel");
        requests.send(request).await.map_err(|_| self.shared.stop.error())
    }
}

/// Reads are served by the view on the calling thread: mostly from memory, at worst one page from the disk.
#[async_trait]
impl Store for JournalStore {
    async fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.shared.stop.check()?;
        self.shared.seen(self.shared.view.load(key))
    }

    async fn commit(&self, commit: Commit) -> Result<Revision, CommitError> {
        commit.admit()?;
        let (reply, answer) = oneshot::channel();
        let told = self.teller.keys_for_listeners(&commit);
        self.request(Request::Commit { commit, reply }).await?;
        let revision = answer.await.unwrap_or_else(|_| Err(self.shared.stop.error().into()))?;
        if let Some(keys) = told {
            self.teller.tell(News::Changed { revision, keys });
        }
        Ok(revision)
    }

    async fn list(&self, prefix: &Prefix, page: Page) -> Result<Listing, StoreError> {
        self.shared.stop.check()?;
        self.shared.seen(self.shared.view.list(prefix, &page))
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Store>>, StoreError> {
        self.shared.stop.check()?;
        Ok(None)
    }

    fn listen(&self) -> Listener {
        self.teller.listen()
    }

    async fn claim(&self, prefix: &Prefix, lease: Duration) -> Result<Option<Claim>, StoreError> {
        self.claims.take(self, prefix, lease).await
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Standing, StoreError> {
        self.shared.stop.check()?;
        Ok(self.claims.renew(claim, lease))
    }

    async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        self.claims.release(&claim);
        Ok(())
    }
}

impl Drop for JournalStore {
    /// Lets the writer finish what it was asked for, a compaction under way included; blocks meanwhile.
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has stopped the store; there is nothing left to save here.
            let _ = writer.join();
        }
    }
}
