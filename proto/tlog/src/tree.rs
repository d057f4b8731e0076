//! The tree of a log, with everything needed to prove: all full subtrees' roots, level by level.
//!
//! Rebuilt from stored leaf hashes at start-up and appended to from then on; 64 bytes of memory a leaf.
//! The proofs are RFC 6962's definitions, read off as they stand there (2.1.1 and 2.1.2).

use std::ops::Range;

use crate::hash::{Hash, empty_root, node_hash};
use crate::proof::{ConsistencyProof, InclusionProof};

/// A Merkle tree that only grows.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// `levels[k][i]` is the root over leaves `i·2ᵏ .. (i+1)·2ᵏ`; incomplete subtrees aren't kept.
    levels: Vec<Vec<Hash>>,
}

/// A size or an index the tree doesn't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log has {size} leaves; {asked} is out of range")]
pub struct OutOfRange {
    /// What was asked for.
    pub asked: u64,
    /// What there is.
    pub size: u64,
}

impl Tree {
    /// The tree over these leaf hashes.
    pub fn from_leaves(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut tree = Self::default();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Appends a leaf by its hash: two hashes on average, one a level at most.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(node);
            match nodes[..] {
                [.., left, right] if nodes.len().is_multiple_of(2) => node = node_hash(&left, &right),
                _ => return,
            }
        }
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        self.subtree(0..self.size())
    }

    /// The root over the first `size` leaves.
    ///
    /// # Errors
    /// [`OutOfRange`] when there are fewer.
    pub fn root_at(&self, size: u64) -> Result<Hash, OutOfRange> {
        self.within(size)?;
        Ok(self.subtree(0..size))
    }

    /// Proves that leaf `index` is in the tree of the first `size` leaves.
    ///
    /// # Errors
    /// [`OutOfRange`] when the log has fewer leaves, or the index isn't below the size.
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<InclusionProof, OutOfRange> {
        self.within(size)?;
        if index >= size {
            return Err(OutOfRange { asked: index, size });
        }
        let mut path = Vec::new();
        self.path(index, 0..size, &mut path);
        Ok(InclusionProof { index, size, path })
    }

    /// Proves that the tree of the first `old` leaves is the beginning of the tree of the first `new`.
    ///
    /// # Errors
    /// [`OutOfRange`] when the log has fewer leaves, or `old` is above `new`.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<ConsistencyProof, OutOfRange> {
        self.within(new)?;
        if old > new {
            return Err(OutOfRange { asked: old, size: new });
        }
        let mut path = Vec::new();
        if old > 0 {
            self.subproof(old, 0..new, Shown::Already, &mut path);
        }
        Ok(ConsistencyProof { old, new, path })
    }

    fn within(&self, asked: u64) -> Result<(), OutOfRange> {
        let size = self.size();
        if asked <= size { Ok(()) } else { Err(OutOfRange { asked, size }) }
    }

    /// MTH of a range whose start is a multiple of the power of two that covers its length.
    fn subtree(&self, range: Range<u64>) -> Hash {
        let length = range.end - range.start;
        if length == 0 {
            return empty_root();
        }
        if length.is_power_of_two() {
            let level = length.trailing_zeros();
            return self.levels[level as usize][(range.start >> level) as usize];
        }
        let middle = split(&range);
        node_hash(&self.subtree(range.start..middle), &self.subtree(middle..range.end))
    }

    /// PATH(m, D[n]) of RFC 6962, 2.1.1, over a range.
    fn path(&self, leaf: u64, range: Range<u64>, path: &mut Vec<Hash>) {
        if range.end - range.start == 1 {
            return;
        }
        let middle = split(&range);
        let (left, right) = (range.start..middle, middle..range.end);
        let (towards, sibling) = if leaf < middle { (left, right) } else { (right, left) };
        self.path(leaf, towards, path);
        path.push(self.subtree(sibling));
    }

    /// SUBPROOF(m, D[n], b) of RFC 6962, 2.1.2, over a range; `old` counts from the log's start.
    fn subproof(&self, old: u64, range: Range<u64>, shown: Shown, path: &mut Vec<Hash>) {
        if old == range.end {
            if matches!(shown, Shown::NotYet) {
                path.push(self.subtree(range));
            }
            return;
        }
        let middle = split(&range);
        let (left, right) = (range.start..middle, middle..range.end);
        if old <= middle {
            self.subproof(old, left, shown, path);
            path.push(self.subtree(right));
        } else {
            self.subproof(old, right, Shown::NotYet, path);
            path.push(self.subtree(left));
        }
    }
}

/// Whether the verifier already has the root of the subtree at hand: RFC 6962's `b`.
#[derive(Clone, Copy)]
enum Shown {
    Already,
    NotYet,
}

/// Where a range of two or more splits: at the largest power of two below its length.
fn split(range: &Range<u64>) -> u64 {
    let length = range.end - range.start;
    range.start + (1 << (length - 1).ilog2())
}
