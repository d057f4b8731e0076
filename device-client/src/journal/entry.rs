//! One entry of the journal: bytes seen and bytes meant. These bytes never leave the device.

use layerlock_seal::statement::Statement;
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{HoldId, JobId};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Reader, Writer};

/// Longest receipt statement, in bytes.
const RECEIPT_LIMIT: u32 = 1024;

/// What is recorded, and before which effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Before a session is asked for under this counter.
    Session {
        /// Counts up.
        counter: u64,
    },
    /// Before anything is decided by a time the vault signed.
    Time(Timestamp),
    /// Before the first segment is asked for: from here the job is spent on this device.
    Accepted {
        /// The job.
        job: JobId,
        /// Its hold.
        hold: HoldId,
        /// Digest of the header's statement: another header for the same job is another envelope.
        header: Digest,
    },
    /// Before the first command is sent to the machine.
    Moving(JobId),
    /// Before a receipt is sent: the receipt itself, which is sent again as it stands until it is answered.
    Attested(Statement),
    /// Before the job is forgotten: nothing is owed for it any more.
    Closed(JobId),
    /// Before a ledger head is believed.
    Head(TreeHead),
    /// Spent in an earlier journal that was written anew.
    Spent(JobId),
    /// Before the first move under keys that were released for an offline print of this number.
    Offline {
        /// Counts up.
        count: u64,
    },
}

/// The largest head of the ledger this device has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Leaves.
    pub size: u64,
    /// Root of the tree.
    pub root: Digest,
}

impl Entry {
    /// Reads the one byte form.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let entry = match r.u8("kind")? {
            1 => Self::Session { counter: r.u64("counter")? },
            2 => Self::Time(Timestamp(r.u64("time")?)),
            3 => Self::Accepted {
                job: job(&mut r)?,
                hold: HoldId::from_bytes(r.array("hold")?),
                header: Digest(r.array("header")?),
            },
            4 => Self::Moving(job(&mut r)?),
            5 => Self::Attested(Statement::parse(r.bytes("receipt", RECEIPT_LIMIT)?)?),
            6 => Self::Closed(job(&mut r)?),
            7 => Self::Head(TreeHead { size: r.u64("size")?, root: Digest(r.array("root")?) }),
            8 => Self::Spent(job(&mut r)?),
            9 => Self::Offline { count: r.u64("count")? },
            _ => return Err(Malformed::Value("kind")),
        };
        r.finish()?;
        Ok(entry)
    }

    /// Writes the one byte form.
    pub(crate) fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match self {
            Self::Session { counter } => w.u8(1).u64(*counter),
            Self::Time(time) => w.u8(2).u64(time.0),
            Self::Accepted { job, hold, header } => {
                w.u8(3).raw(job.as_bytes()).raw(hold.as_bytes()).raw(header.as_bytes())
            }
            Self::Moving(job) => w.u8(4).raw(job.as_bytes()),
            Self::Attested(receipt) => w.u8(5).bytes(&receipt.emit()),
            Self::Closed(job) => w.u8(6).raw(job.as_bytes()),
            Self::Head(head) => w.u8(7).u64(head.size).raw(head.root.as_bytes()),
            Self::Spent(job) => w.u8(8).raw(job.as_bytes()),
            Self::Offline { count } => w.u8(9).u64(*count),
        };
        w.finish()
    }
}

fn job(r: &mut Reader<'_>) -> Result<JobId, Malformed> {
    Ok(JobId::from_bytes(r.array("job")?))
}
