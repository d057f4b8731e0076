//! Whom the vault trusts and what it signs and seals with.
//!
//! Trust is a chain of statements checked here once, at the start, and held against the clock at every use:
//! root (threshold of its own keys) → the licensor's service certificate → what the licensor signs. Keys come
//! in from outside (file, environment, token): no key is read or made here.

use std::sync::Arc;

use layerlock_seal::keys::{KeyEncryptionKey, SigningKey, VerifyingKey};
use layerlock_seal::statement::{Refused, Statement, Verified};
use layerlock_terms::trust::{Role, Root, ServiceCertificate};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;

/// Why a chain of certificates is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Fewer of the root's keys signed it than it demands, or it is no root.
    #[error("the root is signed by {found} of its keys, {wanted} must sign: fetch the root again")]
    Threshold {
        /// Keys that signed.
        found: usize,
        /// Keys that must.
        wanted: usize,
    },
    /// There is no root, or its bytes are none.
    #[error("the root is no root statement: fetch it again")]
    NoRoot,
    /// No root key signed this certificate.
    #[error("the {role} certificate is not signed by a root key: {refused}")]
    Foreign {
        /// Whose.
        role: &'static str,
        /// The check that failed.
        refused: Refused,
    },
    /// A certificate for another duty or another key.
    #[error("the {role} certificate is for another role or key: have the root certify this one")]
    WrongCertificate {
        /// Whose.
        role: &'static str,
    },
    /// Something in the chain is past its end.
    #[error("the {what} has expired: have it renewed")]
    Expired {
        /// What.
        what: &'static str,
    },
}

/// What the vault signs and seals with.
pub(crate) struct Keys {
    /// Signs headers, segments, manifests, reports and welcomes.
    pub(crate) delivery: Arc<SigningKey>,
    /// The root's word for `delivery`.
    pub(crate) certificate: Statement,
    /// Wraps what rests on disk.
    pub(crate) kek: KeyEncryptionKey,
}

/// The chain that ends in the licensor's key.
pub(crate) struct Trust {
    root: Root,
    licensor: Verified<ServiceCertificate>,
    key: VerifyingKey,
}

impl Trust {
    /// Checks root and licensor certificate against each other; the clock is asked at every use.
    pub(crate) fn check(root: &[Statement], licensor: &Statement) -> Result<Self, TrustError> {
        let root = verify_root(root)?;
        let licensor = certified(&root, licensor, Role::Licensor)?;
        let key = VerifyingKey::try_from(licensor.key)
            .map_err(|_| TrustError::WrongCertificate { role: "licensor" })?;
        Ok(Self { root, licensor, key })
    }

    /// Checks that the root certifies `key` as a vault.
    pub(crate) fn check_vault(&self, certificate: &Statement, key: &SigningKey) -> Result<(), TrustError> {
        let certificate = certified(&self.root, certificate, Role::Vault)?;
        if certificate.key.as_bytes() == key.verifying_key().as_bytes() {
            Ok(())
        } else {
            Err(TrustError::WrongCertificate { role: "vault" })
        }
    }

    /// The licensor's key, for verifying something now.
    pub(crate) fn licensor(&self, now: Timestamp) -> Result<&VerifyingKey, TrustError> {
        if now >= self.root.expires {
            return Err(TrustError::Expired { what: "root" });
        }
        if now >= self.licensor.expires {
            return Err(TrustError::Expired { what: "licensor certificate" });
        }
        Ok(&self.key)
    }

    /// The licensor's key, for what it signed while its certificate ran and the vault has acted on since.
    pub(crate) fn licensor_of_record(&self) -> &VerifyingKey {
        &self.key
    }
}

/// A root is believed when the threshold of its own keys signed the same bytes.
fn verify_root(statements: &[Statement]) -> Result<Root, TrustError> {
    let first = statements.first().ok_or(TrustError::NoRoot)?;
    let root = Root::parse(first.payload()).map_err(|_| TrustError::NoRoot)?;
    let signed = |key: &VerifyingKey| {
        statements.iter().any(|s| s.payload() == first.payload() && s.verify::<Root>(key).is_ok())
    };
    let keys = root.keys.iter().filter_map(|key| VerifyingKey::try_from(*key).ok());
    let found = keys.filter(signed).count();
    let wanted = usize::from(root.threshold);
    if found >= wanted { Ok(root) } else { Err(TrustError::Threshold { found, wanted }) }
}

fn certified(
    root: &Root,
    statement: &Statement,
    role: Role,
) -> Result<Verified<ServiceCertificate>, TrustError> {
    let name = match role {
        Role::Licensor => "licensor",
        Role::Vault => "vault",
        Role::Checkpoint => "checkpoint",
    };
    let mut refused = Refused::BadSignature;
    for key in root.keys.iter().filter_map(|key| VerifyingKey::try_from(*key).ok()) {
        match statement.verify::<ServiceCertificate>(&key) {
            Ok(certificate) if certificate.role == role => return Ok(certificate),
            Ok(_) => return Err(TrustError::WrongCertificate { role: name }),
            Err(why) => refused = why,
        }
    }
    Err(TrustError::Foreign { role: name, refused })
}
