//! Checkpoints (C2SP tlog-checkpoint): the text that, once signed, is a log's word about its history.

use std::fmt;

use crate::hash::Hash;

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Leaves of the tree.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
}

/// A note's text isn't a checkpoint of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACheckpoint {
    /// Not three lines that each end. Extension lines are refused too: the ledger has none, and what no
    /// monitor can audit has no place in its head.
    #[error("a checkpoint is three lines: origin, size, root")]
    Layout,
    /// No origin.
    #[error("the origin is empty")]
    Origin,
    /// Not a decimal number without leading zeroes below 2⁶⁴.
    #[error("the size is not a plain decimal number")]
    Size,
    /// Not the base64 of 32 bytes.
    #[error("the root is not the base64 of 32 bytes")]
    Root,
}

impl Checkpoint {
    /// Reads a note's text.
    ///
    /// # Errors
    /// [`NotACheckpoint`].
    pub fn parse(text: &str) -> Result<Self, NotACheckpoint> {
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or(NotACheckpoint::Layout)?.split('\n').collect();
        let [origin, size, root] = lines[..] else { return Err(NotACheckpoint::Layout) };
        if origin.is_empty() {
            return Err(NotACheckpoint::Origin);
        }
        let size = parse_decimal(size).ok_or(NotACheckpoint::Size)?;
        let root = Hash::parse(root).ok_or(NotACheckpoint::Root)?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

impl fmt::Display for Checkpoint {
    /// Writes the text to be signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)
    }
}

/// A number in the one form a checkpoint or proof writes it.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let number = text.parse().ok()?;
    (format!("{number}") == text).then_some(number)
}
