//! The RFC 6962 Merkle root over an envelope's segments, kept as they come: O(log n) memory.
//!
//! Only the root is needed here; proofs and checkpoints belong to the ledger and live in `layerlock-tlog`,
//! which this crate doesn't know. Both are held to the same published vectors.

use layerlock_terms::digest::Digest;

use crate::primitives::sha256_parts;

/// The roots of the full subtrees that cover the leaves so far, the largest first.
pub(crate) struct Frontier {
    peaks: Vec<Digest>,
    leaves: u64,
}

impl Frontier {
    /// No leaves. Room for the peaks of 2³² is taken here, so that no leaf takes any.
    pub(crate) fn new() -> Self {
        Self { peaks: Vec::with_capacity(33), leaves: 0 }
    }

    /// Appends a leaf with this data.
    pub(crate) fn push(&mut self, data: &[u8]) {
        let mut node = sha256_parts(&[&[0], data]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classic_eight_leaves_have_their_published_roots() {
        // Certificate Transparency's test data; `layerlock-tlog` has the rest of it.
        let leaves: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::new();
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(frontier.root().to_string(), *root, "{size} leaves");
            leaves.get(size).into_iter().for_each(|leaf| frontier.push(leaf));
        }
    }
}
