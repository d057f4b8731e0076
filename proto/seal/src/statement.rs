//! Statements: exact bytes beside their signature, and the evidence a verified one leaves.
//!
//! Implements `proto/spec/statement.md`. What is signed is a pre-authentication encoding in the manner of
//! DSSE: the type, the signer and the payload, each of unambiguous length. The payload is kept as received
//! and never re-encoded, so what was verified is what is stored, hashed and passed on. Deliberately absent:
//! who may sign what. Trust chains are decided by the parties.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;

use layerlock_terms::digest::Digest;
use layerlock_terms::wire::{Malformed, Noun, Reader, Writer};

use crate::keys::{KeyId, SigningKey, VerifyingKey};
use crate::labels;
use crate::primitives::{self, SIGNATURE};

/// Longest payload, in bytes (ST-3).
pub const PAYLOAD_LIMIT: u32 = 1024 * 1024;

/// Longest type, in bytes (ST-2).
pub const TYPE_LIMIT: u32 = 64;

/// The first byte of every statement (ST-1).
const VERSION: u8 = 1;

/// A signed payload whose signature has not been checked yet: bytes seen, not bytes meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    kind: String,
    signer: KeyId,
    payload: Vec<u8>,
    signature: [u8; SIGNATURE],
}

/// A noun whose statement verified. Made by [`Statement::verify`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    noun: T,
    statement: Statement,
    signer: VerifyingKey,
}

/// Why a statement is not taken. Nothing secret goes into a verification, so the reasons may be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It states another kind of noun (ST-6).
    #[error("this is a `{found}`, not a `{wanted}`")]
    WrongType {
        /// What the statement says it is.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Another key signed it (ST-7).
    #[error("signed by key {found}, not by {wanted}")]
    WrongSigner {
        /// The signer the statement names.
        found: KeyId,
        /// The key it was checked against.
        wanted: KeyId,
    },
    /// The signature doesn't fit these bytes (ST-8).
    #[error("the signature does not fit the statement")]
    BadSignature,
    /// Rightly signed, but the payload isn't the noun (ST-9).
    #[error("the signed payload is malformed: {0}")]
    Malformed(#[from] Malformed),
}

impl Statement {
    /// States `noun` with `key`.
    ///
    /// # Panics
    /// When the noun's bytes are over [`PAYLOAD_LIMIT`], which the bounds of no noun allow.
    pub fn sign<T: Noun>(noun: &T, key: &SigningKey) -> Self {
        let payload = noun.emit();
        assert!(payload.len() <= PAYLOAD_LIMIT as usize, "{} is over the statement's bound", T::TYPE);
        let signer = key.verifying_key().key_id();
        let signature = key.sign(&signed_bytes(T::TYPE, &signer, &payload));
        Self { kind: T::TYPE.to_owned(), signer, payload, signature }
    }

    /// Checks that `key` stated a `T`, and reads it.
    ///
    /// # Errors
    /// The first of: another type, another signer, a signature that does not fit, a malformed payload. The
    /// payload is not looked at before its signature is right.
    pub fn verify<T: Noun>(&self, key: &VerifyingKey) -> Result<Verified<T>, Refused> {
        if self.kind != T::TYPE {
            return Err(Refused::WrongType { found: self.kind.clone(), wanted: T::TYPE });
        }
        let wanted = key.key_id();
        if self.signer != wanted {
            return Err(Refused::WrongSigner { found: self.signer, wanted });
        }
        if !key.verifies(&signed_bytes(T::TYPE, &self.signer, &self.payload), &self.signature) {
            return Err(Refused::BadSignature);
        }
        Ok(Verified { noun: T::parse(&self.payload)?, statement: self.clone(), signer: *key })
    }

    /// A statement whose parts came apart from one another: one signature of several under one payload.
    pub(crate) fn from_parts(
        kind: String,
        signer: KeyId,
        payload: Vec<u8>,
        signature: [u8; SIGNATURE],
    ) -> Self {
        Self { kind, signer, payload, signature }
    }

    pub(crate) fn signature(&self) -> &[u8; SIGNATURE] {
        &self.signature
    }

    /// Reads the one byte form.
    ///
    /// # Errors
    /// Bytes that are truncated (ST-4), trailing (ST-5), over a bound, or of another version.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.u8("version")? != VERSION {
            return Err(Malformed::Value("version"));
        }
        let statement = Self {
            kind: reader.text("type", TYPE_LIMIT)?,
            signer: KeyId::from_bytes(reader.array("signer")?),
            payload: reader.bytes("payload", PAYLOAD_LIMIT)?.to_vec(),
            signature: reader.array("signature")?,
        };
        reader.finish()?;
        Ok(statement)
    }

    /// Writes the one byte form.
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION).bytes(self.kind.as_bytes()).raw(self.signer.as_bytes());
        writer.bytes(&self.payload).raw(&self.signature);
        writer.finish()
    }

    /// What the statement says it states; believed only once it is verified.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Which key the statement says signed it: a hint for choosing the key to verify with.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// The payload, as received.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// SHA-256 of the byte form: names this statement, its signature included.
    pub fn digest(&self) -> Digest {
        primitives::sha256(&self.emit())
    }
}

impl<T> Verified<T> {
    /// The statement that was verified.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The key it was verified with.
    pub fn signer(&self) -> &VerifyingKey {
        &self.signer
    }

    /// The noun alone, without its evidence.
    pub fn into_inner(self) -> T {
        self.noun
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.noun
    }
}

/// What a statement's signature covers: `label ‖ len(type) ‖ type ‖ signer ‖ len(payload) ‖ payload`.
fn signed_bytes(kind: &str, signer: &KeyId, payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.raw(labels::STATEMENT.as_bytes()).bytes(kind.as_bytes());
    writer.raw(signer.as_bytes()).bytes(payload);
    writer.finish()
}
