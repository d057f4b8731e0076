//! A device without threads, sockets, files or a clock of its own: for firmware that brings these (hops 8 to 13).
//!
//! The caller carries messages ([`Embedded::receive`], [`Host::send`]), asks for commands ([`Embedded::next_command`]) and
//! says what its machine acknowledged. What may be printed is decided by the same `check`, what may happen next
//! by the same `session`, what may reach the machine by the same `guard` as in [`crate::Device`]; kept are the
//! same bytes as in its files. Deliberately absent: a spool that outlives a power cut. Ciphertext is fetched again
//! from the first segment then, and a print that was in motion has failed, as everywhere.

mod hear;
mod motion;
mod store;

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as Outgoing;
use layerlock_seal::keys::{OpeningKey, SigningKey};
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::trust::{Endorsement, TrustedRoot};
use layerlock_terms::envelope::EnvelopeHeader;
use layerlock_terms::ids::DeviceId;
use layerlock_terms::machine::Machine;
use layerlock_terms::receipt::{Extent, Outcome};
use layerlock_terms::release::KeyRelease;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Malformed;
use prost::Message;

pub use motion::Next;

use crate::check::{Examination, Standing};
use crate::clock::TrustedTime;
use crate::embed::store::Segments;
use crate::identity::{Identity, IdentityError};
use crate::journal::{self, Entry, JournalError, Memory};
use crate::keys::DeviceKeys;
use crate::ledger::LedgerError;
use crate::link::LinkError;
use crate::preflight::{Bed, OwnersWord};
use crate::print::{Failure, Run};
use crate::session::{Effect, Event, Halted, Idle, Session, Step, Why};
use crate::trust::{Anchors, TrustError};
use crate::waiting::Waiting;
use crate::{Clock, receipt};

/// Longest item that is read whole, in bytes: keys, identity or journal.
const ITEM_LIMIT: usize = 16 << 20;

/// What a device keeps. Everything but segments is written whole or appended to durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Its two secret keys. Only whoever is the device may read them.
    Keys,
    /// Certificate and anchors.
    Identity,
    /// What it must not forget. Put back from a copy, the device is a clone and the vault says so.
    Journal,
    /// Ciphertext of the running job. May be lost at a power cut.
    Segments,
}

impl Item {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Keys, Self::Identity, Self::Journal, Self::Segments];

    /// The name it goes by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Identity => "identity",
            Self::Journal => "journal",
            Self::Segments => "segments",
        }
    }
}

/// The caller's side can't do what was asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host's `{0}` failed")]
pub struct HostError(pub &'static str);

/// What the caller brings.
pub trait Host {
    /// Milliseconds since 1970, as well as it knows.
    fn now(&mut self) -> Timestamp;

    /// Fills `out` from a random source fit for keys.
    ///
    /// # Errors
    /// [`HostError`].
    fn random(&mut self, out: &mut [u8]) -> Result<(), HostError>;

    /// Sends one encoded `DeviceMessage` into the open stream.
    ///
    /// # Errors
    /// [`HostError`]; the stream is taken for lost then.
    fn send(&mut self, message: &[u8]) -> Result<(), HostError>;

    /// Reads from `offset`; gives how many bytes there were, fewer than asked for at the item's end only. An item
    /// that was never written is empty.
    ///
    /// # Errors
    /// [`HostError`].
    fn read(&mut self, item: Item, offset: u64, out: &mut [u8]) -> Result<usize, HostError>;

    /// Puts `bytes` in the item's place: all of them or none, durably.
    ///
    /// # Errors
    /// [`HostError`].
    fn replace(&mut self, item: Item, bytes: &[u8]) -> Result<(), HostError>;

    /// Puts `bytes` at the item's end; of the journal durably, before this returns.
    ///
    /// # Errors
    /// [`HostError`].
    fn append(&mut self, item: Item, bytes: &[u8]) -> Result<(), HostError>;
}

/// What makes a device, brought together at the factory.
pub struct Provision<'a> {
    /// Seed of its signing key.
    pub sign_seed: &'a [u8; 32],
    /// Seed of its opening key.
    pub open_seed: &'a [u8; 32],
    /// Endorsement: the root it pins.
    pub root: &'a [u8],
    /// Endorsements: the certificates of the services.
    pub services: &'a [&'a [u8]],
    /// Statement: the licensor's certificate for its two keys.
    pub certificate: &'a [u8],
}

/// Why an embedded device can't go on.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The caller's side.
    #[error("{0}; see to it, then open the device again")]
    Host(#[from] HostError),
    /// Nothing was provisioned, or it isn't what was.
    #[error("the item `{0}` holds nothing this version can read; provision the device")]
    Unreadable(&'static str),
    /// The identity doesn't hold.
    #[error("{0}")]
    Identity(#[from] IdentityError),
    /// Root or certificates don't hold.
    #[error("{0}")]
    Trust(#[from] TrustError),
    /// Bytes of the wrong form.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// The journal can't be trusted.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// Not a message, or one that has no place here: end the stream and open another.
    #[error("the vault sent {0}; end the stream and open another")]
    OutOfTurn(&'static str),
    /// The link is over for good.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// The ledger shows something it must not.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
    /// There is nothing to pause, or to go on with. A job that is coming can be stopped.
    #[error("nothing is being printed yet; a job that is coming can be stopped")]
    NothingMoves,
    /// It was halted before.
    #[error("the device is halted: a person must look")]
    Halted,
}

/// Where it stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing to do.
    Idle,
    /// Ciphertext is coming.
    Fetching,
    /// The envelope is whole; the first key isn't here.
    Checked,
    /// The machine moves.
    Printing,
    /// The machine rests in mid-job.
    Paused,
    /// It is over here; the ledger's entry is awaited.
    Reporting,
    /// A person must look.
    Halted,
}

/// How far the handshake of the one stream has come.
enum Stream {
    Down,
    AwaitsChallenge,
    AwaitsWelcome { nonce: [u8; 32] },
    Up,
}

/// What became of the last job that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How it ended, as the final receipt says.
    pub outcome: Outcome,
    /// How far it came, as the final receipt says.
    pub extent: Extent,
    /// Whether its settlement was found in the ledger.
    pub is_in_ledger: bool,
}

/// What belongs to the running job but not to its state.
#[derive(Default)]
struct Work {
    examination: Option<Examination>,
    segments: Segments,
    header: Option<Verified<EnvelopeHeader>>,
    keys: BTreeMap<u32, Arc<Verified<KeyRelease>>>,
    offline: Option<NonZeroU64>,
    run: Option<Box<Run>>,
    /// Lines of the piece that is being handed out.
    lines: VecDeque<zeroize::Zeroizing<String>>,
    /// Since when a key is waited for.
    waits_since: Option<Timestamp>,
}

/// A device whose caller does the waiting.
pub struct Embedded<H> {
    host: H,
    /// What the host's clock said at the last call.
    hand: Arc<AtomicU64>,
    time: TrustedTime,
    identity: Identity,
    anchors: Anchors,
    memory: Memory,
    session: Session,
    stream: Stream,
    work: Work,
    waiting: Waiting,
    /// What the machine's owner said of it; nothing is asked of a machine whose owner said nothing.
    word: Option<OwnersWord>,
    /// How many numbers the next receipt passes over.
    passed_over: u32,
    /// Motion ended otherwise than by its last line: the machine has to be made safe.
    must_stop: bool,
    /// Why the last thing that was refused or failed was.
    trouble: Option<String>,
    ending: Option<Ending>,
}

/// Writes what [`Embedded::open`] reads, after verifying all of it.
///
/// # Errors
/// [`EmbedError`]; nothing was written unless the host failed.
pub fn provision(host: &mut impl Host, with: &Provision<'_>) -> Result<DeviceId, EmbedError> {
    let root = TrustedRoot::begin(&Endorsement::parse(with.root)?)?;
    let services = with.services.iter().map(|bytes| Endorsement::parse(bytes));
    let anchors = Anchors::new(root, &services.collect::<Result<Vec<_>, _>>()?)?;
    let certificate = Statement::parse(with.certificate)?;
    let keys = || DeviceKeys {
        sign: SigningKey::from_seed(with.sign_seed),
        open: OpeningKey::from_seed(with.open_seed),
    };
    let identity = Identity::verify(keys(), &certificate, anchors, host.now())?;
    // An old journal stays: whoever provisions anew with the same keys is still the device that spent those jobs.
    host.replace(Item::Keys, &keys().emit())?;
    host.replace(Item::Identity, &identity.emit())?;
    Ok(identity.device())
}

impl<H: Host> Embedded<H> {
    /// Opens a provisioned device; what an earlier run owes goes out with the next stream.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub fn open(mut host: H) -> Result<Self, EmbedError> {
        let hand = Arc::new(AtomicU64::new(host.now().0));
        let read = Arc::clone(&hand);
        let clock = Clock::of(move || Timestamp(read.load(Ordering::Relaxed)));
        let keys = store::whole(&mut host, Item::Keys)?;
        let keys = DeviceKeys::parse(&keys).ok_or(EmbedError::Unreadable("keys"))?;
        let memory = journal_of(&mut host)?;
        let mut time = TrustedTime::new(clock, memory.floor());
        let identity = Identity::parse(&store::whole(&mut host, Item::Identity)?, keys, time.now())?;
        let anchors = identity.anchors().clone();
        let Step { next, effects } = Session::recover(&memory, time.now());
        let passed_over = if memory.active().is_some() { receipt::PASSED_OVER } else { 0 };
        let mut device = Self {
            host,
            hand,
            time,
            identity,
            anchors,
            memory,
            session: next,
            stream: Stream::Down,
            work: Work::default(),
            waiting: Waiting::default(),
            word: None,
            passed_over,
            must_stop: false,
            trouble: None,
            ending: None,
        };
        device.must_stop = !effects.is_empty();
        for effect in effects {
            device.perform(effect)?;
        }
        Ok(device)
    }

    /// Which device this is.
    pub fn id(&self) -> DeviceId {
        self.identity.device()
    }

    /// The machine behind it.
    pub fn machine(&self) -> &'static Machine {
        self.identity.machine()
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        match self.session {
            Session::Idle(_) => State::Idle,
            Session::Fetching(_) => State::Fetching,
            Session::Checked(_) => State::Checked,
            Session::Printing(_) => State::Printing,
            Session::Paused(_) => State::Paused,
            Session::Reporting(_) => State::Reporting,
            Session::Unenrolled(_) | Session::Halted(_) => State::Halted,
        }
    }

    /// What became of the last job that is over.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Why the last thing that was refused or failed was, for a person.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// What the caller brought.
    pub fn host(&mut self) -> &mut H {
        &mut self.host
    }

    /// A stream stands: the vault's challenge comes next.
    pub fn connected(&mut self) {
        self.stream = Stream::AwaitsChallenge;
    }

    /// The stream is over; `reason` is that of the status the vault ended it with, if it gave one.
    ///
    /// # Errors
    /// [`EmbedError::Link`] when no other stream may be opened.
    pub fn disconnected(&mut self, reason: Option<&str>) -> Result<(), EmbedError> {
        self.stream = Stream::Down;
        let is = |it: Reason| reason == Some(it.as_str());
        let fatal = match () {
            () if is(Reason::SessionFenced) => LinkError::Fenced,
            () if is(Reason::SessionBehind) => LinkError::Behind,
            () if is(Reason::DeviceCloned) => LinkError::Cloned,
            () if is(Reason::DeviceRevoked) => LinkError::Revoked,
            () if is(Reason::NotTrusted) => LinkError::NotAccepted("it is not trusted".into()),
            () => return Ok(()),
        };
        self.end_link(fatal)
    }

    /// What is in the machine and on its bed, as its owner says. Nothing is held against a job before this is said. From then on
    /// one the machine isn't ready for waits, [`Embedded::trouble`] says for what, and a print leaves the bed taken. Not kept: say
    /// it after each opening.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub fn loaded(&mut self, word: OwnersWord) -> Result<(), EmbedError> {
        self.tick();
        // Whoever changes the filament in mid-print has not cleared the bed by that.
        let is_taken = self.session.moves() && word.bed == Bed::Clear;
        self.word = Some(if is_taken { OwnersWord { bed: Bed::Taken, ..word } } else { word });
        self.consider_waiting()
    }

    /// The machine or a person pauses; what was sent is acknowledged all the same.
    ///
    /// # Errors
    /// [`EmbedError::NothingMoves`].
    pub fn pause(&mut self) -> Result<(), EmbedError> {
        self.while_moving(Event::Pause)
    }

    /// Whoever paused goes on.
    ///
    /// # Errors
    /// [`EmbedError::NothingMoves`].
    pub fn resume(&mut self) -> Result<(), EmbedError> {
        self.while_moving(Event::Resume)
    }

    fn while_moving(&mut self, event: Event) -> Result<(), EmbedError> {
        self.tick();
        if !self.session.moves() {
            return Err(EmbedError::NothingMoves);
        }
        // The wait for a key begins anew.
        self.work.waits_since = None;
        self.step(event)
    }

    fn tick(&mut self) {
        self.hand.store(self.host.now().0, Ordering::Relaxed);
    }

    fn standing(&mut self) -> Standing<'_> {
        Standing {
            now: self.time.now(),
            device: self.identity.device(),
            machine: self.identity.machine(),
            anchors: &self.anchors,
            memory: &self.memory,
        }
    }

    /// One step of the session and its effects, in order.
    fn step(&mut self, event: Event) -> Result<(), EmbedError> {
        let now = self.time.now();
        match std::mem::replace(&mut self.session, Session::Idle(Idle)).step(event, now) {
            Ok(Step { next, effects }) => {
                self.session = next;
                effects.into_iter().try_for_each(|effect| self.perform(effect))
            }
            Err(misplaced) => {
                self.session = misplaced.session;
                Ok(())
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Result<(), EmbedError> {
        match effect {
            Effect::Record(entry) => self.record(entry),
            Effect::Attest { event, at } => {
                let active = self.memory.active();
                let active = active.expect("a receipt is about the running job, which the journal holds");
                let passed_over = std::mem::take(&mut self.passed_over);
                let receipt =
                    receipt::attest(self.identity.keys(), self.id(), (active, passed_over), event, at);
                self.record(Entry::Attested(receipt.clone()))?;
                self.say(Outgoing::Receipt(receipt.emit()));
                Ok(())
            }
            Effect::Resend => {
                let active = self.memory.active();
                let receipts: Vec<_> = active.iter().flat_map(|a| a.receipts()).map(|r| r.emit()).collect();
                receipts.into_iter().for_each(|receipt| self.say(Outgoing::Receipt(receipt)));
                Ok(())
            }
            Effect::Fetch { job, from } => {
                self.say(Outgoing::Fetch(job.fetch(from)));
                Ok(())
            }
            Effect::Move(cleared) => {
                if let Some(word) = self.word.as_mut().filter(|word| word.bed == Bed::Clear) {
                    word.bed = Bed::Taken;
                }
                self.begin_motion(*cleared);
                Ok(())
            }
            Effect::Clear => {
                self.work.segments = Segments::default();
                Ok(self.host.replace(Item::Segments, &[])?)
            }
        }
    }

    /// Writes an entry durably, then believes it. A journal that can't be written halts the device: a half-written
    /// entry must not stand before another one.
    fn record(&mut self, entry: Entry) -> Result<(), EmbedError> {
        let mut next = self.memory.clone();
        let frame = journal::frame(&entry.emit());
        let source = match next.apply(entry) {
            Ok(()) => None,
            Err(source) => Some(JournalError::Contradiction { path: Item::Journal.name().into(), source }),
        };
        let written = match source {
            Some(contradiction) => Err(EmbedError::Journal(contradiction)),
            None => self.host.append(Item::Journal, &frame).map_err(EmbedError::Host),
        };
        match written {
            Ok(()) => {
                self.memory = next;
                Ok(())
            }
            Err(error) => {
                self.must_stop |= self.session.moves();
                self.session = Session::Halted(Halted { why: Why::Journal });
                Err(error)
            }
        }
    }

    /// Sends into the open session; what isn't sent is said again in the next.
    fn say(&mut self, message: Outgoing) {
        if !matches!(self.stream, Stream::Up) {
            return;
        }
        let message = wire::DeviceMessage { message: Some(message) }.encode_to_vec();
        if self.host.send(&message).is_err() {
            self.stream = Stream::Down;
        }
    }

    /// The link is over for good: a machine in motion is stopped, then the device halts.
    fn end_link(&mut self, error: LinkError) -> Result<(), EmbedError> {
        self.stream = Stream::Down;
        if self.session.moves() {
            self.fail(Failure::Link(error.clone()))?;
        }
        self.trouble = Some(error.to_string());
        self.step(Event::Broken(error.why()))?;
        Err(EmbedError::Link(error))
    }

    /// Notes how the running job ended, as the journal has it.
    fn close(&mut self, is_in_ledger: bool) {
        let Some(active) = self.memory.active() else { return };
        let ended = active.ended.as_ref();
        self.ending = Some(Ending {
            outcome: ended.map_or(Outcome::Failed, |ended| ended.outcome),
            extent: ended.map_or(active.extent, |ended| ended.extent),
            is_in_ledger,
        });
        self.work = Work::default();
    }
}

/// Folds the journal; cuts off a last entry that was torn.
fn journal_of(host: &mut impl Host) -> Result<Memory, EmbedError> {
    let bytes = store::whole(host, Item::Journal)?;
    if bytes.len() < journal::MAGIC.len() && journal::MAGIC.starts_with(&bytes) {
        host.replace(Item::Journal, journal::MAGIC)?;
        return Ok(Memory::default());
    }
    let (memory, length) = journal::read(Path::new(Item::Journal.name()), &bytes)?;
    if length < bytes.len() {
        host.replace(Item::Journal, &bytes[..length])?;
    }
    Ok(memory)
}

#[cfg(test)]
mod tests;
