//! Endorsements: one payload and the signatures several keys made under it, together one byte form.
//!
//! The payload stands once, so that signatures of different payloads can't be counted together, and the signers
//! stand in order, each once, so that no key is counted twice and copies signed apart join to the same bytes. An
//! endorsement with too few signatures is a draft; how many are enough only a root can say.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;

use layerlock_terms::wire::{Malformed, Noun, Reader, Writer};

use super::TrustError;
use crate::keys::{KeyId, SigningKey, VerifyingKey};
use crate::primitives::SIGNATURE;
use crate::statement::{Refused, Statement, TYPE_LIMIT, Verified};

const MAGIC: [u8; 4] = *b"LLTE";
const VERSION: u16 = 1;
/// Longest payload, in bytes: the largest root is shorter.
const PAYLOAD_LIMIT: u32 = 128 * 1024;
/// Most signatures: those of two roots' keys.
const MOST_SIGNATURES: u32 = 32;

/// A payload and what was signed under it; nothing of it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    kind: String,
    payload: Vec<u8>,
    /// In the order of the key ids, each once.
    signatures: Vec<Signature>,
}

/// A signature, and whose it is said to be.
type Signature = (KeyId, [u8; SIGNATURE]);

/// A noun that a root's threshold endorsed. Made by the checks of this module alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsed<T> {
    noun: T,
    endorsement: Endorsement,
}

impl Endorsement {
    /// What is to be signed.
    pub fn draft<T: Noun>(noun: &T) -> Self {
        Self { kind: T::TYPE.to_owned(), payload: noun.emit(), signatures: Vec::new() }
    }

    /// A draft signed by each of `keys`.
    ///
    /// # Panics
    /// With more than 32 keys: an endorsement holds no more signatures.
    pub fn signed<T: Noun>(noun: &T, keys: &[&SigningKey]) -> Self {
        let mut endorsement = Self::draft(noun);
        for key in keys {
            endorsement.put(signature_of(noun, key)).expect("at most 32 keys sign");
        }
        endorsement
    }

    /// Adds a signature under the payload, which is read first: nobody signs what isn't a `T`. Twice is once.
    ///
    /// # Errors
    /// When it endorses another noun, the payload isn't one, or 32 others signed it.
    pub fn sign<T: Noun>(&mut self, key: &SigningKey) -> Result<(), TrustError> {
        let noun: T = self.read()?;
        self.put(signature_of(&noun, key))
    }

    /// The payload as a noun, before anybody counted who signed it.
    ///
    /// # Errors
    /// When it endorses another noun, or the payload isn't one.
    pub fn read<T: Noun>(&self) -> Result<T, TrustError> {
        self.is_of::<T>()?;
        Ok(T::parse(&self.payload)?)
    }

    fn is_of<T: Noun>(&self) -> Result<(), TrustError> {
        if self.kind == T::TYPE {
            return Ok(());
        }
        Err(TrustError::OtherNoun { found: self.kind.clone(), wanted: T::TYPE })
    }

    /// Takes over the signatures another copy has, all of them or none. No signature takes another's place: which
    /// of two under one key's id is right, only that key can tell, and a copy may come from anyone.
    ///
    /// # Errors
    /// [`TrustError::OtherPayload`] when it is a copy of something else, [`TrustError::OtherSignature`] when the
    /// two hold different signatures by one key, [`TrustError::TooManySignatures`] when nobody could read the joint
    /// file.
    pub fn join(&mut self, copy: &Self) -> Result<(), TrustError> {
        if (&self.kind, &self.payload) != (&copy.kind, &copy.payload) {
            return Err(TrustError::OtherPayload);
        }
        let mut joined = self.clone();
        for signature in &copy.signatures {
            if joined.by(signature.0).is_some_and(|known| known != signature) {
                return Err(TrustError::OtherSignature(signature.0));
            }
            joined.put(*signature)?;
        }
        *self = joined;
        Ok(())
    }

    fn by(&self, signer: KeyId) -> Option<&Signature> {
        self.signatures.iter().find(|(other, _)| *other == signer)
    }

    /// What it endorses, by its type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The bytes that are signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The keys that are said to have signed it.
    pub fn signers(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.signatures.iter().map(|(signer, _)| *signer)
    }

    /// How many of `keys` rightly signed it; each counts once (TR-5).
    ///
    /// # Errors
    /// When it endorses another noun (TR-6), or what was rightly signed isn't one.
    pub fn count<T: Noun>(&self, keys: &[VerifyingKey]) -> Result<usize, TrustError> {
        self.is_of::<T>()?;
        let signed = keys.iter().map(|key| match self.verify::<T>(key) {
            Ok(_) => Ok(1),
            Err(Refused::Malformed(why)) => Err(TrustError::Malformed(why)),
            Err(_) => Ok(0),
        });
        signed.sum()
    }

    /// What `key` stated here.
    fn verify<T: Noun>(&self, key: &VerifyingKey) -> Result<Verified<T>, Refused> {
        let stated = self.statements().find(|statement| statement.signer() == key.key_id());
        stated.ok_or(Refused::BadSignature)?.verify(key)
    }

    fn statements(&self) -> impl Iterator<Item = Statement> + '_ {
        self.signatures.iter().map(|(signer, signature)| {
            Statement::from_parts(self.kind.clone(), *signer, self.payload.clone(), *signature)
        })
    }

    fn put(&mut self, signature: Signature) -> Result<(), TrustError> {
        match self.signatures.binary_search_by_key(&signature.0, |(signer, _)| *signer) {
            Ok(place) => self.signatures[place] = signature,
            Err(_) if self.signatures.len() >= MOST_SIGNATURES as usize => {
                return Err(TrustError::TooManySignatures);
            }
            Err(place) => self.signatures.insert(place, signature),
        }
        Ok(())
    }

    /// Reads the one byte form.
    ///
    /// # Errors
    /// Bytes that begin otherwise (TR-1), break a bound (TR-2), end early or late (TR-3), or whose signers are out
    /// of order (TR-4).
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        if r.array("magic")? != MAGIC {
            return Err(Malformed::Value("magic"));
        }
        if r.u16("version")? != VERSION {
            return Err(Malformed::Value("version"));
        }
        let endorsement = Self {
            kind: r.text("type", TYPE_LIMIT)?,
            payload: r.bytes("payload", PAYLOAD_LIMIT)?.to_vec(),
            signatures: r.list("signatures", MOST_SIGNATURES, |r| {
                Ok((KeyId::from_bytes(r.array("signer")?), r.array("signature")?))
            })?,
        };
        r.finish()?;
        let in_order = endorsement.signatures.is_sorted_by(|(a, _), (b, _)| a < b);
        if in_order { Ok(endorsement) } else { Err(Malformed::Value("signers")) }
    }

    /// Writes the one byte form.
    pub fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&MAGIC).u16(VERSION).bytes(self.kind.as_bytes()).bytes(&self.payload);
        w.list(&self.signatures, |w, (signer, signature)| {
            w.raw(signer.as_bytes()).raw(signature);
        });
        w.finish()
    }
}

fn signature_of<T: Noun>(noun: &T, key: &SigningKey) -> Signature {
    let statement = Statement::sign(noun, key);
    (statement.signer(), *statement.signature())
}

impl<T: Noun> Endorsed<T> {
    /// Checks that at least `threshold` of the keys of root version `root` signed it (TR-5).
    pub(super) fn by(
        endorsement: &Endorsement,
        keys: &[VerifyingKey],
        threshold: u8,
        root: u32,
    ) -> Result<Self, TrustError> {
        let signed = endorsement.count::<T>(keys)?;
        if signed < usize::from(threshold) {
            return Err(TrustError::BelowThreshold { root, signed, threshold });
        }
        Ok(Self { noun: endorsement.read()?, endorsement: endorsement.clone() })
    }

    /// What was counted.
    pub fn endorsement(&self) -> &Endorsement {
        &self.endorsement
    }
}

impl<T> Deref for Endorsed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.noun
    }
}
