//! Proof files (C2SP tlog-proof): what an owner keeps to show, offline, that an entry is in the log.

use std::fmt;

use crate::checkpoint::{Checkpoint, NotACheckpoint, parse_decimal};
use crate::hash::Hash;
use crate::note::{NotANote, Note};
use crate::proof::{InclusionProof, Unproven};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// More levels than a tree of 2⁶⁴ leaves has.
const PATH_LIMIT: usize = 64;

/// An inclusion path and the signed checkpoint it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// The leaf's place, from zero.
    pub index: u64,
    /// Sibling hashes from the leaf to the root.
    pub path: Vec<Hash>,
    /// The signed checkpoint, as issued.
    pub note: Note,
}

/// A text isn't a proof file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAProofFile {
    /// Not the format's first line, or no empty line before the checkpoint.
    #[error("not a `c2sp.org/tlog-proof@v1` file")]
    Layout,
    /// Not `index` and a plain decimal number.
    #[error("the index line is not `index` and a plain decimal number")]
    Index,
    /// Not base64 of 32 bytes, or more hashes than a tree has levels.
    #[error("a path line is not the base64 of 32 bytes")]
    Path,
    /// The checkpoint's note.
    #[error(transparent)]
    Note(#[from] NotANote),
}

impl ProofFile {
    /// Checks that the leaf with this hash is in the checkpointed tree; gives the checkpoint. The note's
    /// signatures are checked apart, see [`Note::verify`].
    ///
    /// # Errors
    /// A note that is no checkpoint, or [`Unproven`].
    pub fn verify(&self, leaf: &Hash) -> Result<Checkpoint, Refused> {
        let head = Checkpoint::parse(self.note.text())?;
        let proof = InclusionProof { index: self.index, size: head.size, path: self.path.clone() };
        proof.verify(leaf, &head.root)?;
        Ok(head)
    }

    /// Reads a proof file; its optional `extra` line is skipped, because nothing authenticates it.
    ///
    /// # Errors
    /// [`NotAProofFile`].
    pub fn parse(text: &str) -> Result<Self, NotAProofFile> {
        let (head, note) = text.split_once("\n\n").ok_or(NotAProofFile::Layout)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(NotAProofFile::Layout);
        }
        lines.next_if(|line| line.starts_with("extra "));
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(parse_decimal);
        let path: Option<Vec<Hash>> = lines.take(PATH_LIMIT + 1).map(Hash::parse).collect();
        Ok(Self {
            index: index.ok_or(NotAProofFile::Index)?,
            path: path.filter(|path| path.len() <= PATH_LIMIT).ok_or(NotAProofFile::Path)?,
            note: Note::parse(note)?,
        })
    }
}

impl fmt::Display for ProofFile {
    /// Writes what [`ProofFile::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}\nindex {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.note)
    }
}

/// Why a proof file shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The note isn't a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] NotACheckpoint),
    /// The path doesn't lead from the leaf to the root.
    #[error(transparent)]
    Unproven(#[from] Unproven),
}
