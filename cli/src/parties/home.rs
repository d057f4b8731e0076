//! Where a party keeps what it was given: one folder, for its owner only.

use std::path::{Path, PathBuf};
use std::{fs, io};

use layerlock_seal::keys::SigningKey;
use layerlock_seal::statement::Statement;
use layerlock_seal::token::ApiKey;
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::DesignId;
use rand_core::Rng as _;
use zeroize::Zeroizing;

use crate::args::Party;
use crate::connect::{ConnectError, Connection};
use crate::files;
use crate::parties::PartyError;
use crate::random::{Random, id_bytes};

const API_KEY: &str = "api.key";
const SIGNING_KEY: &str = "signing.key";
const CERTIFICATE: &str = "certificate.statement";

/// A party's folder.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

/// The folder all of this program's own files are under, unless told otherwise.
pub fn base() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    data.unwrap_or_else(|| PathBuf::from(".")).join("layerlock")
}

/// The server's folder, unless told otherwise.
pub fn server_dir(told: Option<&Path>) -> PathBuf {
    told.map_or_else(|| base().join("server"), Path::to_owned)
}

/// File name of the connection file in the server's folder.
pub const CONNECT: &str = "connect.toml";

impl Party {
    /// The folder of this party.
    pub fn home(&self, party: &str) -> Result<Home, PartyError> {
        let home = Home(self.home.clone().unwrap_or_else(|| base().join(party)));
        files::private_dir(&home.0)?;
        Ok(home)
    }

    /// The folder of a device that is there already; none is made.
    pub fn device(&self) -> PathBuf {
        self.home.clone().unwrap_or_else(|| base().join("device"))
    }

    /// The server it speaks to.
    pub fn connection(&self) -> Result<Connection, ConnectError> {
        Connection::read(&self.connect.clone().unwrap_or_else(|| server_dir(None).join(CONNECT)))
    }
}

impl Home {
    /// A party's folder at `path`.
    pub fn at(path: &Path) -> Result<Self, PartyError> {
        files::private_dir(path)?;
        Ok(Self(path.to_owned()))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Remembers the API key.
    pub fn keep_api_key(&self, text: &str) -> Result<(), PartyError> {
        let key = ApiKey::parse(text.trim()).map_err(|error| PartyError::Malformed(error.to_string()))?;
        Ok(files::write_private(&self.0.join(API_KEY), key.reveal().as_bytes())?)
    }

    /// The API key.
    pub fn api_key(&self) -> Result<Zeroizing<String>, PartyError> {
        let path = self.0.join(API_KEY);
        if !path.exists() {
            return Err(PartyError::NotJoined(self.0.clone()));
        }
        let text = String::from_utf8(files::read(&path)?);
        text.map(Zeroizing::new).map_err(|_| self.malformed(API_KEY))
    }

    /// The signing key, made on first use.
    pub fn signing_key(&self) -> Result<SigningKey, PartyError> {
        let path = self.0.join(SIGNING_KEY);
        if !path.exists() {
            let mut seed = Zeroizing::new([0; 32]);
            Random.fill_bytes(&mut *seed);
            files::write_private(&path, &*seed)?;
        }
        let seed: [u8; 32] = files::read(&path)?.try_into().map_err(|_| self.malformed(SIGNING_KEY))?;
        Ok(SigningKey::from_seed(&seed))
    }

    /// Remembers the certificate over the signing key.
    pub fn keep_certificate(&self, statement: &[u8]) -> Result<(), PartyError> {
        Ok(files::write_public(&self.0.join(CERTIFICATE), statement)?)
    }

    /// The certificate over the signing key.
    pub fn certificate(&self) -> Result<Statement, PartyError> {
        let path = self.0.join(CERTIFICATE);
        if !path.exists() {
            return Err(PartyError::NotJoined(self.0.clone()));
        }
        Statement::parse(&files::read(&path)?).map_err(|_| self.malformed(CERTIFICATE))
    }

    /// The design that these bytes are uploaded as: the one of an upload that broke off, or a new one, remembered until
    /// [`Self::forget_upload`].
    pub fn upload_of(&self, version: &Digest) -> Result<DesignId, PartyError> {
        let path = self.upload_file(version);
        if path.exists() {
            let text = String::from_utf8(files::read(&path)?).unwrap_or_default();
            return text.trim().parse().map_err(|_| self.malformed(&path.to_string_lossy()));
        }
        let design = DesignId::from_bytes(id_bytes());
        files::write_private(&path, design.to_string().as_bytes())?;
        Ok(design)
    }

    /// The upload of these bytes is over.
    pub fn forget_upload(&self, version: &Digest) -> Result<(), PartyError> {
        match fs::remove_file(self.upload_file(version)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn upload_file(&self, version: &Digest) -> PathBuf {
        self.0.join(format!("{version}.upload"))
    }

    fn malformed(&self, name: &str) -> PartyError {
        let file = self.0.join(name);
        PartyError::Malformed(format!(
            "{}: not what this program wrote; restore it or join again",
            file.display()
        ))
    }
}
