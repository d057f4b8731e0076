//! The key-encryption keys of a vault: the current one wraps, former ones open what they wrapped.
//!
//! Implements the key choice of `proto/spec/vault-blob.md` (BLOB-2, BLOB-11): a header names its key, and whoever opens
//! takes that one. A rotation makes another key current; until every header is wrapped anew both are held. Deliberately
//! absent: where keys come from, and what is wrapped by which.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::CannotOpen;
use crate::blob::{self, HEADER, Header, Opener, Place, Sealer};
use crate::keys::{KekId, KeyEncryptionKey};

/// All key-encryption keys a vault holds.
pub struct KekRing {
    current: KeyEncryptionKey,
    former: Vec<KeyEncryptionKey>,
}

/// Why a blob stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// Its header names a key that isn't held. Public knowledge: the name stands in the header.
    #[error("wrapped by the key-encryption key {0}, which is not among the keys held")]
    UnknownKek(KekId),
    /// The key is held and doesn't open it.
    #[error(transparent)]
    CannotOpen(#[from] CannotOpen),
}

impl KekRing {
    /// A ring of one key.
    pub fn new(current: KeyEncryptionKey) -> Self {
        Self { current, former: Vec::new() }
    }

    /// The ring with one more key that opens and doesn't wrap.
    #[must_use]
    pub fn with_former(mut self, former: KeyEncryptionKey) -> Self {
        self.former.push(former);
        self
    }

    /// What is wrapped from now on is wrapped by this key.
    pub fn current(&self) -> &KeyEncryptionKey {
        &self.current
    }

    /// The names of all keys, the current one's first.
    pub fn ids(&self) -> impl Iterator<Item = KekId> {
        self.keys().map(KeyEncryptionKey::key_id)
    }

    /// The key a header names.
    ///
    /// # Errors
    /// [`Unopened::UnknownKek`] when no key of the ring has that name.
    pub fn of(&self, header: &Header) -> Result<&KeyEncryptionKey, Unopened> {
        let id = header.key_id();
        self.keys().find(|key| key.key_id() == id).ok_or(Unopened::UnknownKek(id))
    }

    /// Begins a blob for `place` under the current key.
    pub fn sealer(&self, place: &Place, rng: &mut impl CryptoRng) -> (Sealer, Header) {
        Sealer::new(&self.current, place, rng)
    }

    /// Begins to open the blob under `header`.
    ///
    /// # Errors
    /// [`Unopened`], as [`Opener::new`] has it, or for want of the key.
    pub fn opener(&self, place: &Place, header: &Header) -> Result<Opener, Unopened> {
        Ok(Opener::new(self.of(header)?, place, header)?)
    }

    /// Seals `text` whole under the current key: header and chunks in one.
    pub fn seal(&self, place: &Place, text: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        blob::seal(&self.current, place, text, rng)
    }

    /// Opens what [`KekRing::seal`] gave, also under a key that is a former one by now.
    ///
    /// # Errors
    /// [`Unopened`], as [`blob::open`] has it, or for want of the key.
    pub fn open(&self, place: &Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        Ok(blob::open(self.of(&front(sealed)?)?, place, sealed)?)
    }

    /// The header under the current key, with a fresh salt; the chunks stay as they are (BLOB-10, BLOB-11).
    ///
    /// # Errors
    /// [`Unopened`] when the header doesn't open in `place` under the key it names.
    pub fn rewrap(
        &self,
        header: &Header,
        place: &Place,
        rng: &mut impl CryptoRng,
    ) -> Result<Header, Unopened> {
        Ok(header.rewrap(self.of(header)?, &self.current, place, rng)?)
    }

    fn keys(&self) -> impl Iterator<Item = &KeyEncryptionKey> {
        core::iter::once(&self.current).chain(&self.former)
    }
}

/// The header at the front of a blob that carries it.
///
/// # Errors
/// [`CannotOpen`] for what is too short or begins otherwise.
pub fn front(sealed: &[u8]) -> Result<Header, CannotOpen> {
    Header::parse(sealed.get(..HEADER).ok_or(CannotOpen)?)
}
