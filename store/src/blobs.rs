//! Large bytes: sealed designs and pictures. Durable before the record that names them.
//!
//! They are files of one directory, for one process, or objects of an S3-compatible store, for any number of them. Either
//! way a blob is whole or not there, never changes under its name, and leaves nothing if its writer fails. Calls block;
//! run them off the async threads.
//!
//! Deliberately absent: encryption (the vault seals before it writes) and any meaning of a name.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use thiserror::Error;

use crate::lock::LockError;

mod dir;
mod objects;

pub use dir::{BlobDir, FileReader, FileWriter};
pub use objects::{Credentials, ObjectReader, ObjectWriter, Objects, ObjectsError, S3};

/// Where blobs are kept.
#[derive(Clone, Debug)]
pub enum Blobs {
    /// Files of a directory.
    Dir(BlobDir),
    /// Objects of a store that others may use as well.
    Objects(Objects),
}

/// The name of a blob: 1 to [`BlobName::MAX_CHARS`] lowercase hexadecimal digits, so never a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobName(String);

/// A blob in the making. Dropped without [`BlobWriter::commit`], it leaves nothing.
#[derive(Debug)]
pub enum BlobWriter {
    /// A file.
    File(FileWriter),
    /// An object.
    Object(ObjectWriter),
}

/// A blob opened for reading, from the start.
#[derive(Debug)]
pub enum BlobReader {
    /// A file.
    File(FileReader),
    /// An object.
    Object(ObjectReader),
}

/// Why a blob can't be stored, read or removed.
#[derive(Debug, Error)]
pub enum BlobError {
    /// Not a blob name.
    #[error("{given:?} is no blob name: use 1 to {max} lowercase hexadecimal digits", max = BlobName::MAX_CHARS)]
    Name {
        /// What was given.
        given: String,
    },
    /// There is no such blob.
    #[error("there is no blob {name}")]
    Absent {
        /// The name.
        name: BlobName,
    },
    /// The name is taken; blobs never change.
    #[error("the blob name {name} is taken: delete that blob or choose another name")]
    Taken {
        /// The name.
        name: BlobName,
    },
    /// The disk is full. Nothing was stored.
    #[error("the disk of {} is full: nothing was stored; free space there and try again", dir.display())]
    Full {
        /// The blob directory.
        dir: PathBuf,
    },
    /// The system refused. Nothing was stored.
    #[error("{} failed: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store of objects didn't do what it was asked. A write may have been stored.
    #[error("the object {name} can't be had or stored: {detail}")]
    Remote {
        /// Which object.
        name: String,
        /// What the store said.
        detail: String,
    },
    /// The directory can't be used.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl Blobs {
    /// Begins a blob. Nothing is under `name` until the writer commits.
    ///
    /// # Errors
    /// [`BlobError::Taken`], [`BlobError::Full`], [`BlobError::Io`], [`BlobError::Remote`].
    pub fn create(&self, name: &BlobName) -> Result<BlobWriter, BlobError> {
        Ok(match self {
            Self::Dir(dir) => BlobWriter::File(dir.create(name)?),
            Self::Objects(objects) => BlobWriter::Object(objects.create(name)?),
        })
    }

    /// Opens a blob for reading.
    ///
    /// # Errors
    /// [`BlobError::Absent`], [`BlobError::Io`], [`BlobError::Remote`].
    pub fn read(&self, name: &BlobName) -> Result<BlobReader, BlobError> {
        Ok(match self {
            Self::Dir(dir) => BlobReader::File(dir.read(name)?),
            Self::Objects(objects) => BlobReader::Object(objects.read(name)?),
        })
    }

    /// Removes a blob, durably. Readers that have it open may finish.
    ///
    /// # Errors
    /// [`BlobError::Absent`], [`BlobError::Io`], [`BlobError::Remote`].
    pub fn delete(&self, name: &BlobName) -> Result<(), BlobError> {
        match self {
            Self::Dir(dir) => dir.delete(name),
            Self::Objects(objects) => objects.delete(name),
        }
    }

    /// The names of all blobs written up to `before`, in order: for finding those no record names. Files are one
    /// process's own, which knows what it is writing: their age is not asked.
    ///
    /// # Errors
    /// [`BlobError::Io`], [`BlobError::Remote`].
    pub fn names(&self, before: SystemTime) -> Result<Vec<BlobName>, BlobError> {
        match self {
            Self::Dir(dir) => dir.names(),
            Self::Objects(objects) => objects.names(before),
        }
    }
}

impl BlobWriter {
    /// Makes the blob durable under its name; answers its size in bytes.
    ///
    /// # Errors
    /// [`BlobError::Taken`], [`BlobError::Full`], [`BlobError::Io`], [`BlobError::Remote`]; whichever, nothing is left
    /// behind.
    pub fn commit(self) -> Result<u64, BlobError> {
        match self {
            Self::File(writer) => writer.commit(),
            Self::Object(writer) => writer.commit(),
        }
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(writer) => writer.write(bytes),
            Self::Object(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobReader {
    /// The blob's size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::File(reader) => reader.size(),
            Self::Object(reader) => reader.size(),
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(reader) => reader.read(buffer),
            Self::Object(reader) => reader.read(buffer),
        }
    }
}

impl BlobName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 128;

    /// A name as someone gave it.
    ///
    /// # Errors
    /// [`BlobError::Name`].
    pub fn parse(given: &str) -> Result<BlobName, BlobError> {
        let hexadecimal = given.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match given.len() {
            1..=BlobName::MAX_CHARS if hexadecimal => Ok(BlobName(given.to_owned())),
            _ => Err(BlobError::Name { given: given.chars().take(2 * BlobName::MAX_CHARS).collect() }),
        }
    }

    /// The name that spells `bytes` (an id, a digest; at most 64 bytes).
    ///
    /// # Errors
    /// [`BlobError::Name`] when there are none or too many.
    pub fn from_bytes(bytes: &[u8]) -> Result<BlobName, BlobError> {
        BlobName::parse(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobName({self})")
    }
}
