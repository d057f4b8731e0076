//! Envelopes as objects: runs of segments, each put once, and a record that says how many there are.
//!
//! A run is durable before the record that counts it, and the record before any follower sees it, so whoever takes up a
//! job anywhere finds what was shown. Runs lie under the digest of their envelope's header: of two processes that press
//! one job neither writes into the other's. A process that dies leaves runs that the next begin of the job, or its end,
//! removes.

use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use layerlock_proto::refusal::Reason;
use layerlock_seal::toolpath::Segment;
use layerlock_store::blobs::Objects;
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::SEGMENT_LIMIT;
use layerlock_terms::ids::JobId;
use layerlock_terms::units::Timestamp;
use tokio::time::Instant;

use super::{Envelope, Flush, Found, Growth, Segments};
use crate::desk::Progress;
use crate::job::Job;
use crate::records::{Made, Records, Run};
use crate::refusal::Refusal;

/// The folder of envelopes.
pub(super) const FOLDER: &str = "envelopes";

/// A run is put when it has so many bytes, or has waited so long.
const RUN_BYTES: usize = 512 << 10;
const RUN_WAIT: Duration = Duration::from_millis(250);

/// Envelopes as objects, and the records that say how far each has come.
#[derive(Debug, Clone)]
pub(crate) struct EnvelopeObjects {
    objects: Objects,
    records: Records,
}

/// One job's segments.
#[derive(Debug)]
pub(super) struct SegmentObjects {
    kept: EnvelopeObjects,
    job: JobId,
    header: Digest,
    runs: RwLock<Vec<Run>>,
    /// What was appended and not put yet; nothing where another process makes it.
    pending: Option<Mutex<Pending>>,
    /// The run read last, for a reader asks for one segment after the other.
    last: Mutex<Option<(usize, Arc<Vec<Bytes>>)>>,
}

#[derive(Debug)]
struct Pending {
    sealed: Vec<u8>,
    segments: u32,
    /// When the last run was put.
    put: Option<Instant>,
}

impl EnvelopeObjects {
    pub(crate) fn new(objects: Objects, records: Records) -> Self {
        Self { objects, records }
    }

    pub(super) fn create(&self, job: JobId, header: Digest) -> SegmentObjects {
        let pending = Pending { sealed: Vec::new(), segments: 0, put: None };
        self.segments(job, header, Vec::new(), Some(Mutex::new(pending)))
    }

    fn segments(
        &self,
        job: JobId,
        header: Digest,
        runs: Vec<Run>,
        pending: Option<Mutex<Pending>>,
    ) -> SegmentObjects {
        let (runs, last) = (RwLock::new(runs), Mutex::default());
        SegmentObjects { kept: self.clone(), job, header, runs, pending, last }
    }

    pub(super) async fn find(
        &self,
        job: &Job,
        header: Digest,
        at_hand: Option<Arc<Envelope>>,
    ) -> Result<Found, Refusal> {
        if at_hand.as_ref().is_some_and(|envelope| envelope.is_made_here()) {
            return Ok(Found::Nothing);
        }
        let Some(made) = self.records.made(job.order().job(), header).await? else {
            // Nothing was put yet; of a sealed job, everything was.
            return job.sealed().map_or(Ok(Found::Nothing), |_| Err(lost()));
        };
        let count = made.runs.iter().map(|run| run.segments).sum::<u32>();
        if let Some(sealed) = job.sealed() {
            let bytes = made.runs.iter().map(|run| run.bytes).sum::<u64>();
            if (count, bytes) != (sealed.manifest.segments, sealed.manifest.sealed_bytes) {
                return Err(lost());
            }
        }
        let (found, envelope) = match at_hand {
            Some(envelope) => (Found::Grown(made.progress), envelope),
            None => {
                let segments = self.segments(job.order().job(), header, Vec::new(), None);
                let new = Envelope::new(header, Segments::Objects(Box::new(segments)), Growth::Growing(0));
                let new = Arc::new(new);
                (Found::Envelope(new.clone(), made.progress), new)
            }
        };
        envelope.learn(made.runs, count);
        if job.sealed().is_some() {
            envelope.end();
        }
        Ok(found)
    }

    /// Removes what is left of envelopes whose job is over, if nothing of it was written later than `before`.
    pub(crate) async fn sweep(&self, before: Timestamp) -> Result<(), Refusal> {
        let before = UNIX_EPOCH + Duration::from_millis(before.0);
        let old = self.objects.folders(FOLDER, before).await?;
        let open = self.records.open_jobs().await?;
        for job in old.iter().filter_map(|name| name.parse().ok()).filter(|job| !open.contains(job)) {
            self.discard(job).await?;
        }
        Ok(())
    }

    pub(super) async fn discard(&self, job: JobId) -> Result<(), Refusal> {
        self.records.forget_made(job).await?;
        Ok(self.objects.remove_folder(&folder(job)).await?)
    }
}

impl Envelope {
    /// Whether this process makes it, or alone has it.
    pub(crate) fn is_made_here(&self) -> bool {
        match &self.segments {
            Segments::File(_) => true,
            Segments::Objects(objects) => objects.pending.is_some(),
        }
    }

    fn learn(&self, runs: Vec<Run>, count: u32) {
        if let Segments::Objects(objects) = &self.segments {
            let mut known = objects.runs.write().expect("no code panics while it holds the runs");
            if known.len() < runs.len() {
                *known = runs;
            }
        }
        self.grow(count);
    }
}

impl SegmentObjects {
    pub(super) fn append(&self, sealed: &[u8], segments: usize) {
        let mut pending = self.pending();
        pending.sealed.extend_from_slice(sealed);
        pending.segments += u32::try_from(segments).expect("a piece is cut into few segments");
    }

    /// Puts a run; answers how many segments there are then.
    pub(super) async fn flush(&self, progress: &Progress, flush: Flush) -> Result<Option<u32>, Refusal> {
        let Some((sealed, segments)) = self.take_due(flush) else { return Ok(None) };
        let run = Run { segments, bytes: sealed.len() as u64 };
        let mut runs = self.runs.read().expect("no code panics while it holds the runs").clone();
        self.kept.objects.put(&self.name(runs.len()), sealed.into()).await?;
        runs.push(run);
        let made = Made { runs: runs.clone(), progress: *progress };
        // If we crash before this record, the run is no part of any envelope and goes with the job's folder.
        self.kept.records.keep_made(self.job, self.header, &made).await?;
        let count = runs.iter().map(|run| run.segments).sum();
        *self.runs.write().expect("no code panics while it holds the runs") = runs;
        self.pending().put = Some(Instant::now());
        Ok(Some(count))
    }

    fn take_due(&self, flush: Flush) -> Option<(Vec<u8>, u32)> {
        let mut pending = self.pending();
        let waited = pending.put.is_none_or(|put| put.elapsed() >= RUN_WAIT);
        let due = flush == Flush::All || waited || pending.sealed.len() >= RUN_BYTES;
        (due && pending.segments > 0)
            .then(|| (std::mem::take(&mut pending.sealed), std::mem::take(&mut pending.segments)))
    }

    pub(super) async fn read(&self, segment: u32) -> Result<Bytes, Refusal> {
        let (run, first) = self.run_of(segment).ok_or_else(lost)?;
        let segments = match self.at_hand(run) {
            Some(segments) => segments,
            None => {
                let bytes = self.kept.objects.get(&self.name(run)).await?;
                let segments = Arc::new(split(&bytes)?);
                *self.last.lock().expect("no code panics while it holds the run") =
                    Some((run, segments.clone()));
                segments
            }
        };
        segments.get((segment - first) as usize).cloned().ok_or_else(lost)
    }

    fn at_hand(&self, run: usize) -> Option<Arc<Vec<Bytes>>> {
        let last = self.last.lock().expect("no code panics while it holds the run");
        last.as_ref().filter(|(known, _)| *known == run).map(|(_, segments)| segments.clone())
    }

    /// The run a segment is in, and that run's first segment.
    fn run_of(&self, segment: u32) -> Option<(usize, u32)> {
        let runs = self.runs.read().expect("no code panics while it holds the runs");
        let mut first = 0;
        for (index, run) in runs.iter().enumerate() {
            if segment < first + run.segments {
                return Some((index, first));
            }
            first += run.segments;
        }
        None
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        let pending = self.pending.as_ref().expect("only whoever makes an envelope appends to it");
        pending.lock().expect("no code panics while it holds what is pending")
    }

    fn name(&self, run: usize) -> String {
        let header: String = self.header.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}/{header}/{run:06}", folder(self.job))
    }
}

fn folder(job: JobId) -> String {
    format!("{FOLDER}/{job}")
}

/// The segments of a run, each sharing its bytes.
fn split(run: &Bytes) -> Result<Vec<Bytes>, Refusal> {
    let (mut segments, mut rest) = (Vec::new(), &run[..]);
    while !rest.is_empty() {
        let (_, after) = Segment::split_first(rest, SEGMENT_LIMIT).map_err(|_| lost())?;
        segments.push(run.slice_ref(&rest[..rest.len() - after.len()]));
        rest = after;
    }
    Ok(segments)
}

fn lost() -> Refusal {
    Refusal::new(Reason::Stopped, "the envelope is lost or damaged in the vault: place a new hold")
}
