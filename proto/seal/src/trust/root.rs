//! The root, as a party believes it: where it begins, and how one version follows another.
//!
//! The decision is TUF's. A party that was away walks every version it missed, each signed by its predecessor's
//! threshold and by its own; only the last one's end matters, so that no device is lost for having slept through
//! a rotation.

use alloc::vec::Vec;
use layerlock_terms::digest::{Digest, SignKey};
use layerlock_terms::trust::Root;
use layerlock_terms::units::Timestamp;

use super::{Endorsed, Endorsement, TrustError, fresh};
use crate::keys::{KeyId, VerifyingKey};
use crate::primitives;

/// A root that a party has reason to believe. It may be past its end: whoever acts on it asks
/// [`TrustedRoot::current`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedRoot {
    root: Endorsed<Root>,
    keys: Vec<VerifyingKey>,
}

impl TrustedRoot {
    /// The root to begin with: `told` by its digest, or else the newest, and then whatever follows it.
    ///
    /// # Errors
    /// [`TrustError::WrongRoot`] when the chain has no such root, and what [`TrustedRoot::walk`] refuses.
    pub fn first(chain: &[Endorsement], told: Option<Digest>) -> Result<Self, TrustError> {
        let newest = chain.last().ok_or(TrustError::NoRoot)?;
        let place = match told {
            None => chain.len() - 1,
            // TR-13: a digest that came another way is all a newcomer can hold a root against.
            Some(expected) => chain
                .iter()
                .position(|root| digest(root) == expected)
                .ok_or_else(|| TrustError::WrongRoot { found: digest(newest), expected })?,
        };
        Self::begin(&chain[place])?.walk(&chain[place + 1..])
    }

    /// A root that its own threshold signed (TR-14). It is no more than that: a stranger's root is, too.
    ///
    /// # Errors
    /// Another noun, a malformed root, an unfit key, too few signatures.
    pub fn begin(endorsement: &Endorsement) -> Result<Self, TrustError> {
        // Read before it is verified, because it names its own keys; believed only if enough of them signed it.
        let seen: Root = endorsement.read()?;
        let keys = usable(&seen)?;
        let root = Endorsed::by(endorsement, &keys, seen.threshold, seen.version)?;
        Ok(Self { root, keys })
    }

    /// The last of the roots that follow this one, in order.
    ///
    /// # Errors
    /// At the first that is older, a twin, out of turn, or signed by too few of its own or its predecessor's
    /// keys.
    pub fn walk(self, chain: &[Endorsement]) -> Result<Self, TrustError> {
        chain.iter().try_fold(self, Self::step)
    }

    /// The next version, or this one again.
    fn step(self, offered: &Endorsement) -> Result<Self, TrustError> {
        let next: Root = offered.read()?;
        let (found, pinned) = (next.version, self.version());
        let due = pinned.saturating_add(1);
        match found {
            // TR-17: rollback.
            _ if found < pinned => Err(TrustError::OlderRoot { found, pinned }),
            _ if found == pinned && digest(offered) == self.digest() => Ok(self),
            // TR-18: two roots of one version are two truths; the second is never taken.
            _ if found == pinned => Err(TrustError::TwinRoot(pinned)),
            _ if found == due => self.hand_over(offered),
            // TR-16: each version is vouched for by the one before.
            _ => Err(TrustError::SkippedRoot { found, due }),
        }
    }

    /// Rotation: the keys we believe must hand over to the new ones (TR-15), not only the new ones to themselves.
    fn hand_over(self, next: &Endorsement) -> Result<Self, TrustError> {
        Endorsed::<Root>::by(next, &self.keys, self.threshold, self.version())?;
        Self::begin(next)
    }

    /// This root, unless it is past its end at `now` (TR-19): whoever is kept from seeing newer ones stops.
    ///
    /// # Errors
    /// [`TrustError::Expired`].
    pub fn current(&self, now: Timestamp) -> Result<&Self, TrustError> {
        fresh("root", self.root.expires, now)?;
        Ok(self)
    }

    /// Its version.
    pub fn version(&self) -> u32 {
        self.root.version
    }

    /// What names it, for people to compare: SHA-256 of the signed bytes.
    pub fn digest(&self) -> Digest {
        digest(self.root.endorsement())
    }

    /// The keys that count.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Whether a signature of this key counts.
    pub fn has_key(&self, key: &KeyId) -> bool {
        self.keys.iter().any(|own| own.key_id() == *key)
    }

    /// What the root lists this key for, if it does: such a key can't be a service's (TR-34).
    pub fn purpose_of(&self, key: &SignKey) -> Option<&'static str> {
        if self.root.keys.contains(key) {
            return Some("root");
        }
        let of_maker = self.root.authorities.iter().any(|authority| authority.key == *key);
        of_maker.then_some("OEM authority")
    }

    /// The root and its signatures.
    pub fn endorsed(&self) -> &Endorsed<Root> {
        &self.root
    }
}

impl core::ops::Deref for TrustedRoot {
    type Target = Root;

    fn deref(&self) -> &Root {
        &self.root
    }
}

fn digest(endorsement: &Endorsement) -> Digest {
    primitives::sha256(endorsement.payload())
}

/// The root's keys, and its authorities', all fit for use (TR-10).
fn usable(root: &Root) -> Result<Vec<VerifyingKey>, TrustError> {
    let authorities = root.authorities.iter().map(|authority| authority.key);
    let listed = root.keys.iter().copied().chain(authorities).enumerate();
    let fit = listed
        .map(|(place, key)| VerifyingKey::try_from(key).map_err(TrustError::unfit(root.version, place)));
    let mut keys = fit.collect::<Result<Vec<_>, _>>()?;
    keys.truncate(root.keys.len());
    Ok(keys)
}
