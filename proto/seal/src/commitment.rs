//! Commitments: what the public ledger shows of an entry without showing the entry.
//!
//! Implements the leaf rule of `proto/spec/ledger.md`: HMAC-SHA256 under 32 random bytes that only the
//! licensor and the entry's owner hold. Whoever has both can show that this leaf is this entry; nobody else
//! can guess it, however few entries are possible.

use layerlock_terms::digest::Digest;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::labels;
use crate::primitives::{self, Secret};

/// Hides one ledger entry; given to the entry's owner with the entry.
pub struct BlindingFactor(Secret);

impl BlindingFactor {
    /// A fresh one; every entry has its own.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::draw(rng))
    }

    /// The one with these bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy(bytes).expect("32 bytes"))
    }

    /// The bytes, for the record and the entry's owner.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.export()
    }

    /// The leaf that stands for `entry` in the public ledger.
    pub fn commit(&self, entry: &[u8]) -> Digest {
        Digest(primitives::mac(&self.0, &[labels::LEDGER_COMMITMENT.as_bytes(), entry]))
    }
}
