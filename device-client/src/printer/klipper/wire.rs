//! The protocol with Klipper, pure: time is an argument, messages go in and out as bytes (rules K3 to K13).
//!
//! Commands become [`Part`]s, parts become scripts, and one script is under way at a time: Klipper answers when it has
//! run, which it holds back while a second of motion is planned. That is the back-pressure; nothing here counts
//! time against a script. What is not sent yet is forgotten by a cancel, and what is sent is [`LOAD`] at most.

mod ending;
mod state;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::guard::Command;
use crate::printer::klipper::motion::{Heater, PIECE, Part, Shaper, Step, Until};
use crate::printer::klipper::speech::{Call, Heard, Tongue};
use crate::printer::klipper::words;
use crate::printer::reply::{self, Reply};
use crate::printer::{LinkStats, PrinterEvent, Temperatures};

/// Motion in one script, at most, where lines can be cut: what a cancel finds under way (rule K5).
pub(super) const LOAD: Duration = PIECE;
/// Lines in one script, at most.
pub(super) const LOAD_LINES: usize = 32;
/// Bytes in one script, at most.
pub(super) const LOAD_BYTES: usize = 2_048;
/// How long nothing at all may be heard before Klipper is asked whether it is there, and once more before it is
/// given up (rule K8). It tells its clock four times a second.
pub(super) const QUIET: Duration = Duration::from_secs(10);
/// How long a heater has to stay where it should be (rule K12).
const SETTLED: Duration = Duration::from_secs(2);
/// How near that is, in degrees.
const NEAR: f64 = 1.0;
/// How long a heater may take.
const LONG_RUN: Duration = Duration::from_secs(45 * 60);
/// Farther than this no head can be, in millimetres.
const FARTHEST: f64 = 10_000.0;
/// How often a Klipper that heats is given something to do: its shortest idle timeout in use is minutes.
const STIR: Duration = Duration::from_secs(30);
/// How long a halted Klipper's own words are waited for.
const LAST_WORDS: Duration = Duration::from_millis(600);

pub(super) use ending::Ending;
pub(super) use state::{Standing, State};

/// The host's side of one connection to Klipper.
#[derive(Debug)]
pub(super) struct Wire {
    tongue: Tongue,
    last_id: u64,
    output: VecDeque<Zeroizing<Vec<u8>>>,
    asked: BTreeSet<u64>,
    answers: BTreeMap<u64, Result<Value, String>>,
    shaper: Shaper,
    queue: VecDeque<Part>,
    flight: Option<Flight>,
    heat: Option<Heat>,
    /// The request that asks where the head is, and whether the command before is done with it.
    locating: Option<(u64, bool)>,
    state: State,
    paused: bool,
    /// The last of the two that was told.
    told: Option<PrinterEvent>,
    events: VecDeque<PrinterEvent>,
    stats: LinkStats,
    heard_at: Duration,
    probe: Option<u64>,
    /// Klipper has stopped itself; its reason is waited for until then.
    halted: Option<(&'static str, Duration)>,
    ending: Option<Ending>,
}

/// A script that was sent and has not been answered.
#[derive(Debug)]
struct Flight {
    id: u64,
    /// Commands that are done when it is.
    commands: u64,
    /// The first words of its lines, to know whose unknown command Klipper murmurs about.
    codes: Vec<String>,
}

/// A heater that is waited for.
#[derive(Debug)]
struct Heat {
    heater: Heater,
    until: Until,
    ends: bool,
    begun: Duration,
    near_since: Option<Duration>,
    /// When Klipper was last given something to do.
    stirred: Duration,
    /// Klipper has told a target since.
    is_lit: bool,
}

impl Wire {
    /// A connection just opened.
    pub(super) fn new(tongue: Tongue, now: Duration) -> Self {
        Self {
            tongue,
            last_id: 0,
            output: VecDeque::new(),
            asked: BTreeSet::new(),
            answers: BTreeMap::new(),
            shaper: Shaper::new(),
            queue: VecDeque::new(),
            flight: None,
            heat: None,
            locating: None,
            state: State::default(),
            paused: false,
            told: None,
            events: VecDeque::new(),
            stats: LinkStats::default(),
            heard_at: now,
            probe: None,
            halted: None,
            ending: None,
        }
    }

    pub(super) fn tongue(&self) -> Tongue {
        self.tongue
    }

    /// Asks something of the link's own; its answer is kept for [`Self::take_answer`].
    pub(super) fn ask(&mut self, call: &Call) -> u64 {
        let id = self.send(call);
        self.asked.insert(id);
        id
    }

    fn send(&mut self, call: &Call) -> u64 {
        self.last_id += 1;
        self.output.push_back(self.tongue.ask(self.last_id, call));
        self.last_id
    }

    pub(super) fn take_answer(&mut self, id: u64) -> Option<Result<Value, String>> {
        self.answers.remove(&id)
    }

    /// The oldest request not sent yet.
    pub(super) fn next_output(&self) -> Option<&[u8]> {
        self.output.front().map(|request| request.as_slice())
    }

    /// That request has been taken by the road.
    pub(super) fn sent(&mut self) {
        self.output.pop_front();
    }

    pub(super) fn take_event(&mut self) -> Option<PrinterEvent> {
        self.events.pop_front()
    }

    pub(super) fn stats(&self) -> LinkStats {
        self.stats
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn temperatures(&self) -> Temperatures {
        self.state.temperatures
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused || self.state.paused
    }

    /// Whether another command may be pushed: the queue holds less than one script.
    pub(super) fn has_room(&self) -> bool {
        let (mut motion, mut bytes) = (Duration::ZERO, 0);
        for part in &self.queue {
            match &part.step {
                Step::Line(text, time) => (motion, bytes) = (motion + *time, bytes + text.len()),
                Step::Alone(_) | Step::Locate | Step::Wait(..) => return false,
                Step::Nothing => {}
            }
        }
        let is_open = self.heat.is_none() && self.locating.is_none();
        is_open && motion < LOAD && bytes < LOAD_BYTES && self.queue.len() < LOAD_LINES
    }

    /// Takes a command of the job; call when [`Self::has_room`] says so.
    pub(super) fn push(&mut self, command: &Command, now: Duration) {
        let parts = self.shaper.shape(command);
        self.queue.extend(parts);
        self.pump(now);
    }

    /// True once every command is done.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.flight.is_none() && self.heat.is_none() && self.locating.is_none()
    }

    /// Drops what is not sent and what ended the job, for the safe state.
    pub(super) fn forget_job(&mut self, now: Duration) {
        self.queue.clear();
        (self.heat, self.flight, self.halted, self.ending, self.probe) = (None, None, None, None, None);
        self.locating = None;
        self.output.clear();
        self.heard_at = now;
    }

    /// Sends the next script, when none is under way and no heater is waited for.
    fn pump(&mut self, now: Duration) {
        let waits = |wire: &Self| wire.flight.is_some() || wire.heat.is_some() || wire.locating.is_some();
        while !waits(self) && self.ending.is_none() && self.halted.is_none() {
            match self.queue.front().map(|part| &part.step) {
                None => return,
                Some(Step::Nothing) => {
                    self.queue.pop_front();
                    self.stats.lines_sent += 1;
                    self.stats.last_acknowledged += 1;
                }
                Some(&Step::Wait(heater, until)) => {
                    let ends = self.queue.pop_front().is_some_and(|part| part.ends);
                    self.heat = Some(Heat {
                        heater,
                        until,
                        ends,
                        begun: now,
                        near_since: None,
                        stirred: now,
                        is_lit: false,
                    });
                    self.warm(now);
                }
                Some(Step::Locate) => {
                    let ends = self.queue.pop_front().is_some_and(|part| part.ends);
                    self.locating = Some((self.send(&Call::Where), ends));
                }
                Some(Step::Line(..) | Step::Alone(_)) => self.send_script(),
            }
        }
    }

    fn send_script(&mut self) {
        let mut script = Zeroizing::new(String::with_capacity(LOAD_BYTES + 128));
        let (mut commands, mut motion, mut codes) = (0, Duration::ZERO, Vec::new());
        while let Some(part) = self.queue.front() {
            let (text, time, alone) = match &part.step {
                Step::Line(text, time) => (text, *time, false),
                Step::Alone(text) => (text, Duration::ZERO, true),
                Step::Nothing | Step::Locate | Step::Wait(..) => break,
            };
            let is_full = codes.len() == LOAD_LINES
                || script.len() + text.len() >= LOAD_BYTES
                || motion + time > LOAD
                || alone;
            if !codes.is_empty() && is_full {
                break;
            }
            if !codes.is_empty() {
                script.push('\n');
            }
            script.push_str(text);
            codes.push(text.split(' ').next().unwrap_or_default().to_owned());
            (motion, commands) = (motion + time, commands + u64::from(part.ends));
            self.queue.pop_front();
            if alone {
                break;
            }
        }
        let id = self.send(&Call::Script(script));
        self.stats.lines_sent += commands;
        self.flight = Some(Flight { id, commands, codes });
    }

    /// Takes one message.
    pub(super) fn receive(&mut self, message: &[u8], now: Duration) {
        let Some(heard) = self.tongue.hear(message) else {
            self.end(Ending::Babble);
            return;
        };
        (self.heard_at, self.probe) = (now, None);
        match heard {
            Heard::Answer(id, answer) => self.answered(id, answer),
            Heard::Status(changed) => self.learn(&changed, now),
            Heard::Output(said) => said.lines().for_each(|line| self.listen(line)),
            Heard::Halted(what) => self.halted = self.halted.or(Some((what, now + LAST_WORDS))),
            Heard::Other => {}
        }
        self.stir(now);
        self.pump(now);
    }

    fn answered(&mut self, id: u64, answer: Result<Value, String>) {
        if let Some((_, ends)) = self.locating.take_if(|(asked, _)| *asked == id) {
            self.located(ends, answer);
            return;
        }
        let Some(flight) = self.flight.take_if(|flight| flight.id == id) else {
            if self.asked.remove(&id) {
                self.answers.insert(id, answer);
            }
            return;
        };
        match answer {
            Ok(_) => self.stats.last_acknowledged += flight.commands,
            Err(message) if words::is_halted(&message) => self.end(Ending::Halted(message)),
            Err(message) => self.end(Ending::Refused(message)),
        }
    }

    fn located(&mut self, ends: bool, answer: Result<Value, String>) {
        let position = answer.and_then(|found| {
            let position = &found["status"]["gcode_move"]["gcode_position"];
            let axes = [0, 1, 2].map(|axis| position[axis].as_f64().filter(|at| at.abs() < FARTHEST));
            match axes {
                [Some(x), Some(y), Some(z)] => Ok([x, y, z]),
                _ => Err("it does not say where the head is".to_owned()),
            }
        });
        match position {
            Ok(position) => {
                self.shaper.locate(position);
                self.stats.lines_sent += u64::from(ends);
                self.stats.last_acknowledged += u64::from(ends);
            }
            Err(message) => self.end(Ending::Refused(message)),
        }
    }

    /// What a subscription said, or its first answer.
    pub(super) fn learn(&mut self, changed: &Map<String, Value>, now: Duration) {
        let before = self.state.clone();
        self.state.learn(changed);
        match self.state.webhooks.as_str() {
            "ready" => {}
            "startup" => self.end(Ending::Restarted),
            "shutdown" | "error" => self.end(Ending::Halted(self.state.message.clone())),
            _ => {}
        }
        match (before.paused, self.state.paused, self.paused) {
            (false, true, false) => self.hears(PrinterEvent::Paused),
            (true, false, true) => self.hears(PrinterEvent::Resumed),
            _ => {}
        }
        self.warm(now);
    }

    fn listen(&mut self, line: &str) {
        if let Reply::Action(event) = reply::parse(line.as_bytes()) {
            self.hears(event);
        }
        let unknown = line.split_once("Unknown command:").or_else(|| line.split_once("Invalid M204 command"));
        let Some((_, code)) = unknown else { return };
        let code = code.trim_matches(|c: char| c == '"' || c == ' ');
        let is_ours = |flight: &Flight| flight.codes.iter().any(|own| code.split(' ').next() == Some(own));
        if self.flight.as_ref().is_some_and(is_ours) {
            // Klipper murmurs and goes on; a job goes on only where every line was run.
            self.end(Ending::Refused(line.trim_start_matches('/').trim().to_owned()));
        }
    }

    fn hears(&mut self, event: PrinterEvent) {
        if let PrinterEvent::Paused | PrinterEvent::Resumed = event {
            // Klipper says it twice, as a line and as a state.
            if self.told.replace(event.clone()).as_ref() == Some(&event) {
                return;
            }
            self.paused = event == PrinterEvent::Paused;
        }
        self.events.push_back(event);
    }

    /// Whether the heater that is waited for is where it should be.
    fn warm(&mut self, now: Duration) {
        let Some(heat) = &mut self.heat else { return };
        let temperatures = &self.state.temperatures;
        let (is, target) = match heat.heater {
            Heater::Nozzle => (f64::from(temperatures.nozzle), temperatures.nozzle_target),
            Heater::Bed => (f64::from(temperatures.bed), temperatures.bed_target),
        };
        if heat.is_lit && target == 0.0 {
            self.end(Ending::TurnedOff);
            return;
        }
        heat.is_lit |= target > 0.0;
        let is_near = match heat.until {
            Until::AtLeast(wanted) => is >= wanted as f64 / 100.0 - NEAR,
            Until::At(wanted) => (is - wanted as f64 / 100.0).abs() <= NEAR,
        };
        heat.near_since = if is_near { heat.near_since.or(Some(now)) } else { None };
        if heat.near_since.is_some_and(|since| now >= since + SETTLED) {
            self.stats.last_acknowledged += u64::from(heat.ends);
            self.stats.lines_sent += u64::from(heat.ends);
            self.heat = None;
        } else if now >= heat.begun + LONG_RUN {
            self.end(Ending::Cold);
        }
    }

    /// When [`Self::tick`] is to be called, if nothing is heard before.
    pub(super) fn deadline(&self) -> Duration {
        let settled = self.heat.as_ref().map(|heat| match heat.near_since {
            Some(since) => since + SETTLED,
            None => (heat.begun + LONG_RUN).min(heat.stirred + STIR),
        });
        let halted = self.halted.map(|(_, until)| until);
        [settled, halted].into_iter().flatten().fold(self.heard_at + QUIET, Duration::min)
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Duration) {
        if let Some((what, until)) = self.halted
            && now >= until
        {
            self.end(Ending::Halted(what.to_owned()));
        }
        if now >= self.heard_at + QUIET {
            match self.probe {
                Some(_) => self.end(Ending::Silent),
                None => (self.probe, self.heard_at) = (Some(self.send(&Call::Info)), now),
            }
        }
        self.stir(now);
        self.warm(now);
        self.pump(now);
    }

    /// Klipper turns its heaters off when nothing runs for a while, and a wait of ours is nothing to it.
    fn stir(&mut self, now: Duration) {
        if let Some(heat) = self.heat.as_mut().filter(|heat| now >= heat.stirred + STIR) {
            heat.stirred = now;
            self.send(&Call::Script("G4 P1".to_owned().into()));
        }
    }

    fn end(&mut self, ending: Ending) {
        // A halt explains itself better than the refusal that came of it.
        let replaces = matches!((&self.ending, &ending), (Some(Ending::Refused(_)), Ending::Halted(_)));
        if self.ending.is_none() || replaces {
            self.queue.clear();
            self.output.clear();
            self.ending = Some(ending);
        }
    }
}
