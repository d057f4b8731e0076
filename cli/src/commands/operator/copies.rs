//! `layerlock operator backup`, `restore` and `verify`.

use std::io::Write;
use std::path::Path;

use layerlock_terms::units::Timestamp;

use crate::backup::{self, BackupError, Tally};

pub fn back_up(house: &Path, to: &Path, now: Timestamp, out: &mut impl Write) -> Result<(), BackupError> {
    let tally = backup::back_up(house, to, now)?;
    write(&tally, out)?;
    writeln!(
        out,
        "{} holds all but the keys: keep a copy of {} elsewhere",
        to.display(),
        house.join("keys").display()
    )?;
    Ok(())
}

pub fn restore(
    from: &Path,
    house: &Path,
    keys: Option<&Path>,
    out: &mut impl Write,
) -> Result<(), BackupError> {
    let tally = backup::restore(from, house, keys)?;
    write(&tally, out)?;
    writeln!(
        out,
        "{} is as it was when the backup was made; what was settled since is not in it, those copies count as free",
        house.display()
    )?;
    Ok(())
}

pub fn verify(folder: &Path, out: &mut impl Write) -> Result<(), BackupError> {
    write(&backup::check(folder)?, out)?;
    Ok(())
}

fn write(tally: &Tally, out: &mut impl Write) -> std::io::Result<()> {
    for (name, sound) in &tally.records {
        write!(out, "{name:<10}sound up to commit {}, {} bytes", sound.head.sequence, sound.bytes)?;
        match sound.unfinished {
            0 => writeln!(out)?,
            bytes => writeln!(out, "; {bytes} bytes of a write under way left out")?,
        }
    }
    if tally.files > 0 {
        writeln!(out, "{:<10}{} sealed files, {} bytes", "files", tally.files, tally.bytes)?;
    }
    Ok(())
}
