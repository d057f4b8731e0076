//! The service keys of the embedded house and the trust chain over them, made on first use.
//!
//! One folder holds the three service keys, the vault's key-encryption key (unless `kek` takes it from elsewhere) and the
//! operator's API key, each in a file of its own for its owner only; beside them the trust files. Where nobody has
//! installed a root, one is made whose single key lies here too, and it certifies the services without a question. An
//! installed root with keys elsewhere (`layerlock operator root`) takes its place, and from then on its keys certify.

use std::io;
use std::path::{Path, PathBuf};

use layerlock_seal::kek_ring::KekRing;
use layerlock_seal::keys::{SigningKey, VerifyingKey};
use layerlock_seal::token::ApiKey;
use layerlock_seal::trust::{Anchors, Endorsement, TrustError, TrustedRoot};
use layerlock_terms::digest::{Digest, SignKey};
use layerlock_terms::trust::{Role, Root, ServiceCertificate};
use layerlock_terms::units::{Millis, Timestamp};
use rand_core::CryptoRng;

use crate::files;
use crate::kek::{KekError, KekSources};
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
    /// A process that founds no house.
    #[error(
        "keys: {0} holds no root, and a process without the role of the licensor founds no house: copy the keys of its \
         roles there"
    )]
    NoHouse(PathBuf),
    /// A key-encryption key.
    #[error("keys: {0}")]
    Kek(#[from] KekError),
    /// A key a process needs and may not make.
    #[error(
        "keys: `{0}` is missing: copy it from where the house was founded; another one would open nothing"
    )]
    Missing(PathBuf),
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

/// The keys of one house that a process holds: those of its roles and no others.
pub struct Keyring {
    /// What a licensor signs with.
    pub licensor: Option<LicensorKeys>,
    /// What a vault or a worker opens and signs with.
    pub vault: Option<VaultKeys>,
    /// Roots and certificates; those of the keys above come first.
    pub trust: TrustFiles,
    /// The newest root and the certificates under it.
    pub anchors: Anchors,
}

/// See [`Keyring::licensor`].
pub struct LicensorKeys {
    /// Signs licenses, holds, certificates, settlements.
    pub issuer: SigningKey,
    /// Signs ledger checkpoints.
    pub checkpoint: SigningKey,
    /// Opens the operator's calls.
    pub operator: ApiKey,
}

/// See [`Keyring::vault`].
pub struct VaultKeys {
    /// Signs envelopes and job reports.
    pub delivery: SigningKey,
    /// Wrap designs at rest.
    pub keks: KekRing,
}

/// Whose keys a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// All: it founds the house if there is none.
    Everything,
    /// The licensor's and the checkpoint's.
    Licensor,
    /// The vault's.
    Vault,
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
    /// Opens the keyring in `dir`; in a house that is founded here what is missing is made. A crash in between leaves whole
    /// files only, so the next start goes on where this one ended.
    pub fn open(
        dir: &Path,
        holds: Holds,
        keks: &KekSources,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, KeyringError> {
        files::private_dir(dir)?;
        let mut keys = Files { dir, founds: holds == Holds::Everything, rng };
        let licensor = (holds != Holds::Vault).then(|| keys.licensor()).transpose()?;
        let vault = (holds != Holds::Licensor).then(|| keys.vault(keks)).transpose()?;
        let mut services = Vec::new();
        if let Some(keys) = &licensor {
            services.push((Role::Licensor, keys.issuer.verifying_key()));
            services.push((Role::Checkpoint, keys.checkpoint.verifying_key()));
        }
        services.extend(vault.as_ref().map(|keys| (Role::Vault, keys.delivery.verifying_key())));
        let (trust, anchors) = trust(dir, &services, holds, now, rng)?;
        Ok(Self { licensor, vault, trust, anchors })
    }

    /// What a newcomer compares the root with.
    pub fn root_digest(&self) -> Digest {
        self.anchors.root().digest()
    }
}

/// The certificates of a role that hold today; its own key's comes first.
pub fn certificates(anchors: &Anchors, role: Role) -> Vec<Endorsement> {
    let of_role = anchors.services().iter().filter(|service| service.role == role);
    of_role.map(|service| service.endorsement().clone()).collect()
}

/// The key files of a folder.
struct Files<'a, R> {
    dir: &'a Path,
    /// Whether what is missing is made: elsewhere another key would open nothing.
    founds: bool,
    rng: &'a mut R,
}

impl<R: CryptoRng> Files<'_, R> {
    fn seed(&mut self, path: &Path) -> Result<[u8; 32], KeyringError> {
        if !self.founds && !path.exists() {
            return Err(KeyringError::Missing(path.to_owned()));
        }
        seed(path, self.rng)
    }

    fn signing(&mut self, role: Role) -> Result<SigningKey, KeyringError> {
        Ok(SigningKey::from_seed(&self.seed(&key_file(self.dir, role))?))
    }

    fn licensor(&mut self) -> Result<LicensorKeys, KeyringError> {
        let operator = self.dir.join(OPERATOR);
        if !self.founds && !operator.exists() {
            return Err(KeyringError::Missing(operator));
        }
        Ok(LicensorKeys {
            issuer: self.signing(Role::Licensor)?,
            checkpoint: self.signing(Role::Checkpoint)?,
            operator: operator_key(&operator, self.rng)?,
        })
    }

    fn vault(&mut self, keks: &KekSources) -> Result<VaultKeys, KeyringError> {
        let keks = keks.open(self.dir, self.founds, self.rng)?;
        Ok(VaultKeys { delivery: self.signing(Role::Vault)?, keks })
    }
}

/// The trust files of `dir`, completed as far as a root key that lies there can.
fn trust(
    dir: &Path,
    services: &[(Role, VerifyingKey)],
    holds: Holds,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<(TrustFiles, Anchors), KeyringError> {
    let chain = |why| KeyringError::Chain { folder: dir.to_owned(), why };
    let mut trust = TrustFiles::read(dir)?;
    if trust.roots.is_empty() {
        if holds != Holds::Everything {
            return Err(KeyringError::NoHouse(dir.to_owned()));
        }
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

/// The operator's key once more.
pub fn copy_of_operator(key: &ApiKey) -> ApiKey {
    ApiKey::parse(&key.reveal()).expect("a key reads back")
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

    fn open(dir: &tempfile::TempDir, holds: Holds, now: Timestamp) -> Result<Keyring, KeyringError> {
        Keyring::open(dir.path(), holds, &KekSources::default(), now, &mut Random)
    }

    #[test]
    fn a_keyring_opened_twice_is_the_same() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let first = open(&dir, Holds::Everything, Timestamp(1)).expect("it is made");
        let second = open(&dir, Holds::Everything, Timestamp(2)).expect("it is read");
        assert_eq!(first.root_digest(), second.root_digest());
        assert_eq!(first.anchors, second.anchors);
        let vault =
            |keyring: &Keyring| keyring.vault.as_ref().expect("it holds all").delivery.verifying_key();
        assert_eq!(vault(&first), vault(&second));
    }

    /// A folder with these files of a house that was founded elsewhere.
    fn copied(names: &[&str]) -> tempfile::TempDir {
        let (house, dir) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        open(&house, Holds::Everything, Timestamp(1)).expect("it is made");
        for entry in std::fs::read_dir(house.path()).expect("readable").map(|entry| entry.expect("readable"))
        {
            let name = entry.file_name().into_string().expect("text");
            if name.ends_with(".trust") || names.contains(&name.as_str()) {
                std::fs::copy(entry.path(), dir.path().join(name)).expect("writable");
            }
        }
        dir
    }

    #[test]
    fn a_process_opens_with_the_keys_of_its_roles_alone_and_makes_none() {
        let vault = copied(&["vault.key", "vault.kek"]);
        let keys = open(&vault, Holds::Vault, Timestamp(1)).expect("it has what it needs");
        assert!(keys.licensor.is_none() && keys.vault.is_some());
        let licensor = copied(&["licensor.key", "checkpoint.key", "operator.key"]);
        let keys = open(&licensor, Holds::Licensor, Timestamp(1)).expect("it has what it needs");
        assert!(keys.licensor.is_some() && keys.vault.is_none());
        for (dir, holds, file) in
            [(&vault, Holds::Licensor, "operator.key"), (&licensor, Holds::Vault, "vault.kek")]
        {
            let error = open(dir, holds, Timestamp(1)).err().expect("a key is missing").to_string();
            assert!(error.contains(file), "{error}");
            assert!(!dir.path().join(file).exists(), "another key was made in its place");
        }
        let empty = tempfile::tempdir().expect("a folder");
        std::fs::write(empty.path().join("vault.key"), [1; 32]).expect("writable");
        std::fs::write(empty.path().join("vault.kek"), [1; 32]).expect("writable");
        let error = open(&empty, Holds::Vault, Timestamp(1)).err().expect("there is no house").to_string();
        assert!(error.contains("founds no house"), "{error}");
    }

    #[test]
    fn a_cut_key_file_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        open(&dir, Holds::Everything, Timestamp(1)).expect("it is made");
        std::fs::write(dir.path().join("vault.kek"), [1; 31]).expect("the file is writable");
        let error = open(&dir, Holds::Everything, Timestamp(1)).err().expect("a cut key is no key");
        assert!(error.to_string().contains("vault.kek"), "{error}");
    }

    #[test]
    fn certificates_near_their_end_are_made_anew_where_the_root_key_lies() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        open(&dir, Holds::Everything, Timestamp(1)).expect("it is made");
        let near = Timestamp(1).plus(CERTIFICATE);
        let renewed = open(&dir, Holds::Everything, near).expect("it is renewed");
        for role in Role::ALL {
            assert!(renewed.anchors.keys(role, near).next().is_some(), "{role}");
        }
        std::fs::remove_file(dir.path().join(ROOT_KEY)).expect("it is there");
        let later = near.plus(CERTIFICATE);
        let error = open(&dir, Holds::Everything, later).err().expect("nobody here can renew");
        assert!(error.to_string().contains("root certify --role licensor"), "{error}");
    }

    #[test]
    fn a_root_of_the_form_before_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join(FORMER_ROOT), b"of before").expect("writable");
        let error = open(&dir, Holds::Everything, Timestamp(1)).err().expect("nothing reads it");
        assert!(
            error.to_string().contains("root.statement") && error.to_string().contains("move it"),
            "{error}"
        );
    }
}
