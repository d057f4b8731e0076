//! The service keys of the embedded house and the trust chain over them, made on first use.
//!
//! One folder holds the three service keys, the vault's key-encryption key and the operator's API key, each in a
//! file of its own for its owner only; beside them the trust files. Where nobody has installed a root, one is made
//! whose single key lies here too, and it certifies the services without a question. An installed root with keys
//! elsewhere (`layerlock operator root`) takes its place, and from then on its keys certify.

use std::io;
use std::path::{Path, PathBuf};

use layerlock_seal::keys::{KeyEncryptionKey, SigningKey, VerifyingKey};
use layerlock_seal::token::ApiKey;
use layerlock_seal::trust::{Anchors, Endorsement, TrustError, TrustedRoot};
use layerlock_terms::digest::{Digest, SignKey};
use layerlock_terms::trust::{Role, Root, ServiceCertificate};
use layerlock_terms::units::{Millis, Timestamp};
use rand_core::CryptoRng;

use crate::files;
use crate::trust_files::{self, TrustFileError, TrustFiles};

const DAY: Millis = Millis(24 * 3600 * 1000);
const CERTIFICATE: Millis = Millis(365 * DAY.0);
/// A certificate that ends sooner is made anew where the root's key lies here.
const RENEWED_BEFORE: Millis = Millis(30 * DAY.0);
const ROOT: Millis = Millis(10 * 365 * DAY.0);
const FOLDER: &str = "keys";
const OPERATOR: &str = "operator.key";
const ROOT_KEY: &str = "root.key";
/// What the root was called before it could name OEM authorities.
const FORMER_ROOT: &str = "root.statement";

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
    /// A trust file can't be used.
    #[error("keys: {0}")]
    Trust(#[from] TrustFileError),
    /// The roots don't follow from one another.
    #[error("keys: the trust files of `{folder}`: {why}")]
    Chain {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        why: TrustError,
    },
    /// A root of the form before OEM authorities.
    #[error(
        "keys: `{0}` is a root of an older form, which nothing reads any more: move it and the `.certificate` files \
         beside it away to have a new root made; devices must be enrolled anew"
    )]
    OlderForm(PathBuf),
    /// A key whose certificate is missing, and no key here that could make one.
    #[error(
        "keys: root version {root} does not certify the {role} key {key} for now: run `layerlock operator root \
         certify --role {role} --key {key}`, have it signed, and `layerlock operator root install` it"
    )]
    NotCertified {
        /// The newest root.
        root: u32,
        /// What the key serves as.
        role: Role,
        /// The key.
        key: SignKey,
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
    /// Roots and certificates; those of the three keys above come first.
    pub trust: TrustFiles,
    /// The newest root and the certificates under it.
    pub anchors: Anchors,
}

/// The keys that need a certificate.
pub struct ServiceKeys {
    /// Signs licenses, holds, certificates, settlements.
    pub licensor: SigningKey,
    /// Signs envelopes and job reports.
    pub vault: SigningKey,
    /// Signs ledger checkpoints.
    pub checkpoint: SigningKey,
}

impl ServiceKeys {
    /// Opens the keys in `dir`; what is missing is made.
    pub fn open(dir: &Path, rng: &mut impl CryptoRng) -> Result<Self, KeyringError> {
        files::private_dir(dir)?;
        let mut key =
            |role: Role| Ok::<_, KeyringError>(SigningKey::from_seed(&seed(&key_file(dir, role), rng)?));
        Ok(Self {
            licensor: key(Role::Licensor)?,
            vault: key(Role::Vault)?,
            checkpoint: key(Role::Checkpoint)?,
        })
    }

    /// The public halves, each with its role.
    pub fn public(&self) -> [(Role, VerifyingKey); 3] {
        let Self { licensor, vault, checkpoint } = self;
        let of = |role, key: &SigningKey| (role, key.verifying_key());
        [of(Role::Licensor, licensor), of(Role::Vault, vault), of(Role::Checkpoint, checkpoint)]
    }
}

/// The file of a root key that lies with the server.
pub fn root_key_file(dir: &Path) -> PathBuf {
    dir.join(ROOT_KEY)
}

/// The file a service's key lies in.
pub fn key_file(dir: &Path, role: Role) -> PathBuf {
    dir.join(format!("{role}.key"))
}

impl Keyring {
    /// Opens the keyring in `dir`; what is missing is made. A crash in between leaves whole files only, so the
    /// next start goes on where this one ended.
    pub fn open(dir: &Path, now: Timestamp, rng: &mut impl CryptoRng) -> Result<Self, KeyringError> {
        let services = ServiceKeys::open(dir, rng)?;
        let kek = KeyEncryptionKey::from_bytes(&seed(&dir.join("vault.kek"), rng)?);
        let operator = operator_key(&dir.join(OPERATOR), rng)?;
        let (trust, anchors) = trust(dir, &services.public(), now, rng)?;
        let ServiceKeys { licensor, vault, checkpoint } = services;
        Ok(Self { licensor, checkpoint, vault, kek, operator, trust, anchors })
    }

    /// What a newcomer compares the root with.
    pub fn root_digest(&self) -> Digest {
        self.anchors.root().digest()
    }

    /// The certificates of a role that hold today.
    pub fn certificates(&self, role: Role) -> Vec<Endorsement> {
        let of_role = self.anchors.services().iter().filter(|service| service.role == role);
        of_role.map(|service| service.endorsement().clone()).collect()
    }

    /// The certificate of the vault's key.
    pub fn vault_certificate(&self) -> Endorsement {
        self.certificates(Role::Vault).swap_remove(0)
    }
}

/// The trust files of `dir`, completed as far as a root key that lies there can.
fn trust(
    dir: &Path,
    services: &[(Role, VerifyingKey); 3],
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<(TrustFiles, Anchors), KeyringError> {
    let chain = |why| KeyringError::Chain { folder: dir.to_owned(), why };
    let mut trust = TrustFiles::read(dir)?;
    if trust.roots.is_empty() {
        make_root(dir, &mut trust, now, rng)?;
    }
    let mut anchors = trust.anchors().map_err(chain)?;
    for (role, key) in services {
        let ends = trust_files::certified_until(&anchors, *role, key).unwrap_or(Timestamp(0));
        if now.plus(RENEWED_BEFORE) < ends {
            continue;
        }
        match own_root_key(dir, anchors.root())? {
            Some(root_key) => {
                let noun =
                    ServiceCertificate { role: *role, key: (*key).into(), expires: now.plus(CERTIFICATE) };
                keep(dir, &mut trust, Endorsement::signed(&noun, &[&root_key]))?;
            }
            None if now < ends => {}
            None => {
                let root = anchors.root().version();
                return Err(KeyringError::NotCertified { root, role: *role, key: (*key).into() });
            }
        }
    }
    trust.in_order(services);
    anchors = trust.anchors().map_err(chain)?;
    Ok((trust, anchors))
}

/// A root of one key that lies here: good until somebody installs a better one.
fn make_root(
    dir: &Path,
    trust: &mut TrustFiles,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<(), KeyringError> {
    if dir.join(FORMER_ROOT).exists() {
        return Err(KeyringError::OlderForm(dir.join(FORMER_ROOT)));
    }
    let key = SigningKey::from_seed(&seed(&root_key_file(dir), rng)?);
    let root = Root::new(1, now.plus(ROOT), 1, vec![key.verifying_key().into()]);
    keep(dir, trust, Endorsement::signed(&root, &[&key]))
}

/// The root's key, if it lies here and is enough by itself.
fn own_root_key(dir: &Path, root: &TrustedRoot) -> Result<Option<SigningKey>, KeyringError> {
    let file = root_key_file(dir);
    if root.threshold > 1 || !file.exists() {
        return Ok(None);
    }
    let key = SigningKey::from_seed(&read_seed(&file)?);
    Ok(root.has_key(&key.verifying_key().key_id()).then_some(key))
}

fn keep(dir: &Path, trust: &mut TrustFiles, endorsement: Endorsement) -> Result<(), KeyringError> {
    let name = trust_files::name_of(&endorsement).expect("a root or a certificate was just made");
    files::write_public(&dir.join(&name), &endorsement.emit())?;
    Ok(trust.put(&dir.join(name), endorsement)?)
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
    read_seed(path)
}

/// A key file's 32 bytes.
pub fn read_seed(path: &Path) -> Result<[u8; 32], KeyringError> {
    files::read(path)?.try_into().map_err(|_| KeyringError::NotAKey(path.to_owned()))
}

fn operator_key(path: &Path, rng: &mut impl CryptoRng) -> Result<ApiKey, KeyringError> {
    if !path.exists() {
        files::write_private(path, ApiKey::generate(rng).reveal().as_bytes())?;
    }
    let text = String::from_utf8(files::read(path)?).map_err(|_| KeyringError::NotAKey(path.to_owned()))?;
    ApiKey::parse(text.trim()).map_err(|_| KeyringError::NotAKey(path.to_owned()))
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
        assert_eq!(first.anchors, second.anchors);
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

    #[test]
    fn certificates_near_their_end_are_made_anew_where_the_root_key_lies() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Keyring::open(dir.path(), Timestamp(1), &mut Random).expect("it is made");
        let near = Timestamp(1).plus(CERTIFICATE);
        let renewed = Keyring::open(dir.path(), near, &mut Random).expect("it is renewed");
        for role in Role::ALL {
            assert!(renewed.anchors.keys(role, near).next().is_some(), "{role}");
        }
        std::fs::remove_file(dir.path().join(ROOT_KEY)).expect("it is there");
        let later = near.plus(CERTIFICATE);
        let error = Keyring::open(dir.path(), later, &mut Random).err().expect("nobody here can renew");
        assert!(error.to_string().contains("root certify --role licensor"), "{error}");
    }

    #[test]
    fn a_root_of_the_form_before_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join(FORMER_ROOT), b"of before").expect("writable");
        let error = Keyring::open(dir.path(), Timestamp(1), &mut Random).err().expect("nothing reads it");
        assert!(
            error.to_string().contains("root.statement") && error.to_string().contains("move it"),
            "{error}"
        );
    }
}
