//! What the tests of this crate share: a random source that always gives the same, keys, one header.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::convert::Infallible;
use std::sync::Arc;

use layerlock_seal::keys::{KeyEncryptionKey, OpeningKey, SigningKey};
use layerlock_seal::sha256;
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Summary};
use layerlock_terms::ids::{DeviceId, HoldId, JobId, LicenseId};
use layerlock_terms::toolpath::Point3;
use layerlock_terms::units::{Millis, Timestamp};
use rand_core::{TryCryptoRng, TryRng};

/// SHA-256 of a seed and a counter, block after block: the same bytes for the same seed, on any machine.
pub struct Repeatable {
    seed: &'static str,
    block: u64,
}

impl Repeatable {
    pub fn new(seed: &'static str) -> Self {
        Self { seed, block: 0 }
    }
}

impl TryRng for Repeatable {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            let block = sha256(format!("{} {}", self.seed, self.block).as_bytes());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
            self.block += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Repeatable {}

pub fn signer() -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(&mut Repeatable::new("delivery key")))
}

pub fn device() -> OpeningKey {
    OpeningKey::generate(&mut Repeatable::new("device key"))
}

pub fn kek() -> KeyEncryptionKey {
    KeyEncryptionKey::generate(&mut Repeatable::new("key-encryption key"))
}

pub fn header() -> EnvelopeHeader {
    EnvelopeHeader {
        job: JobId::from_bytes([0x11; 16]),
        hold: HoldId::from_bytes([0x22; 16]),
        license: LicenseId::from_bytes([0x33; 16]),
        design_version: Digest([0x44; 32]),
        device: DeviceId::from_bytes([0x55; 16]),
        machine: "prusa-mk3s".into(),
        profile: Digest([0x66; 32]),
        created: Timestamp(1_700_000_000_000),
        segment_limit: 64,
        epoch_layers: 2,
    }
}

pub fn summary() -> Summary {
    Summary {
        duration: Millis(3_600_000),
        filament_um: 4_200_000,
        min: Point3 { x: 0, y: 0, z: 200 },
        max: Point3 { x: 60_000, y: 31_000, z: 48_000 },
    }
}
