//! Klipper, over its own API socket or through Moonraker (hop 11): the shell that owns road and clock.
//!
//! `docs/printer-link.md` holds the rules K1 to K16. Toolpath goes out as small scripts, each answered when Klipper
//! has run it; nothing is uploaded, no file of Klipper's is named, the virtual card is never asked for. Deliberately
//! absent: reviving a Klipper that has stopped itself. A person who pressed the emergency stop had a reason.

mod motion;
mod road;
mod speech;
mod wire;
mod words;

#[cfg(test)]
mod double;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

use crate::guard::Command;
use crate::printer::klipper::road::Road;
use crate::printer::klipper::speech::{Call, Tongue};
use crate::printer::klipper::wire::{Ending, Standing, Wire};
use crate::printer::tap::Tap;
use crate::printer::{Greeting, LinkStats, Printer, PrinterError, PrinterEvent, Stop, Temperatures};

/// How long Klipper may take to find its controller, and to answer what it answers at once.
const START: Duration = Duration::from_secs(10);
/// Pause between two looks at a Klipper that is starting.
const LOOK: Duration = Duration::from_millis(500);
/// How long after a stop the head may move. Klipper plans a second ahead, holds some more in its look-ahead and takes none
/// of it back; a head that still moves then does not obey, and everything is turned off (rule K10).
pub(super) const REST: Duration = Duration::from_secs(2);
/// How long parking may take.
const PARK: Duration = Duration::from_secs(60);
/// What is set up before a job: what the guard takes for granted, and filament as relative lengths.
const SET_UP: &str = "G90\nM83\nM220 S100";
const HEATERS_OFF: &str = "M104 S0\nM140 S0\nM107";
const LIFT: &str = "G91\nG1 Z10 F600\nG90\nM400";

/// Where Klipper is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Its API server's socket.
    Socket(PathBuf),
    /// Moonraker before it.
    Moonraker {
        /// Host name or address.
        host: String,
        /// Its port, 7125 as a rule.
        port: u16,
        /// The file with its API key, where it asks for one.
        key: Option<PathBuf>,
    },
}

/// A machine that Klipper drives.
pub struct KlipperPrinter {
    /// `None` once the link is lost or the job over.
    road: Option<Road>,
    wire: Wire,
    opened: Instant,
    tap: Tap,
    /// Where to find it again for the safe state.
    again: Option<Box<dyn Opens>>,
}

/// A way to Klipper that can be taken more than once.
#[async_trait]
trait Opens: Send + Sync {
    fn tongue(&self) -> Tongue;
    async fn open(&self) -> Result<Road, PrinterError>;
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "klipper:{}", path.display()),
            Self::Moonraker { host, port, key } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                write!(f, "moonraker:http://{host}:{port}")?;
                key.as_ref().map_or(Ok(()), |file| write!(f, "?key={}", file.display()))
            }
        }
    }
}

#[async_trait]
impl Opens for Address {
    fn tongue(&self) -> Tongue {
        match self {
            Self::Socket(_) => Tongue::Klipper,
            Self::Moonraker { .. } => Tongue::Moonraker,
        }
    }

    async fn open(&self) -> Result<Road, PrinterError> {
        match self {
            Self::Socket(path) => Road::socket(path).await,
            Self::Moonraker { host, port, key } => {
                let key = key.as_deref().map(read_key).transpose()?;
                Road::moonraker(host, *port, key.as_ref().map(|key| key.as_str())).await
            }
        }
    }
}

/// Moonraker's API key; wiped when it is dropped.
fn read_key(file: &Path) -> Result<Zeroizing<String>, PrinterError> {
    let read = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = read.map_err(|source| PrinterError::Open { path: file.into(), source })?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

impl KlipperPrinter {
    /// Opens Klipper and finds it ready for a job.
    ///
    /// # Errors
    /// [`PrinterError::Unreachable`], or [`PrinterError::Unready`] with Klipper's reason and what mends it.
    pub async fn connect(address: &Address, tap: Tap) -> Result<(Self, Greeting), PrinterError> {
        Self::by(Box::new(address.clone()), tap).await
    }

    async fn by(way: Box<dyn Opens>, tap: Tap) -> Result<(Self, Greeting), PrinterError> {
        let late = Instant::now() + START;
        loop {
            let mut printer = Self::on(way.open().await?, way.tongue(), tap.clone());
            match printer.greet().await? {
                Some(greeting) => {
                    printer.again = Some(way);
                    return Ok((printer, greeting));
                }
                None if Instant::now() + LOOK > late => {
                    return Err(PrinterError::Unready(words::plain("Klipper is attempting to connect")));
                }
                None => tokio::time::sleep(LOOK).await,
            }
        }
    }

    fn on(road: Road, tongue: Tongue, tap: Tap) -> Self {
        let wire = Wire::new(tongue, Duration::ZERO);
        Self { road: Some(road), wire, opened: Instant::now(), tap, again: None }
    }

    /// `None` while Klipper is starting.
    async fn greet(&mut self) -> Result<Option<Greeting>, PrinterError> {
        if self.wire.tongue() == Tongue::Moonraker {
            let server = self.answer(&Call::Server, START).await?;
            if let Some("disconnected" | "startup") = server["klippy_state"].as_str() {
                return Ok(None);
            }
        }
        let info = self.answer(&Call::Info, START).await?;
        let version = info["software_version"].as_str().unwrap_or_default().to_owned();
        match info["state"].as_str() {
            Some("ready") => {}
            Some("startup") => return Ok(None),
            _ => {
                let said = info["state_message"].as_str().unwrap_or("no state");
                return Err(PrinterError::Unready(words::plain(said)));
            }
        }
        if self.wire.tongue() == Tongue::Klipper {
            self.answer(&Call::Output, START).await?;
        }
        let first = self.answer(&Call::Subscribe, START).await?;
        if let Some(state) = first["status"].as_object() {
            self.wire.learn(state, self.opened.elapsed());
        }
        match self.wire.state().standing() {
            Standing::Ready => {}
            Standing::Starting => return Ok(None),
            Standing::Taken => {
                return Err(PrinterError::Unready(
                    "wait for the job that is on it, or cancel it there".into(),
                ));
            }
            Standing::Paused => {
                return Err(PrinterError::Unready("end the job that is paused on it: CANCEL_PRINT".into()));
            }
            Standing::Halted(said) => return Err(PrinterError::Unready(words::plain(&said))),
        }
        self.answer(&Call::Script(SET_UP.to_owned().into()), START).await?;
        Ok(Some(Greeting { firmware: format!("Klipper {version}"), ..Greeting::default() }))
    }

    fn now(&self) -> Duration {
        self.opened.elapsed()
    }

    fn check(&self) -> Result<(), PrinterError> {
        match self.wire.ending() {
            Some(ending) => Err(ending.error(self.wire.stats())),
            None => Ok(()),
        }
    }

    /// Asks, and serves the link until the answer is there; an error for an answer is one here.
    async fn answer(&mut self, call: &Call, limit: Duration) -> Result<Value, PrinterError> {
        let answered = timeout(limit, self.ask(call)).await;
        let silent = PrinterError::Silent { last: self.wire.stats().last_acknowledged, probes: 0 };
        answered.map_err(|_elapsed| silent)??.map_err(|said| PrinterError::Unready(words::plain(&said)))
    }

    async fn ask(&mut self, call: &Call) -> Result<Result<Value, String>, PrinterError> {
        let id = self.wire.ask(call);
        loop {
            if let Some(answer) = self.wire.take_answer(id) {
                return Ok(answer);
            }
            self.serve().await?;
        }
    }

    /// Sends what is to be sent, then waits for a message or the wire's deadline, whichever is first. Cancel-safe.
    async fn serve(&mut self) -> Result<(), PrinterError> {
        self.flush().await?;
        let deadline = self.opened + self.wire.deadline();
        let road = self.road.as_mut().ok_or(PrinterError::Over)?;
        match timeout_at(deadline, road.next()).await {
            Err(_elapsed) => self.wire.tick(self.now()),
            Ok(Ok(message)) => {
                self.tap.answered(&message);
                self.wire.receive(&message, self.opened.elapsed());
            }
            Ok(Err(cause)) => return Err(self.lost(cause)),
        }
        self.flush().await
    }

    /// Cancel-safe: a request stays with the wire until the road has taken it.
    async fn flush(&mut self) -> Result<(), PrinterError> {
        let Some(road) = self.road.as_mut() else { return Err(PrinterError::Over) };
        let mut gone = Ok(());
        while let (Some(request), Ok(())) = (self.wire.next_output(), &gone) {
            gone = road.take(request).await;
            self.tap.asked(request);
            self.wire.sent();
        }
        if gone.is_ok() {
            gone = road.flush().await;
        }
        gone.map_err(|cause| self.lost(cause))
    }

    fn lost(&mut self, cause: String) -> PrinterError {
        self.road = None;
        // Klipper says why it goes before it does.
        match self.check() {
            Err(error) => error,
            Ok(()) => PrinterError::LinkLost { last: self.wire.stats().last_acknowledged, cause },
        }
    }

    async fn until_idle(&mut self) -> Result<(), PrinterError> {
        self.check()?;
        while !self.wire.is_idle() {
            self.serve().await?;
            self.check()?;
        }
        Ok(())
    }

    /// The link once more, for the safe state alone: heaters must not stay on because a cable came off (rule K13).
    async fn reach_again(&mut self) -> Result<(), PrinterError> {
        let lost = PrinterError::LinkLost {
            last: self.wire.stats().last_acknowledged,
            cause: "it could not be reached again to turn the heaters off: do it there".into(),
        };
        let Some(way) = self.again.take() else { return Err(lost) };
        self.road = Some(way.open().await.map_err(|_| lost)?);
        let info = self.answer(&Call::Info, START).await?;
        match info["state"].as_str() {
            Some("ready") => Ok(()),
            // Heaters are off in every other state.
            _ => Err(PrinterError::Over),
        }
    }

    async fn make_safe(&mut self) -> Result<(), PrinterError> {
        let late = Instant::now() + REST;
        if self.wire.ending().is_some_and(|ending| !Ending::still_listens(ending)) {
            return Ok(());
        }
        self.wire.forget_job(self.now());
        if self.road.is_none() {
            self.reach_again().await?;
        }
        if !matches!(timeout_at(late, self.come_to_rest()).await, Ok(Ok(()))) {
            self.halt().await?;
            return Err(PrinterError::NotObeyed { after: REST });
        }
        if self.wire.is_paused() {
            self.answer(&Call::CancelPaused, PARK).await?;
        }
        if self.wire.state().homed.contains('z') {
            // At the top of the machine there is nothing left to lift; the part is free then as well.
            let _ = self.answer(&Call::Script(LIFT.to_owned().into()), PARK).await;
        }
        self.answer(&Call::Script("M84".to_owned().into()), PARK).await.map(drop)
    }

    async fn come_to_rest(&mut self) -> Result<(), PrinterError> {
        self.answer(&Call::Script(HEATERS_OFF.to_owned().into()), REST).await?;
        self.answer(&Call::Script("M400".to_owned().into()), REST).await.map(drop)
    }

    /// Klipper takes this one at once, whatever else it is at.
    async fn halt(&mut self) -> Result<(), PrinterError> {
        self.wire.forget_job(self.now());
        if self.road.is_none() {
            self.reach_again().await?;
        }
        self.answer(&Call::EmergencyStop, START).await.map(drop)
    }
}

#[async_trait]
impl Printer for KlipperPrinter {
    async fn ready(&mut self, next: Option<&Command>) -> Result<Option<PrinterEvent>, PrinterError> {
        loop {
            self.check()?;
            if next.map_or_else(|| self.wire.is_idle(), |_| self.wire.has_room()) {
                return Ok(None);
            }
            if let Some(event) = self.wire.take_event() {
                return Ok(Some(event));
            }
            self.serve().await?;
        }
    }

    async fn send(&mut self, command: &Command) -> Result<(), PrinterError> {
        self.check()?;
        while !self.wire.has_room() {
            self.serve().await?;
            self.check()?;
        }
        self.wire.push(command, self.now());
        self.flush().await
    }

    async fn drain(&mut self) -> Result<(), PrinterError> {
        self.until_idle().await?;
        let id = self.wire.ask(&Call::Script("M400".to_owned().into()));
        loop {
            self.check()?;
            match self.wire.take_answer(id) {
                Some(Ok(_)) => return Ok(()),
                Some(Err(said)) => {
                    let (last, message) = (self.wire.stats().last_acknowledged, words::plain(&said));
                    return Err(PrinterError::Refused { last, message });
                }
                None => self.serve().await?,
            }
        }
    }

    async fn attend(&mut self) -> Result<PrinterEvent, PrinterError> {
        loop {
            if let Some(event) = self.wire.take_event() {
                return Ok(event);
            }
            self.check()?;
            self.serve().await?;
        }
    }

    fn take_event(&mut self) -> Option<PrinterEvent> {
        self.wire.take_event()
    }

    async fn stop(&mut self, how: Stop) -> Result<(), PrinterError> {
        if self.road.is_none() && self.again.is_none() {
            return Err(PrinterError::Over);
        }
        let stopped = match how {
            Stop::Safe => self.make_safe().await,
            Stop::Emergency => self.halt().await,
        };
        (self.road, self.again) = (None, None);
        stopped
    }

    fn stats(&self) -> LinkStats {
        self.wire.stats()
    }

    fn temperatures(&self) -> Option<Temperatures> {
        Some(self.wire.temperatures())
    }
}
