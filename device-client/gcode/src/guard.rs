//! The guard: the last look at every command before it can reach a machine (hop 9, attack S3).
//!
//! A valid signature says who made a toolpath, not that it is safe. [`Guard::admit`] lets a line through only
//! when its code is known, its parameters are known for that code, every value is inside the machine's limits
//! and the position it leads to is inside the build volume. It follows positions, modes and heater targets, so
//! a relative move or a moved origin can't step around a bound.
//! [`Command`] is the evidence: only this file makes one, and what drives a machine takes nothing else.
//! Deliberately absent: repair. A line is let through as it stands or refused by number and reason.

mod arc;
mod aside;
mod rules;
mod words;

use layerlock_terms::machine::Machine;
use layerlock_terms::toolpath::Turn;

pub use crate::guard::aside::Aside;

use crate::guard::rules::{Bound, Duty, Rule};
use crate::guard::words::{Fixed, Word, words};

/// A line the guard has let through: one G-code command without comment, line end, number or checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    text: Box<str>,
    pace: Pace,
}

/// How long a machine may take before it acknowledges a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Acknowledged as soon as there is room for it.
    Prompt,
    /// Acknowledged when it is done: homing, heating, dwelling, finishing all moves (rule 19).
    Long,
    /// A temperature report, acknowledged with the temperatures on the same line.
    Report,
}

/// Why a line was not let through, and which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not let through to the machine: {reason}")]
pub struct Refusal {
    /// Counted from one over everything this guard was shown.
    pub line: u64,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a refused line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Nothing to do: machines don't acknowledge empty lines.
    #[error("it is empty; leave it out")]
    Empty,
    /// More than one line in one.
    #[error("it holds a line break; one command per line")]
    LineBreak,
    /// A byte that is not printable ASCII.
    #[error("it holds a byte that is not printable ASCII")]
    NotAscii,
    /// A comment, a checksum or a line number of its own.
    #[error("it holds '{0}'; strip comments, numbers and checksums first")]
    Decorated(char),
    /// It would not fit the machine's line buffer once numbered.
    #[error("it is {length} bytes long; at most {MAX_TEXT} fit a numbered line")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Not a code, or a word that is no letter with a number.
    #[error("'{0}' is not a word of G-code")]
    Malformed(String),
    /// A code whose effect no job has a right to.
    #[error("{code} is forbidden in a job: {why}")]
    Forbidden {
        /// The code.
        code: String,
        /// What it would do.
        why: &'static str,
    },
    /// A code this guard does not know.
    #[error("{0} is not a command this device knows")]
    UnknownCode(String),
    /// A parameter the guard does not know for this code, or one given twice.
    #[error("{code} does not take {letter} here")]
    UnknownParameter {
        /// The code.
        code: String,
        /// The parameter.
        letter: char,
    },
    /// A command that would mean something wider without this parameter.
    #[error("it lacks {0}, without which it means every axis")]
    MissingParameter(char),
    /// A value outside the machine's limits.
    #[error("{code} {letter}{value} is outside {low} to {high}")]
    OutOfBounds {
        /// The code.
        code: String,
        /// The parameter.
        letter: char,
        /// The value, or the position it leads to.
        value: Fixed,
        /// Least value let through.
        low: Fixed,
        /// Greatest value let through.
        high: Fixed,
    },
    /// An arc whose ends are not equally far from its centre, or that has none, or whose modes make it ambiguous.
    #[error("it is no arc: {0}")]
    NoArc(&'static str),
    /// A move of an axis that has not been homed.
    #[error("{0} moves before G28 has found where it is")]
    NotHomed(char),
    /// Feeding filament with a target the plastic doesn't melt at.
    #[error("it feeds filament while the nozzle's target is {0}; set a printing temperature first")]
    ColdExtrusion(Fixed),
}

/// Longest command text: `N`, eight digits, a space, `*` and three digits of checksum make it 95 bytes (rule 4).
pub const MAX_TEXT: usize = 81;

/// How far outside the printable volume the nozzle may go in x and y: purge lines and parking.
const MARGIN: Fixed = Fixed::whole(10);
/// Most filament fed or pulled back by one command.
const MAX_FEED: Fixed = Fixed::whole(100);
/// Below this target no filament is fed; Marlin's own limit is 170.
const MELTS: Fixed = Fixed::whole(150);

/// What a line is without its comment and surrounding space; `None` where nothing is left to send (rule 3).
pub fn stripped(line: &str) -> Option<&str> {
    let bare = line.split(';').next().unwrap_or_default().trim();
    (!bare.is_empty()).then_some(bare)
}

impl Command {
    /// The text as it is framed: no number, no checksum, no line end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its words in order, each a letter and a value in units of 10⁻⁵.
    pub fn words(&self) -> impl Iterator<Item = (char, i64)> + '_ {
        words(&self.text).filter_map(Result::ok).map(|word| (word.letter, word.value.units()))
    }

    /// Evidence without a check, for tests of what lies behind the guard.
    #[cfg(feature = "unchecked")]
    pub fn unchecked(text: &str) -> Self {
        Self { text: text.into(), pace: Pace::Prompt }
    }

    /// How long a machine may take over it.
    pub fn pace(&self) -> Pace {
        self.pace
    }
}

/// Follows one job's lines against one machine's limits.
#[derive(Debug, Clone)]
pub struct Guard {
    volume: [Fixed; 3],
    max_nozzle: Fixed,
    max_bed: Fixed,
    max_speed: Fixed,
    max_acceleration: Fixed,
    line: u64,
    state: State,
}

/// What earlier lines have made of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    axes: Coordinates,
    extruder: Coordinates,
    /// `None` until homed.
    position: [Option<Fixed>; 3],
    /// Whether a move has said where the axis is. Homing leaves it where the machine knows.
    told: [bool; 3],
    filament: Fixed,
    nozzle: Fixed,
    /// Of the moves that name none; `None` until one has.
    feed: Option<Fixed>,
}

/// What a coordinate word counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coordinates {
    Absolute,
    Relative,
}

impl Coordinates {
    fn target(self, from: Fixed, word: Fixed) -> Fixed {
        match self {
            Self::Absolute => word,
            Self::Relative => from.plus(word),
        }
    }
}

impl Guard {
    /// A guard for `machine`, which is not homed and cold.
    pub fn new(machine: &Machine) -> Self {
        Self {
            volume: machine.volume.map(|side| Fixed::micrometres(side.0)),
            max_nozzle: Fixed::whole(i64::from(machine.max_nozzle.0)),
            max_bed: Fixed::whole(i64::from(machine.max_bed.0)),
            max_speed: Fixed::whole(i64::from(machine.max_speed.0)),
            max_acceleration: Fixed::whole(i64::from(machine.max_acceleration.0)),
            line: 0,
            state: State {
                axes: Coordinates::Absolute,
                extruder: Coordinates::Absolute,
                position: [None; 3],
                told: [false; 3],
                filament: Fixed::ZERO,
                nozzle: Fixed::ZERO,
                feed: None,
            },
        }
    }

    /// Lets one line through, or refuses it. A refused line leaves the guard as it was, but for the count.
    ///
    /// # Errors
    /// A [`Refusal`] with the line's number and the reason.
    pub fn admit(&mut self, line: &str) -> Result<Command, Refusal> {
        self.line += 1;
        let number = self.line;
        self.judge(line).map_err(|reason| Refusal { line: number, reason })
    }

    fn judge(&mut self, line: &str) -> Result<Command, Reason> {
        shape(line)?;
        let mut words = words(line);
        let code = words.next().ok_or(Reason::Empty)?.map_err(Reason::Malformed)?;
        let rule = rules::rule(code)?;
        let words = words.collect::<Result<Vec<Word>, String>>().map_err(Reason::Malformed)?;
        self.parameters(rule, &words)?;
        let mut next = self.state.clone();
        self.follow(rule, &words, &mut next)?;
        self.state = next;
        Ok(Command { text: line.into(), pace: rule.pace() })
    }

    fn parameters(&self, rule: &Rule, words: &[Word]) -> Result<(), Reason> {
        for (at, word) in words.iter().enumerate() {
            let twice = words[..at].iter().any(|earlier| earlier.letter == word.letter);
            let bound = rule.bound(word.letter).filter(|_| !twice);
            let Some(bound) = bound else {
                return Err(Reason::UnknownParameter { code: rule.code.into(), letter: word.letter });
            };
            let (low, high) = self.limits(bound);
            within(rule.code, word.letter, word.value, (low, high))?;
        }
        Ok(())
    }

    fn limits(&self, bound: Bound) -> (Fixed, Fixed) {
        match bound {
            Bound::Between(low, high) => (Fixed::whole(low), Fixed::whole(high)),
            Bound::Acceleration => (Fixed::SMALLEST, self.max_acceleration),
            Bound::Axis | Bound::Centre => (Fixed::whole(-10_000), Fixed::whole(10_000)),
            Bound::Filament => (Fixed::whole(-10_000_000), Fixed::whole(10_000_000)),
            Bound::Speed => (Fixed::SMALLEST, self.max_speed),
            Bound::SpeedPerSecond => (Fixed::SMALLEST, self.max_speed.divided(60)),
            Bound::Nozzle => (Fixed::ZERO, self.max_nozzle),
            Bound::Bed => (Fixed::ZERO, self.max_bed),
        }
    }

    fn follow(&self, rule: &Rule, words: &[Word], state: &mut State) -> Result<(), Reason> {
        match rule.duty {
            Duty::Move => self.follow_move(rule, words, state)?,
            Duty::Arc(turn) => self.follow_arc(rule, turn, words, state)?,
            Duty::Prime if state.nozzle < MELTS => return Err(Reason::ColdExtrusion(state.nozzle)),
            Duty::Prime => {}
            Duty::Home => for_axes(words, |axis| {
                (state.position[axis], state.told[axis]) = (Some(Fixed::ZERO), false);
            }),
            Duty::Absolute => (state.axes, state.extruder) = (Coordinates::Absolute, Coordinates::Absolute),
            Duty::Relative => (state.axes, state.extruder) = (Coordinates::Relative, Coordinates::Relative),
            Duty::AbsoluteFeed => state.extruder = Coordinates::Absolute,
            Duty::RelativeFeed => state.extruder = Coordinates::Relative,
            Duty::CountFrom => state.filament = value(words, 'E').ok_or(Reason::MissingParameter('E'))?,
            Duty::Motors => for_axes(words, |axis| {
                (state.position[axis], state.told[axis]) = (None, false);
            }),
            Duty::Nozzle => {
                state.nozzle = value(words, 'S').or_else(|| value(words, 'R')).unwrap_or(state.nozzle);
            }
            Duty::Wait | Duty::Report | Duty::Plain => {}
        }
        Ok(())
    }

    fn follow_move(&self, rule: &Rule, words: &[Word], state: &mut State) -> Result<(), Reason> {
        for (axis, letter) in ['X', 'Y', 'Z'].into_iter().enumerate() {
            let Some(word) = value(words, letter) else { continue };
            let from = state.position[axis].ok_or(Reason::NotHomed(letter))?;
            let to = state.axes.target(from, word);
            within(rule.code, letter, to, self.reach(axis))?;
            state.position[axis] = Some(to);
            state.told[axis] |= state.axes == Coordinates::Absolute;
        }
        state.feed = value(words, 'F').or(state.feed);
        let Some(word) = value(words, 'E') else { return Ok(()) };
        let to = state.extruder.target(state.filament, word);
        let fed = to.minus(state.filament);
        within(rule.code, 'E', fed, (Fixed::ZERO.minus(MAX_FEED), MAX_FEED))?;
        if fed > Fixed::ZERO && state.nozzle < MELTS {
            return Err(Reason::ColdExtrusion(state.nozzle));
        }
        state.filament = to;
        Ok(())
    }

    /// Bounds what the whole arc passes, then its end like any move's.
    fn follow_arc(&self, rule: &Rule, turn: Turn, words: &[Word], state: &mut State) -> Result<(), Reason> {
        if state.axes == Coordinates::Relative {
            return Err(Reason::NoArc("arcs are let through with absolute positions only"));
        }
        let mut from = [Fixed::ZERO; 2];
        for (axis, letter) in ['X', 'Y'].into_iter().enumerate() {
            from[axis] = state.position[axis].ok_or(Reason::NotHomed(letter))?;
        }
        let to = [value(words, 'X').unwrap_or(from[0]), value(words, 'Y').unwrap_or(from[1])];
        let centre = ['I', 'J'].map(|letter| value(words, letter).unwrap_or(Fixed::ZERO));
        let (low, high) = arc::extent(from, to, centre, turn).map_err(Reason::NoArc)?;
        for (axis, letter) in ['X', 'Y'].into_iter().enumerate() {
            within(rule.code, letter, low[axis], self.reach(axis))?;
            within(rule.code, letter, high[axis], self.reach(axis))?;
        }
        self.follow_move(rule, words, state)
    }

    fn reach(&self, axis: usize) -> (Fixed, Fixed) {
        match axis {
            2 => (Fixed::ZERO, self.volume[2]),
            _ => (Fixed::ZERO.minus(MARGIN), self.volume[axis].plus(MARGIN)),
        }
    }
}

/// Calls `each` for the axes a command names, or for all three where it names none.
fn for_axes(words: &[Word], mut each: impl FnMut(usize)) {
    let named = |letter| words.iter().any(|word| word.letter == letter);
    let all = !['X', 'Y', 'Z', 'E'].into_iter().any(named);
    for (axis, letter) in ['X', 'Y', 'Z'].into_iter().enumerate() {
        if all || named(letter) {
            each(axis);
        }
    }
}

fn shape(line: &str) -> Result<(), Reason> {
    if line.contains(['\n', '\r']) {
        return Err(Reason::LineBreak);
    }
    if !line.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Err(Reason::NotAscii);
    }
    if let Some(found) = line.chars().find(|&c| matches!(c, ';' | '(' | ')' | '*' | '!' | '"' | '$' | '@')) {
        return Err(Reason::Decorated(found));
    }
    if line.starts_with(['N', 'n']) {
        return Err(Reason::Decorated('N'));
    }
    if line.trim().is_empty() {
        return Err(Reason::Empty);
    }
    if line.len() > MAX_TEXT {
        return Err(Reason::TooLong { length: line.len() });
    }
    Ok(())
}

fn value(words: &[Word], letter: char) -> Option<Fixed> {
    words.iter().find(|word| word.letter == letter).map(|word| word.value)
}

fn within(code: &str, letter: char, value: Fixed, (low, high): (Fixed, Fixed)) -> Result<(), Reason> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Reason::OutOfBounds { code: code.into(), letter, value, low, high })
}

#[cfg(test)]
mod tests;
