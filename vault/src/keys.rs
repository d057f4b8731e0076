//! Whom the vault trusts and what it signs and seals with.
//!
//! Trust is a chain checked once, at the start, and held against the clock at every use: root (threshold of its own
//! keys) → licensor keys it certifies → what they sign. The decisions are `seal::trust`'s. Keys come in from outside
//! (file, environment, token): no key is read or made here.

use std::sync::Arc;

use layerlock_seal::kek_ring::KekRing;
use layerlock_seal::keys::SigningKey;
use layerlock_seal::trust::{self, Anchors, Endorsement, TrustedRoot};
use layerlock_terms::trust::Role;
use layerlock_terms::units::Timestamp;

use crate::records::KekInUse;

/// Why a chain of certificates is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The chain doesn't hold.
    #[error(transparent)]
    Chain(#[from] trust::TrustError),
    /// No certificate for a duty, or for another key.
    #[error("the root certifies no such key as {0} for now: have its keys sign a certificate")]
    NotCertified(Role),
}

/// What the vault signs and seals with.
pub(crate) struct Keys {
    /// Signs headers, manifests, key releases, reports, countersignatures and welcomes.
    pub(crate) delivery: Arc<SigningKey>,
    /// The root's word for `delivery`.
    pub(crate) certificate: Endorsement,
    /// Wrap what rests on disk.
    pub(crate) keks: KekRing,
    /// The row that says the current one wraps in this vault.
    pub(crate) in_use: KekInUse,
}

/// Checks root, licensor certificates and the vault's own against each other, and all of them against the clock.
pub(crate) fn establish(
    root: &Endorsement,
    licensors: &[Endorsement],
    own: (&Endorsement, &SigningKey),
    now: Timestamp,
) -> Result<Anchors, TrustError> {
    let root = TrustedRoot::begin(root)?;
    root.current(now)?;
    let mut anchors = Anchors::new(root, licensors)?;
    if anchors.keys(Role::Licensor, now).next().is_none() {
        return Err(TrustError::NotCertified(Role::Licensor));
    }
    anchors.certify(own.0)?;
    let mut vaults = anchors.keys(Role::Vault, now);
    if vaults.any(|vault| vault == own.1.verifying_key()) {
        drop(vaults);
        return Ok(anchors);
    }
    Err(TrustError::NotCertified(Role::Vault))
}
