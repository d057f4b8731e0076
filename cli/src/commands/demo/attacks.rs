//! Three attacks on the print that was just made, by people who have what they could really have.
//!
//! The recorded envelope is what lay on the device's disk when it had fetched everything: an eavesdropper on the
//! wire or a thief of the disk has no more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use layerlock_device::{Device, RecordedOffer, Refusal};
use layerlock_terms::ids::JobId;

use super::DemoError;
use super::report::Refused;

/// A copy of a device's folder, taken while it printed.
pub struct Loot(PathBuf);

impl Loot {
    /// Copies everything below `home`.
    pub fn take(home: &Path, to: PathBuf) -> io::Result<Self> {
        copy(home, &to)?;
        Ok(Self(to))
    }

    /// The envelope in it.
    pub fn envelope(&self, job: JobId) -> Result<RecordedOffer, DemoError> {
        let found = RecordedOffer::in_spool(&self.0, job)?;
        found
            .ok_or_else(|| DemoError::Broken("the recorded envelope is not where the device keeps it".into()))
    }

    /// The device as it was then, on a machine of the thief's.
    pub fn device(&self) -> Result<Device, DemoError> {
        Ok(Device::open(&self.0)?)
    }
}

/// Tries all three.
pub fn try_all(
    printed_on: &mut Device,
    another: &mut Device,
    loot: &Loot,
    job: JobId,
) -> Result<Vec<Refused>, DemoError> {
    let recorded = loot.envelope(job)?;
    let mut tampered = recorded.clone();
    let victim = tampered.segments.len() / 2;
    let segment = &mut tampered.segments[victim];
    let middle = segment.len() / 2;
    segment[middle] ^= 1;
    Ok(vec![
        refused("a second device with the same envelope", another.examine(&recorded).map(drop), |refusal| {
            matches!(refusal, Refusal::OtherDevice { .. })
        })?,
        refused(
            "the same job again on the same device",
            printed_on.examine(&recorded).map(drop),
            |refusal| matches!(refusal, Refusal::Spent(_)),
        )?,
        refused("one flipped bit in one segment", loot.device()?.examine(&tampered).map(drop), |refusal| {
            matches!(refusal, Refusal::Envelope(_))
        })?,
    ])
}

/// An attack that is refused, and for the right reason.
fn refused(
    attack: &'static str,
    outcome: Result<(), Refusal>,
    expected: impl Fn(&Refusal) -> bool,
) -> Result<Refused, DemoError> {
    match outcome {
        Err(refusal) if expected(&refusal) => Ok(Refused { attack, answer: refusal.to_string() }),
        Err(other) => {
            Err(DemoError::Broken(format!("{attack}: refused for another reason than its own: {other}")))
        }
        Ok(()) => Err(DemoError::Broken(format!("{attack} was let through"))),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), &target)?),
        }
    }
    Ok(())
}
