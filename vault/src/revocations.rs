//! The newest revocation list of each licensor key, kept fresh: older lists never replace newer ones, stale ones
//! release nothing, and a device that any of them names is revoked (TR-26).
//!
//! A list is good until its expiry; whoever needs one after that makes the vault ask the licensor again. So a
//! revoked device gets its last key within the time the licensor gives its lists (L6, D6). Deliberately absent:
//! an order among lists of different keys. There is none, so none of them hides another.

use std::sync::RwLock;

use layerlock_proto::refusal::Reason;
use layerlock_seal::keys::{KeyId, VerifyingKey};
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::trust::{STALE, TrustError, succeeds};
use layerlock_terms::trust::{Revocations, Role};

use crate::Vault;
use crate::admit::Fresh;
use crate::licensor_link::LinkError;
use crate::refusal::Refusal;

/// What the licensor last said, by each of its keys: the floor a stolen key has raised falls with that key (L7).
#[derive(Debug, Default)]
pub(crate) struct RevocationList {
    /// One list per key, in no order that matters.
    lists: RwLock<Vec<Verified<Revocations>>>,
}

impl RevocationList {
    /// The lists of these keys: a key that serves no longer neither revokes nor makes fresh (TR-23).
    fn by(&self, serving: &[VerifyingKey]) -> Vec<Verified<Revocations>> {
        let lists = self.lists.read().expect("no code panics while it holds the lists");
        lists.iter().filter(|list| serving.contains(list.signer())).cloned().collect()
    }

    fn of(&self, signer: KeyId) -> Option<Verified<Revocations>> {
        let lists = self.lists.read().expect("no code panics while it holds the lists");
        lists.iter().find(|list| list.signer().key_id() == signer).cloned()
    }

    /// Takes a list, unless a newer one of its key was taken in the meantime.
    fn take(&self, list: Verified<Revocations>) {
        let mut lists = self.lists.write().expect("no code panics while it holds the lists");
        let known = lists.iter().position(|known| known.signer() == list.signer());
        match known {
            Some(place) if succeeds(&lists[place], &list).is_err() => return,
            Some(place) => drop(lists.remove(place)),
            None => {}
        }
        lists.push(list);
    }
}

impl Vault {
    /// Runs `with` on what is known to be revoked, asking the licensor if no list at hand is fresh.
    ///
    /// # Errors
    /// [`Reason::Stopped`] when no fresh list can be had, and what `with` refuses.
    pub(crate) async fn with_revocations<T>(
        &self,
        with: impl Fn(Fresh<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let known = self.serving_lists();
        if let Some(fresh) = Fresh::at(&known, self.clock.now()) {
            return with(fresh);
        }
        let statement = self.licensor.revocations().await.map_err(|error| match error {
            LinkError::Refused(refusal) => refusal,
            LinkError::Unreachable(_) => stale(),
        })?;
        self.learn_revocations(&statement).await?;
        let known = self.serving_lists();
        with(Fresh::at(&known, self.clock.now()).ok_or_else(stale)?)
    }

    /// The lists of the licensor keys that serve now.
    fn serving_lists(&self) -> Vec<Verified<Revocations>> {
        let serving: Vec<_> = self.trust.keys(Role::Licensor, self.clock.now()).collect();
        self.revocations.by(&serving)
    }

    /// Takes a list the licensor gave; one that is older than is known, or stale, is left alone.
    pub(crate) async fn learn_revocations(&self, statement: &Statement) -> Result<(), Refusal> {
        let known = self.revocations.of(statement.signer());
        match self.trust.revocations(statement, known.as_ref(), self.clock.now()) {
            Ok(list) => {
                let is_new = known.is_none_or(|known| known.version < list.version);
                self.revocations.take(list);
                if is_new {
                    // Kept so that a list shown before a restart can't be replaced by an older one after it.
                    self.records.keep_revocations(statement).await?;
                }
                Ok(())
            }
            Err(TrustError::OlderList { .. } | TrustError::Expired { what: STALE, .. }) => Ok(()),
            Err(why) => Err(Refusal::not_the_licensors("revocation list", &why)),
        }
    }

    /// Takes up the lists that were kept before a restart, of keys that still serve.
    pub(crate) async fn recall_revocations(&self) -> Result<(), Refusal> {
        for statement in self.records.revocations().await? {
            if let Ok(list) = self.trust.verify_of_record(Role::Licensor, &statement) {
                self.revocations.take(list);
            }
        }
        Ok(())
    }
}

fn stale() -> Refusal {
    Refusal::new(Reason::Stopped, "the licensor can't be asked which devices are revoked: try again later")
}

#[cfg(test)]
mod tests {
    use layerlock_seal::keys::SigningKey;
    use layerlock_terms::ids::DeviceId;
    use layerlock_terms::units::Timestamp;

    use super::*;

    const OLD: u8 = 1;
    const NEW: u8 = 2;
    const REVOKED: DeviceId = DeviceId::from_bytes([9; 16]);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn list(seed: u8, version: u64, expires: u64, devices: &[DeviceId]) -> Verified<Revocations> {
        let list = Revocations { version, expires: Timestamp(expires), devices: devices.to_vec() };
        Statement::sign(&list, &key(seed)).verify(&key(seed).verifying_key()).unwrap()
    }

    /// Whether the device gets nothing at this moment, told these lists in this order; absent without a fresh one.
    fn refused(told: &[&Verified<Revocations>], now: u64, serving: &[u8]) -> Option<bool> {
        let lists = RevocationList::default();
        told.iter().for_each(|list| lists.take((*list).clone()));
        let serving: Vec<_> = serving.iter().map(|seed| key(*seed).verifying_key()).collect();
        let known = lists.by(&serving);
        Some(Fresh::at(&known, Timestamp(now))?.clear(REVOKED).is_err())
    }

    #[test]
    fn the_list_of_an_older_key_said_again_hides_nothing_of_a_newer_keys() {
        let (old, new) = (list(OLD, 5, 100, &[]), list(NEW, 6, 100, &[REVOKED]));
        for told in [&[&old, &new, &old][..], &[&new, &old], &[&old, &new]] {
            assert_eq!(refused(told, 50, &[OLD, NEW]), Some(true));
        }
    }

    #[test]
    fn a_fresh_list_of_an_older_key_frees_nobody_when_the_newer_keys_has_ended() {
        let (old, new) = (list(OLD, 5, 100, &[]), list(NEW, 6, 40, &[REVOKED]));
        assert_eq!(refused(&[&new, &old], 50, &[OLD, NEW]), Some(true));
    }

    #[test]
    fn without_one_fresh_list_of_a_serving_key_nothing_is_known() {
        let (old, new) = (list(OLD, 5, 100, &[REVOKED]), list(NEW, 6, 40, &[]));
        assert_eq!(refused(&[&old, &new], 50, &[NEW]), None);
        assert_eq!(
            refused(&[&old, &new], 30, &[NEW]),
            Some(false),
            "a withdrawn key's list falls with it (L7)"
        );
    }
}
