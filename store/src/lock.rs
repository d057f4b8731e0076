//! One process per directory: an advisory lock the kernel gives back when the process ends, however it ends.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// Held as long as the directory is in use.
#[derive(Debug)]
pub struct DirLock {
    /// The lock lives as long as this file is open.
    _file: File,
}

/// Why a directory can't be used.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process, or another store in this one, has it.
    #[error("{} is in use by another process: stop that one, or choose another directory", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The lock file can't be made.
    #[error("{} can't be locked: {source}: make it a writable directory", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DirLock {
    /// Makes `dir` if needed and locks it.
    ///
    /// # Errors
    /// [`LockError`], naming the directory.
    pub fn take(dir: &Path) -> Result<DirLock, LockError> {
        let io = |source| LockError::Io { dir: dir.to_owned(), source };
        make_durably(dir).map_err(io)?;
        let lock = dir.join("LOCK");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(lock).map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(DirLock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::InUse { dir: dir.to_owned() }),
            Err(errno) => Err(io(errno.into())),
        }
    }
}

/// Makes a directory and those it lies in, each durable by name.
fn make_durably(dir: &Path) -> io::Result<()> {
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if dir.is_dir() {
        return Ok(());
    }
    make_durably(parent)?;
    std::fs::create_dir(dir)?;
    File::open(parent)?.sync_all()
}
