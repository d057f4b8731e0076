//! The desk: jobs that are not over, each behind one lock, stepped by events, durable before it shows.
//!
//! `advance` is the only way a job changes: step (pure) → commit by compare-and-swap → publish → effects. If we
//! crash before the commit, nothing happened; if after, recovery at the start does what the state asks for, by
//! the same effects. Deliberately absent: what the effects do (`press`, `settle`, `session`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use layerlock_store::Expect;
use layerlock_terms::ids::{DeviceId, JobId};
use layerlock_terms::units::Millis;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::Vault;
use crate::envelope::Envelope;
use crate::job::{Effect, Event, Job, Step};
use crate::records::Kept;
use crate::refusal::Refusal;
use crate::release::Window;

/// All jobs that are not over.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    jobs: Mutex<HashMap<JobId, Arc<Live>>>,
    /// Counts the changes of each device's jobs, so that its session looks again.
    changes: Mutex<HashMap<DeviceId, watch::Sender<u64>>>,
    /// Held while a job is looked for and, not found, made: one hold makes one job.
    opening: tokio::sync::Mutex<()>,
}

/// One job in memory.
#[derive(Debug)]
pub(crate) struct Live {
    /// The job.
    pub(crate) id: JobId,
    state: tokio::sync::Mutex<Kept<Arc<Job>>>,
    view: watch::Sender<View>,
    envelope: Mutex<Option<Arc<Envelope>>>,
    pressing: Mutex<Option<AbortHandle>>,
}

/// What may be seen of a job.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Its state.
    pub(crate) job: Arc<Job>,
    /// How far pressing has come.
    pub(crate) progress: Progress,
}

/// How far pressing has come; not kept, because a crash begins it anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    /// Layers sealed.
    pub(crate) layers: u32,
    /// Segments sealed.
    pub(crate) segments: u32,
    /// Bytes sealed.
    pub(crate) sealed_bytes: u64,
    /// Bytes of toolpath before sealing.
    pub(crate) plain_bytes: u64,
    /// From admission to the first segment.
    pub(crate) first_segment: Option<Millis>,
}

/// What a step left for whoever made it.
#[derive(Debug)]
pub(crate) struct Advanced {
    /// The state it led to.
    pub(crate) job: Arc<Job>,
    /// Keys to release: the window and the layers printed.
    pub(crate) release: Option<(Window, u32)>,
}

impl Desk {
    /// Wakes after every change of this device's jobs.
    pub(crate) fn changes(&self, device: DeviceId) -> watch::Receiver<u64> {
        let mut changes = self.changes.lock().expect("no code panics while it holds the changes");
        changes.entry(device).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Has the device's session look again, if it has one.
    pub(crate) fn note_change(&self, device: DeviceId) {
        let mut changes = self.changes.lock().expect("no code panics while it holds the changes");
        if let Some(count) = changes.get(&device) {
            count.send_modify(|count| *count += 1);
            if count.is_closed() {
                changes.remove(&device);
            }
        }
    }

    /// All jobs that are not over.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.jobs().values().cloned().collect()
    }

    /// The jobs of a device that are not over.
    pub(crate) fn of_device(&self, device: DeviceId) -> Vec<Arc<Live>> {
        let mut jobs: Vec<_> = self.jobs().values().filter(|live| live.device() == device).cloned().collect();
        jobs.sort_by_key(|live| live.id);
        jobs
    }

    /// Takes up a job; if it is there already, that one stays.
    fn adopt(&self, kept: Kept<Job>) -> Arc<Live> {
        let live = Live::new(kept);
        if live.view().job.is_over() {
            return live;
        }
        let mut jobs = self.jobs();
        let live = jobs.entry(live.id).or_insert(live).clone();
        metrics::gauge!("layerlock_jobs_open").set(jobs.len() as f64);
        live
    }

    fn dismiss(&self, id: JobId) {
        let mut jobs = self.jobs();
        jobs.remove(&id);
        metrics::gauge!("layerlock_jobs_open").set(jobs.len() as f64);
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Live>>> {
        self.jobs.lock().expect("no code panics while it holds the desk")
    }
}

impl Live {
    fn new(kept: Kept<Job>) -> Arc<Self> {
        let job = Arc::new(kept.value);
        let view = View { job: job.clone(), progress: Progress::default() };
        Arc::new(Self {
            id: job.order().job(),
            state: tokio::sync::Mutex::new(Kept { value: job, revision: kept.revision }),
            view: watch::Sender::new(view),
            envelope: Mutex::default(),
            pressing: Mutex::default(),
        })
    }

    /// What may be seen of it now.
    pub(crate) fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// What may be seen of it, now and after every change.
    pub(crate) fn watch(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// The device it is for.
    pub(crate) fn device(&self) -> DeviceId {
        self.view.borrow().job.order().device()
    }

    /// Shows how far pressing has come.
    pub(crate) fn show(&self, progress: Progress) {
        self.view.send_modify(|view| view.progress = progress);
    }

    /// Its envelope, once pressing has begun.
    pub(crate) fn envelope(&self) -> Option<Arc<Envelope>> {
        self.envelope.lock().expect("no code panics while it holds the envelope").clone()
    }

    /// Puts an envelope in place; who follows the one before learns that it was given up.
    pub(crate) fn set_envelope(&self, envelope: Option<Arc<Envelope>>) {
        let mut place = self.envelope.lock().expect("no code panics while it holds the envelope");
        if let Some(old) = std::mem::replace(&mut *place, envelope) {
            old.abandon();
        }
    }

    /// Remembers the task that presses it.
    pub(crate) fn set_pressing(&self, task: Option<AbortHandle>) {
        *self.pressing.lock().expect("no code panics while it holds the task") = task;
    }

    fn stop_pressing(&self) {
        if let Some(task) = self.pressing.lock().expect("no code panics while it holds the task").take() {
            task.abort();
        }
    }
}

impl Job {
    /// Whether nothing will happen to it any more.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Settled(_) | Self::Refused(_))
    }
}

impl Vault {
    /// The job of this id, live or, when it is over, from its record.
    ///
    /// # Errors
    /// When the store does not answer, or the record is damaged.
    pub(crate) async fn find_job(&self, id: JobId) -> Result<Option<Arc<Live>>, Refusal> {
        if let Some(live) = self.desk.jobs().get(&id) {
            return Ok(Some(live.clone()));
        }
        Ok(self.records.job(id, self.signers()).await?.map(Live::new))
    }

    /// Takes a job up from its record at the start.
    pub(crate) async fn take_up_job(&self, id: JobId) -> Result<Option<Arc<Live>>, Refusal> {
        let kept = self.records.job(id, self.signers()).await?;
        Ok(kept.map(|kept| self.desk.adopt(kept)))
    }

    /// Keeps a job that is new. When it is there already, that one is the answer.
    pub(crate) async fn open_job(&self, job: Job) -> Result<Arc<Live>, Refusal> {
        let _opening = self.desk.opening.lock().await;
        if let Some(live) = self.find_job(job.order().job()).await? {
            return Ok(live);
        }
        let revision = self.records.keep_job(&job, Expect::Absent).await?;
        Ok(self.desk.adopt(Kept { value: job, revision }))
    }

    /// Takes a job one step further: durable first, then visible, then the effects.
    ///
    /// # Errors
    /// What the step refuses, or the store; the job is then as it was.
    pub(crate) async fn advance(
        self: &Arc<Self>,
        live: &Arc<Live>,
        event: Event,
    ) -> Result<Advanced, Refusal> {
        let mut state = live.state.lock().await;
        let Step { next, effects } = Job::clone(&state.value).step(event, self.clock.now())?;
        let revision = self.records.keep_job(&next, Expect::At(state.revision)).await?;
        // If we crash here, recovery finds the next state and does its effects.
        let before = state.value.state();
        let job = Arc::new(next);
        *state = Kept { value: job.clone(), revision };
        tracing::info!(job = %live.id, from = before, to = job.state(), "job");
        metrics::counter!("layerlock_jobs_total", "state" => job.state()).increment(1);
        live.view.send_modify(|view| view.job = job.clone());
        if job.is_over() {
            self.desk.dismiss(live.id);
        }
        let release =
            effects.into_iter().fold(None, |release, effect| self.perform(live, effect).or(release));
        self.desk.note_change(live.device());
        Ok(Advanced { job, release })
    }

    /// Does what a state asks for; what only the device's session can do is handed back.
    pub(crate) fn perform(self: &Arc<Self>, live: &Arc<Live>, effect: Effect) -> Option<(Window, u32)> {
        match effect {
            Effect::Press => self.start_pressing(live),
            // Sessions look at every change.
            Effect::Offer => {}
            Effect::Release(window, layers) => return Some((window, layers)),
            Effect::StopPressing => live.stop_pressing(),
            Effect::Settle => self.start_settling(live),
            Effect::Discard => self.discard_envelope(live),
        }
        None
    }

    fn discard_envelope(&self, live: &Arc<Live>) {
        live.set_envelope(None);
        // A failure costs space only: the next start sweeps what belongs to no running job.
        if let Err(error) = self.envelopes.discard(live.id) {
            tracing::warn!(job = %live.id, %error, "an envelope could not be removed");
        }
    }
}
