//! Envelopes on disk: sealed segments one after another in a growing file, read while it grows.
//!
//! Ciphertext only, so a file needs no further protection and a crash costs nothing but work: a file without a
//! durable `Sealed` record is thrown away and the job pressed anew under another secret (`press`). Before a
//! job is recorded as sealed its file is synced. The index is in memory and rebuilt from the segments' own
//! frames. Deliberately absent: checking signatures, which is the device's part and cost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use layerlock_seal::toolpath::{OVERHEAD, Segment};
use layerlock_terms::envelope::SEGMENT_LIMIT;
use layerlock_terms::ids::JobId;
use tokio::sync::watch;

/// The directory envelopes are kept in.
#[derive(Debug, Clone)]
pub(crate) struct EnvelopeDir {
    dir: PathBuf,
}

/// One job's envelope, growing or whole.
#[derive(Debug)]
pub(crate) struct Envelope {
    file: File,
    /// Where each segment ends; the first begins at zero.
    ends: RwLock<Vec<u64>>,
    growth: watch::Sender<Growth>,
}

/// How far an envelope has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// This many segments are there, more will come.
    Growing(u32),
    /// These are all.
    Whole(u32),
    /// No more will come, and these are not all.
    Abandoned,
}

/// What a follower gets.
#[derive(Debug)]
pub(crate) enum Next {
    /// The segment asked for.
    Segment(Bytes),
    /// There is none of this index: the envelope ends before.
    End,
    /// The envelope was given up.
    Abandoned,
}

impl EnvelopeDir {
    /// Opens the directory, made if needed.
    pub(crate) fn open(dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// Begins a job's envelope; what was there of the job before is gone.
    pub(crate) fn create(&self, job: JobId) -> io::Result<Envelope> {
        // A new file, not the old one emptied: who still reads the old one must not see bytes of the new.
        self.discard(job)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.path(job))?;
        Ok(Envelope::new(file, Vec::new(), Growth::Growing(0)))
    }

    /// Opens a whole envelope of this many segments and bytes.
    ///
    /// # Errors
    /// `InvalidData` when the file holds anything else.
    pub(crate) fn open_whole(&self, job: JobId, segments: u32, bytes: u64) -> io::Result<Envelope> {
        let file = OpenOptions::new().read(true).open(self.path(job))?;
        let ends = index(&file)?;
        let found = (ends.len() as u64, ends.last().copied().unwrap_or(0), file.metadata()?.len());
        if found != (segments.into(), bytes, bytes) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the envelope is not as it was sealed"));
        }
        Ok(Envelope::new(file, ends, Growth::Whole(segments)))
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

    fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

impl Envelope {
    fn new(file: File, ends: Vec<u64>, growth: Growth) -> Self {
        Self { file, ends: RwLock::new(ends), growth: watch::Sender::new(growth) }
    }

    /// Appends sealed segments, each of the given length, and shows them to the followers.
    pub(crate) fn append(&self, sealed: &[u8], lengths: &[usize]) -> io::Result<()> {
        (&self.file).write_all(sealed)?;
        let mut ends = self.ends.write().expect("no code panics while it holds the index");
        for length in lengths {
            let end = ends.last().copied().unwrap_or(0) + *length as u64;
            ends.push(end);
        }
        let count = u32::try_from(ends.len()).expect("a sealer numbers segments below 2³²");
        self.growth.send_replace(Growth::Growing(count));
        Ok(())
    }

    /// Makes all of it durable. Followers learn of the end by [`Envelope::end`], after the record is durable too.
    pub(crate) fn sync(&self, dir: &EnvelopeDir) -> io::Result<()> {
        self.file.sync_all()?;
        dir.sync()
    }

    /// Tells the followers that this is all.
    pub(crate) fn end(&self) {
        self.growth.send_modify(|growth| {
            if let Growth::Growing(count) = *growth {
                *growth = Growth::Whole(count);
            }
        });
    }

    /// Tells the followers of an unfinished envelope that no more will come.
    pub(crate) fn abandon(&self) {
        self.growth.send_modify(|growth| {
            if let Growth::Growing(_) = *growth {
                *growth = Growth::Abandoned;
            }
        });
    }

    /// The segment of this index, as soon as it is there.
    pub(crate) async fn follow(self: Arc<Self>, segment: u32) -> io::Result<Next> {
        let mut growth = self.growth.subscribe();
        let settled = growth.wait_for(|growth| match growth {
            Growth::Growing(count) => segment < *count,
            Growth::Whole(_) | Growth::Abandoned => true,
        });
        let growth = *settled.await.expect("the sender lives in self");
        match growth {
            Growth::Abandoned => Ok(Next::Abandoned),
            Growth::Whole(count) if segment >= count => Ok(Next::End),
            Growth::Whole(_) | Growth::Growing(_) => {
                let read = tokio::task::spawn_blocking(move || self.read(segment));
                read.await.expect("reading does not panic").map(Next::Segment)
            }
        }
    }

    fn read(&self, segment: u32) -> io::Result<Bytes> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId::from_bytes([1; 16]);

    fn dir() -> (tempfile::TempDir, EnvelopeDir) {
        let at = tempfile::tempdir().unwrap();
        let dir = EnvelopeDir::open(at.path().join("envelopes")).unwrap();
        (at, dir)
    }

    async fn segment(envelope: &Arc<Envelope>, index: u32) -> Option<Bytes> {
        match envelope.clone().follow(index).await.unwrap() {
            Next::Segment(bytes) => Some(bytes),
            Next::End | Next::Abandoned => None,
        }
    }

    #[tokio::test]
    async fn a_follower_waits_for_what_is_not_there_yet_and_learns_of_the_end() {
        let (_at, dir) = dir();
        let envelope = Arc::new(dir.create(JOB).unwrap());
        let waiting = tokio::spawn({
            let envelope = envelope.clone();
            async move { segment(&envelope, 1).await }
        });
        envelope.append(b"onetwo", &[3, 3]).unwrap();
        assert_eq!(waiting.await.unwrap().as_deref(), Some(&b"two"[..]));
        envelope.end();
        assert!(matches!(envelope.clone().follow(2).await, Ok(Next::End)));
    }

    #[tokio::test]
    async fn an_abandoned_envelope_is_no_envelope_to_its_followers() {
        let (_at, dir) = dir();
        let envelope = Arc::new(dir.create(JOB).unwrap());
        envelope.append(b"one", &[3]).unwrap();
        envelope.abandon();
        assert!(matches!(envelope.clone().follow(0).await, Ok(Next::Abandoned)));
    }

    #[tokio::test]
    async fn who_reads_the_old_envelope_never_sees_bytes_of_the_new() {
        let (_at, dir) = dir();
        let old = Arc::new(dir.create(JOB).unwrap());
        old.append(b"old", &[3]).unwrap();
        let new = dir.create(JOB).unwrap();
        new.append(b"new", &[3]).unwrap();
        assert_eq!(segment(&old, 0).await.as_deref(), Some(&b"old"[..]));
    }

    #[test]
    fn a_file_that_is_no_run_of_segments_is_not_opened() {
        let (_at, dir) = dir();
        dir.create(JOB).unwrap().append(b"no segment", &[10]).unwrap();
        assert_eq!(dir.open_whole(JOB, 1, 10).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_sweep_leaves_the_envelopes_of_known_jobs_alone() {
        let (_at, dir) = dir();
        let other = JobId::from_bytes([2; 16]);
        dir.create(JOB).unwrap();
        dir.create(other).unwrap();
        dir.sweep(&[JOB]).unwrap();
        assert!(dir.path(JOB).exists() && !dir.path(other).exists());
    }
}
