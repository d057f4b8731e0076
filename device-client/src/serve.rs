//! Serving: the shell that performs what the session machine decides, from the first offer to the ledger entry.
//!
//! One loop listens to the link and to whoever may stop it; everything that arrives becomes an event of
//! [`Session::step`], whose effects are performed in their order. Messages about a job that isn't the running
//! one are let go by: the vault says everything again in the next session. Deliberately absent: decisions
//! about what may be printed (`check`) and about what a line may do (`guard`).

mod hear;
mod report;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use layerlock_proto::vault::v1::device_message::Message as Outgoing;
use layerlock_seal::statement::Verified;
use layerlock_terms::envelope::{EPOCH_LIMIT, EnvelopeHeader};
use layerlock_terms::machine::Machine;
use layerlock_terms::release::KeyRelease;

pub use report::{DeviceError, Notice, PrintReport};

use crate::Device;
use crate::check::{Cleared, Examination, Offer};
use crate::hand::Wish;
use crate::journal::{Entry, Motion};
use crate::ledger;
use crate::link::{Link, LinkError};
use crate::preflight::{Bed, OwnersWord, Unready};
use crate::print::Failure;
use crate::printer::simulated::Record;
use crate::printer::tap::Tap;
use crate::printer::{LinkStats, Printer, PrinterError, PrinterTarget, Temperatures};
use crate::receipt;
use crate::session::{Effect, Event, Session, Step};
use crate::spool::{self, Spool};
use crate::waiting::Waiting;

/// Attempts in a row after which a single job is given up; whoever serves for good tries for ever.
const ATTEMPTS: u32 = 20;
/// Pause between two looks whether the machine's owner has mended what a job waits for.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Keys kept for epochs that are not reached yet.
const KEYS: usize = EPOCH_LIMIT as usize;

/// How long to serve.
pub enum Until {
    /// Until one job is over and in the ledger.
    OneJob,
    /// Until this is ready; a print in motion is then stopped and reported as cancelled.
    Stopped(Sign),
    /// Until either.
    OneJobOrStopped(Sign),
}

/// Ready once somebody wants serving to end.
pub type Sign = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Opens the machine for one job.
#[async_trait]
pub(crate) trait Berth: Send + Sync {
    /// A machine that answers.
    async fn dock(&self, machine: &Machine) -> Result<Box<dyn Printer>, PrinterError>;

    /// Turns off what an earlier run left in mid-print, where there is something to turn off.
    async fn cool(&self, _machine: &Machine) -> Result<(), PrinterError> {
        Ok(())
    }

    /// Whether what was printed stays on the bed until somebody takes it off.
    fn keeps_what_it_printed(&self) -> bool {
        false
    }
}

/// A machine, and who may watch its wire.
pub(crate) struct Moored {
    pub(crate) printer: PrinterTarget,
    pub(crate) tap: Tap,
}

#[async_trait]
impl Berth for Moored {
    async fn dock(&self, machine: &Machine) -> Result<Box<dyn Printer>, PrinterError> {
        self.printer.connect_tapped(machine, self.tap.clone()).await.map(|(printer, _)| printer)
    }

    async fn cool(&self, machine: &Machine) -> Result<(), PrinterError> {
        self.printer.cool(machine, self.tap.clone()).await
    }

    fn keeps_what_it_printed(&self) -> bool {
        !self.printer.is_simulated()
    }
}

/// When to stop, asked as often as anyone likes.
pub(crate) struct StopSign {
    sign: Option<Sign>,
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
        let (sign, scope) = match until {
            Until::OneJob => (None, Scope::OneJob),
            Until::Stopped(sign) => (Some(sign), Scope::ForGood),
            Until::OneJobOrStopped(sign) => (Some(sign), Scope::OneJob),
        };
        Self { sign, scope, asked: false }
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
    pub(crate) device: &'a mut Device,
    pub(crate) link: Link,
    berth: &'a dyn Berth,
    watch: &'a mut (dyn FnMut(Notice<'_>) + Send),
    pub(crate) stop: StopSign,
    session: Session,
    work: Option<Work>,
    /// Set by the effect that begins motion, taken by the loop.
    go: Option<Box<Cleared>>,
    waiting: Waiting,
    /// The temperatures that were told last.
    heat: Option<Temperatures>,
    /// What the machine's owner was told last to mend.
    unready: Option<Unready>,
    /// How many numbers the next receipt passes over.
    passed_over: u32,
    /// What ends a print in motion.
    pub(crate) interrupt: Option<Failure>,
    /// What the owner wants of the running print, as soon as the machine has taken the line under way.
    pub(crate) wished: Option<Wish>,
    /// Whether the machine has parked its head itself and is let be.
    pub(crate) is_parked: bool,
    /// Whether the last line of the running print is out.
    pub(crate) is_ending: bool,
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
    /// The offer an earlier run left with some segments, until these are found wanting.
    found: Option<Offer>,
    /// From preflight to the first move.
    printer: Option<Box<dyn Printer>>,
    /// Once the envelope is whole.
    header: Option<Verified<EnvelopeHeader>>,
    /// The release that holds an epoch's key, for epochs that are not over.
    keys: BTreeMap<u32, Arc<Verified<KeyRelease>>>,
    /// The number of the offline print this is, once keys came for one.
    offline: Option<NonZeroU64>,
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
        let now = device.time.now();
        let link = Link::open(vault, device.identity.clone(), device.time.clone());
        let Step { next, effects } = Session::recover(device.journal.memory(), now);
        let mut shift = Self {
            device,
            link,
            berth,
            watch,
            stop: StopSign::of(until),
            session: next,
            work: None,
            go: None,
            waiting: Waiting::default(),
            heat: None,
            unready: None,
            interrupt: None,
            wished: None,
            is_parked: false,
            is_ending: false,
            passed_over: 0,
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
                asked = self.device.wishes.next() => {
                    self.on_wish_at_rest(asked).await?;
                    continue;
                }
                event = self.link.next() => event,
                () = tokio::time::sleep(LOOK_AGAIN), if !self.waiting.is_empty() => continue,
            };
            self.on_link(event).await?;
        }
    }

    /// Takes up what an earlier run left: its owed effects, then the stored segments, checked again.
    async fn take_up(&mut self, owed: Vec<Effect>) -> Result<(), DeviceError> {
        let down = !owed.is_empty();
        let active = self.device.journal.memory().active();
        if active.is_some() {
            self.passed_over = receipt::PASSED_OVER;
        }
        if active.is_some_and(|active| active.motion == Motion::Begun && active.ended.is_none()) {
            self.cool_what_was_left().await;
        }
        for effect in owed {
            self.perform(effect).await?;
        }
        let (Session::Fetching(_), Some(job)) = (&self.session, self.session.job()) else {
            self.inherited = down.then_some(Failure::WentDown);
            return Ok(());
        };
        let found = Spool::find(&self.device.home, job.id).map_err(DeviceError::Spool)?;
        let Some(found) = found else {
            self.inherited = Some(Failure::Spool(std::io::ErrorKind::NotFound.into()));
            return self.step(Event::Unfit).await;
        };
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
        work.found = Some(found.offer);
        self.work = Some(work);
        self.step(Event::Stored(stored)).await?;
        match found.manifest {
            Some(manifest) => self.on_manifest_bytes(&manifest).await,
            None => Ok(()),
        }
    }

    /// Turns off a machine that an earlier run left in mid-print: it may be hot still. Whoever wants this program to end
    /// meanwhile is heard.
    async fn cool_what_was_left(&mut self) {
        let cooled = self.berth.cool(self.device.identity.machine());
        let cooled = tokio::select! {
            biased;
            () = self.stop.asked() => return,
            cooled = cooled => cooled,
        };
        if let Err(error) = cooled {
            tracing::warn!(%error, "the machine was left in mid-print and can't be turned off from here: look at it");
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
                let passed_over = std::mem::take(&mut self.passed_over);
                let receipt =
                    receipt::attest(identity.keys(), identity.device(), (active, passed_over), event, at);
                self.record(Entry::Attested(receipt.clone()))?;
                self.link.send(Outgoing::Receipt(receipt.emit()));
            }
            Effect::Resend => {
                let active = self.device.journal.memory().active();
                let receipts: Vec<_> = active.iter().flat_map(|a| a.receipts()).map(|r| r.emit()).collect();
                for receipt in receipts {
                    self.link.send(Outgoing::Receipt(receipt));
                }
            }
            Effect::Fetch { job, from } => {
                self.link.send(Outgoing::Fetch(job.fetch(from)));
            }
            Effect::Move(cleared) => {
                // If we crash after this, the bed counts as taken though nothing moved: a look mends that.
                self.take_bed().map_err(DeviceError::Spool)?;
                self.go = Some(cleared);
            }
            Effect::Clear => spool::clear(&self.device.home).map_err(DeviceError::Spool)?,
        }
        Ok(())
    }

    /// Writes that the bed is taken, before anything is laid on it.
    fn take_bed(&self) -> std::io::Result<()> {
        let word = OwnersWord::read(&self.device.home)?;
        if !self.berth.keeps_what_it_printed() || word.bed == Bed::ClearsItself {
            return Ok(());
        }
        OwnersWord { bed: Bed::Taken, ..word }.write(&self.device.home)
    }

    fn record(&mut self, entry: Entry) -> Result<(), DeviceError> {
        let recorded = self.device.journal.record(entry);
        recorded.map_err(|error| {
            self.session = Session::Halted(crate::session::Halted { why: crate::session::Why::Journal });
            DeviceError::Journal(error)
        })
    }

    pub(crate) fn tell(&mut self, notice: Notice<'_>) {
        (self.watch)(notice);
    }

    /// Tells temperatures that differ by a degree from those told last.
    pub(crate) fn note_heat(&mut self, reported: Option<Temperatures>) {
        if let Some(reported) = reported
            && self.heat.is_none_or(|told| told.differs_from(&reported))
        {
            self.heat = Some(reported);
            self.tell(Notice::Temperatures(reported));
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        matches!(self.session, Session::Paused(_))
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
            found: None,
            printer: None,
            header: None,
            keys: BTreeMap::new(),
            offline: None,
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

#[cfg(test)]
mod tests;
