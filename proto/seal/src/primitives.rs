//! One function, one formula: the only files that call a cipher, KDF, KEM or signature.
//!
//! Every function is total on the types it takes, keeps no state and has a known-answer test from the RFC
//! that defines it (`known_answers`). What the results mean is decided
//! by the callers, each beside the page of `proto/spec` it implements.

use alloc::boxed::Box;
use alloc::vec::Vec;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use ed25519_dalek::Signer;
use hpke::aead::ChaCha20Poly1305 as HpkeCipher;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use layerlock_terms::digest::Digest;

use crate::CannotOpen;

#[cfg(feature = "std")]
mod fast;
// In tests both are there, so that each is held to the other.
#[cfg(any(test, not(feature = "std")))]
mod portable;

#[cfg(feature = "std")]
use fast as streams;
#[cfg(not(feature = "std"))]
use portable as streams;

pub use streams::Hasher;
pub(crate) use streams::{Cipher, derive, mac};

pub(crate) use ed25519_dalek::{SigningKey as Ed25519Secret, VerifyingKey as Ed25519Public};

/// 32 secret bytes, erased on drop. Deliberately without `Debug`, `Clone` and comparison.
pub(crate) struct Secret(Zeroizing<[u8; 32]>);

/// An X25519 private key, erased on drop.
pub(crate) struct X25519Secret(<X25519HkdfSha256 as Kem>::PrivateKey);

/// Length of an authentication tag.
pub(crate) const TAG: usize = 16;

/// Length of a signature.
pub(crate) const SIGNATURE: usize = 64;

impl Secret {
    /// Fresh from the caller's random source.
    pub(crate) fn draw(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut bytes[..]);
        Self(bytes)
    }

    /// A copy of these bytes, if they are 32.
    pub(crate) fn copy(bytes: &[u8]) -> Option<Self> {
        let mut copy = Zeroizing::new([0; 32]);
        (bytes.len() == copy.len()).then(|| copy.copy_from_slice(bytes))?;
        Some(Self(copy))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A copy that may leave the crate: for key files.
    pub(crate) fn export(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }
}

/// SHA-256 (FIPS 180-4) of `bytes`.
pub fn sha256(bytes: &[u8]) -> Digest {
    sha256_parts(&[bytes])
}

/// SHA-256 of the parts, one after another.
pub(crate) fn sha256_parts(parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finish()
}

/// BLAKE3 of `bytes`: over a whole segment several times as fast as SHA-256.
pub(crate) fn blake3(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

/// BLAKE3 of hashes, one after another, as they come.
pub(crate) struct HashList(Box<blake3::Hasher>);

impl HashList {
    pub(crate) fn new() -> Self {
        Self(Box::default())
    }

    pub(crate) fn push(&mut self, hash: &Digest) {
        self.0.update(hash.as_bytes());
    }

    /// The hash of the list so far.
    pub(crate) fn digest(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

/// ChaCha20-Poly1305 (RFC 8439) for one short text, in place; gives the tag. This one, `chacha20poly1305`'s, erases
/// its key: it is for keys that wrap keys. A (key, nonce) pair is used once.
pub(crate) fn encrypt(key: &Secret, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; TAG] {
    ChaCha20Poly1305::new(key.as_bytes().into())
        .encrypt_inout_detached(nonce.into(), aad, text.into())
        .expect("texts here are far under ChaCha20's 256 GiB")
        .into()
}

/// The reverse of [`encrypt`]; leaves `text` as it was unless the tag is right.
pub(crate) fn decrypt(
    key: &Secret,
    nonce: &[u8; 12],
    aad: &[u8],
    text: &mut [u8],
    tag: &[u8; TAG],
) -> Result<(), CannotOpen> {
    ChaCha20Poly1305::new(key.as_bytes().into())
        .decrypt_inout_detached(nonce.into(), aad, text.into(), tag.into())
        .map_err(|_| CannotOpen)
}

/// Ed25519 (RFC 8032) signature of `message`.
pub(crate) fn sign(key: &Ed25519Secret, message: &[u8]) -> [u8; SIGNATURE] {
    key.sign(message).to_bytes()
}

/// Strict Ed25519 verification: canonical scalar, no low-order key or nonce point, no cofactor.
pub(crate) fn verifies(key: &Ed25519Public, message: &[u8], signature: &[u8; SIGNATURE]) -> bool {
    key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
}

/// An Ed25519 public key that is canonical and not of low order.
pub(crate) fn ed25519_public(bytes: &[u8; 32]) -> Option<Ed25519Public> {
    let mut y = *bytes;
    y[31] &= 0x7f; // The top bit is the sign of x; −0 exists only for low-order points, refused below.
    let key = Ed25519Public::from_bytes(bytes).ok()?;
    (below_p(&y) && !key.is_weak()).then_some(key)
}

/// Whether these bytes are a canonical X25519 public key whose shared secrets are never all zero.
pub(crate) fn x25519_is_fit(bytes: &[u8; 32]) -> bool {
    // Clamping makes every private key a multiple of the cofactor, so one exchange with any of them shows
    // whether the point is of low order; HPKE refuses the all-zero result (RFC 9180, 7.1.4).
    let probe = x25519_secret(&[0x42; 32]);
    below_p(bytes) && hpke_context(&probe, bytes, &[]).is_some()
}

/// The X25519 private key with these bytes, clamped.
pub(crate) fn x25519_secret(bytes: &[u8; 32]) -> X25519Secret {
    let clamped = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(bytes);
    X25519Secret(clamped.expect("any 32 bytes clamp to an X25519 private key"))
}

/// The public key of an X25519 private key.
pub(crate) fn x25519_public(secret: &X25519Secret) -> [u8; 32] {
    X25519HkdfSha256::sk_to_pk(&secret.0).to_bytes().into()
}

/// The bytes of an X25519 private key.
pub(crate) fn x25519_bytes(secret: &X25519Secret) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    secret.0.write_exact(&mut bytes[..]);
    bytes
}

/// HPKE (RFC 9180) base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, single shot:
/// the encapsulated key and the ciphertext with its tag.
pub(crate) fn hpke_seal(
    to: &[u8; 32],
    info: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> ([u8; 32], Vec<u8>) {
    let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(to).expect("32 bytes are a public key");
    let (enc, sealed) = hpke::single_shot_seal_with_rng::<HpkeCipher, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &to,
        info,
        plaintext,
        &[],
        rng,
    )
    .expect("a wrapping key was probed for low order when it was parsed");
    (enc.to_bytes().into(), sealed)
}

/// The reverse of [`hpke_seal`].
pub(crate) fn hpke_open(
    secret: &X25519Secret,
    enc: &[u8; 32],
    info: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    let mut context = hpke_context(secret, enc, info).ok_or(CannotOpen)?;
    context.open(sealed, &[]).map(Zeroizing::new).map_err(|_| CannotOpen)
}

/// Whether two byte strings are equal, in time that depends on their lengths only.
pub(crate) fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

fn hpke_context(
    secret: &X25519Secret,
    enc: &[u8; 32],
    info: &[u8],
) -> Option<hpke::aead::AeadCtxR<HpkeCipher, HkdfSha256, X25519HkdfSha256>> {
    let enc = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).ok()?;
    hpke::setup_receiver(&OpModeR::Base, &secret.0, &enc, info).ok()
}

/// Whether a little-endian number is below 2²⁵⁵ − 19, that is, a canonical field element. Public data only.
fn below_p(bytes: &[u8; 32]) -> bool {
    let all_ones = bytes[1..31].iter().all(|b| *b == 0xff);
    bytes[31] < 0x7f || (bytes[31] == 0x7f && !(all_ones && bytes[0] >= 0xed))
}

#[cfg(test)]
mod known_answers;
