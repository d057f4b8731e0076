//! Reading and copying a journal beside the process that writes it: for checks and backups while a service serves.
//!
//! Takes no lock and changes nothing. A part only grows and a snapshot never changes, so what is read is a state the
//! store had. What is being written just then looks like a torn end and is left out; nobody was answered about it.
//! Compaction may remove a file between its listing and its reading: then the reading begins anew.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use crate::journal::disk::{DirDisk, Disk};
use crate::journal::error::OpenError;
use crate::journal::frame::Head;
use crate::journal::layout::{Layout, NumberedFile, part_name, unfinished_name};
use crate::journal::payload::Effects;
use crate::journal::walk::{Place, Visit, Walk};
use crate::{Key, Record};

/// How often a reading begins anew. Each time a compaction of the whole journal came in between.
const ATTEMPTS: usize = 8;

/// Bytes copied at a time.
const PIECE: usize = 1 << 16;

/// A journal that was read from its beginning, every frame checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// The state it leads to.
    pub head: Head,
    /// Bytes that lead there.
    pub bytes: u64,
    /// Bytes behind them that are no whole frame: a write under way, or one that a crash cut off.
    pub unfinished: u64,
}

/// The files that lead from nothing to a state, each with its sound length.
type Files = Vec<(NumberedFile, u64)>;

/// Checks the journal in `dir` and answers its records.
///
/// # Errors
/// [`OpenError`] names the file, the offset and the mend.
pub fn read_journal(dir: &Path) -> Result<(BTreeMap<Key, Record>, Sound), OpenError> {
    let disk = DirDisk::new(dir);
    unhurried(|| {
        let mut records = BTreeMap::new();
        let (_, sound) = walk(&disk, &mut |effects: Effects| {
            for (key, record) in effects.changes {
                match record {
                    Some(record) => drop(records.insert(key, record)),
                    None => drop(records.remove(&key)),
                }
            }
            Ok(())
        })?;
        Ok((records, sound))
    })
}

/// Copies the journal in `from` into `to`, an empty directory, as a store can be opened on. The copy is durable and was
/// read back when this answers.
///
/// # Errors
/// [`OpenError`] names the file, the offset and the mend; what was begun in `to` is then of no use.
pub fn copy_journal(from: &Path, to: &Path) -> Result<Sound, OpenError> {
    let (source, target) = (DirDisk::new(from), DirDisk::new(to));
    unhurried(|| {
        let (files, sound) = walk(&source, &mut |_| Ok(()))?;
        for name in target.names().map_err(|error| OpenError::io(to, error))? {
            target.remove(&name).map_err(OpenError::at(&target, &name))?;
        }
        for (file, bytes) in &files {
            copy(&source, &target, &file.name, *bytes)?;
        }
        target.sync_dir().map_err(|error| OpenError::io(to, error))?;
        let (_, copied) = walk(&target, &mut |_| Ok(()))?;
        match copied == (Sound { unfinished: 0, ..sound }) {
            true => Ok(sound),
            false => Err(OpenError::io(to, io::Error::other("the copy reads otherwise than its original"))),
        }
    })
}

/// Again from the start while files go away under the reading.
fn unhurried<T>(mut read: impl FnMut() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let mut attempt = 1;
    loop {
        match read() {
            Err(OpenError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            read => return read,
        }
    }
}

/// Walks from the newest snapshot, or the beginning, to the end.
fn walk(disk: &dyn Disk, visit: &mut Visit<'_>) -> Result<(Files, Sound), OpenError> {
    let layout = Layout::of(disk.names().map_err(|source| OpenError::io(disk.place(), source))?);
    let mut walk = Walk::from_start(disk);
    let mut files = Vec::new();
    let mut unfinished = 0;
    if let Some(base) = layout.snapshots.last() {
        walk.snapshot(base, visit)?;
        files.push((base.clone(), length(disk, &base.name)?));
    }
    let parts = layout.parts_after(walk.head().sequence);
    for (at, part) in parts.iter().enumerate() {
        let place = if at + 1 == parts.len() { Place::Last } else { Place::Inner };
        let end = walk.part(part, place, visit)?;
        unfinished = end.torn;
        files.push((part.clone(), end.sound));
    }
    if parts.is_empty() {
        return Err(OpenError::Missing { file: disk.place().join(part_name(walk.head().sequence + 1)) });
    }
    let bytes = files.iter().map(|(_, bytes)| bytes).sum();
    Ok((files, Sound { head: walk.head(), bytes, unfinished }))
}

fn length(disk: &dyn Disk, name: &str) -> Result<u64, OpenError> {
    let mut reader = disk.read(name).map_err(OpenError::at(disk, name))?;
    io::copy(&mut reader, &mut io::sink()).map_err(OpenError::at(disk, name))
}

fn copy(from: &dyn Disk, to: &dyn Disk, name: &str, bytes: u64) -> Result<(), OpenError> {
    let unfinished = unfinished_name(name);
    let mut reader = from.read(name).map_err(OpenError::at(from, name))?.take(bytes);
    let written = OpenError::at(to, &unfinished);
    let mut file = to.create(&unfinished).map_err(&written)?;
    let mut piece = vec![0; PIECE];
    loop {
        match reader.read(&mut piece).map_err(OpenError::at(from, name))? {
            0 => break,
            read => file.append(&piece[..read]).map_err(&written)?,
        }
    }
    file.sync_all().map_err(&written)?;
    to.rename(&unfinished, name).map_err(&written)
}
