//! One part of the journal, open at its end: how it's begun, and how a frame becomes durable in it.

use std::io;

use crate::journal::disk::{Appender, Disk};
use crate::journal::frame::{FileKind, Head, Header, StoreId};
use crate::journal::layout::{part_name, unfinished_name};
use crate::journal::walk::PartEnd;

/// The last file of the journal.
pub struct Part {
    pub name: String,
    pub file: Box<dyn Appender>,
    /// Its length, all of it sound.
    pub bytes: u64,
}

impl Part {
    /// Begins the part that goes on from `base`, durable by name and content before anything is appended to it.
    pub fn create(disk: &dyn Disk, store: StoreId, base: Head) -> io::Result<Part> {
        let name = part_name(base.sequence + 1);
        let unfinished = unfinished_name(&name);
        let header = Header { file: FileKind::Part, store, base }.emit();
        let mut file = disk.create(&unfinished)?;
        file.append(&header)?;
        file.sync_all()?;
        // If we crash before the rename is durable, recovery removes the unfinished file; the part before this one
        // is whole and the last.
        disk.rename(&unfinished, &name)?;
        disk.sync_dir()?;
        Ok(Part { name, file, bytes: header.len() as u64 })
    }

    /// Opens the last part, of which the first `sound` bytes are good.
    pub fn reopen(disk: &dyn Disk, name: &str, sound: u64) -> io::Result<Part> {
        Ok(Part { name: name.to_owned(), file: disk.append_to(name)?, bytes: sound })
    }

    /// Makes the end that was read the end that is on the disk.
    pub fn settle(&mut self, end: &PartEnd) -> io::Result<()> {
        if end.torn > 0 {
            self.file.cut(end.sound)?;
        }
        if let Some((offset, frame)) = &end.last_frame {
            // After a failed sync, Linux may keep bytes in its cache that the disk never got, and call them clean.
            // Writing the same bytes again makes the sync below mean something. A crash in between can't tear
            // them: every sector holds what it held, or the same.
            self.file.rewrite(*offset, frame)?;
        }
        self.file.sync()
    }

    /// Whether any frame has been appended.
    pub fn has_frames(&self) -> bool {
        self.bytes > Header::BYTES as u64
    }

    /// Appends one frame and returns once it's durable.
    pub fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        self.file.append(frame)?;
        // If we crash before the sync returns, the frame is whole or torn on the disk. Nobody has been answered:
        // recovery may keep it if whole, and cuts it off if torn.
        self.file.sync()?;
        self.bytes += frame.len() as u64;
        Ok(())
    }
}
