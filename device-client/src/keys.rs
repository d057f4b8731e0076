//! The device's two keys: made here, kept here (hop 11, attack D1).
//!
//! One signs (receipts, session proofs), one opens (epoch secrets). They are written once, to a file only the
//! owner can read, and are loaded only from such a file. Deliberately absent: export. A device that lost its
//! keys enrols anew.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use layerlock_seal::keys::{OpeningKey, SigningKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::disk;

/// First bytes of a key file; the two seeds follow.
const MAGIC: &[u8; 25] = b"layerlock/device-keys/v1\n";
const SEED: usize = 32;

/// What makes this device this device.
pub struct DeviceKeys {
    /// Signs receipts and session proofs.
    pub sign: SigningKey,
    /// Opens what is wrapped to this device.
    pub open: OpeningKey,
}

/// Why the keys can't be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system says no.
    #[error("the key file {path} can't be read or written: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others can read it.
    #[error(
        "the key file {path} is open to others (mode {mode:o}); run `chmod 600` on it, or enrol anew if it may have been copied"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Its bytes aren't a key file's.
    #[error("{path} is not a key file of this version; enrol the device anew")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl DeviceKeys {
    /// Two fresh keys.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self { sign: SigningKey::generate(rng), open: OpeningKey::generate(rng) }
    }

    /// Writes the keys durably; they are on the disk before anyone is told of them.
    ///
    /// # Errors
    /// [`KeyFileError::Io`].
    pub fn store(&self, path: &Path) -> Result<(), KeyFileError> {
        disk::replace(path, &self.emit()).map_err(|source| KeyFileError::Io { path: path.into(), source })
    }

    /// The file's bytes.
    pub(crate) fn emit(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAGIC.len() + 2 * SEED));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.sign.to_seed()[..]);
        bytes.extend_from_slice(&self.open.to_seed()[..]);
        bytes
    }

    /// Reads the keys back.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let io = |source| KeyFileError::Io { path: path.into(), source };
        let mode = std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed { path: path.into(), mode });
        }
        let bytes = Zeroizing::new(std::fs::read(path).map_err(io)?);
        Self::parse(&bytes).ok_or(KeyFileError::Malformed { path: path.into() })
    }

    /// Reads the file's bytes, wherever they are kept.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let seeds = bytes.strip_prefix(MAGIC)?;
        let (sign, open) = seeds.split_first_chunk::<SEED>()?;
        Some(Self { sign: SigningKey::from_seed(sign), open: OpeningKey::from_seed(open.try_into().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> DeviceKeys {
        DeviceKeys { sign: SigningKey::from_seed(&[1; 32]), open: OpeningKey::from_seed(&[2; 32]) }
    }

    #[test]
    fn keys_read_back_and_only_their_owner_can_read_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        keys().store(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = DeviceKeys::load(&path).unwrap();
        assert_eq!(read.sign.verifying_key(), keys().sign.verifying_key());
        assert_eq!(read.open.wrapping_key(), keys().open.wrapping_key());
    }

    #[test]
    fn a_key_file_open_to_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        keys().store(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(DeviceKeys::load(&path), Err(KeyFileError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn a_key_file_cut_at_any_byte_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        keys().store(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            disk::replace(&path, &whole[..length]).unwrap();
            assert!(matches!(DeviceKeys::load(&path), Err(KeyFileError::Malformed { .. })), "{length} bytes");
        }
    }
}
