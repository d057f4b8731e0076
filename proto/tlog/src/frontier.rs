//! The right edge of a growing tree: enough to append and to know the root, nothing to prove with.
//!
//! O(log n) memory and O(log n) hashes an append. An auditor who reads all leaves once needs no more.

use crate::checkpoint::Checkpoint;
use crate::hash::{Hash, empty_root, node_hash};
use crate::proof::Unproven;

/// The roots of the full subtrees that cover the leaves so far, the largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    peaks: Vec<Hash>,
    size: u64,
}

impl Frontier {
    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing 1 bit of the size is a full subtree that the new one completes to the next size.
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("every 1 bit of the size has its peak");
            node = node_hash(&left, &node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().copied();
        match peaks.next() {
            Some(last) => peaks.fold(last, |right, left| node_hash(&left, &right)),
            None => empty_root(),
        }
    }
}

/// Audits a whole log: replays every leaf hash and holds each checkpoint seen, in order of size, to the
/// root at its size. Passing means that all these checkpoints are heads of this one history.
///
/// # Errors
/// [`Unproven`] when a checkpoint's root isn't the replayed one, or its size is beyond the leaves.
pub fn audit(leaves: impl IntoIterator<Item = Hash>, heads: &[Checkpoint]) -> Result<(), Unproven> {
    let mut frontier = Frontier::default();
    let mut leaves = leaves.into_iter();
    for head in heads {
        while frontier.size() < head.size {
            frontier.push(leaves.next().ok_or(Unproven)?);
        }
        if frontier.size() != head.size || frontier.root() != head.root {
            return Err(Unproven);
        }
    }
    Ok(())
}
