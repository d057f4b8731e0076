//! Why a journal can't be opened: always which file, where in it, and the mend.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::StopCause;
use crate::journal::disk::Disk;
use crate::journal::frame::Flaw;
use crate::lock::LockError;

/// Why a [`JournalStore`](crate::JournalStore) can't be opened. Nothing was changed that recovery wouldn't change.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has the directory, or it can't be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Damage inside the journal, where no power cut can have been: what follows it was durable and acknowledged.
    #[error(
        "{} is damaged at byte {offset}: {flaw}. This is no torn write, so nothing was cut off: put back this file \
         from a copy, or the whole directory from a backup",
        file.display()
    )]
    Broken {
        /// The file.
        file: PathBuf,
        /// Where the broken frame or header begins, in bytes.
        offset: u64,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A file that must be there isn't.
    #[error("{} is missing: the journal goes on after it, or must; put it back from a copy or a backup", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// There is a view but no journal at all.
    #[error(
        "{} holds a view but no journal file: the view is no truth to start from. Put the journal files back, or move \
         the view directory away to begin an empty store",
        dir.display()
    )]
    JournalGone {
        /// The store's directory.
        dir: PathBuf,
    },
    /// The view was published further than the journal goes. Commits are durable before they are published, so
    /// acknowledged ones are gone from the journal: no crash does that, a person or a disk did.
    #[error(
        "{} ends at commit {journal}, but the view {} was published up to commit {published}: acknowledged commits \
         behind {journal} are missing from the journal, so nothing was changed. Put the journal files back from a \
         backup that has them; or, if the loss is accepted, move the view directory away and start again: that \
         starts from what the journal has",
        file.display(),
        view.display()
    )]
    CommitsLost {
        /// The journal's last file.
        file: PathBuf,
        /// The journal's newest commit.
        journal: u64,
        /// The view's directory.
        view: PathBuf,
        /// The view's newest commit.
        published: u64,
    },
    /// A file has been put here from another store.
    #[error("{} belongs to another store: take it out, and put back this store's own", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// The system refused. Opening again is safe once the cause is gone.
    #[error("{} failed: {source}: nothing was stored; see to the disk and open the store again", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The view failed even after it was rebuilt.
    #[error(
        "the view {} can't be rebuilt from the journal: {detail}; see to its disk (views set aside next to it may be \
         deleted) and open the store again",
        dir.display()
    )]
    View {
        /// The view's directory.
        dir: PathBuf,
        /// What happened.
        detail: String,
    },
    /// A fresh snapshot doesn't read back as it was written.
    #[error("the new snapshot {} doesn't hold what the journal holds: the older files are kept; see to the disk", file.display())]
    SnapshotDiffers {
        /// The snapshot.
        file: PathBuf,
    },
}

impl OpenError {
    /// An I/O error at one file.
    pub(crate) fn at<'a>(disk: &'a dyn Disk, name: &'a str) -> impl Fn(io::Error) -> OpenError + 'a {
        move |source| OpenError::io(&disk.place().join(name), source)
    }

    /// What a running store that met this is stopped by.
    pub(crate) fn stop_cause(&self) -> StopCause {
        match self {
            OpenError::Io { source, .. } => StopCause::of(source),
            _ => StopCause::Fault,
        }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> OpenError {
        OpenError::Io { path: path.to_owned(), source }
    }
}
