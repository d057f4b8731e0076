//! Blobs: what the vault keeps at rest, sealed under its key-encryption key, bound to its place.
//!
//! Implements `proto/spec/vault-blob.md`: a random data key per blob, wrapped by the key-encryption key; the
//! text in 64 KiB chunks in the manner of STREAM (counter nonces, the last chunk marked). A blob opens only
//! in the place it was sealed for ([`Place`]), so records whose ciphertexts are swapped are refused. The
//! header can be wrapped anew without touching a chunk. Deliberately absent: files, and which key is current.

use alloc::vec::Vec;
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{DesignId, SellerId};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::CannotOpen;
use crate::keys::{KekId, KeyEncryptionKey};
use crate::labels;
use crate::primitives::{self, Cipher, Secret, TAG};

/// Plaintext bytes in every chunk but the last.
pub const CHUNK: usize = 64 * 1024;

/// Bytes of a blob's header.
pub const HEADER: usize = 134;

const SEALED_CHUNK: usize = CHUNK + TAG;
const MAGIC: &[u8; 6] = b"LLVB\x00\x01";
const KEK_ID: core::ops::Range<usize> = 6..22;
const SALT: core::ops::Range<usize> = 22..54;
const COMMITMENT: core::ops::Range<usize> = 54..86;
const WRAPPED: core::ops::Range<usize> = 86..118;

/// The one place a blob belongs to. A blob doesn't hold it: whoever opens must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose it is.
    pub seller: SellerId,
    /// Which design it belongs to.
    pub design: DesignId,
    /// The version's hash; for a [`Part::JobSecret`] the hash of the envelope's header.
    pub version: Digest,
    /// Which of the version's parts it is.
    pub part: Part,
}

/// The parts of a design version that rest sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    /// The upload, as received.
    Upload = 1,
    /// A picture made of it.
    Picture = 2,
    /// Facts about it that name or describe it.
    Record = 3,
    /// The secret a print job's envelope was sealed with.
    JobSecret = 4,
    /// What is known of an upload under way.
    Pending = 5,
}

/// A blob's header: suite, key name, salt, commitment, wrapped data key. Kept before the chunks or beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header([u8; HEADER]);

/// Seals one blob as its text comes in.
pub struct Sealer {
    chunks: Chunks,
    rest: Zeroizing<Vec<u8>>,
}

/// Opens one blob as its chunks come in.
pub struct Opener {
    chunks: Chunks,
    rest: Vec<u8>,
}

/// Which chunk comes next under which key; one formula for both directions.
struct Chunks {
    cipher: Cipher,
    next: u64,
}

/// Whether a chunk is the blob's last; bound into its nonce.
#[derive(Clone, Copy)]
enum Position {
    Inner = 0,
    Last = 1,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// [`CannotOpen`] for any other length, magic or suite (BLOB-1).
    pub fn parse(bytes: &[u8]) -> Result<Self, CannotOpen> {
        let bytes: [u8; HEADER] = bytes.try_into().map_err(|_| CannotOpen)?;
        if bytes.starts_with(MAGIC) { Ok(Self(bytes)) } else { Err(CannotOpen) }
    }

    /// The bytes to keep.
    pub fn as_bytes(&self) -> &[u8; HEADER] {
        &self.0
    }

    /// Which key-encryption key wrapped the data key.
    pub fn key_id(&self) -> KekId {
        KekId::from_bytes(self.0[KEK_ID].try_into().expect("the range is 16 long"))
    }

    /// The same blob's header under a new key-encryption key; the chunks stay as they are. Until the new
    /// header has replaced the old one the blob opens with the old key, from then on with the new.
    ///
    /// # Errors
    /// [`CannotOpen`] when `old` or `place` aren't the header's.
    pub fn rewrap(
        &self,
        old: &KeyEncryptionKey,
        new: &KeyEncryptionKey,
        place: &Place,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, CannotOpen> {
        let data_key = self.unwrap(old, place)?;
        Ok(Self::wrap(new, place, &data_key, rng))
    }

    fn wrap(kek: &KeyEncryptionKey, place: &Place, data_key: &Secret, rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; HEADER];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        bytes[KEK_ID].copy_from_slice(kek.key_id().as_bytes());
        rng.fill_bytes(&mut bytes[SALT]);
        let (key, commitment) = wrapping(kek, place, &bytes[SALT]);
        bytes[COMMITMENT].copy_from_slice(commitment.as_bytes());
        let (aad, wrapped) = bytes.split_at_mut(WRAPPED.start);
        wrapped[..32].copy_from_slice(data_key.as_bytes());
        // The key is fresh with its salt and seals this one text: a zero nonce is used once.
        let tag = primitives::encrypt(&key, &[0; 12], aad, &mut wrapped[..32]);
        wrapped[32..].copy_from_slice(&tag);
        Self(bytes)
    }

    fn unwrap(&self, kek: &KeyEncryptionKey, place: &Place) -> Result<Secret, CannotOpen> {
        let (key, commitment) = wrapping(kek, place, &self.0[SALT]);
        // BLOB-2, BLOB-3, BLOB-4: the commitment fixes key and place before the cipher, which alone would open
        // under several keys.
        if !primitives::equal(commitment.as_bytes(), &self.0[COMMITMENT]) || self.key_id() != kek.key_id() {
            return Err(CannotOpen);
        }
        let mut data_key = Zeroizing::new([0; 32]);
        data_key.copy_from_slice(&self.0[WRAPPED]);
        // BLOB-5
        let tag = self.0[WRAPPED.end..].try_into().expect("a tag ends the header");
        primitives::decrypt(&key, &[0; 12], &self.0[..WRAPPED.start], &mut data_key[..], tag)?;
        Ok(Secret::copy(&data_key[..]).expect("32 bytes"))
    }
}

impl Sealer {
    /// Begins a blob for `place`, with a fresh data key. The header comes first.
    pub fn new(kek: &KeyEncryptionKey, place: &Place, rng: &mut impl CryptoRng) -> (Self, Header) {
        let data_key = Secret::draw(rng);
        let header = Header::wrap(kek, place, &data_key, rng);
        (
            Self { chunks: Chunks::new(&data_key, place), rest: Zeroizing::new(Vec::with_capacity(CHUNK)) },
            header,
        )
    }

    /// Takes the next bytes, of any length; appends the chunks that are full to `sealed`.
    pub fn seal(&mut self, mut text: &[u8], sealed: &mut Vec<u8>) {
        // A full chunk waits until more comes: it may be the last.
        while self.rest.len() + text.len() > CHUNK {
            let (now, later) = text.split_at(CHUNK - self.rest.len());
            self.rest.extend_from_slice(now);
            self.chunks.seal(&mut self.rest, Position::Inner, sealed);
            text = later;
        }
        self.rest.extend_from_slice(text);
    }

    /// Appends the last chunk to `sealed`.
    pub fn finish(mut self, sealed: &mut Vec<u8>) {
        self.chunks.seal(&mut self.rest, Position::Last, sealed);
    }
}

impl Opener {
    /// Begins to open the blob under `header`.
    ///
    /// # Errors
    /// [`CannotOpen`] when the key or the place aren't those it was sealed with, or the header was changed.
    pub fn new(kek: &KeyEncryptionKey, place: &Place, header: &Header) -> Result<Self, CannotOpen> {
        let data_key = header.unwrap(kek, place)?;
        Ok(Self { chunks: Chunks::new(&data_key, place), rest: Vec::with_capacity(SEALED_CHUNK) })
    }

    /// Takes the next sealed bytes, of any length; appends what opens to `text`. Every chunk is authentic
    /// and in its place; the blob is whole only once [`Opener::finish`] says so.
    ///
    /// # Errors
    /// [`CannotOpen`] when a chunk was changed or moved (BLOB-6); nothing of that chunk is given out.
    pub fn open(&mut self, mut sealed: &[u8], text: &mut Vec<u8>) -> Result<(), CannotOpen> {
        while self.rest.len() + sealed.len() > SEALED_CHUNK {
            let (now, later) = sealed.split_at(SEALED_CHUNK - self.rest.len());
            self.rest.extend_from_slice(now);
            self.chunks.open(&mut self.rest, Position::Inner, text)?;
            sealed = later;
        }
        self.rest.extend_from_slice(sealed);
        Ok(())
    }

    /// Opens the last chunk.
    ///
    /// # Errors
    /// [`CannotOpen`] when the end is missing (BLOB-7), changed, or followed by something (BLOB-9).
    pub fn finish(mut self, text: &mut Vec<u8>) -> Result<(), CannotOpen> {
        // BLOB-8: a full chunk followed by an empty one would be a second chunking of the same text.
        let empty_after_others = self.rest.len() == TAG && self.chunks.next > 0;
        if empty_after_others {
            return Err(CannotOpen);
        }
        self.chunks.open(&mut self.rest, Position::Last, text)
    }
}

/// Seals `text` whole: header and chunks in one.
pub fn seal(kek: &KeyEncryptionKey, place: &Place, text: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
    let (mut sealer, header) = Sealer::new(kek, place, rng);
    let mut sealed = Vec::with_capacity(HEADER + text.len() + TAG * (text.len() / CHUNK + 1));
    sealed.extend_from_slice(header.as_bytes());
    sealer.seal(text, &mut sealed);
    sealer.finish(&mut sealed);
    sealed
}

/// Opens what [`seal`] gave.
///
/// # Errors
/// [`CannotOpen`] unless key, place and every byte are those it was sealed with.
pub fn open(kek: &KeyEncryptionKey, place: &Place, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    let (header, sealed) = blob.split_at_checked(HEADER).ok_or(CannotOpen)?;
    let mut opener = Opener::new(kek, place, &Header::parse(header)?)?;
    let mut text = Zeroizing::new(Vec::with_capacity(sealed.len()));
    opener.open(sealed, &mut text)?;
    opener.finish(&mut text)?;
    Ok(text)
}

impl Chunks {
    fn new(data_key: &Secret, place: &Place) -> Self {
        let key = primitives::derive(data_key, &[], &[labels::BLOB_CHUNK.as_bytes(), &place.emit()]);
        Self { cipher: Cipher::new(&key), next: 0 }
    }

    /// Seals `chunk`, appends it to `sealed` and leaves `chunk` empty.
    fn seal(&mut self, chunk: &mut Zeroizing<Vec<u8>>, position: Position, sealed: &mut Vec<u8>) {
        let nonce = self.nonce(position);
        let tag = self.cipher.encrypt(nonce, &[], chunk);
        sealed.extend_from_slice(chunk);
        sealed.extend_from_slice(&tag);
        chunk.clear();
    }

    /// Opens `chunk`, appends it to `text` and leaves `chunk` empty.
    fn open(
        &mut self,
        chunk: &mut Vec<u8>,
        position: Position,
        text: &mut Vec<u8>,
    ) -> Result<(), CannotOpen> {
        let from = text.len();
        text.append(chunk);
        let nonce = self.nonce(position);
        let opened = self.cipher.decrypt(nonce, &[], &mut text[from..]).map(|chunk| chunk.len());
        text.truncate(from + opened.unwrap_or(0));
        opened.map(drop)
    }

    /// The next chunk's nonce: three zero bytes, the chunk's number, 1 for the last chunk.
    fn nonce(&mut self, position: Position) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.next.to_be_bytes());
        nonce[11] = position as u8;
        self.next += 1;
        nonce
    }
}

impl Place {
    /// The one byte form: part, seller, design, version; 65 bytes.
    fn emit(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(65);
        bytes.push(self.part as u8);
        bytes.extend_from_slice(self.seller.as_bytes());
        bytes.extend_from_slice(self.design.as_bytes());
        bytes.extend_from_slice(self.version.as_bytes());
        bytes
    }
}

/// The key that wraps one blob's data key, and the public commitment to it.
fn wrapping(kek: &KeyEncryptionKey, place: &Place, salt: &[u8]) -> (Secret, Secret) {
    let place = place.emit();
    let key = primitives::derive(kek.secret(), salt, &[labels::BLOB_WRAP.as_bytes(), &place]);
    let commitment = primitives::derive(kek.secret(), salt, &[labels::BLOB_COMMITMENT.as_bytes(), &place]);
    (key, commitment)
}
