//! What recovery found and did: for the log of whoever opened the store.

use std::fmt;
use std::path::PathBuf;

use crate::Key;
use crate::journal::frame::Head;

/// The report of one opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Where the journal ends.
    pub head: Head,
    /// The write a crash interrupted, now cut off. It was never acknowledged.
    pub torn: Option<TornTail>,
    /// Snapshots that couldn't be read, renamed to end in `.damaged`; an older one and the parts since served instead.
    pub damaged_snapshots: Vec<PathBuf>,
    /// What became of the view.
    pub view: ViewOutcome,
}

/// Bytes that were cut off the end of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The file.
    pub file: PathBuf,
    /// Where the torn frame began, in bytes.
    pub offset: u64,
    /// How much of it there was.
    pub bytes: u64,
}

/// What became of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewOutcome {
    /// There was none; it was built from the journal.
    Built,
    /// It was an earlier state of the journal, or the latest.
    Kept {
        /// Commits it was behind, now published.
        replayed: u64,
    },
    /// It couldn't be used and was built anew.
    Rebuilt {
        /// What was wrong with it.
        why: ViewFault,
        /// Where it is now; no longer needed by the store.
        aside: PathBuf,
    },
}

/// What was wrong with a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewFault {
    /// It didn't open, or broke while it was read or filled.
    Unreadable {
        /// What was said.
        detail: String,
    },
    /// It came up empty: a crash came before sled wrote anything, or sled took damage for an empty database.
    Empty,
    /// It belongs to another store.
    Foreign,
    /// It lacks commits that the journal holds only as a snapshot.
    Gap {
        /// The view's newest commit.
        view: u64,
        /// The oldest state the journal can start from.
        journal: u64,
    },
    /// Its state was never a state of this journal.
    Diverged {
        /// The view's newest commit.
        view: u64,
    },
    /// A sampled record isn't what the journal says.
    Differs {
        /// The record.
        key: Key,
    },
}

impl Recovery {
    /// Whether nothing was cut off, set aside or built anew: as a plain start, the very first one included, leaves it.
    pub fn is_uneventful(&self) -> bool {
        let view_is_well = match self.view {
            ViewOutcome::Kept { .. } => true,
            // With commits in the journal there has been a view before.
            ViewOutcome::Built => self.head == Head::START,
            ViewOutcome::Rebuilt { .. } => false,
        };
        self.torn.is_none() && self.damaged_snapshots.is_empty() && view_is_well
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal at commit {}; {}", self.head.sequence, self.view)?;
        if let Some(torn) = &self.torn {
            write!(f, "; {torn}")?;
        }
        for snapshot in &self.damaged_snapshots {
            write!(f, "; damaged snapshot set aside: {}", snapshot.display())?;
        }
        Ok(())
    }
}

impl fmt::Display for TornTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TornTail { file, offset, bytes } = self;
        write!(f, "cut {bytes} bytes of an unacknowledged write off {} at byte {offset}", file.display())
    }
}

impl fmt::Display for ViewOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ViewOutcome::Built => f.write_str("view built from the journal"),
            ViewOutcome::Kept { replayed } => write!(f, "view kept, {replayed} commits replayed"),
            ViewOutcome::Rebuilt { why, aside } => {
                write!(
                    f,
                    "view rebuilt from the journal because {why}; the old one is now {}",
                    aside.display()
                )
            }
        }
    }
}

impl fmt::Display for ViewFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ViewFault::Unreadable { detail } => write!(f, "it can't be read ({detail})"),
            ViewFault::Empty => f.write_str("it came up empty"),
            ViewFault::Foreign => f.write_str("it belongs to another store"),
            ViewFault::Gap { view, journal } => {
                write!(f, "it stopped at commit {view} and the journal begins with a snapshot at {journal}")
            }
            ViewFault::Diverged { view } => write!(f, "its state at commit {view} was never this journal's"),
            ViewFault::Differs { key } => write!(f, "its record {key} isn't what the journal says"),
        }
    }
}
