//! Durable records for the licensor and the vault: load one, list some, commit a set of writes or none of them.
//!
//! Hop: whatever a service answers rests on a record kept here. The rule of the room: a commit is answered only
//! after it is durable, and nothing else in the project syncs records to a disk.
//!
//! [`JournalStore`] is the embedded default: an append-only journal is the truth, sled is the view that answers
//! reads (`FORMAT.md`, `docs/decisions/0001-journal-is-the-truth.md`). [`PostgresStore`] keeps the same contract for houses
//! that outgrow one disk. [`MemoryStore`] is the same contract with
//! faults to order, for the tests of whoever builds on it. [`blobs`] keeps the bytes that are too large for a record.
//!
//! Deliberately absent: what the bytes mean, encryption (values arrive sealed where they must be), clocks.

pub mod blobs;
mod change;
mod claim;
mod contract;
mod journal;
mod key;
mod lock;
mod memory;
mod near;
mod news;
mod postgres;

pub use change::{Change, Commit, Expect, Record, Revision, Write};
pub use claim::{Claim, Standing};
pub use contract::{CommitError, Listing, Page, PageToken, StopCause, Store, StoreError};
pub use journal::{
    Flaw, Hash, Head, JournalStore, OpenError, Options, Recovery, Sound, TornTail, ViewFault, ViewOutcome,
    copy_journal, read_journal,
};
pub use key::{Key, KeyError, Prefix};
pub use lock::LockError;
pub use memory::{Fault, MemoryStore};
pub use news::{Listener, News};
pub use postgres::{PostgresError, PostgresStore};
