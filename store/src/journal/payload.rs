//! What a frame's payload says: the effects of commits, or the records of a snapshot.
//!
//! Publishing a commit and recovering it hand the same [`Effects`] to the same function of the view. Expectations
//! aren't written down: they were judged before, and the outcome is what counts.

use crate::journal::frame::{Flaw, Frame, FrameKind, Head};
use crate::{Change, Commit, Key, Record, Revision};

/// What becomes of records, in order; a key may come more than once, the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    pub changes: Vec<(Key, Option<Record>)>,
    /// The state once the changes are made; `None` inside a snapshot, which is no state before its end.
    pub head: Option<Head>,
}

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// The payload of a `Commits` frame in the making.
#[derive(Debug)]
pub struct CommitsPayload {
    bytes: Vec<u8>,
    commits: u32,
    changes: Vec<(Key, Option<Record>)>,
}

impl CommitsPayload {
    pub fn new() -> CommitsPayload {
        CommitsPayload { bytes: vec![0; 4], commits: 0, changes: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.commits == 0
    }

    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn commits(&self) -> u32 {
        self.commits
    }

    pub fn add(&mut self, commit: Commit, revision: Revision) {
        let writes: Vec<_> =
            commit.into_writes().into_iter().filter(|write| write.change != Change::Keep).collect();
        self.commits += 1;
        self.bytes.extend_from_slice(&count(writes.len()));
        for write in writes {
            match write.change {
                Change::Put(value) => {
                    emit_key(&mut self.bytes, PUT, &write.key);
                    emit_value(&mut self.bytes, &value);
                    self.changes.push((write.key, Some(Record { value, revision })));
                }
                Change::Delete | Change::Keep => {
                    emit_key(&mut self.bytes, DELETE, &write.key);
                    self.changes.push((write.key, None));
                }
            }
        }
    }

    /// The bytes, and the effects they say.
    pub fn finish(mut self) -> (Vec<u8>, Vec<(Key, Option<Record>)>) {
        self.bytes[..4].copy_from_slice(&self.commits.to_be_bytes());
        (self.bytes, self.changes)
    }
}

/// The effects of a frame of commits that follows `before`.
pub fn parse_commits(frame: &Frame, before: Head) -> Result<Effects, Flaw> {
    frame.follows(FrameKind::Commits, before.sequence + 1, before.hash)?;
    let mut reader = Reader(&frame.payload);
    let commits = reader.u32()?;
    let mut changes = Vec::new();
    for index in 0..u64::from(commits) {
        for _ in 0..reader.u32()? {
            changes.push(reader.change(Revision(frame.sequence + index))?);
        }
    }
    reader.end()?;
    let head = Head { sequence: before.sequence + u64::from(commits), hash: frame.hash };
    Ok(Effects { changes, head: Some(head) })
}

/// One record of a snapshot frame, appended to `payload`.
pub fn emit_record(payload: &mut Vec<u8>, key: &Key, record: &Record) {
    payload.extend_from_slice(&record.revision.0.to_be_bytes());
    emit_key(payload, PUT, key);
    emit_value(payload, &record.value);
}

/// The records of a snapshot frame.
pub fn parse_records(frame: &Frame) -> Result<Effects, Flaw> {
    let mut reader = Reader(&frame.payload);
    let mut changes = Vec::new();
    while !reader.0.is_empty() {
        let revision = Revision(reader.u64()?);
        changes.push(reader.change(revision)?);
    }
    Ok(Effects { changes, head: None })
}

pub fn emit_count(records: u64) -> Vec<u8> {
    records.to_be_bytes().to_vec()
}

pub fn parse_count(frame: &Frame) -> Result<u64, Flaw> {
    let mut reader = Reader(&frame.payload);
    let records = reader.u64()?;
    reader.end()?;
    Ok(records)
}

fn emit_key(bytes: &mut Vec<u8>, tag: u8, key: &Key) {
    let length = u16::try_from(key.as_bytes().len()).expect("keys are at most 512 bytes");
    bytes.push(tag);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(key.as_bytes());
}

fn emit_value(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend_from_slice(&count(value.len()));
    bytes.extend_from_slice(value);
}

fn count(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("commits are admitted at no more than 8 MiB").to_be_bytes()
}

/// Takes fields off the front; a payload that passed its checksum and still runs short was never written here.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Flaw> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Flaw::Payload)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        self.take(N)?.try_into().map_err(|_| Flaw::Payload)
    }

    fn u32(&mut self) -> Result<u32, Flaw> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Flaw> {
        self.array().map(u64::from_be_bytes)
    }

    fn change(&mut self, revision: Revision) -> Result<(Key, Option<Record>), Flaw> {
        let [tag] = self.array()?;
        let length = u16::from_be_bytes(self.array()?);
        let key = Key::from_stored(self.take(length.into())?).ok_or(Flaw::Payload)?;
        match tag {
            PUT => {
                let length = self.u32()? as usize;
                let value = self.take(length)?.to_vec();
                Ok((key, Some(Record { value, revision })))
            }
            DELETE => Ok((key, None)),
            _ => Err(Flaw::Payload),
        }
    }

    fn end(&self) -> Result<(), Flaw> {
        if self.0.is_empty() { Ok(()) } else { Err(Flaw::Payload) }
    }
}
