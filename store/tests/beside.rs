//! A journal read and copied beside the store that writes it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test failing")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use layerlock_store::{
    Commit, Expect, JournalStore, Key, OpenError, Options, Store, copy_journal, read_journal,
};

fn key(number: u32) -> Key {
    Key::new("job", &[&number.to_be_bytes()]).unwrap()
}

/// Small, so that a journal has parts and is compacted while it is read.
const SMALL: Options = Options { part_bytes: 4_096, compact_after_bytes: 16_384, view_cache_bytes: 1 << 20 };

fn open(dir: &Path) -> JournalStore {
    JournalStore::open(dir, SMALL).unwrap().0
}

async fn put(store: &JournalStore, number: u32, value: &str) -> u64 {
    store.commit(Commit::new().put(key(number), value, Expect::Anything)).await.unwrap().0
}

#[tokio::test]
async fn a_copy_made_while_the_store_serves_opens_to_what_was_answered() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(from.path());
    for number in 0..40 {
        put(&store, number, "value").await;
    }
    let copied = copy_journal(from.path(), to.path()).unwrap();
    assert_eq!(copied.head, store.head());
    put(&store, 1, "later").await;
    let copy = open(to.path());
    for number in 0..40 {
        assert_eq!(copy.load(&key(number)).await.unwrap().unwrap().value, b"value");
    }
    let (records, sound) = read_journal(from.path()).unwrap();
    assert_eq!((records.len(), sound.head, sound.unfinished), (40, store.head(), 0));
    assert_eq!(records[&key(1)].value, b"later");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_made_in_a_storm_of_commits_and_compactions_hold_all_that_was_answered_before() {
    let from = tempfile::tempdir().unwrap();
    let store = Arc::new(open(from.path()));
    let (known, answered) = tokio::sync::watch::channel(0_u64);
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 0..3_000 {
                let revision = put(&store, number % 50, &format!("{number} {}", "x".repeat(200))).await;
                let _ = known.send(revision);
            }
        }
    });
    let mut copies = 0;
    while !writer.is_finished() {
        let before = *answered.borrow();
        let (source, to) = (from.path().to_owned(), tempfile::tempdir().unwrap());
        let place = to.path().to_owned();
        let sound =
            tokio::task::spawn_blocking(move || copy_journal(&source, &place)).await.unwrap().unwrap();
        assert!(sound.head.sequence >= before, "{} was answered, {} copied", before, sound.head.sequence);
        let copy = open(to.path());
        assert_eq!(copy.head(), sound.head);
        copies += 1;
    }
    writer.await.unwrap();
    assert!(copies > 3, "{copies} copies were made meanwhile");
}

#[tokio::test]
async fn damage_is_named_by_file_and_place_and_not_copied() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = JournalStore::open(from.path(), Options::default()).unwrap().0;
    for number in 0..9 {
        put(&store, number, "value").await;
    }
    let part = from.path().join("journal-0000000000000001");
    let mut bytes = fs::read(&part).unwrap();
    bytes[150] ^= 1;
    fs::write(&part, bytes).unwrap();
    for refused in [read_journal(from.path()).map(drop), copy_journal(from.path(), to.path()).map(drop)] {
        match refused {
            Err(OpenError::Broken { file, offset, .. }) => assert_eq!((file, offset), (part.clone(), 68)),
            other => panic!("{other:?}"),
        }
    }
    assert!(fs::read_dir(to.path()).unwrap().next().is_none(), "nothing was copied");
}

#[tokio::test]
async fn a_write_under_way_is_left_out() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = JournalStore::open(from.path(), Options::default()).unwrap().0;
    put(&store, 1, "value").await;
    let part = from.path().join("journal-0000000000000001");
    let whole = fs::read(&part).unwrap();
    let begun = [&whole[..], &whole[68..110]].concat();
    fs::write(&part, begun).unwrap();
    let sound = copy_journal(from.path(), to.path()).unwrap();
    assert_eq!((sound.head, sound.unfinished), (store.head(), 42));
    assert_eq!(fs::read(to.path().join("journal-0000000000000001")).unwrap(), whole);
}
