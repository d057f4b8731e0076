//! Key releases: the secrets of some epochs on their way to a device.
//!
//! A noun of `proto/spec/sealed-toolpath.md`, signed by the vault's delivery key. What is in it is ciphertext, and
//! opens on one device, for one envelope, on the grounds it was released on (`layerlock_seal::toolpath`).

use alloc::vec::Vec;
use core::num::NonZeroU64;

use crate::digest::Digest;
use crate::wire::{Malformed, Noun, Reader, Writer};

/// Most epochs in one release (REL-3); more go in several.
pub const RELEASE_LIMIT: u32 = 1024;

/// Secrets of some epochs of one envelope, each wrapped to its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRelease {
    /// Hash of the envelope's header.
    pub header: Digest,
    /// What they were released on.
    pub grounds: Grounds,
    /// One or more, at most [`RELEASE_LIMIT`].
    pub epochs: Vec<WrappedEpoch>,
}

/// What keys are released on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grounds {
    /// The device's receipts so far; more come with more receipts.
    Receipts,
    /// Offline terms: all epochs at once, good once, for a device whose own count of offline prints is below
    /// this number.
    Offline(NonZeroU64),
}

/// One epoch's secret as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedEpoch {
    /// The epoch.
    pub epoch: u32,
    /// What the secret must give.
    pub commitment: [u8; 32],
    /// HPKE's encapsulated key.
    pub enc: [u8; 32],
    /// The secret and its tag.
    pub sealed: [u8; 48],
}

impl Grounds {
    /// The one number that stands for it: 0 for receipts, else the offline count.
    pub fn number(self) -> u64 {
        match self {
            Self::Receipts => 0,
            Self::Offline(count) => count.get(),
        }
    }

    fn of(number: u64) -> Self {
        NonZeroU64::new(number).map_or(Self::Receipts, Self::Offline)
    }
}

impl WrappedEpoch {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            epoch: reader.u32("epoch")?,
            commitment: reader.array("commitment")?,
            enc: reader.array("enc")?,
            sealed: reader.array("sealed")?,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.u32(self.epoch).raw(&self.commitment).raw(&self.enc).raw(&self.sealed);
    }
}

impl Noun for KeyRelease {
    const TYPE: &'static str = "layerlock/key-release/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let release = Self {
            header: Digest(reader.array("header")?),
            grounds: Grounds::of(reader.u64("grounds")?),
            epochs: reader.list("epochs", RELEASE_LIMIT, WrappedEpoch::read)?,
        };
        reader.finish()?;
        // REL-3, REL-4
        let rising = release.epochs.windows(2).all(|pair| pair[0].epoch < pair[1].epoch);
        if rising && !release.epochs.is_empty() { Ok(release) } else { Err(Malformed::Value("epochs")) }
    }

    fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(self.header.as_bytes()).u64(self.grounds.number());
        writer.list(&self.epochs, |writer, wrapped| wrapped.write(writer));
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(epochs: &[u32]) -> KeyRelease {
        let wrapped =
            |epoch: &u32| WrappedEpoch { epoch: *epoch, commitment: [1; 32], enc: [2; 32], sealed: [3; 48] };
        KeyRelease {
            header: Digest([4; 32]),
            grounds: Grounds::of(7),
            epochs: epochs.iter().map(wrapped).collect(),
        }
    }

    #[test]
    fn a_release_reads_back_from_its_bytes_and_from_no_fewer() {
        let bytes = release(&[0, 1, 5]).emit();
        assert!((0..bytes.len()).all(|end| KeyRelease::parse(&bytes[..end]).is_err()));
        assert_eq!(KeyRelease::parse(&bytes), Ok(release(&[0, 1, 5])));
    }

    #[test]
    fn a_release_of_nothing_or_of_an_epoch_twice_is_refused() {
        for epochs in [&[][..], &[1, 1], &[2, 1]] {
            assert_eq!(KeyRelease::parse(&release(epochs).emit()), Err(Malformed::Value("epochs")));
        }
    }
}
