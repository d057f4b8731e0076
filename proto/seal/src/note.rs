//! Note keys: they sign checkpoint notes (C2SP signed-note, Ed25519) and nothing else.
//!
//! A note's text is signed as it is, without a label, because witnesses of other makers must verify it. So
//! the key is a type of its own: it can't sign statements, and a statement key can't sign notes. The text
//! form of notes and checkpoints lives in `layerlock-tlog`; here is only the signature.

use alloc::borrow::ToOwned;
use alloc::string::String;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::keys::{SigningKey, VerifyingKey};

/// Signs the ledger's checkpoints.
pub struct NoteSigner {
    origin: String,
    key: SigningKey,
}

/// A text a note signer doesn't sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint of `{origin}`: its first line must be the origin and its last must end")]
pub struct NotACheckpoint {
    origin: String,
}

impl NoteSigner {
    /// A fresh key that signs checkpoints whose first line is `origin`.
    pub fn generate(origin: &str, rng: &mut impl CryptoRng) -> Self {
        Self { origin: origin.to_owned(), key: SigningKey::generate(rng) }
    }

    /// The key with this RFC 8032 seed.
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Self {
        Self { origin: origin.to_owned(), key: SigningKey::from_seed(seed) }
    }

    /// The seed, for the key file and nothing else.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        self.key.to_seed()
    }

    /// The log's name: first line of its checkpoints, and name of this key.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.key.verifying_key()
    }

    /// Signs a checkpoint's text.
    ///
    /// # Errors
    /// [`NotACheckpoint`] when the first line isn't the origin or the text doesn't end with a newline: this
    /// key signs its own log's heads, not whatever it is handed.
    pub fn sign(&self, text: &str) -> Result<[u8; 64], NotACheckpoint> {
        let own = text.strip_prefix(&self.origin).is_some_and(|rest| rest.starts_with('\n'));
        if own && text.ends_with('\n') {
            Ok(self.key.sign(text.as_bytes()))
        } else {
            Err(NotACheckpoint { origin: self.origin.clone() })
        }
    }
}

/// Whether `signature` is `key`'s over a note's text.
pub fn verifies(key: &VerifyingKey, text: &str, signature: &[u8; 64]) -> bool {
    key.verifies(text.as_bytes(), signature)
}
