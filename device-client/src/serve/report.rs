//! What serving tells: notices for a person while it goes on, a report when a job is over.

use layerlock_terms::ids::JobId;
use layerlock_terms::receipt::{Extent, Outcome};
use layerlock_terms::toolpath::Layer;

use super::Work;
use crate::check::{Cleared, Refusal};
use crate::journal::{Active, JournalError};
use crate::ledger::{Entered, LedgerError};
use crate::link::LinkError;
use crate::preflight::Unready;
use crate::print::Failure;
use crate::printer::simulated::Record;
use crate::printer::{LinkStats, PrinterError, PrinterEvent, Temperatures};
use crate::trust::TrustError;

/// What happens, for a person or a picture.
#[derive(Debug)]
pub enum Notice<'a> {
    /// The vault has proved itself and the session is open.
    LinkUp,
    /// The stream is lost, or an attempt failed; another follows.
    LinkLost {
        /// Attempts in a row that failed.
        attempts: u32,
        /// Why.
        why: &'a str,
    },
    /// A job was offered and may be fetched.
    Offered {
        /// Which.
        job: JobId,
    },
    /// A job waits for somebody at the machine.
    Unready {
        /// Which.
        job: &'a str,
        /// What must be mended.
        why: &'a Unready,
    },
    /// Segments were stored and checked.
    Segments {
        /// So far.
        stored: u32,
        /// Of so many, once the manifest is known.
        of: Option<u32>,
    },
    /// The whole envelope is authenticated.
    Checked(&'a Cleared),
    /// The first commands go out: the machine heats.
    Heating,
    /// Its owner wants the print to pause: it does once the machine has made what it holds.
    Pausing,
    /// The print rests: its owner or the machine asked for it.
    Paused,
    /// It goes on.
    Resumed,
    /// This layer's commands go out next.
    Layer(&'a Layer),
    /// The machine acknowledged whole layers.
    Progress {
        /// So many.
        layers: u32,
        /// Of so many.
        of: u32,
    },
    /// What the machine's heaters have, once it differs from what was told before.
    Temperatures(Temperatures),
    /// The machine asks or reports something.
    Machine(&'a PrinterEvent),
    /// The print is broken off: the machine is being made safe.
    Stopping(&'a Failure),
    /// Motion is over; the ledger's entry is awaited.
    Ended {
        /// How, as the final receipt says.
        outcome: Outcome,
        /// How far it came, as the final receipt says.
        extent: Extent,
        /// Why it didn't end as printed.
        why: Option<&'a Failure>,
        /// What kept the machine from being made safe: a person must see to it.
        unsafe_for: Option<&'a PrinterError>,
    },
    /// The job is in the ledger, verified.
    Settled(&'a Entered),
    /// Something was refused before any motion.
    Refused(&'a Refusal),
    /// A job is over.
    Over(&'a PrintReport),
}

/// What became of one job.
#[derive(Debug)]
pub struct PrintReport {
    /// The job.
    pub job: JobId,
    /// How it ended, as the final receipt says.
    pub outcome: Outcome,
    /// How far it came, as the final receipt says.
    pub extent: Extent,
    /// Why it didn't end as printed.
    pub failure: Option<Failure>,
    /// Segments of the envelope that were authenticated.
    pub segments: u32,
    /// What crossed the cable to the machine.
    pub link: LinkStats,
    /// What a simulated machine did.
    pub record: Option<Record>,
    /// The job's place in the ledger, verified; `None` where the vault ended the job without one.
    pub entry: Option<Entered>,
}

/// Why serving is over.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The journal can't be trusted or written.
    #[error("{0}")]
    Journal(#[source] JournalError),
    /// The spool can't be written.
    #[error("the spool can't be read or written: {0}; free the disk")]
    Spool(#[source] std::io::Error),
    /// The link is over for good.
    #[error("{0}")]
    Link(#[source] LinkError),
    /// The vault's certificate isn't believed.
    #[error("the vault is not believed: {0}")]
    Trust(#[source] TrustError),
    /// The ledger shows something it must not.
    #[error("{0}")]
    Ledger(#[source] LedgerError),
    /// The one job offered isn't for this device.
    #[error("{0}")]
    Refused(#[source] Refusal),
    /// The vault can't be reached; a final receipt that is owed goes out at the next start.
    #[error("the vault can't be reached after {attempts} attempts: {}; check the address, then start again", .status.message())]
    Unreachable {
        /// Attempts in a row.
        attempts: u32,
        /// What the last one said.
        status: Box<tonic::Status>,
    },
}

impl PrintReport {
    pub(super) fn of(active: &Active, work: Option<Work>, entry: Option<Entered>) -> Self {
        let ended = active.ended.as_ref();
        let mut report = Self {
            job: active.job,
            outcome: ended.map_or(Outcome::Failed, |ended| ended.outcome),
            extent: ended.map_or(active.extent, |ended| ended.extent),
            failure: None,
            segments: 0,
            link: LinkStats::default(),
            record: None,
            entry,
        };
        if let Some(work) = work {
            report.segments = work.of.unwrap_or_default();
            (report.failure, report.link, report.record) = (work.failure, work.link, work.record);
        }
        report
    }
}
