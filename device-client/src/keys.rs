//! The device's two keys: made here, kept here (hop 11, attack D1).
//!
//! One signs (receipts, session proofs), one opens (epoch secrets). They are kept in a file only the owner can read,
//! or come from a secret that never leaves a token: then the file names that secret and holds a salt, and neither file nor token
//! alone is this device. Deliberately absent: export. A device that lost its keys enrols anew.

use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use layerlock_seal::keys::{OpeningKey, SigningKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::disk;

/// First bytes of a key file; the two seeds follow.
const MAGIC: &[u8; 25] = b"layerlock/device-keys/v1\n";
const SEED: usize = 32;

/// First line of a key file whose secret lies in a token; the salt in base64 and the secret's name follow, a line each.
const TOKEN_MAGIC: &str = "layerlock/device-keys-in-token/v1";

/// Computes with secrets that never leave it: a hardware security module, a smart card, a TPM.
pub trait Token: fmt::Debug + Send + Sync {
    /// HMAC-SHA256 of `message` under the secret that `name` stands for.
    ///
    /// # Errors
    /// What is wrong and how to mend it, in words for whoever runs the device.
    fn hmac(&self, name: &str, message: &[u8]) -> Result<Zeroizing<[u8; SEED]>, String>;
}

/// Where the keys of a device that enrols are to come from.
#[derive(Debug, Clone, Copy)]
pub enum KeyPlace<'a> {
    /// Made here and kept in the device's own directory.
    File,
    /// Of the secret of this name.
    Token(&'a dyn Token, &'a str),
}

impl<'a> KeyPlace<'a> {
    pub(crate) fn token(self) -> Option<&'a dyn Token> {
        match self {
            Self::File => None,
            Self::Token(token, _) => Some(token),
        }
    }
}

/// What the file of a device says whose secret lies in a token.
#[derive(Debug, PartialEq, Eq)]
struct InToken {
    /// Drawn once: a secret that is used for a second enrolment gives other keys.
    salt: [u8; SEED],
    name: String,
}

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
    /// Its secret can't be used.
    #[error("the device's keys lie in a token: {0}")]
    Token(String),
    /// They come from elsewhere than is asked for.
    #[error("{path} holds this device's keys already, from elsewhere: choose another directory")]
    Elsewhere {
        /// The file.
        path: PathBuf,
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

    /// Reads the keys back; where the file names a secret, `token` has to have it.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn load(path: &Path, token: Option<&dyn Token>) -> Result<Self, KeyFileError> {
        let io = |source| KeyFileError::Io { path: path.into(), source };
        let mode = std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed { path: path.into(), mode });
        }
        let bytes = Zeroizing::new(std::fs::read(path).map_err(io)?);
        if let Some(kept) = InToken::parse(&bytes) {
            let token = token.ok_or_else(|| KeyFileError::Token("this program opens none".to_owned()))?;
            return kept.derive(token);
        }
        Self::parse(&bytes).ok_or(KeyFileError::Malformed { path: path.into() })
    }

    /// The keys of an enrolment that was cut off, or fresh ones; they are on the disk before anyone is told of them.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub(crate) fn load_or_make(
        path: &Path,
        place: KeyPlace<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, KeyFileError> {
        if path.exists() {
            let kept =
                std::fs::read(path).ok().and_then(|bytes| InToken::parse(&bytes)).map(|kept| kept.name);
            let wanted = match place {
                KeyPlace::File => None,
                KeyPlace::Token(_, name) => Some(name),
            };
            if kept.as_deref() != wanted {
                return Err(KeyFileError::Elsewhere { path: path.into() });
            }
            return Self::load(path, place.token());
        }
        match place {
            KeyPlace::File => {
                let keys = Self::generate(rng);
                keys.store(path)?;
                Ok(keys)
            }
            KeyPlace::Token(token, name) => {
                let mut salt = [0; SEED];
                rng.fill_bytes(&mut salt);
                let kept = InToken { salt, name: name.to_owned() };
                // A token that says no leaves nothing behind.
                let keys = kept.derive(token)?;
                disk::replace(path, kept.emit().as_bytes())
                    .map_err(|source| KeyFileError::Io { path: path.into(), source })?;
                Ok(keys)
            }
        }
    }

    /// Reads the file's bytes, wherever they are kept.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let seeds = bytes.strip_prefix(MAGIC)?;
        let (sign, open) = seeds.split_first_chunk::<SEED>()?;
        Some(Self { sign: SigningKey::from_seed(sign), open: OpeningKey::from_seed(open.try_into().ok()?) })
    }
}

impl InToken {
    fn emit(&self) -> String {
        let salt = BASE64_STANDARD.encode(self.salt);
        format!("{TOKEN_MAGIC}\n{salt}\n{}\n", self.name)
    }

    /// Nothing where the bytes are something else. A person may have mended the name: white space at its ends is no part of it.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = str::from_utf8(bytes).ok()?.lines();
        if lines.next() != Some(TOKEN_MAGIC) {
            return None;
        }
        let salt = BASE64_STANDARD.decode(lines.next()?.trim()).ok()?.try_into().ok()?;
        let name = lines.next()?.trim();
        let is_whole = !name.is_empty() && lines.all(|line| line.trim().is_empty());
        is_whole.then(|| Self { salt, name: name.to_owned() })
    }

    fn derive(&self, token: &dyn Token) -> Result<DeviceKeys, KeyFileError> {
        let seed = |role: u8| {
            let message = [TOKEN_MAGIC.as_bytes(), &[role], &self.salt].concat();
            token.hmac(&self.name, &message).map_err(KeyFileError::Token)
        };
        Ok(DeviceKeys { sign: SigningKey::from_seed(&*seed(1)?), open: OpeningKey::from_seed(&*seed(2)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::Counted;

    fn keys() -> DeviceKeys {
        DeviceKeys { sign: SigningKey::from_seed(&[1; 32]), open: OpeningKey::from_seed(&[2; 32]) }
    }

    #[test]
    fn keys_read_back_and_only_their_owner_can_read_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        keys().store(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = DeviceKeys::load(&path, None).unwrap();
        assert_eq!(read.sign.verifying_key(), keys().sign.verifying_key());
        assert_eq!(read.open.wrapping_key(), keys().open.wrapping_key());
    }

    #[test]
    fn a_key_file_open_to_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        keys().store(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(DeviceKeys::load(&path, None), Err(KeyFileError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn a_key_file_cut_at_any_byte_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        keys().store(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            disk::replace(&path, &whole[..length]).unwrap();
            assert!(
                matches!(DeviceKeys::load(&path, None), Err(KeyFileError::Malformed { .. })),
                "{length} bytes"
            );
        }
    }

    /// Mixes a name into every message; nobody's secret.
    #[derive(Debug)]
    struct Mixing(u8);

    impl Token for Mixing {
        fn hmac(&self, name: &str, message: &[u8]) -> Result<Zeroizing<[u8; SEED]>, String> {
            let mut mixed = Zeroizing::new([self.0; SEED]);
            for (at, byte) in name.bytes().chain(message.iter().copied()).enumerate() {
                mixed[at % SEED] = mixed[at % SEED].wrapping_mul(31).wrapping_add(byte);
            }
            Ok(mixed)
        }
    }

    /// Keeps every message.
    #[derive(Debug, Default)]
    struct Noting(std::sync::Mutex<Vec<Vec<u8>>>);

    impl Token for Noting {
        fn hmac(&self, _: &str, message: &[u8]) -> Result<Zeroizing<[u8; SEED]>, String> {
            self.0.lock().unwrap().push(message.to_vec());
            Ok(Zeroizing::new([1; SEED]))
        }
    }

    #[test]
    fn each_key_of_a_token_comes_from_a_message_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let token = Noting::default();
        let place = KeyPlace::Token(&token, "printer");
        DeviceKeys::load_or_make(&dir.path().join("keys"), place, &mut Counted::from(1)).unwrap();
        let asked = token.0.into_inner().unwrap();
        let distinct: std::collections::BTreeSet<_> = asked.iter().collect();
        assert_eq!(distinct.len(), 2, "one secret must not be both keys: {asked:?}");
    }

    fn publics(keys: &DeviceKeys) -> ([u8; 32], [u8; 32]) {
        (*keys.sign.verifying_key().as_bytes(), *keys.open.wrapping_key().as_bytes())
    }

    #[test]
    fn keys_of_a_token_read_back_and_another_salt_name_or_secret_gives_others() {
        let dir = tempfile::tempdir().unwrap();
        let (token, rng) = (Mixing(1), &mut Counted::from(1));
        let make = |file: &str, name: &str, rng: &mut Counted| {
            let place = KeyPlace::Token(&token, name);
            DeviceKeys::load_or_make(&dir.path().join(file), place, rng).unwrap()
        };
        let one = publics(&make("one", "printer", rng));
        assert_eq!(publics(&make("one", "printer", rng)), one, "an enrolment that was cut off goes on");
        let load = |token: &dyn Token| DeviceKeys::load(&dir.path().join("one"), Some(token)).unwrap();
        assert_eq!(publics(&load(&token)), one);
        let others = [make("two", "printer", rng), make("three", "other", rng), load(&Mixing(2))];
        for other in others.iter().map(publics) {
            assert!(other.0 != one.0 && other.1 != one.1);
        }
        let kept = InToken::parse(&std::fs::read(dir.path().join("one")).unwrap()).unwrap();
        let keys = kept.derive(&token).unwrap();
        assert_ne!(keys.sign.to_seed()[..], keys.open.to_seed()[..], "each key has a message of its own");
    }

    #[test]
    fn a_file_that_names_a_secret_is_refused_without_a_token_or_cut_and_takes_a_mended_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let place = KeyPlace::Token(&Mixing(1), "printer");
        DeviceKeys::load_or_make(&path, place, &mut Counted::from(1)).unwrap();
        assert!(matches!(DeviceKeys::load(&path, None), Err(KeyFileError::Token(_))));
        for elsewhere in [KeyPlace::File, KeyPlace::Token(&Mixing(1), "other")] {
            let refused = DeviceKeys::load_or_make(&path, elsewhere, &mut Counted::from(1)).map(drop);
            assert!(matches!(refused, Err(KeyFileError::Elsewhere { .. })));
        }
        let whole = std::fs::read_to_string(&path).unwrap();
        let without_name = whole.len() - "printer\n".len();
        for length in 0..=without_name {
            disk::replace(&path, &whole.as_bytes()[..length]).unwrap();
            let refused = DeviceKeys::load(&path, Some(&Mixing(1))).map(drop);
            assert!(matches!(refused, Err(KeyFileError::Malformed { .. })), "{length} bytes");
        }
        disk::replace(&path, whole.replace("printer", "  moved ").as_bytes()).unwrap();
        assert_eq!(InToken::parse(&std::fs::read(&path).unwrap()).unwrap().name, "moved");
        assert!(DeviceKeys::load(&path, Some(&Mixing(1))).is_ok());
    }
}
