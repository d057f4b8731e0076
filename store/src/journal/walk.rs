//! Walks a journal from a snapshot or from its beginning, checking every frame, and hands on what the frames say.
//!
//! Recovery, replay and compaction all read through here, so none of them sees a byte that isn't part of one
//! unbroken chain. A broken last frame of the last part is a torn write if nothing sound follows it; any other
//! break refuses, by file and offset.

use std::io::Read;

use crate::journal::disk::Disk;
use crate::journal::error::OpenError;
use crate::journal::frame::{FileKind, Flaw, Frame, FrameKind, Hash, Head, Header, StoreId};
use crate::journal::layout::{NumberedFile, part_name};
use crate::journal::payload::{Effects, parse_commits, parse_count, parse_records};

/// Takes the effects of each frame, in order.
pub type Visit<'a> = dyn FnMut(Effects) -> Result<(), OpenError> + 'a;

/// A position in a journal that is being read.
pub struct Walk<'a> {
    disk: &'a dyn Disk,
    /// Known from the first header on.
    store: Option<StoreId>,
    /// The state reached; `None` until a first file says where it begins.
    head: Option<Head>,
}

/// Where a part ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartEnd {
    /// The length up to which it's sound.
    pub sound: u64,
    /// Bytes of a torn frame behind that.
    pub torn: u64,
    /// Offset and bytes of the last sound frame.
    pub last_frame: Option<(u64, Vec<u8>)>,
}

/// Where a part stands: only the last one can have been torn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Inner,
    Last,
}

impl<'a> Walk<'a> {
    /// A walk that must begin where the journal does: at its first part, or at a snapshot.
    pub fn from_start(disk: &'a dyn Disk) -> Walk<'a> {
        Walk { disk, store: None, head: Some(Head::START) }
    }

    /// A walk that takes the first part it's given as its beginning: for a journal that was surveyed before.
    pub fn from_anywhere(disk: &'a dyn Disk) -> Walk<'a> {
        Walk { disk, store: None, head: None }
    }

    pub fn store(&self) -> Option<StoreId> {
        self.store
    }

    pub fn head(&self) -> Head {
        self.head.unwrap_or(Head::START)
    }

    /// Reads a whole snapshot; the state after it is the one it was made of.
    pub fn snapshot(&mut self, file: &NumberedFile, visit: &mut Visit<'_>) -> Result<(), OpenError> {
        let mut reader = self.disk.read(&file.name).map_err(OpenError::at(self.disk, &file.name))?;
        let header = self.header(file, FileKind::Snapshot, &mut reader)?;
        if header.base.sequence != file.number {
            return Err(self.broken(file, 0, Flaw::Link));
        }
        let mut chain = SnapshotChain { previous: Hash::of(&header.emit()), frames: 0, records: 0 };
        let mut offset = Header::BYTES as u64;
        loop {
            let frame = self.frame(file, header.store, &mut reader)?;
            let frame = frame.and_then(|frame| frame.ok_or(Flaw::Short));
            let step = frame.and_then(|frame| Ok((frame.bytes(), chain.step(frame)?)));
            let (bytes, effects) = step.map_err(|flaw| self.broken(file, offset, flaw))?;
            offset += bytes;
            match effects {
                Some(effects) => visit(effects)?,
                None => break,
            }
        }
        self.head = Some(header.base);
        visit(Effects { changes: Vec::new(), head: self.head })
    }

    /// Reads a part that must go on where the walk is.
    pub fn part(
        &mut self,
        file: &NumberedFile,
        place: Place,
        visit: &mut Visit<'_>,
    ) -> Result<PartEnd, OpenError> {
        let data = self.read_whole(file)?;
        let header = self.header(file, FileKind::Part, &mut &data[..])?;
        self.enter(file, &header)?;
        let mut end = PartEnd { sound: Header::BYTES as u64, ..PartEnd::default() };
        let mut last = None;
        loop {
            let rest = &data[end.sound as usize..];
            match self.commits(header.store, rest) {
                Ok(None) => break,
                Ok(Some((bytes, effects))) => {
                    last = Some((end.sound, bytes));
                    end.sound += bytes;
                    self.head = effects.head;
                    visit(effects)?;
                }
                Err(flaw)
                    if place == Place::Last && flaw.may_be_torn() && !self.goes_on(header.store, rest) =>
                {
                    end.torn = rest.len() as u64;
                    break;
                }
                Err(flaw) => return Err(self.broken(file, end.sound, flaw)),
            }
        }
        end.last_frame = last.map(|(at, bytes)| (at, data[at as usize..(at + bytes) as usize].to_vec()));
        Ok(end)
    }

    /// Takes a part's header as the next step: it must name the state reached so far.
    fn enter(&mut self, file: &NumberedFile, header: &Header) -> Result<(), OpenError> {
        if header.base.sequence + 1 != file.number {
            return Err(self.broken(file, 0, Flaw::Link));
        }
        match self.head {
            None => self.head = Some(header.base),
            Some(head) if head.sequence < header.base.sequence => {
                let missing = part_name(head.sequence + 1);
                return Err(OpenError::Missing { file: self.disk.place().join(missing) });
            }
            Some(head) if head != header.base => return Err(self.broken(file, 0, Flaw::Link)),
            Some(_) => {}
        }
        Ok(())
    }

    fn header(
        &mut self,
        file: &NumberedFile,
        kind: FileKind,
        reader: &mut impl Read,
    ) -> Result<Header, OpenError> {
        let header = Header::parse(kind, reader).map_err(OpenError::at(self.disk, &file.name))?;
        let header = header.map_err(|flaw| self.broken(file, 0, flaw))?;
        match self.store {
            Some(store) if store != header.store => {
                Err(OpenError::Foreign { file: self.disk.place().join(&file.name) })
            }
            _ => {
                self.store = Some(header.store);
                Ok(header)
            }
        }
    }

    fn frame(
        &self,
        file: &NumberedFile,
        store: StoreId,
        reader: &mut impl Read,
    ) -> Result<Result<Option<Frame>, Flaw>, OpenError> {
        Frame::parse(store, reader).map_err(OpenError::at(self.disk, &file.name))
    }

    /// The effects of the frame `rest` begins with, and its length.
    fn commits(&self, store: StoreId, rest: &[u8]) -> Result<Option<(u64, Effects)>, Flaw> {
        match parse_slice(store, rest)? {
            None => Ok(None),
            Some(frame) => Ok(Some((frame.bytes(), parse_commits(&frame, self.head())?))),
        }
    }

    /// Whether a sound frame of later commits stands anywhere behind the broken one `rest` begins with. If so, the
    /// broken one was durable once: a frame is only written after the one before it was synced. A value can't
    /// imitate one, because the checksum covers the store's own id, which is never shown.
    fn goes_on(&self, store: StoreId, rest: &[u8]) -> bool {
        let starts = (1..rest.len()).filter(|&at| rest[at..].starts_with(Frame::MAGIC_START));
        starts.filter(|&at| self.may_come_later(rest, at)).any(|at| {
            let frame = parse_slice(store, &rest[at..]).ok().flatten();
            frame.is_some_and(|frame| frame.kind == FrameKind::Commits)
        })
    }

    /// Whether the sequence number of a frame at `at` could come within `rest`, where each commit takes some bytes.
    /// Spares the checksums of a torn value that was written to be full of beginnings.
    fn may_come_later(&self, rest: &[u8], at: usize) -> bool {
        let head = self.head().sequence;
        let sequence = rest.get(at + 8..at + 16).and_then(|bytes| bytes.first_chunk()).copied();
        sequence
            .map(u64::from_be_bytes)
            .is_some_and(|sequence| sequence > head && sequence - head <= rest.len() as u64)
    }

    fn read_whole(&self, file: &NumberedFile) -> Result<Vec<u8>, OpenError> {
        let mut data = Vec::new();
        let mut reader = self.disk.read(&file.name).map_err(OpenError::at(self.disk, &file.name))?;
        reader.read_to_end(&mut data).map_err(OpenError::at(self.disk, &file.name))?;
        Ok(data)
    }

    fn broken(&self, file: &NumberedFile, offset: u64, flaw: Flaw) -> OpenError {
        OpenError::Broken { file: self.disk.place().join(&file.name), offset, flaw }
    }
}

/// The chain inside one snapshot.
struct SnapshotChain {
    previous: Hash,
    frames: u64,
    records: u64,
}

impl SnapshotChain {
    /// The records of the next frame; `None` at the end, once the count is right.
    fn step(&mut self, frame: Frame) -> Result<Option<Effects>, Flaw> {
        if frame.kind == FrameKind::End {
            frame.follows(FrameKind::End, self.frames, self.previous)?;
            return if parse_count(&frame)? == self.records { Ok(None) } else { Err(Flaw::Link) };
        }
        frame.follows(FrameKind::Records, self.frames, self.previous)?;
        let effects = parse_records(&frame)?;
        self.previous = frame.hash;
        self.frames += 1;
        self.records += effects.changes.len() as u64;
        Ok(Some(effects))
    }
}

fn parse_slice(store: StoreId, bytes: &[u8]) -> Result<Option<Frame>, Flaw> {
    let mut reader = bytes;
    Frame::parse(store, &mut reader).expect("reading from memory doesn't fail")
}
