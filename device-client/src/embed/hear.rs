//! What an embedded device hears: every message of the vault becomes a step of the session.
//!
//! The counterpart of `serve::hear`, without waiting: each message passes the same check and is answered at once.
//! Messages about a job that isn't the running one are let go by.

use std::num::NonZeroU64;
use std::sync::Arc;

use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as Outgoing;
use layerlock_proto::vault::v1::vault_message::Message as Incoming;
use layerlock_terms::envelope::EPOCH_LIMIT;
use layerlock_terms::release::Grounds;
use prost::Message;

use super::{EmbedError, Embedded, Host, Stream, Work};
use crate::check::{self, Examination, Offer, Refusal};
use crate::journal::{Active, Entry};
use crate::ledger;
use crate::link::{self, LinkError};
use crate::preflight::{self, Unready};
use crate::print::Failure;
use crate::session::{Event, Session, Why};

/// Largest message taken: a segment, or an offer with three statements.
const MESSAGE_LIMIT: usize = 256 * 1024;

/// Whether an offer was dealt with.
#[derive(Debug)]
enum Fit {
    /// It is fetched, or refused.
    Done,
    /// The machine's owner has something to mend first.
    Waits(Unready),
}

impl<H: Host> Embedded<H> {
    /// Takes one encoded `VaultMessage` of the open stream.
    ///
    /// # Errors
    /// [`EmbedError::OutOfTurn`]: end this stream and open another. Anything else: no stream may follow before a
    /// person has looked. A refused offer, segment or key is no error; [`Embedded::trouble`] tells it.
    pub fn receive(&mut self, message: &[u8]) -> Result<(), EmbedError> {
        self.tick();
        if let Session::Halted(_) = self.session {
            return Err(EmbedError::Halted);
        }
        if message.len() > MESSAGE_LIMIT {
            return self.out_of_turn("a message longer than any may be");
        }
        let Ok(wire::VaultMessage { message: Some(message) }) = wire::VaultMessage::decode(message) else {
            return self.out_of_turn("what is no message of this version");
        };
        match (&self.stream, message) {
            (Stream::Down, _) => Err(EmbedError::OutOfTurn("a message after the stream was over")),
            (Stream::AwaitsChallenge, Incoming::Challenge(challenge)) => match challenge.try_into() {
                Ok(challenge) => self.on_challenge(challenge),
                Err(_) => self.out_of_turn("a challenge that has not 32 bytes"),
            },
            (Stream::AwaitsChallenge, _) => self.out_of_turn("something before the challenge"),
            (Stream::AwaitsWelcome { nonce }, Incoming::Welcome(welcome)) => {
                let nonce = *nonce;
                self.on_welcome(&welcome, nonce)
            }
            (Stream::AwaitsWelcome { .. }, _) => self.out_of_turn("something before the welcome"),
            (Stream::Up, message) => self.on_message(message),
        }
    }

    fn out_of_turn(&mut self, what: &'static str) -> Result<(), EmbedError> {
        self.stream = Stream::Down;
        Err(EmbedError::OutOfTurn(what))
    }

    fn on_challenge(&mut self, challenge: [u8; 32]) -> Result<(), EmbedError> {
        let mut nonce = [0; 32];
        self.host.random(&mut nonce)?;
        let counter = self.memory.counter() + 1;
        // If we crash after this, the vault never sees the number: one is left out, none is used twice.
        self.record(Entry::Session { counter })?;
        let hello = link::hello(&self.identity, challenge, nonce, counter);
        let hello = wire::DeviceMessage { message: Some(Outgoing::Hello(hello)) };
        self.stream = match self.host.send(&hello.encode_to_vec()) {
            Ok(()) => Stream::AwaitsWelcome { nonce },
            Err(_) => Stream::Down,
        };
        Ok(())
    }

    fn on_welcome(&mut self, welcome: &wire::Welcome, nonce: [u8; 32]) -> Result<(), EmbedError> {
        let now = self.time.now();
        let (now, certificate) = match link::believe(&self.identity, welcome, nonce, now) {
            Ok(believed) => believed,
            Err(why) => return self.end_link(LinkError::NotTheVault(why)),
        };
        let floor = self.time.hear(now);
        if floor > self.memory.floor() {
            self.record(Entry::Time(floor))?;
        }
        self.anchors.certify(&certificate)?;
        self.stream = Stream::Up;
        self.step(Event::LinkUp)
    }

    fn on_message(&mut self, message: Incoming) -> Result<(), EmbedError> {
        match message {
            Incoming::Offer(offer) => self.on_offer(offer)?,
            Incoming::Segment(segment) if self.session.runs(&segment.job) => {
                self.on_segment(&segment.segment)?
            }
            Incoming::Manifest(manifest) if self.session.runs(&manifest.job) => {
                self.on_manifest(&manifest.manifest)?;
            }
            Incoming::Keys(keys) if self.session.runs(&keys.job) => self.on_keys(&keys)?,
            Incoming::Settled(settled) if self.session.runs(&settled.job) => self.on_settled(settled)?,
            Incoming::Ended(ended) => self.on_ended(ended)?,
            Incoming::Challenge(_) | Incoming::Welcome(_) => {
                return self.out_of_turn("a second handshake");
            }
            Incoming::Segment(_) | Incoming::Manifest(_) | Incoming::Keys(_) | Incoming::Settled(_) => {}
        }
        self.consider_waiting()
    }

    /// Takes the first offer that waits and can be printed now.
    pub(super) fn consider_waiting(&mut self) -> Result<(), EmbedError> {
        let mut waits_on = Vec::new();
        while matches!(self.session, Session::Idle(_)) {
            let Some(offer) = self.waiting.next() else { break };
            if let Fit::Waits(why) = self.consider(&offer)? {
                // What the first one waits for is told.
                if waits_on.is_empty() {
                    self.trouble = Some(why.to_string());
                }
                waits_on.push(offer);
            }
        }
        waits_on.into_iter().rev().for_each(|offer| self.waiting.put_back(offer));
        Ok(())
    }

    fn on_offer(&mut self, offer: wire::JobOffer) -> Result<(), EmbedError> {
        match self.session {
            // Behind those that came before it.
            Session::Idle(_) => {
                self.waiting.keep(offer);
                self.consider_waiting()
            }
            Session::Fetching(_) if self.session.runs(&offer.job) => self.consider_again(&offer),
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

    /// Everything that is checked before the first segment; then the job is spent here, then it is fetched.
    fn consider(&mut self, offer: &wire::JobOffer) -> Result<Fit, EmbedError> {
        let fit =
            self.examined(offer).and_then(|examination| Ok((self.ready(offer, &examination)?, examination)));
        match fit {
            Ok((Ok(()), examination)) => self.begin(examination)?,
            Ok((Err(unready), _)) => return Ok(Fit::Waits(unready)),
            Err(refusal) => self.trouble = Some(refusal.to_string()),
        }
        Ok(Fit::Done)
    }

    /// Whether the machine could begin with this job now.
    fn ready(
        &self,
        offer: &wire::JobOffer,
        examination: &Examination,
    ) -> Result<Result<(), Unready>, Refusal> {
        let spliced = Refusal::Spliced { this: "profile", that: "header", field: "digest" };
        let profile = preflight::profile(&offer.profile, examination.profile()).map_err(|()| spliced)?;
        Ok(self.word.map_or(Ok(()), |word| word.judge(self.machine(), profile.as_ref())))
    }

    fn examined(&mut self, offer: &wire::JobOffer) -> Result<Examination, Refusal> {
        let parsed = Offer::parse(&offer.header, &offer.license, &offer.hold)?;
        Examination::begin(&parsed, &self.standing())
    }

    fn begin(&mut self, examination: Examination) -> Result<(), EmbedError> {
        let job = examination.job();
        self.forget_segments()?;
        (self.trouble, self.ending) = (None, None);
        self.work = Work { examination: Some(examination), ..Work::default() };
        self.step(Event::Offered(job))
    }

    /// An offer of the job that is being fetched: the same envelope again, or one pressed anew. Whatever it is,
    /// its statements and not just the message around them must be of the running job and hold.
    fn consider_again(&mut self, offer: &wire::JobOffer) -> Result<(), EmbedError> {
        let Some(running) = self.session.job() else { return Ok(()) };
        let examination = match self.examined(offer) {
            Ok(examination) => examination,
            Err(refusal) => {
                self.trouble = Some(refusal.to_string());
                return Ok(());
            }
        };
        let found = examination.job();
        if found == running {
            if self.work.examination.is_none() {
                // An earlier run was fetching it, and nothing of that is kept.
                self.forget_segments()?;
                self.work.examination = Some(examination);
                self.step(Event::Stored(0))?;
            }
            return self.step(Event::Offered(running));
        }
        let is_anew = (found.id, found.hold) == (running.id, running.hold);
        if is_anew && self.memory.active().is_some_and(Active::is_unsaid) {
            return self.begin(examination);
        }
        Ok(())
    }

    fn on_segment(&mut self, segment: &[u8]) -> Result<(), EmbedError> {
        let Some(examination) = &mut self.work.examination else { return Ok(()) };
        if let Err(refusal) = examination.segment(segment) {
            self.work.examination = None;
            return self.refuse(&refusal);
        }
        let stored = self.work.segments.append(&mut self.host, segment)?;
        self.step(Event::Stored(stored))
    }

    fn on_manifest(&mut self, manifest: &[u8]) -> Result<(), EmbedError> {
        let Some(examination) = self.work.examination.take() else { return Ok(()) };
        match examination.finish(manifest) {
            Ok(cleared) => {
                self.work.header = Some(cleared.envelope().header().clone());
                self.step(Event::Cleared(Box::new(cleared)))
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn on_keys(&mut self, keys: &wire::JobKeys) -> Result<(), EmbedError> {
        match self.take_keys(&keys.release) {
            Ok(true) => {
                if let Some(count) = self.work.offline {
                    self.record(Entry::Offline { count: count.get() })?;
                }
                self.step(Event::KeyHeld)
            }
            Ok(false) => Ok(()),
            Err(refusal) if self.session.moves() => self.fail(Failure::Refused(refusal)),
            Err(refusal) => match self.session {
                Session::Checked(_) => self.refuse(&refusal),
                _ => Ok(()),
            },
        }
    }

    /// Keeps a release; whether motion may begin by it.
    fn take_keys(&mut self, release: &[u8]) -> Result<bool, Refusal> {
        let Some(header) = self.work.header.clone() else { return Ok(false) };
        let release = check::key_release(release, &header)?;
        if let Grounds::Offline(count) = release.grounds {
            self.count_offline(count)?;
        }
        let release = Arc::new(release);
        let room = (EPOCH_LIMIT as usize).saturating_sub(self.work.keys.len());
        for wrapped in release.epochs.iter().take(room) {
            self.work.keys.insert(wrapped.epoch, Arc::clone(&release));
        }
        let (Session::Checked(_), Some(first)) = (&self.session, self.work.keys.get(&0)) else {
            return Ok(false);
        };
        let opened = self.identity.keys().open.open_epoch(first, &header, 0);
        opened.map(|_| true).map_err(|_| Refusal::CannotUnwrap { epoch: 0 })
    }

    /// Takes the number of an offline print: it must be above every one that was printed under (REL-6).
    fn count_offline(&mut self, count: NonZeroU64) -> Result<(), Refusal> {
        let used = self.memory.offline();
        // In motion the number is used, by this very job.
        if self.work.offline != Some(count) && count.get() <= used {
            return Err(Refusal::OfflineUsed { count: count.get(), used });
        }
        self.work.offline = Some(count);
        Ok(())
    }

    fn on_settled(&mut self, settled: wire::Settled) -> Result<(), EmbedError> {
        let (Some(entry), Some(job)) = (settled.entry, self.session.job()) else { return Ok(()) };
        if self.session.moves() {
            return self.fail(Failure::Withdrawn("the hold was settled past its deadline".into()));
        }
        let now = self.time.now();
        match ledger::verify(&entry, job, &self.anchors, self.memory.head(), now) {
            Ok(entered) => {
                self.close(true);
                self.step(Event::Settled(entered.head))
            }
            Err(error) => {
                self.trouble = Some(error.to_string());
                self.step(Event::Broken(Why::Distrust))?;
                Err(EmbedError::Ledger(error))
            }
        }
    }

    fn on_ended(&mut self, ended: wire::JobEnded) -> Result<(), EmbedError> {
        self.waiting.forget(&ended.job);
        if !self.session.runs(&ended.job) {
            return Ok(());
        }
        if self.session.moves() {
            return self.fail(Failure::Withdrawn(ended.reason));
        }
        self.trouble = Some(Failure::Withdrawn(ended.reason).to_string());
        self.close(false);
        self.step(Event::Withdrawn)
    }
}
