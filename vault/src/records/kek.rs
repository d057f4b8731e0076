//! Which key-encryption keys wrap anything in these records.
//!
//! One row a key, there before the key first wraps and gone when it wraps nothing any more. A vault that lacks a key
//! with a row doesn't open. The commit of a design depends on its key's row as the process found it, and retiring writes
//! that row first: so a process that was started before a rotation brings no key back that another one retires.

use layerlock_seal::keys::KekId;
use layerlock_store::{Commit, CommitError, Expect, Key, Page, Prefix, Revision, StoreError};

use super::{Records, key};

const TABLE: &str = "kek";

/// A key's row, as it was found or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KekInUse {
    /// The key.
    pub(crate) id: KekId,
    revision: Revision,
}

/// What a row says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Use {
    /// Processes wrap by it.
    Wraps = 0,
    /// What it wraps is being wrapped anew.
    Retiring = 1,
}

impl Records {
    /// Every key that may wrap something here.
    pub(crate) async fn keks_in_use(&self) -> Result<Vec<KekInUse>, StoreError> {
        let prefix = Prefix::new(TABLE, &[]).expect("a table's name is far below the bound");
        let listed = self.list(&prefix, Page::first(Page::MAX_LIMIT)).await?;
        let in_use = |(row, record): &(Key, layerlock_store::Record)| {
            let id = KekId::from_bytes(super::sole_part(row)?);
            Some(KekInUse { id, revision: record.revision })
        };
        Ok(listed.records.iter().filter_map(in_use).collect())
    }

    /// Makes sure that the key's row says it wraps; durable before anything is wrapped by it.
    pub(crate) async fn use_kek(&self, id: KekId) -> Result<KekInUse, StoreError> {
        loop {
            let expect = match self.store.load(&row(id)).await? {
                Some(record) if record.value == [Use::Wraps as u8] => {
                    return Ok(KekInUse { id, revision: record.revision });
                }
                Some(record) => Expect::At(record.revision),
                None => Expect::Absent,
            };
            match self.say(id, Use::Wraps, expect).await {
                Ok(in_use) => return Ok(in_use),
                // Another process said so first.
                Err(CommitError::Conflict { .. }) => {}
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    /// From now on nothing more is wrapped by the key, by any process that found its row before.
    pub(crate) async fn begin_retiring(&self, kek: KekInUse) -> Result<KekInUse, CommitError> {
        self.say(kek.id, Use::Retiring, Expect::At(kek.revision)).await
    }

    /// Nothing is wrapped by the key any more. A conflict: a process began to wrap by it again.
    pub(crate) async fn retire(&self, kek: KekInUse) -> Result<(), CommitError> {
        self.store.commit(Commit::new().delete(row(kek.id), Expect::At(kek.revision))).await.map(drop)
    }

    async fn say(&self, id: KekId, now: Use, expect: Expect) -> Result<KekInUse, CommitError> {
        let (row, value) = (row(id), [now as u8]);
        let commit = Commit::new().put(row.clone(), value, expect);
        let revision = self.commit_surely(commit, &row, &value).await?;
        Ok(KekInUse { id, revision })
    }
}

impl KekInUse {
    /// The commit, if the key's row is still as it was found.
    pub(super) fn hold(self, commit: Commit) -> Commit {
        commit.check(row(self.id), Expect::At(self.revision))
    }

    /// Whether it is this key's row that was not as expected.
    pub(super) fn is_at(self, conflict: &Key) -> bool {
        *conflict == row(self.id)
    }
}

fn row(id: KekId) -> Key {
    key(TABLE, &[id.as_bytes()])
}
