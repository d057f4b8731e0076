//! The program that `rig/power-cut` runs on a file system whose disk will lose its power.
//!
//! `write DIR RUN` commits pairs of records from 16 writers until it can't, some of them naming a blob that was made
//! durable before, and prints the id of each commit once it was acknowledged. `check DIR` opens the store, reads ids from
//! its input and ends with status 1 unless each of them is there, whole, and its blob too. What it prints goes to another
//! disk, so it's known what was acknowledged; lines that begin with `#` say what the store was at meanwhile.

#![allow(clippy::print_stdout, reason = "its output is what the rig reads")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the rig failing")]

use std::io::{self, BufRead, Read as _, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use layerlock_store::blobs::{BlobDir, BlobName};
use layerlock_store::{Commit, Expect, JournalStore, Key, Options, Store};

const WRITERS: usize = 16;
/// Of so many commits one names a blob.
const BLOB_EVERY: usize = 8;
/// So small that a cut often meets a rotation or a compaction.
const OPTIONS: Options =
    Options { part_bytes: 64 << 10, compact_after_bytes: 512 << 10, view_cache_bytes: 8 << 20 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let said = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false);
    said.without_time().with_level(false).with_target(false).with_writer(|| Marks).init();
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

/// Writes what the store says of its compactions, each a line of its own.
struct Marks;

impl Write for Marks {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stdout().write_all(&[b"# ", line].concat()).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

async fn write(dir: &Path, run: &str) -> ExitCode {
    let opened = JournalStore::open(dir, OPTIONS).map_err(|error| error.to_string());
    let opened = opened.and_then(|(store, _)| Ok((store, open_blobs(dir)?)));
    let (store, blobs) = match opened {
        Ok((store, blobs)) => (Arc::new(store), blobs),
        Err(error) => {
            println!("# {error}");
            return ExitCode::FAILURE;
        }
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, blobs, run) = (store.clone(), blobs.clone(), run.to_owned());
            tokio::spawn(async move { write_pairs(&store, &blobs, &run, writer).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    ExitCode::SUCCESS
}

fn open_blobs(dir: &Path) -> Result<BlobDir, String> {
    BlobDir::open(&dir.with_extension("blobs")).map_err(|error| error.to_string())
}

async fn write_pairs(store: &JournalStore, blobs: &BlobDir, run: &str, writer: usize) {
    for number in 0.. {
        let id = format!("{run}-{writer}-{number}");
        if names_blob(&id)
            && let Err(error) = tokio::task::block_in_place(|| write_blob(blobs, &id))
        {
            println!("# {error}");
            return;
        }
        let commit = ["left", "right"]
            .into_iter()
            .fold(Commit::new(), |commit, side| commit.put(key(&id, side), value(&id), Expect::Absent));
        if let Err(error) = store.commit(commit).await {
            println!("# {error}");
            return;
        }
        // One write per line: an id is on the other disk whole or not at all.
        io::stdout().write_all(format!("{id}\n").as_bytes()).unwrap();
    }
}

/// The number at the end decides, so that the check knows it too.
fn names_blob(id: &str) -> bool {
    id.rsplit('-').next().and_then(|number| number.parse::<usize>().ok()).is_some_and(|n| n % BLOB_EVERY == 0)
}

fn blob_name(id: &str) -> BlobName {
    BlobName::from_bytes(id.as_bytes()).expect("an id is short")
}

fn write_blob(blobs: &BlobDir, id: &str) -> Result<(), String> {
    let mut writer = blobs.create(&blob_name(id)).map_err(|error| error.to_string())?;
    writer.write_all(&value(id)).map_err(|error| error.to_string())?;
    writer.commit().map(drop).map_err(|error| error.to_string())
}

fn reads_back(blobs: &BlobDir, id: &str) -> bool {
    let mut bytes = Vec::new();
    let read = blobs.read(&blob_name(id)).map(|mut blob| blob.read_to_end(&mut bytes));
    read.is_ok_and(|read| read.is_ok()) && bytes == value(id)
}

async fn check(dir: &Path) -> ExitCode {
    println!("# recovering");
    let opened = JournalStore::open(dir, OPTIONS).map_err(|error| error.to_string());
    let ((store, report), blobs) = match opened.and_then(|opened| Ok((opened, open_blobs(dir)?))) {
        Ok(opened) => opened,
        Err(error) => {
            println!("doesn't open: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("# recovered");
    let (mut acknowledged, mut lost) = (0, 0);
    for id in io::stdin().lock().lines().map(Result::unwrap).filter(|id| !id.starts_with('#')) {
        acknowledged += 1;
        for side in ["left", "right"] {
            let record = store.load(&key(&id, side)).await.unwrap();
            if record.is_none_or(|record| record.value != value(&id)) {
                println!("lost: {id} {side}");
                lost += 1;
            }
        }
        if names_blob(&id) && !reads_back(&blobs, &id) {
            println!("lost: the blob of {id}");
            lost += 1;
        }
    }
    println!("{acknowledged} acknowledged, {lost} records or blobs lost; {report}");
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
