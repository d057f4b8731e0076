//! Hash, MAC, KDF and the cipher for streams by `ring`: assembly, the fastest where it was measured.

use alloc::boxed::Box;
use layerlock_terms::digest::Digest;
use ring::{aead, digest, hkdf, hmac};
use zeroize::Zeroizing;

use super::{Secret, TAG};
use crate::CannotOpen;

/// ChaCha20-Poly1305 (RFC 8439) under one key, for streams: `ring`'s, the fastest where it was measured.
pub(crate) struct Cipher(Box<aead::LessSafeKey>);

/// SHA-256 of bytes that come in parts.
#[derive(Clone)]
pub struct Hasher(digest::Context);

impl Hasher {
    /// Begins a hash.
    #[expect(clippy::new_without_default, reason = "a hash is begun on purpose, not by default")]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes taken.
    pub fn finish(self) -> Digest {
        let hash = self.0.finish();
        Digest(hash.as_ref().try_into().expect("SHA-256 gives 32 bytes"))
    }
}

/// HMAC-SHA256 (RFC 2104).
pub(crate) fn mac(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
    parts.iter().for_each(|part| context.update(part));
    context.sign().as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes")
}

/// HKDF-SHA256 (RFC 5869): extract with `salt`, expand with the parts of `info` to 32 bytes.
pub(crate) fn derive(secret: &Secret, salt: &[u8], info: &[&[u8]]) -> Secret {
    let mut derived = Zeroizing::new([0; 32]);
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret.as_bytes());
    let okm = prk.expand(info, hkdf::HKDF_SHA256).expect("32 bytes are within HKDF's bound");
    okm.fill(&mut derived[..]).expect("the buffer has the length asked for");
    Secret(derived)
}

impl Cipher {
    pub(crate) fn new(key: &Secret) -> Self {
        Self(Box::new(keyed(key.as_bytes())))
    }

    /// Encrypts in place; gives the tag. A (key, nonce) pair is used once: callers derive a fresh key per blob
    /// or epoch and count their nonces.
    pub(crate) fn encrypt(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; TAG] {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, aead::Aad::from(aad), text);
        tag.expect("texts here are far under ChaCha20's 256 GiB").as_ref().try_into().expect("16 bytes")
    }

    /// Decrypts ciphertext and tag in place; gives the text. What doesn't open leaves no byte of it behind.
    pub(crate) fn decrypt<'a>(
        &self,
        nonce: [u8; 12],
        aad: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], CannotOpen> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        self.0.open_in_place(nonce, aead::Aad::from(aad), sealed).map_err(|_| CannotOpen)
    }
}

impl Drop for Cipher {
    /// `ring` leaves its keys in memory, so another one is written over this one; the black box keeps the
    /// compiler from finding that nobody reads it.
    fn drop(&mut self) {
        *self.0 = keyed(&[0; 32]);
        core::hint::black_box(&*self.0);
    }
}

fn keyed(key: &[u8; 32]) -> aead::LessSafeKey {
    let key = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, key);
    aead::LessSafeKey::new(key.expect("ChaCha20's keys have 32 bytes"))
}
