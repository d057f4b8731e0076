//! Durable commits per second, side by side with redb, in one run on one disk: 1 writer and 64 writers.
//!
//! Every commit writes one record of 200 bytes under a new key and counts only once it's acknowledged as durable.
//! The rounds alternate between the stores, and the medians are printed, beside the disk's bare rate of appends with
//! fdatasync. Where: `LAYERLOCK_BENCH_DIR`, or the system's temporary directory, which must not be memory.
//!
//! Beside them, without a bar, a PostgreSQL of the packages' own settings on the same machine, reached by a socket.
//!
//! The bars: at least 10,000 commits a second with 64 writers, at least 0.9 of redb's rate with one. Below them the
//! program ends with status 1.

#![allow(clippy::print_stdout, reason = "printing is what a benchmark is for")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the benchmark failing")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use layerlock_store::{Commit, Expect, JournalStore, Key, Options, PostgresStore, Store};

#[path = "../tests/cluster/mod.rs"]
mod cluster;

const ROUNDS: usize = 5;
const ROUND_TIME: Duration = Duration::from_secs(1);
const MANY: u64 = 64;
const VALUE: [u8; 200] = [7; 200];

const REDB_TABLE: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("records");

fn main() -> ExitCode {
    let dir = std::env::var_os("LAYERLOCK_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    println!("in {}, median of {ROUNDS} rounds of {ROUND_TIME:?}, durable commits per second", dir.display());
    println!("{:>24} {:>9.0}", "bare append, fdatasync", median(|| bare_appends(&dir)));
    let [ours_one, redb_one, postgres_one] = alternate(&dir, 1);
    let [ours_many, redb_many, postgres_many] = alternate(&dir, MANY);
    println!("{:>24} {:>9} {:>9} {:>10}", "writers", "layerlock", "redb", "PostgreSQL");
    println!("{:>24} {ours_one:>9.0} {redb_one:>9.0} {postgres_one:>10.0}", 1);
    println!("{:>24} {ours_many:>9.0} {redb_many:>9.0} {postgres_many:>10.0}", MANY);
    let ratio = ours_one / redb_one;
    println!("one writer: {ratio:.2} of redb (bar 0.90); {MANY} writers: {ours_many:.0}/s (bar 10000)");
    if ratio >= 0.9 && ours_many >= 10_000.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The medians of rounds that take turns, so that a disk that changes its pace changes it for both.
fn alternate(dir: &Path, writers: u64) -> [f64; 3] {
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        rates[0].push(ours(dir, writers));
        rates[1].push(redb(dir, writers));
        rates[2].push(postgres(writers));
    }
    rates.map(middle)
}

fn median(mut rate: impl FnMut() -> f64) -> f64 {
    middle((0..ROUNDS).map(|_| rate()).collect())
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn ours(dir: &Path, writers: u64) -> f64 {
    let dir = tempfile::tempdir_in(dir).unwrap();
    let (store, _) = JournalStore::open(dir.path(), Options::default()).unwrap();
    runtime().block_on(commit_from(Arc::new(store), writers))
}

/// A space of its own each time: the keys are new.
fn postgres(writers: u64) -> f64 {
    static SPACES: AtomicU32 = AtomicU32::new(0);
    let space = format!("bench-{}", SPACES.fetch_add(1, Ordering::Relaxed));
    runtime().block_on(async {
        let store = PostgresStore::open(&cluster::address(), &space).await.unwrap();
        commit_from(Arc::new(store), writers).await
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn commit_from(store: Arc<dyn Store>, writers: u64) -> f64 {
    let start = Instant::now();
    if writers == 1 {
        let commits = commit_until(&*store, 0, start).await;
        return rate(commits, start);
    }
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move { commit_until(&*store, writer, start).await })
        })
        .collect();
    let mut commits = 0;
    for task in tasks {
        commits += task.await.unwrap();
    }
    rate(commits, start)
}

async fn commit_until(store: &dyn Store, writer: u64, start: Instant) -> u64 {
    let mut commits = 0u64;
    while start.elapsed() < ROUND_TIME {
        let key = Key::new("bench", &[&writer.to_be_bytes(), &commits.to_be_bytes()]).unwrap();
        store.commit(Commit::new().put(key, VALUE, Expect::Absent)).await.unwrap();
        commits += 1;
    }
    commits
}

fn redb(dir: &Path, writers: u64) -> f64 {
    let dir = tempfile::tempdir_in(dir).unwrap();
    let db = redb::Database::create(dir.path().join("redb")).unwrap();
    let start = Instant::now();
    let commits = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                scope.spawn({
                    let db = &db;
                    move || redb_until(db, writer, start)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    rate(commits, start)
}

/// One transaction per commit, with redb's default durability, which is immediate.
fn redb_until(db: &redb::Database, writer: u64, start: Instant) -> u64 {
    let mut commits = 0u64;
    while start.elapsed() < ROUND_TIME {
        let key = [writer.to_be_bytes(), commits.to_be_bytes()].concat();
        let transaction = db.begin_write().unwrap();
        transaction.open_table(REDB_TABLE).unwrap().insert(&key[..], &VALUE[..]).unwrap();
        transaction.commit().unwrap();
        commits += 1;
    }
    commits
}

fn bare_appends(dir: &Path) -> f64 {
    let dir = tempfile::tempdir_in(dir).unwrap();
    let mut file = File::create(dir.path().join("bare")).unwrap();
    let start = Instant::now();
    let mut appends = 0;
    while start.elapsed() < ROUND_TIME {
        file.write_all(&VALUE).unwrap();
        file.sync_data().unwrap();
        appends += 1;
    }
    rate(appends, start)
}

fn rate(commits: u64, start: Instant) -> f64 {
    commits as f64 / start.elapsed().as_secs_f64()
}
