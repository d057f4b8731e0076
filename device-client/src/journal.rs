//! The journal: what the device must not forget, written and synced before the effect it speaks of.
//!
//! Entries are only ever appended; opening folds them into a [`Memory`]. It is where a job is spent for ever
//! (D3), sessions are counted (D4), time finds its floor (D5) and the ledger its largest head. Whatever line
//! the power is cut at, the memory is that of some prefix of the entries: a torn last entry is cut off, and
//! damage anywhere before it stops the device, because a forgotten entry is a job that could print twice.
//! Deliberately absent: segments, which the spool keeps and every start checks again.

mod entry;
mod memory;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use entry::{Entry, TreeHead};
pub use memory::{Active, Contradiction, Ended, Memory, Motion};

use crate::disk;

/// First bytes of every journal.
pub(crate) const MAGIC: &[u8; 21] = b"layerlock/journal/v1\n";

/// Longest entry, in bytes: a receipt's statement is under 300.
const ENTRY_LIMIT: usize = 4096;

/// A journal longer than this is written anew, without what is over, when it is opened between two jobs.
const REWRITE_FROM: usize = 256 * 1024;

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Length of all whole entries: where a failed write is cut back to.
    length: u64,
    memory: Memory,
}

/// Why the journal can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system says no; nothing was recorded.
    #[error("the journal {path} can't be read or written: {source}; free the disk or its permissions")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is damaged before its end.
    #[error(
        "the journal {path} is damaged at byte {at}: going on could print a job twice; enrol the device anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the first entry that can't be read begins.
        at: usize,
    },
    /// Its entries contradict each other.
    #[error("the journal {path} contradicts itself: {source}; enrol the device anew")]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// How.
        source: Contradiction,
    },
}

impl Journal {
    /// Opens a journal, or begins one where there is none.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.into(), source };
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(path).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() < MAGIC.len() && MAGIC.starts_with(&bytes) {
            return Self::begin(path).map_err(io);
        }
        let (memory, length) = read(path, &bytes)?;
        if length < bytes.len() {
            file.set_len(length as u64).and_then(|()| file.sync_all()).map_err(io)?;
        }
        let mut journal = Self { path: path.into(), file, length: length as u64, memory };
        if length > REWRITE_FROM && journal.memory.active().is_none() {
            journal.rewrite().map_err(io)?;
        }
        Ok(journal)
    }

    fn begin(path: &Path) -> io::Result<Self> {
        disk::replace(path, MAGIC)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self { path: path.into(), file, length: MAGIC.len() as u64, memory: Memory::default() })
    }

    /// What the entries so far say.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Records one entry. When this returns it is durable; when it fails it was not recorded.
    ///
    /// # Errors
    /// [`JournalError`]; an entry that contradicts the memory is refused before it is written.
    pub fn record(&mut self, entry: Entry) -> Result<(), JournalError> {
        let mut next = self.memory.clone();
        let frame = frame(&entry.emit());
        next.apply(entry)
            .map_err(|source| JournalError::Contradiction { path: self.path.clone(), source })?;
        // If we crash here, nothing is written: the effect this entry speaks of has not begun.
        let written = self.file.write_all(&frame).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // A half-written entry must not stand before the next one.
            let path = self.path.clone();
            self.file
                .set_len(self.length)
                .map_err(|source| JournalError::Io { path: path.clone(), source })?;
            return Err(JournalError::Io { path, source });
        }
        // If we crash here, the entry stands and the effect has not begun: recovery takes it for begun.
        self.length += frame.len() as u64;
        self.memory = next;
        Ok(())
    }

    /// Writes the journal anew with only what still matters.
    fn rewrite(&mut self) -> io::Result<()> {
        let entries = self.memory.entries().flat_map(|entry| frame(&entry.emit()));
        let bytes: Vec<u8> = MAGIC.iter().copied().chain(entries).collect();
        disk::replace(&self.path, &bytes)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.length = bytes.len() as u64;
        Ok(())
    }
}

/// Folds the whole entries; gives the memory and the length they take.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<(Memory, usize), JournalError> {
    let damaged = |at| JournalError::Damaged { path: path.into(), at };
    let mut memory = Memory::default();
    let mut at = MAGIC.len();
    if !bytes.starts_with(MAGIC) {
        return Err(damaged(0));
    }
    while let Some((entry, length)) = parse_frame(&bytes[at..]) {
        memory.apply(entry).map_err(|source| JournalError::Contradiction { path: path.into(), source })?;
        at += length;
    }
    // At most the last write can be torn. A whole entry anywhere behind means that this one was damaged.
    let torn = (at + 1..bytes.len()).all(|later| parse_frame(&bytes[later..]).is_none());
    if torn { Ok((memory, at)) } else { Err(damaged(at)) }
}

/// `length u32 ‖ entry ‖ crc32c u32`, the checksum over length and entry.
pub(crate) fn frame(entry: &[u8]) -> Vec<u8> {
    let length = u32::try_from(entry.len()).expect("entries are far under 4 GiB");
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(entry);
    frame.extend_from_slice(&crc32c::crc32c(&frame).to_be_bytes());
    frame
}

fn parse_frame(bytes: &[u8]) -> Option<(Entry, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length <= ENTRY_LIMIT)?;
    let (entry, rest) = rest.split_at_checked(length)?;
    let (checksum, _) = rest.split_first_chunk::<4>()?;
    let fits = crc32c::crc32c(&bytes[..4 + length]) == u32::from_be_bytes(*checksum);
    fits.then(|| Entry::parse(entry).ok()).flatten().map(|entry| (entry, length + 8))
}

#[cfg(test)]
mod tests;
