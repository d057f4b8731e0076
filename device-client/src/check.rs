//! The check, hop 9: may this device print this envelope, and is it whole? No key is needed for the answer.
//!
//! [`Examination`] takes an offer, then segments in order, then the manifest; it leaves [`Cleared`], without
//! which nothing in this crate moves a machine. A live job and a recorded one run through the same code. The
//! reasons of a [`Refusal`] are a closed list. Deliberately absent: opening. Ciphertext is all that is read.

use std::io;
use std::path::Path;

use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::{self, Checker, SegmentInfo};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest, Summary};
use layerlock_terms::ids::{DeviceId, JobId};
use layerlock_terms::license::{Hold, License};
use layerlock_terms::machine::Machine;
use layerlock_terms::release::KeyRelease;
use layerlock_terms::trust::Role;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Noun};

use crate::journal::Memory;
use crate::session::Job;
use crate::spool::Spool;
use crate::trust::{Anchors, TrustError};

/// Most sealed bytes of one job that a device stores.
pub const ENVELOPE_LIMIT: u64 = 4 << 30;

/// Three statements that say what may be printed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The envelope's header, by the vault.
    pub header: Statement,
    /// The license, by the licensor.
    pub license: Statement,
    /// The hold, by the licensor.
    pub hold: Statement,
}

/// An offer and its envelope as recorded bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedOffer {
    /// Statement: header.
    pub header: Vec<u8>,
    /// Statement: license.
    pub license: Vec<u8>,
    /// Statement: hold.
    pub hold: Vec<u8>,
    /// The framed segments in the order they came.
    pub segments: Vec<Vec<u8>>,
    /// Statement: manifest.
    pub manifest: Vec<u8>,
}

/// What an offer is held against.
pub(crate) struct Standing<'a> {
    pub device: DeviceId,
    pub machine: &'static Machine,
    pub anchors: &'a Anchors,
    pub memory: &'a Memory,
    pub now: Timestamp,
}

/// An offer that was taken; its envelope is being checked as it comes.
pub struct Examination {
    header: Verified<EnvelopeHeader>,
    license: Verified<License>,
    hold: Verified<Hold>,
    machine: &'static Machine,
    checker: Checker,
    sealed_bytes: u64,
}

/// A whole envelope this device may print. Made by [`Examination::finish`] alone.
#[derive(Debug, Clone)]
pub struct Cleared {
    envelope: toolpath::Checked,
    license: Verified<License>,
    hold: Verified<Hold>,
    manifest_digest: Digest,
}

/// Why this device does not print an envelope: the closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Bytes that aren't a statement.
    #[error("the {what} can't be read: {why}; ask the vault for the job again")]
    Malformed {
        /// Which statement.
        what: &'static str,
        /// Why.
        why: Malformed,
    },
    /// A statement nobody we believe has signed.
    #[error("the {what} is not believed: {why}; nothing was printed, tell the seller")]
    NotTrusted {
        /// Which statement.
        what: &'static str,
        /// Why.
        why: TrustError,
    },
    /// It was made for another device.
    #[error("the {what} is bound to {bound_to}, this is {here}; ask for a job for this device")]
    OtherDevice {
        /// Which statement.
        what: &'static str,
        /// The device it names.
        bound_to: DeviceId,
        /// This device.
        here: DeviceId,
    },
    /// It was sliced for another machine.
    #[error("it was sliced for `{made_for}`, the machine here is `{here}`; ask for a job for this machine")]
    OtherMachine {
        /// The machine it names.
        made_for: String,
        /// The machine here.
        here: &'static str,
    },
    /// Two statements that don't belong together.
    #[error(
        "the {this} does not belong to the {that}: their {field} differ; ask the vault for the job again"
    )]
    Spliced {
        /// One.
        this: &'static str,
        /// The other.
        that: &'static str,
        /// Where they differ.
        field: &'static str,
    },
    /// The license doesn't name this device.
    #[error("the license does not allow {0}; print on a device it names")]
    DeviceNotAllowed(DeviceId),
    /// Past its end.
    #[error("the {what} ended at {at}, it is {now} (milliseconds since 1970); ask for a new job", at = .at.0, now = .now.0)]
    Expired {
        /// What ended.
        what: &'static str,
        /// When.
        at: Timestamp,
        /// The trusted time now.
        now: Timestamp,
    },
    /// The job was run here before.
    #[error("{0} was spent on this device already: one job is one print, ask for a new one")]
    Spent(JobId),
    /// A segment or the manifest isn't as signed.
    #[error("{0}; not one command of it reaches the machine, ask the vault for the job again")]
    Envelope(#[from] toolpath::Refused),
    /// More than a device stores.
    #[error("the envelope is over {limit} bytes; print a smaller part", limit = ENVELOPE_LIMIT)]
    TooLarge,
    /// It leaves the machine's volume.
    #[error("it prints outside the machine's {axis} range; ask for a smaller scale")]
    OutsideMachine {
        /// The axis.
        axis: char,
    },
    /// Keys for an offline print that were used here, or are older than some that were.
    #[error(
        "these are the keys of this device's offline print {count}, and it has used those of {used}: an old release \
         was sent again, or this device was restored from an image; go online for fresh ones"
    )]
    OfflineUsed {
        /// The release's number.
        count: u64,
        /// The highest number used here.
        used: u64,
    },
    /// A key that doesn't open here.
    #[error(
        "the key of epoch {epoch} can't be opened here: it was wrapped to another device or for another job"
    )]
    CannotUnwrap {
        /// The epoch.
        epoch: u32,
    },
}

impl Refusal {
    /// Whether the segments that came are not those that were sealed.
    pub(crate) fn is_of_stored_bytes(&self) -> bool {
        matches!(self, Self::Envelope(toolpath::Refused { reason: toolpath::Reason::BadManifest(_), .. }))
    }
}

impl RecordedOffer {
    /// What the device at `home` stored of `job` so far, if it is that job's envelope that lies there.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn in_spool(home: &Path, job: JobId) -> io::Result<Option<Self>> {
        let Some(found) = Spool::find(home, job)? else { return Ok(None) };
        let segments = (0..found.spool.segments()).map(|index| found.spool.segment(index));
        Ok(Some(Self {
            header: found.offer.header.emit(),
            license: found.offer.license.emit(),
            hold: found.offer.hold.emit(),
            segments: segments.collect::<Result<_, _>>()?,
            manifest: found.manifest.unwrap_or_default(),
        }))
    }
}

/// Reads an envelope's header that a vault this device trusts signed.
///
/// # Errors
/// [`Refusal::Malformed`], [`Refusal::NotTrusted`].
pub(crate) fn trusted_header(bytes: &[u8], here: &Standing<'_>) -> Result<Verified<EnvelopeHeader>, Refusal> {
    trusted("header", Role::Vault, &statement("header", bytes)?, here)
}

/// Reads a key release that the vault of this envelope signed.
///
/// # Errors
/// [`Refusal::Malformed`], [`Refusal::NotTrusted`].
pub(crate) fn key_release(
    bytes: &[u8],
    header: &Verified<EnvelopeHeader>,
) -> Result<Verified<KeyRelease>, Refusal> {
    let not_trusted = |why| Refusal::NotTrusted { what: "key release", why: TrustError::Refused(why) };
    statement("key release", bytes)?.verify(header.signer()).map_err(not_trusted)
}

impl Offer {
    /// Reads the three statements.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] names the one that isn't.
    pub fn parse(header: &[u8], license: &[u8], hold: &[u8]) -> Result<Self, Refusal> {
        Ok(Self {
            header: statement("header", header)?,
            license: statement("license", license)?,
            hold: statement("hold", hold)?,
        })
    }
}

impl Examination {
    /// The digest of the profile it was sliced with.
    pub(crate) fn profile(&self) -> &Digest {
        &self.header.profile
    }

    /// Holds an offer against everything known before the first segment.
    ///
    /// # Errors
    /// [`Refusal`]; signatures first, then what belongs together, then this device, then time.
    pub(crate) fn begin(offer: &Offer, here: &Standing<'_>) -> Result<Self, Refusal> {
        let license: Verified<License> = trusted("license", Role::Licensor, &offer.license, here)?;
        let hold: Verified<Hold> = trusted("hold", Role::Licensor, &offer.hold, here)?;
        let header: Verified<EnvelopeHeader> = trusted("header", Role::Vault, &offer.header, here)?;
        belong_together(&header, &license, &hold)?;
        meant_for(here, &header, &license, &hold)?;
        fresh(here, &license, &hold)?;
        let checker = Checker::new(header.clone());
        Ok(Self { header, license, hold, machine: here.machine, checker, sealed_bytes: 0 })
    }

    /// Checks the next segment.
    ///
    /// # Errors
    /// [`Refusal::Envelope`] at the index that was due, [`Refusal::TooLarge`].
    pub fn segment(&mut self, bytes: &[u8]) -> Result<SegmentInfo, Refusal> {
        let sealed_bytes = self.sealed_bytes + bytes.len() as u64;
        if sealed_bytes > ENVELOPE_LIMIT {
            return Err(Refusal::TooLarge);
        }
        let info = self.checker.segment(bytes)?;
        self.sealed_bytes = sealed_bytes;
        Ok(info)
    }

    /// Checks the manifest against what came; the envelope is then whole.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn finish(self, manifest: &[u8]) -> Result<Cleared, Refusal> {
        let statement = statement("manifest", manifest)?;
        let not_trusted = |why| Refusal::NotTrusted { what: "manifest", why: TrustError::Refused(why) };
        let manifest: Verified<Manifest> = statement.verify(self.header.signer()).map_err(not_trusted)?;
        let envelope = self.checker.finish(&manifest)?;
        within(&manifest.summary, self.machine)?;
        let manifest_digest = statement.digest();
        Ok(Cleared { envelope, license: self.license, hold: self.hold, manifest_digest })
    }

    /// What it is about, as the session names it.
    pub(crate) fn job(&self) -> Job {
        let header = self.header.statement().digest();
        Job { id: self.hold.job, hold: self.hold.id, header }
    }
}

impl Cleared {
    /// The evidence that the envelope is whole.
    pub fn envelope(&self) -> &toolpath::Checked {
        &self.envelope
    }

    /// The license it is printed under.
    pub fn license(&self) -> &License {
        &self.license
    }

    /// The hold it is printed under.
    pub fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Digest of the manifest's statement, as the receipt says it.
    pub fn manifest_digest(&self) -> Digest {
        self.manifest_digest
    }
}

/// Runs a recorded offer and its envelope through the whole check.
pub(crate) fn examine(recorded: &RecordedOffer, here: &Standing<'_>) -> Result<Cleared, Refusal> {
    let offer = Offer::parse(&recorded.header, &recorded.license, &recorded.hold)?;
    let mut examination = Examination::begin(&offer, here)?;
    for segment in &recorded.segments {
        examination.segment(segment)?;
    }
    examination.finish(&recorded.manifest)
}

fn statement(what: &'static str, bytes: &[u8]) -> Result<Statement, Refusal> {
    Statement::parse(bytes).map_err(|why| Refusal::Malformed { what, why })
}

fn trusted<T: Noun>(
    what: &'static str,
    role: Role,
    statement: &Statement,
    here: &Standing<'_>,
) -> Result<Verified<T>, Refusal> {
    here.anchors.verify(role, statement, here.now).map_err(|why| Refusal::NotTrusted { what, why })
}

/// Rightly signed statements of three different jobs make no job (attack N7).
fn belong_together(header: &EnvelopeHeader, license: &License, hold: &Hold) -> Result<(), Refusal> {
    let same = |equal, this, that, field| match equal {
        true => Ok(()),
        false => Err(Refusal::Spliced { this, that, field }),
    };
    same(hold.license == license.id, "hold", "license", "license ids")?;
    same(header.license == license.id, "header", "license", "license ids")?;
    same(header.design_version == license.version, "header", "license", "design versions")?;
    same(header.hold == hold.id, "header", "hold", "hold ids")?;
    same(header.job == hold.job, "header", "hold", "job ids")
}

fn meant_for(
    here: &Standing<'_>,
    header: &EnvelopeHeader,
    license: &License,
    hold: &Hold,
) -> Result<(), Refusal> {
    for (what, bound_to) in [("hold", hold.device), ("header", header.device)] {
        if bound_to != here.device {
            return Err(Refusal::OtherDevice { what, bound_to, here: here.device });
        }
    }
    if !license.terms.allows_device(here.device) {
        return Err(Refusal::DeviceNotAllowed(here.device));
    }
    if header.machine != here.machine.name {
        return Err(Refusal::OtherMachine { made_for: header.machine.clone(), here: here.machine.name });
    }
    Ok(())
}

fn fresh(here: &Standing<'_>, license: &License, hold: &Hold) -> Result<(), Refusal> {
    // A running job is taken up again; any other job that was ever accepted here is spent (attack D3).
    let running = here.memory.active().is_some_and(|active| active.job == hold.job && active.ended.is_none());
    if here.memory.is_spent(hold.job) && !running {
        return Err(Refusal::Spent(hold.job));
    }
    let now = here.now;
    if now >= hold.settle_by {
        return Err(Refusal::Expired { what: "hold", at: hold.settle_by, now });
    }
    match license.terms.expires {
        layerlock_terms::license::Expiry::At(at) if now >= at => {
            Err(Refusal::Expired { what: "license", at, now })
        }
        layerlock_terms::license::Expiry::At(_) | layerlock_terms::license::Expiry::Never => Ok(()),
    }
}

fn within(summary: &Summary, machine: &Machine) -> Result<(), Refusal> {
    let axes = [
        ('x', summary.min.x, summary.max.x, machine.volume[0]),
        ('y', summary.min.y, summary.max.y, machine.volume[1]),
        ('z', summary.min.z, summary.max.z, machine.volume[2]),
    ];
    match axes.into_iter().find(|(_, min, max, side)| *min < 0 || *max > side.0) {
        Some((axis, ..)) => Err(Refusal::OutsideMachine { axis }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
