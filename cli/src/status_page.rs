//! The agent's status page: what the device does now, for whoever stands before its printer.
//!
//! On this computer alone unless told otherwise, read only, and nothing on it opens a design: states, counts, the last
//! lines said, and a small picture of what lies on the bed. Whoever prints never waits for whoever looks: notices are
//! noted in passing, and layers are drawn by a thread of their own that misses one rather than hold a machine up. No script
//! runs on the page; what it shows is text, escaped.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use layerlock_device::Notice;
use layerlock_device::printer::Temperatures;
use layerlock_device::printer::tap::Tap;
use serde::Serialize;

mod draw;
mod html;
mod serve;
mod support;

use draw::Drawing;
use support::Window;

use crate::support::Support;

/// Lines that are kept.
const LINES: usize = 40;

/// What is known now; told by whoever serves jobs, read by whoever looks.
#[derive(Clone)]
pub struct StatusPage {
    status: Arc<Mutex<Status>>,
    drawing: Arc<Drawing>,
    window: Option<Window>,
}

/// Where the agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// The vault is not there.
    NoLink,
    /// Nothing to do.
    Idle,
    /// A job waits for somebody at the machine.
    Waiting,
    /// Sealed segments come.
    Fetching,
    /// The envelope is whole.
    Checked,
    /// The machine heats.
    Heating,
    /// Layers are printed.
    Printing,
    /// The print rests until somebody wants to go on.
    Paused,
    /// The print is broken off, and the machine made safe.
    Stopping,
    /// Motion is over; the ledger's entry is awaited.
    Reporting,
}

/// What the page shows, and `/status.json` says.
#[derive(Debug, Clone, Serialize)]
struct Status {
    device: String,
    machine: &'static str,
    printer: String,
    state: State,
    /// Whether the vault is there.
    vault: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    segments: u32,
    layers_printed: u32,
    layers: u32,
    /// Whether there is a picture.
    #[serde(skip)]
    is_drawn: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    celsius: Option<Heat>,
    /// Who watches by a support token.
    watchers: u32,
    /// The last lines said, oldest first.
    lines: VecDeque<String>,
}

/// Degrees Celsius, as the machine reported them last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Heat {
    nozzle: f32,
    nozzle_target: f32,
    bed: f32,
    bed_target: f32,
}

impl From<Temperatures> for Heat {
    fn from(reported: Temperatures) -> Self {
        let Temperatures { nozzle, nozzle_target, bed, bed_target } = reported;
        Self { nozzle, nozzle_target, bed, bed_target }
    }
}

impl StatusPage {
    /// A page of a device that has nothing to do yet.
    ///
    /// # Errors
    /// The system's, when it gives no thread to draw with.
    pub fn new(device: String, machine: &'static str, printer: String) -> io::Result<Self> {
        let status = Status {
            device,
            machine,
            printer,
            state: State::NoLink,
            vault: false,
            is_drawn: false,
            job: None,
            segments: 0,
            layers_printed: 0,
            layers: 0,
            celsius: None,
            watchers: 0,
            lines: VecDeque::with_capacity(LINES),
        };
        let (status, drawing) = (Arc::new(Mutex::new(status)), Arc::new(Drawing::begin()?));
        Ok(Self { status, drawing, window: None })
    }

    /// The same, and whoever has a token of these may watch the wire as well.
    #[must_use]
    pub fn watched_by(self, support: Support, tap: Tap) -> Self {
        Self { window: Some(Window::new(support, tap)), ..self }
    }

    /// Shows itself at `address` for as long as this process runs; answers where that is.
    ///
    /// # Errors
    /// When nothing can listen there; it names the address and the mend.
    pub async fn serve(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        serve::at(address, serve::routes("", self.clone())).await
    }

    /// Takes note of what happens.
    pub fn hear(&self, notice: &Notice<'_>) {
        self.status().hear(notice);
        match notice {
            Notice::Checked(cleared) => {
                let summary = cleared.envelope().manifest().summary;
                self.drawing.begin_part(summary.min, summary.max);
            }
            Notice::Layer(layer) => self.drawing.add(layer),
            _ => {}
        }
    }

    /// Keeps a line that was said.
    pub fn say(&self, line: &str) {
        let mut status = self.status();
        if status.lines.len() == LINES {
            status.lines.pop_front();
        }
        status.lines.push_back(line.to_owned());
    }

    /// What `/status.json` says, in one line.
    pub fn json(&self) -> String {
        serde_json::to_string(&*self.status()).expect("a status is JSON")
    }

    /// Held for a copy or a few fields only.
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().expect("nothing panics while it holds a status")
    }
}

/// Shows several machines at `address` for as long as this process runs: all of them on one page, and each at its name.
///
/// # Errors
/// As [`StatusPage::serve`].
pub async fn serve_all(address: SocketAddr, pages: &[(String, StatusPage)]) -> io::Result<SocketAddr> {
    serve::at(address, serve::routes_of_all(pages)).await
}

impl Status {
    fn hear(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::LinkUp => self.vault = true,
            Notice::LinkLost { .. } => self.vault = false,
            _ => {}
        }
        match notice {
            Notice::LinkUp if self.state == State::NoLink => self.state = State::Idle,
            Notice::LinkLost { .. } if self.job.is_none() => self.state = State::NoLink,
            Notice::Unready { job, .. } => {
                self.job = Some((*job).to_owned());
                (self.segments, self.layers_printed, self.layers) = (0, 0, 0);
                self.state = State::Waiting;
            }
            Notice::Offered { job } => {
                self.job = Some(job.to_string());
                (self.segments, self.layers_printed, self.layers) = (0, 0, 0);
                self.state = State::Fetching;
            }
            Notice::Segments { stored, .. } => self.segments = *stored,
            Notice::Checked(cleared) => {
                self.layers = cleared.envelope().manifest().layers;
                self.is_drawn = true;
                self.state = State::Checked;
            }
            Notice::Heating => self.state = State::Heating,
            Notice::Layer(_) | Notice::Resumed => self.state = State::Printing,
            Notice::Paused => self.state = State::Paused,
            Notice::Stopping(_) => self.state = State::Stopping,
            Notice::Ended { .. } => self.state = State::Reporting,
            Notice::Temperatures(reported) => self.celsius = Some((*reported).into()),
            Notice::Progress { layers, of } => (self.layers_printed, self.layers) = (*layers, *of),
            Notice::Over(_) => {
                // What the heaters have now nobody asks the machine any more.
                (self.job, self.celsius) = (None, None);
                self.state = State::Idle;
            }
            Notice::LinkUp
            | Notice::Pausing
            | Notice::LinkLost { .. }
            | Notice::Machine(_)
            | Notice::Settled(_)
            | Notice::Refused(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
