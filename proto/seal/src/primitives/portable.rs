//! What `fast` does, in Rust alone: for targets without an operating system, where `ring` asks for a C compiler and a
//! random source of the system's. Slower, and byte for byte the same; tests hold each to the other.

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::AeadInOut;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use layerlock_terms::digest::Digest;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{Secret, TAG};
use crate::CannotOpen;

/// ChaCha20-Poly1305 (RFC 8439) under one key, which is erased on drop.
pub(crate) struct Cipher(ChaCha20Poly1305);

/// SHA-256 of bytes that come in parts.
#[derive(Clone)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Begins a hash.
    #[allow(clippy::new_without_default, reason = "a hash is begun on purpose, not by default")]
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes taken.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// HMAC-SHA256 (RFC 2104).
pub(crate) fn mac(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| context.update(part));
    context.finalize().into_bytes().into()
}

/// HKDF-SHA256 (RFC 5869): extract with `salt`, expand with the parts of `info` to 32 bytes.
pub(crate) fn derive(secret: &Secret, salt: &[u8], info: &[&[u8]]) -> Secret {
    let mut derived = Zeroizing::new([0; 32]);
    let expanded =
        Hkdf::<Sha256>::new(Some(salt), secret.as_bytes()).expand_multi_info(info, &mut derived[..]);
    expanded.expect("32 bytes are within HKDF's bound");
    Secret(derived)
}

impl Cipher {
    pub(crate) fn new(key: &Secret) -> Self {
        Self(ChaCha20Poly1305::new(key.as_bytes().into()))
    }

    /// Encrypts in place; gives the tag. A (key, nonce) pair is used once.
    pub(crate) fn encrypt(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; TAG] {
        let tag = self.0.encrypt_inout_detached(&nonce.into(), aad, text.into());
        tag.expect("texts here are far under ChaCha20's 256 GiB").into()
    }

    /// Decrypts ciphertext and tag in place; gives the text. What doesn't open leaves no byte of it behind.
    pub(crate) fn decrypt<'a>(
        &self,
        nonce: [u8; 12],
        aad: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], CannotOpen> {
        let (text, tag) = sealed.split_last_chunk_mut::<TAG>().ok_or(CannotOpen)?;
        match self.0.decrypt_inout_detached(&nonce.into(), aad, (&mut *text).into(), (&*tag).into()) {
            Ok(()) => Ok(text),
            Err(_) => {
                text.zeroize();
                Err(CannotOpen)
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::super::fast;
    use super::*;

    proptest! {
        #[test]
        fn what_is_written_in_rust_alone_and_what_is_fast_give_the_same_bytes(
            key in any::<[u8; 32]>(),
            nonce in any::<[u8; 12]>(),
            aad in proptest::collection::vec(any::<u8>(), 0..80),
            text in proptest::collection::vec(any::<u8>(), 0..600),
            flip in any::<prop::sample::Index>(),
        ) {
            let key = Secret::copy(&key).expect("32 bytes");
            let mut hash = (Hasher::new(), fast::Hasher::new());
            hash.0.update(&text);
            hash.1.update(&text);
            prop_assert_eq!(hash.0.finish(), hash.1.finish());
            prop_assert_eq!(mac(&key, &[&aad, &text]), fast::mac(&key, &[&aad, &text]));
            let derived = (derive(&key, &aad, &[&text, &aad]), fast::derive(&key, &aad, &[&text, &aad]));
            prop_assert_eq!(derived.0.as_bytes(), derived.1.as_bytes());
            let sealed = |encrypt: &dyn Fn(&mut [u8]) -> [u8; TAG]| {
                let mut sealed = text.clone();
                let tag = encrypt(&mut sealed);
                sealed.extend_from_slice(&tag);
                sealed
            };
            let ours = sealed(&|text| Cipher::new(&key).encrypt(nonce, &aad, text));
            prop_assert_eq!(&ours, &sealed(&|text| fast::Cipher::new(&key).encrypt(nonce, &aad, text)));
            let mut opened: Vec<u8> = ours.clone();
            let opened = Cipher::new(&key).decrypt(nonce, &aad, &mut opened).map(|text| text.to_vec());
            prop_assert_eq!(opened, Ok(text.clone()));
            let mut changed = ours;
            let at = flip.index(changed.len());
            changed[at] ^= 1;
            prop_assert!(Cipher::new(&key).decrypt(nonce, &aad, &mut changed).is_err());
            prop_assert!(changed[..text.len()].iter().all(|byte| *byte == 0), "text is left behind");
        }
    }
}
