//! What a commit says: which keys change how, and what each was expected to be.
//!
//! All expectations are held against the state before the commit; one that fails means nothing is written. A key
//! may stand in a commit once only, so there is never a question which of two writes wins.

use std::collections::HashSet;
use std::fmt;

use crate::{Key, StoreError};

/// The sequence number of the commit that last wrote a key. Never reused, so a deleted and recreated record is
/// never mistaken for its former self.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// What is stored under a key. Debug shows the size, never the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The bytes, at most [`Commit::MAX_VALUE_BYTES`].
    pub value: Vec<u8>,
    /// The commit that wrote them.
    pub revision: Revision,
}

/// What must be true of a key for the commit to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No record under the key.
    Absent,
    /// A record, last written by this commit.
    At(Revision),
    /// Whatever is there.
    Anything,
}

/// What happens to a key.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// The record's value from now on.
    Put(Vec<u8>),
    /// No record from now on.
    Delete,
    /// Nothing: the write is there for its expectation.
    Keep,
}

/// One line of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The record concerned.
    pub key: Key,
    /// What happens to it.
    pub change: Change,
    /// What it has to be before.
    pub expect: Expect,
}

/// A set of writes that happen together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit(Vec<Write>);

impl Revision {
    /// The number, for etags and wire forms.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl Commit {
    /// The largest value of one record. Larger bytes are blobs (`blobs`), durable before the record naming them.
    pub const MAX_VALUE_BYTES: usize = 1 << 20;
    /// The largest commit, keys and values together.
    pub const MAX_BYTES: usize = 8 << 20;

    /// What a write takes in the journal beside its key and value, at most; keeps a commit of tiny writes bounded.
    const WRITE_OVERHEAD: usize = 16;

    /// A commit that does nothing yet.
    pub fn new() -> Commit {
        Commit::default()
    }

    /// Store `value` under `key`.
    #[must_use]
    pub fn put(self, key: Key, value: impl Into<Vec<u8>>, expect: Expect) -> Commit {
        self.with(key, Change::Put(value.into()), expect)
    }

    /// Remove `key`; with [`Expect::Anything`] also when there is no such record.
    #[must_use]
    pub fn delete(self, key: Key, expect: Expect) -> Commit {
        self.with(key, Change::Delete, expect)
    }

    /// Make the commit depend on `key` without writing it.
    #[must_use]
    pub fn check(self, key: Key, expect: Expect) -> Commit {
        self.with(key, Change::Keep, expect)
    }

    /// The lines, in the order given.
    pub fn writes(&self) -> &[Write] {
        &self.0
    }

    /// The keys it puts or deletes.
    pub(crate) fn changed_keys(&self) -> Vec<Key> {
        let changed = self.0.iter().filter(|write| write.change != Change::Keep);
        changed.map(|write| write.key.clone()).collect()
    }

    pub(crate) fn into_writes(self) -> Vec<Write> {
        self.0
    }

    fn with(mut self, key: Key, change: Change, expect: Expect) -> Commit {
        self.0.push(Write { key, change, expect });
        self
    }

    /// Refuses what no store takes: a key named twice, a value or a commit over its bound.
    pub(crate) fn admit(&self) -> Result<(), StoreError> {
        let mut seen = HashSet::with_capacity(self.0.len());
        let mut total = 0;
        for write in &self.0 {
            if !seen.insert(&write.key) {
                return Err(StoreError::RepeatedKey { key: write.key.clone() });
            }
            let bytes = write.change.value_bytes();
            if bytes > Commit::MAX_VALUE_BYTES {
                return Err(StoreError::ValueTooLarge { key: write.key.clone(), bytes });
            }
            total += bytes + write.key.as_bytes().len() + Commit::WRITE_OVERHEAD;
        }
        if total > Commit::MAX_BYTES {
            return Err(StoreError::CommitTooLarge { bytes: total });
        }
        Ok(())
    }

    /// Whether anything is written at all, or only expectations are stated.
    pub(crate) fn changes_something(&self) -> bool {
        self.0.iter().any(|write| write.change != Change::Keep)
    }

    /// The first key that isn't what this commit expects, given who last wrote each key.
    pub(crate) fn first_conflict<E>(
        &self,
        mut current: impl FnMut(&Key) -> Result<Option<Revision>, E>,
    ) -> Result<Option<&Key>, E> {
        for write in &self.0 {
            if write.expect != Expect::Anything && !write.expect.holds(current(&write.key)?) {
                return Ok(Some(&write.key));
            }
        }
        Ok(None)
    }
}

impl Expect {
    fn holds(self, current: Option<Revision>) -> bool {
        match self {
            Expect::Absent => current.is_none(),
            Expect::At(revision) => current == Some(revision),
            Expect::Anything => true,
        }
    }
}

impl Change {
    fn value_bytes(&self) -> usize {
        match self {
            Change::Put(value) => value.len(),
            Change::Delete | Change::Keep => 0,
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} bytes at {})", self.value.len(), self.revision.0)
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Put(value) => write!(f, "Put({} bytes)", value.len()),
            Change::Delete => f.write_str("Delete"),
            Change::Keep => f.write_str("Keep"),
        }
    }
}
