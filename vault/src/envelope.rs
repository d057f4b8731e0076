//! Envelopes: a job's sealed segments, read while they are made, here or by another process.
//!
//! Ciphertext only, so what keeps them needs no further protection. One process alone keeps them as files (`files`);
//! processes that share their records share envelopes as objects (`objects`), and a follower can't tell which of them
//! presses. Either way a job is recorded as sealed after all its segments are durable. Deliberately absent: checking
//! signatures, which is the device's part and cost.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use layerlock_seal::toolpath::header_hash;
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::JobId;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::desk::Progress;
use crate::job::Job;
use crate::refusal::Refusal;

mod files;
mod objects;

pub(crate) use files::EnvelopeDir;
use files::SegmentFile;
pub(crate) use objects::EnvelopeObjects;
use objects::SegmentObjects;

/// Where envelopes are kept.
#[derive(Debug, Clone)]
pub(crate) enum Envelopes {
    /// Files of this process.
    Files(EnvelopeDir),
    /// Objects any process on the same records reads.
    Objects(EnvelopeObjects),
}

/// One job's envelope, growing or whole.
#[derive(Debug)]
pub(crate) struct Envelope {
    header: Digest,
    segments: Segments,
    growth: watch::Sender<Growth>,
}

#[derive(Debug)]
enum Segments {
    File(Arc<SegmentFile>),
    Objects(Box<SegmentObjects>),
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

/// What the keeping says of a job's envelope.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing that is not at hand already.
    Nothing,
    /// It was begun by another process, or before a restart, and has come so far.
    Envelope(Arc<Envelope>, Progress),
    /// The one at hand has come so far.
    Grown(Progress),
}

impl Envelopes {
    /// Begins a job's envelope under this header.
    pub(crate) async fn begin(&self, job: JobId, header: Digest) -> Result<Envelope, Refusal> {
        let segments = match self {
            Self::Files(dir) => {
                let dir = dir.clone();
                let file = spawn_blocking(move || dir.create(job)).await.expect("creating does not panic");
                Segments::File(Arc::new(file?))
            }
            Self::Objects(objects) => Segments::Objects(Box::new(objects.create(job, header))),
        };
        Ok(Envelope::new(header, segments, Growth::Growing(0)))
    }

    /// Looks how far the envelope of a job has come, given the one at hand.
    ///
    /// # Errors
    /// When the envelope of a sealed job is lost or is not what was sealed.
    pub(crate) async fn find(&self, job: &Job, at_hand: Option<Arc<Envelope>>) -> Result<Found, Refusal> {
        let Some(slicing) = job.slicing() else { return Ok(Found::Nothing) };
        let header = header_hash(slicing.header.statement());
        let at_hand = at_hand.filter(|envelope| envelope.header == header);
        match self {
            Self::Files(dir) => match (at_hand, job.sealed()) {
                (None, Some(sealed)) => {
                    let (dir, id, manifest) = (dir.clone(), job.order().job(), sealed.manifest.clone());
                    let (segments, bytes) = (manifest.segments, manifest.sealed_bytes);
                    let opened = spawn_blocking(move || dir.open_whole(id, segments, bytes)).await;
                    let file = opened.expect("opening a file does not panic")?;
                    let kept = Segments::File(Arc::new(file));
                    let envelope = Envelope::new(header, kept, Growth::Whole(segments));
                    Ok(Found::Envelope(Arc::new(envelope), Progress::default()))
                }
                // It is being made here, or by nobody any more.
                (Some(_), _) | (None, None) => Ok(Found::Nothing),
            },
            Self::Objects(objects) => objects.find(job, header, at_hand).await,
        }
    }

    /// Makes all of an envelope durable.
    pub(crate) async fn keep(&self, envelope: &Envelope, progress: &Progress) -> Result<(), Refusal> {
        match (self, &envelope.segments) {
            (Self::Files(dir), Segments::File(file)) => {
                let (dir, file) = (dir.clone(), file.clone());
                let sync = spawn_blocking(move || file.sync().and_then(|()| dir.sync()));
                Ok(sync.await.expect("syncing does not panic")?)
            }
            _ => envelope.flush(progress, Flush::All).await,
        }
    }

    /// Removes a job's envelope, if there is one.
    pub(crate) async fn discard(&self, job: JobId) -> Result<(), Refusal> {
        match self {
            Self::Files(dir) => Ok(dir.discard(job)?),
            Self::Objects(objects) => objects.discard(job).await,
        }
    }
}

/// How much of what was appended is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// What has waited long enough, or is large enough.
    Due,
    /// Everything.
    All,
}

impl Envelope {
    fn new(header: Digest, segments: Segments, growth: Growth) -> Self {
        Self { header, segments, growth: watch::Sender::new(growth) }
    }

    /// Digest of its header.
    pub(crate) fn header(&self) -> Digest {
        self.header
    }

    /// Appends sealed segments, each of the given length. What is a file shows them to its followers at once.
    pub(crate) fn append(&self, sealed: &[u8], lengths: &[usize]) -> io::Result<()> {
        match &self.segments {
            Segments::File(file) => self.grow(file.append(sealed, lengths)?),
            Segments::Objects(objects) => objects.append(sealed, lengths.len()),
        }
        Ok(())
    }

    /// Puts what was appended where other processes find it, and shows it to the followers here.
    pub(crate) async fn flush(&self, progress: &Progress, flush: Flush) -> Result<(), Refusal> {
        if let Segments::Objects(objects) = &self.segments
            && let Some(count) = objects.flush(progress, flush).await?
        {
            self.grow(count);
        }
        Ok(())
    }

    /// Shows the followers that this many segments are there.
    fn grow(&self, count: u32) {
        self.growth.send_modify(|growth| {
            if let Growth::Growing(known) = *growth {
                *growth = Growth::Growing(known.max(count));
            }
        });
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
    pub(crate) async fn follow(self: Arc<Self>, segment: u32) -> Result<Next, Refusal> {
        let mut growth = self.growth.subscribe();
        let settled = growth.wait_for(|growth| match growth {
            Growth::Growing(count) => segment < *count,
            Growth::Whole(_) | Growth::Abandoned => true,
        });
        let growth = *settled.await.expect("the sender lives in self");
        match growth {
            Growth::Abandoned => Ok(Next::Abandoned),
            Growth::Whole(count) if segment >= count => Ok(Next::End),
            Growth::Whole(_) | Growth::Growing(_) => self.read(segment).await.map(Next::Segment),
        }
    }

    async fn read(&self, segment: u32) -> Result<Bytes, Refusal> {
        match &self.segments {
            Segments::File(file) => {
                let file = file.clone();
                let read = spawn_blocking(move || file.read(segment));
                Ok(read.await.expect("reading does not panic")?)
            }
            Segments::Objects(objects) => objects.read(segment).await,
        }
    }
}

#[cfg(test)]
mod tests;
