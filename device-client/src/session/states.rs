//! A struct per state, and what each answers to every event.

use layerlock_terms::receipt::{self, Extent, Outcome};
use layerlock_terms::units::Timestamp;

use super::{Effect, Event, Job, Misplaced, Session, Step, Why, misplaced};
use crate::check::Cleared;
use crate::journal::{Entry, TreeHead};

/// No certificate yet: nothing is believed and nothing is done.
#[derive(Debug, Clone, Copy)]
pub struct Unenrolled;

/// Nothing to do.
#[derive(Debug, Clone, Copy)]
pub struct Idle;

/// Ciphertext is coming.
#[derive(Debug, Clone)]
pub struct Fetching {
    pub(super) job: Job,
    /// Segments stored and checked.
    pub(super) stored: u32,
    pub(super) attested: Attested,
}

/// Whether an earlier run has said already that this envelope is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attested {
    NotYet,
    Already,
}

/// The envelope is whole; made with the evidence alone.
#[derive(Debug, Clone)]
pub struct Checked {
    pub(super) job: Job,
    cleared: Box<Cleared>,
}

/// The machine moves.
#[derive(Debug, Clone, Copy)]
pub struct Printing {
    pub(super) job: Job,
}

/// The machine rests in mid-job.
#[derive(Debug, Clone, Copy)]
pub struct Paused {
    pub(super) job: Job,
}

/// It is over here; the ledger's entry is awaited.
#[derive(Debug, Clone, Copy)]
pub struct Reporting {
    pub(super) job: Job,
}

/// Nothing goes on until a person has looked.
#[derive(Debug, Clone, Copy)]
pub struct Halted {
    /// Why.
    pub why: Why,
}

impl Unenrolled {
    pub(super) fn step(self, event: Event) -> Result<Step, Box<Misplaced>> {
        match event {
            Event::Enrolled => Ok(Step::to(Session::Idle(Idle))),
            Event::Broken(why) => Ok(halted(why)),
            Event::LinkUp
            | Event::Offered(_)
            | Event::Stored(_)
            | Event::Cleared(_)
            | Event::Unfit
            | Event::KeyHeld
            | Event::Layers(_)
            | Event::Pause
            | Event::Resume
            | Event::Finished(..)
            | Event::Settled(_)
            | Event::Withdrawn => misplaced(Session::Unenrolled(self), &event),
        }
    }
}

impl Idle {
    pub(super) fn step(self, event: Event) -> Result<Step, Box<Misplaced>> {
        match event {
            Event::LinkUp | Event::Withdrawn => Ok(Step::to(Session::Idle(self))),
            Event::Offered(job) => {
                let Job { id, hold, header } = job;
                let next = Fetching { job, stored: 0, attested: Attested::NotYet };
                let accepted = Effect::Record(Entry::Accepted { job: id, hold, header });
                let fetch = Effect::Fetch { job, from: 0 };
                Ok(Step::with(Session::Fetching(next), [accepted, fetch]))
            }
            Event::Broken(why) => Ok(halted(why)),
            Event::Enrolled
            | Event::Stored(_)
            | Event::Cleared(_)
            | Event::Unfit
            | Event::KeyHeld
            | Event::Layers(_)
            | Event::Pause
            | Event::Resume
            | Event::Finished(..)
            | Event::Settled(_) => misplaced(Session::Idle(self), &event),
        }
    }
}

impl Fetching {
    pub(super) fn step(self, event: Event, now: Timestamp) -> Result<Step, Box<Misplaced>> {
        let job = self.job;
        match event {
            // Nothing is asked for yet: the vault may have another envelope by now, and offers what it has.
            Event::LinkUp => Ok(Step::with(Session::Fetching(self), [Effect::Resend])),
            Event::Offered(again) if again == job => {
                let fetch = Effect::Fetch { job, from: self.stored };
                Ok(Step::with(Session::Fetching(self), [fetch]))
            }
            // Pressed anew after the vault crashed: the same job and hold, another envelope. Only as long as
            // nothing was said about the first one.
            Event::Offered(again) if (again.id, again.hold) == (job.id, job.hold) && self.is_unsaid() => {
                Idle.step(event)
            }
            Event::Stored(stored) => Ok(Step::to(Session::Fetching(Self { stored, ..self }))),
            Event::Cleared(cleared) => Ok(self.checked(cleared, now)),
            Event::Unfit => Ok(ended(job, Outcome::Failed, Extent::default(), now)),
            Event::Settled(head) => Ok(closed(job, Some(head))),
            Event::Withdrawn => Ok(closed(job, None)),
            Event::Broken(why) => Ok(halted(why)),
            Event::Enrolled
            | Event::Offered(_)
            | Event::KeyHeld
            | Event::Layers(_)
            | Event::Pause
            | Event::Resume
            | Event::Finished(..) => misplaced(Session::Fetching(self), &event),
        }
    }

    fn is_unsaid(&self) -> bool {
        self.attested == Attested::NotYet
    }

    fn checked(self, cleared: Box<Cleared>, now: Timestamp) -> Step {
        let said = match self.attested {
            Attested::Already => Effect::Resend,
            Attested::NotYet => {
                Effect::Attest { event: receipt::Event::Checked(cleared.manifest_digest()), at: now }
            }
        };
        Step::with(Session::Checked(Checked { job: self.job, cleared }), [said])
    }
}

impl Checked {
    pub(super) fn step(self, event: Event, now: Timestamp) -> Result<Step, Box<Misplaced>> {
        let job = self.job;
        match event {
            Event::LinkUp => Ok(Step::with(Session::Checked(self), [Effect::Resend])),
            Event::KeyHeld => {
                let moving = Effect::Record(Entry::Moving(job.id));
                Ok(Step::with(Session::Printing(Printing { job }), [moving, Effect::Move(self.cleared)]))
            }
            Event::Unfit => {
                let total_layers = self.cleared.envelope().manifest().layers;
                let nothing = Extent { total_layers, ..Extent::default() };
                Ok(ended(job, Outcome::Failed, nothing, now))
            }
            Event::Settled(head) => Ok(closed(job, Some(head))),
            Event::Withdrawn => Ok(closed(job, None)),
            Event::Broken(why) => Ok(halted(why)),
            Event::Enrolled
            | Event::Offered(_)
            | Event::Stored(_)
            | Event::Cleared(_)
            | Event::Layers(_)
            | Event::Pause
            | Event::Resume
            | Event::Finished(..) => misplaced(Session::Checked(self), &event),
        }
    }
}

impl Printing {
    pub(super) fn step(self, event: Event, now: Timestamp) -> Result<Step, Box<Misplaced>> {
        match event {
            Event::LinkUp => Ok(Step::with(Session::Printing(self), [Effect::Resend])),
            Event::Layers(extent) => Ok(Step::with(Session::Printing(self), [progress(extent, now)])),
            Event::Pause => Ok(Step::to(Session::Paused(Paused { job: self.job }))),
            Event::Finished(outcome, extent) => Ok(ended(self.job, outcome, extent, now)),
            Event::Broken(why) => Ok(halted(why)),
            Event::Enrolled
            | Event::Offered(_)
            | Event::Stored(_)
            | Event::Cleared(_)
            | Event::Unfit
            | Event::KeyHeld
            | Event::Resume
            | Event::Settled(_)
            | Event::Withdrawn => misplaced(Session::Printing(self), &event),
        }
    }
}

impl Paused {
    pub(super) fn step(self, event: Event, now: Timestamp) -> Result<Step, Box<Misplaced>> {
        match event {
            Event::LinkUp => Ok(Step::with(Session::Paused(self), [Effect::Resend])),
            // What was under way when the pause began is acknowledged during it.
            Event::Layers(extent) => Ok(Step::with(Session::Paused(self), [progress(extent, now)])),
            Event::Resume => Ok(Step::to(Session::Printing(Printing { job: self.job }))),
            Event::Finished(outcome, extent) => Ok(ended(self.job, outcome, extent, now)),
            Event::Broken(why) => Ok(halted(why)),
            Event::Enrolled
            | Event::Offered(_)
            | Event::Stored(_)
            | Event::Cleared(_)
            | Event::Unfit
            | Event::KeyHeld
            | Event::Pause
            | Event::Settled(_)
            | Event::Withdrawn => misplaced(Session::Paused(self), &event),
        }
    }
}

impl Reporting {
    pub(super) fn step(self, event: Event) -> Result<Step, Box<Misplaced>> {
        match event {
            Event::LinkUp => Ok(Step::with(Session::Reporting(self), [Effect::Resend])),
            Event::Settled(head) => Ok(closed(self.job, Some(head))),
            Event::Withdrawn => Ok(closed(self.job, None)),
            Event::Broken(why) => Ok(halted(why)),
            Event::Enrolled
            | Event::Offered(_)
            | Event::Stored(_)
            | Event::Cleared(_)
            | Event::Unfit
            | Event::KeyHeld
            | Event::Layers(_)
            | Event::Pause
            | Event::Resume
            | Event::Finished(..) => misplaced(Session::Reporting(self), &event),
        }
    }
}

impl Halted {
    pub(super) fn step(self, event: Event) -> Result<Step, Box<Misplaced>> {
        match event {
            Event::Broken(_) => Ok(Step::to(Session::Halted(self))),
            Event::Enrolled
            | Event::LinkUp
            | Event::Offered(_)
            | Event::Stored(_)
            | Event::Cleared(_)
            | Event::Unfit
            | Event::KeyHeld
            | Event::Layers(_)
            | Event::Pause
            | Event::Resume
            | Event::Finished(..)
            | Event::Settled(_)
            | Event::Withdrawn => misplaced(Session::Halted(self), &event),
        }
    }
}

fn halted(why: Why) -> Step {
    Step::to(Session::Halted(Halted { why }))
}

fn progress(extent: Extent, at: Timestamp) -> Effect {
    Effect::Attest { event: receipt::Event::Progress(extent), at }
}

/// Motion is over, or never was: the final receipt, then the ciphertext goes.
pub(super) fn ended(job: Job, outcome: Outcome, extent: Extent, at: Timestamp) -> Step {
    let receipt = Effect::Attest { event: receipt::Event::Ended(outcome, extent), at };
    Step::with(Session::Reporting(Reporting { job }), [receipt, Effect::Clear])
}

/// Nothing is owed for the job any more.
fn closed(job: Job, head: Option<TreeHead>) -> Step {
    let seen = head.map(|head| Effect::Record(Entry::Head(head)));
    let effects = seen.into_iter().chain([Effect::Record(Entry::Closed(job.id)), Effect::Clear]);
    Step::with(Session::Idle(Idle), effects.collect::<Vec<_>>())
}
