//! Serving: the shell that performs what the session machine decides, from the first offer to the ledger entry.
//!
//! One loop listens to the link and to whoever may stop it; everything that arrives becomes an event of
//! [`Session::step`], whose effects are performed in their order. Messages about a job that isn't the running
//! one are let go by: the vault says everything again in the next session. Deliberately absent: decisions
//! about what may be printed (`check`) and about what a line may do (`guard`).

mod report;

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;

use async_trait::async_trait;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as Outgoing;
use layerlock_proto::vault::v1::vault_message::Message as Incoming;
use layerlock_seal::toolpath::{EpochSecret, WrappedEpoch};
use layerlock_terms::digest::Digest;
use layerlock_terms::machine::Machine;

pub use report::{DeviceError, Notice, PrintReport};

use crate::Device;
use crate::check::{Cleared, Examination, Offer, Refusal};
use crate::journal::Entry;
use crate::ledger;
use crate::link::{Link, LinkError, LinkEvent};
use crate::print::Failure;
use crate::printer::simulated::Record;
use crate::printer::{LinkStats, Printer, PrinterError, PrinterTarget};
use crate::receipt;
use crate::session::{Effect, Event, Session, Step};
use crate::spool::{self, Spool};

/// Attempts in a row after which a single job is given up; whoever serves for good tries for ever.
const ATTEMPTS: u32 = 20;
/// Offers kept while a job runs.
const WAITING: usize = 16;
/// Keys kept for epochs that are not reached yet.
const KEYS: usize = 4096;

/// How long to serve.
pub enum Until {
    /// Until one job is over and in the ledger.
    OneJob,
    /// Until this is ready; a print in motion is then stopped and reported as cancelled.
    Stopped(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// Opens the machine for one job.
#[async_trait]
pub(crate) trait Berth: Send + Sync {
    /// A machine that answers.
    async fn dock(&self, machine: &Machine) -> Result<Box<dyn Printer>, PrinterError>;
}

#[async_trait]
impl Berth for PrinterTarget {
    async fn dock(&self, machine: &Machine) -> Result<Box<dyn Printer>, PrinterError> {
        self.connect(machine).await.map(|(printer, _)| printer)
    }
}

/// When to stop, asked as often as anyone likes.
pub(crate) struct StopSign {
    sign: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    scope: Scope,
    asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    OneJob,
    ForGood,
}

impl StopSign {
    fn of(until: Until) -> Self {
        match until {
            Until::OneJob => Self { sign: None, scope: Scope::OneJob, asked: false },
            Until::Stopped(sign) => Self { sign: Some(sign), scope: Scope::ForGood, asked: false },
        }
    }

    /// Ready once somebody wants to stop. Cancel-safe.
    pub(crate) async fn asked(&mut self) {
        if self.asked {
            return;
        }
        match &mut self.sign {
            Some(sign) => sign.as_mut().await,
            None => std::future::pending().await,
        }
        self.asked = true;
    }
}

/// One run of serving.
pub(crate) struct Shift<'a> {
    device: &'a mut Device,
    pub(crate) link: Link,
    berth: &'a dyn Berth,
    watch: &'a mut (dyn FnMut(Notice<'_>) + Send),
    pub(crate) stop: StopSign,
    session: Session,
    work: Option<Work>,
    /// Set by the effect that begins motion, taken by the loop.
    go: Option<Box<Cleared>>,
    waiting: VecDeque<wire::JobOffer>,
    /// What ends a print in motion.
    pub(crate) interrupt: Option<Failure>,
    fatal: Option<LinkError>,
    /// Why a job that an earlier run left failed.
    inherited: Option<Failure>,
    report: Option<PrintReport>,
}

/// What belongs to the running job but not to its state.
struct Work {
    spool: Spool,
    /// Until the envelope is whole.
    examination: Option<Examination>,
    /// From preflight to the first move.
    printer: Option<Box<dyn Printer>>,
    keys: BTreeMap<u32, WrappedEpoch>,
    of: Option<u32>,
    link: LinkStats,
    record: Option<Record>,
    failure: Option<Failure>,
}

impl<'a> Shift<'a> {
    /// Serves until told otherwise; gives the last job's report.
    pub(crate) async fn serve(
        device: &'a mut Device,
        vault: tonic::transport::Channel,
        berth: &'a dyn Berth,
        watch: &'a mut (dyn FnMut(Notice<'_>) + Send),
        until: Until,
    ) -> Result<Option<PrintReport>, DeviceError> {
        let floor = device.time.now();
        let link = Link::open(vault, device.identity.clone(), floor);
        let Step { next, effects } = Session::recover(device.journal.memory(), floor);
        let mut shift = Self {
            device,
            link,
            berth,
            watch,
            stop: StopSign::of(until),
            session: next,
            work: None,
            go: None,
            waiting: VecDeque::new(),
            interrupt: None,
            fatal: None,
            inherited: None,
            report: None,
        };
        shift.take_up(effects).await?;
        shift.run().await
    }

    async fn run(&mut self) -> Result<Option<PrintReport>, DeviceError> {
        loop {
            if let Some(cleared) = self.go.take() {
                self.print(*cleared).await?;
            }
            if let Some(error) = self.fatal.take() {
                return Err(DeviceError::Link(error));
            }
            if self.stop.scope == Scope::OneJob && self.report.is_some() {
                return Ok(self.report.take());
            }
            self.consider_waiting().await?;
            let event = tokio::select! {
                biased;
                () = self.stop.asked() => return Ok(self.report.take()),
                event = self.link.next() => event,
            };
            self.on_link(event).await?;
        }
    }

    /// Takes up what an earlier run left: its owed effects, then the stored segments, checked again.
    async fn take_up(&mut self, owed: Vec<Effect>) -> Result<(), DeviceError> {
        let down = !owed.is_empty();
        for effect in owed {
            self.perform(effect).await?;
        }
        let (Session::Fetching(_), Some(job)) = (&self.session, self.session.job()) else {
            self.inherited = down.then_some(Failure::WentDown);
            return Ok(());
        };
        let found = Spool::find(&self.device.home, job.id).map_err(DeviceError::Spool)?;
        let Some(found) = found else { return self.step(Event::Unfit).await };
        let begun = Examination::begin(&found.offer, &self.device.standing());
        let mut work = Work::new(found.spool);
        match begun {
            Ok(examination) => work.examination = Some(examination),
            Err(refusal) => {
                self.work = Some(work);
                return self.refuse(Failure::Refused(refusal)).await;
            }
        }
        let stored = work.check_again().map_err(DeviceError::Spool)?;
        self.work = Some(work);
        self.step(Event::Stored(stored)).await?;
        match found.manifest {
            Some(manifest) => self.on_manifest_bytes(&manifest).await,
            None => Ok(()),
        }
    }

    /// One step of the session and its effects, in order.
    pub(crate) async fn step(&mut self, event: Event) -> Result<(), DeviceError> {
        let now = self.device.time.now();
        let session = std::mem::replace(&mut self.session, Session::Idle(crate::session::Idle));
        match session.step(event, now) {
            Ok(Step { next, effects }) => {
                self.session = next;
                for effect in effects {
                    self.perform(effect).await?;
                }
            }
            Err(misplaced) => {
                tracing::warn!(%misplaced, "let go by");
                self.session = misplaced.session;
            }
        }
        Ok(())
    }

    async fn perform(&mut self, effect: Effect) -> Result<(), DeviceError> {
        match effect {
            Effect::Record(entry) => self.record(entry)?,
            Effect::Attest { event, at } => {
                let active = self.device.journal.memory().active();
                let active = active.expect("a receipt is about the running job, which the journal holds");
                let identity = &self.device.identity;
                let receipt = receipt::attest(identity.keys(), identity.device(), active, event, at);
                self.record(Entry::Attested(receipt.clone()))?;
                self.link.send(Outgoing::Receipt(receipt.emit())).await;
            }
            Effect::Resend => {
                let active = self.device.journal.memory().active();
                let receipts: Vec<_> = active.iter().flat_map(|a| a.receipts()).map(|r| r.emit()).collect();
                for receipt in receipts {
                    self.link.send(Outgoing::Receipt(receipt)).await;
                }
            }
            Effect::Fetch { job, from } => {
                let fetch = wire::Fetch { job: job.to_string(), from_segment: from };
                self.link.send(Outgoing::Fetch(fetch)).await;
            }
            Effect::Move(cleared) => self.go = Some(cleared),
            Effect::Clear => spool::clear(&self.device.home).map_err(DeviceError::Spool)?,
        }
        Ok(())
    }

    fn record(&mut self, entry: Entry) -> Result<(), DeviceError> {
        let recorded = self.device.journal.record(entry);
        recorded.map_err(|error| {
            self.session = Session::Halted(crate::session::Halted { why: crate::session::Why::Journal });
            DeviceError::Journal(error)
        })
    }

    pub(crate) async fn on_link(&mut self, event: LinkEvent) -> Result<(), DeviceError> {
        match event {
            LinkEvent::Asks(answer) => {
                let counter = self.device.journal.memory().counter() + 1;
                self.record(Entry::Session { counter })?;
                // A link that doesn't wait any more has lost its stream; a counter may be left out.
                let _ = answer.send(counter);
                Ok(())
            }
            LinkEvent::Up { now, certificate, .. } => {
                let floor = self.device.time.hear(now);
                if floor > self.device.journal.memory().floor() {
                    self.record(Entry::Time(floor))?;
                }
                // The link verified it; from here on this vault's headers are believed too.
                self.device.anchors.vouch(&certificate, floor).map_err(DeviceError::Trust)?;
                self.tell(Notice::LinkUp);
                self.step(Event::LinkUp).await
            }
            LinkEvent::Down { attempts, status } => self.on_down(attempts, status),
            LinkEvent::Message(message) => self.on_message(message).await,
            LinkEvent::Fatal(error) => {
                if matches!(self.session, Session::Printing(_) | Session::Paused(_)) {
                    self.interrupt = Some(Failure::Link(error.clone()));
                } else {
                    self.step(Event::Broken(error.why())).await?;
                }
                self.fatal = Some(error);
                Ok(())
            }
        }
    }

    fn on_down(&mut self, attempts: u32, status: tonic::Status) -> Result<(), DeviceError> {
        self.tell(Notice::LinkLost { attempts, why: status.message() });
        // A machine in motion goes on as far as its keys reach; only the waiting is bounded.
        let moving = matches!(self.session, Session::Printing(_) | Session::Paused(_));
        if self.stop.scope == Scope::OneJob && attempts >= ATTEMPTS && !moving {
            return Err(DeviceError::Unreachable { attempts, status: Box::new(status) });
        }
        Ok(())
    }

    async fn on_message(&mut self, message: Incoming) -> Result<(), DeviceError> {
        match message {
            Incoming::Offer(offer) => self.on_offer(offer).await,
            Incoming::Segment(segment) if self.is_running(&segment.job) => self.on_segment(segment).await,
            Incoming::Manifest(manifest) if self.is_running(&manifest.job) => {
                self.on_manifest_bytes(&manifest.manifest).await
            }
            Incoming::Key(key) if self.is_running(&key.job) => self.on_key(&key).await,
            Incoming::Settled(settled) if self.is_running(&settled.job) => self.on_settled(settled).await,
            Incoming::Ended(ended) => self.on_ended(ended).await,
            Incoming::Segment(_)
            | Incoming::Manifest(_)
            | Incoming::Key(_)
            | Incoming::Settled(_)
            | Incoming::Challenge(_)
            | Incoming::Welcome(_) => {
                tracing::debug!("a message about no running job was let go by");
                Ok(())
            }
        }
    }

    fn is_running(&self, job: &str) -> bool {
        self.session.job().is_some_and(|running| running.id.to_string() == job)
    }

    async fn on_offer(&mut self, offer: wire::JobOffer) -> Result<(), DeviceError> {
        match self.session {
            Session::Idle(_) => self.consider(&offer).await,
            Session::Fetching(_) if self.is_running(&offer.job) => self.consider_again(&offer).await,
            Session::Fetching(_)
            | Session::Unenrolled(_)
            | Session::Checked(_)
            | Session::Printing(_)
            | Session::Paused(_)
            | Session::Reporting(_)
            | Session::Halted(_) => {
                let known = self.waiting.iter().any(|waiting| waiting.job == offer.job);
                if !known && !self.is_running(&offer.job) && self.waiting.len() < WAITING {
                    self.waiting.push_back(offer);
                }
                Ok(())
            }
        }
    }

    async fn consider_waiting(&mut self) -> Result<(), DeviceError> {
        while matches!(self.session, Session::Idle(_)) {
            let Some(offer) = self.waiting.pop_front() else { break };
            self.consider(&offer).await?;
        }
        Ok(())
    }

    /// Everything that is checked before the first segment; then the job is spent here, then it is fetched.
    async fn consider(&mut self, offer: &wire::JobOffer) -> Result<(), DeviceError> {
        let begun = Offer::parse(&offer.header, &offer.license, &offer.hold)
            .and_then(|parsed| Ok((Examination::begin(&parsed, &self.device.standing())?, parsed)));
        let (examination, parsed) = match begun {
            Ok(begun) => begun,
            Err(refusal) => return self.decline(refusal),
        };
        let job = examination.job();
        self.tell(Notice::Offered { job: job.id });
        // If we crash after this and before the journal's entry, the next job's spool takes its place.
        let spool = Spool::begin(&self.device.home, job.id, &parsed).map_err(DeviceError::Spool)?;
        self.work = Some(Work { examination: Some(examination), ..Work::new(spool) });
        self.step(Event::Offered(job)).await
    }

    /// An offer of the job that is being fetched: the same envelope again, or one pressed anew.
    async fn consider_again(&mut self, offer: &wire::JobOffer) -> Result<(), DeviceError> {
        let running = self.session.job().map(|job| job.header);
        let header = Offer::parse(&offer.header, &offer.license, &offer.hold).map(|o| o.header.digest());
        match header {
            Ok(header) if Some(header) == running => Ok(()),
            Ok(_) => self.consider(offer).await,
            Err(refusal) => self.decline(refusal),
        }
    }

    /// Refuses an offer nobody rightly made to this device: there is no hold of ours to answer for.
    fn decline(&mut self, refusal: Refusal) -> Result<(), DeviceError> {
        self.tell(Notice::Refused(&refusal));
        match self.stop.scope {
            Scope::OneJob => Err(DeviceError::Refused(refusal)),
            Scope::ForGood => Ok(()),
        }
    }

    async fn on_segment(&mut self, sealed: wire::SealedSegment) -> Result<(), DeviceError> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let Some(examination) = &mut work.examination else { return Ok(()) };
        if let Err(refusal) = examination.segment(&sealed.segment) {
            return self.refuse(Failure::Refused(refusal)).await;
        }
        work.spool.append(&sealed.segment).map_err(DeviceError::Spool)?;
        let (stored, of) = (work.spool.segments(), work.of);
        self.tell(Notice::Segments { stored, of });
        self.step(Event::Stored(stored)).await
    }

    async fn on_manifest_bytes(&mut self, manifest: &[u8]) -> Result<(), DeviceError> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let Some(examination) = work.examination.take() else { return Ok(()) };
        let cleared = match examination.finish(manifest) {
            Ok(cleared) => cleared,
            Err(refusal) => return self.refuse(Failure::Refused(refusal)).await,
        };
        work.spool.keep_manifest(manifest).map_err(DeviceError::Spool)?;
        work.of = Some(cleared.envelope().manifest().segments);
        // Preflight: a machine that doesn't answer is found out before a single key is asked for.
        match self.berth.dock(self.device.identity.machine()).await {
            Ok(printer) => work.printer = Some(printer),
            Err(error) => return self.refuse(Failure::Printer(error)).await,
        }
        self.tell(Notice::Checked(&cleared));
        self.step(Event::Cleared(Box::new(cleared))).await
    }

    async fn on_key(&mut self, key: &wire::EpochKey) -> Result<(), DeviceError> {
        let refusal = Refusal::CannotUnwrap { epoch: key.epoch };
        let Some(wrapped) = parse_key(key) else { return self.refuse_key(refusal).await };
        let Some(work) = &mut self.work else { return Ok(()) };
        if work.keys.len() < KEYS {
            work.keys.insert(key.epoch, wrapped);
        }
        let Session::Checked(state) = &self.session else { return Ok(()) };
        let header = *state.cleared().envelope().header_hash();
        match self.unwrap_key(0, &header) {
            Ok(Some(_)) => self.step(Event::KeyHeld).await,
            Ok(None) => Ok(()),
            Err(_) => self.refuse_key(refusal).await,
        }
    }

    async fn refuse_key(&mut self, refusal: Refusal) -> Result<(), DeviceError> {
        match self.session {
            Session::Printing(_) | Session::Paused(_) => {
                self.interrupt = Some(Failure::Refused(refusal));
                Ok(())
            }
            Session::Checked(_) => self.refuse(Failure::Refused(refusal)).await,
            Session::Unenrolled(_)
            | Session::Idle(_)
            | Session::Fetching(_)
            | Session::Reporting(_)
            | Session::Halted(_) => Ok(()),
        }
    }

    /// The secret of an epoch whose key has come, and forgets those before it.
    pub(crate) fn unwrap_key(&mut self, epoch: u32, header: &Digest) -> Result<Option<EpochSecret>, Refusal> {
        let Some(work) = &mut self.work else { return Ok(None) };
        work.keys = work.keys.split_off(&epoch);
        let Some(wrapped) = work.keys.get(&epoch) else { return Ok(None) };
        let opened = self.device.identity.keys().open.open_epoch(wrapped, header);
        opened.map(Some).map_err(|_| Refusal::CannotUnwrap { epoch })
    }

    async fn on_settled(&mut self, settled: wire::Settled) -> Result<(), DeviceError> {
        let (Some(entry), Some(job)) = (settled.entry, self.session.job()) else { return Ok(()) };
        let seen = self.device.journal.memory().head();
        let now = self.device.time.now();
        let entered = match ledger::verify(&entry, job, &self.device.anchors, seen, now) {
            Ok(entered) => entered,
            Err(error) => {
                self.step(Event::Broken(crate::session::Why::Distrust)).await?;
                return Err(DeviceError::Ledger(error));
            }
        };
        self.tell(Notice::Settled(&entered));
        let head = entered.head;
        self.close(Some(entered));
        self.step(Event::Settled(head)).await
    }

    async fn on_ended(&mut self, ended: wire::JobEnded) -> Result<(), DeviceError> {
        self.waiting.retain(|offer| offer.job != ended.job);
        if !self.is_running(&ended.job) {
            return Ok(());
        }
        if matches!(self.session, Session::Printing(_) | Session::Paused(_)) {
            self.interrupt = Some(Failure::Withdrawn(ended.reason));
            return Ok(());
        }
        self.note_failure(Some(Failure::Withdrawn(ended.reason)));
        self.close(None);
        self.step(Event::Withdrawn).await
    }

    /// Refuses the running job before any motion.
    async fn refuse(&mut self, failure: Failure) -> Result<(), DeviceError> {
        if let Failure::Refused(refusal) = &failure {
            self.tell(Notice::Refused(refusal));
        }
        self.note_failure(Some(failure));
        self.step(Event::Unfit).await
    }

    pub(crate) fn tell(&mut self, notice: Notice<'_>) {
        (self.watch)(notice);
    }

    pub(crate) fn machine(&self) -> &'static Machine {
        self.device.identity.machine()
    }

    /// The machine that answered in preflight.
    pub(crate) fn take_printer(&mut self) -> Box<dyn Printer> {
        let printer = self.work.as_mut().and_then(|work| work.printer.take());
        printer.expect("motion begins from Checked, which preflight leaves with a machine")
    }

    /// One stored segment of the running job.
    pub(crate) fn stored(&self, index: u32) -> std::io::Result<Vec<u8>> {
        let work = self.work.as_ref().ok_or(std::io::ErrorKind::NotFound)?;
        work.spool.segment(index)
    }

    pub(crate) fn note_machine(&mut self, link: LinkStats, record: Option<Record>) {
        if let Some(work) = &mut self.work {
            (work.link, work.record) = (link, record);
        }
    }

    /// Keeps the first reason: what follows from it is no reason.
    pub(crate) fn note_failure(&mut self, failure: Option<Failure>) {
        if let Some(work) = &mut self.work {
            work.failure = work.failure.take().or(failure);
        }
    }

    /// Writes the job's report, from what the journal holds.
    fn close(&mut self, entry: Option<ledger::Entered>) {
        let Some(active) = self.device.journal.memory().active() else { return };
        let work = self.work.take();
        let mut report = PrintReport::of(active, work, entry);
        report.failure = report.failure.or(self.inherited.take());
        (self.watch)(Notice::Over(self.report.insert(report)));
    }
}

impl Work {
    fn new(spool: Spool) -> Self {
        Self {
            spool,
            examination: None,
            printer: None,
            keys: BTreeMap::new(),
            of: None,
            link: LinkStats::default(),
            record: None,
            failure: None,
        }
    }

    /// Checks what an earlier run stored; keeps it up to the first segment that doesn't hold.
    fn check_again(&mut self) -> std::io::Result<u32> {
        let Some(examination) = &mut self.examination else { return Ok(0) };
        for index in 0..self.spool.segments() {
            if examination.segment(&self.spool.segment(index)?).is_err() {
                self.spool.cut(index)?;
                break;
            }
        }
        Ok(self.spool.segments())
    }
}

fn parse_key(key: &wire::EpochKey) -> Option<WrappedEpoch> {
    WrappedEpoch::parse(&[&key.epoch.to_be_bytes(), &key.encapsulated[..], &key.wrapped].concat()).ok()
}

#[cfg(test)]
mod tests;
