//! G-code read back as a toolpath: every move in order, by the rules that a toolpath has.
//!
//! What has no place in a toolpath (homing, arcs, relative places, files, settings, anything unknown) is refused by its
//! line; what a machine's row of the catalogue already says (limits, start, end, heating up) is left out. Layers and
//! features come from the comments that PrusaSlicer and Cura write. Text is seen, never kept: no byte of it reaches a
//! machine but as a number.
//!
//! Here a line finds its room and a layer its end; `moves` makes steps of what moves, `manner` of what is set for the moves
//! after it, `why` is what may be wrong.

use layerlock_slicer::SinkClosed;
use layerlock_slicer::tally::Tally;
use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::{Epilogue, Feature, Layer, Piece, Point, Prologue, Step};
use layerlock_terms::units::{Celsius, Micrometres, MmPerSecond2, Percent};

use crate::words::{Command, Line, fixed};

mod manner;
mod moves;
mod why;

#[cfg(test)]
pub(crate) use moves::MOST_MOVES;
pub use why::{ReadError, Why};

/// Digits of a micrometre, and of a hundredth of one of filament, behind a millimetre's point.
const PLACE: u32 = 3;
pub(crate) const FILAMENT: u32 = 5;

/// Speed where nothing said one, in millimetres per minute: what firmware begins with.
const FIRST_SPEED: u32 = 1500;

/// Flow where nothing said one, in percent.
const FULL_FLOW: u32 = 100;

/// Reads an engine's G-code for the profile's machine and hands each piece to `sink`: a prologue, layers, an epilogue.
///
/// # Errors
/// [`ReadError`] names the line and what is wrong with it; pieces handed over before stay valid but incomplete.
pub fn read(
    text: &str,
    profile: &Profile,
    sink: &mut dyn FnMut(Piece) -> Result<(), SinkClosed>,
) -> Result<Epilogue, ReadError> {
    read_from((1..).zip(text.lines()), Begin::of(profile), profile, sink)
}

/// What a machine has been told before the first line that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) nozzle: Celsius,
    pub(crate) bed: Celsius,
    pub(crate) counted: Counted,
    /// Where filament stands, in hundredths of a micrometre.
    pub(crate) filament: i64,
    /// In millimetres per minute.
    pub(crate) speed: u32,
    /// Filament fed of what a line says, in percent.
    pub(crate) flow: u32,
}

impl Begin {
    /// Heated as the profile has it.
    pub(crate) fn of(profile: &Profile) -> Self {
        Self {
            nozzle: profile.celsius(Key::FirstNozzleTemperature),
            bed: profile.celsius(Key::FirstBedTemperature),
            counted: Counted::FromZero,
            filament: 0,
            speed: FIRST_SPEED,
            flow: FULL_FLOW,
        }
    }
}

/// Reads numbered lines, as [`read`].
pub(crate) fn read_from<'a>(
    lines: impl Iterator<Item = (u32, &'a str)>,
    begin: Begin,
    profile: &Profile,
    sink: &mut dyn FnMut(Piece) -> Result<(), SinkClosed>,
) -> Result<Epilogue, ReadError> {
    let mut reader = Reader::new(begin, profile);
    let mut give = |piece: Piece| sink(piece).map_err(|_| ReadError::Closed);
    give(Piece::Prologue(prologue(begin, profile)))?;
    for (number, line) in lines {
        let done = Line::parse(line).map_err(Why::from).and_then(|line| reader.line(line));
        if let Some(layer) = done.map_err(|why| ReadError::Line { line: number, why })? {
            reader.tally.add(&layer);
            give(Piece::Layer(layer))?;
        }
    }
    let last = reader.finish().ok_or(ReadError::Empty)?;
    reader.tally.add(&last);
    let epilogue = reader.tally.epilogue();
    give(Piece::Layer(last))?;
    give(Piece::Epilogue(epilogue))?;
    Ok(epilogue)
}

fn prologue(begin: Begin, profile: &Profile) -> Prologue {
    Prologue {
        machine: profile.machine().name.to_owned(),
        nozzle: begin.nozzle,
        bed: begin.bed,
        filament_diameter: profile.machine().filament,
    }
}

/// How filament is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    FromZero,
    FromMove,
}

impl Counted {
    /// Filament fed by a move that says `value` where `filament` stood, which stands elsewhere then.
    pub(crate) fn fed(self, value: i64, filament: &mut i64) -> i64 {
        match self {
            Self::FromMove => value,
            Self::FromZero => value - std::mem::replace(filament, value),
        }
    }
}

/// What a comment says is laid from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Known(Feature),
    Unknown(String),
}

/// A layer as far as it was read.
#[derive(Debug, Default)]
struct Sheet {
    steps: Vec<Step>,
    /// Once plastic was laid.
    z: Option<i32>,
    /// As a comment has it.
    height: Option<i32>,
}

/// What the machine would remember.
struct Reader<'a> {
    profile: &'a Profile,
    tally: Tally,
    at: Option<Point>,
    z: i32,
    filament: i64,
    counted: Counted,
    speed: u32,
    flow: u32,
    kind: Kind,
    width: Option<i32>,
    /// Once they were said, while printing and while travelling.
    accelerations: [Option<MmPerSecond2>; 2],
    /// Filament that is pulled back, and what was fed standing still beyond it, in hundredths of a micrometre.
    pulled: i64,
    standing: i64,
    sheet: Sheet,
    /// Moves of it.
    moves: usize,
    /// A layer that was named while the head leaves the one before, and its height as a comment has it.
    turn: Option<Option<i32>>,
    /// The last whole layer's height above the bed.
    below: i32,
    /// Layers named so far.
    named: bool,
    index: u32,
}

impl<'a> Reader<'a> {
    fn new(begin: Begin, profile: &'a Profile) -> Self {
        Self {
            profile,
            tally: Tally::new(profile),
            at: None,
            z: 0,
            filament: begin.filament,
            counted: begin.counted,
            speed: begin.speed,
            flow: begin.flow,
            kind: Kind::Unknown("nothing named".to_owned()),
            width: None,
            accelerations: [None; 2],
            pulled: 0,
            standing: 0,
            sheet: Sheet::default(),
            moves: 0,
            turn: None,
            below: 0,
            named: false,
            index: 0,
        }
    }

    /// Follows a line; answers the layer that ended with it.
    fn line(&mut self, line: Line<'_>) -> Result<Option<Layer>, Why> {
        match line {
            Line::Empty => Ok(None),
            Line::Comment("LAYER_CHANGE" | "LAYER", _) => {
                self.named = true;
                self.turn = self.sheet.z.is_some().then_some(None);
                Ok(None)
            }
            Line::Comment(name, value) => {
                self.comment(name, value);
                Ok(None)
            }
            Line::Command(command) => {
                let ended = if self.leaves(&command)? { None } else { self.turn() };
                self.command(&command)?;
                Ok(ended)
            }
        }
    }

    /// Whether a command still belongs to the layer before the one that is named: it pulls filament back, or does nothing.
    fn leaves(&self, command: &Command<'_>) -> Result<bool, Why> {
        Ok(match command.name() {
            (b'G', 0 | 1) => {
                let value = command.value(b'E', FILAMENT)?;
                let fed = value.map_or(0, |value| self.counted.fed(value, &mut self.filament.clone()));
                let moves = [b'X', b'Y', b'Z'].into_iter().any(|axis| command.has(axis));
                (fed < 0 && !command.has(b'Z')) || (fed == 0 && !moves)
            }
            (b'G', 21 | 90 | 92) | (b'M', 73 | 82 | 83 | 201 | 203 | 205) | (b'T', 0) => true,
            _ => false,
        })
    }

    /// Ends the layer before the one that is named.
    fn turn(&mut self) -> Option<Layer> {
        let height = self.turn.take()?;
        let layer = self.finish();
        self.sheet.height = height;
        layer
    }

    fn comment(&mut self, name: &str, value: &str) {
        // What no nozzle lays is said by mistake, or by none.
        let most = 4 * self.profile.machine().nozzle.0;
        let length =
            || fixed(value, PLACE).and_then(|um| i32::try_from(um).ok()).filter(|um| (1..=most).contains(um));
        match name {
            "TYPE" => {
                self.kind = named(value).map_or_else(
                    || Kind::Unknown(value.chars().filter(|c| !c.is_control()).take(40).collect()),
                    Kind::Known,
                );
                self.width = None;
            }
            "WIDTH" => self.width = length(),
            "HEIGHT" => match &mut self.turn {
                Some(height) => *height = length(),
                None => self.sheet.height = length(),
            },
            _ => {}
        }
    }

    fn command(&mut self, command: &Command<'_>) -> Result<(), Why> {
        match command.name() {
            (b'G', 0 | 1) => self.go(command),
            (b'G', 92) => self.count_from(command),
            (b'M', 82) => {
                self.counted = Counted::FromZero;
                Ok(())
            }
            (b'M', 83) => {
                self.counted = Counted::FromMove;
                Ok(())
            }
            (b'M', 106) => self.fan(command),
            (b'M', 107) => {
                only(command, b"", b"P")?;
                self.sheet.steps.push(Step::Fan(Percent(0)));
                Ok(())
            }
            // A toolpath can't wait: between layers there is no telling for how long.
            (b'M', 109 | 190) if self.named => Err(Why::Command(command.to_string())),
            (b'M', 104 | 109) => self.heat(command, Step::Nozzle),
            (b'M', 140 | 190) => self.heat(command, Step::Bed),
            (b'M', 204) => self.accelerate(command),
            // Some firmware counts filament from zero after it, some doesn't.
            (b'G', 90) if self.counted == Counted::FromMove && self.named => {
                Err(Why::Command("G90 after M83".to_owned()))
            }
            // Millimetres, from the machine's origin: as it is. Progress, limits, the one tool: the machine's own.
            (b'G', 21 | 90) | (b'M', 73 | 201 | 203 | 205) | (b'T', 0) => Ok(()),
            _ => Err(Why::Command(command.to_string())),
        }
    }

    /// Ends the layer; nothing where no plastic was laid, whose steps go to the layer after.
    fn finish(&mut self) -> Option<Layer> {
        let z = self.sheet.z?;
        let height = Micrometres(self.height());
        let Sheet { steps, .. } = std::mem::take(&mut self.sheet);
        self.moves = 0;
        let index = self.index;
        self.index += 1;
        self.below = z;
        Some(Layer { index, z: Micrometres(z), height, steps })
    }
}

/// Refuses words beyond these; of `nought` ones that are said to be zero are taken.
pub(crate) fn only(command: &Command<'_>, words: &[u8], nought: &[u8]) -> Result<(), Why> {
    for letter in command.letters() {
        let is_nought = || nought.contains(&letter) && matches!(command.value(letter, 0), Ok(Some(0)));
        if !words.contains(&letter) && !is_nought() {
            return Err(Why::Word(command.to_string(), letter.into()));
        }
    }
    Ok(())
}

/// What PrusaSlicer, Cura and our own `layerlock slice` call it.
fn named(kind: &str) -> Option<Feature> {
    Some(match kind {
        "External perimeter" | "Overhang perimeter" | "WALL-OUTER" => Feature::OuterPerimeter,
        "Perimeter" | "WALL-INNER" => Feature::InnerPerimeter,
        "Internal infill" | "FILL" => Feature::SparseInfill,
        "Solid infill" | "SKIN" => Feature::SolidInfill,
        "Top solid infill" | "Ironing" => Feature::TopSurface,
        "Bottom solid infill" => Feature::BottomSurface,
        "Thin wall" => Feature::ThinWall,
        "Bridge infill" | "Internal bridge infill" => Feature::Bridge,
        "Gap fill" => Feature::GapFill,
        "Skirt" | "Skirt/Brim" | "Brim" | "SKIRT" => Feature::Skirt,
        "Support material" | "SUPPORT" => Feature::Support,
        "Support material interface" | "SUPPORT-INTERFACE" => Feature::SupportInterface,
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests;
