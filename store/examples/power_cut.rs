//! The program that `rig/power-cut` runs on a file system whose disk will lose its power.
//!
//! `write DIR RUN` commits pairs of records from 16 writers until it can't, and prints the id of each commit once it
//! was acknowledged. `check DIR` opens the store, reads ids from its input and ends with status 1 unless each of them
//! is there, whole. What it prints goes to another disk, so it's known what was acknowledged.

#![allow(clippy::print_stdout, reason = "its output is what the rig reads")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the rig failing")]

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use layerlock_store::{Commit, Expect, JournalStore, Key, Options, Store};

const WRITERS: usize = 16;
/// So small that a cut often meets a rotation or a compaction.
const OPTIONS: Options =
    Options { part_bytes: 64 << 10, compact_after_bytes: 512 << 10, view_cache_bytes: 8 << 20 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", dir, run] => runtime.block_on(write(Path::new(dir), run)),
        ["check", dir] => runtime.block_on(check(Path::new(dir))),
        _ => {
            println!("usage: power_cut write DIR RUN | check DIR < ids");
            ExitCode::from(2)
        }
    }
}

async fn write(dir: &Path, run: &str) -> ExitCode {
    let store = match JournalStore::open(dir, OPTIONS) {
        Ok((store, _)) => Arc::new(store),
        Err(error) => {
            println!("# {error}");
            return ExitCode::FAILURE;
        }
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, run) = (store.clone(), run.to_owned());
            tokio::spawn(async move { write_pairs(&store, &run, writer).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    ExitCode::SUCCESS
}

async fn write_pairs(store: &JournalStore, run: &str, writer: usize) {
    for number in 0.. {
        let id = format!("{run}-{writer}-{number}");
        let commit = ["left", "right"]
            .into_iter()
            .fold(Commit::new(), |commit, side| commit.put(key(&id, side), value(&id), Expect::Absent));
        if let Err(error) = store.commit(commit).await {
            println!("# {error}");
            return;
        }
        // One write per line: an id is on the other disk whole or not at all.
        std::io::stdout().write_all(format!("{id}\n").as_bytes()).unwrap();
    }
}

async fn check(dir: &Path) -> ExitCode {
    let (store, report) = match JournalStore::open(dir, OPTIONS) {
        Ok(opened) => opened,
        Err(error) => {
            println!("doesn't open: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut acknowledged, mut lost) = (0, 0);
    for id in std::io::stdin().lock().lines().map(Result::unwrap).filter(|id| !id.starts_with('#')) {
        acknowledged += 1;
        for side in ["left", "right"] {
            let record = store.load(&key(&id, side)).await.unwrap();
            if record.is_none_or(|record| record.value != value(&id)) {
                println!("lost: {id} {side}");
                lost += 1;
            }
        }
    }
    println!("{acknowledged} acknowledged, {lost} records lost; {report}");
    if lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn key(id: &str, side: &str) -> Key {
    Key::new("rig", &[id.as_bytes(), side.as_bytes()]).unwrap()
}

/// From a few bytes to some thousands, so that frames cross blocks.
fn value(id: &str) -> Vec<u8> {
    let length = id.len() + id.bytes().map(usize::from).sum::<usize>() % 9 * 300;
    id.bytes().cycle().take(length).collect()
}
