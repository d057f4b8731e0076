//! The formulas of `proto/spec` once more, written from the pages with no line of the crate: they make what
//! the crate won't make, and hold it to what it should.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use ed25519_dalek::{Signer, SigningKey};
use ring::{digest, hkdf};

pub fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("32 bytes")
}

pub fn hkdf(secret: &[u8], salt: &[u8], info: &[u8]) -> [u8; 32] {
    let mut okm = [0; 32];
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    prk.expand(&[info], hkdf::HKDF_SHA256).and_then(|it| it.fill(&mut okm)).expect("32 bytes");
    okm
}

pub fn aead(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    cipher.encrypt(&Nonce::from(*nonce), Payload { msg, aad }).expect("short enough")
}

fn len(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("short").to_be_bytes()
}

pub fn key(seed: &[u8; 32]) -> SigningKey {
    SigningKey::from_bytes(seed)
}

pub fn public(key: &SigningKey) -> [u8; 32] {
    key.verifying_key().to_bytes()
}

pub fn key_id(public: &[u8; 32]) -> Vec<u8> {
    sha256(&cat(&[b"layerlock/key-id/v1", public]))[..16].to_vec()
}

/// A statement whose signer field and signature are as given.
pub fn statement_with(kind: &[u8], id: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    cat(&[&[1], &len(kind), kind, id, &len(payload), payload, signature])
}

/// What a statement's signature covers.
pub fn signed_bytes(kind: &str, payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let (kind, id) = (kind.as_bytes(), key_id(&public(key)));
    cat(&[b"layerlock/statement/v1", &len(kind), kind, &id, &len(payload), payload])
}

/// A statement rightly signed, whatever its payload.
pub fn statement(kind: &str, payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(&signed_bytes(kind, payload, key)).to_bytes();
    statement_with(kind.as_bytes(), &key_id(&public(key)), payload, &signature)
}

/// What an envelope is sealed with, as the vault holds it.
pub struct Vault {
    pub key: SigningKey,
    pub job_secret: [u8; 32],
    pub header: Vec<u8>,
}

/// A segment's fields, each free to be wrong.
#[derive(Clone)]
pub struct Fields {
    pub index: u32,
    pub layer: u32,
    pub epoch: u32,
    pub flags: u8,
    pub segment_key: Option<[u8; 32]>,
    pub text: Vec<u8>,
}

impl Fields {
    pub fn new(index: u32, layer: u32, epoch: u32, flags: u8, text: &[u8]) -> Self {
        Self { index, layer, epoch, flags, segment_key: None, text: text.to_vec() }
    }
}

impl Vault {
    pub fn header_hash(&self) -> [u8; 32] {
        sha256(&cat(&[b"layerlock/header-hash/v1", &self.header]))
    }

    pub fn epoch_secret(&self, epoch: u32) -> [u8; 32] {
        let info = cat(&[b"layerlock/epoch-secret/v1", &epoch.to_be_bytes()]);
        hkdf(&self.job_secret, &self.header_hash(), &info)
    }

    pub fn commitment(&self, epoch: u32) -> [u8; 32] {
        hkdf(&self.epoch_secret(epoch), &self.header_hash(), b"layerlock/epoch-commitment/v1")
    }

    pub fn frame(&self, fields: &Fields, length: usize) -> Vec<u8> {
        let (index, layer, epoch) =
            (fields.index.to_be_bytes(), fields.layer.to_be_bytes(), fields.epoch.to_be_bytes());
        let length = u32::try_from(length).expect("short").to_be_bytes();
        cat(&[&index, &layer, &epoch, &[fields.flags], &length])
    }

    /// A segment rightly sealed, whatever its fields.
    pub fn segment(&self, fields: &Fields) -> Vec<u8> {
        let frame = self.frame(fields, fields.text.len() + 16);
        let key = fields.segment_key.unwrap_or_else(|| {
            hkdf(&self.epoch_secret(fields.epoch), &self.header_hash(), b"layerlock/segment-key/v1")
        });
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&fields.index.to_be_bytes());
        cat(&[&frame, &aead(&key, &nonce, &cat(&[&self.header_hash(), &frame]), &fields.text)])
    }
}

/// What a manifest says of the segments.
pub fn digest(segments: &[Vec<u8>]) -> [u8; 32] {
    let hashes: Vec<u8> = segments.iter().flat_map(|segment| *blake3::hash(segment).as_bytes()).collect();
    *blake3::hash(&hashes).as_bytes()
}

/// A blob whose chunks are as given: text, number, last flag.
pub struct Blob<'a> {
    pub kek: [u8; 32],
    pub place: Vec<u8>,
    pub data_key: [u8; 32],
    pub salt: [u8; 32],
    pub commitment: Option<[u8; 32]>,
    pub chunks: &'a [(&'a [u8], u64, u8)],
}

impl Blob<'_> {
    pub fn emit(&self) -> Vec<u8> {
        let Self { kek, place, data_key, salt, .. } = self;
        let id = &hkdf(kek, b"", b"layerlock/kek-id/v1")[..16];
        let commitment = hkdf(kek, salt, &cat(&[b"layerlock/blob-commitment/v1", place]));
        let aad = cat(&[b"LLVB\x00\x01", id, salt, &self.commitment.unwrap_or(commitment)]);
        let wrap_key = hkdf(kek, salt, &cat(&[b"layerlock/blob-wrap/v1", place]));
        let wrapped = aead(&wrap_key, &[0; 12], &aad, data_key);
        let chunk_key = hkdf(data_key, b"", &cat(&[b"layerlock/blob-chunk/v1", place]));
        let mut blob = cat(&[&aad, &wrapped]);
        for (text, number, last) in self.chunks {
            let nonce = cat(&[&[0; 3], &number.to_be_bytes(), &[*last]]);
            blob.extend(aead(&chunk_key, &nonce.try_into().expect("12 bytes"), b"", text));
        }
        blob
    }
}
