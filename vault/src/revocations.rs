//! The newest revocation list, kept fresh: older lists never replace newer ones, stale ones release nothing.
//!
//! A list is good until its expiry; whoever needs one after that makes the vault ask the licensor again. So a
//! revoked device gets its last key within the time the licensor gives its lists (L6, D6).

use std::sync::RwLock;

use layerlock_proto::refusal::Reason;
use layerlock_seal::keys::KeyId;
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
    /// One list per key, the one heard last at the end.
    lists: RwLock<Vec<Verified<Revocations>>>,
}

impl RevocationList {
    fn newest(&self) -> Option<Verified<Revocations>> {
        self.lists.read().expect("no code panics while it holds the lists").last().cloned()
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
    /// Runs `with` on a fresh list, asking the licensor if the one at hand is stale.
    ///
    /// # Errors
    /// [`Reason::Stopped`] when no fresh list can be had, and what `with` refuses.
    pub(crate) async fn with_revocations<T>(
        &self,
        with: impl Fn(Fresh<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if let Some(list) = self.revocations.newest()
            && let Some(fresh) = Fresh::at(&list, self.clock.now())
        {
            return with(fresh);
        }
        let statement = self.licensor.revocations().await.map_err(|error| match error {
            LinkError::Refused(refusal) => refusal,
            LinkError::Unreachable(_) => stale(),
        })?;
        self.learn_revocations(&statement).await?;
        let list = self.revocations.newest().ok_or_else(stale)?;
        with(Fresh::at(&list, self.clock.now()).ok_or_else(stale)?)
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
