//! Secrets of an envelope: one per job in the vault, one per epoch for the device, keys derived from those.
//!
//! `epoch secret i = HKDF(job secret, header hash, label ‖ i)`; a device that holds one epoch's secret learns
//! nothing of the next. Each is wrapped to the device by HPKE, bound to the header and the epoch.

use layerlock_terms::digest::Digest;
use layerlock_terms::wire::{Malformed, Reader, Writer};
use rand_core::CryptoRng;

use crate::CannotOpen;
use crate::blob::{self, Place};
use crate::keys::{KeyEncryptionKey, OpeningKey, WrappingKey};
use crate::labels;
use crate::primitives::{self, Secret, TAG};

/// What all epoch secrets of one envelope derive from. It never leaves the vault. Only a [`Sealer`] draws
/// one, and nothing seals with one that was kept: so no two toolpaths are ever sealed under one secret.
///
/// [`Sealer`]: super::Sealer
pub struct JobSecret(Secret);

/// Opens the segments of one epoch of one envelope.
pub struct EpochSecret {
    epoch: u32,
    secret: Secret,
}

/// An epoch secret on its way to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedEpoch {
    epoch: u32,
    enc: [u8; 32],
    sealed: [u8; 32 + TAG],
}

/// What an epoch's segments are sealed with, and what shows in their frames.
pub(super) struct EpochKey {
    pub(super) key: Secret,
    pub(super) commitment: [u8; 32],
}

impl JobSecret {
    pub(super) fn draw(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::draw(rng))
    }

    /// The blob to keep while the job prints; `place` names the job by its header's hash.
    pub fn seal(&self, kek: &KeyEncryptionKey, place: &Place, rng: &mut impl CryptoRng) -> Vec<u8> {
        blob::seal(kek, place, self.0.as_bytes(), rng)
    }

    /// Opens a kept blob.
    ///
    /// # Errors
    /// [`CannotOpen`] unless key, place and bytes are those it was sealed with.
    pub fn open(kek: &KeyEncryptionKey, place: &Place, kept: &[u8]) -> Result<Self, CannotOpen> {
        let bytes = blob::open(kek, place, kept)?;
        Secret::copy(&bytes).map(Self).ok_or(CannotOpen)
    }

    /// One epoch's secret of the envelope with this header hash, wrapped to its device.
    pub fn wrap_epoch(
        &self,
        header: &Digest,
        epoch: u32,
        device: &WrappingKey,
        rng: &mut impl CryptoRng,
    ) -> WrappedEpoch {
        let secret = self.epoch(header, epoch);
        let (enc, sealed) =
            primitives::hpke_seal(device.as_bytes(), &info(header, epoch), secret.secret.as_bytes(), rng);
        let sealed = sealed.try_into().expect("32 bytes and a tag");
        WrappedEpoch { epoch, enc, sealed }
    }

    pub(super) fn epoch(&self, header: &Digest, epoch: u32) -> EpochSecret {
        let info: [&[u8]; 2] = [labels::EPOCH_SECRET.as_bytes(), &epoch.to_be_bytes()];
        EpochSecret { epoch, secret: primitives::derive(&self.0, header.as_bytes(), &info) }
    }
}

impl OpeningKey {
    /// Unwraps an epoch secret of the envelope with this header hash.
    ///
    /// # Errors
    /// [`CannotOpen`] when it was wrapped to another device, for another envelope or epoch, or changed (EP-1).
    pub fn open_epoch(&self, wrapped: &WrappedEpoch, header: &Digest) -> Result<EpochSecret, CannotOpen> {
        let info = info(header, wrapped.epoch);
        let bytes = primitives::hpke_open(self.secret(), &wrapped.enc, &info, &wrapped.sealed)?;
        let secret = Secret::copy(&bytes).ok_or(CannotOpen)?;
        Ok(EpochSecret { epoch: wrapped.epoch, secret })
    }
}

impl EpochSecret {
    /// Which epoch it opens.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(super) fn key(&self, header: &Digest) -> EpochKey {
        let derive = |label: &str| primitives::derive(&self.secret, header.as_bytes(), &[label.as_bytes()]);
        EpochKey {
            key: derive(labels::SEGMENT_KEY),
            commitment: *derive(labels::EPOCH_COMMITMENT).as_bytes(),
        }
    }
}

impl WrappedEpoch {
    /// Which epoch it is for.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Reads the one byte form.
    ///
    /// # Errors
    /// Any length but 84 (EP-3).
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let wrapped =
            Self { epoch: reader.u32("epoch")?, enc: reader.array("enc")?, sealed: reader.array("sealed")? };
        reader.finish()?;
        Ok(wrapped)
    }

    /// Writes the one byte form: epoch, encapsulated key, sealed secret with its tag; 84 bytes.
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(self.epoch).raw(&self.enc).raw(&self.sealed);
        writer.finish()
    }
}

/// Binds a wrapped secret to its envelope and epoch.
fn info(header: &Digest, epoch: u32) -> Vec<u8> {
    [labels::EPOCH_WRAP.as_bytes(), header.as_bytes(), &epoch.to_be_bytes()].concat()
}
