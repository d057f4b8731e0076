//! What a job may say: every command the guard knows, its parameters and their bounds; and what is forbidden.
//!
//! A table, so that it can be read against a firmware's manual. A code in neither table is refused as unknown.

use layerlock_terms::toolpath::Turn;

use crate::guard::words::Word;
use crate::guard::{Pace, Reason};

/// One command a job may use.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) code: &'static str,
    pub(super) duty: Duty,
    parameters: &'static [(&'static str, Bound)],
}

/// What a command does to the state the guard follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    Move,
    /// A move along a circle, all of which stays in the volume.
    Arc(Turn),
    Home,
    Absolute,
    Relative,
    AbsoluteFeed,
    RelativeFeed,
    CountFrom,
    /// The machine feeds back what it pulled back itself.
    Prime,
    Motors,
    Nozzle,
    /// Takes its time, changes nothing followed here.
    Wait,
    Report,
    Plain,
}

/// The values a parameter may have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    Between(i64, i64),
    /// A coordinate; the position it leads to is checked against the volume.
    Axis,
    /// A filament length; the amount it feeds is checked.
    Filament,
    /// Millimetres per minute, up to the machine's fastest.
    Speed,
    /// Millimetres per second, up to the machine's fastest.
    SpeedPerSecond,
    /// A circle's centre, seen from where the nozzle is.
    Centre,
    /// Millimetres per second squared, up to the machine's hardest.
    Acceleration,
    Nozzle,
    Bed,
}

impl Rule {
    /// What bounds this parameter, if the command takes it.
    pub(super) fn bound(&self, letter: char) -> Option<Bound> {
        self.parameters.iter().find(|(letters, _)| letters.contains(letter)).map(|&(_, bound)| bound)
    }

    /// How long the machine may take over it (rule 19's list, and M109 among the heaters).
    pub(super) fn pace(&self) -> Pace {
        match (self.duty, self.code) {
            (Duty::Home | Duty::Wait, _) | (Duty::Nozzle, "M109") => Pace::Long,
            (Duty::Report, _) => Pace::Report,
            _ => Pace::Prompt,
        }
    }
}

/// The rule for a line's first word.
pub(super) fn rule(code: Word) -> Result<&'static Rule, Reason> {
    let name = match code.value.integer() {
        Some(number) => format!("{}{number}", code.letter),
        None => format!("{}{}", code.letter, code.value),
    };
    if let Some(why) = forbidden(&name, code) {
        return Err(Reason::Forbidden { code: name, why });
    }
    RULES.iter().find(|rule| rule.code == name).ok_or(Reason::UnknownCode(name))
}

fn forbidden(name: &str, code: Word) -> Option<&'static str> {
    if let ('M', Some(20..=33)) = (code.letter, code.value.integer()) {
        return Some("it works on the machine's card, where a job would be kept in the clear");
    }
    FORBIDDEN.iter().find(|(code, _)| *code == name).map(|&(_, why)| why)
}

const FORBIDDEN: &[(&str, &str)] = &[
    ("G20", "it turns every length into inches"),
    ("M0", "pauses are asked for as events, not commands"),
    ("M1", "pauses are asked for as events, not commands"),
    ("M108", "it breaks off a heat-up out of order; the device does that itself"),
    ("M110", "line numbers belong to the link"),
    ("M112", "an emergency stop belongs to the device"),
    ("M302", "it lifts the guard against cold extrusion"),
    ("M303", "it drives heaters by itself"),
    ("M410", "it drops moves; the device does that itself"),
    ("M500", "it changes the machine for good"),
    ("M501", "it changes the machine's settings"),
    ("M502", "it takes the machine's settings away"),
    ("M504", "it changes the machine for good"),
    ("M600", "filament changes are asked for as events, not commands"),
    ("M928", "it writes the job to the machine's card in the clear"),
    ("M997", "it starts a firmware update"),
    ("M999", "it restarts a machine that has stopped itself"),
];

const fn plain(code: &'static str, parameters: &'static [(&'static str, Bound)]) -> Rule {
    Rule { code, duty: Duty::Plain, parameters }
}

const fn with(code: &'static str, duty: Duty, parameters: &'static [(&'static str, Bound)]) -> Rule {
    Rule { code, duty, parameters }
}

const MOVE: &[(&str, Bound)] = &[("XYZ", Bound::Axis), ("E", Bound::Filament), ("F", Bound::Speed)];
const ARC: &[(&str, Bound)] =
    &[("XY", Bound::Axis), ("IJ", Bound::Centre), ("E", Bound::Filament), ("F", Bound::Speed)];
const AXES: &[(&str, Bound)] = &[("XYZ", Bound::Between(0, 0))];
const MOTORS: &[(&str, Bound)] = &[("XYZE", Bound::Between(0, 0)), ("S", Bound::Between(0, 3600))];

const RULES: &[Rule] = &[
    with("G0", Duty::Move, MOVE),
    with("G1", Duty::Move, MOVE),
    with("G2", Duty::Arc(Turn::Clockwise), ARC),
    with("G3", Duty::Arc(Turn::Counterclockwise), ARC),
    with("G4", Duty::Wait, &[("P", Bound::Between(0, 60_000)), ("S", Bound::Between(0, 60))]),
    plain("G10", &[]),
    with("G11", Duty::Prime, &[]),
    plain("G21", &[]),
    with("G28", Duty::Home, &[("XYZW", Bound::Between(0, 0))]),
    with("G29", Duty::Wait, &[]),
    with("G32", Duty::Wait, &[]),
    with("G34", Duty::Wait, &[]),
    with("G80", Duty::Wait, &[]),
    with("G90", Duty::Absolute, &[]),
    with("G91", Duty::Relative, &[]),
    with("G92", Duty::CountFrom, &[("E", Bound::Filament)]),
    plain("M17", AXES),
    with("M18", Duty::Motors, MOTORS),
    plain("M73", &[("PQ", Bound::Between(0, 100)), ("RS", Bound::Between(0, 100_000))]),
    with("M82", Duty::AbsoluteFeed, &[]),
    with("M83", Duty::RelativeFeed, &[]),
    with("M84", Duty::Motors, MOTORS),
    with("M104", Duty::Nozzle, &[("S", Bound::Nozzle), ("T", Bound::Between(0, 0))]),
    with("M105", Duty::Report, &[]),
    plain("M106", &[("S", Bound::Between(0, 255)), ("P", Bound::Between(0, 0))]),
    plain("M107", &[("P", Bound::Between(0, 0))]),
    with("M109", Duty::Nozzle, &[("SR", Bound::Nozzle), ("T", Bound::Between(0, 0))]),
    plain("M140", &[("S", Bound::Bed)]),
    with("M190", Duty::Wait, &[("SR", Bound::Bed)]),
    plain("M201", &[("XYZE", Bound::Acceleration)]),
    plain("M203", &[("XYZE", Bound::SpeedPerSecond)]),
    plain("M204", &[("PRST", Bound::Acceleration)]),
    plain("M205", &[("XYZE", Bound::Between(0, 50)), ("J", Bound::Between(0, 1))]),
    plain("M220", &[("S", Bound::Between(10, 100))]),
    plain("M221", &[("S", Bound::Between(50, 150))]),
    plain("M300", &[("S", Bound::Between(0, 20_000)), ("P", Bound::Between(0, 10_000))]),
    with("M400", Duty::Wait, &[]),
    plain("M420", &[("S", Bound::Between(0, 1)), ("Z", Bound::Between(0, 10))]),
    plain("M900", &[("K", Bound::Between(0, 2))]),
    plain("T0", &[]),
];
