//! Into a server's folder: what is installed is first believed, by the rules its clients believe by.

use std::io::Write;
use std::path::{Path, PathBuf};

use layerlock_seal::keys::SigningKey;
use layerlock_seal::trust::{Anchors, Endorsement, TrustError, TrustedRoot, fresh};
use layerlock_terms::trust::{Role, Root};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;
use zeroize::Zeroizing;

use super::{CeremonyError, not_trusted, say_write, trusted, words};
use crate::args::root::DryRun;
use crate::files;
use crate::keyring;
use crate::trust_files::{self, TrustFiles, certified_until, name_of};

/// Walks from one root to others and says how far it came.
pub(super) fn verify(
    from: &Path,
    files: &[PathBuf],
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CeremonyError> {
    let begin = trusted(from)?;
    let first = begin.version();
    let anchors = believe(Some(begin), &read(files)?, now)?;
    let root = anchors.root();
    writeln!(out, "root version {first} → {}: every step holds", root.version())?;
    writeln!(out, "  ends         {}", words::moment(root.expires))?;
    writeln!(out, "  digest       {}", root.digest())?;
    for service in anchors.services() {
        writeln!(out, "  certifies    {} key {}", service.role, super::id_of(service.key))?;
    }
    Ok(())
}

/// Installs what a client that has what is in the folder would believe.
pub(super) fn install(
    files: &[PathBuf],
    folder: &Path,
    dry: DryRun,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CeremonyError> {
    let given = read(files)?;
    let mut kept = TrustFiles::read(folder)?;
    let pinned = match kept.root() {
        Ok(root) => Some(root),
        Err(TrustError::NoRoot) => None,
        Err(why) => return Err(not_trusted(folder)(why).into()),
    };
    let given_anchors = believe(pinned, &given, now)?;
    for (file, endorsement) in &given {
        kept.put(file, endorsement.clone())?;
    }
    certifies_services(&kept, folder, now)?;
    one_purpose(&kept, &given, folder)?;
    // Roots come first: a crash in between leaves a server that names the certificate it misses.
    for (file, endorsement) in &given {
        let name = name_of(endorsement).ok_or_else(|| not_trusted(file)(TrustError::NoRoot))?;
        write(&folder.join(name), endorsement, dry, out)?;
    }
    let root = given_anchors.root();
    writeln!(out, "root version {}, digest {}", root.version(), root.digest())?;
    writeln!(out, "restart the server: it goes by these from its next start")?;
    say_spare_key(folder, root, out)
}

fn write(
    file: &Path,
    endorsement: &Endorsement,
    dry: DryRun,
    out: &mut impl Write,
) -> Result<(), CeremonyError> {
    if !dry.on {
        files::private_dir(file.parent().unwrap_or(Path::new(".")))?;
        files::write_public(file, &endorsement.emit())?;
    }
    say_write(file, dry, out)
}

/// Reads the files; roots first, by version.
fn read(files: &[PathBuf]) -> Result<Vec<(PathBuf, Endorsement)>, CeremonyError> {
    let mut given = Vec::new();
    for file in files {
        given.push((file.clone(), trust_files::open(file)?));
    }
    given.sort_by_key(|(_, endorsement)| {
        endorsement.read::<Root>().map_or(u64::MAX, |root| root.version.into())
    });
    Ok(given)
}

/// What a client believes that has `pinned`: the given roots walked, the last current, the certificates under it.
fn believe(
    pinned: Option<TrustedRoot>,
    given: &[(PathBuf, Endorsement)],
    now: Timestamp,
) -> Result<Anchors, CeremonyError> {
    let mut newest = pinned;
    let mut last: &Path = Path::new("the root in force");
    for (file, endorsement) in given.iter().filter(|(_, endorsement)| endorsement.kind() == Root::TYPE) {
        newest = Some(match newest {
            None => TrustedRoot::begin(endorsement).map_err(not_trusted(file))?,
            Some(root) => root.walk(std::slice::from_ref(endorsement)).map_err(not_trusted(file))?,
        });
        last = file;
    }
    let root = newest.ok_or(TrustError::NoRoot).map_err(not_trusted(last))?;
    root.current(now).map_err(not_trusted(last))?;
    let mut anchors = Anchors::new(root, &[]).map_err(not_trusted(last))?;
    for (file, endorsement) in given.iter().filter(|(_, endorsement)| endorsement.kind() != Root::TYPE) {
        let certificate = anchors.certified(endorsement).map_err(not_trusted(file))?;
        fresh("service certificate", certificate.expires, now).map_err(not_trusted(file))?;
        anchors.certify(endorsement).map_err(not_trusted(file))?;
    }
    Ok(anchors)
}

/// Refuses a certificate of a key that what is in the folder certifies for something else: no client would take both.
fn one_purpose(
    kept: &TrustFiles,
    given: &[(PathBuf, Endorsement)],
    folder: &Path,
) -> Result<(), CeremonyError> {
    let anchors = kept.anchors().map_err(not_trusted(folder))?;
    for (file, endorsement) in given.iter().filter(|(_, endorsement)| endorsement.kind() != Root::TYPE) {
        anchors.certified(endorsement).map_err(not_trusted(file))?;
    }
    Ok(())
}

/// Refuses to leave a service of this server without a certificate: it would not start again.
fn certifies_services(kept: &TrustFiles, folder: &Path, now: Timestamp) -> Result<(), CeremonyError> {
    let anchors = kept.anchors().map_err(not_trusted(folder))?;
    for role in Role::ALL {
        let file = keyring::key_file(folder, role);
        if !file.exists() {
            continue;
        }
        let key = SigningKey::from_seed(&Zeroizing::new(keyring::read_seed(&file)?)).verifying_key();
        if certified_until(&anchors, role, &key).is_none_or(|end| now >= end) {
            return Err(CeremonyError::LeavesUncertified {
                root: anchors.root().version(),
                role,
                key: key.into(),
            });
        }
    }
    Ok(())
}

/// A root key that lies in the folder and is of no use any more is one more thing to steal.
fn say_spare_key(folder: &Path, root: &TrustedRoot, out: &mut impl Write) -> Result<(), CeremonyError> {
    let file = keyring::root_key_file(folder);
    if !file.exists() {
        return Ok(());
    }
    let key = SigningKey::from_seed(&Zeroizing::new(keyring::read_seed(&file)?)).verifying_key();
    if !root.has_key(&key.key_id()) {
        writeln!(out, "{} signs nothing any more: move it away", file.display())?;
    }
    Ok(())
}
