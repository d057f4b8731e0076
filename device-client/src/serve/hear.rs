//! What serving hears: every event of the link and every message of the vault becomes a step of the session.
//!
//! Messages about a job that isn't the running one are let go by. Deliberately absent: trust in anything a
//! message says; offers, segments, manifests, keys and entries each pass their own check first.

use std::num::NonZeroU64;
use std::sync::Arc;

use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::vault_message::Message as Incoming;
use layerlock_seal::statement::Verified;
use layerlock_seal::toolpath::EpochSecret;
use layerlock_terms::envelope::EnvelopeHeader;
use layerlock_terms::profile::Profile;
use layerlock_terms::release::Grounds;
use layerlock_terms::units::Millis;

use super::{ATTEMPTS, DeviceError, KEYS, Notice, Scope, Shift, Work};
use crate::check::{self, Examination, Offer, Refusal};
use crate::hand::{Asked, Declined, Wish};
use crate::journal::{Active, Entry};
use crate::ledger;
use crate::link::LinkEvent;
use crate::preflight::{self, OwnersWord, Unready};
use crate::print::Failure;
use crate::session::{Event, Job, Session, Why};
use crate::spool::Spool;

/// How far this computer's clock may be from the vault's before somebody is told.
const CLOCK_OFF: Millis = Millis(5 * 60 * 1000);

impl Shift<'_> {
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
                if self.device.time.off() > CLOCK_OFF {
                    let minutes = self.device.time.off().0 / 60_000;
                    tracing::warn!(
                        minutes,
                        "this computer's clock is off: set it, what ends would end too early or late"
                    );
                }
                if floor > self.device.journal.memory().floor() {
                    self.record(Entry::Time(floor))?;
                }
                // The link verified it; from here on this vault's headers are believed too.
                self.device.anchors.certify(&certificate).map_err(DeviceError::Trust)?;
                self.tell(Notice::LinkUp);
                self.step(Event::LinkUp).await
            }
            LinkEvent::Down { attempts, status } => self.on_down(attempts, status),
            LinkEvent::Message(message) => self.on_message(message).await,
            LinkEvent::Fatal(error) => {
                if self.session.moves() {
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
        if self.stop.scope == Scope::OneJob && attempts >= ATTEMPTS && !self.session.moves() {
            return Err(DeviceError::Unreachable { attempts, status: Box::new(status) });
        }
        Ok(())
    }

    async fn on_message(&mut self, message: Incoming) -> Result<(), DeviceError> {
        match message {
            Incoming::Offer(offer) => self.on_offer(offer).await,
            Incoming::Segment(segment) if self.session.runs(&segment.job) => self.on_segment(segment).await,
            Incoming::Manifest(manifest) if self.session.runs(&manifest.job) => {
                self.on_manifest_bytes(&manifest.manifest).await
            }
            Incoming::Keys(keys) if self.session.runs(&keys.job) => self.on_keys(&keys).await,
            Incoming::Settled(settled) if self.session.runs(&settled.job) => self.on_settled(settled).await,
            Incoming::Ended(ended) => self.on_ended(ended).await,
            Incoming::Segment(_)
            | Incoming::Manifest(_)
            | Incoming::Keys(_)
            | Incoming::Settled(_)
            | Incoming::Challenge(_)
            | Incoming::Welcome(_) => {
                tracing::debug!("a message about no running job was let go by");
                Ok(())
            }
        }
    }

    async fn on_offer(&mut self, offer: wire::JobOffer) -> Result<(), DeviceError> {
        match self.session {
            // Behind those that came before it.
            Session::Idle(_) => {
                self.waiting.keep(offer);
                self.consider_waiting().await
            }
            Session::Fetching(_) if self.session.runs(&offer.job) => self.consider_again(&offer).await,
            Session::Fetching(_)
            | Session::Unenrolled(_)
            | Session::Checked(_)
            | Session::Printing(_)
            | Session::Paused(_)
            | Session::Reporting(_)
            | Session::Halted(_) => {
                if !self.session.runs(&offer.job) {
                    self.waiting.keep(offer);
                }
                Ok(())
            }
        }
    }

    /// Takes the first offer that waits and can be printed now; tells what the first of the others waits for, once.
    pub(super) async fn consider_waiting(&mut self) -> Result<(), DeviceError> {
        let mut waits_on = Vec::new();
        let mut first = None;
        while matches!(self.session, Session::Idle(_)) {
            let Some(offer) = self.waiting.next() else { break };
            if let Some(why) = self.consider(&offer).await? {
                first.get_or_insert(why);
                waits_on.push(offer);
            }
        }
        if let (Some(offer), Some(why)) = (waits_on.first(), &first)
            && self.unready.as_ref() != Some(why)
        {
            self.tell(Notice::Unready { job: &offer.job, why });
        }
        self.unready = first;
        waits_on.into_iter().rev().for_each(|offer| self.waiting.put_back(offer));
        Ok(())
    }

    /// Everything that is checked before the first segment; then the job is spent here, then it is fetched. Gives what must be mended
    /// before that.
    async fn consider(&mut self, offer: &wire::JobOffer) -> Result<Option<Unready>, DeviceError> {
        let (examination, parsed) = match self.examined(offer) {
            Ok(begun) => begun,
            Err(refusal) => return self.decline(refusal).map(|()| None),
        };
        let Ok(profile) = preflight::profile(&offer.profile, examination.profile()) else {
            let spliced = Refusal::Spliced { this: "profile", that: "header", field: "digest" };
            return self.decline(spliced).map(|()| None);
        };
        match self.ready(profile.as_ref()).map_err(DeviceError::Spool)? {
            Ok(()) => self.begin(examination, &parsed).await.map(|()| None),
            Err(why) => Ok(Some(why)),
        }
    }

    fn examined(&mut self, offer: &wire::JobOffer) -> Result<(Examination, Offer), Refusal> {
        let parsed = Offer::parse(&offer.header, &offer.license, &offer.hold)?;
        Ok((Examination::begin(&parsed, &self.device.standing())?, parsed))
    }

    /// Whether the machine could begin with a job of this profile now.
    fn ready(&self, profile: Option<&Profile>) -> std::io::Result<Result<(), Unready>> {
        let word = OwnersWord::read(&self.device.home)?;
        Ok(preflight::room(&self.device.home).and_then(|()| word.judge(self.machine(), profile)))
    }

    async fn begin(&mut self, examination: Examination, parsed: &Offer) -> Result<(), DeviceError> {
        let job = examination.job();
        self.tell(Notice::Offered { job: job.id });
        // If we crash after this and before the journal's entry, the next job's spool takes its place.
        let spool = Spool::begin(&self.device.home, job.id, parsed).map_err(DeviceError::Spool)?;
        self.work = Some(Work { examination: Some(examination), ..Work::new(spool) });
        self.step(Event::Offered(job)).await
    }

    /// An offer of the job that is being fetched: the same envelope again, or one pressed anew.
    async fn consider_again(&mut self, offer: &wire::JobOffer) -> Result<(), DeviceError> {
        let Some(running) = self.session.job() else { return Ok(()) };
        match Offer::parse(&offer.header, &offer.license, &offer.hold) {
            Ok(again) if again.header.digest() == running.header => self.step(Event::Offered(running)).await,
            Ok(anew) if self.device.journal.memory().active().is_some_and(Active::is_unsaid) => {
                self.consider_anew(&anew, running).await
            }
            Ok(_) => {
                tracing::warn!("another envelope for a job whose first one was attested was let go by");
                Ok(())
            }
            Err(refusal) => self.decline(refusal),
        }
    }

    /// Another envelope takes the running one's place only if its statements, and not just the message around
    /// them, are of the running job and hold.
    async fn consider_anew(&mut self, anew: &Offer, running: Job) -> Result<(), DeviceError> {
        let examination = match Examination::begin(anew, &self.device.standing()) {
            Ok(examination) => examination,
            Err(refusal) => return self.decline(refusal),
        };
        let found = examination.job();
        if (found.id, found.hold) == (running.id, running.hold) {
            return self.begin(examination, anew).await;
        }
        tracing::warn!(running = %running.id, found = %found.id, "an offer under another job's name was let go by");
        Ok(())
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

    pub(super) async fn on_manifest_bytes(&mut self, manifest: &[u8]) -> Result<(), DeviceError> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let Some(examination) = work.examination.take() else { return Ok(()) };
        let cleared = match examination.finish(manifest) {
            Ok(cleared) => cleared,
            Err(refusal) => {
                return match work.found.take().filter(|_| refusal.is_of_stored_bytes()) {
                    Some(offer) => self.fetch_anew(&offer).await,
                    None => self.refuse(Failure::Refused(refusal)).await,
                };
            }
        };
        work.spool.keep_manifest(manifest).map_err(DeviceError::Spool)?;
        work.of = Some(cleared.envelope().manifest().segments);
        work.header = Some(cleared.envelope().header().clone());
        // Preflight: a machine that doesn't answer is found out before a single key is asked for.
        match self.berth.dock(self.device.identity.machine()).await {
            Ok(printer) => work.printer = Some(printer),
            Err(error) => return self.refuse(Failure::Printer(error)).await,
        }
        self.tell(Notice::Checked(&cleared));
        self.step(Event::Cleared(Box::new(cleared))).await
    }

    /// Begins again from the first segment, once: what an earlier run stored is not what was sealed.
    async fn fetch_anew(&mut self, offer: &Offer) -> Result<(), DeviceError> {
        tracing::warn!("the stored envelope was damaged on this disk: it is fetched anew");
        let examination = match Examination::begin(offer, &self.device.standing()) {
            Ok(examination) => examination,
            Err(refusal) => return self.refuse(Failure::Refused(refusal)).await,
        };
        let (Some(work), Some(job)) = (&mut self.work, self.session.job()) else { return Ok(()) };
        work.examination = Some(examination);
        work.spool.cut(0).map_err(DeviceError::Spool)?;
        self.step(Event::Stored(0)).await?;
        self.step(Event::Offered(job)).await
    }

    async fn on_keys(&mut self, keys: &wire::JobKeys) -> Result<(), DeviceError> {
        let Some(header) = self.work.as_ref().and_then(|work| work.header.clone()) else { return Ok(()) };
        let release = match check::key_release(&keys.release, &header) {
            Ok(release) => release,
            Err(refusal) => return self.refuse_key(refusal).await,
        };
        if let Grounds::Offline(count) = release.grounds
            && let Err(refusal) = self.count_offline(count)
        {
            return self.refuse_key(refusal).await;
        }
        let Some(work) = &mut self.work else { return Ok(()) };
        let release = Arc::new(release);
        for wrapped in release.epochs.iter().take(KEYS.saturating_sub(work.keys.len())) {
            work.keys.insert(wrapped.epoch, Arc::clone(&release));
        }
        let Session::Checked(_) = &self.session else { return Ok(()) };
        match self.unwrap_key(0, &header) {
            Ok(Some(_)) => self.hold_key().await,
            Ok(None) => Ok(()),
            Err(refusal) => self.refuse_key(refusal).await,
        }
    }

    /// Takes the number of an offline print: it must be above every one that was printed under (REL-6).
    fn count_offline(&mut self, count: NonZeroU64) -> Result<(), Refusal> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let used = self.device.journal.memory().offline();
        // In motion the number is used, by this very job.
        if work.offline != Some(count) && count.get() <= used {
            return Err(Refusal::OfflineUsed { count: count.get(), used });
        }
        work.offline = Some(count);
        Ok(())
    }

    /// The first key is here: the number of an offline print is used up before anything moves.
    async fn hold_key(&mut self) -> Result<(), DeviceError> {
        if let Some(count) = self.work.as_ref().and_then(|work| work.offline) {
            self.record(Entry::Offline { count: count.get() })?;
        }
        self.step(Event::KeyHeld).await
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
    pub(crate) fn unwrap_key(
        &mut self,
        epoch: u32,
        header: &Verified<EnvelopeHeader>,
    ) -> Result<Option<EpochSecret>, Refusal> {
        let Some(work) = &mut self.work else { return Ok(None) };
        work.keys = work.keys.split_off(&epoch);
        let Some(release) = work.keys.get(&epoch) else { return Ok(None) };
        let opened = self.device.identity.keys().open.open_epoch(release, header, epoch);
        opened.map(Some).map_err(|_| Refusal::CannotUnwrap { epoch })
    }

    async fn on_settled(&mut self, settled: wire::Settled) -> Result<(), DeviceError> {
        let (Some(entry), Some(job)) = (settled.entry, self.session.job()) else { return Ok(()) };
        if self.session.moves() {
            self.interrupt = Some(Failure::Withdrawn("the hold was settled past its deadline".into()));
            return Ok(());
        }
        let seen = self.device.journal.memory().head();
        let now = self.device.time.now();
        let entered = match ledger::verify(&entry, job, &self.device.anchors, seen, now) {
            Ok(entered) => entered,
            Err(error) => {
                self.step(Event::Broken(Why::Distrust)).await?;
                return Err(DeviceError::Ledger(error));
            }
        };
        self.tell(Notice::Settled(&entered));
        let head = entered.head;
        self.close(Some(entered));
        self.step(Event::Settled(head)).await
    }

    async fn on_ended(&mut self, ended: wire::JobEnded) -> Result<(), DeviceError> {
        self.waiting.forget(&ended.job);
        if !self.session.runs(&ended.job) {
            return Ok(());
        }
        if self.session.moves() {
            self.interrupt = Some(Failure::Withdrawn(ended.reason));
            return Ok(());
        }
        self.note_failure(Some(Failure::Withdrawn(ended.reason)));
        self.close(None);
        self.step(Event::Withdrawn).await
    }

    /// What the owner asks for while nothing moves: a job that comes, or waits for somebody, can be refused, and that is all.
    pub(super) async fn on_wish_at_rest(&mut self, asked: Asked) -> Result<(), DeviceError> {
        if asked.wish != Wish::Cancel {
            asked.answer(Err(Declined::NothingPrints));
            return Ok(());
        }
        match self.session {
            Session::Fetching(_) | Session::Checked(_) => {
                asked.answer(Ok(()));
                self.refuse(Failure::Stopped).await
            }
            _ => match self.waiting.next() {
                Some(offer) => {
                    asked.answer(Ok(()));
                    self.refuse_waiting(&offer).await
                }
                None => {
                    asked.answer(Err(Declined::NothingPrints));
                    Ok(())
                }
            },
        }
    }

    /// Accepts a job and refuses it at once, so that its copy is free again.
    async fn refuse_waiting(&mut self, offer: &wire::JobOffer) -> Result<(), DeviceError> {
        self.unready = None;
        match self.examined(offer) {
            Ok((examination, parsed)) => {
                self.begin(examination, &parsed).await?;
                self.refuse(Failure::Stopped).await
            }
            Err(refusal) => self.decline(refusal),
        }
    }

    /// Refuses the running job before any motion.
    pub(super) async fn refuse(&mut self, failure: Failure) -> Result<(), DeviceError> {
        if let Failure::Refused(refusal) = &failure {
            self.tell(Notice::Refused(refusal));
        }
        self.note_failure(Some(failure));
        if let Some(work) = &mut self.work {
            // Segments that are under way still belong to nothing.
            work.examination = None;
        }
        self.step(Event::Unfit).await
    }
}
