//! From the guard's commands to lines for Klipper, each with the time its motion takes (rules K4 to K7, K12).
//!
//! Klipper takes nothing back that it has planned, so a line may be no longer than what a cancel may wait for: straight
//! moves and dwells are cut into pieces of [`PIECE`]. A cut lies on the line between two points the guard has let
//! through, so it stays in the volume. Waiting for a heater is not Klipper's to do: it can't be broken off there.
//! Filament goes out as relative lengths whatever the job counts in, because `G90` means another thing to Klipper.
//! Where homing has left the head only Klipper knows, and is asked. Times are the least a move can take, with no
//! acceleration in them. Deliberately absent: cutting arcs, which no session writes.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::guard::Command;

/// The longest motion of one line, where it can be cut.
pub(super) const PIECE: Duration = Duration::from_millis(100);
/// Most pieces of one command: a bound, not a figure anybody reaches.
const PIECES: i64 = 10_000;
/// One in the guard's units.
const ONE: i64 = 100_000;
/// Klipper's speed before the first `F`, in millimetres per minute.
const FIRST_SPEED: i64 = 1_500 * ONE;

/// What a command becomes: none or more lines, and what is to be waited for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) step: Step,
    /// True for the last part of a command: when it is done, the command is.
    pub(super) ends: bool,
}

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A line whose motion takes so long at least.
    Line(Zeroizing<String>, Duration),
    /// A line that takes its own time; sent by itself.
    Alone(Zeroizing<String>),
    /// Until Klipper has said where the head is.
    Locate,
    /// Until a heater is where it should be.
    Wait(Heater, Until),
    /// Nothing Klipper has to know.
    Nothing,
}

/// What is heated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heater {
    Nozzle,
    Bed,
}

/// When a heater is ready, in hundredths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// As hot as this, or hotter.
    AtLeast(i64),
    /// As hot as this.
    At(i64),
}

/// Remembers what lines mean to the guard.
#[derive(Debug, Clone)]
pub(super) struct Shaper {
    relative: bool,
    relative_feed: bool,
    /// `None` until a move has said where the head is.
    at: [Option<i64>; 3],
    fed: i64,
    /// In 10⁻⁵ mm per minute.
    speed: i64,
    /// Percent, by `M220`.
    factor: i64,
}

impl Shaper {
    /// As a job begins: absolute, nothing known of the head.
    pub(super) fn new() -> Self {
        let (at, speed) = ([None; 3], FIRST_SPEED);
        Self { relative: false, relative_feed: false, at, fed: 0, speed, factor: 100 }
    }

    /// Klipper has said where the head is, in millimetres.
    pub(super) fn locate(&mut self, position: [f64; 3]) {
        self.at = position.map(|at| Some((at * ONE as f64).round() as i64));
    }

    /// What this command is to Klipper.
    pub(super) fn shape(&mut self, command: &Command) -> Vec<Part> {
        let words: Vec<(char, i64)> = command.words().collect();
        let steps = match words.split_first() {
            Some((&(letter, code), words)) => self.steps(command, (letter, code / ONE), words),
            None => Vec::new(),
        };
        let steps = if steps.is_empty() { vec![Step::Nothing] } else { steps };
        let last = steps.len() - 1;
        steps.into_iter().enumerate().map(|(at, step)| Part { step, ends: at == last }).collect()
    }

    fn steps(&mut self, command: &Command, code: (char, i64), words: &[(char, i64)]) -> Vec<Step> {
        let as_it_stands = || vec![Step::Line(command.text().to_owned().into(), Duration::ZERO)];
        let value = |letter| words.iter().find(|word| word.0 == letter).map(|word| word.1);
        match code {
            ('G', 0 | 1) => return self.go(words),
            ('G', 2 | 3) => return self.arc(command, words),
            ('G', 4) => return dwell(value('P').unwrap_or(0) / ONE + value('S').unwrap_or(0) / (ONE / 1000)),
            ('G', 28 | 29 | 32 | 34 | 80) => {
                self.at = [None; 3];
                return vec![Step::Alone(command.text().to_owned().into()), Step::Locate];
            }
            ('G', 90) => (self.relative, self.relative_feed) = (false, false),
            ('G', 91) => (self.relative, self.relative_feed) = (true, true),
            ('M', 82) => self.relative_feed = false,
            ('M', 83) => self.relative_feed = true,
            ('G', 92) => self.fed = value('E').unwrap_or(self.fed),
            ('M', 18 | 84) => self.at = [None; 3],
            ('M', 220) => self.factor = value('S').map_or(self.factor, |share| (share / ONE).max(1)),
            _ => {}
        }
        match code {
            // Klipper has its own settings for these, or none; a command it does not know is the end of a job.
            ('G', 21 | 92)
            | ('M', 17 | 73 | 82 | 83 | 105 | 201 | 203 | 205 | 300 | 420 | 900)
            | ('T', 0) => vec![],
            // With a time it would be off at once.
            ('M', 18 | 84) if value('S').is_some() => vec![],
            ('M', 104 | 140) => line(format!("M{} S{}", code.1, decimal(value('S').unwrap_or(0)))),
            ('M', 109) => heat("M104", Heater::Nozzle, value('S'), value('R')),
            ('M', 190) => heat("M140", Heater::Bed, value('S'), value('R')),
            ('M', 204) => {
                let least = [value('P'), value('T'), value('R')].into_iter().flatten().min();
                let wanted = value('S').or(least);
                wanted.map_or(vec![], |wanted| line(format!("M204 S{}", decimal(wanted))))
            }
            ('M', 400) => vec![Step::Alone(command.text().to_owned().into())],
            _ => as_it_stands(),
        }
    }

    /// A straight move, in as many pieces as its time asks for.
    fn go(&mut self, words: &[(char, i64)]) -> Vec<Step> {
        let value = |letter| words.iter().find(|word| word.0 == letter).map(|word| word.1);
        self.speed = value('F').unwrap_or(self.speed).max(1);
        let named = ['X', 'Y', 'Z'].map(value);
        let mut from = [0; 3];
        let mut by = [0; 3];
        let mut known = true;
        for axis in 0..3 {
            let Some(word) = named[axis] else { continue };
            if self.relative {
                by[axis] = word;
                self.at[axis] = self.at[axis].map(|at| at + word);
            } else {
                match self.at[axis].replace(word) {
                    Some(at) => (from[axis], by[axis]) = (at, word - at),
                    None => (known, from[axis]) = (false, word),
                }
            }
        }
        let feed = value('E').map(|word| if self.relative_feed { word } else { word - self.fed });
        self.fed += feed.unwrap_or(0);
        let way = by.iter().map(|&side| (side as f64).powi(2)).sum::<f64>().sqrt();
        let way = if way > 0.0 { way } else { feed.unwrap_or(0).abs() as f64 };
        let time = self.time(way);
        let pieces = (time.as_micros().div_ceil(PIECE.as_micros()) as i64).clamp(1, PIECES);
        if !known {
            return vec![Step::Alone(self.written(1, 1, named, (from, by), feed, value('F')).into())];
        }
        let piece = |nth| {
            let speed = value('F').filter(|_| nth == 1);
            let text = self.written(nth, pieces, named, (from, by), feed, speed);
            Step::Line(text.into(), time / pieces as u32)
        };
        (1..=pieces).map(piece).collect()
    }

    /// The `nth` of so many pieces.
    fn written(
        &self,
        nth: i64,
        of: i64,
        named: [Option<i64>; 3],
        (from, by): ([i64; 3], [i64; 3]),
        feed: Option<i64>,
        speed: Option<i64>,
    ) -> String {
        // Cut where the whole is cut, so that no rounding adds up.
        let until = |whole: i64, nth: i64| (i128::from(whole) * i128::from(nth) / i128::from(of)) as i64;
        let mut text = String::with_capacity(64);
        text.push_str("G1");
        for (axis, letter) in ['X', 'Y', 'Z'].into_iter().enumerate() {
            if named[axis].is_some() {
                let figure = match self.relative {
                    true => until(by[axis], nth) - until(by[axis], nth - 1),
                    false => from[axis] + until(by[axis], nth),
                };
                text.push_str(&format!(" {letter}{}", decimal(figure)));
            }
        }
        if let Some(feed) = feed {
            text.push_str(&format!(" E{}", decimal(until(feed, nth) - until(feed, nth - 1))));
        }
        if let Some(speed) = speed {
            text.push_str(&format!(" F{}", decimal(speed)));
        }
        text
    }

    fn arc(&mut self, command: &Command, words: &[(char, i64)]) -> Vec<Step> {
        let value = |letter| words.iter().find(|word| word.0 == letter).map(|word| word.1);
        self.speed = value('F').unwrap_or(self.speed).max(1);
        for (axis, letter) in ['X', 'Y', 'Z'].into_iter().enumerate() {
            self.at[axis] = value(letter).or(self.at[axis]);
        }
        let feed = value('E').map(|word| if self.relative_feed { word } else { word - self.fed });
        self.fed += feed.unwrap_or(0);
        let mut text =
            command.text().split(' ').filter(|word| !word.starts_with('E')).collect::<Vec<_>>().join(" ");
        if let Some(feed) = feed {
            text.push_str(&format!(" E{}", decimal(feed)));
        }
        vec![Step::Alone(text.into())]
    }

    /// How long a way in 10⁻⁵ mm takes at least.
    fn time(&self, way: f64) -> Duration {
        let per_second = self.speed as f64 / 60.0 * self.factor as f64 / 100.0;
        Duration::from_micros((way / per_second * 1e6) as u64)
    }
}

fn line(text: String) -> Vec<Step> {
    vec![Step::Line(text.into(), Duration::ZERO)]
}

/// Standing still for so many milliseconds, piece by piece.
fn dwell(milliseconds: i64) -> Vec<Step> {
    let piece = PIECE.as_millis() as i64;
    let pieces = (0..milliseconds).step_by(piece as usize).map(|begun| (milliseconds - begun).min(piece));
    pieces.map(|long| Step::Line(format!("G4 P{long}").into(), Duration::from_millis(long as u64))).collect()
}

fn heat(code: &str, heater: Heater, at_least: Option<i64>, at: Option<i64>) -> Vec<Step> {
    let hundredths = |value: i64| value / (ONE / 100);
    let (value, until) = match (at_least, at) {
        (Some(value), _) => (value, Until::AtLeast(hundredths(value))),
        (None, Some(value)) => (value, Until::At(hundredths(value))),
        (None, None) => return vec![],
    };
    let mut steps = line(format!("{code} S{}", decimal(value)));
    if value > 0 {
        steps.push(Step::Wait(heater, until));
    }
    steps
}

/// A figure in units of 10⁻⁵ as it is written.
fn decimal(units: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let (whole, part) = (units.unsigned_abs() / ONE as u64, units.unsigned_abs() % ONE as u64);
    if part == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{}", format!("{part:05}").trim_end_matches('0'))
}
