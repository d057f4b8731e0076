//! A store against a map: any sequence of commits, reopenings, compactions and lost views gives what the map gives.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test failing")]

use std::collections::BTreeMap;

use layerlock_store::{
    Commit, CommitError, Expect, JournalStore, Key, MemoryStore, Options, Page, Prefix, Revision, Store,
};
use proptest::prelude::*;

const KEYS: u8 = 5;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Line>),
    Reopen,
    ReopenWithoutView,
    Compact,
}

/// One write of a commit, to one of a few keys.
#[derive(Clone, Debug)]
struct Line {
    key: u8,
    change: Change,
    expect: Guess,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Put(u8),
    Delete,
    Check,
}

/// What a commit says it expects, relative to what is true.
#[derive(Clone, Copy, Debug)]
enum Guess {
    Right,
    Anything,
    Absent,
    Stale,
}

#[derive(Default)]
struct Model {
    records: BTreeMap<u8, (u64, Vec<u8>)>,
    last: u64,
}

impl Model {
    fn expect(&self, line: &Line) -> Expect {
        let current = self.records.get(&line.key).map(|(revision, _)| *revision);
        match (line.expect, current) {
            (Guess::Anything, _) => Expect::Anything,
            (Guess::Absent, _) | (Guess::Right, None) => Expect::Absent,
            (Guess::Right, Some(revision)) => Expect::At(Revision(revision)),
            (Guess::Stale, current) => Expect::At(Revision(current.unwrap_or(1) - 1)),
        }
    }

    /// Does the commit, or names the first key that stands against it.
    fn commit(&mut self, lines: &[Line]) -> Result<u64, u8> {
        for line in lines {
            let current = self.records.get(&line.key).map(|(revision, _)| Revision(*revision));
            let holds = match self.expect(line) {
                Expect::Anything => true,
                Expect::Absent => current.is_none(),
                Expect::At(revision) => current == Some(revision),
            };
            if !holds {
                return Err(line.key);
            }
        }
        if lines.iter().any(|line| !matches!(line.change, Change::Check)) {
            self.last += 1;
        }
        for line in lines {
            match line.change {
                Change::Put(value) => {
                    drop(self.records.insert(line.key, (self.last, vec![value; value.into()])))
                }
                Change::Delete => drop(self.records.remove(&line.key)),
                Change::Check => {}
            }
        }
        Ok(self.last)
    }
}

fn key(id: u8) -> Key {
    Key::new("m", &[&[id]]).unwrap()
}

fn commit_of(model: &Model, lines: &[Line]) -> Commit {
    lines.iter().fold(Commit::new(), |commit, line| {
        let (key, expect) = (key(line.key), model.expect(line));
        match line.change {
            Change::Put(value) => commit.put(key, vec![value; value.into()], expect),
            Change::Delete => commit.delete(key, expect),
            Change::Check => commit.check(key, expect),
        }
    })
}

async fn same_commit(store: &dyn Store, model: &mut Model, lines: &[Line]) {
    let answer = store.commit(commit_of(model, lines)).await;
    let expected = match model.commit(lines) {
        Ok(revision) => Ok(Revision(revision)),
        Err(id) => Err(CommitError::Conflict { key: key(id) }),
    };
    assert_eq!(answer, expected);
}

async fn same_records(store: &dyn Store, model: &Model) {
    let listing = store.list(&Prefix::new("m", &[]).unwrap(), Page::first(KEYS.into())).await.unwrap();
    let found: Vec<_> =
        listing.records.into_iter().map(|(key, record)| (key, record.revision, record.value)).collect();
    let expected =
        model.records.iter().map(|(id, (revision, value))| (key(*id), Revision(*revision), value.clone()));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

fn line() -> impl Strategy<Value = (Change, Guess)> {
    let change = prop_oneof![4 => any::<u8>().prop_map(Change::Put), 2 => Just(Change::Delete), 1 => Just(Change::Check)];
    let guess = prop_oneof![
        6 => Just(Guess::Right), 2 => Just(Guess::Anything), 1 => Just(Guess::Absent), 1 => Just(Guess::Stale)
    ];
    (change, guess)
}

fn step() -> impl Strategy<Value = Step> {
    let lines = prop::collection::btree_map(0..KEYS, line(), 0..4);
    let commit = lines.prop_map(|lines| {
        Step::Commit(lines.into_iter().map(|(key, (change, expect))| Line { key, change, expect }).collect())
    });
    prop_oneof![20 => commit, 1 => Just(Step::Reopen), 1 => Just(Step::ReopenWithoutView), 1 => Just(Step::Compact)]
}

async fn run_on_journal(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { part_bytes: 600, compact_after_bytes: 3_000, ..Options::default() };
    let open = || JournalStore::open(dir.path(), options).unwrap().0;
    let mut model = Model::default();
    let mut store = open();
    for step in steps {
        match step {
            Step::Commit(lines) => same_commit(&store, &mut model, &lines).await,
            Step::Compact => store.compact().await.unwrap(),
            Step::Reopen => {
                drop(store);
                store = open();
            }
            Step::ReopenWithoutView => {
                drop(store);
                std::fs::remove_dir_all(dir.path().join("view")).unwrap();
                store = open();
            }
        }
        same_records(&store, &model).await;
    }
}

async fn run_in_memory(steps: Vec<Step>) {
    let (store, mut model) = (MemoryStore::new(), Model::default());
    for step in steps {
        if let Step::Commit(lines) = step {
            same_commit(&store, &mut model, &lines).await;
            same_records(&store, &model).await;
        }
    }
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_journal_store_is_a_map(steps in prop::collection::vec(step(), 1..60)) {
        run(run_on_journal(steps));
    }

    #[test]
    fn a_memory_store_is_a_map(steps in prop::collection::vec(step(), 1..60)) {
        run(run_in_memory(steps));
    }
}
