//! The session machine: what a device may do next, as pure steps. No wildcard arms: every event is answered
//! in every state.
//!
//! Unenrolled → Idle → Fetching → Checked → Printing ⇄ Paused → Reporting → Idle; any → Halted. A step takes
//! the state and gives the next with the effects to perform *in their order*: a record always stands before
//! what it speaks of. Motion begins from [`Checked`] alone, which holds the evidence that only the check makes.
//! Deliberately absent: bytes, sockets, the machine. `serve` performs the effects.

mod states;

use layerlock_proto::vault::v1 as wire;
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{HoldId, JobId};
use layerlock_terms::receipt::{self, Extent, Outcome};
use layerlock_terms::units::Timestamp;

pub use states::{Checked, Fetching, Halted, Idle, Paused, Printing, Reporting, Unenrolled};

use crate::check::Cleared;
use crate::journal::{Entry, Memory, Motion, TreeHead};

/// Where a device stands.
#[derive(Debug, Clone)]
pub enum Session {
    /// No certificate yet.
    Unenrolled(Unenrolled),
    /// Nothing to do.
    Idle(Idle),
    /// Ciphertext is coming.
    Fetching(Fetching),
    /// The envelope is whole and the machine is there; the first key isn't.
    Checked(Checked),
    /// The machine moves.
    Printing(Printing),
    /// The machine rests in mid-job.
    Paused(Paused),
    /// It is over here; the ledger's entry is awaited.
    Reporting(Reporting),
    /// Nothing goes on until a person has looked.
    Halted(Halted),
}

/// Names one job and one envelope of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// The job.
    pub id: JobId,
    /// Its hold.
    pub hold: HoldId,
    /// Digest of the header's statement.
    pub header: Digest,
}

impl Job {
    /// Asks for its envelope from this segment on.
    pub(crate) fn fetch(&self, from_segment: u32) -> wire::Fetch {
        wire::Fetch { job: self.id.to_string(), from_segment, header: self.header.as_bytes().to_vec() }
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The licensor certified the device.
    Enrolled,
    /// The vault welcomed the device, first or again.
    LinkUp,
    /// An offer passed everything that is checked before the first segment.
    Offered(Job),
    /// So many segments are stored and checked.
    Stored(u32),
    /// The envelope is whole and may be printed here, and the machine answers.
    Cleared(Box<Cleared>),
    /// The envelope is refused, or the machine doesn't answer: before any motion.
    Unfit,
    /// A key of the envelope opened.
    KeyHeld,
    /// The machine acknowledged whole layers.
    Layers(Extent),
    /// The machine or a person wants to pause.
    Pause,
    /// Whoever paused wants to go on.
    Resume,
    /// Motion is over and the machine is safe.
    Finished(Outcome, Extent),
    /// The job's settlement was verified against this ledger head.
    Settled(TreeHead),
    /// The vault will not go on with the job.
    Withdrawn,
    /// Something no step mends.
    Broken(Why),
}

/// Why a device is halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A newer session with this device's keys took over: a clone, or a second copy of this program.
    Fenced,
    /// The vault knows a higher session counter: this device was restored from an older image.
    Behind,
    /// The vault holds two receipts that contradict each other, both by this device's key.
    Cloned,
    /// The operator revoked the device.
    Revoked,
    /// The vault or the ledger showed something that isn't signed as it must be.
    Distrust,
    /// The journal can't be written.
    Journal,
}

/// What is to be done, in order.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Write this to the journal, durably.
    Record(Entry),
    /// Sign a receipt, record it, then send it.
    Attest {
        /// What it says.
        event: receipt::Event,
        /// When.
        at: Timestamp,
    },
    /// Send the recorded receipts of the running job again, byte for byte.
    Resend,
    /// Ask the vault for segments.
    Fetch {
        /// Of which envelope.
        job: Job,
        /// The first one missing.
        from: u32,
    },
    /// Move the machine along this toolpath.
    Move(Box<Cleared>),
    /// Remove the stored ciphertext.
    Clear,
}

/// The next state and what is to be done.
#[derive(Debug)]
pub struct Step {
    /// Where the device stands now.
    pub next: Session,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
}

/// An event that has no meaning in a state; nothing changed.
#[derive(Debug, thiserror::Error)]
#[error("`{event}` has no meaning while {state}")]
pub struct Misplaced {
    /// The state, as it was.
    pub session: Session,
    event: &'static str,
    state: &'static str,
}

impl Session {
    /// The next state.
    ///
    /// # Errors
    /// [`Misplaced`] gives the state back.
    pub fn step(self, event: Event, now: Timestamp) -> Result<Step, Box<Misplaced>> {
        match self {
            Self::Unenrolled(state) => state.step(event),
            Self::Idle(state) => state.step(event),
            Self::Fetching(state) => state.step(event, now),
            Self::Checked(state) => state.step(event, now),
            Self::Printing(state) => state.step(event, now),
            Self::Paused(state) => state.step(event, now),
            Self::Reporting(state) => state.step(event),
            Self::Halted(state) => state.step(event),
        }
    }

    /// Whether the machine is in motion, or rests in mid-job.
    pub(crate) fn moves(&self) -> bool {
        matches!(self, Self::Printing(_) | Self::Paused(_))
    }

    /// Whether the running job goes by this name.
    pub(crate) fn runs(&self, job: &str) -> bool {
        self.job().is_some_and(|running| running.id.to_string() == job)
    }

    /// Where a device stands when it starts with this memory, and what it owes.
    ///
    /// If power was cut before motion, fetching goes on at the first missing segment. If it was cut in motion,
    /// the job has failed at its last recorded extent: what a machine did without being watched is not known,
    /// and nothing is ever printed twice. If it was cut after the end, the final receipt goes out as recorded.
    pub fn recover(memory: &Memory, now: Timestamp) -> Step {
        let Some(active) = memory.active() else { return Step::to(Self::Idle(Idle)) };
        let job = Job { id: active.job, hold: active.hold, header: active.header };
        match (&active.ended, active.motion) {
            (Some(_), _) => Step::to(Self::Reporting(Reporting { job })),
            (None, Motion::Begun) => states::ended(job, Outcome::Failed, active.extent, now),
            (None, Motion::None) => {
                let attested = active.checked.is_some();
                let attested = if attested { states::Attested::Already } else { states::Attested::NotYet };
                Step::to(Self::Fetching(Fetching { job, stored: 0, attested }))
            }
        }
    }

    /// The job that is not over, if there is one.
    pub fn job(&self) -> Option<Job> {
        match self {
            Self::Fetching(Fetching { job, .. })
            | Self::Checked(Checked { job, .. })
            | Self::Printing(Printing { job })
            | Self::Paused(Paused { job })
            | Self::Reporting(Reporting { job }) => Some(*job),
            Self::Unenrolled(_) | Self::Idle(_) | Self::Halted(_) => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Unenrolled(_) => "not enrolled",
            Self::Idle(_) => "idle",
            Self::Fetching(_) => "fetching",
            Self::Checked(_) => "checked",
            Self::Printing(_) => "printing",
            Self::Paused(_) => "paused",
            Self::Reporting(_) => "reporting",
            Self::Halted(_) => "halted",
        }
    }
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::LinkUp => "link up",
            Self::Offered(_) => "offered",
            Self::Stored(_) => "stored",
            Self::Cleared(_) => "cleared",
            Self::Unfit => "unfit",
            Self::KeyHeld => "key held",
            Self::Layers(_) => "layers",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Finished(..) => "finished",
            Self::Settled(_) => "settled",
            Self::Withdrawn => "withdrawn",
            Self::Broken(_) => "broken",
        }
    }
}

impl Step {
    fn to(next: Session) -> Self {
        Self { next, effects: Vec::new() }
    }

    fn with(next: Session, effects: impl Into<Vec<Effect>>) -> Self {
        Self { next, effects: effects.into() }
    }
}

fn misplaced(session: Session, event: &Event) -> Result<Step, Box<Misplaced>> {
    let (event, state) = (event.name(), session.name());
    Err(Box::new(Misplaced { session, event, state }))
}

#[cfg(test)]
mod tests;
