//! Envelopes as files of one process: sealed segments one after another in a growing file, read while it grows.
//!
//! A crash costs nothing but work: a file without a durable `Sealed` record is thrown away and the job pressed anew under
//! another secret (`press`). Before a job is recorded as sealed its file is synced. The index is in memory and rebuilt
//! from the segments' own frames.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::RwLock;

use bytes::Bytes;
use layerlock_seal::toolpath::{OVERHEAD, Segment};
use layerlock_terms::envelope::SEGMENT_LIMIT;
use layerlock_terms::ids::JobId;

/// The directory envelopes are kept in.
#[derive(Debug, Clone)]
pub(crate) struct EnvelopeDir {
    dir: PathBuf,
}

/// One job's segments, growing or whole.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
    /// Where each segment ends; the first begins at zero.
    ends: RwLock<Vec<u64>>,
}

impl EnvelopeDir {
    /// Opens the directory, made if needed.
    pub(crate) fn open(dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// Begins a job's file; what was there of the job before is gone.
    pub(super) fn create(&self, job: JobId) -> io::Result<SegmentFile> {
        // A new file, not the old one emptied: who still reads the old one must not see bytes of the new.
        self.discard(job)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.path(job))?;
        Ok(SegmentFile { file, ends: RwLock::default() })
    }

    /// Opens a whole envelope of this many segments and bytes.
    ///
    /// # Errors
    /// `InvalidData` when the file holds anything else.
    pub(super) fn open_whole(&self, job: JobId, segments: u32, bytes: u64) -> io::Result<SegmentFile> {
        let file = OpenOptions::new().read(true).open(self.path(job))?;
        let ends = index(&file)?;
        let found = (ends.len() as u64, ends.last().copied().unwrap_or(0), file.metadata()?.len());
        if found != (segments.into(), bytes, bytes) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the envelope is not as it was sealed"));
        }
        Ok(SegmentFile { file, ends: RwLock::new(ends) })
    }

    /// Removes a job's envelope, if there is one.
    pub(crate) fn discard(&self, job: JobId) -> io::Result<()> {
        match fs::remove_file(self.path(job)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes every envelope whose job is not among these: what a crash left.
    pub(crate) fn sweep(&self, keep: &[JobId]) -> io::Result<()> {
        let kept: Vec<PathBuf> = keep.iter().map(|job| self.path(*job)).collect();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if !kept.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn path(&self, job: JobId) -> PathBuf {
        self.dir.join(job.to_string())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

impl SegmentFile {
    /// Appends sealed segments, each of the given length; answers how many there are now.
    pub(super) fn append(&self, sealed: &[u8], lengths: &[usize]) -> io::Result<u32> {
        (&self.file).write_all(sealed)?;
        let mut ends = self.ends.write().expect("no code panics while it holds the index");
        for length in lengths {
            let end = ends.last().copied().unwrap_or(0) + *length as u64;
            ends.push(end);
        }
        Ok(u32::try_from(ends.len()).expect("a sealer numbers segments below 2³²"))
    }

    /// Makes all of it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// The segment of this index, which must be there.
    pub(super) fn read(&self, segment: u32) -> io::Result<Bytes> {
        let (start, end) = {
            let ends = self.ends.read().expect("no code panics while it holds the index");
            let start = (segment as usize).checked_sub(1).map_or(0, |before| ends[before]);
            (start, ends[segment as usize])
        };
        let length = usize::try_from(end - start).expect("a segment is far below the address space");
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// Where each segment of a file ends, by the segments' frames. Reads in steps: an envelope may be large.
fn index(file: &File) -> io::Result<Vec<u64>> {
    const STEP: usize = 1 << 20;
    let longest = SEGMENT_LIMIT as usize + OVERHEAD;
    let (mut held, mut ends, mut at) = (Vec::new(), Vec::new(), 0);
    loop {
        let came = file.take(STEP as u64).read_to_end(&mut held)?;
        let mut rest = &held[..];
        while rest.len() >= longest || (came == 0 && !rest.is_empty()) {
            let broken = |_| io::Error::new(io::ErrorKind::InvalidData, "the envelope is damaged");
            let (_, after) = Segment::split_first(rest, SEGMENT_LIMIT).map_err(broken)?;
            at += (rest.len() - after.len()) as u64;
            ends.push(at);
            rest = after;
        }
        let taken = held.len() - rest.len();
        held.drain(..taken);
        if came == 0 {
            return Ok(ends);
        }
    }
}
