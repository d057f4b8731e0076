//! A simulated printer on a pseudo-terminal: a serial port that anything can open, with the faults of a bad cable.
//!
//! The machine is the device library's own [`Firmware`]; this puts it behind a pty, so that the road through a
//! real serial port (`serial:PATH`) is walked in every test run, with no hardware and no other program.
//! Linux and macOS only, as ptys are. Deliberately absent: a second model of Marlin.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use layerlock_device::printer::simulated::{Bench, Firmware, Record};
use rustix::fd::OwnedFd;
use rustix::pty::OpenptFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// A machine plugged in; unplugged when dropped.
#[derive(Debug)]
pub struct PtyMarlin {
    path: PathBuf,
    firmware: Arc<Mutex<Firmware>>,
    /// Kept open, so that the port stays while no client has it open.
    _port: OwnedFd,
    running: tokio::task::JoinHandle<()>,
}

impl PtyMarlin {
    /// Switches a machine on. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The system's, where it has no pseudo-terminals to give.
    pub fn plug_in(bench: Bench) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let path = PathBuf::from(name.to_string_lossy().into_owned());
        let port = raw(&path)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let firmware = Arc::new(Mutex::new(Firmware::new(&bench.machine, bench.manners, bench.faults)));
        #[expect(deprecated, reason = "its replacement is unsafe; an OwnedFd stays the same descriptor")]
        let master = AsyncFd::new(master)?;
        let running = tokio::spawn(run(Arc::clone(&firmware), master));
        Ok(Self { path, firmware, _port: port, running })
    }

    /// The port's path, for `serial:PATH`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many commands it has executed, and how many moves found it with nothing planned.
    pub fn pace(&self) -> (u64, u64) {
        let firmware = self.firmware.lock().expect("a firmware does not panic");
        (firmware.record().commands, firmware.record().starved)
    }

    /// What the machine has been made to do.
    pub fn record(&self) -> Record {
        self.firmware.lock().expect("a firmware does not panic").record().clone()
    }
}

impl Drop for PtyMarlin {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Opens the client's end once and makes it raw, so that nothing the machine says is echoed back to it.
fn raw(path: &Path) -> io::Result<OwnedFd> {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let port = rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
    let mut settings = rustix::termios::tcgetattr(&port)?;
    settings.make_raw();
    rustix::termios::tcsetattr(&port, rustix::termios::OptionalActions::Now, &settings)?;
    Ok(port)
}

/// Moves bytes between the port and the firmware until the cable is pulled, by a fault or by dropping the machine.
async fn run(firmware: Arc<Mutex<Firmware>>, port: AsyncFd<OwnedFd>) {
    let started = Instant::now();
    let mut buffer = [0; 4096];
    let mut received = 0;
    loop {
        let (said, wake) = {
            let mut firmware = firmware.lock().expect("a firmware does not panic");
            firmware.receive(&buffer[..received], started.elapsed());
            (firmware.take_output(), firmware.wake())
        };
        let Some(said) = said else { return };
        if write_all(&port, &said).await.is_err() {
            return;
        }
        let read = port.async_io(Interest::READABLE, |port| Ok(rustix::io::read(port, &mut buffer)?));
        let read = match wake {
            Some(at) => tokio::time::timeout_at(started + at, read).await,
            None => Ok(read.await),
        };
        received = match read {
            Ok(Ok(count)) => count,
            Ok(Err(_)) => return,
            Err(_elapsed) => 0,
        };
    }
}

async fn write_all(port: &AsyncFd<OwnedFd>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = port.async_io(Interest::WRITABLE, |port| Ok(rustix::io::write(port, bytes)?)).await?;
        bytes = &bytes[written..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use layerlock_device::guard::{Command, Guard};
    use layerlock_device::printer::simulated::{Fault, Faults};
    use layerlock_device::printer::{Printer, PrinterError, PrinterTarget, Stop};
    use layerlock_terms::machine::MACHINES;

    use super::*;

    fn job(moves: usize) -> Vec<Command> {
        let mut guard = Guard::new(&MACHINES[0]);
        let start = ["G28", "M104 S200", "M109 S200", "M83"].map(String::from);
        let moves = (0..moves).map(|n| format!("G1 X{}.{:03} E0.01", 10 + n / 1000, n % 1000));
        start.into_iter().chain(moves).map(|line| guard.admit(&line).unwrap()).collect()
    }

    async fn connected(printer: &PtyMarlin) -> Box<dyn Printer> {
        let target = PrinterTarget::Serial { path: printer.path().into(), baud: None };
        let (connected, greeting) = target.connect(&MACHINES[0]).await.unwrap();
        assert_eq!(greeting.baud, Some(MACHINES[0].baud), "the machine's own speed comes first");
        connected
    }

    async fn print(link: &mut dyn Printer, job: &[Command]) -> Result<(), PrinterError> {
        for command in job {
            link.send(command).await?;
        }
        link.drain().await
    }

    fn with(faults: Faults) -> Bench {
        Bench { faults, ..Bench::instant(&MACHINES[0]) }
    }

    #[tokio::test]
    async fn a_print_through_a_serial_port_is_done_once_each_in_order() {
        let printer = PtyMarlin::plug_in(with(Faults::none())).unwrap();
        let (job, mut link) = (job(3_000), connected(&printer).await);
        print(link.as_mut(), &job).await.unwrap();
        assert!(printer.record().executed().eq(job.iter().map(Command::text)));
        assert_eq!(link.stats().last_acknowledged, job.len() as u64);
        assert_eq!((link.stats().resends, printer.record().overflowed), (0, 0));
    }

    #[tokio::test]
    async fn a_bad_cable_to_a_serial_port_changes_nothing_in_what_is_done() {
        for seed in 1..=4 {
            let classes = [Fault::LineCorrupted, Fault::AnswerDoubled, Fault::Noise];
            let printer = PtyMarlin::plug_in(with(Faults::random(seed, &classes, 10))).unwrap();
            let (job, mut link) = (job(1_500), connected(&printer).await);
            print(link.as_mut(), &job).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(printer.record().executed().eq(job.iter().map(Command::text)), "seed {seed}");
            assert!(link.stats().resends > 0, "seed {seed}");
        }
    }

    #[tokio::test]
    async fn a_pulled_cable_is_a_lost_link_that_names_the_last_command_acknowledged() {
        let printer = PtyMarlin::plug_in(with(Faults::at([(300, Fault::HangUp)]))).unwrap();
        let mut link = connected(&printer).await;
        let Err(PrinterError::LinkLost { last, .. }) = print(link.as_mut(), &job(1_000)).await else {
            panic!("the link is not lost");
        };
        assert!((200..300).contains(&last), "{last}");
    }

    #[tokio::test]
    async fn rule_30_a_machine_that_is_back_on_its_port_is_cooled_and_not_moved() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("by-id");
        let printer = PtyMarlin::plug_in(with(Faults::at([(300, Fault::HangUp)]))).unwrap();
        std::os::unix::fs::symlink(printer.path(), &place).unwrap();
        let target = PrinterTarget::Serial { path: place.clone(), baud: None };
        let (mut link, _) = target.connect(&MACHINES[0]).await.unwrap();
        let lost = print(link.as_mut(), &job(1_000)).await.expect_err("the cable was pulled");
        drop(printer);
        std::fs::remove_file(&place).unwrap();

        // It comes back a moment later, as another number of port, as USB does.
        let again = tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(600)).await;
            let printer = PtyMarlin::plug_in(with(Faults::none())).unwrap();
            std::os::unix::fs::symlink(printer.path(), &place).unwrap();
            printer
        });
        link.stop(Stop::Safe).await.unwrap();
        let printer = again.await.unwrap();
        let record = printer.record();
        let done: Vec<_> = record.executed().collect();
        assert!(["M104 S0", "M140 S0", "M107", "M84"].iter().all(|word| done.contains(word)), "{done:?}");
        assert!(!done.iter().any(|line| line.starts_with('G')), "{done:?}");
        let PrinterError::LinkLost { last, .. } = lost else { panic!("{lost}") };
        assert_eq!(link.stats().last_acknowledged, last, "what was done before is not forgotten");
        assert!(matches!(link.stop(Stop::Safe).await, Err(PrinterError::Over)), "once");
    }

    #[tokio::test]
    async fn rule_30_a_cable_pulled_at_any_moment_of_a_stop_leaves_no_machine_hot() {
        let (mut in_the_middle, mut after) = (0, 0);
        for line in 125..165 {
            let dir = tempfile::tempdir().unwrap();
            let place = dir.path().join("by-id");
            let before = PtyMarlin::plug_in(with(Faults::at([(line, Fault::HangUp)]))).unwrap();
            let back = PtyMarlin::plug_in(with(Faults::none())).unwrap();
            std::os::unix::fs::symlink(before.path(), &place).unwrap();
            let target = PrinterTarget::Serial { path: place.clone(), baud: None };
            let (mut link, _) = target.connect(&MACHINES[0]).await.unwrap();
            std::fs::remove_file(&place).unwrap();
            std::os::unix::fs::symlink(back.path(), &place).unwrap();
            let printed = print(link.as_mut(), &job(120)).await;
            let before_stop = before.record().executed().count();
            link.stop(Stop::Safe).await.unwrap();
            let (before, back) = (before.record(), back.record());
            let told: Vec<_> = before.executed().skip(before_stop).chain(back.executed()).collect();
            assert!(
                ["M104 S0", "M140 S0"].iter().all(|off| told.contains(off)),
                "pulled at {line}: {told:?}"
            );
            assert!(!back.executed().any(|line| line.starts_with('G')), "what is back is not moved");
            match back.executed().count() {
                0 => after += 1,
                _ => in_the_middle += usize::from(printed.is_ok()),
            }
        }
        assert!(
            in_the_middle >= 3 && after >= 3,
            "{in_the_middle} in the middle of a stop, {after} after it"
        );
    }

    #[tokio::test]
    async fn a_machine_that_calls_itself_another_than_was_enrolled_is_refused_by_both_names() {
        let named = |name: &str| MACHINES.iter().find(|machine| machine.name == name).unwrap();
        let printer = PtyMarlin::plug_in(Bench::instant(named("ender-3"))).unwrap();
        let target = PrinterTarget::Serial { path: printer.path().into(), baud: None };
        let Err(error) = target.connect(named("prusa-mk3s")).await.map(|_| ()) else { panic!("taken") };
        assert!(matches!(error, PrinterError::OtherMachine { .. }), "{error}");
        assert!(error.to_string().contains("Ender-3") && error.to_string().contains("prusa-mk3s"), "{error}");
        target.connect(named("ender-3")).await.map(drop).unwrap();
    }

    #[tokio::test]
    async fn a_port_in_use_is_refused_to_a_second_client() {
        let printer = PtyMarlin::plug_in(with(Faults::none())).unwrap();
        let _link = connected(&printer).await;
        let target = PrinterTarget::Serial { path: printer.path().into(), baud: Some(115_200) };
        let Err(error) = target.connect(&MACHINES[0]).await.map(|_| ()) else { panic!("opened twice") };
        assert!(matches!(error, PrinterError::Open { .. }), "{error}");
    }
}
