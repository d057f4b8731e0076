//! Whom this device believes: the root it was given at enrolment, and what that root vouches for.
//!
//! Root → service certificates (licensor, vault, checkpoint) → everything else. The root is pinned once; only
//! a newer one, signed by the threshold of the pinned one's own keys as well, ever takes its place (L10).
//! Deliberately absent: names and addresses. A vault is its key, wherever it answers.

use layerlock_seal::keys::{KeyId, VerifyingKey};
use layerlock_seal::sha256;
use layerlock_seal::statement::{self, Statement, Verified};
use layerlock_terms::digest::Digest;
use layerlock_terms::trust::{Role, Root, ServiceCertificate};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Noun, Reader, Writer};

/// Most statements of a root or of its services that are read.
const STATEMENTS: u32 = 64;
/// Longest of them, in bytes.
const STATEMENT_LIMIT: u32 = 16 * 1024;

/// The pinned root and the keys it vouches for.
#[derive(Debug, Clone)]
pub struct Anchors {
    root: Root,
    root_digest: Digest,
    root_statements: Vec<Statement>,
    services: Vec<Verified<ServiceCertificate>>,
}

/// Why something is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Bytes that aren't a statement.
    #[error("the trust chain is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// The root isn't the one the caller was told of.
    #[error("the root's digest is {found}, expected {expected}: this is not the service you mean")]
    WrongRoot {
        /// What was fetched.
        found: Digest,
        /// What the caller knows.
        expected: Digest,
    },
    /// Too few of the root's keys signed it.
    #[error("{signed} of the root's keys signed it, {threshold} must")]
    BelowThreshold {
        /// Distinct keys that signed.
        signed: usize,
        /// What the root asks for.
        threshold: u8,
    },
    /// Statements of the root that differ.
    #[error("the root's statements differ from one another")]
    TwoRoots,
    /// A root older than the pinned one, or another of the same version.
    #[error("root version {found} was offered, {pinned} is pinned: older versions are never taken")]
    OlderRoot {
        /// What was offered.
        found: u32,
        /// What is pinned.
        pinned: u32,
    },
    /// Past its end.
    #[error("the {what} expired at {at} (milliseconds since 1970); fetch a fresh one", at = .at.0)]
    Expired {
        /// What expired.
        what: &'static str,
        /// When.
        at: Timestamp,
    },
    /// No key of the pinned root signed a certificate.
    #[error("a service certificate is signed by {0}, which is not a key of the pinned root")]
    NotByRoot(KeyId),
    /// The root vouches for no such key in this role.
    #[error("the pinned root vouches for no {role:?} key {key}")]
    NoSuchKey {
        /// The role.
        role: Role,
        /// The key asked for.
        key: KeyId,
    },
    /// A statement that doesn't verify.
    #[error("{0}")]
    Refused(#[from] statement::Refused),
}

/// What names a root: SHA-256 of its signed bytes. Compared by people, so that a first fetch can be trusted.
pub fn root_digest(root: &Root) -> Digest {
    sha256(&root.emit())
}

impl Anchors {
    /// Verifies a root against itself and `expected`, and the services against the root.
    ///
    /// # Errors
    /// [`TrustError`] at the first thing that doesn't hold.
    pub fn establish(
        roots: &[Statement],
        services: &[Statement],
        expected: Option<Digest>,
        now: Timestamp,
    ) -> Result<Self, TrustError> {
        let root = self_signed(roots)?;
        let root_digest = root_digest(&root);
        match expected {
            Some(expected) if expected != root_digest => {
                return Err(TrustError::WrongRoot { found: root_digest, expected });
            }
            Some(_) | None => fresh("root", root.expires, now)?,
        }
        let mut anchors = Self { root, root_digest, root_statements: roots.to_vec(), services: Vec::new() };
        services.iter().try_for_each(|service| anchors.vouch(service, now).map(drop))?;
        Ok(anchors)
    }

    /// These anchors, or those of a newer root that the pinned one signed too.
    ///
    /// # Errors
    /// [`TrustError::OlderRoot`], or what [`Anchors::establish`] refuses.
    pub fn renewed(
        &self,
        roots: &[Statement],
        services: &[Statement],
        now: Timestamp,
    ) -> Result<Self, TrustError> {
        let next = Self::establish(roots, services, None, now)?;
        if next.root_digest == self.root_digest {
            return Ok(next);
        }
        if next.root.version <= self.root.version {
            return Err(TrustError::OlderRoot { found: next.root.version, pinned: self.root.version });
        }
        // Rotation: the keys we believe must hand over to the new ones, not only the new ones to themselves.
        signed_by_threshold(roots, &self.root)?;
        Ok(next)
    }

    /// Takes a service certificate, and gives it; the same one twice is one.
    ///
    /// # Errors
    /// [`TrustError`] when it isn't signed by a key of the root or is past its end.
    pub fn vouch(
        &mut self,
        statement: &Statement,
        now: Timestamp,
    ) -> Result<Verified<ServiceCertificate>, TrustError> {
        let key = self
            .root
            .keys
            .iter()
            .filter_map(|key| VerifyingKey::try_from(*key).ok())
            .find(|key| key.key_id() == statement.signer())
            .ok_or(TrustError::NotByRoot(statement.signer()))?;
        let certificate: Verified<ServiceCertificate> = statement.verify(&key)?;
        fresh("service certificate", certificate.expires, now)?;
        self.services.retain(|known| known.key != certificate.key || known.role != certificate.role);
        self.services.push(certificate.clone());
        Ok(certificate)
    }

    /// Verifies a noun that only a key of this role may state.
    ///
    /// # Errors
    /// [`TrustError::NoSuchKey`], [`TrustError::Expired`], or what the statement itself is refused for.
    pub fn verify<T: Noun>(
        &self,
        role: Role,
        statement: &Statement,
        now: Timestamp,
    ) -> Result<Verified<T>, TrustError> {
        let mut keys = self.keys(role, now);
        let key = keys.find(|key| key.key_id() == statement.signer());
        let key = key.ok_or(TrustError::NoSuchKey { role, key: statement.signer() })?;
        Ok(statement.verify(&key)?)
    }

    /// The unexpired keys of a role.
    pub fn keys(&self, role: Role, now: Timestamp) -> impl Iterator<Item = VerifyingKey> + '_ {
        let serving = self.services.iter().filter(move |service| service.role == role);
        serving.filter(move |service| now < service.expires).filter_map(|service| service.key.try_into().ok())
    }

    /// The pinned root's digest.
    pub fn root_digest(&self) -> Digest {
        self.root_digest
    }

    /// Writes root and certificates as they were received.
    pub(crate) fn write(&self, w: &mut Writer) {
        let one = |w: &mut Writer, statement: &Statement| {
            w.bytes(&statement.emit());
        };
        w.list(&self.root_statements, one);
        w.list(&self.services, |w, service| one(w, service.statement()));
    }

    /// Reads and verifies what [`Anchors::write`] wrote. Certificates that ended in the meantime are left out:
    /// the root itself must still hold.
    pub(crate) fn read(r: &mut Reader<'_>, now: Timestamp) -> Result<Self, TrustError> {
        let one = |r: &mut Reader<'_>| Statement::parse(r.bytes("statement", STATEMENT_LIMIT)?);
        let roots = r.list("root", STATEMENTS, one)?;
        let services = r.list("services", STATEMENTS, one)?;
        let mut anchors = Self::establish(&roots, &[], None, now)?;
        for service in &services {
            match anchors.vouch(service, now) {
                Ok(_) | Err(TrustError::Expired { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(anchors)
    }
}

/// Reads statements as they came.
pub(crate) fn statements(seen: &[Vec<u8>]) -> Result<Vec<Statement>, Malformed> {
    if seen.len() > STATEMENTS as usize {
        return Err(Malformed::Value("statements"));
    }
    seen.iter().map(|bytes| Statement::parse(bytes)).collect()
}

fn self_signed(roots: &[Statement]) -> Result<Root, TrustError> {
    let first = roots.first().ok_or(TrustError::BelowThreshold { signed: 0, threshold: 1 })?;
    if roots.iter().any(|other| other.payload() != first.payload()) {
        return Err(TrustError::TwoRoots);
    }
    // Read before it is verified, because it names its own keys; believed only if enough of them signed it.
    let root = Root::parse(first.payload())?;
    signed_by_threshold(roots, &root)?;
    Ok(root)
}

/// Whether enough of `signers`' keys signed these statements of one root.
fn signed_by_threshold(roots: &[Statement], signers: &Root) -> Result<(), TrustError> {
    let keys = signers.keys.iter().filter_map(|key| VerifyingKey::try_from(*key).ok());
    let signed = keys.filter(|key| roots.iter().any(|root| root.verify::<Root>(key).is_ok())).count();
    if signed >= usize::from(signers.threshold) {
        return Ok(());
    }
    Err(TrustError::BelowThreshold { signed, threshold: signers.threshold })
}

fn fresh(what: &'static str, expires: Timestamp, now: Timestamp) -> Result<(), TrustError> {
    if now < expires { Ok(()) } else { Err(TrustError::Expired { what, at: expires }) }
}

#[cfg(test)]
mod tests;
