//! The machine behind the device (hop 11): what the session drives, whatever it is made of.
//!
//! A [`PrinterTarget`] names a machine, [`PrinterTarget::connect`] opens it, a [`Printer`] takes [`Command`]s
//! and answers for them: in order, once each, or an error that says which was the last one acknowledged.
//! After an error nothing is sent again by itself: going on is a new authorisation (rule 30).
//! Rule numbers here and below are those of `docs/printer-link.md`.

pub mod frame;
pub mod klipper;
pub mod marlin;
mod model;
pub mod port;
pub mod reply;
pub mod simulated;
pub mod tap;
pub mod wire;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use async_trait::async_trait;
use layerlock_terms::machine::Machine;

use crate::guard::Command;
use crate::printer::klipper::{Address, KlipperPrinter};
use crate::printer::marlin::MarlinPrinter;
use crate::printer::simulated::{Bench, Record};
use crate::printer::tap::Tap;

/// A machine that moves. Every call serves the link; between calls nothing is read.
#[async_trait]
pub trait Printer: Send {
    /// Waits until there is room for this command, or without one until all that was sent is acknowledged; then `None`. What the
    /// machine asks for meanwhile comes first: it may be what there is no room for.
    ///
    /// # Errors
    /// As [`Printer::send`].
    async fn ready(&mut self, next: Option<&Command>) -> Result<Option<PrinterEvent>, PrinterError>;

    /// Hands over one command. Returns once it is written, which waits for room in the window: this is the
    /// back-pressure of the whole road.
    ///
    /// # Errors
    /// Any [`PrinterError`]; the job on this connection is over then.
    async fn send(&mut self, command: &Command) -> Result<(), PrinterError>;

    /// Waits until every command is acknowledged and every move made: only then is a job "finished" (rule 31).
    ///
    /// # Errors
    /// Any [`PrinterError`].
    async fn drain(&mut self) -> Result<(), PrinterError>;

    /// Serves the link until the machine has something to say; the way to wait while paused. Cancel-safe.
    ///
    /// # Errors
    /// Any [`PrinterError`].
    async fn attend(&mut self) -> Result<PrinterEvent, PrinterError>;

    /// An event that has come in during the other calls, if any.
    fn take_event(&mut self) -> Option<PrinterEvent>;

    /// Ends the job and, with [`Stop::Emergency`], the machine.
    ///
    /// # Errors
    /// What kept the machine from being brought into its safe state.
    async fn stop(&mut self, how: Stop) -> Result<(), PrinterError>;

    /// What has crossed the link so far.
    fn stats(&self) -> LinkStats;

    /// The last temperatures the machine has reported, if any.
    fn temperatures(&self) -> Option<Temperatures>;

    /// What a simulated machine has recorded; `None` for a real one.
    fn record(&self) -> Option<Record> {
        None
    }
}

/// How a job is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Breaks off a heat-up, drops unsent commands, lifts the head, turns heaters, fan and motors off.
    Safe,
    /// Everything off at once; the machine must be switched off and on afterwards (rule 22).
    Emergency,
}

/// Where the machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrinterTarget {
    /// A simulated machine inside this process, which does everything in no time.
    Simulated,
    /// The same at the pace of a real machine, or so many times faster.
    Paced(NonZeroU32),
    /// A serial port, by a stable path such as `/dev/serial/by-id/…`.
    Serial {
        /// The port.
        path: PathBuf,
        /// Its speed; the machine's own and the usual ones are tried where it isn't given.
        baud: Option<u32>,
    },
    /// Klipper, over its socket or through Moonraker.
    Klipper(Address),
}

/// What is known of a machine once it answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Greeting {
    /// Its answer to M115, empty where it gave none.
    pub firmware: String,
    /// The capabilities it announced as present; hints only (rule 21).
    pub capabilities: Vec<String>,
    /// The speed that worked; `None` where there is no wire.
    pub baud: Option<u32>,
}

/// Something the machine asks for or reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrinterEvent {
    /// It asks the host to pause.
    Pause,
    /// It has parked already: send nothing more until told (rule 25).
    Paused,
    /// It asks the host to go on.
    Resume,
    /// It goes on by itself.
    Resumed,
    /// It asks the host to cancel the job.
    Cancel,
    /// The filament has run out.
    FilamentOut,
    /// It reported temperatures that differ by a degree from those before.
    Temperatures,
    /// It waits for the user at its own display: no hang, tell the user (rule 18).
    WaitsForUser,
    /// A prompt to show the user, as the machine words it.
    Prompt(String),
    /// More than one line in ten has had to be sent again: a bad cable or a bad power supply (rule 9).
    ManyResends {
        /// Lines sent again.
        resends: u64,
        /// Lines sent for the first time.
        lines_sent: u64,
    },
}

/// What has crossed the link, for receipts, logs and tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Commands written for the first time.
    pub lines_sent: u64,
    /// Lines written again after a resend request.
    pub resends: u64,
    /// Times the machine said that it is busy.
    pub busy: u64,
    /// Times an answer was late and the machine was probed.
    pub timeouts: u64,
    /// Commands known to be taken, counted from one; the first `n` are.
    pub last_acknowledged: u64,
}

/// Temperatures in degrees Celsius, as reported.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Temperatures {
    /// Nozzle now.
    pub nozzle: f32,
    /// Nozzle target.
    pub nozzle_target: f32,
    /// Bed now.
    pub bed: f32,
    /// Bed target.
    pub bed_target: f32,
}

impl Temperatures {
    /// Whether any is another degree.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        let degrees = |t: &Self| [t.nozzle, t.nozzle_target, t.bed, t.bed_target].map(f32::round);
        degrees(self) != degrees(other)
    }
}

/// Why the machine can't be driven any further. `last` is the last command known to be taken, counted from one.
#[derive(Debug, thiserror::Error)]
pub enum PrinterError {
    /// The port can't be opened or set up.
    #[error("can't open {path}: {source}; is it plugged in, free, and are you allowed to use it?")]
    Open {
        /// The port.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The firmware is another machine's.
    #[error(
        "the machine calls itself `{said}`, and this device is enrolled as `{enrolled}`: plug in the right one, or enrol \
         anew with --machine"
    )]
    OtherMachine {
        /// The firmware's word.
        said: String,
        /// The catalogue name it is enrolled as.
        enrolled: &'static str,
    },
    /// Nothing on the port speaks the protocol.
    #[error("no answer from the machine at {tried}; check power, cable and speed")]
    NoAnswer {
        /// The speeds tried.
        tried: String,
    },
    /// The cable, the port or the machine is gone (rule 30).
    #[error("link to the machine lost after command {last} ({cause}); the job is over")]
    LinkLost {
        /// Last command acknowledged.
        last: u64,
        /// What the system says.
        cause: String,
    },
    /// The link is there, the machine is silent (rule 11).
    #[error("the machine does not answer after command {last}, {probes} probes sent; the job is over")]
    Silent {
        /// Last command acknowledged.
        last: u64,
        /// Probes in a row without an answer.
        probes: u32,
    },
    /// The machine has restarted in mid-job (rules 6 and 12).
    #[error("the machine restarted after command {last}; the job is over, clear the bed and start anew")]
    Restarted {
        /// Last command acknowledged.
        last: u64,
    },
    /// The machine has stopped itself (rule 24).
    #[error("the machine stopped itself after command {last}: {message}")]
    Fault {
        /// Last command acknowledged.
        last: u64,
        /// The machine's words.
        message: String,
    },
    /// It was asked to extrude below its least temperature; firmware only murmurs, we stop (rule 24).
    #[error("the machine refused to extrude cold after command {last}; the job is over")]
    ColdExtrusion {
        /// Last command acknowledged.
        last: u64,
    },
    /// The same line was asked for again and again (rule 9).
    #[error("line {line} was asked for {times} times; the cable or the machine garbles it: the job is over")]
    Garbled {
        /// The line's number on the link.
        line: u64,
        /// Requests for it.
        times: u32,
    },
    /// It asked for a line never written, so it has skipped lines (rule 6).
    #[error("the machine asks for line {line}, which was never sent: it has lost count, and the job is over")]
    LostCount {
        /// The line's number on the link.
        line: u64,
    },
    /// Klipper or Moonraker can't be reached.
    #[error("can't reach {address}: {cause}; {mend}")]
    Unreachable {
        /// As it is written after `--printer`.
        address: String,
        /// What the system or the other end says.
        cause: String,
        /// What to do.
        mend: &'static str,
    },
    /// Klipper is there and takes no job (rule K3).
    #[error("Klipper takes no job now: {0}")]
    Unready(String),
    /// Klipper did not run a line (rule K11).
    #[error("Klipper refused a line after command {last}: {message}; the job is over")]
    Refused {
        /// Last command acknowledged.
        last: u64,
        /// What to do, and Klipper's words.
        message: String,
    },
    /// The head still moved when it should have been at rest, so everything was turned off (rule K10).
    #[error(
        "the head was not at rest {} ms after the stop, so Klipper was stopped for good: clear the bed, then say FIRMWARE_RESTART",
        after.as_millis()
    )]
    NotObeyed {
        /// How long it was given.
        after: std::time::Duration,
    },
    /// A call after the job was stopped.
    #[error("the job on this printer is over; connect again")]
    Over,
}

/// A printer's address that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' names no printer: say 'simulated', 'simulated@1' for real time, 'simulated@20' for twenty times that, \
     'serial:PATH', 'serial:PATH@BAUD', 'klipper:SOCKET' or 'moonraker:http://HOST:PORT'"
)]
pub struct TargetError(String);

impl PrinterTarget {
    /// Whether the machine is one of this process.
    pub fn is_simulated(&self) -> bool {
        match self {
            Self::Simulated | Self::Paced(_) => true,
            Self::Serial { .. } | Self::Klipper(_) => false,
        }
    }

    /// Opens the machine and agrees on line numbers with it.
    ///
    /// # Errors
    /// [`PrinterError::Open`], [`PrinterError::NoAnswer`], or [`PrinterError::OtherMachine`] where the firmware says so.
    pub async fn connect(&self, machine: &Machine) -> Result<(Box<dyn Printer>, Greeting), PrinterError> {
        self.connect_tapped(machine, Tap::default()).await
    }

    /// Turns off what an earlier run left in mid-print. A serial machine is not moved: much may have happened meanwhile. Opening
    /// its port may reset it.
    ///
    /// # Errors
    /// What kept it from being turned off.
    pub(crate) async fn cool(&self, machine: &Machine, tap: Tap) -> Result<(), PrinterError> {
        match self {
            // Went with the run that left it.
            Self::Simulated | Self::Paced(_) => Ok(()),
            Self::Serial { path, baud } => MarlinPrinter::cool(path, *baud, machine.baud, tap).await,
            Self::Klipper(address) => {
                let (mut printer, _) = KlipperPrinter::connect(address, tap).await?;
                printer.stop(Stop::Safe).await
            }
        }
    }

    /// The same with somebody who may watch what crosses the wire, from the first byte on.
    pub(crate) async fn connect_tapped(
        &self,
        machine: &Machine,
        tap: Tap,
    ) -> Result<(Box<dyn Printer>, Greeting), PrinterError> {
        let (printer, greeting) = match self {
            Self::Klipper(address) => {
                let (printer, greeting) = KlipperPrinter::connect(address, tap).await?;
                return Ok((Box::new(printer), greeting));
            }
            Self::Simulated => MarlinPrinter::simulated_tapped(Bench::instant(machine), tap).await?,
            Self::Paced(times) => MarlinPrinter::simulated_tapped(Bench::paced(machine, *times), tap).await?,
            Self::Serial { path, baud } => {
                MarlinPrinter::serial_tapped(path, *baud, machine.baud, tap).await?
            }
        };
        model::is_enrolled(machine, &greeting)?;
        Ok((Box::new(printer), greeting))
    }
}

impl FromStr for PrinterTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if text == "simulated" {
            return Ok(Self::Simulated);
        }
        if let Some(times) = text.strip_prefix("simulated@") {
            return times.parse().map(Self::Paced).map_err(|_| TargetError(text.into()));
        }
        if let Some(socket) = text.strip_prefix("klipper:").filter(|socket| !socket.is_empty()) {
            return Ok(Self::Klipper(Address::Socket(socket.into())));
        }
        if let Some(url) = text.strip_prefix("moonraker:") {
            return moonraker(url).map(Self::Klipper).ok_or_else(|| TargetError(text.into()));
        }
        let port = text.strip_prefix("serial:").ok_or_else(|| TargetError(text.into()))?;
        let (path, baud) = match port.rsplit_once('@') {
            Some((path, baud)) => (path, Some(baud.parse().map_err(|_| TargetError(text.into()))?)),
            None => (port, None),
        };
        if path.is_empty() || baud == Some(0) {
            return Err(TargetError(text.into()));
        }
        Ok(Self::Serial { path: path.into(), baud })
    }
}

/// `http://HOST:PORT`, and `?key=FILE` where Moonraker asks for its key.
fn moonraker(url: &str) -> Option<Address> {
    let (place, key) = match url.strip_prefix("http://")?.split_once("?key=") {
        Some((_, "")) => return None,
        Some((place, file)) => (place, Some(file.into())),
        None => (url.strip_prefix("http://")?, None),
    };
    let (host, port) = place.trim_end_matches('/').rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|&port| port > 0)?;
    let is_plain = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
    is_plain.then(|| Address::Moonraker { host: host.into(), port, key })
}

impl fmt::Display for PrinterTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulated => write!(f, "simulated"),
            Self::Paced(times) => write!(f, "simulated@{times}"),
            Self::Klipper(address) => write!(f, "{address}"),
            Self::Serial { path, baud: None } => write!(f, "serial:{}", path.display()),
            Self::Serial { path, baud: Some(baud) } => write!(f, "serial:{}@{baud}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_reads_back_as_it_was_written() {
        for text in [
            "simulated",
            "simulated@20",
            "serial:/dev/ttyUSB0",
            "serial:/dev/serial/by-id/usb@250000",
            "klipper:/tmp/klippy_uds",
            "moonraker:http://printer.local:7125",
            "moonraker:http://[::1]:7125?key=/etc/layerlock/moonraker",
        ] {
            assert_eq!(text.parse::<PrinterTarget>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_target_that_names_no_printer_is_refused_with_the_mend() {
        for text in [
            "",
            "simulated@0",
            "simulated@fast",
            "serial:",
            "usb:1",
            "serial:/dev/ttyS0@fast",
            "serial:/dev/ttyS0@0",
            "serial:@250000",
            "klipper:",
            "moonraker:",
            "moonraker:printer:7125",
            "moonraker:https://printer:7125",
            "moonraker:http://printer",
            "moonraker:http://printer:0",
            "moonraker:http://:7125",
            "moonraker:http://user@printer:7125",
            "moonraker:http://printer:7125?key=",
        ] {
            assert!(text.parse::<PrinterTarget>().unwrap_err().to_string().contains("serial:PATH"), "{text}");
        }
    }
}
