//! Keys, one type per use: a key made for one purpose can't be passed for another.
//!
//! Secrets are erased on drop, have no `Debug`, no `Clone` and no comparison; their bytes leave only where a
//! key file is written. Public keys are parsed strictly: what is not canonical or has low order is refused
//! here, once, so that no later call has to ask (`proto/spec/statement.md`, KEY rules).

use core::fmt;

use layerlock_terms::digest::{OpenKey, SignKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::labels;
use crate::primitives::{self, Ed25519Public, Ed25519Secret, Secret, X25519Secret};

/// Signs statements and segments. One per duty: root, licensor, vault delivery, device.
pub struct SigningKey(Ed25519Secret);

/// The public half of a [`SigningKey`]: 32 canonical bytes, never of low order. Text form: 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKey(Ed25519Public);

/// Opens what was wrapped to this device.
pub struct OpeningKey(X25519Secret);

/// The public half of an [`OpeningKey`]: 32 canonical bytes, never of low order. Text form: 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct WrappingKey([u8; 32]);

/// Wraps the data keys of the vault's blobs.
pub struct KeyEncryptionKey(Secret);

/// Names a verifying key in a statement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 16]);

/// Names a key-encryption key in a blob's header, so that a vault in rotation knows which one to take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KekId([u8; 16]);

/// Why bytes are not a public key we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a usable public key: expected 32 bytes, canonical and not of low order; enrol again with a fresh key"
)]
pub struct UnfitKey;

impl SigningKey {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_seed(Secret::draw(rng).as_bytes())
    }

    /// The key with this RFC 8032 seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Ed25519Secret::from_bytes(seed))
    }

    /// The seed, for the key file and nothing else.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    /// Only for messages that begin with a label: nothing outside this crate has raw bytes signed.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; primitives::SIGNATURE] {
        primitives::sign(&self.0, message)
    }
}

impl VerifyingKey {
    /// Reads 32 bytes.
    ///
    /// # Errors
    /// [`UnfitKey`] for any other length, a non-canonical encoding, no point at all (KEY-1), or low order (KEY-2).
    pub fn parse(bytes: &[u8]) -> Result<Self, UnfitKey> {
        let bytes = bytes.try_into().map_err(|_| UnfitKey)?;
        primitives::ed25519_public(bytes).map(Self).ok_or(UnfitKey)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's name: the first 16 bytes of its labelled SHA-256.
    pub fn key_id(&self) -> KeyId {
        let hash = primitives::sha256_parts(&[labels::KEY_ID.as_bytes(), self.as_bytes()]);
        KeyId(first_half(hash.as_bytes()))
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; primitives::SIGNATURE]) -> bool {
        primitives::verifies(&self.0, message, signature)
    }
}

impl OpeningKey {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_seed(Secret::draw(rng).as_bytes())
    }

    /// The X25519 private key with these bytes; clamped as RFC 7748 says.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(primitives::x25519_secret(seed))
    }

    /// The private key's bytes, for the key file and nothing else.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        primitives::x25519_bytes(&self.0)
    }

    /// The public half.
    pub fn wrapping_key(&self) -> WrappingKey {
        WrappingKey(primitives::x25519_public(&self.0))
    }

    pub(crate) fn secret(&self) -> &X25519Secret {
        &self.0
    }
}

impl WrappingKey {
    /// Reads 32 bytes.
    ///
    /// # Errors
    /// [`UnfitKey`] for any other length, a non-canonical encoding (KEY-3), or a point whose exchanges give all
    /// zero (KEY-4).
    pub fn parse(bytes: &[u8]) -> Result<Self, UnfitKey> {
        let bytes = bytes.try_into().map_err(|_| UnfitKey)?;
        if primitives::x25519_is_fit(&bytes) { Ok(Self(bytes)) } else { Err(UnfitKey) }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl KeyEncryptionKey {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::draw(rng))
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy(bytes).expect("32 bytes"))
    }

    /// The key's bytes, for the key file and nothing else.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.export()
    }

    /// A token's key gives a key-encryption key as its HMAC-SHA256 of this.
    pub fn token_message() -> &'static [u8] {
        labels::KEK_OF_TOKEN.as_bytes()
    }

    /// The key's name: 16 bytes derived from it, which tell nothing of it.
    pub fn key_id(&self) -> KekId {
        let name = primitives::derive(&self.0, &[], &[labels::KEK_ID.as_bytes()]);
        KekId(first_half(name.as_bytes()))
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }
}

impl TryFrom<SignKey> for VerifyingKey {
    type Error = UnfitKey;

    fn try_from(seen: SignKey) -> Result<Self, UnfitKey> {
        Self::parse(seen.as_bytes())
    }
}

impl From<VerifyingKey> for SignKey {
    fn from(key: VerifyingKey) -> Self {
        Self(*key.as_bytes())
    }
}

impl TryFrom<OpenKey> for WrappingKey {
    type Error = UnfitKey;

    fn try_from(seen: OpenKey) -> Result<Self, UnfitKey> {
        Self::parse(seen.as_bytes())
    }
}

impl From<WrappingKey> for OpenKey {
    fn from(key: WrappingKey) -> Self {
        Self(*key.as_bytes())
    }
}

macro_rules! public_bytes {
    ($name:ident, $length:literal) => {
        impl $name {
            /// The name made of these bytes.
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The bytes of the name.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }
    };
}

macro_rules! hex_text {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

public_bytes!(KeyId, 16);
public_bytes!(KekId, 16);
hex_text!(VerifyingKey WrappingKey KeyId KekId);

fn first_half(bytes: &[u8; 32]) -> [u8; 16] {
    core::array::from_fn(|place| bytes[place])
}
