//! The ceremony of the offline keys: what each step reads, refuses, says and writes.
//!
//! Made for machines without a network: everything is a file, every step says in words what it is about, and a dry
//! run differs from the real one in its writes alone. What is believed is decided by `seal::trust`, so that nothing
//! is signed or installed here that a device would refuse. Deliberately absent: keeping keys safe between ceremonies.

mod draft;
mod install;
mod words;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use layerlock_seal::keys::{KeyId, SigningKey, VerifyingKey, WrappingKey};
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::{Endorsement, TrustError, TrustedRoot};
use layerlock_terms::digest::SignKey;
use layerlock_terms::machine::{Machine, UnknownName};
use layerlock_terms::trust::{DeviceAttestation, Role, Root, ServiceCertificate};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;
use zeroize::Zeroizing;

use crate::args::root::{DryRun, Oem, Root as Args};
use crate::files;
use crate::keyring::{self, KeyringError, ServiceKeys};
use crate::parties::home::server_dir;
use crate::random::Random;
use crate::trust_files::{self, TrustFileError};

/// Why a step of the ceremony is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// A file can't be read or written.
    #[error("{0}")]
    File(#[from] io::Error),
    /// A trust file holds something else, or what it holds is not believed.
    #[error(transparent)]
    Trust(#[from] TrustFileError),
    /// The server's folder.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// What was to be made is there already.
    #[error("{}: is there already, and nothing here writes over a file: choose another name", .0.display())]
    Exists(PathBuf),
    /// What was typed is no key.
    #[error("`{0}` is no public key: give 64 hex digits, or the `.pub` file that `root key` wrote")]
    NotAKey(String),
    /// What was typed is no maker.
    #[error("--add-oem `{0}`: write NAME=KEY:DAYS:MACHINE[,MACHINE…]")]
    NotAnOem(String),
    /// A machine that isn't in the catalogue.
    #[error(transparent)]
    Machine(#[from] UnknownName),
    /// A key to remove that isn't there.
    #[error("key {0} is not in the root: nothing to remove")]
    NoSuchKey(KeyId),
    /// A maker to remove that isn't there.
    #[error("the root lists no maker `{0}`: nothing to remove")]
    NoSuchOem(String),
    /// The draft would be refused whoever signed it.
    #[error("the draft would be believed by nobody: {0}")]
    Draft(TrustError),
    /// A step that needs the root in force.
    #[error("{}: give the root in force with --root, so that you see what changes and whether your key counts", .0.display())]
    NeedsRoot(PathBuf),
    /// The root in force isn't the one before.
    #[error("{}: is of version {found}, and follows version {due}, not version {given}", file.display())]
    OtherRoot {
        /// The draft.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The version before it.
        due: u32,
        /// The version that was given.
        given: u32,
    },
    /// A signature nobody would count.
    #[error("key {key} counts neither for {what} nor for the root in force: sign with a key that is listed")]
    Uncounted {
        /// The key.
        key: KeyId,
        /// What was to be signed.
        what: String,
    },
    /// What would be installed leaves a service of this server without a certificate.
    #[error(
        "root version {root} certifies no {role} key {key}, which this server signs with: give its certificate along \
         (`layerlock operator root certify --role {role} --key {key}`)"
    )]
    LeavesUncertified {
        /// The newest root.
        root: u32,
        /// What the key serves as.
        role: Role,
        /// The key.
        key: SignKey,
    },
}

/// Runs one command of the ceremony.
///
/// # Errors
/// [`CeremonyError`]; nothing was written then.
pub fn run(args: Args, now: Timestamp, out: &mut impl Write) -> Result<(), CeremonyError> {
    match args {
        Args::Key { file, dry } => make_key(&file, dry, out),
        Args::Draft(args) => draft::root(&args, now, out),
        Args::Services { server, dry } => services(&server_dir(server.data_dir.as_deref()), dry, out),
        Args::Certify(args) => draft::certificate(&args, now, out),
        Args::Sign { file, key, root, dry } => sign(&file, &key, root.as_deref(), dry, out),
        Args::Join { file, copies, dry } => join(&file, &copies, dry, out),
        Args::Show { files, root } => show(&files, root.as_deref(), out),
        Args::Verify { from, files } => install::verify(&from, &files, now, out),
        Args::Install { files, server, dry } => {
            let folder = keyring::folder(&server_dir(server.data_dir.as_deref()));
            install::install(&files, &folder, dry, now, out)
        }
    }
}

fn make_key(file: &Path, dry: DryRun, out: &mut impl Write) -> Result<(), CeremonyError> {
    let public = public_file(file);
    absent(file)?;
    absent(&public)?;
    if dry.on {
        writeln!(out, "would write a new private key to {}, for its owner only (0600)", file.display())?;
        writeln!(out, "would write its public half to {}", public.display())?;
        return Ok(());
    }
    let key = SigningKey::generate(&mut Random);
    files::create_private(file, &key.to_seed()[..])?;
    files::create_public(&public, format!("{}\n", key.verifying_key()).as_bytes())?;
    writeln!(out, "private  {} (keep it offline; nobody can make it again)", file.display())?;
    writeln!(out, "public   {}", public.display())?;
    writeln!(out, "key      {}", key.verifying_key())?;
    writeln!(out, "key id   {}", key.verifying_key().key_id())?;
    Ok(())
}

fn public_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Shows what a certificate is needed for, and leaves the public halves beside the keys, to be carried to the
/// ceremony.
fn services(server: &Path, dry: DryRun, out: &mut impl Write) -> Result<(), CeremonyError> {
    let folder = keyring::folder(server);
    let key_files = Role::ALL.map(|role| keyring::key_file(&folder, role));
    if dry.on {
        for file in key_files.iter().filter(|file| !file.exists()) {
            writeln!(out, "would write a new private key to {}", file.display())?;
        }
        for file in &key_files {
            writeln!(out, "would write the public half to {}", public_file(file).display())?;
        }
        return Ok(());
    }
    for (role, key) in ServiceKeys::open(&folder, &mut Random)?.public() {
        let public = public_file(&keyring::key_file(&folder, role));
        files::write_public(&public, format!("{key}\n").as_bytes())?;
        writeln!(out, "{:10}  {key}  {}", role.name(), public.display())?;
    }
    Ok(())
}

/// A maker's word for one device.
///
/// # Errors
/// [`CeremonyError`]; nothing was written then.
pub fn attest(args: &Oem, out: &mut impl Write) -> Result<(), CeremonyError> {
    let Oem::Attest { key, name, machine, sign, open, output, dry } = args;
    let key = signing_key(key)?;
    let opening = WrappingKey::parse(&hex(open)?).map_err(|_| CeremonyError::NotAKey(open.clone()))?;
    let machine = Machine::named(machine)?.name.to_owned();
    let sign = public_key(sign)?.into();
    let noun = DeviceAttestation { oem: name.clone(), machine, sign, open: opening.into() };
    writeln!(out, "{} states that a {} of its own has", noun.oem, noun.machine)?;
    writeln!(out, "  signing key  {}", noun.sign)?;
    writeln!(out, "  opening key  {}", noun.open)?;
    writeln!(out, "  by key       {}", key.verifying_key().key_id())?;
    absent(output)?;
    if !dry.on {
        files::create_public(output, &Statement::sign(&noun, &key).emit())?;
    }
    say_write(output, *dry, out)
}

/// Says what is signed and what it changes, signs it, and says what is still missing.
fn sign(
    file: &Path,
    key_file: &Path,
    root: Option<&Path>,
    dry: DryRun,
    out: &mut impl Write,
) -> Result<(), CeremonyError> {
    let mut draft = trust_files::open(file)?;
    let key = signing_key(key_file)?;
    let in_force = root.map(trusted).transpose()?;
    let what = words::say(&draft, in_force.as_ref(), file, out)?;
    let keys = counting(&draft, file, in_force.as_ref())?;
    let id = key.verifying_key().key_id();
    if !keys.contains(&id) {
        return Err(CeremonyError::Uncounted { key: id, what });
    }
    match draft.kind() {
        Root::TYPE => draft.sign::<Root>(&key),
        _ => draft.sign::<ServiceCertificate>(&key),
    }
    .map_err(not_trusted(file))?;
    writeln!(out, "\n{} {what} with key {id}", if dry.on { "would sign" } else { "signed" })?;
    words::say_signatures(&draft, in_force.as_ref(), out)?;
    replace(file, &draft, dry, out)
}

/// Whose signatures count under a draft: its own keys', and those of the root before it.
fn counting(
    draft: &Endorsement,
    file: &Path,
    root: Option<&TrustedRoot>,
) -> Result<Vec<KeyId>, CeremonyError> {
    let of_root = |root: &TrustedRoot| root.keys().iter().map(VerifyingKey::key_id).collect::<Vec<_>>();
    let needs_root = || CeremonyError::NeedsRoot(file.to_owned());
    let Ok(noun) = draft.read::<Root>() else { return Ok(of_root(root.ok_or_else(needs_root)?)) };
    let mut keys: Vec<KeyId> =
        noun.keys.iter().filter_map(|key| Some(VerifyingKey::try_from(*key).ok()?.key_id())).collect();
    if noun.version > 1 {
        let before = root.ok_or_else(needs_root)?;
        let (found, due, given) = (noun.version, noun.version - 1, before.version());
        if due != given {
            return Err(CeremonyError::OtherRoot { file: file.to_owned(), found, due, given });
        }
        keys.extend(of_root(before));
    }
    Ok(keys)
}

fn join(file: &Path, copies: &[PathBuf], dry: DryRun, out: &mut impl Write) -> Result<(), CeremonyError> {
    let mut draft = trust_files::open(file)?;
    for copy in copies {
        draft.join(&trust_files::open(copy)?).map_err(not_trusted(copy))?;
    }
    words::say(&draft, None, file, out)?;
    words::say_signatures(&draft, None, out)?;
    replace(file, &draft, dry, out)
}

fn show(files: &[PathBuf], root: Option<&Path>, out: &mut impl Write) -> Result<(), CeremonyError> {
    let root = root.map(trusted).transpose()?;
    for (place, file) in files.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        let endorsement = trust_files::open(file)?;
        words::say(&endorsement, root.as_ref(), file, out)?;
        words::say_signatures(&endorsement, root.as_ref(), out)?;
    }
    Ok(())
}

/// A root that its own threshold signed.
fn trusted(file: &Path) -> Result<TrustedRoot, CeremonyError> {
    Ok(TrustedRoot::begin(&trust_files::open(file)?).map_err(not_trusted(file))?)
}

fn signing_key(file: &Path) -> Result<SigningKey, CeremonyError> {
    Ok(SigningKey::from_seed(&Zeroizing::new(keyring::read_seed(file)?)))
}

/// A public key as people give it: hex digits, or the file that holds them.
fn public_key(typed: &str) -> Result<VerifyingKey, CeremonyError> {
    let not = || CeremonyError::NotAKey(typed.chars().take(80).collect());
    let text = if Path::new(typed).is_file() {
        String::from_utf8(files::read(Path::new(typed))?).map_err(|_| not())?
    } else {
        typed.to_owned()
    };
    VerifyingKey::parse(&hex(text.trim())?).map_err(|_| not())
}

fn hex(digits: &str) -> Result<Vec<u8>, CeremonyError> {
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    bytes.ok_or_else(|| CeremonyError::NotAKey(digits.chars().take(80).collect()))
}

fn absent(file: &Path) -> Result<(), CeremonyError> {
    if file.symlink_metadata().is_ok() { Err(CeremonyError::Exists(file.to_owned())) } else { Ok(()) }
}

/// Writes a draft where nothing is, or says that it would.
fn create(file: &Path, draft: &Endorsement, dry: DryRun, out: &mut impl Write) -> Result<(), CeremonyError> {
    absent(file)?;
    if !dry.on {
        files::create_public(file, &draft.emit())?;
    }
    say_write(file, dry, out)
}

/// Writes a draft in its own place, whole or not at all, or says that it would.
fn replace(file: &Path, draft: &Endorsement, dry: DryRun, out: &mut impl Write) -> Result<(), CeremonyError> {
    if !dry.on {
        files::write_public(file, &draft.emit())?;
    }
    say_write(file, dry, out)
}

fn say_write(file: &Path, dry: DryRun, out: &mut impl Write) -> Result<(), CeremonyError> {
    let verb = if dry.on { "would write" } else { "wrote" };
    Ok(writeln!(out, "{verb} {}", file.display())?)
}

fn not_trusted(file: &Path) -> impl Fn(TrustError) -> TrustFileError {
    move |why| TrustFileError::NotTrusted { file: file.to_owned(), why }
}

/// A key as people compare it: its id.
fn id_of(key: SignKey) -> String {
    VerifyingKey::try_from(key).map_or_else(|_| format!("unfit key {key}"), |key| key.key_id().to_string())
}

/// A list for people.
fn listed<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
