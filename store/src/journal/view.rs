//! The view: sled, holding what the journal says, so that reads are fast. Never the truth, never flushed on the way.
//!
//! One sled tree holds the records and the mark of how far they go; a frame's effects and the new mark are one sled
//! batch, so after a crash the view is some earlier state of the journal, or broken, and recovery deals with both.
//! Each record carries a checksum over key, revision and value: a record that rots is refused by name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::journal::frame::{Hash, Head, StoreId};
use crate::journal::payload::Effects;
use crate::{Key, Listing, Page, Prefix, Record, Revision, StopCause, StoreError};

/// The records as of some state of the journal.
#[derive(Debug)]
pub struct View {
    db: sled::Db,
    dir: PathBuf,
    /// Publishing takes it alone and a listing shares it, so that no page shows half a commit.
    publishing: RwLock<()>,
}

/// How far a view goes, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub store: StoreId,
    pub head: Head,
}

/// What a record looks like without its value: enough to compare a view with the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    pub revision: Revision,
    pub checksum: u32,
}

const MARK: &[u8] = b"m";
const RECORD: u8 = b'r';

const LOCK_TRIES: u32 = 1000;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

impl View {
    /// Opens the view in `dir`, empty if there's none.
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<View, String> {
        let config = sled::Config::new().path(dir).cache_capacity(cache_bytes);
        let db = open_once_let_go(&config).map_err(|error| error.to_string())?;
        Ok(View { db, dir: dir.to_owned(), publishing: RwLock::new(()) })
    }

    /// How far the view goes; `None` in a new one. An error says what is wrong with it.
    pub fn mark(&self) -> Result<Option<Mark>, String> {
        let stored = self.db.get(MARK).map_err(|error| error.to_string())?;
        match stored {
            Some(bytes) => Mark::parse(&bytes).map(Some),
            None if self.db.is_empty() => Ok(None),
            None => Err("it was never finished".to_owned()),
        }
    }

    /// Makes the effects of one frame visible, all at once, with the mark of how far the view goes then.
    pub fn publish(&self, store: StoreId, effects: Effects) -> io::Result<()> {
        let mut batch = sled::Batch::default();
        for (key, record) in effects.changes {
            match record {
                Some(record) => batch.insert(place(&key), stored(&key, &record)),
                None => batch.remove(place(&key)),
            }
        }
        if let Some(head) = effects.head {
            batch.insert(MARK, Mark { store, head }.emit());
        }
        let _alone = self.publishing.write().unwrap_or_else(PoisonError::into_inner);
        Ok(self.db.apply_batch(batch)?)
    }

    pub fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let bytes = self.db.get(place(key)).map_err(|error| self.failed(&error))?;
        bytes.map(|bytes| record(key, &bytes)).transpose()
    }

    /// Who last wrote `key`.
    pub fn revision(&self, key: &Key) -> Result<Option<Revision>, StoreError> {
        Ok(self.load(key)?.map(|record| record.revision))
    }

    /// What is stored under `key`, without its value.
    pub fn digest(&self, key: &Key) -> Result<Option<Digest>, StoreError> {
        Ok(self.load(key)?.map(|record| Digest::of(key, &record)))
    }

    pub fn list(&self, prefix: &Prefix, page: &Page) -> Result<Listing, StoreError> {
        let limit = page.bounded_limit();
        let start = match page.start(prefix)? {
            // No key lies between this key and itself with a zero byte behind it.
            Some(key) => [&place(key)[..], &[0]].concat(),
            None => place(&prefix.first_key()),
        };
        let _whole = self.publishing.read().unwrap_or_else(PoisonError::into_inner);
        let under = place(&prefix.first_key());
        let mut records = Vec::new();
        for entry in self.db.range(start..).take(limit + 1) {
            let (at, bytes) = entry.map_err(|error| self.failed(&error))?;
            if !at.starts_with(&under) {
                break;
            }
            let key = Key::from_stored(&at[1..]).expect("only keys are published behind the record byte");
            let record = record(&key, &bytes)?;
            records.push((key, record));
        }
        Ok(Listing::cut(records, limit))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A view that can't be read is of no use before the next start, which makes it anew if it has to.
    fn failed(&self, error: &sled::Error) -> StoreError {
        let cause = match error {
            sled::Error::Io(error) => StopCause::of(error),
            _ => StopCause::Fault,
        };
        StoreError::Stopped {
            cause,
            reason: format!("reading the view {} failed: {error}", self.dir.display()),
        }
    }
}

/// sled's own threads may hold its lock for a moment after the database was dropped. The store's lock is ours already,
/// so whoever holds sled's is a former view of this process, about to end.
fn open_once_let_go(config: &sled::Config) -> sled::Result<sled::Db> {
    for _ in 0..LOCK_TRIES {
        match config.open() {
            Err(error) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(LOCK_PAUSE)
            }
            opened => return opened,
        }
    }
    config.open()
}

impl Mark {
    fn emit(self) -> Vec<u8> {
        [&self.store.0[..], &self.head.sequence.to_be_bytes(), &self.head.hash.0].concat()
    }

    fn parse(bytes: &[u8]) -> Result<Mark, String> {
        let bytes: &[u8; 56] = bytes.try_into().map_err(|_| "its mark can't be read".to_owned())?;
        let (store, rest) = bytes.split_first_chunk().expect("56 bytes hold the id");
        let (sequence, rest) = rest.split_first_chunk().expect("and the number");
        let hash = rest.first_chunk().expect("and the hash");
        let head = Head { sequence: u64::from_be_bytes(*sequence), hash: Hash(*hash) };
        Ok(Mark { store: StoreId(*store), head })
    }
}

impl Digest {
    pub fn of(key: &Key, record: &Record) -> Digest {
        Digest { revision: record.revision, checksum: checksum(key, record.revision, &record.value) }
    }
}

fn place(key: &Key) -> Vec<u8> {
    [&[RECORD], key.as_bytes()].concat()
}

fn stored(key: &Key, record: &Record) -> Vec<u8> {
    let checksum = checksum(key, record.revision, &record.value);
    [&record.revision.0.to_be_bytes()[..], &checksum.to_be_bytes(), &record.value].concat()
}

fn record(key: &Key, bytes: &[u8]) -> Result<Record, StoreError> {
    let damaged = || StoreError::Damaged { key: key.clone() };
    let (revision, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
    let (stated, value) = rest.split_first_chunk().ok_or_else(damaged)?;
    let revision = Revision(u64::from_be_bytes(*revision));
    if checksum(key, revision, value) != u32::from_be_bytes(*stated) {
        return Err(damaged());
    }
    Ok(Record { value: value.to_vec(), revision })
}

fn checksum(key: &Key, revision: Revision, value: &[u8]) -> u32 {
    let checksum = crc32c::crc32c_append(crc32c::crc32c(key.as_bytes()), &revision.0.to_be_bytes());
    crc32c::crc32c_append(checksum, value)
}
