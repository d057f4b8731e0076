//! Files that survive a power cut: written beside, synced, renamed, and the directory synced too.
//!
//! If we crash before the rename, the old file stands; after it, the new one. A file is never half of each.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Readable and writable by the owner alone: everything a device keeps is its own business.
const OWNER_ONLY: u32 = 0o600;

/// Makes `path` hold exactly `bytes`, durably.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_parent(path)
}

/// An empty file only the owner can read, whatever stood there before.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).mode(OWNER_ONLY).open(path)
}

/// A directory in use: held as long as this lives, and given back by the system if we are killed.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes it, or says that somebody has it.
    pub(crate) fn take(path: &Path) -> Result<Self, TryLockError> {
        let file = create(path).map_err(TryLockError::Error)?;
        file.try_lock().map(|()| Self(file))
    }
}

impl Drop for Lock {
    /// Closing alone would not do: a child just forked has the file open too until it becomes a program of its own.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Makes the name of `path` durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_free_as_soon_as_its_device_is_closed_whatever_a_child_has_inherited() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(TryLockError::WouldBlock)));
        let inherited = lock.0.try_clone().unwrap();
        drop(lock);
        Lock::take(&path).unwrap();
        drop(inherited);
    }
}
