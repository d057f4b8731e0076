//! The contract of `Store`, one suite, run on every implementation.
//!
//! A store that joins the project joins the list at the end of this file; a promise that isn't tested here is no
//! part of the contract.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test failing")]

mod cluster;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use layerlock_store::{
    Change, Commit, CommitError, Expect, JournalStore, Key, Listener, MemoryStore, News, Options, Page,
    PageToken, PostgresStore, Prefix, Revision, Standing, Store, StoreError,
};

fn key(id: &str) -> Key {
    Key::new("job", &[id.as_bytes()]).expect("test keys are short")
}

fn put(id: &str, value: &str, expect: Expect) -> Commit {
    Commit::new().put(key(id), value, expect)
}

async fn value(store: &dyn Store, id: &str) -> Option<String> {
    let record = store.load(&key(id)).await.expect("the store answers");
    record.map(|record| String::from_utf8(record.value).expect("test values are text"))
}

fn conflict(id: &str) -> Result<Revision, CommitError> {
    Err(CommitError::Conflict { key: key(id) })
}

async fn what_was_put_is_loaded_with_its_revision(store: Arc<dyn Store>) {
    let revision = store.commit(put("a", "one", Expect::Absent)).await.unwrap();
    let record = store.load(&key("a")).await.unwrap().unwrap();
    assert_eq!((record.value.as_slice(), record.revision), (b"one".as_slice(), revision));
    assert_eq!(store.load(&key("b")).await, Ok(None));
}

async fn revisions_grow_with_every_commit(store: Arc<dyn Store>) {
    let first = store.commit(put("a", "1", Expect::Anything)).await.unwrap();
    let second = store.commit(put("b", "1", Expect::Anything)).await.unwrap();
    let third = store.commit(put("a", "2", Expect::At(first))).await.unwrap();
    assert!(first < second && second < third);
}

async fn a_stale_revision_conflicts_by_key_and_changes_nothing(store: Arc<dyn Store>) {
    let old = store.commit(put("a", "1", Expect::Absent)).await.unwrap();
    store.commit(put("a", "2", Expect::At(old))).await.unwrap();
    assert_eq!(store.commit(put("a", "3", Expect::At(old))).await, conflict("a"));
    assert_eq!(store.commit(put("a", "3", Expect::Absent)).await, conflict("a"));
    assert_eq!(value(&*store, "a").await.as_deref(), Some("2"));
}

async fn an_absent_record_is_at_no_revision(store: Arc<dyn Store>) {
    assert_eq!(store.commit(put("a", "1", Expect::At(Revision(0)))).await, conflict("a"));
    assert_eq!(store.commit(put("a", "1", Expect::At(Revision(1)))).await, conflict("a"));
}

async fn one_failed_expectation_undoes_the_whole_commit(store: Arc<dyn Store>) {
    store.commit(put("taken", "x", Expect::Absent)).await.unwrap();
    let commit = put("new", "y", Expect::Absent).put(key("taken"), "y", Expect::Absent);
    assert_eq!(store.commit(commit).await, conflict("taken"));
    assert_eq!(value(&*store, "new").await, None);
}

async fn a_commit_of_many_writes_happens_whole(store: Arc<dyn Store>) {
    store.commit(put("gone", "x", Expect::Absent)).await.unwrap();
    let commit = put("a", "1", Expect::Absent)
        .put(key("b"), "2", Expect::Absent)
        .delete(key("gone"), Expect::Anything);
    let revision = store.commit(commit).await.unwrap();
    for id in ["a", "b"] {
        assert_eq!(store.load(&key(id)).await.unwrap().unwrap().revision, revision);
    }
    assert_eq!(value(&*store, "gone").await, None);
}

async fn a_check_without_a_write_guards_the_commit(store: Arc<dyn Store>) {
    let seen = store.commit(put("license", "1", Expect::Absent)).await.unwrap();
    let guarded = |expect| put("hold", "h", Expect::Anything).check(key("license"), expect);
    store.commit(guarded(Expect::At(seen))).await.unwrap();
    assert_eq!(store.load(&key("license")).await.unwrap().unwrap().revision, seen);
    store.commit(put("license", "2", Expect::At(seen))).await.unwrap();
    assert_eq!(store.commit(guarded(Expect::At(seen))).await, conflict("license"));
}

async fn a_commit_that_only_checks_moves_no_revision(store: Arc<dyn Store>) {
    let first = store.commit(put("a", "1", Expect::Absent)).await.unwrap();
    assert_eq!(store.commit(Commit::new().check(key("a"), Expect::At(first))).await, Ok(first));
    assert_eq!(store.commit(Commit::new().check(key("a"), Expect::Absent)).await, conflict("a"));
}

async fn a_recreated_record_is_not_its_former_self(store: Arc<dyn Store>) {
    let former = store.commit(put("a", "1", Expect::Absent)).await.unwrap();
    store.commit(Commit::new().delete(key("a"), Expect::At(former))).await.unwrap();
    store.commit(put("a", "1", Expect::Absent)).await.unwrap();
    assert_eq!(store.commit(put("a", "2", Expect::At(former))).await, conflict("a"));
}

async fn deleting_what_is_absent_needs_no_expectation(store: Arc<dyn Store>) {
    store.commit(Commit::new().delete(key("a"), Expect::Anything)).await.unwrap();
    let absent = Commit::new().delete(key("a"), Expect::At(Revision(1)));
    assert_eq!(store.commit(absent).await, conflict("a"));
}

async fn a_key_named_twice_is_refused(store: Arc<dyn Store>) {
    let commit = put("a", "1", Expect::Anything).delete(key("a"), Expect::Anything);
    assert_eq!(store.commit(commit).await, Err(StoreError::RepeatedKey { key: key("a") }.into()));
    assert_eq!(value(&*store, "a").await, None);
}

async fn values_and_commits_are_bounded_by_name_and_size(store: Arc<dyn Store>) {
    let largest = Commit::new().put(key("a"), vec![7; Commit::MAX_VALUE_BYTES], Expect::Anything);
    store.commit(largest).await.unwrap();
    let bytes = Commit::MAX_VALUE_BYTES + 1;
    let over = Commit::new().put(key("a"), vec![7; bytes], Expect::Anything);
    assert_eq!(store.commit(over).await, Err(StoreError::ValueTooLarge { key: key("a"), bytes }.into()));
    let ids = (0..9).map(|id| key(&id.to_string()));
    let huge = ids.fold(Commit::new(), |commit, key| {
        commit.put(key, vec![7; Commit::MAX_VALUE_BYTES], Expect::Anything)
    });
    assert!(matches!(store.commit(huge).await, Err(CommitError::Store(StoreError::CommitTooLarge { .. }))));
}

async fn empty_values_are_records(store: Arc<dyn Store>) {
    store.commit(put("a", "", Expect::Absent)).await.unwrap();
    assert_eq!(value(&*store, "a").await.as_deref(), Some(""));
}

async fn a_listing_pages_through_its_prefix_in_key_order(store: Arc<dyn Store>) {
    let ids: Vec<String> = (0..25).map(|number| format!("{:02}", (number * 7) % 25)).collect();
    for id in &ids {
        store.commit(put(id, id, Expect::Absent)).await.unwrap();
    }
    let prefix = Prefix::new("job", &[]).unwrap();
    let (mut seen, mut page) = (Vec::new(), Page::first(10));
    let mut sizes = Vec::new();
    loop {
        let listing = store.list(&prefix, page).await.unwrap();
        sizes.push(listing.records.len());
        seen.extend(listing.records.into_iter().map(|(key, _)| key));
        match listing.next {
            Some(token) => page = Page::after(PageToken::parse(token.as_bytes()).unwrap(), 10),
            None => break,
        }
    }
    let expected: Vec<Key> = (0..25).map(|number| key(&format!("{number:02}"))).collect();
    assert_eq!((seen, sizes), (expected, vec![10, 10, 5]));
}

async fn a_page_that_ends_with_the_prefix_has_no_next(store: Arc<dyn Store>) {
    for id in ["a", "b"] {
        store.commit(put(id, id, Expect::Absent)).await.unwrap();
    }
    let other = Key::new("jobs", &[b"a"]).unwrap();
    store.commit(Commit::new().put(other, "x", Expect::Absent)).await.unwrap();
    let listing = store.list(&Prefix::new("job", &[]).unwrap(), Page::first(2)).await.unwrap();
    assert_eq!((listing.records.len(), listing.next), (2, None));
}

async fn prefixes_reach_into_no_other_table_or_id(store: Arc<dyn Store>) {
    let keys: [(&str, &[&[u8]]); 6] = [
        ("job", &[b"a", b"1"]),
        ("job", &[b"a", b"2"]),
        ("job", &[b"ab", b"1"]),
        ("job", &[b"a\0b", b"1"]),
        ("jobs", &[b"a", b"1"]),
        ("jo", &[b"b", b"a"]),
    ];
    for (table, parts) in keys {
        let commit = Commit::new().put(Key::new(table, parts).unwrap(), "x", Expect::Absent);
        store.commit(commit).await.unwrap();
    }
    let listing = store.list(&Prefix::new("job", &[b"a"]).unwrap(), Page::first(10)).await.unwrap();
    let parts: Vec<_> = listing.records.iter().map(|(key, _)| key.parts()).collect();
    assert_eq!(parts, [[b"a".to_vec(), b"1".to_vec()], [b"a".to_vec(), b"2".to_vec()]]);
}

async fn a_token_of_another_listing_is_refused(store: Arc<dyn Store>) {
    for id in ["a", "b"] {
        store.commit(put(id, id, Expect::Absent)).await.unwrap();
    }
    let listing = store.list(&Prefix::new("job", &[]).unwrap(), Page::first(1)).await.unwrap();
    let foreign = Page::after(listing.next.unwrap(), 1);
    let other = Prefix::new("device", &[]).unwrap();
    assert_eq!(store.list(&other, foreign).await, Err(StoreError::ForeignPageToken));
}

async fn a_deleted_page_token_key_still_continues(store: Arc<dyn Store>) {
    for id in ["a", "b", "c"] {
        store.commit(put(id, id, Expect::Absent)).await.unwrap();
    }
    let prefix = Prefix::new("job", &[]).unwrap();
    let first = store.list(&prefix, Page::first(2)).await.unwrap();
    store.commit(Commit::new().delete(key("b"), Expect::Anything)).await.unwrap();
    let second = store.list(&prefix, Page::after(first.next.unwrap(), 2)).await.unwrap();
    assert_eq!(second.records.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [key("c")]);
}

/// Each of 64 writers adds one to the same number, again and again until it wins. Lost updates would show as a number
/// below 64, double wins as a revision that two writers were told.
async fn of_64_writers_of_one_key_exactly_one_wins_each_revision(store: Arc<dyn Store>) {
    store.commit(put("n", "0", Expect::Absent)).await.unwrap();
    let writers: Vec<_> = (0..64).map(|_| tokio::spawn(add_one(store.clone()))).collect();
    let mut won = Vec::new();
    for writer in writers {
        won.push(writer.await.unwrap());
    }
    won.sort();
    won.dedup();
    assert_eq!(won.len(), 64);
    assert_eq!(value(&*store, "n").await.as_deref(), Some("64"));
}

async fn add_one(store: Arc<dyn Store>) -> Revision {
    loop {
        let record = store.load(&key("n")).await.unwrap().unwrap();
        let number: u64 = String::from_utf8(record.value).unwrap().parse().unwrap();
        match store.commit(put("n", &(number + 1).to_string(), Expect::At(record.revision))).await {
            Ok(revision) => return revision,
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Two records are always written together; no page may show one of them newer than the other.
async fn no_listing_shows_half_a_commit(store: Arc<dyn Store>) {
    let pair = |value: u32| {
        put("a", &value.to_string(), Expect::Anything).put(key("z"), value.to_string(), Expect::Anything)
    };
    store.commit(pair(0)).await.unwrap();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for value in 1..200 {
                store.commit(pair(value)).await.unwrap();
            }
        }
    });
    let prefix = Prefix::new("job", &[]).unwrap();
    while !writer.is_finished() {
        let listing = store.list(&prefix, Page::first(10)).await.unwrap();
        assert_eq!(listing.records[0].1, listing.records[1].1);
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

async fn an_answered_commit_is_seen_by_every_later_load(store: Arc<dyn Store>) {
    for number in 0..100 {
        let text = number.to_string();
        store.commit(put("a", &text, Expect::Anything)).await.unwrap();
        assert_eq!(value(&*store, "a").await, Some(text));
    }
}

#[test]
fn a_change_shows_its_size_and_never_its_bytes() {
    assert_eq!(format!("{:?}", Change::Put(b"secret".to_vec())), "Put(6 bytes)");
}

/// A store to test, and what must live as long as it does.
struct Opened {
    store: Arc<dyn Store>,
    _dir: Option<tempfile::TempDir>,
}

async fn memory() -> Opened {
    Opened { store: Arc::new(MemoryStore::new()), _dir: None }
}

async fn journal() -> Opened {
    let dir = tempfile::tempdir().expect("a temporary directory");
    // Small parts, so that the suite also runs across rotations and compactions.
    let options = Options { part_bytes: 2000, compact_after_bytes: 10_000, ..Options::default() };
    let (store, report) = JournalStore::open(dir.path(), options).expect("an empty directory opens");
    assert!(report.is_uneventful(), "{report}");
    Opened { store: Arc::new(store), _dir: Some(dir) }
}

/// A space of its own for each test, in one database.
async fn postgres() -> Opened {
    static SPACES: AtomicU32 = AtomicU32::new(0);
    let space = format!("space-{}", SPACES.fetch_add(1, Ordering::Relaxed));
    let store = PostgresStore::open(&cluster::address(), &space).await.expect("a database of our own opens");
    Opened { store: Arc::new(store), _dir: None }
}

#[tokio::test]
async fn spaces_of_one_database_and_nodes_of_one_space() {
    let open = |space: &'static str| async move {
        PostgresStore::open(&cluster::address(), space).await.expect("it opens")
    };
    let (one, same, other) = (open("shared").await, open("shared").await, open("apart").await);
    let written = one.commit(put("a", "1", Expect::Absent)).await.unwrap();
    assert_eq!(value(&same, "a").await.as_deref(), Some("1"));
    assert_eq!(value(&other, "a").await, None);
    same.commit(put("a", "2", Expect::At(written))).await.unwrap();
    assert_eq!(one.commit(put("a", "3", Expect::At(written))).await, conflict("a"));
}

#[tokio::test]
async fn a_space_that_one_process_has_alone_is_refused_to_others_until_it_ends() {
    let open = || async { PostgresStore::open_alone(&cluster::address(), "alone").await };
    let first = open().await.expect("it is free");
    first.commit(put("a", "1", Expect::Absent)).await.unwrap();
    let refused = open().await.expect_err("it is taken").to_string();
    assert!(refused.contains("alone") && refused.contains("in use"), "{refused}");
    drop(first);
    // The server learns from the closed connection that it is free again.
    let again = async {
        loop {
            if let Ok(store) = open().await {
                return store;
            }
        }
    };
    let again = tokio::time::timeout(Duration::from_secs(30), again).await.expect("it is free again");
    assert_eq!(value(&again, "a").await.as_deref(), Some("1"));
}

/// Nodes that race for one key, each with connections of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_exactly_one_wins_each_revision() {
    let open = || async {
        let store = PostgresStore::open(&cluster::address(), "raced").await.expect("it opens");
        Arc::new(store) as Arc<dyn Store>
    };
    let nodes = [open().await, open().await];
    nodes[0].commit(put("n", "0", Expect::Absent)).await.unwrap();
    let writers: Vec<_> = (0..32).map(|at| tokio::spawn(add_one(nodes[at % 2].clone()))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(value(&*nodes[1], "n").await.as_deref(), Some("32"));
}

fn jobs() -> Prefix {
    Prefix::new("job", &[]).expect("short")
}

const LEASE: Duration = Duration::from_secs(60);

async fn a_commit_is_told_by_its_revision_and_the_keys_it_changed(store: Arc<dyn Store>) {
    store.commit(put("kept", "1", Expect::Absent).put(key("gone"), "1", Expect::Absent)).await.unwrap();
    let mut listener = store.listen();
    let refused = store.commit(put("kept", "2", Expect::Absent)).await;
    assert_eq!(refused, conflict("kept"));
    let commit = put("new", "1", Expect::Absent)
        .delete(key("gone"), Expect::Anything)
        .check(key("kept"), Expect::Anything);
    let revision = store.commit(commit).await.unwrap();
    let heard = news_of(&mut listener, revision).await;
    assert_eq!(heard, News::Changed { revision, keys: vec![key("new"), key("gone")] });
}

/// The first news of this commit or a later one; what was told late of earlier ones is passed over.
async fn news_of(listener: &mut Listener, wanted: Revision) -> News {
    let news = async {
        loop {
            match listener.next().await.expect("the store is there") {
                News::Changed { revision, .. } if revision < wanted => {}
                news => return news,
            }
        }
    };
    tokio::time::timeout(LEASE, news).await.expect("it is told")
}

/// A store may hold many keys another way than few.
async fn of_a_commit_of_many_keys_and_one_of_few_exactly_one_wins(store: Arc<dyn Store>) {
    let many = |value: &str, expect| {
        let ids = (0..50).map(|at| format!("{at:02}"));
        ids.fold(Commit::new(), |commit, id| commit.put(key(&id), value, expect))
    };
    let mut before = store.commit(many("0", Expect::Absent)).await.unwrap();
    for round in 0..10 {
        let id = format!("{:02}", 5 * round);
        let (large, small) = (store.clone(), store.clone());
        let large_one = tokio::spawn(async move { large.commit(many("large", Expect::At(before))).await });
        let small_one =
            tokio::spawn(async move { small.commit(put(&id, "small", Expect::At(before))).await });
        let (large, small) = (large_one.await.unwrap(), small_one.await.unwrap());
        assert!(large.is_ok() != small.is_ok(), "round {round}: {large:?} {small:?}");
        before = store.commit(many("again", Expect::Anything)).await.unwrap();
    }
}

async fn a_snapshot_shows_one_moment_and_takes_no_commits(store: Arc<dyn Store>) {
    store.commit(put("a", "1", Expect::Absent)).await.unwrap();
    // Where nobody else commits there is none, and none is needed.
    let Some(snapshot) = store.snapshot().await.unwrap() else { return };
    store.commit(put("a", "2", Expect::Anything).put(key("b"), "2", Expect::Absent)).await.unwrap();
    assert_eq!(value(&*snapshot, "a").await.as_deref(), Some("1"));
    assert_eq!(snapshot.list(&jobs(), Page::first(9)).await.unwrap().records.len(), 1);
    let refused = snapshot.commit(put("a", "3", Expect::Anything)).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Unavailable { .. }))), "{refused:?}");
    assert_eq!(value(&*store, "a").await.as_deref(), Some("2"));
}

async fn the_record_written_longest_ago_is_claimed_first(store: Arc<dyn Store>) {
    for id in ["b", "c", "a"] {
        store.commit(put(id, id, Expect::Absent)).await.unwrap();
    }
    let mut order = Vec::new();
    while let Some(claim) = store.claim(&jobs(), LEASE).await.unwrap() {
        assert_eq!(claim.record, store.load(&claim.key).await.unwrap().unwrap());
        order.push(claim.key);
    }
    assert_eq!(order, [key("b"), key("c"), key("a")]);
}

async fn a_claim_reaches_into_no_other_table(store: Arc<dyn Store>) {
    store.commit(put("a", "1", Expect::Absent)).await.unwrap();
    let other = Prefix::new("jobs", &[]).unwrap();
    assert_eq!(store.claim(&other, LEASE).await, Ok(None));
    assert!(store.claim(&jobs(), LEASE).await.unwrap().is_some());
}

async fn a_released_record_is_free_and_a_deleted_one_is_not_there(store: Arc<dyn Store>) {
    store.commit(put("a", "1", Expect::Absent)).await.unwrap();
    let claim = store.claim(&jobs(), LEASE).await.unwrap().unwrap();
    assert_eq!(store.claim(&jobs(), LEASE).await, Ok(None));
    store.release(claim).await.unwrap();
    let again = store.claim(&jobs(), LEASE).await.unwrap().expect("it is free");
    store.commit(Commit::new().delete(key("a"), Expect::Anything)).await.unwrap();
    store.release(again).await.unwrap();
    assert_eq!(store.claim(&jobs(), LEASE).await, Ok(None));
}

async fn a_claim_that_ran_out_is_its_successors_alone(store: Arc<dyn Store>) {
    store.commit(put("a", "1", Expect::Absent)).await.unwrap();
    let lost = store.claim(&jobs(), Duration::from_millis(1)).await.unwrap().unwrap();
    let successor = tokio::time::timeout(LEASE, async {
        loop {
            if let Some(claim) = store.claim(&jobs(), LEASE).await.unwrap() {
                return claim;
            }
        }
    });
    let successor = successor.await.expect("a lease ends by itself");
    assert_eq!(store.renew(&lost, LEASE).await, Ok(Standing::Lost));
    store.release(lost).await.unwrap();
    assert_eq!(store.claim(&jobs(), LEASE).await, Ok(None), "a late release freed its successor's claim");
    assert_eq!(store.renew(&successor, LEASE).await, Ok(Standing::Held));
}

async fn of_many_workers_each_record_is_claimed_by_one(store: Arc<dyn Store>) {
    for at in 0..24 {
        store.commit(put(&format!("{at:02}"), "1", Expect::Absent)).await.unwrap();
    }
    let workers: Vec<_> = (0..8).map(|_| tokio::spawn(claim_all(store.clone()))).collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    claimed.sort();
    assert_eq!(claimed, (0..24).map(|at| key(&format!("{at:02}"))).collect::<Vec<_>>());
}

async fn claim_all(store: Arc<dyn Store>) -> Vec<Key> {
    let mut claimed = Vec::new();
    while let Some(claim) = store.claim(&jobs(), LEASE).await.unwrap() {
        claimed.push(claim.key);
    }
    claimed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_hear_each_other_and_never_claim_one_record_twice() {
    let open = || async { PostgresStore::open(&cluster::address(), "nodes").await.expect("it opens") };
    let (one, other) = (open().await, open().await);
    let mut listener = other.listen();
    let revision = one.commit(put("a", "1", Expect::Absent)).await.unwrap();
    let heard = news_of(&mut listener, revision).await;
    assert_eq!(heard, News::Changed { revision, keys: vec![key("a")] });
    assert!(one.claim(&jobs(), LEASE).await.unwrap().is_some());
    assert_eq!(other.claim(&jobs(), LEASE).await, Ok(None));
    let many = (0..40).fold(Commit::new(), |commit, at| {
        let id = [&[at; 16][..], &[0; 100]].concat();
        commit.put(Key::new("job", &[&id]).unwrap(), "1", Expect::Absent)
    });
    let revision = one.commit(many).await.unwrap();
    assert_eq!(
        news_of(&mut listener, revision).await,
        News::Missed,
        "keys that fit no notification are told as missed"
    );
}

macro_rules! contract {
    ($($promise:ident)*) => {
        contract! { @on memory $($promise)* }
        contract! { @on journal $($promise)* }
        contract! { @on postgres $($promise)* }
    };
    (@on $implementation:ident $($promise:ident)*) => {
        mod $implementation {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let opened = super::$implementation().await;
                    super::$promise(opened.store.clone()).await;
                }
            )*
        }
    };
}

contract! {
    what_was_put_is_loaded_with_its_revision
    revisions_grow_with_every_commit
    a_stale_revision_conflicts_by_key_and_changes_nothing
    an_absent_record_is_at_no_revision
    one_failed_expectation_undoes_the_whole_commit
    a_commit_of_many_writes_happens_whole
    a_check_without_a_write_guards_the_commit
    a_commit_that_only_checks_moves_no_revision
    a_recreated_record_is_not_its_former_self
    deleting_what_is_absent_needs_no_expectation
    a_key_named_twice_is_refused
    values_and_commits_are_bounded_by_name_and_size
    empty_values_are_records
    a_listing_pages_through_its_prefix_in_key_order
    a_page_that_ends_with_the_prefix_has_no_next
    prefixes_reach_into_no_other_table_or_id
    a_token_of_another_listing_is_refused
    a_deleted_page_token_key_still_continues
    of_64_writers_of_one_key_exactly_one_wins_each_revision
    no_listing_shows_half_a_commit
    an_answered_commit_is_seen_by_every_later_load
    a_commit_is_told_by_its_revision_and_the_keys_it_changed
    of_a_commit_of_many_keys_and_one_of_few_exactly_one_wins
    a_snapshot_shows_one_moment_and_takes_no_commits
    the_record_written_longest_ago_is_claimed_first
    a_claim_reaches_into_no_other_table
    a_released_record_is_free_and_a_deleted_one_is_not_there
    a_claim_that_ran_out_is_its_successors_alone
    of_many_workers_each_record_is_claimed_by_one
}
