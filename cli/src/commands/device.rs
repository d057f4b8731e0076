//! `layerlock device …`: enrol once, then wait for jobs and print them.

use std::io::{self, Write};
use std::path::Path;

use indicatif::ProgressBar;
use layerlock_conformance::Against;
use layerlock_device::enrol::{self, Enrolment};
use layerlock_device::{
    Bed, Clock, Device, DeviceError, EnrolError, LinkError, Notice, OpenError, OwnersWord, PrintReport,
    PrinterTarget, RenewError, Until,
};
use layerlock_seal::statement::Statement;
use layerlock_terms::machine::{Material, UnknownName};
use layerlock_terms::units::{Micrometres, Millis};

use crate::args::{Device as Args, Party};
use crate::commands::serve::interrupted;
use crate::commands::show;
use crate::connect::{ConnectError, Connection};
use crate::files;
use crate::parties::PartyError;
use crate::people;
use crate::picture::BodyPicture;
use crate::random::Random;
use crate::sight::PageAt;
use crate::status_page::StatusPage;
use crate::support::Support;
use crate::{now, watch};

/// Width and height of a picture.
const PICTURE: [u32; 2] = [1200, 900];

/// Where the status page is unless told.
const STATUS: ([u8; 4], u16) = ([127, 0, 0, 1], 7424);

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
    /// The trust chain can't be renewed.
    #[error(transparent)]
    Renew(#[from] RenewError),
    /// Serving ended.
    #[error(transparent)]
    Device(#[from] DeviceError),
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
    #[error("--nozzle takes a diameter in millimetres, as in 0.4, or `any`")]
    Nozzle,
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
        Args::Enrol { code, machine, attestation, party } => {
            let connection = party.connection()?;
            let home = party.home("device")?;
            let wanted = Enrolment {
                code: &code,
                machine: &machine,
                home: home.path(),
                root_digest: connection.root_digest(),
                attestation: attestation.as_deref().map(read_attestation).transpose()?,
                clock: Clock::system(),
            };
            let device = Device::enrol(connection.licensor().await?, wanted, &mut Random).await?;
            writeln!(out, "{}", device.id())?;
        }
        Args::Run { printer, once, picture, status, party } => {
            serve(&printer, once, picture.as_deref(), status, &party, out).await?;
        }
        Args::Set { material, nozzle, bed, party } => {
            let home = party.home("device")?;
            let word = said(OwnersWord::read(home.path())?, material.as_deref(), nozzle.as_deref(), bed)?;
            word.write(home.path())?;
            writeln!(out, "{}", in_words(&word))?;
        }
        Args::Support { minutes, revoke, party } => {
            let support = Support::of(party.home("device")?.path());
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
        Args::Keys { party } => {
            let (sign, open) = enrol::public_keys(party.home("device")?.path(), &mut Random)?;
            writeln!(out, "sign {sign}\nopen {open}")?;
        }
        Args::Renew { party } => {
            let connection = party.connection()?;
            let mut device = Device::open(party.home("device")?.path())?;
            let before = device.root().version();
            writeln!(out, "root version {before} → {}", renew(&mut device, &connection).await?)?;
        }
        Args::Conformance { against, only, report } => {
            conformance(&against, only.as_deref(), report.as_deref(), out)?;
        }
        Args::Status { party } => {
            let device = Device::open(party.home("device")?.path())?;
            writeln!(out, "{}\n  {} ({})", device.id(), device.machine().title, device.machine().name)?;
            writeln!(out, "  root version {}, digest {}", device.root().version(), device.root().digest())?;
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

async fn serve(
    printer: &str,
    once: bool,
    picture: Option<&Path>,
    status: Option<PageAt>,
    party: &Party,
    out: &mut (impl Write + Send),
) -> Result<(), DeviceCommandError> {
    let named = printer.to_owned();
    let printer: PrinterTarget =
        printer.parse().map_err(|error| DeviceCommandError::Printer(format!("{error}")))?;
    if picture.is_some() && !printer.is_simulated() {
        return Err(DeviceCommandError::NotDrawn);
    }
    let connection = party.connection()?;
    let mut device = Device::open(party.home("device")?.path())?;
    if let Err(why) = renew(&mut device, &connection).await {
        writeln!(
            out,
            "trust is not renewed: {why}; going on under root version {}",
            device.root().version()
        )?;
    }
    let word = OwnersWord::read(party.home("device")?.path())?;
    writeln!(out, "{} waits for jobs: {}", device.id(), in_words(&word))?;
    let page = StatusPage::new(device.id().to_string(), device.machine().title, named)?
        .watched_by(Support::of(party.home("device")?.path()), device.tap());
    show_page(&page, status, out).await?;
    let until = || match once {
        true => Until::OneJob,
        false => Until::Stopped(Box::pin(async { drop(interrupted().await) })),
    };
    let mut bar = ProgressBar::hidden();
    let mut told = Ok(());
    let mut watch = |notice: Notice<'_>| {
        match &notice {
            Notice::Offered { .. } => bar = show::layer_count("fetching"),
            Notice::Over(_) => {
                bar.finish_and_clear();
                bar = ProgressBar::hidden();
            }
            _ => {}
        }
        let drawn = match (&notice, picture) {
            (Notice::Over(report), Some(file)) => draw(report, file),
            _ => Ok(None),
        };
        page.hear(&notice);
        let lines = tell(&notice, &bar).into_iter().chain(drawn.as_ref().ok().cloned().flatten());
        let told_now = lines.into_iter().try_for_each(|line| {
            page.say(&line);
            bar.suspend(|| writeln!(out, "{line}"))
        });
        told = std::mem::replace(&mut told, Ok(())).and(told_now).and(drawn.map(drop));
    };
    let vault = connection.lazy(&connection.vault)?;
    let mut served = device.serve(vault.clone(), printer.clone(), &mut watch, until()).await;
    // The house may have changed its root while we served: whoever answers is asked once more under a newer one.
    while matches!(served, Err(DeviceError::Link(LinkError::NotTheVault(_)))) {
        let before = device.root().version();
        match renew(&mut device, &connection).await {
            Ok(now) if now > before => {}
            Ok(_) | Err(_) => break,
        }
        served = device.serve(vault.clone(), printer.clone(), &mut watch, until()).await;
    }
    bar.finish_and_clear();
    served?;
    Ok(told?)
}

/// Shows the page where it was asked for. A usual place that is taken, by another device of this computer, keeps nobody from
/// printing.
async fn show_page(
    page: &StatusPage,
    asked: Option<PageAt>,
    out: &mut (impl Write + Send),
) -> Result<(), DeviceCommandError> {
    let shown = match asked {
        Some(PageAt(None)) => return Ok(()),
        Some(PageAt(Some(address))) => Ok(page.serve(address).await?),
        None => page.serve(STATUS.into()).await,
    };
    match shown {
        Ok(address) => writeln!(out, "status at http://{address}/")?,
        Err(error) => writeln!(out, "no status page: {error}")?,
    }
    Ok(())
}

/// Draws what a simulated machine laid down.
fn draw(report: &PrintReport, file: &Path) -> io::Result<Option<String>> {
    let Some((record, (low, high))) =
        report.record.as_ref().and_then(|record| Some((record, record.extruded?)))
    else {
        return Ok(Some("nothing was laid down: no picture".to_owned()));
    };
    let mut body = BodyPicture::new(low, high, PICTURE[0], PICTURE[1]);
    record.layers().iter().for_each(|layer| body.add(layer));
    files::write_public(file, &body.image().to_png())?;
    Ok(Some(format!("drawn in {}", file.display())))
}

fn read_attestation(file: &Path) -> Result<Statement, PartyError> {
    let not = |error| PartyError::Malformed(format!("{}: no attestation: {error}", file.display()));
    Statement::parse(&files::read(file)?).map_err(not)
}

/// Walks on from the pinned root, so that a device that was off for years knows the services of today.
async fn renew(device: &mut Device, connection: &Connection) -> Result<u32, DeviceCommandError> {
    Ok(device.renew_trust(connection.licensor().await?).await?)
}

/// The line a notice is worth, if any; the bar moves by the way.
fn tell(notice: &Notice<'_>, bar: &ProgressBar) -> Option<String> {
    match notice {
        Notice::LinkUp => Some("the vault is there and has proved itself".into()),
        Notice::LinkLost { attempts, why } => {
            (*attempts <= 1).then(|| format!("no link to the vault: {why}; trying on"))
        }
        Notice::Offered { job } => Some(format!("{job} offered")),
        Notice::Unready { job, why } => Some(format!("{job} waits: {why}")),
        Notice::Segments { stored, .. } => {
            bar.set_message(format!("{stored} segments"));
            None
        }
        Notice::Checked(cleared) => {
            show::now_of(bar, "printing", cleared.envelope().manifest().layers.into());
            Some("envelope authenticated, whole".into())
        }
        Notice::Heating => Some("heating".into()),
        Notice::Layer(_) | Notice::Temperatures(_) => None,
        Notice::Progress { layers, .. } => {
            bar.set_position((*layers).into());
            None
        }
        Notice::Machine(event) => Some(format!("machine: {event:?}")),
        Notice::Settled(entered) => Some(format!("settled: ledger entry {}, verified", entered.index)),
        Notice::Refused(refusal) => Some(format!("refused: {refusal}")),
        Notice::Over(report) => {
            let why = report.failure.as_ref().map(|failure| format!(": {failure}")).unwrap_or_default();
            let outcome = format!("{:?}", report.outcome).to_lowercase();
            Some(format!("{} {outcome}{why}", report.job))
        }
    }
}
