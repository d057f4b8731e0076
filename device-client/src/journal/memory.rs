//! What the journal's entries amount to. Pure: recovery and running fold the same entries by the same code.

use std::collections::BTreeSet;
use std::sync::Arc;

use layerlock_seal::statement::Statement;
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{HoldId, JobId};
use layerlock_terms::receipt::{Event, Extent, Outcome, Receipt};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;

use super::{Entry, TreeHead};

/// What the device remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    counter: u64,
    /// The highest number of an offline print that was begun.
    offline: u64,
    floor: Timestamp,
    /// Shared between a memory and its next, so that only a new job costs a copy.
    spent: Arc<BTreeSet<JobId>>,
    head: Option<TreeHead>,
    active: Option<Active>,
}

/// The one job that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    /// The job.
    pub job: JobId,
    /// Its hold.
    pub hold: HoldId,
    /// Digest of its header's statement.
    pub header: Digest,
    /// Whether the machine may have moved for it.
    pub motion: Motion,
    /// The receipt that the envelope was checked.
    pub checked: Option<Statement>,
    /// The newest receipt of progress.
    pub progress: Option<Statement>,
    /// How far the newest receipt says it came.
    pub extent: Extent,
    /// The final receipt.
    pub ended: Option<Ended>,
    /// The next receipt's number.
    pub sequence: u32,
}

/// Whether the machine may have moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// Not one command was sent.
    None,
    /// Commands may have been sent.
    Begun,
}

/// A final receipt and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The receipt's exact bytes.
    pub receipt: Statement,
    /// How it ended.
    pub outcome: Outcome,
    /// How far it came.
    pub extent: Extent,
}

/// An entry that can't follow those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A counter, a time or a ledger head that goes back.
    #[error("a {0} goes back")]
    GoesBack(&'static str),
    /// A second job before the first is over.
    #[error("{0} begins before the job before it is over")]
    SecondJob(JobId),
    /// A job that was accepted before.
    #[error("{0} was spent before")]
    Spent(JobId),
    /// An entry about a job that isn't the running one.
    #[error("an entry is about a job that is not running")]
    NotRunning,
    /// A receipt that isn't the next one of its job.
    #[error("a receipt is not the next one of its job")]
    Receipt,
}

impl Memory {
    /// The counter of the newest session.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// The highest number of an offline print that was begun; 0 before the first.
    pub fn offline(&self) -> u64 {
        self.offline
    }

    /// The latest moment known to have passed.
    pub fn floor(&self) -> Timestamp {
        self.floor
    }

    /// Whether the job was accepted here, ever.
    pub fn is_spent(&self, job: JobId) -> bool {
        self.spent.contains(&job)
    }

    /// The largest ledger head seen.
    pub fn head(&self) -> Option<TreeHead> {
        self.head
    }

    /// The job that is not over.
    pub fn active(&self) -> Option<&Active> {
        self.active.as_ref()
    }

    /// Folds the next entry; on an error the memory may not be used on.
    pub(crate) fn apply(&mut self, entry: Entry) -> Result<(), Contradiction> {
        match entry {
            Entry::Session { counter } if counter <= self.counter => Err(Contradiction::GoesBack("counter")),
            Entry::Session { counter } => {
                self.counter = counter;
                Ok(())
            }
            Entry::Time(time) if time < self.floor => Err(Contradiction::GoesBack("time")),
            Entry::Time(time) => {
                self.floor = time;
                Ok(())
            }
            Entry::Head(head) => self.see(head),
            Entry::Accepted { job, hold, header } => self.accept(Active::new(job, hold, header)),
            Entry::Moving(job) => {
                self.running(job)?.motion = Motion::Begun;
                Ok(())
            }
            Entry::Attested(receipt) => self.attest(receipt),
            Entry::Closed(job) => {
                self.running(job)?;
                self.active = None;
                Ok(())
            }
            Entry::Spent(job) => self.spend(job),
            Entry::Offline { count } if count <= self.offline => {
                Err(Contradiction::GoesBack("number of an offline print"))
            }
            Entry::Offline { count } => {
                self.offline = count;
                Ok(())
            }
        }
    }

    fn see(&mut self, head: TreeHead) -> Result<(), Contradiction> {
        if self.head.is_some_and(|seen| head.size < seen.size) {
            return Err(Contradiction::GoesBack("ledger head"));
        }
        self.head = Some(head);
        Ok(())
    }

    fn accept(&mut self, job: Active) -> Result<(), Contradiction> {
        match &self.active {
            // A vault that crashed in mid-pressing presses anew, with another header for the same job.
            Some(running) if running.yields_to(&job) => {
                self.active = Some(job);
                return Ok(());
            }
            Some(_) => return Err(Contradiction::SecondJob(job.job)),
            None => {}
        }
        self.spend(job.job)?;
        self.active = Some(job);
        Ok(())
    }

    fn spend(&mut self, job: JobId) -> Result<(), Contradiction> {
        if Arc::make_mut(&mut self.spent).insert(job) { Ok(()) } else { Err(Contradiction::Spent(job)) }
    }

    fn running(&mut self, job: JobId) -> Result<&mut Active, Contradiction> {
        self.active.as_mut().filter(|active| active.job == job).ok_or(Contradiction::NotRunning)
    }

    fn attest(&mut self, statement: Statement) -> Result<(), Contradiction> {
        // The device's own bytes, kept by a checksum: read here without asking its own key again.
        let receipt = Receipt::parse(statement.payload()).map_err(|_| Contradiction::Receipt)?;
        let active = self.running(receipt.job)?;
        // Numbers may have been passed over, by a run that came back from being down; none is used twice.
        if receipt.sequence < active.sequence || active.ended.is_some() {
            return Err(Contradiction::Receipt);
        }
        active.sequence = receipt.sequence.saturating_add(1);
        match receipt.event {
            Event::Checked(_) => active.checked = Some(statement),
            Event::Progress(extent) => {
                active.extent = extent;
                active.progress = Some(statement);
            }
            Event::Ended(outcome, extent) => {
                active.ended = Some(Ended { receipt: statement, outcome, extent });
            }
        }
        Ok(())
    }

    /// The fewest entries that fold to this memory, which has no running job.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let spent = self.spent.iter().copied().map(Entry::Spent);
        let counter = (self.counter > 0).then_some(Entry::Session { counter: self.counter });
        let floor = (self.floor > Timestamp(0)).then_some(Entry::Time(self.floor));
        let offline = (self.offline > 0).then_some(Entry::Offline { count: self.offline });
        counter.into_iter().chain(offline).chain(floor).chain(self.head.map(Entry::Head)).chain(spent)
    }
}

impl Active {
    fn new(job: JobId, hold: HoldId, header: Digest) -> Self {
        Self {
            job,
            hold,
            header,
            motion: Motion::None,
            checked: None,
            progress: None,
            extent: Extent::default(),
            ended: None,
            sequence: 0,
        }
    }

    /// Whether nothing was said about this envelope yet, and nothing moved.
    pub fn is_unsaid(&self) -> bool {
        self.sequence == 0 && self.motion == Motion::None
    }

    /// Whether nothing but another envelope of the same job and hold would change.
    fn yields_to(&self, other: &Self) -> bool {
        self.is_unsaid() && (self.job, self.hold) == (other.job, other.hold)
    }

    /// The receipts to send again after a lost stream, oldest first.
    pub fn receipts(&self) -> impl Iterator<Item = &Statement> {
        let ended = self.ended.as_ref().map(|ended| &ended.receipt);
        self.checked.iter().chain(&self.progress).chain(ended)
    }
}
