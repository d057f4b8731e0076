//! Claims: of several workers, one takes a record that asks for work, for as long as its lease runs.
//!
//! A claim spares work, it protects nothing: a worker that lost its lease may go on without knowing, so whatever it
//! does has to be decided by a commit's expectations. Leases are measured by the clock of whoever keeps the claims
//! (this process, or the database), never compared between machines. Claims are not durable records: a store that
//! starts anew has none, and every record is free.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::{Key, Page, Prefix, Record, Store, StoreError};

/// A record this worker works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The record claimed.
    pub key: Key,
    /// What it said when it was claimed.
    pub record: Record,
    pub(crate) holder: Holder,
}

/// Whether a claim still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// For the lease that was asked for.
    Held,
    /// It ran out or the claims were lost: somebody else may work on it.
    Lost,
}

/// Who holds a claim: another number for each claim, so that a late renewal never renews a successor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder(pub(crate) i64);

/// The claims of a store that one process has for itself.
#[derive(Debug, Default)]
pub(crate) struct LocalClaims(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    last: i64,
    claims: HashMap<Key, (Holder, Instant)>,
}

impl LocalClaims {
    pub(crate) async fn take(
        &self,
        store: &dyn Store,
        prefix: &Prefix,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let mut page = Page::first(Page::MAX_LIMIT);
        let mut asking = Vec::new();
        loop {
            let listing = store.list(prefix, page).await?;
            asking.extend(listing.records);
            match listing.next {
                Some(token) => page = Page::after(token, Page::MAX_LIMIT),
                None => break,
            }
        }
        asking.sort_by_key(|(_, record)| record.revision);
        let now = Instant::now();
        let mut held = self.held();
        held.claims.retain(|_, (_, until)| *until > now);
        let free = asking.into_iter().find(|(key, _)| !held.claims.contains_key(key));
        Ok(free.map(|(key, record)| {
            held.last += 1;
            let holder = Holder(held.last);
            held.claims.insert(key.clone(), (holder, now + lease));
            Claim { key, record, holder }
        }))
    }

    pub(crate) fn renew(&self, claim: &Claim, lease: Duration) -> Standing {
        let now = Instant::now();
        match self.held().claims.get_mut(&claim.key) {
            Some((holder, until)) if *holder == claim.holder && *until > now => {
                *until = now + lease;
                Standing::Held
            }
            Some(_) | None => Standing::Lost,
        }
    }

    pub(crate) fn release(&self, claim: &Claim) {
        let mut held = self.held();
        if held.claims.get(&claim.key).is_some_and(|(holder, _)| *holder == claim.holder) {
            held.claims.remove(&claim.key);
        }
    }

    pub(crate) fn forget(&self) {
        self.held().claims.clear();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("no code panics while it holds the claims")
    }
}
