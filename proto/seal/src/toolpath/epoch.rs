//! Secrets of an envelope: one per job in the vault, one per epoch for the device, keys derived from those.
//!
//! `epoch secret i = HKDF(job secret, header hash, label ‖ i)`; a device that holds one epoch's secret learns
//! nothing of the next. A release carries some of them, each wrapped to the device by HPKE, bound to the header,
//! the grounds it was released on and the epoch.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::EnvelopeHeader;
use layerlock_terms::release::{Grounds, KeyRelease, RELEASE_LIMIT, WrappedEpoch};
use rand_core::CryptoRng;

use super::header_hash;
use crate::CannotOpen;
use crate::blob::Place;
use crate::kek_ring::{KekRing, Unopened};
use crate::keys::{OpeningKey, WrappingKey};
use crate::labels;
use crate::primitives::{self, Cipher, Secret};
use crate::statement::Verified;

/// What all epoch secrets of one envelope derive from. It never leaves the vault. Only a [`Sealer`] draws
/// one, and nothing seals with one that was kept: so no two toolpaths are ever sealed under one secret.
///
/// [`Sealer`]: super::Sealer
pub struct JobSecret(Secret);

/// Opens the segments of one epoch of one envelope.
pub struct EpochSecret {
    header: Digest,
    epoch: u32,
    key: EpochKey,
}

/// What an epoch's segments are sealed with, and what the manifest shows of it.
pub(super) struct EpochKey {
    pub(super) cipher: Cipher,
    pub(super) commitment: [u8; 32],
}

impl JobSecret {
    pub(super) fn draw(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::draw(rng))
    }

    /// The blob to keep while the job prints; `place` names the job by its header's hash.
    pub fn seal(&self, keks: &KekRing, place: &Place, rng: &mut impl CryptoRng) -> Vec<u8> {
        keks.seal(place, self.0.as_bytes(), rng)
    }

    /// Opens a kept blob.
    ///
    /// # Errors
    /// [`Unopened`] unless key, place and bytes are those it was sealed with.
    pub fn open(keks: &KekRing, place: &Place, kept: &[u8]) -> Result<Self, Unopened> {
        let bytes = keks.open(place, kept)?;
        Secret::copy(&bytes).map(Self).ok_or(Unopened::CannotOpen(CannotOpen))
    }

    /// The secrets of these epochs of the envelope with this header hash, wrapped to its device: a release to be
    /// signed by the key that signed the header.
    ///
    /// # Panics
    /// For no epoch or more than [`RELEASE_LIMIT`], which no reader would take.
    pub fn release(
        &self,
        header: &Digest,
        grounds: Grounds,
        epochs: RangeInclusive<u32>,
        device: &WrappingKey,
        rng: &mut impl CryptoRng,
    ) -> KeyRelease {
        let wanted = epochs.clone().count();
        assert!((1..=RELEASE_LIMIT as usize).contains(&wanted), "{wanted} epochs in one release");
        let mut wrap = |epoch| {
            let secret = self.epoch(header, epoch);
            let commitment = *derive(&secret, labels::EPOCH_COMMITMENT, header).as_bytes();
            let info = info(header, grounds, epoch);
            let (enc, sealed) = primitives::hpke_seal(device.as_bytes(), &info, secret.as_bytes(), rng);
            WrappedEpoch { epoch, commitment, enc, sealed: sealed.try_into().expect("32 bytes and a tag") }
        };
        KeyRelease { header: *header, grounds, epochs: epochs.map(&mut wrap).collect() }
    }

    pub(super) fn key(&self, header: &Digest, epoch: u32) -> EpochKey {
        EpochKey::of(&self.epoch(header, epoch), header)
    }

    fn epoch(&self, header: &Digest, epoch: u32) -> Secret {
        let info: [&[u8]; 2] = [labels::EPOCH_SECRET.as_bytes(), &epoch.to_be_bytes()];
        primitives::derive(&self.0, header.as_bytes(), &info)
    }
}

impl OpeningKey {
    /// Unwraps one epoch's secret of a release for this envelope.
    ///
    /// # Errors
    /// [`CannotOpen`] when the release is of another vault (REL-1) or envelope (REL-2), doesn't hold the epoch,
    /// was wrapped to another device, for another epoch or on other grounds (EP-1), or holds a secret that isn't
    /// the one it commits to (EP-2).
    pub fn open_epoch(
        &self,
        release: &Verified<KeyRelease>,
        header: &Verified<EnvelopeHeader>,
        epoch: u32,
    ) -> Result<EpochSecret, CannotOpen> {
        let hash = header_hash(header.statement());
        if release.signer() != header.signer() || release.header != hash {
            return Err(CannotOpen);
        }
        let wrapped = release.epochs.iter().find(|wrapped| wrapped.epoch == epoch).ok_or(CannotOpen)?;
        let info = info(&hash, release.grounds, epoch);
        let bytes = primitives::hpke_open(self.secret(), &wrapped.enc, &info, &wrapped.sealed)?;
        let key = EpochKey::of(&Secret::copy(&bytes).ok_or(CannotOpen)?, &hash);
        if key.commitment == wrapped.commitment {
            Ok(EpochSecret { header: hash, epoch, key })
        } else {
            Err(CannotOpen)
        }
    }
}

impl EpochSecret {
    /// Which epoch it opens.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The key and its epoch, if it is of the envelope with this header hash.
    pub(super) fn into_key(self, header: &Digest) -> Option<(u32, EpochKey)> {
        (self.header == *header).then_some((self.epoch, self.key))
    }
}

impl EpochKey {
    fn of(secret: &Secret, header: &Digest) -> Self {
        Self {
            cipher: Cipher::new(&derive(secret, labels::SEGMENT_KEY, header)),
            commitment: *derive(secret, labels::EPOCH_COMMITMENT, header).as_bytes(),
        }
    }
}

fn derive(secret: &Secret, label: &str, header: &Digest) -> Secret {
    primitives::derive(secret, header.as_bytes(), &[label.as_bytes()])
}

/// Binds a wrapped secret to its envelope, and so to job, hold and device, to its grounds and its epoch.
fn info(header: &Digest, grounds: Grounds, epoch: u32) -> Vec<u8> {
    let (grounds, epoch) = (grounds.number().to_be_bytes(), epoch.to_be_bytes());
    [labels::EPOCH_WRAP.as_bytes(), header.as_bytes(), &grounds, &epoch].concat()
}
