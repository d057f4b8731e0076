//! What a job's record makes listable: that it is not over and whose it is, what work it asks for, by when it must have
//! begun to print.
//!
//! The rows follow from the job alone and change in the commit that changes it, so they are never behind it. A row says
//! nothing but its key. Deliberately absent: who does the work (`pull`).

use layerlock_store::{Commit, Expect, Key, Prefix};
use layerlock_terms::ids::{DeviceId, JobId};
use layerlock_terms::units::Timestamp;

use super::key;
use crate::job::Job;

/// What a job waits for somebody to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Ask the licensor.
    Admit,
    /// Slice and seal.
    Press,
    /// Have the hold settled.
    Settle,
}

pub(super) const OPEN: &str = "open-job";
pub(super) const WORK: &str = "work";
pub(super) const DUE: &str = "due-job";

impl Work {
    /// Every kind.
    pub(crate) const ALL: [Self; 3] = [Self::Admit, Self::Press, Self::Settle];

    /// What a job asks for.
    pub(crate) const fn of(job: &Job) -> Option<Self> {
        match job {
            Job::Requested(_) => Some(Self::Admit),
            Job::Admitted(_) | Job::Slicing(_) => Some(Self::Press),
            Job::Closed(_) => Some(Self::Settle),
            Job::Sealed(_) | Job::Delivering(_) | Job::Printing(_) | Job::Settled(_) | Job::Refused(_) => {
                None
            }
        }
    }

    /// Its name in keys and logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Press => "press",
            Self::Settle => "settle",
        }
    }

    /// All jobs that ask for it.
    pub(super) fn prefix(self) -> Prefix {
        prefix(WORK, &[self.name().as_bytes()])
    }

    /// What a row of the table asks for, and which job it is of.
    pub(super) fn of_row(row: &Key) -> Option<(Self, JobId)> {
        let [name, job] = row.parts().try_into().ok()?;
        let work = Self::ALL.into_iter().find(|work| work.name().as_bytes() == name)?;
        Some((work, JobId::from_bytes(job.try_into().ok()?)))
    }
}

/// The device and the job of a row of the open jobs.
pub(super) fn open_row(row: &Key) -> Option<(DeviceId, JobId)> {
    let [device, job] = row.parts().try_into().ok()?;
    Some((DeviceId::from_bytes(device.try_into().ok()?), JobId::from_bytes(job.try_into().ok()?)))
}

/// The moment and the job of a row of the jobs that are due.
pub(super) fn due_row(row: &Key) -> Option<(Timestamp, JobId)> {
    let [at, job] = row.parts().try_into().ok()?;
    Some((Timestamp(u64::from_be_bytes(at.try_into().ok()?)), JobId::from_bytes(job.try_into().ok()?)))
}

/// Adds to `commit` what the rows of a job become when it goes from one state to the next.
pub(super) fn step(commit: Commit, before: Option<&Job>, next: &Job) -> Commit {
    let (old, new) = (before.map(rows).unwrap_or_default(), rows(next));
    let gone = old.iter().filter(|row| !new.contains(row));
    let commit = gone.fold(commit, |commit, row| commit.delete(row.clone(), Expect::Anything));
    let added = new.iter().filter(|row| !old.contains(row));
    added.fold(commit, |commit, row| commit.put(row.clone(), Vec::new(), Expect::Anything))
}

fn rows(job: &Job) -> Vec<Key> {
    let (id, order) = (job.order().job(), job.order());
    let mut rows = Vec::new();
    if !job.is_over() {
        rows.push(key(OPEN, &[order.device().as_bytes(), id.as_bytes()]));
    }
    if let Some(work) = Work::of(job) {
        rows.push(key(WORK, &[work.name().as_bytes(), id.as_bytes()]));
    }
    if let Job::Sealed(_) | Job::Delivering(_) = job {
        rows.push(key(DUE, &[&order.hold().settle_by.0.to_be_bytes(), id.as_bytes()]));
    }
    rows
}

pub(super) fn prefix(table: &'static str, parts: &[&[u8]]) -> Prefix {
    Prefix::new(table, parts).expect("our keys hold names and ids, far below the bound")
}
