//! How far a job's envelope has come: for processes that follow what another one makes.
//!
//! Nothing of it is signed or needs to be: the manifest says what the envelope is, the device checks every segment, and a
//! record that is wrong costs a job, never a secret.

use layerlock_store::{Commit, CommitError, Expect, Key};
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::JobId;
use layerlock_terms::units::Millis;
use layerlock_terms::wire::{Malformed, Reader, Writer};

use super::index::prefix;
use super::{Records, damaged, key};
use crate::desk::Progress;
use crate::refusal::Refusal;

pub(super) const TABLE: &str = "envelope";

const VERSION: u8 = 1;

/// Most runs of an envelope. Each takes a quarter of a second or half a MiB, so the largest has far fewer.
const RUN_LIMIT: u32 = 60_000;

/// An envelope as far as it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Runs of segments, in order.
    pub(crate) runs: Vec<Run>,
    /// How far pressing has come.
    pub(crate) progress: Progress,
}

/// Segments that were put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// How many.
    pub(crate) segments: u32,
    /// Bytes of all of them.
    pub(crate) bytes: u64,
}

impl Made {
    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION);
        w.list(&self.runs, |w, run| {
            w.u32(run.segments).u64(run.bytes);
        });
        w.u32(self.progress.layers).u64(self.progress.plain_bytes);
        w.u64(self.progress.first_segment.unwrap_or_default().0);
        w.finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        if r.u8("version")? != VERSION {
            return Err(Malformed::Value("version"));
        }
        let runs =
            r.list("runs", RUN_LIMIT, |r| Ok(Run { segments: r.u32("segments")?, bytes: r.u64("bytes")? }))?;
        let progress = Progress {
            engine: None,
            layers: r.u32("layers")?,
            segments: runs.iter().map(|run| run.segments).sum(),
            sealed_bytes: runs.iter().map(|run| run.bytes).sum(),
            plain_bytes: r.u64("plain")?,
            first_segment: Some(Millis(r.u64("first")?)),
        };
        r.finish()?;
        Ok(Self { runs, progress })
    }
}

impl Records {
    /// How far the envelope of this job and this header has come.
    pub(crate) async fn made(&self, job: JobId, header: Digest) -> Result<Option<Made>, Refusal> {
        let Some(record) = self.store.load(&made_key(job, header)).await? else { return Ok(None) };
        Made::parse(&record.value).map(Some).map_err(|_| damaged(job))
    }

    /// Says how far it has come. Of two processes that press one job each has a header and so a record of its own.
    pub(crate) async fn keep_made(&self, job: JobId, header: Digest, made: &Made) -> Result<(), CommitError> {
        let (key, value) = (made_key(job, header), made.emit());
        let commit = Commit::new().put(key.clone(), value.clone(), Expect::Anything);
        self.commit_surely(commit, &key, &value).await.map(drop)
    }

    /// Forgets every envelope of a job.
    pub(crate) async fn forget_made(&self, job: JobId) -> Result<(), CommitError> {
        let rows = self.rows(&prefix(TABLE, &[job.as_bytes()])).await?;
        let commit = rows.into_iter().fold(Commit::new(), |commit, row| commit.delete(row, Expect::Anything));
        self.store.commit(commit).await.map(drop)
    }
}

fn made_key(job: JobId, header: Digest) -> Key {
    key(TABLE, &[job.as_bytes(), header.as_bytes()])
}
