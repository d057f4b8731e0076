//! The service keys of the embedded house and the trust chain over them, made on first use.
//!
//! One folder holds the root key, the three service keys, the vault's key-encryption key and the operator's API
//! key, each in a file of its own for its owner only; beside them the signed root and service certificates. An
//! operator who grows past one machine moves `root.key` off it: nothing here needs it until a certificate ends.

use std::io;
use std::path::{Path, PathBuf};

use layerlock_seal::keys::{KeyEncryptionKey, SigningKey};
use layerlock_seal::sha256;
use layerlock_seal::statement::Statement;
use layerlock_seal::token::ApiKey;
use layerlock_terms::digest::Digest;
use layerlock_terms::trust::{Role, Root, ServiceCertificate};
use layerlock_terms::units::{Millis, Timestamp};
use layerlock_terms::wire::{Malformed, Noun};
use rand_core::CryptoRng;

use crate::files;

const YEAR: Millis = Millis(365 * 24 * 3600 * 1000);
const ROOT_YEARS: u64 = 10;
const FOLDER: &str = "keys";
const OPERATOR: &str = "operator.key";

/// The keyring's folder in the server's.
pub fn folder(server: &Path) -> PathBuf {
    server.join(FOLDER)
}

/// The operator's API key in the server's folder.
pub fn operator_key_file(server: &Path) -> PathBuf {
    folder(server).join(OPERATOR)
}

/// Why the keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A file could not be read or written.
    #[error("keys: {0}")]
    File(#[from] io::Error),
    /// A key file holds something else.
    #[error("keys: `{0}` is not a key file of this program; restore it from a backup")]
    NotAKey(PathBuf),
    /// A certificate file holds something else.
    #[error("keys: `{file}`: {error}; restore it from a backup")]
    NotAStatement {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: Malformed,
    },
}

/// All keys of one house.
pub struct Keyring {
    /// Signs licenses, holds, certificates, settlements.
    pub licensor: SigningKey,
    /// Signs ledger checkpoints.
    pub checkpoint: SigningKey,
    /// Signs envelopes and job reports.
    pub vault: SigningKey,
    /// Wraps designs at rest.
    pub kek: KeyEncryptionKey,
    /// Opens the operator's calls.
    pub operator: ApiKey,
    /// The signed root.
    pub root: Statement,
    /// The signed service certificates.
    pub certificates: Certificates,
}

/// One certificate per service.
pub struct Certificates {
    /// Over [`Keyring::licensor`].
    pub licensor: Statement,
    /// Over [`Keyring::vault`].
    pub vault: Statement,
    /// Over [`Keyring::checkpoint`].
    pub checkpoint: Statement,
}

impl Certificates {
    /// All of them.
    pub fn all(&self) -> Vec<Statement> {
        vec![self.licensor.clone(), self.vault.clone(), self.checkpoint.clone()]
    }
}

impl Keyring {
    /// Opens the keyring in `dir`; what is missing is made. A crash in between leaves whole files only, so the
    /// next start goes on where this one ended.
    pub fn open(dir: &Path, now: Timestamp, rng: &mut impl CryptoRng) -> Result<Self, KeyringError> {
        files::private_dir(dir)?;
        let mut seed = |name: &str| seed(&dir.join(name), rng);
        let root_key = SigningKey::from_seed(&seed("root.key")?);
        let licensor = SigningKey::from_seed(&seed("licensor.key")?);
        let checkpoint = SigningKey::from_seed(&seed("checkpoint.key")?);
        let vault = SigningKey::from_seed(&seed("vault.key")?);
        let kek = KeyEncryptionKey::from_bytes(&seed("vault.kek")?);
        let operator = operator_key(&dir.join(OPERATOR), rng)?;

        let root = statement(&dir.join("root.statement"), &root_key, || Root {
            version: 1,
            expires: now.plus(Millis(ROOT_YEARS * YEAR.0)),
            threshold: 1,
            keys: vec![root_key.verifying_key().into()],
        })?;
        let certify = |name: &str, role, key: &SigningKey| {
            statement(&dir.join(name), &root_key, || ServiceCertificate {
                role,
                key: key.verifying_key().into(),
                expires: now.plus(YEAR),
            })
        };
        let certificates = Certificates {
            licensor: certify("licensor.certificate", Role::Licensor, &licensor)?,
            vault: certify("vault.certificate", Role::Vault, &vault)?,
            checkpoint: certify("checkpoint.certificate", Role::Checkpoint, &checkpoint)?,
        };
        Ok(Self { licensor, checkpoint, vault, kek, operator, root, certificates })
    }

    /// What a newcomer compares the root with.
    pub fn root_digest(&self) -> Digest {
        sha256(self.root.payload())
    }
}

/// The same key once more, for a second service of this process.
pub fn copy_of(key: &SigningKey) -> SigningKey {
    SigningKey::from_seed(&key.to_seed())
}

fn seed(path: &Path, rng: &mut impl CryptoRng) -> Result<[u8; 32], KeyringError> {
    if !path.exists() {
        let mut fresh = [0; 32];
        rng.fill_bytes(&mut fresh);
        files::write_private(path, &fresh)?;
    }
    files::read(path)?.try_into().map_err(|_| KeyringError::NotAKey(path.to_owned()))
}

fn operator_key(path: &Path, rng: &mut impl CryptoRng) -> Result<ApiKey, KeyringError> {
    if !path.exists() {
        files::write_private(path, ApiKey::generate(rng).reveal().as_bytes())?;
    }
    let text = String::from_utf8(files::read(path)?).map_err(|_| KeyringError::NotAKey(path.to_owned()))?;
    ApiKey::parse(text.trim()).map_err(|_| KeyringError::NotAKey(path.to_owned()))
}

fn statement<T: Noun>(
    path: &Path,
    key: &SigningKey,
    noun: impl FnOnce() -> T,
) -> Result<Statement, KeyringError> {
    if !path.exists() {
        files::write_public(path, &Statement::sign(&noun(), key).emit())?;
    }
    let bytes = files::read(path)?;
    Statement::parse(&bytes).map_err(|error| KeyringError::NotAStatement { file: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_keyring_opened_twice_is_the_same() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let first = Keyring::open(dir.path(), Timestamp(1), &mut Random).expect("it is made");
        let second = Keyring::open(dir.path(), Timestamp(2), &mut Random).expect("it is read");
        assert_eq!(first.root_digest(), second.root_digest());
        assert_eq!(first.certificates.all(), second.certificates.all());
        assert_eq!(first.vault.verifying_key(), second.vault.verifying_key());
    }

    #[test]
    fn a_cut_key_file_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Keyring::open(dir.path(), Timestamp(1), &mut Random).expect("it is made");
        std::fs::write(dir.path().join("vault.kek"), [1; 31]).expect("the file is writable");
        let error = Keyring::open(dir.path(), Timestamp(1), &mut Random).err().expect("a cut key is no key");
        assert!(error.to_string().contains("vault.kek"), "{error}");
    }
}
