//! Crash tests of the journal on a simulated disk: failing operations one by one, and power cuts at random.
//!
//! What they hold the store to, in `Claims`: every acknowledged commit is there, every other one is there whole or
//! not at all, and the store always opens. `faults` walks the table of failing operations, `cuts` cuts the power.

mod cuts;
mod faults;
mod sim;

use std::path::Path;
use std::sync::Arc;

use super::{JournalStore, OpenError, Options, Recovery};
use crate::{Commit, CommitError, Expect, Key, Store};
use sim::SimDisk;

/// What one writer knows of its pair of records, which it always writes together.
#[derive(Clone, Copy, Debug, Default)]
struct Claim {
    acknowledged: u64,
    attempted: u64,
}

/// What all writers know.
#[derive(Clone, Debug)]
struct Claims(Vec<Claim>);

impl Claims {
    fn of(writers: usize) -> Claims {
        Claims(vec![Claim::default(); writers])
    }

    /// Panics unless the store holds what it acknowledged, and nothing by halves. What a reader saw now has to stay,
    /// as if it had been acknowledged.
    async fn check(&mut self, store: &JournalStore, context: &str) {
        for (writer, claim) in self.0.iter_mut().enumerate() {
            let (left, right) = (number(store, writer, "left").await, number(store, writer, "right").await);
            assert_eq!(left, right, "{context}: half a commit of writer {writer}");
            assert!(
                left >= claim.acknowledged,
                "{context}: writer {writer} was told {claim:?}, but {left} is there"
            );
            assert!(left <= claim.attempted, "{context}: writer {writer} has {claim:?}, but {left} is there");
            claim.acknowledged = left;
        }
    }

    /// Every writer writes its pair `times` more, all at once, until the store stops.
    async fn write(&mut self, store: &Arc<JournalStore>, times: u64) {
        let writers = self.0.iter().copied().enumerate().map(|(writer, claim)| {
            let store = store.clone();
            tokio::spawn(async move { write_pairs(&store, writer, claim, times).await })
        });
        let writers: Vec<_> = writers.collect();
        for (claim, writer) in self.0.iter_mut().zip(writers) {
            *claim = writer.await.unwrap();
        }
    }
}

async fn write_pairs(store: &JournalStore, writer: usize, mut claim: Claim, times: u64) -> Claim {
    for _ in 0..times {
        claim.attempted += 1;
        match store.commit(pair(writer, claim.attempted)).await {
            Ok(_) => claim.acknowledged = claim.attempted,
            Err(CommitError::Conflict { key }) => panic!("{key} conflicted without an expectation"),
            Err(CommitError::Store(_)) => break,
        }
    }
    claim
}

/// Both records of a writer; the value is long enough to cross sectors of the simulated disk.
fn pair(writer: usize, number: u64) -> Commit {
    let value = [number.to_be_bytes().to_vec(), vec![writer as u8; 40 + 97 * (number as usize % 7)]].concat();
    Commit::new().put(key(writer, "left"), value.clone(), Expect::Anything).put(
        key(writer, "right"),
        value,
        Expect::Anything,
    )
}

fn key(writer: usize, side: &str) -> Key {
    Key::new("pair", &[&writer.to_be_bytes(), side.as_bytes()]).unwrap()
}

/// The number a record holds; 0 when there is none.
async fn number(store: &JournalStore, writer: usize, side: &str) -> u64 {
    let record = store.load(&key(writer, side)).await.expect("a store that opened answers");
    record.map_or(0, |record| u64::from_be_bytes(record.value[..8].try_into().unwrap()))
}

fn open(disk: &SimDisk, dir: &Path, options: Options) -> Result<(Arc<JournalStore>, Recovery), OpenError> {
    let (store, report) = JournalStore::open_on(Arc::new(disk.clone()), dir, options)?;
    Ok((Arc::new(store), report))
}
