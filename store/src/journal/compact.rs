//! Compaction: a sealed stretch of journal becomes a snapshot, and goes only once the snapshot has been verified.
//!
//! The snapshot is made from the journal, never from the view: one walk finds which commit wrote each key last (keys
//! and revisions are held in memory, values aren't), a second writes those records out. The file gets its name after
//! it's durable; it's read back whole and compared before anything older is removed. The parts concerned are sealed,
//! so commits go on meanwhile.

use std::collections::HashMap;

use crate::journal::disk::{Appender, Disk};
use crate::journal::error::OpenError;
use crate::journal::frame::{FileKind, Flaw, Frame, FrameKind, Hash, Head, Header, StoreId};
use crate::journal::layout::{Layout, NumberedFile, snapshot_name, unfinished_name};
use crate::journal::payload::{Effects, emit_count, emit_record};
use crate::journal::walk::{Place, Visit, Walk};
use crate::{Key, Record, Revision};

/// A snapshot frame is closed when its payload has reached this.
const FRAME_BYTES: usize = 1 << 20;

/// Makes the snapshot at `head`, where the sealed parts end, and removes what it replaces.
pub fn compact(disk: &dyn Disk, store: StoreId, head: Head) -> Result<(), OpenError> {
    let io = |source| OpenError::io(disk.place(), source);
    let layout = Layout::of(disk.names().map_err(io)?);
    let file = NumberedFile { number: head.sequence, name: snapshot_name(head.sequence) };
    if head == Head::START || layout.snapshots.contains(&file) {
        return Ok(());
    }
    let mut newest = newest_revisions(disk, &layout, head)?;
    let unfinished = unfinished_name(&file.name);
    let mut snapshot = SnapshotWriter::begin(disk, &unfinished, store, head)?;
    write(disk, &layout, head, &newest, &mut snapshot)?;
    snapshot.finish()?;
    // If we crash before the rename is durable, recovery removes the unfinished file and starts from the older ones.
    disk.rename(&unfinished, &file.name).map_err(OpenError::at(disk, &unfinished))?;
    disk.sync_dir().map_err(io)?;
    verify(disk, &file, head, &mut newest)?;
    // If we crash while these go, recovery starts from the snapshot and removes the rest of them.
    for name in layout.older_than(head.sequence) {
        disk.remove(name).map_err(OpenError::at(disk, name))?;
    }
    disk.sync_dir().map_err(io)
}

/// Which commit wrote each key that exists at `head`.
fn newest_revisions(
    disk: &dyn Disk,
    layout: &Layout,
    head: Head,
) -> Result<HashMap<Key, Revision>, OpenError> {
    let mut newest = HashMap::new();
    walk_sealed(disk, layout, head, &mut |effects: Effects| {
        for (key, record) in effects.changes {
            match record {
                Some(record) => drop(newest.insert(key, record.revision)),
                None => drop(newest.remove(&key)),
            }
        }
        Ok(())
    })?;
    Ok(newest)
}

/// Writes the records that count at `head`, in the order of their commits.
fn write(
    disk: &dyn Disk,
    layout: &Layout,
    head: Head,
    newest: &HashMap<Key, Revision>,
    snapshot: &mut SnapshotWriter<'_>,
) -> Result<(), OpenError> {
    walk_sealed(disk, layout, head, &mut |effects: Effects| {
        for (key, record) in effects.changes {
            if let Some(record) = record.filter(|record| newest.get(&key) == Some(&record.revision)) {
                snapshot.add(&key, &record)?;
            }
        }
        Ok(())
    })
}

/// Reads the snapshot back and compares it with what the journal holds.
fn verify(
    disk: &dyn Disk,
    file: &NumberedFile,
    head: Head,
    newest: &mut HashMap<Key, Revision>,
) -> Result<(), OpenError> {
    let differs = || OpenError::SnapshotDiffers { file: disk.place().join(&file.name) };
    let mut walk = Walk::from_start(disk);
    walk.snapshot(file, &mut |effects: Effects| {
        for (key, record) in effects.changes {
            if newest.remove(&key) != record.map(|record| record.revision) {
                return Err(differs());
            }
        }
        Ok(())
    })?;
    if newest.is_empty() && walk.head() == head { Ok(()) } else { Err(differs()) }
}

/// Walks from the newest older snapshot to the end of the sealed parts, which must be `head`.
fn walk_sealed(disk: &dyn Disk, layout: &Layout, head: Head, visit: &mut Visit<'_>) -> Result<(), OpenError> {
    let mut walk = Walk::from_start(disk);
    if let Some(base) = layout.snapshots.iter().rfind(|base| base.number < head.sequence) {
        walk.snapshot(base, visit)?;
    }
    let parts = layout.parts_after(walk.head().sequence);
    for part in parts.iter().take_while(|part| part.number <= head.sequence) {
        walk.part(part, Place::Inner, visit)?;
    }
    if walk.head() == head {
        return Ok(());
    }
    let file = disk.place().join(snapshot_name(head.sequence));
    Err(OpenError::Broken { file, offset: 0, flaw: Flaw::Link })
}

struct SnapshotWriter<'a> {
    disk: &'a dyn Disk,
    name: &'a str,
    file: Box<dyn Appender>,
    store: StoreId,
    previous: Hash,
    frames: u64,
    records: u64,
    payload: Vec<u8>,
}

impl<'a> SnapshotWriter<'a> {
    fn begin(
        disk: &'a dyn Disk,
        name: &'a str,
        store: StoreId,
        base: Head,
    ) -> Result<SnapshotWriter<'a>, OpenError> {
        let header = Header { file: FileKind::Snapshot, store, base }.emit();
        let mut file = disk.create(name).map_err(OpenError::at(disk, name))?;
        file.append(&header).map_err(OpenError::at(disk, name))?;
        let previous = Hash::of(&header);
        Ok(SnapshotWriter { disk, name, file, store, previous, frames: 0, records: 0, payload: Vec::new() })
    }

    fn add(&mut self, key: &Key, record: &Record) -> Result<(), OpenError> {
        emit_record(&mut self.payload, key, record);
        self.records += 1;
        if self.payload.len() >= FRAME_BYTES { self.close_frame() } else { Ok(()) }
    }

    fn close_frame(&mut self) -> Result<(), OpenError> {
        let payload = std::mem::take(&mut self.payload);
        self.append(FrameKind::Records, &payload)?;
        self.frames += 1;
        Ok(())
    }

    /// Ends the snapshot and makes it durable.
    fn finish(mut self) -> Result<(), OpenError> {
        if !self.payload.is_empty() {
            self.close_frame()?;
        }
        self.append(FrameKind::End, &emit_count(self.records))?;
        self.file.sync_all().map_err(OpenError::at(self.disk, self.name))
    }

    fn append(&mut self, kind: FrameKind, payload: &[u8]) -> Result<(), OpenError> {
        let (frame, hash) = Frame::emit(self.store, kind, self.frames, self.previous, payload);
        self.previous = hash;
        self.file.append(&frame).map_err(OpenError::at(self.disk, self.name))
    }
}
