//! Verifying: what a proof shows to someone who has two roots, or a leaf and a root, and nothing else.
//!
//! The algorithms of RFC 9162, 2.1.3.2 and 2.1.4.2, which walk the bits of index and size; they share no
//! line with the definitions the prover follows, so that the tests hold each to the other.

use crate::hash::{Hash, node_hash};

/// That a leaf is in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The leaf's place, from zero.
    pub index: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// Sibling hashes from the leaf to the root.
    pub path: Vec<Hash>,
}

/// That a tree is the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Leaves of the earlier tree.
    pub old: u64,
    /// Leaves of the later tree.
    pub new: u64,
    /// The hashes of RFC 6962's PROOF(old, new).
    pub path: Vec<Hash>,
}

/// The proof doesn't show what it is said to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not fit: another leaf, another tree, or a log that was rewritten")]
pub struct Unproven;

impl InclusionProof {
    /// Checks that the leaf with this hash stands at `index` of the tree with this root.
    ///
    /// # Errors
    /// [`Unproven`].
    pub fn verify(&self, leaf: &Hash, root: &Hash) -> Result<(), Unproven> {
        if self.index >= self.size {
            return Err(Unproven);
        }
        let (mut place, mut last) = (self.index, self.size - 1);
        let mut node = *leaf;
        for sibling in &self.path {
            if last == 0 {
                return Err(Unproven);
            }
            if place % 2 == 1 || place == last {
                node = node_hash(sibling, &node);
                climb_to_right_child(&mut place, &mut last);
            } else {
                node = node_hash(&node, sibling);
            }
            (place, last) = (place >> 1, last >> 1);
        }
        proven(last == 0 && node == *root)
    }
}

impl ConsistencyProof {
    /// Checks that the tree with root `old_root` is the beginning of the tree with root `new_root`.
    ///
    /// # Errors
    /// [`Unproven`].
    pub fn verify(&self, old_root: &Hash, new_root: &Hash) -> Result<(), Unproven> {
        match (self.old, self.new) {
            (old, new) if old > new => Err(Unproven),
            (old, new) if old == new => proven(self.path.is_empty() && old_root == new_root),
            (0, _) => proven(self.path.is_empty() && *old_root == crate::hash::empty_root()),
            _ => self.verify_growth(old_root, new_root),
        }
    }

    fn verify_growth(&self, old_root: &Hash, new_root: &Hash) -> Result<(), Unproven> {
        // A full old tree is a node of the new one; its root isn't repeated in the proof.
        let whole = self.old.is_power_of_two().then_some(old_root);
        let mut path = whole.into_iter().chain(&self.path);
        let first = *path.next().ok_or(Unproven)?;
        let below = (self.old - 1).trailing_ones();
        let (mut place, mut last) = ((self.old - 1) >> below, (self.new - 1) >> below);
        let (mut old, mut new) = (first, first);
        for node in path {
            if last == 0 {
                return Err(Unproven);
            }
            if place % 2 == 1 || place == last {
                old = node_hash(node, &old);
                new = node_hash(node, &new);
                climb_to_right_child(&mut place, &mut last);
            } else {
                new = node_hash(&new, node);
            }
            (place, last) = (place >> 1, last >> 1);
        }
        proven(last == 0 && old == *old_root && new == *new_root)
    }
}

/// A node on the right edge may have no sibling for some levels: climbs to where it is a right child.
fn climb_to_right_child(place: &mut u64, last: &mut u64) {
    while place.is_multiple_of(2) && *place != 0 {
        (*place, *last) = (*place >> 1, *last >> 1);
    }
}

fn proven(shown: bool) -> Result<(), Unproven> {
    if shown { Ok(()) } else { Err(Unproven) }
}
