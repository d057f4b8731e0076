//! Why G-code is no toolpath, by the line.

use super::moves::MOST_MOVES;
use crate::words::Garbled;

/// Why G-code is no toolpath.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A line that can't be followed.
    #[error("line {line} of the G-code: {why}")]
    Line {
        /// Counted from one.
        line: u32,
        /// What is wrong with it.
        why: Why,
    },
    /// No plastic is laid.
    #[error("the G-code lays no plastic")]
    Empty,
    /// Whoever takes the pieces is gone.
    #[error("the toolpath is not wanted any more")]
    Closed,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not a command and its numbers.
    #[error("it is no command with its numbers")]
    Garbled,
    /// A command no toolpath has.
    #[error("`{0}` has no place in a toolpath")]
    Command(String),
    /// A place outside the machine.
    #[error("it leaves the machine's volume")]
    Outside,
    /// A layer that lies at several heights, or below the one before.
    #[error("it lays plastic at another height than its layer's")]
    Height,
    /// Plastic where nobody said which layer it is of.
    #[error("it lays plastic before the first layer is named")]
    NoLayer,
    /// A kind of line that has no name here.
    #[error("it lays plastic for `{0}`, which has no place in a toolpath")]
    Feature(String),
    /// A move that begins nowhere.
    #[error("it lays plastic from an unknown place")]
    Nowhere,
    /// More heat, speed or force than fits.
    #[error("`{0}` is beyond every machine")]
    Beyond(char),
    /// A word that makes another command of it.
    #[error("`{0}` with `{1}` has no place in a toolpath")]
    Word(String, char),
    /// More filament than was pulled back, without a move.
    #[error("it feeds filament standing still, and more than was pulled back")]
    Standing,
    /// A layer that takes too much memory wherever it is read.
    #[error("it is one move too many for one layer: at most {MOST_MOVES}")]
    Crowded,
}

impl From<Garbled> for Why {
    fn from(_: Garbled) -> Self {
        Self::Garbled
    }
}
