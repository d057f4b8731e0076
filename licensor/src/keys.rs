//! Keys, given from outside, and the trust they stand in: root → service certificates → what we sign.
//!
//! At opening the root's own signatures are counted, and the licensor's and the checkpoint's keys must be
//! certified by it: a licensor whose word nobody could check never starts. Deliberately absent: key files,
//! rotation ceremonies, and any key but these two and the public ones.

use std::collections::BTreeSet;

use layerlock_seal::keys::{SigningKey, VerifyingKey};
use layerlock_seal::note::NoteSigner;
use layerlock_seal::statement::{Refused, Statement, Verified};
use layerlock_seal::token::TokenSource;
use layerlock_terms::trust::{Role, Root, ServiceCertificate};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;

/// The trust the licensor was given, checked.
pub(crate) struct Trust {
    root: Root,
    root_keys: Vec<VerifyingKey>,
    root_statements: Vec<Vec<u8>>,
    certificates: Vec<Verified<ServiceCertificate>>,
}

/// The licensor's own keys.
pub(crate) struct Keys {
    issuer: SigningKey,
    pub(crate) tokens: TokenSource,
    pub(crate) checkpoint: NoteSigner,
}

/// Why trust can't be established.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// No root statement, or its payload isn't a root with usable keys.
    #[error(
        "the root is missing or malformed: give the licensor the root statements as the ceremony made them"
    )]
    Root,
    /// Too few of the root's keys signed it.
    #[error(
        "the root is signed by {signed} of the {threshold} keys it needs: collect the missing signatures"
    )]
    Threshold {
        /// Distinct keys that signed.
        signed: usize,
        /// Keys needed.
        threshold: u8,
    },
    /// Past its end.
    #[error("the {0} is past its end: renew it")]
    Expired(&'static str),
    /// No root key signed it, or it doesn't fit.
    #[error("the service certificate is not the root's: {0}")]
    Certificate(#[from] Refused),
    /// A key that serves without a certificate for it.
    #[error("no root key certifies this key as {0:?}: have the root sign its certificate")]
    NotCertified(Role),
}

impl Trust {
    /// Checks the root's threshold, its end, and every certificate's signature.
    pub(crate) fn establish(
        root: &[Statement],
        certificates: &[Statement],
        now: Timestamp,
    ) -> Result<Self, TrustError> {
        let (noun, root_keys) = self_signed_root(root)?;
        if now >= noun.expires {
            return Err(TrustError::Expired("root"));
        }
        let checked: Result<Vec<_>, _> =
            certificates.iter().map(|statement| verify_by_any(statement, &root_keys)).collect();
        let root_statements = root.iter().map(Statement::emit).collect();
        Ok(Self { root: noun, root_keys, root_statements, certificates: checked? })
    }

    /// The statements anyone may fetch: the root's, then the certificates.
    pub(crate) fn statements(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let certificates = self.certificates.iter().map(|c| c.statement().emit()).collect();
        (self.root_statements.clone(), certificates)
    }

    /// Refuses unless `key` is certified as `role` at `now`.
    pub(crate) fn certified(&self, role: Role, key: &VerifyingKey, now: Timestamp) -> Result<(), TrustError> {
        let ours = |c: &&Verified<ServiceCertificate>| c.role == role && c.key == (*key).into();
        let own = self.certificates.iter().filter(ours).max_by_key(|c| c.expires);
        match own {
            None => Err(TrustError::NotCertified(role)),
            Some(certificate) if now >= certificate.expires => {
                Err(TrustError::Expired("service certificate"))
            }
            Some(_) => Ok(()),
        }
    }

    /// The key a certificate that came with a call speaks of, if the root certifies it as `role` at `now`.
    pub(crate) fn service_key(
        &self,
        certificate: &Statement,
        role: Role,
        now: Timestamp,
    ) -> Result<VerifyingKey, TrustError> {
        if now >= self.root.expires {
            return Err(TrustError::Expired("root"));
        }
        let certificate: Verified<ServiceCertificate> = verify_by_any(certificate, &self.root_keys)?;
        if certificate.role != role {
            return Err(TrustError::NotCertified(role));
        }
        if now >= certificate.expires {
            return Err(TrustError::Expired("service certificate"));
        }
        VerifyingKey::try_from(certificate.key).map_err(|_| TrustError::NotCertified(role))
    }

    /// Every key we were told serves as `role`, whether or not its certificate has ended since: what it signed
    /// in its time stays signed.
    pub(crate) fn keys_of(&self, role: Role) -> impl Iterator<Item = VerifyingKey> + '_ {
        let of_role = self.certificates.iter().filter(move |c| c.role == role);
        of_role.filter_map(|c| VerifyingKey::try_from(c.key).ok())
    }

    /// What a licensor key stated: this one's, or a former one's that the root still vouches for (L5, L10).
    pub(crate) fn issued<T: Noun>(&self, statement: &Statement) -> Result<Verified<T>, Refused> {
        verify_by_any(statement, &self.keys_of(Role::Licensor).collect::<Vec<_>>())
    }
}

impl Keys {
    pub(crate) fn new(issuer: SigningKey, checkpoint: NoteSigner) -> Self {
        let tokens = TokenSource::of(&issuer);
        Self { issuer, tokens, checkpoint }
    }

    /// States a noun the licensor made itself (S2: it never signs bytes it was handed).
    pub(crate) fn state<T: Noun>(&self, noun: &T) -> Statement {
        Statement::sign(noun, &self.issuer)
    }

    pub(crate) fn issuer(&self) -> VerifyingKey {
        self.issuer.verifying_key()
    }
}

/// The root all statements agree on, signed by its own threshold.
fn self_signed_root(statements: &[Statement]) -> Result<(Root, Vec<VerifyingKey>), TrustError> {
    let first = statements.first().ok_or(TrustError::Root)?;
    // Read before it's verified, because it names its own keys; believed only once enough of them signed it.
    let seen = Root::parse(first.payload()).map_err(|_| TrustError::Root)?;
    let keys: Vec<VerifyingKey> = seen
        .keys
        .iter()
        .map(|key| VerifyingKey::try_from(*key).map_err(|_| TrustError::Root))
        .collect::<Result<_, _>>()?;
    let signed: BTreeSet<_> = statements
        .iter()
        .filter(|statement| statement.payload() == first.payload())
        .filter(|statement| verify_by_any::<Root>(statement, &keys).is_ok())
        .map(Statement::signer)
        .collect();
    if signed.len() < usize::from(seen.threshold) {
        return Err(TrustError::Threshold { signed: signed.len(), threshold: seen.threshold });
    }
    Ok((seen, keys))
}

/// Verifies with the key the statement names, if it is among `keys`.
fn verify_by_any<T: Noun>(statement: &Statement, keys: &[VerifyingKey]) -> Result<Verified<T>, Refused> {
    match keys.iter().find(|key| key.key_id() == statement.signer()) {
        Some(key) => statement.verify(key),
        None => Err(Refused::BadSignature),
    }
}
