//! The Marlin protocol as a machine of its own: bytes and time in, bytes and events out (rules 1 to 26, 31).
//!
//! No port and no clock: `now` is the time since the port was opened, the owner writes what [`Wire::take_output`]
//! gives, feeds what arrives to [`Wire::receive`] and calls [`Wire::tick`] at [`Wire::deadline`]. So every rule
//! is a test in virtual time, and the simulated printer, a serial port and a fault injector share one road.
//!
//! How exactly once comes about: the numbering lets the machine take each line once, in order, whatever is sent
//! twice. Acknowledgements are counted only to keep the window; where a count is in doubt, a numbered M105 is
//! sent, whose answer alone carries temperatures and so names the line it answers.

mod ack;
mod life;

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::guard::{Command, Pace};
use crate::printer::frame::{History, LineNumber, Origin, frame};
use crate::printer::reply::{self, Reply};
use crate::printer::{LinkStats, PrinterError, PrinterEvent, Temperatures};

pub use life::{ANSWER, ANSWER_WHERE_BUSY_IS_TOLD, LONG_RUN, PROBES};

/// Lines written and not acknowledged, at most (rule 16), where nothing is known of the machine's queue.
pub const WINDOW_LINES: u64 = 4;
/// The same where advanced acknowledgements have told of a longer queue (rule 15).
pub const LONGEST_WINDOW: u64 = 32;
/// Bytes written that the machine may not have read yet, at most: a receive buffer of 128 with a margin (rule 16).
pub const WINDOW_BYTES: usize = 120;
/// Lines of the job after which the count of acknowledgements is put right by a numbered M105: an `ok` too many
/// or too few changes the window for so many lines at most.
pub const COUNT_EVERY: u64 = 50;
/// Requests for the same line after which it is given up (rule 9).
pub const SAME_LINE: u32 = 10;
/// How long the `ok` that belongs to a resend request is waited for (rule 7).
pub const RESEND_OK: Duration = Duration::from_millis(500);
/// Longest line a machine sends; more without a line end is noise.
const LONGEST_REPLY: usize = 1024;

/// The host's side of one connection to a Marlin-like machine.
#[derive(Debug)]
pub struct Wire {
    phase: Phase,
    history: History,
    /// The next line to write; behind `history.next()` while lines are written again.
    cursor: LineNumber,
    /// The first line not acknowledged.
    acked: LineNumber,
    /// The first line never written: what is below it counts as a resend.
    fresh: LineNumber,
    /// [`WINDOW_LINES`], or as many as the machine's queue has shown to hold.
    window_lines: u64,
    /// [`WINDOW_BYTES`], or fewer once the machine has shown that it holds fewer.
    window_bytes: usize,
    /// The first line that the machine is not known to have read into its queue: `acked`, unless advanced acknowledgements
    /// have told of more.
    unread: LineNumber,
    told: ack::Told,
    /// Lines of the job since the last report was asked for.
    uncounted: u64,
    rewind: Rewind,
    life: life::Life,
    /// The first line whose answer has not been late yet: one before it may be done, its `ok` lost.
    doubted: LineNumber,
    /// The safe state is under way: nothing the machine murmurs ends it.
    stopping: bool,
    reports: Reports,
    /// The last error not followed by an ok yet.
    last_error: Option<String>,
    input: Vec<u8>,
    output: Vec<u8>,
    events: VecDeque<PrinterEvent>,
    heard: Heard,
}

/// What has been learned and counted; read-only for everyone else.
#[derive(Debug, Default)]
pub struct Heard {
    /// Counts.
    pub stats: LinkStats,
    /// Last temperatures.
    pub temperatures: Option<Temperatures>,
    /// Answer to M115.
    pub firmware: String,
    /// Capabilities announced as present.
    pub capabilities: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// M110 is out, its ok is not in. No other numbered line before (rule 1).
    Greeting {
        attempts: u32,
        next: Duration,
        give_up: Duration,
    },
    Running,
    /// It has stopped itself; not one byte more, its last words are being collected.
    Dying {
        message: String,
        until: Duration,
    },
    Over(Ending),
}

/// How the machine answers M105: learned from its first answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reports {
    Unknown,
    /// `ok T:…`
    Glued,
    /// `T:…` on a line of its own, then `ok`.
    Before {
        /// That line has come for a report in flight; its `ok` is next.
        told: bool,
    },
}

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// No ok to M110.
    NoAnswer,
    /// Probes went unanswered.
    Silent,
    /// `start` in mid-job, or a request for lines long taken.
    Restarted,
    /// The machine stopped itself.
    Fault(String),
    /// It did not extrude.
    ColdExtrusion,
    /// One line was asked for too often.
    Garbled(LineNumber),
    /// A line never written was asked for: the machine has skipped some.
    LostCount(LineNumber),
    /// Stopped from here.
    Stopped,
}

/// The last resend request.
#[derive(Debug, Default)]
struct Rewind {
    line: Option<LineNumber>,
    /// Requests for it, without the duplicates in flight.
    times: u32,
    /// Lengths of the lines written after it that the machine may still have to read: each asks for it once
    /// more (rule 8) and takes its room in the receive buffer until then (rule 16).
    echoes: VecDeque<usize>,
    /// Requests in a row for a line taken long ago or never written.
    impossible: u32,
    /// Acknowledgements that belong to requests, not lines (rule 7), and how long they are waited for.
    swallow: u32,
    until: Duration,
    /// Rewinds since this line of the job.
    recent: u32,
    since: u64,
}

impl Wire {
    /// A wire just opened: the numbering is about to be agreed, for at most `patience`.
    pub fn open(now: Duration, patience: Duration) -> Self {
        let mut wire = Self {
            phase: Phase::Greeting { attempts: 0, next: now, give_up: now + patience },
            history: History::new(),
            cursor: LineNumber(1),
            acked: LineNumber(1),
            fresh: LineNumber(1),
            window_lines: WINDOW_LINES,
            window_bytes: WINDOW_BYTES,
            unread: LineNumber(1),
            told: ack::Told::default(),
            uncounted: 0,
            rewind: Rewind::default(),
            life: life::Life::new(now),
            doubted: LineNumber(1),
            stopping: false,
            reports: Reports::Unknown,
            last_error: None,
            input: Vec::new(),
            output: Vec::new(),
            events: VecDeque::new(),
            heard: Heard::default(),
        };
        wire.tick(now);
        wire
    }

    /// Whether the window has room for this command now.
    pub fn has_room_for(&self, command: &Command) -> bool {
        let framed = command.text().len() + frame_overhead(self.history.next());
        self.cursor == self.history.next() && self.may_write() && self.fits(framed)
    }

    /// Narrows the window to one line: for firmware that loses count with several in flight.
    pub fn one_line_at_a_time(&mut self) {
        (self.window_lines, self.window_bytes) = (1, 0);
    }

    /// Writes a command of the job; call when [`Self::has_room_for`] says so.
    pub fn push(&mut self, command: &Command, now: Duration) {
        self.append(command.text(), (command.pace(), Origin::Job), now);
        self.uncounted += 1;
        if self.uncounted >= COUNT_EVERY && self.reports != Reports::Unknown {
            self.uncounted = 0;
            self.push_own("M105", now);
        }
    }

    /// Queues a line of the link's own: set-up and the safe state. It goes out as the window allows.
    pub fn push_own(&mut self, text: &'static str, now: Duration) {
        let pace = match text {
            "M105" => Pace::Report,
            "M400" => Pace::Long,
            _ => Pace::Prompt,
        };
        self.append(text, (pace, Origin::Link), now);
    }

    fn append(&mut self, text: &str, kind: (Pace, Origin), now: Duration) {
        self.history.push(text, kind, self.acked);
        self.pump(now);
    }

    /// Takes what the machine has sent, in any pieces.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.input.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.input);
                self.hear(reply::parse(&line), now);
                self.input = line;
                self.input.clear();
            } else if self.input.len() > LONGEST_REPLY {
                self.input.clear();
            }
        }
        self.pump(now);
    }

    fn hear(&mut self, reply: Reply, now: Duration) {
        if self.collects_last_words(&reply) {
            return;
        }
        match reply {
            Reply::Ok(ack) => self.acknowledge(ack, now),
            Reply::Resend(number) => self.rewind_to(LineNumber(number), now),
            Reply::Busy => self.busy(now),
            Reply::BusyWithUser => self.busy_with_user(now),
            Reply::Wait => self.idle_machine(now),
            Reply::Start => self.restarted(now),
            Reply::Fault(message) => self.dying(message, now),
            Reply::Error(words) => self.last_error = Some(words),
            // Lines that were under way bring more such murmurs: they must not keep the heaters on.
            Reply::ColdExtrusion if self.stopping => {}
            Reply::ColdExtrusion => self.end(Ending::ColdExtrusion),
            Reply::Action(event) => self.events.push_back(event),
            Reply::Temperatures(read) => self.report_alone(read),
            Reply::Capability(name) => self.heard.capabilities.push(name),
            Reply::Firmware(name) => self.heard.firmware = name,
            Reply::ResendFollows | Reply::Other => {}
        }
    }

    /// Writes as much as the window allows.
    fn pump(&mut self, now: Duration) {
        while self.may_write() {
            match self.history.line(self.cursor) {
                Some(line) if self.fits(line.bytes.len()) => self.write_next(now),
                Some(_) | None => break,
            }
        }
    }

    fn may_write(&self) -> bool {
        self.phase == Phase::Running && self.rewind.swallow == 0
    }

    fn fits(&self, length: usize) -> bool {
        let lines = self.in_flight() + self.rewind.echoes.len() as u64;
        let bytes = self.bytes_unread() + self.rewind.echoes.iter().sum::<usize>();
        // The line asked for takes the room of the one that was refused: no rewind ends in waiting for itself.
        let asked_for = self.rewind.line == Some(self.cursor);
        lines == 0 || asked_for || (lines < self.window_lines && bytes + length <= self.window_bytes)
    }

    fn in_flight(&self) -> u64 {
        self.cursor.0 - self.acked.0
    }

    /// Bytes that may lie in the receive buffer.
    fn bytes_unread(&self) -> usize {
        self.lengths(self.unread.max(self.acked).0..self.cursor.0).sum()
    }

    fn lengths(&self, numbers: Range<u64>) -> impl Iterator<Item = usize> + '_ {
        numbers.filter_map(|n| self.history.line(LineNumber(n))).map(|line| line.bytes.len())
    }

    fn write_next(&mut self, now: Duration) {
        if self.in_flight() == 0 {
            self.life.awaits_from(now);
        }
        let line = self.history.line(self.cursor).expect("the caller has seen a line at the cursor");
        self.output.extend_from_slice(&line.bytes);
        if self.cursor < self.fresh {
            self.heard.stats.resends += 1;
        } else if line.origin == Origin::Job {
            self.heard.stats.lines_sent += 1;
        }
        self.cursor.0 += 1;
        self.fresh = self.fresh.max(self.cursor);
    }

    /// What is to be written to the port now, in order; empty when nothing is.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// The oldest event not taken yet.
    pub fn take_event(&mut self) -> Option<PrinterEvent> {
        self.events.pop_front()
    }

    /// What has been learned and counted.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// True once line numbers are agreed and every line is acknowledged.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Running && self.acked == self.history.next()
    }

    /// True where temperatures asked for can be told from those reported unasked.
    pub fn may_report_unasked(&self) -> bool {
        self.reports == Reports::Glued
    }

    /// True while the numbering is being agreed.
    pub fn is_greeting(&self) -> bool {
        matches!(self.phase, Phase::Greeting { .. })
    }

    /// Why the connection is over, once it is.
    pub fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            Phase::Over(ending) => Some(ending),
            Phase::Greeting { .. } | Phase::Running | Phase::Dying { .. } => None,
        }
    }

    fn end(&mut self, ending: Ending) {
        self.output.clear();
        self.phase = Phase::Over(ending);
    }

    /// Drops what is not written, breaks off a heat-up and queues the safe state (rules 5, 23 and 31).
    ///
    /// The unnumbered commands are the emergencies rule 5 allows; the `ok` each may or may not bring can
    /// widen the window by as many short lines until the closing M105 puts the count right.
    pub fn make_safe(&mut self, now: Duration) {
        self.break_off(now);
        for line in SAFE_STATE {
            self.push_own(line, now);
        }
    }

    /// A wire just opened to a machine that may be hot and be waiting for something: whatever it is, it waits no more, and heaters
    /// are off before anything is agreed.
    pub fn open_to_cool(now: Duration, patience: Duration) -> Self {
        let mut wire = Self::open(now, patience);
        wire.stopping = true;
        let greeting = wire.take_output();
        wire.output.extend([b"\n", GO_ON, HEATERS_OFF, &greeting].concat());
        wire
    }

    /// The same without a movement: for a machine that was away, and may have started afresh or be another one.
    pub fn cool(&mut self, now: Duration) {
        self.break_off(now);
        for line in COLD_STATE {
            self.push_own(line, now);
        }
    }

    /// Drops what is not written, and breaks off what the machine waits for and how it moves.
    fn break_off(&mut self, now: Duration) {
        self.stopping = true;
        self.history.forget_from(self.cursor);
        self.fresh = self.fresh.min(self.cursor);
        self.phase = Phase::Running;
        self.rewind = Rewind::default();
        if self.has_long_runner() || self.life.waits_with_user() {
            self.output.extend_from_slice(GO_ON);
        }
        self.life.alive(now);
        self.output.extend_from_slice(b"M410\n");
    }

    /// Stops everything at once; nothing is written after this (rule 22).
    pub fn halt(&mut self) {
        self.end(Ending::Stopped);
        self.output.extend_from_slice(b"M112\n");
        self.output.extend_from_slice(&frame(self.cursor, "M112"));
        self.output.extend_from_slice(HEATERS_OFF);
    }

    fn has_long_runner(&self) -> bool {
        self.has_long_runner_among(self.acked..self.cursor)
    }

    fn has_long_runner_among(&self, lines: Range<LineNumber>) -> bool {
        let mut lines = (lines.start.0..lines.end.0).filter_map(|n| self.history.line(LineNumber(n)));
        lines.any(|line| line.pace == Pace::Long)
    }
}

/// Ask where the head is, everything off, lift, motors off; the last two lines say that it is done (rule 23).
const SAFE_STATE: [&str; 10] =
    ["M114", "M104 S0", "M140 S0", "M107", "G91", "G1 Z10 F600", "G90", "M400", "M84", "M105"];

/// Everything off where it stands; the last line says that it is done (rule 30).
const COLD_STATE: [&str; 5] = ["M104 S0", "M140 S0", "M107", "M84", "M105"];

/// Unnumbered: whatever the machine waits for, a temperature or its user, it waits no more (rule 23).
const GO_ON: &[u8] = b"M108\n";

/// Unnumbered: the answer "continue" to a question the machine asks its user, which `GO_ON` does not answer.
const CONTINUE: &[u8] = b"M876 S1\n";

/// Unnumbered: the last thing said to a machine that does not listen.
const HEATERS_OFF: &[u8] = b"M104 S0\nM140 S0\n";

/// Bytes a frame adds: `N`, the number, a space, `*`, up to three digits and the line end.
fn frame_overhead(number: LineNumber) -> usize {
    7 + number.0.checked_ilog10().unwrap_or(0) as usize
}

impl Ending {
    /// The error to report, with what is known of the job.
    pub fn error(&self, stats: LinkStats) -> PrinterError {
        let last = stats.last_acknowledged;
        match self {
            Self::NoAnswer => PrinterError::NoAnswer { tried: "this speed".into() },
            Self::Silent => PrinterError::Silent { last, probes: PROBES },
            Self::Restarted => PrinterError::Restarted { last },
            Self::Fault(message) => PrinterError::Fault { last, message: message.clone() },
            Self::ColdExtrusion => PrinterError::ColdExtrusion { last },
            Self::Garbled(line) => PrinterError::Garbled { line: line.0, times: SAME_LINE },
            Self::LostCount(line) => PrinterError::LostCount { line: line.0 },
            Self::Stopped => PrinterError::Over,
        }
    }

    /// What the machine can still be told after this ending.
    pub fn afterwards(&self) -> Afterwards {
        match self {
            Self::ColdExtrusion | Self::Garbled(_) => Afterwards::SafeState,
            Self::Silent | Self::LostCount(_) => Afterwards::HeatersOff,
            Self::NoAnswer | Self::Restarted | Self::Fault(_) | Self::Stopped => Afterwards::Nothing,
        }
    }
}

/// What a machine can still be told when the job on it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It listens: the safe state, numbered.
    SafeState,
    /// It may listen: heaters off, unnumbered.
    HeatersOff,
    /// It is deaf, off or afresh: no further byte.
    Nothing,
}

#[cfg(test)]
mod tests;
