//! Axes, heaters and filament of a simulated machine: what a command does, how long, and what can't be.
//!
//! Read on its own, not with the guard's eyes: where the guard lets something impossible through, this stops.
//! Floats, as firmware has them. Acceleration is absent: durations are those of constant speed.

use layerlock_terms::machine::Machine;
use layerlock_terms::toolpath::Point3;
use layerlock_terms::units::{Celsius, Micrometres, Millis};

use crate::printer::model::firmware_name;
use crate::printer::simulated::{Bead, Record};

/// What a command did.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Goes through the planner and takes this long, in seconds.
    Moved(f64),
    /// Holds the queue for this long, in seconds, after all moves.
    Waited(f64),
    /// Done at once, with this line before the ok where there is one.
    Done(Option<String>),
    /// Can't be done: the machine stops itself with these words.
    Impossible(String),
}

/// The machine below the firmware.
#[derive(Debug)]
pub struct Body {
    machine: Machine,
    position: [f64; 3],
    homed: [bool; 3],
    filament: f64,
    /// Millimetres per minute.
    speed: f64,
    relative: bool,
    relative_feed: bool,
    nozzle: Heater,
    bed: Heater,
    /// Seconds of work so far.
    clock: f64,
}

/// A heater that warms and cools evenly.
#[derive(Debug, Clone, Copy)]
struct Heater {
    from: f64,
    target: f64,
    since: f64,
    per_second: f64,
}

const AMBIENT: f64 = 20.0;
/// Below this Marlin feeds no filament.
const MELTS: f64 = 150.0;
/// How far past the printable volume the frame lets the nozzle go, millimetres.
const FRAME: f64 = 12.0;
/// How long a touch of all end stops takes, and a probe of the bed, in seconds.
const HOMING: f64 = 8.0;
const LEVELLING: f64 = 30.0;

impl Heater {
    fn new(per_second: f64) -> Self {
        Self { from: AMBIENT, target: AMBIENT, since: 0.0, per_second }
    }

    fn at(&self, clock: f64) -> f64 {
        let change = self.per_second * (clock - self.since);
        if self.target > self.from {
            (self.from + change).min(self.target)
        } else {
            (self.from - change).max(self.target)
        }
    }

    fn turn_to(&mut self, target: f64, clock: f64) {
        *self = Self { from: self.at(clock), target: target.max(AMBIENT), since: clock, ..*self };
    }

    fn remaining(&self, clock: f64) -> f64 {
        (self.target - self.at(clock)).abs() / self.per_second
    }
}

/// A parameter's value; a letter alone counts as zero.
pub(super) fn parameter(text: &str, letter: char) -> Option<f64> {
    let word = text.split(' ').skip(1).find(|word| word.starts_with(letter))?;
    if word.len() == 1 { Some(0.0) } else { word[1..].parse().ok() }
}

impl Body {
    /// A machine switched on: cold, not homed, absolute coordinates.
    pub fn new(machine: &Machine) -> Self {
        Self {
            machine: *machine,
            position: [0.0; 3],
            homed: [false; 3],
            filament: 0.0,
            speed: 1_500.0,
            relative: false,
            relative_feed: false,
            nozzle: Heater::new(2.5),
            bed: Heater::new(0.5),
            clock: 0.0,
        }
    }

    /// Does a command and writes it down.
    pub fn execute(&mut self, text: &str, record: &mut Record) -> Deed {
        let code = text.split(' ').next().unwrap_or_default();
        let deed = self.act(code, text, record);
        if let Deed::Moved(seconds) | Deed::Waited(seconds) = deed {
            self.clock += seconds;
            record.duration = Millis((self.clock * 1000.0) as u64);
        }
        if !matches!(deed, Deed::Impossible(_)) && !is_question(code) && is_known(&deed) {
            record.add(text);
        }
        deed
    }

    fn act(&mut self, code: &str, text: &str, record: &mut Record) -> Deed {
        match code {
            "G0" | "G1" => self.travel(text, record),
            "G4" => Deed::Waited(
                parameter(text, 'P').unwrap_or(0.0) / 1000.0 + parameter(text, 'S').unwrap_or(0.0),
            ),
            "G28" => self.home(text),
            "G29" | "G34" | "G80" => Deed::Waited(LEVELLING),
            "G90" | "G91" => {
                (self.relative, self.relative_feed) = (code == "G91", code == "G91");
                Deed::Done(None)
            }
            "M82" | "M83" => {
                self.relative_feed = code == "M83";
                Deed::Done(None)
            }
            "G92" => {
                self.filament = parameter(text, 'E').unwrap_or(self.filament);
                Deed::Done(None)
            }
            "M104" | "M109" | "M140" | "M190" => self.heat(code, text, record),
            "M84" | "M18" => {
                self.let_go(text);
                Deed::Done(None)
            }
            "M400" => Deed::Waited(0.0),
            "M105" => Deed::Done(None),
            "M114" => Deed::Done(Some(self.whereabouts())),
            "M115" => Deed::Done(Some(self.identity())),
            _ if KNOWN.contains(&code) => Deed::Done(None),
            _ => Deed::Done(Some(format!("{UNKNOWN}\"{text}\""))),
        }
    }

    fn identity(&self) -> String {
        let kind = firmware_name(&self.machine);
        format!(
            "FIRMWARE_NAME:Layerlock simulated Marlin PROTOCOL_VERSION:1.0 MACHINE_TYPE:{kind} EXTRUDER_COUNT:1\n{CAPABILITIES}"
        )
    }

    fn travel(&mut self, text: &str, record: &mut Record) -> Deed {
        self.speed = parameter(text, 'F').unwrap_or(self.speed);
        let mut to = self.position;
        for (axis, letter) in ['X', 'Y', 'Z'].into_iter().enumerate() {
            let Some(word) = parameter(text, letter) else { continue };
            to[axis] = if self.relative { self.position[axis] + word } else { word };
            let limit = self.machine.volume[axis].to_mm() + FRAME;
            let lifts = axis == 2 && self.relative && word > 0.0; // All a machine that is not homed may do.
            if !(self.homed[axis] || lifts) || !(-FRAME..=limit).contains(&to[axis]) {
                return Deed::Impossible(format!("{letter} can't move to {}", to[axis]));
            }
        }
        let distance = (0..3).map(|axis| (to[axis] - self.position[axis]).powi(2)).sum::<f64>().sqrt();
        let fed = match (parameter(text, 'E'), self.relative_feed) {
            (None, _) => 0.0,
            (Some(word), true) => word,
            (Some(word), false) => word - self.filament,
        };
        if fed > 0.0 && self.nozzle.at(self.clock) < MELTS {
            self.position = to;
            return Deed::Done(Some("echo: cold extrusion prevented".into()));
        }
        self.feed(fed, to, (distance, record));
        Deed::Moved(distance.max(fed.abs()) / self.speed.max(1.0) * 60.0)
    }

    fn feed(&mut self, fed: f64, to: [f64; 3], (distance, record): (f64, &mut Record)) {
        if fed > 0.0 && distance > 0.0 {
            let fed_um = (fed * 1000.0).round() as i32;
            record.lay(Bead { from: point(self.position), to: point(to), fed_um });
        }
        self.position = to;
        self.filament += fed;
        record.filament_um += (fed * 1000.0).round() as i64;
    }

    fn home(&mut self, text: &str) -> Deed {
        let all = !['X', 'Y', 'Z'].into_iter().any(|letter| parameter(text, letter).is_some());
        for (axis, letter) in ['X', 'Y', 'Z'].into_iter().enumerate() {
            if all || parameter(text, letter).is_some() {
                (self.homed[axis], self.position[axis]) = (true, 0.0);
            }
        }
        Deed::Waited(HOMING)
    }

    /// Motors off, for the axes named or for all: where they are is not known any more.
    fn let_go(&mut self, text: &str) {
        let named = |letter| parameter(text, letter).is_some();
        let all = !['X', 'Y', 'Z', 'E'].into_iter().any(named);
        for (axis, letter) in ['X', 'Y', 'Z'].into_iter().enumerate() {
            self.homed[axis] &= !(all || named(letter));
        }
    }

    fn heat(&mut self, code: &str, text: &str, record: &mut Record) -> Deed {
        let Some(target) = parameter(text, 'S').or_else(|| parameter(text, 'R')) else {
            return Deed::Done(None);
        };
        let nozzle = matches!(code, "M104" | "M109");
        let most = if nozzle { self.machine.max_nozzle } else { self.machine.max_bed };
        if target > f64::from(most.0) {
            return Deed::Impossible(format!("MAXTEMP triggered, {target} is above {}", most.0));
        }
        let clock = self.clock;
        let heater = if nozzle { &mut self.nozzle } else { &mut self.bed };
        heater.turn_to(target, clock);
        let remaining = heater.remaining(clock);
        let highest = if nozzle { &mut record.max_nozzle } else { &mut record.max_bed };
        *highest = (*highest).max(Celsius(target as u16));
        if matches!(code, "M109" | "M190") { Deed::Waited(remaining) } else { Deed::Done(None) }
    }

    /// The temperatures as M105 and M155 report them.
    pub fn temperatures(&self) -> String {
        let shown = |heater: &Heater| {
            let target = if heater.target > AMBIENT { heater.target } else { 0.0 };
            format!("{:.2} /{target:.2}", heater.at(self.clock))
        };
        format!("T:{} B:{} @:0 B@:0", shown(&self.nozzle), shown(&self.bed))
    }

    /// Whether no heater has a target.
    #[cfg(test)]
    pub(crate) fn is_off(&self) -> bool {
        [&self.nozzle, &self.bed].iter().all(|heater| heater.target <= AMBIENT)
    }

    fn whereabouts(&self) -> String {
        let [x, y, z] = self.position;
        format!("X:{x:.2} Y:{y:.2} Z:{z:.2} E:{:.2} Count X:0 Y:0 Z:0", self.filament)
    }
}

const CAPABILITIES: &str = "Cap:AUTOREPORT_TEMP:1\nCap:EMERGENCY_PARSER:1";
const UNKNOWN: &str = "echo:Unknown command: ";

/// Commands that change settings this body does not model.
const KNOWN: [&str; 23] = [
    "G21", "M17", "M73", "M106", "M107", "M108", "M110", "M113", "M117", "M155", "M201", "M203", "M204",
    "M205", "M220", "M221", "M300", "M410", "M420", "M900", "T0", "M118", "M119",
];

/// Commands that change nothing a buyer would pay for; not recorded.
fn is_question(code: &str) -> bool {
    matches!(code, "M105" | "M108" | "M110" | "M113" | "M114" | "M115" | "M155" | "M400" | "M410")
}

fn is_known(deed: &Deed) -> bool {
    !matches!(deed, Deed::Done(Some(answer)) if answer.starts_with(UNKNOWN))
}

fn point(mm: [f64; 3]) -> Point3 {
    let [x, y, z] = mm.map(|mm| Micrometres::from_mm(mm).0);
    Point3 { x, y, z }
}
