//! The RFC 6962 Merkle root over an envelope's segments, kept as they come: O(log n) memory.
//!
//! Only the root is needed here; proofs and checkpoints belong to the ledger and live in `layerlock-tlog`,
//! which this crate doesn't know. Both are held to the same published vectors.

use layerlock_terms::digest::Digest;

use crate::primitives::sha256_parts;

/// The roots of the full subtrees that cover the leaves so far, the largest first.
#[derive(Clone, Default)]
pub(crate) struct Frontier {
    peaks: Vec<Digest>,
    leaves: u64,
}

impl Frontier {
    /// Appends a leaf, given as the parts of its data.
    pub(crate) fn push(&mut self, data: &[&[u8]]) {
        let mut node = sha256_parts(&[&[&[0u8][..]], data].concat());
        // Each trailing 1 bit of the count is a full subtree the new one completes to the next size.
        for _ in 0..self.leaves.trailing_ones() {
            let left = self.peaks.pop().expect("every 1 bit of the count has its peak");
            node = join(&left, &node);
        }
        self.peaks.push(node);
        self.leaves += 1;
    }

    /// The root over all leaves so far.
    pub(crate) fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev().copied();
        match peaks.next() {
            Some(last) => peaks.fold(last, |right, left| join(&left, &right)),
            None => sha256_parts(&[]),
        }
    }
}

fn join(left: &Digest, right: &Digest) -> Digest {
    sha256_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}
