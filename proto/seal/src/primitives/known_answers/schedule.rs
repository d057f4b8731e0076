//! HPKE's base mode for our suite, written once more from RFC 9180 over our own `mac`: it turns the published
//! result of an X25519 exchange into a ciphertext, so that `hpke_open` can be asked whether it comes to the same
//! result. There is no bare exchange in this crate to ask.

use super::*;

/// DHKEM(X25519, HKDF-SHA256).
const KEM: &[u8] = b"KEM\x00\x20";

/// That KEM, HKDF-SHA256, ChaCha20Poly1305.
const SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x03";

/// What a context seals its first message with.
pub(super) struct Schedule {
    pub(super) key: Secret,
    pub(super) nonce: [u8; 12],
}

impl Schedule {
    /// KeySchedule of RFC 9180, 5.1, in base mode: no pre-shared key.
    pub(super) fn new(shared: &[u8; 32], info: &[u8]) -> Self {
        let none = [0; 32];
        let psk_id_hash = extract(SUITE, &none, b"psk_id_hash", b"");
        let context = [&[0][..], &psk_id_hash, &extract(SUITE, &none, b"info_hash", info)].concat();
        let secret = extract(SUITE, shared, b"secret", b"");
        let key = expand(SUITE, &secret, b"key", &context, 32);
        let nonce = expand(SUITE, &secret, b"base_nonce", &context, 12);
        Self { key: Secret::copy(&key).expect("32 bytes"), nonce: std::array::from_fn(|place| nonce[place]) }
    }

    /// What [`hpke_open`] opens.
    pub(super) fn seal(&self, text: &[u8]) -> Vec<u8> {
        let mut sealed = text.to_vec();
        let tag = encrypt(&self.key, &self.nonce, &[], &mut sealed);
        [&sealed[..], &tag].concat()
    }
}

/// The KEM's shared secret (RFC 9180, 4.1) of an exchange with this result.
pub(super) fn shared_secret(exchanged: &[u8; 32], enc: &[u8; 32], public: &[u8; 32]) -> [u8; 32] {
    let prk = extract(KEM, &[0; 32], b"eae_prk", exchanged);
    expand(KEM, &prk, b"shared_secret", &[&enc[..], public].concat(), 32)
}

/// LabeledExtract of RFC 9180, 4; an empty salt is one of zeros.
fn extract(suite: &[u8], salt: &[u8; 32], label: &[u8], input: &[u8]) -> [u8; 32] {
    let salt = Secret::copy(salt).expect("32 bytes");
    mac(&salt, &[b"HPKE-v1", suite, label, input])
}

/// LabeledExpand of RFC 9180, 4, to at most one block: the first `length` bytes count.
fn expand(suite: &[u8], prk: &[u8; 32], label: &[u8], info: &[u8], length: u16) -> [u8; 32] {
    let prk = Secret::copy(prk).expect("32 bytes");
    mac(&prk, &[&length.to_be_bytes(), b"HPKE-v1", suite, label, info, &[1]])
}
