//! `layerlock device …`: enrol once, then wait for jobs and print them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use layerlock_conformance::Against;
use layerlock_device::enrol::{self, Enrolment};
use layerlock_device::keys::KeyPlace;
use layerlock_device::{
    Bed, Clock, Device, DeviceError, EnrolError, OpenError, OwnersWord, PrinterTarget, RenewError, Wish,
};
use layerlock_seal::statement::Statement;
use layerlock_terms::ids::JobId;
use layerlock_terms::machine::{Material, UnknownName};
use layerlock_terms::units::{Micrometres, Millis};

use crate::args::{Device as Args, Party};
use crate::connect::{ConnectError, Connection};
use crate::files;
use crate::hand::{self, NotDone};
use crate::parties::PartyError;
use crate::people;
use crate::pkcs11::{TokenError, TokenKey, Tokens};
use crate::random::Random;
use crate::support::Support;
use crate::{now, watch};

pub mod run;

/// Why a command of the device ends.
#[derive(Debug, thiserror::Error)]
pub enum DeviceCommandError {
    /// Its folder or its connection.
    #[error(transparent)]
    Party(#[from] PartyError),
    /// Nobody answers.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Enrolment.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The device can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The token that `--keys` names.
    #[error("--keys: {0}")]
    Token(#[from] TokenError),
    /// The trust chain can't be renewed.
    #[error(transparent)]
    Renew(#[from] RenewError),
    /// Serving ended.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Two of `--machine` are called alike.
    #[error("--machine: two folders are called `{0}`: give them different names")]
    SameName(String),
    /// What was asked of a running agent.
    #[error(transparent)]
    NotDone(#[from] NotDone),
    /// Some of several machines.
    #[error("{failed} of {all} machines ended: the lines above say why")]
    SomeFailed {
        /// So many.
        failed: usize,
        /// Of so many.
        all: usize,
    },
    /// With `--once`: the one job came to nothing; the lines before say why.
    #[error("{0} was not printed")]
    NotPrinted(JobId),
    /// What `--printer` says.
    #[error("--printer: {0}")]
    Printer(String),
    /// A picture of a real machine's print.
    #[error("--picture draws what a simulated machine laid down: take `--printer simulated`")]
    NotDrawn,
    /// A client that doesn't keep to the rules.
    #[error(
        "{failed} of {cases} cases failed: the lines above say what the client did, [..] which rule it broke"
    )]
    NotConforming {
        /// So many.
        failed: usize,
        /// Of so many.
        cases: usize,
    },
    /// What `--material` says.
    #[error(transparent)]
    Material(#[from] UnknownName),
    /// What `--nozzle` says.
    #[error("--nozzle takes a diameter from 0.05 to 5 millimetres, as in 0.4, or `any`")]
    Nozzle,
    /// What `--against` names.
    #[error("--against: `{0}` can't be started: {1}")]
    NoClient(String, #[source] io::Error),
    /// What `--against` or `--only` says.
    #[error("{0}")]
    Conformance(&'static str),
    /// The terminal.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs one command.
pub async fn run(args: Args, out: &mut (impl Write + Send)) -> Result<(), DeviceCommandError> {
    match args {
        Args::Enrol { code, machine, attestation, keys, party } => {
            let connection = party.connection()?;
            let home = party.home("device")?;
            let wanted = Enrolment {
                code: &code,
                machine: &machine,
                home: home.path(),
                root_digest: connection.root_digest(),
                attestation: attestation.as_deref().map(read_attestation).transpose()?,
                keys: place(keys.as_ref())?,
                clock: Clock::system(),
            };
            let device = Device::enrol(connection.licensor().await?, wanted, &mut Random).await?;
            writeln!(out, "{}", device.id())?;
        }
        Args::Run { printer, machines, once, picture, status, party } => {
            if !machines.is_empty() {
                return run::several(machines, (once, status), &party.connection()?, out).await;
            }
            let printer: PrinterTarget =
                printer.parse().map_err(|error| DeviceCommandError::Printer(format!("{error}")))?;
            if picture.is_some() && !printer.is_simulated() {
                return Err(DeviceCommandError::NotDrawn);
            }
            let connection = party.connection()?;
            let home = party.home("device")?;
            run::one(home.path(), printer, (once, picture.as_deref(), status), &connection, out).await?;
        }
        Args::Set { material, nozzle, bed, party } => {
            let home = enrolled(&party)?;
            let word = said(OwnersWord::read(&home)?, material.as_deref(), nozzle.as_deref(), bed)?;
            word.write(&home)?;
            writeln!(out, "{}", in_words(&word))?;
        }
        Args::Pause { party } => {
            hand::ask(&enrolled(&party)?, Wish::Pause).await?;
            writeln!(out, "the print pauses once the machine has made what it holds")?;
        }
        Args::Resume { party } => {
            hand::ask(&enrolled(&party)?, Wish::Resume).await?;
            writeln!(out, "the print goes on")?;
        }
        Args::Cancel { party } => {
            hand::ask(&enrolled(&party)?, Wish::Cancel).await?;
            writeln!(out, "the print is being stopped: the machine is made safe, which may take a minute")?;
        }
        Args::Support { minutes, revoke, party } => {
            let support = Support::of(&enrolled(&party)?);
            match minutes {
                Some(minutes) => {
                    let token = support.grant(Millis(u64::from(minutes) * 60_000), now())?;
                    writeln!(out, "{}  (shown once, good for {minutes} minutes)", &*token.reveal())?;
                }
                None if revoke => writeln!(out, "{} taken back", tokens(support.revoke_all(now())?))?,
                None => {
                    let ends = support.ends(now())?;
                    writeln!(out, "{}", tokens(ends.len()))?;
                    for until in ends {
                        let left = until.0.saturating_sub(now().0) as f64 / 1000.0;
                        writeln!(out, "  good for {}", people::span(left))?;
                    }
                }
            }
        }
        Args::Watch { address, token } => {
            let token = match token {
                Some(token) => token,
                None => {
                    let mut line = String::new();
                    io::stdin().read_line(&mut line)?;
                    line
                }
            };
            watch::device(&address, token.trim(), out).await?;
        }
        Args::Keys { keys, party } => {
            let place = place(keys.as_ref())?;
            let (sign, open) = enrol::public_keys(party.home("device")?.path(), place, &mut Random)?;
            writeln!(out, "sign {sign}\nopen {open}")?;
        }
        Args::Renew { party } => {
            let connection = party.connection()?;
            let mut device = open(party.home("device")?.path())?;
            let before = device.root().version();
            writeln!(out, "root version {before} → {}", renew(&mut device, &connection).await?)?;
        }
        Args::Conformance { against, only, report } => {
            conformance(&against, only.as_deref(), report.as_deref(), out)?;
        }
        Args::Status { party } => {
            let home = enrolled(&party)?;
            match hand::status(&home).await {
                Ok(now) => write!(out, "{}", running(&now, &home)?)?,
                Err(NotDone::NoAgent(_)) => {
                    let device = open(&home)?;
                    writeln!(
                        out,
                        "{}\n  {} ({})",
                        device.id(),
                        device.machine().title,
                        device.machine().name
                    )?;
                    writeln!(
                        out,
                        "  root version {}, digest {}",
                        device.root().version(),
                        device.root().digest()
                    )?;
                    writeln!(out, "  {}\n  no agent runs", in_words(&OwnersWord::read(&home)?))?;
                }
                Err(why) => return Err(why.into()),
            }
        }
    }
    Ok(())
}

fn tokens(count: usize) -> String {
    match count {
        0 => "no support token".to_owned(),
        1 => "1 support token".to_owned(),
        count => format!("{count} support tokens"),
    }
}

/// The folder of a device that is enrolled: what is said for nobody would mislead whoever said it.
fn enrolled(party: &Party) -> Result<PathBuf, OpenError> {
    let home = party.device();
    match std::fs::metadata(home.join("identity")) {
        Ok(_) => Ok(home),
        Err(source) => Err(OpenError::NoDevice { path: home, source }),
    }
}

/// What a running agent says of itself, for a person.
fn running(json: &str, home: &Path) -> Result<String, DeviceCommandError> {
    let now: serde_json::Value = serde_json::from_str(json).map_err(io::Error::from)?;
    let text = |key: &str| now[key].as_str().unwrap_or_default().to_owned();
    let mut words =
        format!("{}\n  {} at {}\n  {}", text("device"), text("machine"), text("printer"), text("state"));
    if let Some(job) = now["job"].as_str() {
        words += &format!(", {job}");
    }
    if now["layers"].as_u64().is_some_and(|layers| layers > 0) {
        words += &format!(", layer {} of {}", now["layers_printed"], now["layers"]);
    }
    let heat = &now["celsius"];
    if heat.is_object() {
        let [nozzle, nozzle_target] = [&heat["nozzle"], &heat["nozzle_target"]];
        words += &format!(
            "\n  nozzle {nozzle} of {nozzle_target} °C, bed {} of {} °C",
            heat["bed"], heat["bed_target"]
        );
    }
    words += &format!("\n  {}\n", in_words(&OwnersWord::read(home)?));
    words += if now["vault"] == true { "  the vault is there\n" } else { "  the vault is not there\n" };
    Ok(words)
}

/// What the owner says now, over what was said before.
fn said(
    before: OwnersWord,
    material: Option<&str>,
    nozzle: Option<&str>,
    bed: Option<Bed>,
) -> Result<OwnersWord, DeviceCommandError> {
    let mut word = before;
    match material {
        Some("any") => word.material = None,
        Some(name) => word.material = Some(Material::named(name)?),
        None => {}
    }
    match nozzle {
        Some("any") => word.nozzle = None,
        Some(mm) => word.nozzle = Some(millimetres(mm).ok_or(DeviceCommandError::Nozzle)?),
        None => {}
    }
    word.bed = bed.unwrap_or(word.bed);
    Ok(word)
}

fn millimetres(text: &str) -> Option<Micrometres> {
    let mm: f64 = text.trim_end_matches("mm").trim().parse().ok()?;
    (0.05..=5.0).contains(&mm).then(|| Micrometres((mm * 1000.0).round() as i32))
}

fn in_words(word: &OwnersWord) -> String {
    let material = word.material.map_or("any", Material::name);
    let nozzle = word.nozzle.map_or_else(|| "the machine's own".to_owned(), |nozzle| nozzle.to_string());
    format!("material {material}, nozzle {nozzle}, bed {}", word.bed)
}

/// Judges a client; what it found is told as it is found.
fn conformance(
    against: &str,
    only: Option<&str>,
    report: Option<&Path>,
    out: &mut (impl Write + Send),
) -> Result<(), DeviceCommandError> {
    let mut words = against.split_whitespace();
    let program =
        words.next().ok_or(DeviceCommandError::Conformance("--against: name a program to start"))?;
    let against = Against { program: program.into(), arguments: words.map(str::to_owned).collect() };
    // One word for what would fail every case.
    let mut tried = Command::new(&against.program);
    tried.args(&against.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut tried = tried.spawn().map_err(|why| DeviceCommandError::NoClient(program.to_owned(), why))?;
    drop((tried.kill(), tried.wait()));
    let mut told = Ok(());
    let found = layerlock_conformance::run(&against, only, &mut |finding| {
        let now = writeln!(out, "{}", finding.line());
        told = std::mem::replace(&mut told, Ok(())).and(now);
    });
    told?;
    if let Some(file) = report {
        std::fs::write(file, found.json())?;
    }
    match (found.findings.len(), found.failed()) {
        (0, _) => Err(DeviceCommandError::Conformance("--only: no case has that in its name")),
        (cases, 0) => Ok(writeln!(out, "{cases} cases passed")?),
        (cases, failed) => Err(DeviceCommandError::NotConforming { failed, cases }),
    }
}

fn read_attestation(file: &Path) -> Result<Statement, PartyError> {
    let not = |error| PartyError::Malformed(format!("{}: no attestation: {error}", file.display()));
    Statement::parse(&files::read(file)?).map_err(not)
}

/// Opens a device, whose keys may come from a token.
fn open(home: &Path) -> Result<Device, OpenError> {
    Device::open_with(home, Clock::system(), Some(&Tokens))
}

/// Where the keys of a device come from; a secret that is not there yet is made in its token.
fn place(secret: Option<&TokenKey>) -> Result<KeyPlace<'_>, TokenError> {
    let Some(secret) = secret else { return Ok(KeyPlace::File) };
    secret.make_unless_there()?;
    Ok(KeyPlace::Token(&Tokens, secret.uri()))
}

/// Walks on from the pinned root, so that a device that was off for years knows the services of today.
async fn renew(device: &mut Device, connection: &Connection) -> Result<u32, DeviceCommandError> {
    Ok(device.renew_trust(connection.licensor().await?).await?)
}
