//! The contract in memory, with faults to order: for the tests of whoever builds on a store.
//!
//! Nothing here survives the process. The faults are those a caller has to get right: a commit that failed, one
//! that failed but was stored, one that lost a race, one that takes its time, and a store that stops.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;

use crate::claim::LocalClaims;
use crate::news::{News, Teller};
use crate::{
    Change, Claim, Commit, CommitError, Key, Listener, Listing, Page, Prefix, Record, Revision, Standing,
    StopCause, Store, StoreError,
};

/// Records in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    teller: Teller,
    claims: LocalClaims,
}

/// What goes wrong with one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers `Unavailable`; nothing is stored.
    FailBefore,
    /// Answers `Unavailable`, but the commit is stored if its expectations hold.
    FailAfter,
    /// Answers `Conflict` on the commit's first key, as if another writer had been faster; nothing is stored.
    Conflict,
    /// Waits first, on tokio's clock (which tests pause), then goes on as usual.
    Delay(Duration),
    /// The commit goes on as usual: leaves a gap between faults.
    None,
}

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<Key, Record>,
    last: u64,
    /// One per coming commit, in order.
    faults: VecDeque<Fault>,
    /// Commits until the store stops.
    remaining: Option<u64>,
    /// A snapshot takes no commits.
    refuses: bool,
}

impl MemoryStore {
    /// An empty store without faults.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// The records of another store, as they were read, with their revisions.
    pub fn of(records: BTreeMap<Key, Record>) -> MemoryStore {
        let last = records.values().map(|record| record.revision.0).max().unwrap_or(0);
        let state = Mutex::new(State { records, last, ..State::default() });
        MemoryStore { state, ..MemoryStore::default() }
    }

    /// The next commit without a fault of its own meets this one.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push_back(fault);
    }

    /// After `commits` more commits the store answers `Stopped` to everything.
    pub fn stop_after(&self, commits: u64) {
        self.state().remaining = Some(commits);
    }

    /// Lifts all faults, as opening a stopped store again does: the records are those that were stored.
    pub fn restart(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.remaining = None;
    }

    /// Ends every claim, as the end of the process that held them would in a store of its own.
    pub fn forget_claims(&self) {
        self.claims.forget();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds the state")
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let state = self.state();
        state.answering()?;
        Ok(state.records.get(key).cloned())
    }

    async fn commit(&self, commit: Commit) -> Result<Revision, CommitError> {
        commit.admit()?;
        let fault = self.state().faults.pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::FailBefore => return Err(unavailable()),
            Fault::Conflict => return Err(lost_race(&commit)),
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::FailAfter | Fault::None => {}
        }
        let told = self.teller.keys_for_listeners(&commit);
        let outcome = self.state().apply(commit);
        if let (Ok(revision), Some(keys)) = (&outcome, told) {
            self.teller.tell(News::Changed { revision: *revision, keys });
        }
        match fault {
            Fault::FailAfter => Err(unavailable()),
            _ => outcome,
        }
    }

    async fn list(&self, prefix: &Prefix, page: Page) -> Result<Listing, StoreError> {
        let state = self.state();
        state.answering()?;
        let start = match page.start(prefix)? {
            Some(key) => Bound::Excluded(key.clone()),
            None => Bound::Included(prefix.first_key()),
        };
        let limit = page.bounded_limit();
        let under = state.records.range((start, Bound::Unbounded)).take_while(|(key, _)| prefix.covers(key));
        let records = under.take(limit + 1).map(|(key, record)| (key.clone(), record.clone())).collect();
        Ok(Listing::cut(records, limit))
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Store>>, StoreError> {
        let records = {
            let state = self.state();
            state.answering()?;
            state.records.clone()
        };
        let moment = MemoryStore::of(records);
        moment.state().refuses = true;
        Ok(Some(Arc::new(moment)))
    }

    fn listen(&self) -> Listener {
        self.teller.listen()
    }

    async fn claim(&self, prefix: &Prefix, lease: Duration) -> Result<Option<Claim>, StoreError> {
        self.claims.take(self, prefix, lease).await
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Standing, StoreError> {
        Ok(self.claims.renew(claim, lease))
    }

    async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        self.claims.release(&claim);
        Ok(())
    }
}

impl State {
    fn answering(&self) -> Result<(), StoreError> {
        match self.remaining {
            Some(0) => Err(StoreError::Stopped {
                cause: StopCause::Fault,
                reason: "the ordered number of commits is reached".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn apply(&mut self, commit: Commit) -> Result<Revision, CommitError> {
        self.answering()?;
        if self.refuses {
            return Err(takes_no_commits().into());
        }
        let current = |key: &Key| Ok::<_, StoreError>(self.records.get(key).map(|record| record.revision));
        if let Some(key) = commit.first_conflict(current)? {
            return Err(CommitError::Conflict { key: key.clone() });
        }
        if commit.changes_something() {
            self.last += 1;
            self.remaining = self.remaining.map(|commits| commits - 1);
        }
        let revision = Revision(self.last);
        for write in commit.into_writes() {
            match write.change {
                Change::Put(value) => drop(self.records.insert(write.key, Record { value, revision })),
                Change::Delete => drop(self.records.remove(&write.key)),
                Change::Keep => {}
            }
        }
        Ok(revision)
    }
}

pub(crate) fn takes_no_commits() -> StoreError {
    StoreError::Unavailable { detail: "a snapshot takes no commits".to_owned() }
}

fn unavailable() -> CommitError {
    CommitError::Store(StoreError::Unavailable { detail: "a fault was ordered for this commit".to_owned() })
}

fn lost_race(commit: &Commit) -> CommitError {
    match commit.writes().first() {
        Some(write) => CommitError::Conflict { key: write.key.clone() },
        None => unavailable(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Expect;

    fn key() -> Key {
        Key::new("t", &[b"k"]).unwrap()
    }

    fn put(value: &str) -> Commit {
        Commit::new().put(key(), value, Expect::Anything)
    }

    async fn value(store: &MemoryStore) -> Option<Vec<u8>> {
        store.load(&key()).await.unwrap().map(|record| record.value)
    }

    #[tokio::test]
    async fn a_commit_that_fails_before_leaves_nothing() {
        let store = MemoryStore::new();
        store.inject(Fault::FailBefore);
        assert!(matches!(
            store.commit(put("a")).await,
            Err(CommitError::Store(StoreError::Unavailable { .. }))
        ));
        assert_eq!(value(&store).await, None);
    }

    #[tokio::test]
    async fn a_commit_that_fails_after_is_stored() {
        let store = MemoryStore::new();
        store.inject(Fault::FailAfter);
        assert!(matches!(
            store.commit(put("a")).await,
            Err(CommitError::Store(StoreError::Unavailable { .. }))
        ));
        assert_eq!(value(&store).await, Some(b"a".to_vec()));
    }

    #[tokio::test]
    async fn faults_meet_commits_in_the_order_given() {
        let store = MemoryStore::new();
        store.inject(Fault::None);
        store.inject(Fault::Conflict);
        store.commit(put("a")).await.unwrap();
        assert_eq!(store.commit(put("b")).await, Err(CommitError::Conflict { key: key() }));
        store.commit(put("c")).await.unwrap();
        assert_eq!(value(&store).await, Some(b"c".to_vec()));
    }

    #[tokio::test]
    async fn a_stopped_store_answers_nothing_until_it_restarts() {
        let store = MemoryStore::new();
        store.stop_after(1);
        store.commit(put("a")).await.unwrap();
        assert!(matches!(store.commit(put("b")).await, Err(CommitError::Store(StoreError::Stopped { .. }))));
        assert!(matches!(store.load(&key()).await, Err(StoreError::Stopped { .. })));
        store.restart();
        assert_eq!(value(&store).await, Some(b"a".to_vec()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_commit_lets_a_later_one_go_first() {
        let store = MemoryStore::new();
        store.inject(Fault::Delay(Duration::from_secs(60)));
        let (slow, fast) = tokio::join!(store.commit(put("slow")), store.commit(put("fast")));
        assert!(slow.unwrap() > fast.unwrap());
        assert_eq!(value(&store).await, Some(b"slow".to_vec()));
    }
}
