//! Tokens: API keys as they are shown once and stored for ever, and secrets that sign webhooks.
//!
//! An API key is 256 random bits, so its stored form is one SHA-256: a slow hash stretches what people
//! choose, and nobody can search 2²⁵⁶. Comparison is constant-time all the same. Deliberately absent: whose
//! key it is and what it allows.
//!
//! A licensor derives keys instead of drawing them ([`TokenSource`]): a repeated request is then answered with
//! the same key although only its hash was stored.

use alloc::format;
use alloc::string::String;
use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::keys::SigningKey;
use crate::labels;
use crate::primitives::{self, Secret};

/// What an API key begins with, so that scanners for leaked secrets know one when they see it.
const PREFIX: &str = "layerlock_";

/// An API key; shown to its owner once.
pub struct ApiKey(Secret);

/// What is stored of an API key.
#[derive(Clone, Copy)]
pub struct ApiKeyHash([u8; 32]);

/// What a licensor derives its tokens from: asked twice for one context, it gives one token.
pub struct TokenSource(Secret);

/// Signs the webhooks sent to one endpoint.
pub struct WebhookSecret(Secret);

/// A text isn't an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key: expected `layerlock_` and 64 lower-case hex digits")]
pub struct NotAnApiKey;

impl ApiKey {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::draw(rng))
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`NotAnApiKey`] for anything but the prefix and 64 lower-case hex digits; the text isn't repeated.
    pub fn parse(text: &str) -> Result<Self, NotAnApiKey> {
        let hex = text.strip_prefix(PREFIX).ok_or(NotAnApiKey)?.as_bytes();
        if hex.len() != 64 {
            return Err(NotAnApiKey);
        }
        let mut bytes = Zeroizing::new([0; 32]);
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(Secret::copy(&bytes[..]).expect("32 bytes")))
    }

    /// The text form, for the owner's eyes.
    pub fn reveal(&self) -> Zeroizing<String> {
        use fmt::Write;
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 64));
        text.push_str(PREFIX);
        for byte in self.0.as_bytes() {
            write!(text, "{byte:02x}").expect("writing to a string can't fail");
        }
        text
    }

    /// What to store and look up by.
    pub fn hash(&self) -> ApiKeyHash {
        let hash = primitives::sha256_parts(&[labels::API_KEY.as_bytes(), self.0.as_bytes()]);
        ApiKeyHash(*hash.as_bytes())
    }
}

impl TokenSource {
    /// The source that belongs to a licensor's signing key; it tells nothing of that key.
    pub fn of(key: &SigningKey) -> Self {
        let seed = Secret::copy(&key.to_seed()[..]).expect("a seed is 32 bytes");
        Self(primitives::derive(&seed, &[], &[labels::TOKEN_SOURCE.as_bytes()]))
    }

    /// The API key for `context`, which names the request that asks for it.
    pub fn api_key(&self, context: &[u8]) -> ApiKey {
        ApiKey(primitives::derive(&self.0, context, &[labels::API_KEY_DERIVED.as_bytes()]))
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }
}

impl ApiKeyHash {
    /// The hash made of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for ApiKeyHash {
    fn eq(&self, other: &Self) -> bool {
        primitives::equal(&self.0, &other.0)
    }
}

impl Eq for ApiKeyHash {}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyHash")
    }
}

impl WebhookSecret {
    /// A fresh secret.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::draw(rng))
    }

    /// The secret with these bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy(bytes).expect("32 bytes"))
    }

    /// The bytes, for the endpoint's owner and the record that keeps them.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.export()
    }

    /// HMAC-SHA256 over `id.timestamp.body`, as the Standard Webhooks specification says (its `v1`);
    /// `timestamp` in seconds since 1970.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> [u8; 32] {
        primitives::mac(&self.0, &[id.as_bytes(), format!(".{timestamp}.").as_bytes(), body])
    }
}

fn digit(hex: u8) -> Result<u8, NotAnApiKey> {
    match hex {
        b'0'..=b'9' => Ok(hex - b'0'),
        b'a'..=b'f' => Ok(hex - b'a' + 10),
        _ => Err(NotAnApiKey),
    }
}
