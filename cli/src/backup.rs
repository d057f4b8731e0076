//! A house's records and sealed files, copied while it serves, checked, and put back.
//!
//! A backup is a folder laid out like the house's, without its keys, and a list of its files with their hashes. What a
//! backup holds was true at one moment of each service: first the vault's, then the licensor's, so that no job stands
//! there whose hold the licensor has not heard of. Deliberately absent: keys, which must not lie beside what they open,
//! and thinning of old backups.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use layerlock_seal::Hasher;
use layerlock_store::{OpenError, Sound, copy_journal, read_journal};
use layerlock_terms::units::Timestamp;
use serde::{Deserialize, Serialize};

use crate::files::{self, named};
use crate::keyring;

/// The services' records, in the order in which they are copied.
const RECORDS: [&str; 2] = ["vault", "licensor"];

/// Where sealed designs and envelopes are.
const SEALED: [&str; 2] = ["vault-files/designs", "vault-files/envelopes"];

/// The list of a backup's files; written last, so that a backup without it is none.
const LIST: &str = "backup.json";

/// The form of the list. A program that finds another one refuses it.
const FORM: u32 = 1;

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// Why a house is not backed up, restored or found sound.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder.
    #[error(transparent)]
    File(#[from] io::Error),
    /// Records that can't be read whole.
    #[error(transparent)]
    Records(#[from] OpenError),
    /// Something is there already.
    #[error("{0} is not empty: name a folder that is, or one that is not there yet")]
    NotEmpty(PathBuf),
    /// No house there.
    #[error(
        "{0} holds no journal: name the folder of a server, or a backup of one. Records that are in PostgreSQL are for its own tools to back up and check"
    )]
    NoHouse(PathBuf),
    /// No backup there.
    #[error(
        "{0} is no whole backup: its list `backup.json` is missing or of another form; take another backup"
    )]
    NoBackup(PathBuf),
    /// A file of a backup that is not as it was copied.
    #[error(
        "{file} is not as it was backed up ({why}): take another backup; nothing was restored from this one"
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Nothing to open the backup with.
    #[error(
        "a backup holds no keys: put the server's `keys` folder at {0} first, or name it with --keys; a server that \
         starts without them makes new ones, and no design could be opened"
    )]
    NoKeys(PathBuf),
}

/// What was copied or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Each service's records.
    pub records: Vec<(&'static str, Sound)>,
    /// Sealed files.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    form: u32,
    /// Unix milliseconds.
    made: u64,
    /// Path below the backup, with what is there.
    files: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    bytes: u64,
    sha256: String,
}

/// Copies what `house` keeps into `to`, while it serves or not. Durable when this answers.
///
/// # Errors
/// [`BackupError`]; what was begun is then no backup, having no list.
pub fn back_up(house: &Path, to: &Path, now: Timestamp) -> Result<Tally, BackupError> {
    if !house.join(RECORDS[0]).is_dir() {
        return Err(BackupError::NoHouse(house.to_owned()));
    }
    make_empty(to)?;
    let mut records = Vec::new();
    // Before the records and again after: a file that a record of the copy names was there at one of the two times. A
    // file is removed only after no record names it any more, and a new one is there before a record names it.
    copy_sealed(house, to)?;
    for name in RECORDS {
        let place = to.join(name);
        files::private_dir(&place)?;
        records.push((name, copy_journal(&house.join(name), &place)?));
        if name == RECORDS[0] {
            copy_sealed(house, to)?;
        }
    }
    let mut list = List { form: FORM, made: now.0, files: BTreeMap::new() };
    for folder in RECORDS.iter().chain(&SEALED) {
        for file in files_of(&to.join(folder))? {
            let path = format!("{folder}/{}", file.file_name().unwrap_or_default().to_string_lossy());
            list.files.insert(path, entry(&file)?);
        }
        sync_dir(&to.join(folder))?;
    }
    let tally = tally(records, &list);
    let text = serde_json::to_vec_pretty(&list).expect("numbers and text make JSON");
    files::write_private(&to.join(LIST), &text)?;
    Ok(tally)
}

/// Puts a backup in place as a house that can be started. Every file is checked before the first is put anywhere.
///
/// # Errors
/// [`BackupError`]; a house that was there is left as it was.
pub fn restore(backup: &Path, house: &Path, keys: Option<&Path>) -> Result<Tally, BackupError> {
    let list = checked_list(backup)?;
    let place = keyring::folder(house);
    let there = match house.exists() {
        true => names(house)?.into_iter().filter(|name| *name != place).count(),
        false => 0,
    };
    if there > 0 || (keys.is_some() && place.exists()) {
        return Err(BackupError::NotEmpty(house.to_owned()));
    }
    if keys.is_none() && !place.is_dir() {
        return Err(BackupError::NoKeys(place));
    }
    files::private_dir(house)?;
    if let Some(keys) = keys {
        files::private_dir(&place)?;
        for file in files_of(keys)? {
            let name = file.file_name().unwrap_or_default();
            files::create_private(&place.join(name), &files::read(&file)?)?;
        }
    }
    for folder in RECORDS.iter().chain(&SEALED) {
        files::private_dir(&house.join(folder))?;
    }
    for (path, wanted) in &list.files {
        copy(&backup.join(path), &house.join(path))?;
        // Read from where it will be used: a disk that lies is found out here and not in a year.
        if entry(&house.join(path))? != *wanted {
            return Err(BackupError::Damaged {
                file: house.join(path),
                why: "it was not written as it was read",
            });
        }
    }
    let mut records = Vec::new();
    for name in RECORDS {
        records.push((name, read_journal(&house.join(name))?.1));
    }
    for folder in RECORDS.iter().chain(&SEALED) {
        sync_dir(&house.join(folder))?;
    }
    sync_dir(house)?;
    Ok(tally(records, &list))
}

/// The records of a house or of a backup, every frame checked, and of a backup each file's hash too.
///
/// # Errors
/// [`BackupError`] names the first file that is not sound.
pub fn check(folder: &Path) -> Result<Tally, BackupError> {
    let list = match folder.join(LIST).exists() {
        true => checked_list(folder)?,
        false => List { form: FORM, made: 0, files: BTreeMap::new() },
    };
    let mut records = Vec::new();
    for name in RECORDS {
        if !folder.join(name).is_dir() {
            return Err(BackupError::NoHouse(folder.to_owned()));
        }
        records.push((name, read_journal(&folder.join(name))?.1));
    }
    Ok(tally(records, &list))
}

fn tally(records: Vec<(&'static str, Sound)>, list: &List) -> Tally {
    let sealed = list.files.iter().filter(|(path, _)| SEALED.iter().any(|folder| path.starts_with(folder)));
    let (files, bytes) = sealed.fold((0, 0), |(files, bytes), (_, entry)| (files + 1, bytes + entry.bytes));
    Tally { records, files, bytes }
}

/// The list of a backup of which every file is there and as it was, and no other.
fn checked_list(backup: &Path) -> Result<List, BackupError> {
    let none = || BackupError::NoBackup(backup.to_owned());
    let text = fs::read(backup.join(LIST)).map_err(|_| none())?;
    let list: List = serde_json::from_slice(&text).map_err(|_| none())?;
    if list.form != FORM {
        return Err(none());
    }
    for (path, wanted) in &list.files {
        let file = backup.join(path);
        let within = RECORDS.iter().chain(&SEALED).any(|folder| file.parent() == Some(&backup.join(folder)));
        let damaged = |why| BackupError::Damaged { file: file.clone(), why };
        if !within {
            return Err(damaged("its list names a file outside"));
        }
        match entry(&file) {
            Ok(found) if found == *wanted => {}
            Ok(found) if found.bytes != wanted.bytes => return Err(damaged("its length differs")),
            Ok(_) => return Err(damaged("its hash differs")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged("it is missing")),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(list)
}

/// Copies the sealed files that the copy lacks, or has shorter.
fn copy_sealed(house: &Path, to: &Path) -> Result<(), BackupError> {
    for folder in SEALED {
        let place = to.join(folder);
        files::private_dir(&place)?;
        for file in files_of(&house.join(folder))? {
            let copied = place.join(file.file_name().unwrap_or_default());
            let length = |file: &Path| fs::metadata(file).map(|there| there.len());
            // A file that went away meanwhile was named by no record.
            let Ok(wanted) = length(&file) else { continue };
            if length(&copied).is_ok_and(|copied| copied == wanted) {
                continue;
            }
            match copy(&file, &copied) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                copied => copied?,
            }
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from).map_err(named(from))?;
    let mut file = File::create(to).map_err(named(to))?;
    io::copy(&mut source, &mut file).map_err(named(to))?;
    file.flush()?;
    file.sync_all().map_err(named(to))
}

fn entry(file: &Path) -> io::Result<Entry> {
    let mut reader = File::open(file).map_err(named(file))?;
    let (mut hasher, mut bytes, mut piece) = (Hasher::new(), 0, vec![0; PIECE]);
    loop {
        match reader.read(&mut piece).map_err(named(file))? {
            0 => break,
            read => {
                hasher.update(&piece[..read]);
                bytes += read as u64;
            }
        }
    }
    Ok(Entry { bytes, sha256: hasher.finish().to_string() })
}

/// The regular files of a folder that are part of what is kept: no lock, nothing half written, no view.
fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let kept = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_file() && name != "LOCK" && !name.ends_with(".writing") && !name.ends_with(".unfinished")
    };
    Ok(names(folder)?.into_iter().filter(kept).collect())
}

fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(named(folder))?;
    let mut names = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn make_empty(folder: &Path) -> Result<(), BackupError> {
    files::private_dir(folder)?;
    match names(folder)?.is_empty() {
        true => Ok(()),
        false => Err(BackupError::NotEmpty(folder.to_owned())),
    }
}

fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(named(folder))
}
