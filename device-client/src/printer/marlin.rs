//! The shell around [`Wire`]: owns the port and the clock, moves bytes, and is otherwise without opinions.
//!
//! Serial machines and the simulated one run through this same code; they differ in their [`Port`] alone.
//! An error from the port is the end of the job. A serial port is opened once more, to turn off what may be hot (rule 30).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::guard::Command;
use crate::printer::port::{Port, speeds};
use crate::printer::simulated::{Bench, Firmware, Record};
use crate::printer::tap::{Tap, Tapped};
use crate::printer::wire::{Afterwards, Ending, Wire};
use crate::printer::{Greeting, LinkStats, Printer, PrinterError, PrinterEvent, Stop, Temperatures};

/// How long a machine may take to start and answer at the first speed (rule 28).
pub(super) const START: Duration = Duration::from_secs(10);
/// How long it may take at each further speed: it has started by then.
const NEXT_SPEED: Duration = Duration::from_secs(3);
/// How long the port may refuse bytes before the link counts as lost.
const WRITE: Duration = Duration::from_secs(5);
/// How long the safe state may take.
const SAFE: Duration = Duration::from_secs(60);
/// How long a port that went away is waited for, and between two looks (rule 30).
const BACK: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(250);

/// A machine that speaks Marlin's serial protocol.
#[derive(Debug)]
pub struct MarlinPrinter {
    /// `None` once the job is over and the port closed.
    port: Option<Port>,
    /// Where it was open, and how fast; until it is opened once more.
    place: Option<(PathBuf, u32)>,
    /// What had crossed the link when it was lost.
    before: Option<LinkStats>,
    wire: Wire,
    /// The temperatures that were told while there was no room.
    told: Option<Temperatures>,
    opened: Instant,
    buffer: Box<[u8; 4096]>,
    /// Taken from the wire, not yet taken by the port.
    unwritten: Vec<u8>,
    tapped: Tapped,
    /// The machine behind the port, where it is a simulated one.
    bench: Option<Arc<Mutex<Firmware>>>,
}

impl MarlinPrinter {
    /// Opens a serial port, finds its speed where `baud` is not given, and agrees on line numbers.
    ///
    /// # Errors
    /// [`PrinterError::Open`], [`PrinterError::NoAnswer`], or what ended the link during the greeting.
    pub async fn serial(
        path: &Path,
        baud: Option<u32>,
        machine: u32,
    ) -> Result<(Self, Greeting), PrinterError> {
        Self::serial_tapped(path, baud, machine, Tap::default()).await
    }

    pub(super) async fn serial_tapped(
        path: &Path,
        baud: Option<u32>,
        machine: u32,
        tap: Tap,
    ) -> Result<(Self, Greeting), PrinterError> {
        let tried = speeds(baud, machine);
        let mut printer = Self::on(Some(Port::open(path, tried[0])?), START, tap);
        for (at, &speed) in tried.iter().enumerate() {
            if at > 0 && !printer.at_speed(speed) {
                continue;
            }
            match printer.greet().await {
                Err(PrinterError::NoAnswer { .. }) => {}
                Err(error) => return Err(error),
                Ok(greeting) => {
                    printer.place = Some((path.to_owned(), speed));
                    return Ok((printer, Greeting { baud: Some(speed), ..greeting }));
                }
            }
        }
        let tried = tried.iter().map(|speed| format!("{speed} baud")).collect::<Vec<_>>().join(", ");
        Err(PrinterError::NoAnswer { tried })
    }

    /// Sets up a simulated machine in this process and connects to it.
    ///
    /// # Errors
    /// What ended the link during the greeting; faults can be part of the bench.
    pub async fn simulated(bench: Bench) -> Result<(Self, Greeting), PrinterError> {
        Self::simulated_tapped(bench, Tap::default()).await
    }

    pub(super) async fn simulated_tapped(bench: Bench, tap: Tap) -> Result<(Self, Greeting), PrinterError> {
        let (port, firmware) = bench.plug_in();
        let mut printer = Self::on(Some(Port::Memory(port)), START, tap);
        printer.bench = Some(firmware);
        let greeting = printer.greet().await?;
        Ok((printer, greeting))
    }

    /// Keeps one line in flight instead of four: slower, for firmware that loses count with several.
    pub fn one_line_at_a_time(&mut self) {
        self.wire.one_line_at_a_time();
    }

    /// Makes a simulated machine say something out of turn: a pause button, a filament sensor.
    /// Heard at the next answer; a real machine can't be made to, and isn't.
    pub fn interject(&mut self, text: &str) {
        if let Some(firmware) = &self.bench {
            firmware.lock().expect("the simulated machine has not panicked").interject(text);
        }
    }

    /// The machine behind the port, where it is a simulated one.
    #[cfg(test)]
    pub(crate) fn bench(&self) -> Option<Arc<Mutex<Firmware>>> {
        self.bench.clone()
    }

    fn on(port: Option<Port>, patience: Duration, tap: Tap) -> Self {
        let wire = Wire::open(Duration::ZERO, patience);
        let (opened, buffer, unwritten) = (Instant::now(), Box::new([0; 4096]), Vec::new());
        let tapped = Tapped::new(tap);
        let (place, before, told) = (None, None, None);
        Self { port, place, before, wire, told, opened, buffer, unwritten, tapped, bench: None }
    }

    fn at_speed(&mut self, speed: u32) -> bool {
        self.wire = Wire::open(self.now(), NEXT_SPEED);
        self.port.as_mut().is_some_and(|port| port.change_speed(speed).is_ok())
    }

    async fn greet(&mut self) -> Result<Greeting, PrinterError> {
        while self.wire.is_greeting() {
            self.serve().await?;
        }
        self.set_up(&["M115", "M113 S2", "M105"]).await?;
        self.set_up(&["M105"]).await?; // Again, now that its form is known: from here on the count is right.
        let reports = self.wire.heard().capabilities.iter().any(|name| name == "AUTOREPORT_TEMP");
        if reports && self.wire.may_report_unasked() {
            self.set_up(&["M155 S2"]).await?;
        }
        let heard = self.wire.heard();
        let (firmware, capabilities) = (heard.firmware.clone(), heard.capabilities.clone());
        Ok(Greeting { firmware, capabilities, baud: None })
    }

    async fn set_up(&mut self, lines: &[&'static str]) -> Result<(), PrinterError> {
        for line in lines {
            self.wire.push_own(line, self.now());
        }
        self.until_idle().await
    }

    async fn until_idle(&mut self) -> Result<(), PrinterError> {
        self.check()?;
        while !self.wire.is_idle() {
            self.serve().await?;
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.opened.elapsed()
    }

    fn check(&self) -> Result<(), PrinterError> {
        match self.wire.ending() {
            Some(ending) => Err(ending.error(self.wire.heard().stats)),
            None => Ok(()),
        }
    }

    /// Writes what is to be written, then waits for bytes or the wire's deadline, whichever is first.
    /// Cancel-safe: bytes read are handed on before the next wait.
    async fn serve(&mut self) -> Result<(), PrinterError> {
        self.flush().await?;
        self.check()?;
        let deadline = self.wire.deadline().map(|at| self.opened + at);
        let port = self.port.as_mut().ok_or(PrinterError::Over)?;
        let read = match deadline {
            Some(at) => tokio::time::timeout_at(at, port.read(&mut self.buffer[..])).await,
            None => Ok(port.read(&mut self.buffer[..]).await),
        };
        match read {
            Err(_elapsed) => self.wire.tick(self.now()),
            Ok(Ok(0)) => return Err(self.lost("end of file")),
            Ok(Ok(count)) => {
                self.tapped.heard(&self.buffer[..count]);
                self.wire.receive(&self.buffer[..count], self.opened.elapsed());
            }
            Ok(Err(error)) => return Err(self.lost(&error.to_string())),
        }
        self.flush().await?;
        self.check()
    }

    /// Cancel-safe: what is taken from the wire stays here until the port has taken it.
    async fn flush(&mut self) -> Result<(), PrinterError> {
        self.unwritten.extend(self.wire.take_output());
        while !self.unwritten.is_empty() {
            let port = self.port.as_mut().ok_or(PrinterError::Over)?;
            match tokio::time::timeout(WRITE, port.write(&self.unwritten)).await {
                Ok(Ok(count)) if count > 0 => {
                    self.tapped.sent(&self.unwritten[..count]);
                    self.unwritten.drain(..count);
                }
                Ok(Ok(_)) => return Err(self.lost("the port is closed")),
                Ok(Err(error)) => return Err(self.lost(&error.to_string())),
                Err(_elapsed) => return Err(self.lost("the port takes no bytes")),
            }
        }
        Ok(())
    }

    fn lost(&mut self, cause: &str) -> PrinterError {
        self.port = None;
        self.before.get_or_insert(self.wire.heard().stats);
        PrinterError::LinkLost { last: self.wire.heard().stats.last_acknowledged, cause: cause.into() }
    }

    async fn make_safe(&mut self) -> Result<(), PrinterError> {
        match self.wire.ending().map(Ending::afterwards) {
            None | Some(Afterwards::SafeState) => {
                self.wire.make_safe(self.now());
                self.until_safe().await
            }
            Some(Afterwards::HeatersOff) => self.halt().await,
            Some(Afterwards::Nothing) => Ok(()),
        }
    }

    /// Turns off a machine that an earlier run left in mid-print, at whatever speed it answers; nothing moves.
    ///
    /// # Errors
    /// [`PrinterError::Open`], [`PrinterError::NoAnswer`], or what ended the link. Heaters were told to go off all the same, at every
    /// speed that was tried.
    pub(super) async fn cool(
        path: &Path,
        baud: Option<u32>,
        machine: u32,
        tap: Tap,
    ) -> Result<(), PrinterError> {
        let mut outcome = Err(PrinterError::Over);
        for speed in speeds(baud, machine) {
            let mut printer = Self::on(None, START, tap.clone());
            printer.place = Some((path.to_owned(), speed));
            outcome = printer.cool_what_is_back().await;
            if !matches!(outcome, Err(PrinterError::NoAnswer { .. })) {
                break;
            }
        }
        outcome
    }

    /// Opens the port that went away once more, for heaters, fan and motors off alone. What comes back may be another machine,
    /// or have started afresh, so nothing moves.
    async fn cool_what_is_back(&mut self) -> Result<(), PrinterError> {
        let (path, baud) = self.place.take().ok_or(PrinterError::Over)?;
        let late = Instant::now() + BACK;
        let port = loop {
            match Port::open(&path, baud) {
                Ok(port) => break port,
                Err(error) if Instant::now() >= late => return Err(error),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        };
        self.before.get_or_insert(self.wire.heard().stats);
        self.port = Some(port);
        self.wire = Wire::open_to_cool(self.now(), START);
        self.unwritten.clear();
        while self.wire.is_greeting() {
            self.serve().await?;
        }
        self.wire.cool(self.now());
        self.until_safe().await
    }

    /// Waits until the machine has done what makes it safe. Nothing is left hot for want of an answer.
    async fn until_safe(&mut self) -> Result<(), PrinterError> {
        let done = tokio::time::timeout(SAFE, self.until_idle()).await;
        let silent = PrinterError::Silent { last: self.stats().last_acknowledged, probes: 0 };
        let done = done.unwrap_or(Err(silent));
        let is_over = self.wire.ending().map(Ending::afterwards) == Some(Afterwards::Nothing);
        if done.is_err() && !is_over && self.port.is_some() {
            self.halt().await?;
        }
        done
    }

    async fn halt(&mut self) -> Result<(), PrinterError> {
        self.wire.halt();
        let written = self.flush().await;
        if let Some(port) = &mut self.port {
            port.pulse_reset();
        }
        written
    }
}

#[async_trait]
impl Printer for MarlinPrinter {
    async fn ready(&mut self, next: Option<&Command>) -> Result<Option<PrinterEvent>, PrinterError> {
        self.check()?;
        loop {
            if next.map_or_else(|| self.wire.is_idle(), |command| self.wire.has_room_for(command)) {
                return Ok(None);
            }
            if let Some(event) = self.wire.take_event() {
                return Ok(Some(event));
            }
            if let Some(reported) = self.temperatures()
                && self.told.is_none_or(|told| told.differs_from(&reported))
            {
                self.told = Some(reported);
                return Ok(Some(PrinterEvent::Temperatures));
            }
            self.serve().await?;
        }
    }

    async fn send(&mut self, command: &Command) -> Result<(), PrinterError> {
        self.check()?;
        while !self.wire.has_room_for(command) {
            self.serve().await?;
        }
        self.wire.push(command, self.now());
        self.flush().await
    }

    async fn drain(&mut self) -> Result<(), PrinterError> {
        self.until_idle().await?;
        self.set_up(&["M400", "M105"]).await
    }

    async fn attend(&mut self) -> Result<PrinterEvent, PrinterError> {
        loop {
            if let Some(event) = self.wire.take_event() {
                return Ok(event);
            }
            self.serve().await?;
        }
    }

    fn take_event(&mut self) -> Option<PrinterEvent> {
        self.wire.take_event()
    }

    async fn stop(&mut self, how: Stop) -> Result<(), PrinterError> {
        let stopped = match how {
            _ if self.port.is_none() => self.cool_what_is_back().await,
            Stop::Safe => self.make_safe().await,
            Stop::Emergency => self.halt().await,
        };
        // Gone in the middle of it.
        let stopped = match stopped {
            Err(_) if self.port.is_none() && self.place.is_some() => self.cool_what_is_back().await,
            stopped => stopped,
        };
        (self.port, self.place) = (None, None);
        stopped
    }

    fn stats(&self) -> LinkStats {
        self.before.unwrap_or(self.wire.heard().stats)
    }

    fn temperatures(&self) -> Option<Temperatures> {
        self.wire.heard().temperatures
    }

    fn record(&self) -> Option<Record> {
        let firmware = self.bench.as_ref()?.lock().expect("the simulated machine has not panicked");
        Some(firmware.record().clone())
    }
}
