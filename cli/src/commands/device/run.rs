//! `layerlock device run`: waits for jobs and prints them, on one machine or on several of this computer.
//!
//! Each machine is a device of its own, with its own folder, keys, session and journal, and works in a task of its own: what one
//! waits for, or fails by, is no business of the others.

use std::collections::HashSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use indicatif::ProgressBar;
use layerlock_device::{
    Device, DeviceError, LinkError, Notice, OwnersWord, PrintReport, PrinterTarget, Until,
};
use layerlock_terms::receipt::Outcome;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{DeviceCommandError, in_words, open, renew};
use crate::commands::serve::interrupted;
use crate::commands::show;
use crate::connect::Connection;
use crate::files;
use crate::hand::Ear;
use crate::picture::BodyPicture;
use crate::sight::PageAt;
use crate::status_page::{self, StatusPage};
use crate::support::Support;

/// Width and height of a picture.
const PICTURE: [u32; 2] = [1200, 900];

/// Where the status page is unless told.
const STATUS: ([u8; 4], u16) = ([127, 0, 0, 1], 7424);

/// One of several machines of this computer: `DIR=PRINTER`.
#[derive(Debug, Clone)]
pub struct MachineAt {
    /// The folder's last name: what it is called where there are several.
    name: String,
    /// The folder it was enrolled in.
    home: PathBuf,
    printer: PrinterTarget,
}

/// Why that names no machine.
#[derive(Debug, thiserror::Error)]
pub enum NotAMachine {
    /// It has no `=`, or nothing before it.
    #[error("write the folder the device was enrolled in, `=`, and its printer: left=serial:/dev/ttyUSB0")]
    Form,
    /// Its folder's name can't stand in an address.
    #[error("a folder is called by letters, digits, `-` and `_` here, as in left=serial:/dev/ttyUSB0")]
    Name,
    /// What stands behind the `=`.
    #[error("{0}")]
    Printer(String),
}

impl FromStr for MachineAt {
    type Err = NotAMachine;

    fn from_str(text: &str) -> Result<Self, NotAMachine> {
        let (home, printer) = text.split_once('=').ok_or(NotAMachine::Form)?;
        let home = PathBuf::from(home);
        let name = home.file_name().and_then(|name| name.to_str()).ok_or(NotAMachine::Form)?.to_owned();
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(NotAMachine::Name);
        }
        let printer =
            printer.parse::<PrinterTarget>().map_err(|error| NotAMachine::Printer(error.to_string()))?;
        Ok(Self { name, home, printer })
    }
}

/// One device, ready to serve.
struct Agent {
    /// Hears its owner; gone before the device is, which another process may open then.
    _ear: Option<Ear>,
    home: PathBuf,
    device: Device,
    printer: PrinterTarget,
    page: StatusPage,
    connection: Connection,
}

impl Agent {
    /// Opens the device that was enrolled in `home`, and walks to the newest root if the licensor is there; what it has to say
    /// goes to `say`.
    async fn open(
        home: &Path,
        printer: PrinterTarget,
        connection: &Connection,
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<Self, DeviceCommandError> {
        let mut device = open(home)?;
        if let Err(why) = renew(&mut device, connection).await {
            let version = device.root().version();
            say(format!("trust is not renewed: {why}; going on under root version {version}"));
        }
        say(format!("{} waits for jobs: {}", device.id(), in_words(&OwnersWord::read(home)?)));
        let page = StatusPage::new(device.id().to_string(), device.machine().title, printer.to_string())?
            .watched_by(Support::of(home), device.tap());
        let ear = Ear::of(home, device.hand(), page.clone());
        if let Err(why) = &ear {
            say(format!("pause, resume and cancel don't reach this agent: {}: {why}", home.display()));
        }
        let (home, connection) = (home.to_owned(), connection.clone());
        Ok(Self { _ear: ear.ok(), home, device, printer, page, connection })
    }

    /// Serves until told to end.
    async fn work(
        &mut self,
        (once, stop): (bool, watch::Receiver<bool>),
        watch: &mut (dyn FnMut(Notice<'_>) + Send),
    ) -> Result<(), DeviceCommandError> {
        let until = || {
            let mut stop = stop.clone();
            let sign = Box::pin(async move { drop(stop.wait_for(|stop| *stop).await) });
            if once { Until::OneJobOrStopped(sign) } else { Until::Stopped(sign) }
        };
        let vault = self.connection.lazy(&self.connection.vault)?;
        let left_over = self.device.unsettled();
        let mut served = self.device.serve(vault.clone(), self.printer.clone(), watch, until()).await;
        if let Ok(Some(report)) = &served
            && once
            && Some(report.job) == left_over
        {
            // That one was of an earlier run.
            served = self.device.serve(vault.clone(), self.printer.clone(), watch, until()).await;
        }
        // The house may have changed its root while we served: whoever answers is asked once more under a newer one.
        while matches!(served, Err(DeviceError::Link(LinkError::NotTheVault(_)))) {
            let before = self.device.root().version();
            match renew(&mut self.device, &self.connection).await {
                Ok(now) if now > before => {}
                Ok(_) | Err(_) => break,
            }
            served = self.device.serve(vault.clone(), self.printer.clone(), watch, until()).await;
        }
        match served? {
            Some(report) if once && report.outcome != Outcome::Printed => {
                Err(DeviceCommandError::NotPrinted(report.job))
            }
            _ => Ok(()),
        }
    }
}

/// Becomes true once somebody wants this program to end; heard from here on, whatever each machine is at.
fn interruption() -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        let _ = interrupted().await;
        stop.send_replace(true);
        // As long as anybody may still ask.
        stop.closed().await;
    });
    stopped
}

/// Serves one machine, with progress for whoever looks at the terminal.
pub(super) async fn one(
    home: &Path,
    printer: PrinterTarget,
    (once, picture, status): (bool, Option<&Path>, Option<PageAt>),
    connection: &Connection,
    out: &mut (impl Write + Send),
) -> Result<(), DeviceCommandError> {
    let stop = interruption();
    let mut greeting = Vec::new();
    let mut agent = Agent::open(home, printer, connection, &mut |line| greeting.push(line)).await?;
    greeting.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    let page = agent.page.clone();
    show_pages(status, async |address| page.serve(address).await, out).await?;
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
        let lines = tell(&notice, home, &bar).into_iter().chain(drawn.as_ref().ok().cloned().flatten());
        let told_now = lines.into_iter().try_for_each(|line| {
            page.say(&line);
            bar.suspend(|| writeln!(out, "{line}"))
        });
        told = std::mem::replace(&mut told, Ok(())).and(told_now).and(drawn.map(drop));
    };
    let served = agent.work((once, stop), &mut watch).await;
    bar.finish_and_clear();
    served?;
    Ok(told?)
}

/// Serves several machines; each line says whose it is.
pub(super) async fn several(
    machines: Vec<MachineAt>,
    (once, status): (bool, Option<PageAt>),
    connection: &Connection,
    out: &mut (impl Write + Send),
) -> Result<(), DeviceCommandError> {
    let mut names = HashSet::new();
    if let Some(twice) = machines.iter().find(|machine| !names.insert(&machine.name)) {
        return Err(DeviceCommandError::SameName(twice.name.clone()));
    }
    let (mut agents, all) = (Vec::new(), machines.len());
    for MachineAt { name, home, printer } in machines {
        let mut greeting = Vec::new();
        let opened = Agent::open(&home, printer, connection, &mut |line| greeting.push(line)).await;
        greeting.iter().try_for_each(|line| writeln!(out, "{name}: {line}"))?;
        match opened {
            Ok(agent) => agents.push((name, agent)),
            // The others print all the same.
            Err(why) => writeln!(out, "{name}: ended: {why}")?,
        }
    }
    let pages: Vec<_> = agents.iter().map(|(name, agent)| (name.clone(), agent.page.clone())).collect();
    show_pages(status, async |address| status_page::serve_all(address, &pages).await, out).await?;
    let stop = interruption();
    let (say, mut said) = mpsc::unbounded_channel();
    let mut work = JoinSet::new();
    for (name, agent) in agents {
        let say = say.clone();
        let stop = stop.clone();
        let aloud = say.clone();
        let task = tokio::spawn(async move { work_aloud(&name, agent, (once, stop), &aloud).await });
        work.spawn(async move {
            // What panicked has left its machine as it was: a new start turns it off.
            match task.await {
                Ok(served) => served,
                Err(why) => {
                    say.send(format!("ended: {why}; start this program anew")).map_err(drop).and(Err(()))
                }
            }
        });
    }
    drop(say);
    let mut told = Ok(());
    // Nobody who looks at the terminal is worth a print: if it is gone, the machines go on, and it is said at the end.
    while let Some(line) = said.recv().await {
        told = told.and_then(|()| writeln!(out, "{line}"));
    }
    let served = work.join_all().await.into_iter().filter(Result::is_ok).count();
    match all - served {
        0 => Ok(told?),
        failed => Err(DeviceCommandError::SomeFailed { failed, all }),
    }
}

/// One of several: what it says goes into a channel, a line at a time.
async fn work_aloud(
    name: &str,
    mut agent: Agent,
    (once, stop): (bool, watch::Receiver<bool>),
    say: &mpsc::UnboundedSender<String>,
) -> Result<(), ()> {
    let (page, home) = (agent.page.clone(), agent.home.clone());
    let bar = ProgressBar::hidden();
    // Who listens has gone when the process ends: then nobody misses the line.
    let aloud = |line: &str| drop(say.send(format!("{name}: {line}")));
    let mut watch = |notice: Notice<'_>| {
        page.hear(&notice);
        if let Some(line) = tell(&notice, &home, &bar) {
            page.say(&line);
            aloud(&line);
        }
    };
    let served = agent.work((once, stop), &mut watch).await;
    served.map_err(|why| {
        let line = format!("ended: {why}");
        page.say(&line);
        aloud(&line);
    })
}

/// Shows what `serve` does where it was asked for. A usual place that is taken, by another device of this computer, keeps nobody
/// from printing.
async fn show_pages(
    asked: Option<PageAt>,
    serve: impl AsyncFn(SocketAddr) -> io::Result<SocketAddr>,
    out: &mut (impl Write + Send),
) -> Result<(), DeviceCommandError> {
    let shown = match asked {
        Some(PageAt(None)) => return Ok(()),
        Some(PageAt(Some(address))) => Ok(serve(address).await?),
        None => serve(STATUS.into()).await,
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

/// The line a notice is worth, if any; the bar moves by the way.
fn tell(notice: &Notice<'_>, home: &Path, bar: &ProgressBar) -> Option<String> {
    match notice {
        Notice::LinkUp => Some("the vault is there and has proved itself".into()),
        Notice::LinkLost { attempts, why } => {
            (*attempts <= 1).then(|| format!("no link to the vault: {why}; trying on"))
        }
        Notice::Offered { job } => Some(format!("{job} offered")),
        Notice::Unready { job, why } => {
            let then = why
                .word()
                .map(|word| format!(", then run `layerlock-device set {word} --home {}`", home.display()));
            Some(format!("{job} waits: {why}{}", then.unwrap_or_default()))
        }
        Notice::Segments { stored, .. } => {
            bar.set_message(format!("{stored} segments"));
            None
        }
        Notice::Checked(cleared) => {
            show::now_of(bar, "printing", cleared.envelope().manifest().layers.into());
            Some("envelope authenticated, whole".into())
        }
        Notice::Heating => Some("heating".into()),
        Notice::Pausing => Some("pausing, once the machine has made what it holds".into()),
        Notice::Paused => Some("paused".into()),
        Notice::Resumed => Some("going on".into()),
        Notice::Layer(_) | Notice::Temperatures(_) => None,
        Notice::Progress { layers, of } => {
            bar.set_position((*layers).into());
            // A log is told at every tenth what a terminal sees.
            let tenth = |layers: u32| u64::from(layers) * 10 / u64::from((*of).max(1));
            let is_told = bar.is_hidden() && tenth(*layers) > tenth(layers.saturating_sub(1));
            is_told.then(|| format!("layer {layers} of {of}"))
        }
        Notice::Machine(event) => Some(format!("machine: {event:?}")),
        Notice::Stopping(why) => Some(format!("stopping: {why}; the machine is being made safe")),
        Notice::Ended { outcome, extent, why, unsafe_for } => {
            let outcome = format!("{outcome:?}").to_lowercase();
            let of = format!("{} of {} layers", extent.layers, extent.total_layers);
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let hot =
                unsafe_for.map(|error| format!("; NOT MADE SAFE, see that its heaters are off: {error}"));
            Some(format!("{outcome}, {of}{why}; the ledger's entry is awaited{}", hot.unwrap_or_default()))
        }
        Notice::Settled(entered) => Some(format!("settled: ledger entry {}, verified", entered.index)),
        Notice::Refused(refusal) => Some(format!("refused: {refusal}")),
        Notice::Over(report) => {
            let why = report.failure.as_ref().map(|failure| format!(": {failure}")).unwrap_or_default();
            let outcome = format!("{:?}", report.outcome).to_lowercase();
            Some(format!("{} {outcome}{why}", report.job))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_a_folder_and_a_printer() {
        let machine: MachineAt = "farm/left=serial:/dev/ttyUSB0@115200".parse().expect("a machine");
        assert_eq!((&*machine.name, machine.home), ("left", PathBuf::from("farm/left")));
        assert_eq!(machine.printer.to_string(), "serial:/dev/ttyUSB0@115200");
        let key: MachineAt =
            "right=moonraker:http://h:7125?key=/run/key".parse().expect("only the first `=` counts");
        assert_eq!(key.home, PathBuf::from("right"));
        for (text, why) in [
            ("left", "`=`"),
            ("=simulated", "`=`"),
            ("..=simulated", "`=`"),
            ("two words=simulated", "letters, digits"),
            ("left=", "printer"),
            ("left=parallel:/dev/lp0", "printer"),
        ] {
            let refused = text.parse::<MachineAt>().map(drop).expect_err(text).to_string();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
