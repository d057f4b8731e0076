//! `layerlock operator kek`: the vault's key-encryption keys, and their rotation.
//!
//! Works on the records themselves, with the keys in hand: beside vaults that share PostgreSQL, or while none serves.

use std::io::Write;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use layerlock_vault::Randomness;
use layerlock_vault::rewrap::{Rewrap, Rewrapped};

use super::folder;
use crate::args::kek::{Kek as Args, Sources};
use crate::embedded::{self, EmbeddedError};
use crate::kek::{KekError, KekSource};
use crate::keyring::{self, KeyringError};
use crate::now;
use crate::random::Random;
use crate::settings::{Settings, SettingsError};

/// Why a rotation doesn't go on.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A key.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// The other keys of the house.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The records.
    #[error(transparent)]
    Records(#[from] Box<EmbeddedError>),
    /// There is no house.
    #[error("{0} is no server's folder: name it with --data-dir")]
    NoHouse(PathBuf),
    /// A process without the vault's keys.
    #[error(
        "the settings give this process no role that opens designs: run this where a vault or a worker runs"
    )]
    NoVault,
    /// The store.
    #[error("{0}")]
    Stopped(#[from] layerlock_vault::Refusal),
    /// What doesn't open stays as it is.
    #[error(
        "{0} designs can't be opened and are wrapped as before: restore them from a backup or have them uploaded anew, \
         then run this again; until then keep the former keys"
    )]
    Damaged(usize),
    /// The terminal or a file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Runs one command.
pub async fn run(args: Args, out: &mut impl Write) -> Result<(), RotationError> {
    match args {
        Args::New { source, server } => make(&source, &folder(&server), out),
        Args::List(sources) => list(&sources, out),
        Args::Rewrap(sources) => rewrap(&sources, out).await,
    }
}

fn make(source: &KekSource, house: &Path, out: &mut impl Write) -> Result<(), RotationError> {
    let keys = keyring::folder(house);
    source.make(&keys, &mut Random)?;
    writeln!(out, "{}  {source}", source.open(&keys)?.key_id())?;
    writeln!(out, "name it first in the settings' `key-encryption-keys`, the former ones after it")?;
    Ok(())
}

fn list(sources: &Sources, out: &mut impl Write) -> Result<(), RotationError> {
    let settings = Settings::read(sources.config.as_deref())?;
    let keys = keyring::folder(&house(sources)?);
    let named = &settings.key_encryption_keys;
    let ring = named.open(&keys, false, &mut Random)?;
    for (place, (id, name)) in ring.ids().zip(named.names()).enumerate() {
        writeln!(out, "{id}  {}  {name}", if place == 0 { "wraps" } else { "opens" })?;
    }
    Ok(())
}

async fn rewrap(sources: &Sources, out: &mut impl Write) -> Result<(), RotationError> {
    let (settings, house) = (Settings::read(sources.config.as_deref())?, house(sources)?);
    let keys = embedded::keyring(&house, &settings, now())?;
    let vault = keys.vault.ok_or(RotationError::NoVault)?;
    let store = embedded::vault_records(&house, &settings).await.map_err(Box::new)?;
    let signs = vault.delivery.verifying_key();
    let run = Rewrap::new(store, vault.keks, keys.anchors, signs, Randomness::system());
    let bar = ProgressBar::new_spinner();
    let done = run.run(|so_far| tell(&bar, so_far)).await;
    bar.finish_and_clear();
    report(&done?, out)
}

fn tell(bar: &ProgressBar, so_far: &Rewrapped) {
    bar.set_message(format!("{} designs looked at, {} wrapped anew", so_far.looked_at, so_far.rewrapped));
    bar.tick();
}

fn report(done: &Rewrapped, out: &mut impl Write) -> Result<(), RotationError> {
    writeln!(out, "{} designs looked at, {} wrapped anew", done.looked_at, done.rewrapped)?;
    for design in &done.damaged {
        writeln!(out, "{design} can't be opened")?;
    }
    if !done.jobs.is_empty() {
        let count = done.jobs.len();
        writeln!(out, "{count} jobs still need a former key: run this again when they are over")?;
    }
    for id in &done.retired {
        writeln!(out, "{id} wraps nothing any more: take it out of the settings, then destroy it")?;
    }
    for id in &done.needed {
        writeln!(out, "{id} is still needed: keep it")?;
    }
    match done.damaged.len() {
        0 => Ok(()),
        count => Err(RotationError::Damaged(count)),
    }
}

/// The server's folder, which must be there: nothing is founded here.
fn house(sources: &Sources) -> Result<PathBuf, RotationError> {
    let house = folder(&sources.server);
    if keyring::folder(&house).is_dir() { Ok(house) } else { Err(RotationError::NoHouse(house)) }
}
