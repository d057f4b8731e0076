//! L3, the part a process can show: a writer killed with SIGKILL loses nothing it was told is stored.
//!
//! The test runs itself as a child that writes and says aloud each answer it got; the parent kills it in the midst
//! of that, opens the store and looks for every answer it heard. Power cuts are in `src/journal/tests`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test failing")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use layerlock_store::{Commit, Expect, JournalStore, Key, Options, Store};

const CHILD_DIR: &str = "LAYERLOCK_STORE_KILL_DIR";
const CHILD_ROUND: &str = "LAYERLOCK_STORE_KILL_ROUND";
const SPOKEN: &str = "stored ";

/// Small enough that rotations and compactions are under way when the kill comes.
fn options() -> Options {
    Options { part_bytes: 4000, compact_after_bytes: 20_000, ..Options::default() }
}

fn key(id: &str) -> Key {
    Key::new("k", &[id.as_bytes()]).unwrap()
}

/// No test of its own: what the parent starts and kills. It ends at once when nobody did.
#[test]
fn child_writes_until_it_is_killed() {
    let (Ok(dir), Ok(round)) = (std::env::var(CHILD_DIR), std::env::var(CHILD_ROUND)) else { return };
    let (store, _) = JournalStore::open(Path::new(&dir), options()).unwrap();
    let store = Arc::new(store);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let writers: Vec<_> =
            (0..8).map(|writer| tokio::spawn(write_on(store.clone(), round.clone(), writer))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

async fn write_on(store: Arc<JournalStore>, round: String, writer: u32) {
    for number in 0..1_000_000 {
        let id = format!("{round}-{writer}-{number}");
        store.commit(Commit::new().put(key(&id), id.clone(), Expect::Absent)).await.unwrap();
        let line = format!("{SPOKEN}{id}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
        std::io::stdout().flush().unwrap();
    }
}

fn start_child(dir: &Path, round: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD_DIR, dir)
        .env(CHILD_ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the child after so many answers; all it said, up to its end.
fn kill_after(mut child: Child, answers: usize) -> Vec<String> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut heard = Vec::new();
    let mut hear = |lines: &mut dyn Iterator<Item = std::io::Result<String>>| {
        heard.extend(lines.filter_map(|line| Some(line.unwrap().split_once(SPOKEN)?.1.to_owned())));
    };
    hear(&mut lines.by_ref().take(answers));
    child.kill().unwrap();
    child.wait().unwrap();
    // A line is one write to a pipe: the kill leaves it whole or unsaid.
    hear(&mut lines);
    heard
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_it_was_told_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let mut heard = Vec::new();
    for (round, answers) in [40, 333, 1000, 77, 600].into_iter().enumerate() {
        let before = heard.len();
        heard.extend(kill_after(start_child(dir.path(), round), answers));
        assert!(heard.len() >= before + answers / 2, "the child of round {round} hardly wrote");
        let (store, report) = JournalStore::open(dir.path(), options()).unwrap();
        for id in &heard {
            let record = store.load(&key(id)).await.unwrap();
            assert_eq!(
                record.map(|record| record.value),
                Some(id.clone().into_bytes()),
                "{id} after {report}"
            );
        }
    }
}
