//! One process per directory: an advisory lock the kernel gives back when the process ends, however it ends.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// Held as long as the directory is in use.
#[derive(Debug)]
pub struct DirLock {
    /// The lock lives as long as this file is open anywhere.
    file: File,
}

impl Drop for DirLock {
    /// Closing alone would not do: a child just forked, for a worker say, has the file open too until it becomes a program of
    /// its own. Should the kernel refuse this, closing still gives the lock back, as soon as that child has.
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
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
            Ok(()) => Ok(DirLock { file }),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_free_as_soon_as_its_store_is_closed_whatever_a_child_has_inherited() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let lock = DirLock::take(dir.path()).expect("nobody has it");
        assert!(matches!(DirLock::take(dir.path()), Err(LockError::InUse { .. })));
        let inherited = lock.file.try_clone().expect("what a fork would do");
        drop(lock);
        DirLock::take(dir.path()).expect("it was given back");
        drop(inherited);
    }
}
