//! The trust files of a server: every version of the root, and the certificates of the services.
//!
//! Each `*.trust` file in the folder is one endorsement (`proto/spec/trust.md`) and is told by what it holds, not by
//! its name. What is in the folder is believed as a client would believe it: the roots are walked, the certificates
//! counted. Deliberately absent: keys; these files hold none.

use std::io;
use std::path::{Path, PathBuf};

use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::trust::{Anchors, Endorsement, TrustError, TrustedRoot};
use layerlock_terms::trust::{Role, Root, ServiceCertificate};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Noun};

use crate::files;

/// How a trust file's name ends.
pub const SUFFIX: &str = "trust";

/// What a folder holds.
#[derive(Debug, Clone, Default)]
pub struct TrustFiles {
    /// The roots, oldest first.
    pub roots: Vec<Endorsement>,
    /// All certificates, of former keys too.
    pub certificates: Vec<Endorsement>,
}

/// Why trust files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustFileError {
    /// A file could not be read or written; the error names it.
    #[error("{0}")]
    File(#[from] io::Error),
    /// A file holds something else.
    #[error("{}: {why}; restore it from a backup, or make it anew", file.display())]
    NotATrustFile {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: Malformed,
    },
    /// A file holds something that has no place among these.
    #[error("{}: endorses a `{kind}`; a root or a service certificate belongs here", file.display())]
    OtherNoun {
        /// The file.
        file: PathBuf,
        /// What it endorses.
        kind: String,
    },
    /// What is in the files isn't believed.
    #[error("{}: {why}", file.display())]
    NotTrusted {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: TrustError,
    },
}

impl TrustFiles {
    /// Reads every trust file of a folder; an absent folder holds none.
    ///
    /// # Errors
    /// [`TrustFileError`] names the file.
    pub fn read(folder: &Path) -> Result<Self, TrustFileError> {
        let mut found = Self::default();
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            entries => entries?,
        };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.retain(|path| path.extension().is_some_and(|suffix| suffix == SUFFIX));
        // Folders are listed in any order; what is handed out is the same at every start.
        paths.sort();
        for path in paths {
            found.put(&path, open(&path)?)?;
        }
        Ok(found)
    }

    /// Takes one more; a root of the same version, or a certificate of the same key and role, is replaced.
    ///
    /// # Errors
    /// When it is neither a root nor a certificate.
    pub fn put(&mut self, file: &Path, endorsement: Endorsement) -> Result<(), TrustFileError> {
        let not = |why| TrustFileError::NotTrusted { file: file.to_owned(), why };
        match endorsement.kind() {
            Root::TYPE => {
                let version = endorsement.read::<Root>().map_err(not)?.version;
                self.roots.retain(|root| version_of(root) != version);
                self.roots.push(endorsement);
                self.roots.sort_by_key(version_of);
            }
            ServiceCertificate::TYPE => {
                let certificate: ServiceCertificate = endorsement.read().map_err(not)?;
                self.certificates.retain(|other| !is_of(other, certificate.role, certificate.key.as_bytes()));
                self.certificates.push(endorsement);
            }
            kind => {
                return Err(TrustFileError::OtherNoun { file: file.to_owned(), kind: kind.to_owned() });
            }
        }
        Ok(())
    }

    /// The newest root, walked from the oldest there is.
    ///
    /// # Errors
    /// [`TrustError`] at the first that doesn't follow.
    pub fn root(&self) -> Result<TrustedRoot, TrustError> {
        let (first, later) = self.roots.split_first().ok_or(TrustError::NoRoot)?;
        TrustedRoot::begin(first)?.walk(later)
    }

    /// The newest root, and the certificates that hold under it; others are of former times.
    ///
    /// # Errors
    /// As [`TrustFiles::root`].
    pub fn anchors(&self) -> Result<Anchors, TrustError> {
        let mut anchors = Anchors::new(self.root()?, &[])?;
        for certificate in &self.certificates {
            // One the newest root endorses no longer stays on the disk: it reads what was signed in its time.
            drop(anchors.certify(certificate));
        }
        Ok(anchors)
    }

    /// Certificates of these keys first, in their order: who looks for a role's key takes the first.
    pub fn in_order(&mut self, first: &[(Role, VerifyingKey)]) {
        self.certificates.sort_by_key(|certificate| {
            let own = |(role, key): &(Role, VerifyingKey)| is_of(certificate, *role, key.as_bytes());
            first.iter().position(own).unwrap_or(first.len())
        });
    }
}

/// The file an endorsement is kept under: told by what it says.
pub fn name_of(endorsement: &Endorsement) -> Option<String> {
    if let Ok(root) = endorsement.read::<Root>() {
        return Some(format!("root-{}.{SUFFIX}", root.version));
    }
    let certificate: ServiceCertificate = endorsement.read().ok()?;
    let key = VerifyingKey::try_from(certificate.key).ok()?.key_id().to_string();
    Some(format!("{}-{}.{SUFFIX}", certificate.role, &key[..8]))
}

/// Reads one trust file.
///
/// # Errors
/// [`TrustFileError`] names it.
pub fn open(path: &Path) -> Result<Endorsement, TrustFileError> {
    let not = |why| TrustFileError::NotATrustFile { file: path.to_owned(), why };
    Endorsement::parse(&files::read(path)?).map_err(not)
}

/// Until when this key is certified in this role, if it is.
pub fn certified_until(anchors: &Anchors, role: Role, key: &VerifyingKey) -> Option<Timestamp> {
    let own = anchors.services().iter().filter(|c| c.role == role && c.key == (*key).into());
    own.map(|certificate| certificate.expires).max()
}

fn version_of(root: &Endorsement) -> u32 {
    root.read::<Root>().map_or(0, |root| root.version)
}

fn is_of(certificate: &Endorsement, role: Role, key: &[u8; 32]) -> bool {
    let read = certificate.read::<ServiceCertificate>();
    read.is_ok_and(|certificate| certificate.role == role && certificate.key.as_bytes() == key)
}
