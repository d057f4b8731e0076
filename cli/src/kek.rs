//! Where the vault's key-encryption keys come from: files, the environment, a PKCS#11 token.
//!
//! The settings name the sources; the first one's key wraps, the others open what they wrapped. The formulas of
//! `proto/spec/vault-blob.md` need the key's bytes in memory, so of a token's key they take an HMAC: whoever copies disks
//! and settings has no key without the token.

use std::fmt;
use std::path::{Path, PathBuf};

use layerlock_seal::kek_ring::KekRing;
use layerlock_seal::keys::KeyEncryptionKey;
use rand_core::CryptoRng;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::files;
use crate::pkcs11::{TokenError, TokenKey};

/// The file that is made where nothing else is said.
const FILE: &str = "vault.kek";

/// Where one key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KekSource {
    /// 32 bytes in this file; a relative path is in the server's `keys`.
    File(PathBuf),
    /// 64 hex digits in this environment variable.
    Environment(String),
    /// Of a key in a token.
    Token(TokenKey),
}

/// The sources of all keys, the current one's first; none means the file that is made when a house is founded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct KekSources(Vec<KekSource>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KekError {
    /// Not a source.
    #[error("`{0}` is no source of a key: write file:PATH, env:NAME or a pkcs11: URI")]
    Source(String),
    /// A file that should be there.
    #[error("`{0}` is missing: copy it from where the house was founded; another one would open nothing")]
    Missing(PathBuf),
    /// A file that holds something else.
    #[error("`{0}` is not a key file of this program; restore it from a backup")]
    NotAKey(PathBuf),
    /// A variable that is not there or holds something else.
    #[error("the environment variable {0} does not hold a key: 64 hex digits are wanted")]
    Environment(String),
    /// Two sources give one key.
    #[error("{0} and {1} give the same key: name it once")]
    Twice(String, String),
    /// What nobody can make from here.
    #[error("{0}: a key for the environment is made by whoever sets it, 32 random bytes as 64 hex digits")]
    NotMadeHere(String),
    /// A token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A file or folder.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

impl std::str::FromStr for KekSource {
    type Err = KekError;

    fn from_str(text: &str) -> Result<Self, KekError> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Environment(name.to_owned())),
            Some(("pkcs11", _)) => Ok(Self::Token(text.parse()?)),
            Some(_) | None => Err(KekError::Source(text.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for KekSource {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for KekSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::Token(key) => f.write_str(key.uri()),
        }
    }
}

impl KekSource {
    /// The key.
    pub fn open(&self, keys: &Path) -> Result<KeyEncryptionKey, KekError> {
        let bytes = match self {
            Self::File(path) => of_file(&keys.join(path))?,
            Self::Environment(name) => of_variable(name)?,
            Self::Token(key) => key.hmac(KeyEncryptionKey::token_message())?,
        };
        Ok(KeyEncryptionKey::from_bytes(&bytes))
    }

    /// Makes a new key there. What is there already stays as it is.
    pub fn make(&self, keys: &Path, rng: &mut impl CryptoRng) -> Result<(), KekError> {
        match self {
            Self::File(path) => {
                let mut fresh = Zeroizing::new([0; 32]);
                rng.fill_bytes(&mut fresh[..]);
                Ok(files::create_private(&keys.join(path), &fresh[..])?)
            }
            Self::Environment(_) => Err(KekError::NotMadeHere(self.to_string())),
            Self::Token(key) => Ok(key.make()?),
        }
    }
}

impl KekSources {
    /// Opens all; `founds` says whether the file that is there by default is made if it is missing.
    pub fn open(&self, keys: &Path, founds: bool, rng: &mut impl CryptoRng) -> Result<KekRing, KekError> {
        let of_the_house = [KekSource::File(FILE.into())];
        let sources = if self.0.is_empty() { &of_the_house[..] } else { &self.0[..] };
        if self.0.is_empty() && founds && !keys.join(FILE).exists() {
            sources[0].make(keys, rng)?;
        }
        let mut ring = KekRing::new(sources[0].open(keys)?);
        let mut held = vec![(ring.current().key_id(), &sources[0])];
        for source in &sources[1..] {
            let former = source.open(keys)?;
            if let Some((_, same)) = held.iter().find(|(id, _)| *id == former.key_id()) {
                return Err(KekError::Twice(same.to_string(), source.to_string()));
            }
            held.push((former.key_id(), source));
            ring = ring.with_former(former);
        }
        Ok(ring)
    }

    /// What they are called, in the order of [`KekRing::ids`].
    pub fn names(&self) -> Vec<String> {
        if self.0.is_empty() {
            return vec![KekSource::File(FILE.into()).to_string()];
        }
        self.0.iter().map(KekSource::to_string).collect()
    }
}

fn of_file(path: &Path) -> Result<Zeroizing<[u8; 32]>, KekError> {
    if !path.exists() {
        return Err(KekError::Missing(path.to_owned()));
    }
    let bytes = Zeroizing::new(files::read(path)?);
    bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| KekError::NotAKey(path.to_owned()))
}

fn of_variable(name: &str) -> Result<Zeroizing<[u8; 32]>, KekError> {
    let not = || KekError::Environment(name.to_owned());
    let text = Zeroizing::new(std::env::var(name).map_err(|_| not())?);
    let digits = text.trim().as_bytes();
    if digits.len() != 64 {
        return Err(not());
    }
    let mut bytes = Zeroizing::new([0; 32]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let pair = str::from_utf8(pair).map_err(|_| not())?;
        // `from_str_radix` takes a sign.
        if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(not());
        }
        *byte = u8::from_str_radix(pair, 16).map_err(|_| not())?;
    }
    Ok(bytes)
}
