//! The newest revocation list, kept fresh: older lists never replace newer ones, stale ones release nothing.
//!
//! A list is good until its expiry; whoever needs one after that makes the vault ask the licensor again. So a
//! revoked device gets its last key within the time the licensor gives its lists (L6, D6).

use std::sync::RwLock;

use layerlock_proto::refusal::Reason;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_terms::trust::Revocations;

use crate::Vault;
use crate::admit::Fresh;
use crate::licensor_link::LinkError;
use crate::refusal::Refusal;

/// What the licensor last said.
#[derive(Debug, Default)]
pub(crate) struct RevocationList {
    newest: RwLock<Option<Verified<Revocations>>>,
}

impl RevocationList {
    fn newest(&self) -> Option<Verified<Revocations>> {
        self.newest.read().expect("no code panics while it holds the list").clone()
    }

    fn take(&self, list: Verified<Revocations>) -> bool {
        let mut newest = self.newest.write().expect("no code panics while it holds the list");
        let newer = newest.as_ref().is_none_or(|known| list.version >= known.version);
        if newer {
            *newest = Some(list);
        }
        newer
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

    /// Takes a list the licensor gave; an older one than is known is left alone.
    pub(crate) async fn learn_revocations(&self, statement: &Statement) -> Result<(), Refusal> {
        let key = self.licensor_key()?;
        let list = statement.verify::<Revocations>(key).map_err(|why| {
            Refusal::new(Reason::NotTrusted, format!("the revocation list is not the licensor's: {why}"))
        })?;
        let known = self.revocations.newest().map(|known| known.version);
        if self.revocations.take(list.clone()) && known != Some(list.version) {
            // Kept so that a list shown before a restart can't be replaced by an older one after it.
            self.records.keep_revocations(statement).await?;
        }
        Ok(())
    }

    /// Takes up the list that was kept before a restart.
    pub(crate) async fn recall_revocations(&self) -> Result<(), Refusal> {
        if let Some(statement) = self.records.revocations().await?
            && let Ok(list) = statement.verify::<Revocations>(self.trust.licensor_of_record())
        {
            self.revocations.take(list);
        }
        Ok(())
    }
}

fn stale() -> Refusal {
    Refusal::new(Reason::Stopped, "the licensor can't be asked which devices are revoked: try again later")
}
