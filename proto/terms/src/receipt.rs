//! What is said about a job: receipts by the device, reports and countersignatures by the vault, settlements by
//! the licensor. Nouns of `proto/spec/receipt.md`.
//!
//! A settlement is what the ledger holds, blinded. It says how a hold ended and how many copies that left:
//! granted = free + held + spent, always.

use crate::digest::Digest;
use crate::ids::{DeviceId, HoldId, JobId, LicenseId};
use crate::units::Timestamp;
use crate::wire::{Malformed, Noun, Reader, Writer};
use alloc::vec::Vec;

/// Signed by the device about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The device.
    pub device: DeviceId,
    /// The job.
    pub job: JobId,
    /// The hold the job runs under.
    pub hold: HoldId,
    /// Counts up within the job, from zero.
    pub sequence: u32,
    /// The device's clock.
    pub at: Timestamp,
    /// What is said.
    pub event: Event,
}

/// What a receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The whole envelope is authenticated: this is the digest of its signed manifest.
    Checked(Digest),
    /// The machine acknowledged this much.
    Progress(Extent),
    /// It is over.
    Ended(Outcome, Extent),
}

/// How far a print came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Layers whose every line the machine acknowledged.
    pub layers: u32,
    /// Layers of the whole toolpath, by its signed manifest; zero while the device has not seen that yet.
    pub total_layers: u32,
    /// Lines acknowledged.
    pub lines: u64,
    /// Filament fed, micrometres.
    pub filament_um: u64,
}

/// How a print ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// Every layer was acknowledged and the machine has come to rest.
    Printed = 1,
    /// The machine or the link gave up.
    Failed = 2,
    /// A person stopped it.
    Cancelled = 3,
}

/// Signed by the vault about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReport {
    /// The job.
    pub job: JobId,
    /// The hold the job runs under.
    pub hold: HoldId,
    /// The vault's clock.
    pub at: Timestamp,
    /// What is said.
    pub event: JobEvent,
}

/// What a job report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum JobEvent {
    /// The job may be pressed; the hold is used.
    Admitted = 1,
    /// The job ended before any key was released: nothing can have been printed.
    Withdrawn = 2,
}

/// Signed by the vault about a device's final receipt: the job is closed by it, and no further key leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countersignature {
    /// The job.
    pub job: JobId,
    /// The hold the job ran under.
    pub hold: HoldId,
    /// Digest of the receipt's statement.
    pub receipt: Digest,
    /// The vault's clock.
    pub at: Timestamp,
}

/// Signed by the licensor: how a hold ended. Its blinded hash is the ledger's leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The license.
    pub license: LicenseId,
    /// The hold that ended.
    pub hold: HoldId,
    /// The job it was for.
    pub job: JobId,
    /// When it was settled.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// What became of the copy.
    pub copy: CopyOutcome,
    /// The license's copies after it.
    pub counts: Counts,
}

/// Why a hold was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// The device's final receipt: printed.
    Printed = 1,
    /// The device's final receipt: failed.
    Failed = 2,
    /// The device's final receipt: cancelled.
    Cancelled = 3,
    /// The vault withdrew the job before any key was released.
    Withdrawn = 4,
    /// No vault admitted the job in time.
    NotAdmitted = 5,
    /// No final receipt came in time.
    Overdue = 6,
}

/// What became of a held copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CopyOutcome {
    /// Printed, or treated as printed by the failure policy.
    Spent = 1,
    /// Free again.
    Returned = 2,
}

/// A license's copies: granted = free + held + spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Licensed prints.
    pub granted: u32,
    /// May still be held.
    pub free: u32,
    /// Reserved for running jobs.
    pub held: u32,
    /// Used.
    pub spent: u32,
}

macro_rules! closed_list {
    ($name:ident, $field:literal, [$($variant:ident),+]) => {
        impl $name {
            fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
                let code = r.u8($field)?;
                [$(Self::$variant),+].into_iter().find(|v| *v as u8 == code).ok_or(Malformed::Value($field))
            }
        }
    };
}

// RC-2, RC-3, RC-4, RC-5
closed_list!(Outcome, "outcome", [Printed, Failed, Cancelled]);
closed_list!(JobEvent, "event", [Admitted, Withdrawn]);
closed_list!(Cause, "cause", [Printed, Failed, Cancelled, Withdrawn, NotAdmitted, Overdue]);
closed_list!(CopyOutcome, "copy", [Spent, Returned]);

impl Cause {
    /// As metrics and lists show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Printed => "printed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Withdrawn => "withdrawn",
            Self::NotAdmitted => "not-admitted",
            Self::Overdue => "overdue",
        }
    }
}

impl From<Outcome> for Cause {
    /// The cause a final receipt of this outcome gives.
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Printed => Self::Printed,
            Outcome::Failed => Self::Failed,
            Outcome::Cancelled => Self::Cancelled,
        }
    }
}

impl Extent {
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            layers: r.u32("layers")?,
            total_layers: r.u32("total_layers")?,
            lines: r.u64("lines")?,
            filament_um: r.u64("filament_um")?,
        })
    }

    fn write(self, w: &mut Writer) {
        w.u32(self.layers).u32(self.total_layers).u64(self.lines).u64(self.filament_um);
    }
}

impl Counts {
    /// All copies free.
    pub const fn granted(copies: u32) -> Self {
        Self { granted: copies, free: copies, held: 0, spent: 0 }
    }

    /// Says whether granted = free + held + spent.
    pub fn balanced(&self) -> bool {
        [self.free, self.held, self.spent].into_iter().map(u64::from).sum::<u64>() == u64::from(self.granted)
    }

    /// Reads the byte form inside a larger noun; refuses counts that do not balance (RC-6).
    pub fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let counts = Self {
            granted: r.u32("granted")?,
            free: r.u32("free")?,
            held: r.u32("held")?,
            spent: r.u32("spent")?,
        };
        if counts.balanced() { Ok(counts) } else { Err(Malformed::Value("counts")) }
    }

    /// Writes the byte form inside a larger noun.
    pub fn write(&self, w: &mut Writer) {
        w.u32(self.granted).u32(self.free).u32(self.held).u32(self.spent);
    }
}

impl Event {
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.u8("event")? {
            1 => Ok(Self::Checked(Digest(r.array("manifest")?))),
            2 => Ok(Self::Progress(Extent::read(r)?)),
            3 => Ok(Self::Ended(Outcome::read(r)?, Extent::read(r)?)),
            // RC-1
            _ => Err(Malformed::Value("event")),
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Checked(manifest) => {
                w.u8(1).raw(manifest.as_bytes());
            }
            Self::Progress(extent) => extent.write(w.u8(2)),
            Self::Ended(outcome, extent) => extent.write(w.u8(3).u8(*outcome as u8)),
        }
    }
}

impl Noun for Receipt {
    const TYPE: &'static str = "layerlock/receipt/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let receipt = Self {
            device: DeviceId::from_bytes(r.array("device")?),
            job: JobId::from_bytes(r.array("job")?),
            hold: HoldId::from_bytes(r.array("hold")?),
            sequence: r.u32("sequence")?,
            at: Timestamp(r.u64("at")?),
            event: Event::read(&mut r)?,
        };
        r.finish()?;
        Ok(receipt)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.device.as_bytes()).raw(self.job.as_bytes()).raw(self.hold.as_bytes());
        w.u32(self.sequence).u64(self.at.0);
        self.event.write(&mut w);
        w.finish()
    }
}

impl Noun for JobReport {
    const TYPE: &'static str = "layerlock/job-report/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let report = Self {
            job: JobId::from_bytes(r.array("job")?),
            hold: HoldId::from_bytes(r.array("hold")?),
            at: Timestamp(r.u64("at")?),
            event: JobEvent::read(&mut r)?,
        };
        r.finish()?;
        Ok(report)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.job.as_bytes()).raw(self.hold.as_bytes()).u64(self.at.0).u8(self.event as u8);
        w.finish()
    }
}

impl Noun for Countersignature {
    const TYPE: &'static str = "layerlock/countersignature/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let countersignature = Self {
            job: JobId::from_bytes(r.array("job")?),
            hold: HoldId::from_bytes(r.array("hold")?),
            receipt: Digest(r.array("receipt")?),
            at: Timestamp(r.u64("at")?),
        };
        r.finish()?;
        Ok(countersignature)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.job.as_bytes()).raw(self.hold.as_bytes()).raw(self.receipt.as_bytes()).u64(self.at.0);
        w.finish()
    }
}

impl Noun for Settlement {
    const TYPE: &'static str = "layerlock/settlement/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let settlement = Self {
            license: LicenseId::from_bytes(r.array("license")?),
            hold: HoldId::from_bytes(r.array("hold")?),
            job: JobId::from_bytes(r.array("job")?),
            at: Timestamp(r.u64("at")?),
            cause: Cause::read(&mut r)?,
            copy: CopyOutcome::read(&mut r)?,
            counts: Counts::read(&mut r)?,
        };
        r.finish()?;
        Ok(settlement)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.license.as_bytes()).raw(self.hold.as_bytes()).raw(self.job.as_bytes());
        w.u64(self.at.0).u8(self.cause as u8).u8(self.copy as u8);
        self.counts.write(&mut w);
        w.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_of_every_kind_reads_back_from_its_bytes() {
        let extent = Extent { layers: 3, total_layers: 7, lines: 400, filament_um: 5_000 };
        for event in [
            Event::Checked(Digest([9; 32])),
            Event::Progress(extent),
            Event::Ended(Outcome::Cancelled, extent),
        ] {
            let receipt = Receipt {
                device: DeviceId::from_bytes([1; 16]),
                job: JobId::from_bytes([2; 16]),
                hold: HoldId::from_bytes([3; 16]),
                sequence: 4,
                at: Timestamp(5),
                event,
            };
            assert_eq!(Receipt::parse(&receipt.emit()), Ok(receipt));
        }
    }

    #[test]
    fn a_countersignature_reads_back_from_its_bytes_and_from_no_fewer() {
        let countersignature = Countersignature {
            job: JobId::from_bytes([2; 16]),
            hold: HoldId::from_bytes([3; 16]),
            receipt: Digest([9; 32]),
            at: Timestamp(5),
        };
        let bytes = countersignature.emit();
        assert!((0..bytes.len()).all(|end| Countersignature::parse(&bytes[..end]).is_err()));
        assert_eq!(Countersignature::parse(&bytes), Ok(countersignature));
    }

    #[test]
    fn counts_that_do_not_balance_are_refused() {
        let mut w = Writer::new();
        Counts { granted: 2, free: 1, held: 1, spent: 1 }.write(&mut w);
        assert_eq!(Counts::read(&mut Reader::new(&w.finish())), Err(Malformed::Value("counts")));
    }
}
