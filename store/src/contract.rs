//! The contract every store keeps: load one record, commit a set of writes, list by prefix, hear what others changed,
//! claim a record to work on.
//!
//! What holds for all of them: a commit is answered after it is durable; readers see only durable commits, whole;
//! two commits that expect the same revision of a key never both succeed. The same tests (`tests/contract.rs`)
//! run on every implementation.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::{Claim, Commit, Key, KeyError, Listener, Prefix, Record, Revision, Standing};

/// Durable records with compare-and-swap.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The record under `key`, or `None`.
    ///
    /// # Errors
    /// [`StoreError::Stopped`], [`StoreError::Unavailable`], or [`StoreError::Damaged`] naming the key.
    async fn load(&self, key: &Key) -> Result<Option<Record>, StoreError>;

    /// Does all of `commit` or nothing, and answers after it is durable. The revision is that of every key written;
    /// a commit that only checks is answered with the newest revision of the store.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] names the first key that wasn't as expected: nothing was written, load and decide
    /// again. [`CommitError::Store`] otherwise; after `Stopped` or `Unavailable` the commit may have been stored.
    async fn commit(&self, commit: Commit) -> Result<Revision, CommitError>;

    /// The records under `prefix` in key order, one page. A page never shows half a commit; two pages may have
    /// commits between them.
    ///
    /// # Errors
    /// As [`Store::load`], and [`StoreError::ForeignPageToken`].
    async fn list(&self, prefix: &Prefix, page: Page) -> Result<Listing, StoreError>;

    /// The records as they are now, for as long as the answer is kept: a store that takes no commits. `None` where no
    /// other process commits, so that whoever asks holds them still by committing nothing.
    ///
    /// # Errors
    /// As [`Store::load`].
    async fn snapshot(&self) -> Result<Option<Arc<dyn Store>>, StoreError>;

    /// What is committed from now on, by whatever process, this one included. News of a commit before may come late, and
    /// news of one may be told twice or, if its process dies, never.
    fn listen(&self) -> Listener;

    /// Claims the record under `prefix` that was written longest ago among those nobody has a claim on; `None` when
    /// there is none.
    ///
    /// # Errors
    /// As [`Store::load`].
    async fn claim(&self, prefix: &Prefix, lease: Duration) -> Result<Option<Claim>, StoreError>;

    /// Makes a claim last for `lease` from now.
    ///
    /// # Errors
    /// As [`Store::load`]; the claim may stand or not then.
    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Standing, StoreError>;

    /// Gives a claim up, so that the record is free at once if it still asks for work. Nothing happens when the claim
    /// was lost.
    ///
    /// # Errors
    /// As [`Store::load`]; the claim ends with its lease then.
    async fn release(&self, claim: Claim) -> Result<(), StoreError>;
}

/// Which part of a listing is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where the page before ended; `None` for the first.
    pub after: Option<PageToken>,
    /// How many records at most; read as 1 to [`Page::MAX_LIMIT`].
    pub limit: usize,
}

/// Where a listing goes on. Opaque to clients: it names the last key they were shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken(Key);

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// In key order.
    pub records: Vec<(Key, Record)>,
    /// `None` when there is nothing more.
    pub next: Option<PageToken>,
}

/// Why a store can't answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The store met a fault it can't judge and answers nothing any more; what was acknowledged is safe.
    #[error("the store has stopped: {reason}; nothing more is stored until it's opened again")]
    Stopped {
        /// What kind of fault it was: what a caller can be told.
        cause: StopCause,
        /// What happened, where, and the mend: for the operator's log.
        reason: String,
    },
    /// The store can't be reached just now. A commit that got this answer may have been stored.
    #[error("the store can't be reached: {detail}; try again with the same request id")]
    Unavailable {
        /// What the store said.
        detail: String,
    },
    /// This record's stored bytes don't match their checksum; other records are served.
    #[error(
        "the record {key} is damaged in the view: stop the service, move the view directory away and start again"
    )]
    Damaged {
        /// The record.
        key: Key,
    },
    /// A commit names one key twice.
    #[error("the commit names {key} twice: give each key one write")]
    RepeatedKey {
        /// The key.
        key: Key,
    },
    /// A value is over [`Commit::MAX_VALUE_BYTES`].
    #[error("the value for {key} has {bytes} bytes, over {max}: store it as a blob", max = Commit::MAX_VALUE_BYTES)]
    ValueTooLarge {
        /// The key.
        key: Key,
        /// The value's size.
        bytes: usize,
    },
    /// A commit is over [`Commit::MAX_BYTES`].
    #[error("the commit has {bytes} bytes, over {max}: split it", max = Commit::MAX_BYTES)]
    CommitTooLarge {
        /// The commit's size.
        bytes: usize,
    },
    /// The page token is no key under the prefix that is listed.
    #[error("the page token belongs to another listing: begin again without one")]
    ForeignPageToken,
    /// The key can't be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What kind of fault stopped a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// There is no room left on its disk.
    DiskFull,
    /// Anything else.
    Fault,
}

impl StopCause {
    /// The kind of this error.
    pub fn of(error: &io::Error) -> StopCause {
        match error.kind() {
            io::ErrorKind::StorageFull => StopCause::DiskFull,
            _ => StopCause::Fault,
        }
    }
}

/// Why a commit didn't happen, or isn't known to have happened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommitError {
    /// A key wasn't as expected. Nothing was written.
    #[error("the record {key} was changed by someone else: load it and decide again")]
    Conflict {
        /// The first key whose expectation failed.
        key: Key,
    },
    /// The store can't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Page {
    /// The most records one page holds.
    pub const MAX_LIMIT: usize = 1000;

    /// The first page of at most `limit` records.
    pub fn first(limit: usize) -> Page {
        Page { after: None, limit }
    }

    /// The page that follows `token`.
    pub fn after(token: PageToken, limit: usize) -> Page {
        Page { after: Some(token), limit }
    }

    pub(crate) fn bounded_limit(&self) -> usize {
        self.limit.clamp(1, Page::MAX_LIMIT)
    }

    /// The key this page starts behind, once it's known to lie under `prefix`.
    pub(crate) fn start(&self, prefix: &Prefix) -> Result<Option<&Key>, StoreError> {
        match &self.after {
            Some(PageToken(key)) if !prefix.covers(key) => Err(StoreError::ForeignPageToken),
            Some(PageToken(key)) => Ok(Some(key)),
            None => Ok(None),
        }
    }
}

impl PageToken {
    /// The bytes to hand to a client.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// A token as a client sent it back; checked when it's used.
    ///
    /// # Errors
    /// [`StoreError::ForeignPageToken`] when no token could look so.
    pub fn parse(bytes: &[u8]) -> Result<PageToken, StoreError> {
        Key::from_stored(bytes).map(PageToken).ok_or(StoreError::ForeignPageToken)
    }
}

impl Listing {
    /// The page made of records in key order, of which one more than `limit` was fetched if there was one.
    pub(crate) fn cut(mut records: Vec<(Key, Record)>, limit: usize) -> Listing {
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|(key, _)| PageToken(key.clone()));
        Listing { records, next }
    }
}

impl From<KeyError> for CommitError {
    fn from(error: KeyError) -> CommitError {
        CommitError::Store(error.into())
    }
}
