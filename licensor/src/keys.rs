//! Keys, given from outside, and the trust they stand in: root → service certificates → what we sign.
//!
//! At opening the chain of roots is walked as a client would walk it, and the licensor's and the checkpoint's keys
//! must be certified by the newest: a licensor whose word nobody could check never starts. The decisions are
//! `seal::trust`'s. Deliberately absent: key files, rotation ceremonies, and any key but these two and the public
//! ones.

use layerlock_seal::keys::{SigningKey, VerifyingKey};
use layerlock_seal::note::NoteSigner;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::token::TokenSource;
use layerlock_seal::trust::{self, Anchors, Attested, Endorsement, TrustedRoot};
use layerlock_terms::digest::{OpenKey, SignKey};
use layerlock_terms::trust::Role;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;

/// Most roots in one answer: whoever is given so many asks again.
const MOST_ROOTS: usize = 16;

/// The trust the licensor was given, checked.
pub(crate) struct Trust {
    /// Every version there was, oldest first.
    chain: Vec<Endorsement>,
    anchors: Anchors,
    /// What the newest root certifies no longer but one of the chain did: reads our own records, nothing else.
    former: Vec<Anchors>,
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
    /// The chain doesn't hold.
    #[error(transparent)]
    Chain(#[from] trust::TrustError),
    /// A key that serves without a certificate for it.
    #[error("the root certifies no such key as {0} for now: have its keys sign a certificate")]
    NotCertified(Role),
}

impl Trust {
    /// Walks the roots from the first, and takes every certificate under the last.
    pub(crate) fn establish(
        chain: &[Endorsement],
        certificates: &[Endorsement],
        now: Timestamp,
    ) -> Result<Self, TrustError> {
        let (first, later) = chain.split_first().ok_or(trust::TrustError::NoRoot)?;
        let root = TrustedRoot::begin(first)?.walk(later)?;
        root.current(now)?;
        let mut trust = Self { chain: chain.to_vec(), anchors: Anchors::new(root, &[])?, former: Vec::new() };
        certificates.iter().try_for_each(|certificate| trust.take(certificate))?;
        Ok(trust)
    }

    /// A certificate of today, or of a root that was. One no root of the chain endorsed is refused.
    fn take(&mut self, certificate: &Endorsement) -> Result<(), TrustError> {
        let Err(refused) = self.anchors.certify(certificate) else { return Ok(()) };
        if matches!(refused, trust::TrustError::OtherPurpose { .. }) {
            return Err(refused.into());
        }
        for root in &self.chain {
            let root = TrustedRoot::begin(root)?;
            if let Ok(former) = Anchors::new(root, std::slice::from_ref(certificate)) {
                self.former.push(former);
                return Ok(());
            }
        }
        Err(refused.into())
    }

    /// The roots after `version`, or the newest where none follows.
    pub(crate) fn roots_after(&self, version: u32) -> Vec<Vec<u8>> {
        let newest = self.anchors.root().version();
        let behind = newest.saturating_sub(version).max(1) as usize;
        let from = self.chain.len().saturating_sub(behind);
        self.chain[from..].iter().take(MOST_ROOTS).map(Endorsement::emit).collect()
    }

    /// The certificates of all services.
    pub(crate) fn certificates(&self) -> Vec<Vec<u8>> {
        self.anchors.services().iter().map(|service| service.endorsement().emit()).collect()
    }

    /// Refuses unless `key` is certified as `role` at `now`.
    pub(crate) fn certified(&self, role: Role, key: &VerifyingKey, now: Timestamp) -> Result<(), TrustError> {
        let mut serving = self.anchors.keys(role, now);
        if serving.any(|serving| serving == *key) { Ok(()) } else { Err(TrustError::NotCertified(role)) }
    }

    /// The key a certificate that came with a call speaks of, if the root certifies it as `role` at `now`.
    pub(crate) fn service_key(
        &self,
        certificate: &Endorsement,
        role: Role,
        now: Timestamp,
    ) -> Result<VerifyingKey, TrustError> {
        self.anchors.root().current(now)?;
        let certificate = self.anchors.certified(certificate)?;
        if certificate.role != role {
            return Err(TrustError::NotCertified(role));
        }
        trust::fresh("service certificate", certificate.expires, now)?;
        VerifyingKey::try_from(certificate.key).map_err(|_| TrustError::NotCertified(role))
    }

    /// What a device's maker says of it, believed as the root lists the maker.
    pub(crate) fn attested(
        &self,
        statement: &Statement,
        device: (SignKey, OpenKey),
        now: Timestamp,
    ) -> Result<Attested, TrustError> {
        Ok(self.anchors.attested(statement, device, now)?)
    }

    /// Every key we were told serves as `role`, whether or not its certificate has ended since: what it signed
    /// in its time stays signed.
    pub(crate) fn keys_of(&self, role: Role) -> impl Iterator<Item = VerifyingKey> + '_ {
        let of_role = self.anchors.services().iter().filter(move |c| c.role == role);
        of_role.filter_map(|c| VerifyingKey::try_from(c.key).ok())
    }

    /// What a licensor key stated: this one's, or a former one's (L5). Whoever else is shown it believes only
    /// keys that the newest root certifies (L10).
    pub(crate) fn issued<T: Noun>(&self, statement: &Statement) -> Result<Verified<T>, trust::TrustError> {
        let of_record = |anchors: &Anchors| anchors.verify_of_record(Role::Licensor, statement);
        let today = of_record(&self.anchors);
        self.former
            .iter()
            .fold(today, |found, former| found.or_else(|why| of_record(former).map_err(|_| why)))
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
