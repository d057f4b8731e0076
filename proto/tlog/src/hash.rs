//! RFC 6962 hashing: SHA-256, leaves and nodes told apart by their first byte.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, SHA256};

/// A leaf hash, a node or a root. Text form: standard base64, as notes and proofs carry it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// `SHA-256(0x00 ‖ data)`: the hash of a leaf (RFC 6962, 2.1).
pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[&[0], data])
}

/// `SHA-256(0x01 ‖ left ‖ right)`: the hash of a node (RFC 6962, 2.1).
pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], &left.0, &right.0])
}

/// `SHA-256()`: the root of the tree without leaves (RFC 6962, 2.1).
pub(crate) fn empty_root() -> Hash {
    sha256(&[])
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    Hash(context.finish().as_ref().try_into().expect("SHA-256 gives 32 bytes"))
}

impl Hash {
    /// Reads standard base64, padded, of exactly 32 bytes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
