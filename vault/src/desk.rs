//! The desk: the jobs this process has at hand, each behind one lock, stepped by events, durable before it shows.
//!
//! `advance` is the only way a job changes: step (pure) → commit by compare-and-swap → publish → effects. Other
//! processes step the same jobs: a step that was decided on what is old news is decided again on what the store has.
//! If we crash before the commit, nothing happened; if after, whoever works next does what the state asks for (`pull`).
//! Deliberately absent: what the effects do (`press`, `settle`, `session`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use layerlock_proto::trace::Heritage;
use layerlock_seal::toolpath::header_hash;
use layerlock_store::{CommitError, Expect, Revision};
use layerlock_terms::ids::{DeviceId, JobId};
use layerlock_terms::units::Millis;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::Vault;
use crate::envelope::{Envelope, Found};
use crate::job::{Effect, Event, Job, Step};
use crate::records::{Kept, Work};
use crate::refusal::Refusal;
use crate::release::Window;

/// The jobs at hand.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    jobs: Mutex<HashMap<JobId, Arc<Live>>>,
    /// Counts what each kind of work was asked for here, so that whoever does it looks at once.
    asked: [watch::Sender<u64>; Work::ALL.len()],
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
    /// Where whoever made its last step here stood: what is done for it belongs there.
    heritage: Mutex<Heritage>,
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
    /// How many percent another engine says it has done, before a layer of its is read.
    pub(crate) engine: Option<u8>,
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

    /// Wakes whenever this work is asked for.
    pub(crate) fn asked(&self, work: Work) -> watch::Receiver<u64> {
        self.asked[work as usize].subscribe()
    }

    /// Has whoever does this work look for it.
    pub(crate) fn ask(&self, work: Work) {
        self.asked[work as usize].send_modify(|count| *count += 1);
    }

    /// Whether this device has, or had a moment ago, its session here.
    pub(crate) fn serves(&self, device: DeviceId) -> bool {
        self.changes.lock().expect("no code panics while it holds the changes").contains_key(&device)
    }

    /// The devices whose session is here.
    pub(crate) fn devices(&self) -> Vec<DeviceId> {
        self.changes.lock().expect("no code panics while it holds the changes").keys().copied().collect()
    }

    /// The job of this id, if it is at hand.
    pub(crate) fn find(&self, id: JobId) -> Option<Arc<Live>> {
        self.jobs().get(&id).cloned()
    }

    /// Puts away what nobody here works on, waits for or watches; the records have it.
    pub(crate) fn put_away(&self) {
        let mut jobs = self.jobs();
        jobs.retain(|_, live| Arc::strong_count(live) > 1);
        metrics::gauge!("layerlock_jobs_open").set(jobs.len() as f64);
    }

    /// All jobs at hand.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.jobs().values().cloned().collect()
    }

    /// The jobs of a device at hand.
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
            heritage: Mutex::default(),
        })
    }

    /// Where whoever made its last step here stood.
    pub(crate) fn heritage(&self) -> Heritage {
        self.heritage.lock().expect("no code panics while it holds the heritage").clone()
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
    /// The job of this id, at hand from now on unless it is over.
    ///
    /// # Errors
    /// When the store does not answer, or the record is damaged.
    pub(crate) async fn find_job(self: &Arc<Self>, id: JobId) -> Result<Option<Arc<Live>>, Refusal> {
        if let Some(live) = self.desk.find(id) {
            return Ok(Some(live));
        }
        let Some(kept) = self.records.job(id, self.signers()).await? else { return Ok(None) };
        let live = self.desk.adopt(kept);
        // A step that was made elsewhere while it was not at hand yet was told to nobody here.
        self.refresh(&live).await?;
        self.find_envelope(&live).await;
        Ok(Some(live))
    }

    /// Takes up the jobs of a device that has come.
    pub(crate) async fn take_up_jobs_of(self: &Arc<Self>, device: DeviceId) -> Result<(), Refusal> {
        for id in self.records.open_jobs_of(device).await? {
            self.take_up(id).await;
        }
        Ok(())
    }

    /// Takes up a job; one whose record is damaged is left out and named, the rest is served (V4).
    pub(crate) async fn take_up(self: &Arc<Self>, id: JobId) -> Option<Arc<Live>> {
        match self.find_job(id).await {
            Ok(live) => live,
            Err(refusal) => {
                tracing::error!(job = %id, %refusal, "a job is left out");
                None
            }
        }
    }

    /// Keeps a job that is new. When it is there already, that one is the answer.
    pub(crate) async fn open_job(self: &Arc<Self>, job: Job) -> Result<Arc<Live>, Refusal> {
        let _opening = self.desk.opening.lock().await;
        let id = job.order().job();
        if let Some(live) = self.find_job(id).await? {
            return Ok(live);
        }
        match self.records.keep_job(None, &job, Expect::Absent).await {
            Ok(revision) => Ok(self.desk.adopt(Kept { value: job, revision })),
            // The same request at another process was faster.
            Err(error @ CommitError::Conflict { .. }) => self.find_job(id).await?.ok_or(error.into()),
            Err(error) => Err(error.into()),
        }
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
        let (next, effects, revision) = loop {
            match self.try_step(&state, event.clone()).await {
                Ok(stepped) => break stepped,
                Err(refusal) if !self.reload(live, &mut state).await? => return Err(refusal),
                Err(_) => {}
            }
        };
        // If we crash here, whoever comes next finds the next state and does its effects.
        let before = state.value.state();
        let job = Arc::new(next);
        *state = Kept { value: job.clone(), revision };
        tracing::info!(job = %live.id, from = before, to = job.state(), "job");
        metrics::counter!("layerlock_jobs_total", "state" => job.state()).increment(1);
        *live.heritage.lock().expect("no code panics while it holds the heritage") = Heritage::here();
        live.view.send_modify(|view| view.job = job.clone());
        if job.is_over() {
            self.desk.dismiss(live.id);
        }
        let mut release = None;
        for effect in effects {
            release = self.perform(live, effect).await.or(release);
        }
        self.desk.note_change(live.device());
        Ok(Advanced { job, release })
    }

    async fn try_step(
        &self,
        state: &Kept<Arc<Job>>,
        event: Event,
    ) -> Result<(Job, Vec<Effect>, Revision), Refusal> {
        let Step { next, effects } = Job::clone(&state.value).step(event, self.clock.now())?;
        let kept = self.records.keep_job(Some(&state.value), &next, Expect::At(state.revision)).await;
        Ok((next, effects, kept?))
    }

    /// Takes over what another process did to a job, if it did anything.
    pub(crate) async fn refresh(self: &Arc<Self>, live: &Arc<Live>) -> Result<(), Refusal> {
        let mut state = live.state.lock().await;
        self.reload(live, &mut state).await.map(drop)
    }

    /// As [`Vault::refresh`], but only if this revision is news; a step that is being made here finds out by itself.
    pub(crate) async fn refresh_to(
        self: &Arc<Self>,
        live: &Arc<Live>,
        revision: Revision,
    ) -> Result<(), Refusal> {
        let Ok(mut state) = live.state.try_lock() else { return Ok(()) };
        if state.revision >= revision {
            return Ok(());
        }
        self.reload(live, &mut state).await.map(drop)
    }

    /// Whether the store has another state than the one at hand, which it then is.
    async fn reload(self: &Arc<Self>, live: &Arc<Live>, state: &mut Kept<Arc<Job>>) -> Result<bool, Refusal> {
        let Some(kept) = self.records.job(live.id, self.signers()).await? else { return Ok(false) };
        if kept.revision == state.revision {
            return Ok(false);
        }
        let job = Arc::new(kept.value);
        tracing::debug!(job = %live.id, from = state.value.state(), to = job.state(), "another process");
        *state = Kept { value: job.clone(), revision: kept.revision };
        live.view.send_modify(|view| view.job = job.clone());
        let header = job.slicing().map(|slicing| header_hash(slicing.header.statement()));
        if header.is_none() {
            live.stop_pressing();
        }
        // One that was begun before is no envelope of this job any more.
        if live.envelope().is_some_and(|envelope| header != Some(envelope.header())) {
            live.set_envelope(None);
        }
        if job.is_over() {
            self.desk.dismiss(live.id);
        }
        self.find_envelope(live).await;
        self.desk.note_change(live.device());
        Ok(true)
    }

    /// Does what a step asks for at once; what only the device's session can do is handed back, and what takes longer is
    /// in the records for whoever is free.
    async fn perform(self: &Arc<Self>, live: &Arc<Live>, effect: Effect) -> Option<(Window, u32)> {
        match effect {
            Effect::Press => self.desk.ask(Work::Press),
            Effect::Settle => self.desk.ask(Work::Settle),
            // Sessions look at every change.
            Effect::Offer => {}
            Effect::Release(window, layers) => return Some((window, layers)),
            Effect::StopPressing => live.stop_pressing(),
            Effect::Discard => self.discard_envelope(live).await,
        }
        None
    }

    /// Has the envelope of a job at hand, as far as it has come; a sealed job whose envelope is lost is withdrawn.
    pub(crate) async fn find_envelope(self: &Arc<Self>, live: &Arc<Live>) {
        match self.envelopes.find(&live.view().job, live.envelope()).await {
            Ok(Found::Nothing) => {}
            Ok(Found::Grown(progress)) => live.show(progress),
            Ok(Found::Envelope(envelope, progress)) => {
                live.set_envelope(Some(envelope));
                live.show(progress);
                self.desk.note_change(live.device());
            }
            Err(refusal) => {
                tracing::error!(job = %live.id, %refusal, "an envelope is lost");
                let (vault, live) = (self.clone(), live.clone());
                tokio::spawn(async move { vault.give_up(&live, refusal).await });
            }
        }
    }

    async fn discard_envelope(&self, live: &Arc<Live>) {
        live.set_envelope(None);
        // A failure costs space only: the next start sweeps what belongs to no running job.
        if let Err(refusal) = self.envelopes.discard(live.id).await {
            tracing::warn!(job = %live.id, %refusal, "an envelope could not be removed");
        }
    }
}
