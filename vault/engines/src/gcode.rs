//! G-code read back as a toolpath: every move in order, by the rules that a toolpath has.
//!
//! What has no place in a toolpath (homing, arcs, relative places, files, settings, anything unknown) is refused by its
//! line; what a machine's row of the catalogue already says (limits, start, end, heating up) is left out. Layers and
//! features come from the comments that PrusaSlicer and Cura write. Text is seen, never kept: no byte of it reaches a
//! machine but as a number.

use layerlock_slicer::SinkClosed;
use layerlock_slicer::tally::Tally;
use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::{Epilogue, Feature, Layer, Path, Piece, Point, Prologue, Step};
use layerlock_terms::units::{Celsius, Feed, Micrometres, MmPerMinute, MmPerSecond2, Percent};

use crate::words::{Command, Garbled, Line, fixed};

/// Digits of a micrometre, and of a hundredth of one of filament, behind a millimetre's point.
const PLACE: u32 = 3;
pub(crate) const FILAMENT: u32 = 5;

/// Speed where nothing said one, in millimetres per minute: what firmware begins with.
const FIRST_SPEED: u32 = 1500;

/// Flow where nothing said one, in percent.
const FULL_FLOW: u32 = 100;

/// Moves of one layer: a machine's small computer holds it whole.
pub(crate) const MOST_MOVES: usize = 500_000;

/// Filament fed standing still beyond what was pulled back, in hundredths of a micrometre: at once, and in a whole print.
const STANDING: i64 = 1_000_000;
const STANDING_IN_ALL: i64 = 10_000_000;

/// Why G-code is no toolpath.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A line that can't be followed.
    #[error("line {line} of the G-code: {why}")]
    Line {
        /// Counted from one.
        line: u32,
        /// What is wrong with it.
        why: Why,
    },
    /// No plastic is laid.
    #[error("the G-code lays no plastic")]
    Empty,
    /// Whoever takes the pieces is gone.
    #[error("the toolpath is not wanted any more")]
    Closed,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not a command and its numbers.
    #[error("it is no command with its numbers")]
    Garbled,
    /// A command no toolpath has.
    #[error("`{0}` has no place in a toolpath")]
    Command(String),
    /// A place outside the machine.
    #[error("it leaves the machine's volume")]
    Outside,
    /// A layer that lies at several heights, or below the one before.
    #[error("it lays plastic at another height than its layer's")]
    Height,
    /// Plastic where nobody said which layer it is of.
    #[error("it lays plastic before the first layer is named")]
    NoLayer,
    /// A kind of line that has no name here.
    #[error("it lays plastic for `{0}`, which has no place in a toolpath")]
    Feature(String),
    /// A move that begins nowhere.
    #[error("it lays plastic from an unknown place")]
    Nowhere,
    /// More heat, speed or force than fits.
    #[error("`{0}` is beyond every machine")]
    Beyond(char),
    /// A word that makes another command of it.
    #[error("`{0}` with `{1}` has no place in a toolpath")]
    Word(String, char),
    /// More filament than was pulled back, without a move.
    #[error("it feeds filament standing still, and more than was pulled back")]
    Standing,
    /// A layer that takes too much memory wherever it is read.
    #[error("it is one move too many for one layer: at most {MOST_MOVES}")]
    Crowded,
}

impl From<Garbled> for Why {
    fn from(_: Garbled) -> Self {
        Self::Garbled
    }
}

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

    fn go(&mut self, command: &Command<'_>) -> Result<(), Why> {
        only(command, b"XYZEF", b"")?;
        self.moves += 1;
        if self.moves > MOST_MOVES {
            return Err(Why::Crowded);
        }
        if let Some(speed) = command.value(b'F', 0)? {
            self.speed = u32::try_from(speed).ok().filter(|speed| *speed > 0).ok_or(Why::Beyond('F'))?;
        }
        let fed = self.fed(command)?;
        let (target, z) = (self.target(command)?, command.value(b'Z', PLACE)?);
        if let (Some(to), Some(z), 0) = (target, z, fed)
            && z < self.z.into()
        {
            // Down at the end of the way, or the nozzle would be dragged through what stands there.
            self.travel(to);
            return self.lift(z, fed);
        }
        if let Some(z) = z {
            self.lift(z, fed)?;
        }
        match (target, fed) {
            (Some(to), 0) => self.travel(to),
            (Some(to), fed) if fed > 0 => self.extrude(to, fed)?,
            (Some(to), fed) => self.wipe(to, fed)?,
            (None, 0) => {}
            (None, fed) => self.feed_alone(fed)?,
        }
        Ok(())
    }

    /// Filament fed by a move, in hundredths of a micrometre.
    fn fed(&mut self, command: &Command<'_>) -> Result<i64, Why> {
        let Some(value) = command.value(b'E', FILAMENT)? else { return Ok(0) };
        Ok(self.counted.fed(value, &mut self.filament) * i64::from(self.flow) / i64::from(FULL_FLOW))
    }

    fn count_from(&mut self, command: &Command<'_>) -> Result<(), Why> {
        // Without a word it is of every axis.
        let Some(filament) = command.value(b'E', FILAMENT)? else {
            return Err(Why::Command("G92 of a place".to_owned()));
        };
        only(command, b"E", b"").map_err(|_| Why::Command("G92 of a place".to_owned()))?;
        self.filament = filament;
        Ok(())
    }

    fn target(&self, command: &Command<'_>) -> Result<Option<Point>, Why> {
        let axis = |letter: u8, axis: usize| {
            let Some(um) = command.value(letter, PLACE)? else { return Ok(None) };
            let room = i64::from(self.profile.machine().volume[axis].0);
            if !(0..=room).contains(&um) {
                return Err(Why::Outside);
            }
            Ok(i32::try_from(um).ok())
        };
        match (axis(b'X', 0)?, axis(b'Y', 1)?, self.at) {
            (None, None, _) => Ok(None),
            (Some(x), Some(y), _) => Ok(Some(Point { x, y })),
            (x, y, Some(at)) => Ok(Some(Point { x: x.unwrap_or(at.x), y: y.unwrap_or(at.y) })),
            (_, _, None) => Err(Why::Nowhere),
        }
    }

    fn lift(&mut self, z: i64, fed: i64) -> Result<(), Why> {
        let room = i64::from(self.profile.machine().volume[2].0);
        let z = i32::try_from(z).ok().filter(|z| (0..=room).contains(&i64::from(*z))).ok_or(Why::Outside)?;
        if z == self.z {
            return Ok(());
        }
        if fed > 0 {
            return Err(Why::Height);
        }
        self.z = z;
        self.sheet.steps.push(Step::Lift { z: Micrometres(z), speed: MmPerMinute(self.speed) });
        Ok(())
    }

    fn travel(&mut self, to: Point) {
        let speed = MmPerMinute(self.speed);
        self.at = Some(to);
        match self.sheet.steps.last_mut() {
            Some(Step::Travel { to: points, speed: same }) if *same == speed => points.push(to),
            _ => self.sheet.steps.push(Step::Travel { to: vec![to], speed }),
        }
    }

    fn extrude(&mut self, to: Point, fed: i64) -> Result<(), Why> {
        if !self.named {
            return Err(Why::NoLayer);
        }
        let from = self.at.replace(to).ok_or(Why::Nowhere)?;
        let feed = feed(fed)?;
        if *self.sheet.z.get_or_insert(self.z) != self.z || self.z <= self.below {
            return Err(Why::Height);
        }
        let feature = match &self.kind {
            Kind::Known(feature) => *feature,
            Kind::Unknown(said) => return Err(Why::Feature(said.clone())),
        };
        let width = Micrometres(self.width.unwrap_or_else(|| self.width_of(from, to, fed)));
        let speed = MmPerMinute(self.speed);
        match self.sheet.steps.last_mut() {
            Some(Step::Extrude(path))
                if (path.feature, path.width, path.speed) == (feature, width, speed) =>
            {
                path.points.push((to, feed));
            }
            _ => {
                let path = Path { feature, width, speed, climb: None, points: vec![(to, feed)] };
                self.sheet.steps.push(Step::Extrude(path));
            }
        }
        Ok(())
    }

    /// As wide as so much plastic lies on so long a way; the same as the line before where it is nearly so, so that rounding
    /// makes no new path of every move.
    fn width_of(&self, from: Point, to: Point, fed: i64) -> i32 {
        let way = Point::way_to(from, to) as f64 / 1024.0;
        let radius = f64::from(self.profile.machine().filament.0) / 2.0;
        let laid = fed as f64 / 100.0 * std::f64::consts::PI * radius * radius;
        let height = f64::from(self.height());
        let round = height * (1.0 - std::f64::consts::FRAC_PI_4);
        let most = 4.0 * f64::from(self.profile.machine().nozzle.0);
        let width = (laid / (way.max(1.0) * height) + round).clamp(height.min(most), most).round() as i32;
        match self.sheet.steps.last() {
            Some(Step::Extrude(path)) if path.width.0.abs_diff(width) * 20 <= path.width.0.unsigned_abs() => {
                path.width.0
            }
            _ => width,
        }
    }

    /// The layer's thickness, as it was said or as it comes.
    fn height(&self) -> i32 {
        self.sheet.height.unwrap_or_else(|| (self.sheet.z.unwrap_or(self.z) - self.below).max(1))
    }

    fn wipe(&mut self, to: Point, fed: i64) -> Result<(), Why> {
        if self.at == Some(to) {
            return self.feed_alone(fed);
        }
        let (pulled, speed) = (feed(-fed)?, MmPerMinute(self.speed));
        self.pulled -= fed;
        self.at = Some(to);
        match self.sheet.steps.last_mut() {
            Some(Step::Wipe { to: points, length, speed: same }) if *same == speed => {
                points.push(to);
                length.0 = length.0.checked_add(pulled.0).ok_or(Why::Beyond('E'))?;
            }
            _ => self.sheet.steps.push(Step::Wipe { to: vec![to], length: pulled, speed }),
        }
        Ok(())
    }

    fn feed_alone(&mut self, fed: i64) -> Result<(), Why> {
        let (length, speed) = (feed(fed.abs())?, MmPerMinute(self.speed));
        let beyond = (fed - self.pulled).max(0);
        if fed > 0 {
            self.standing += beyond;
            if beyond > STANDING || self.standing > STANDING_IN_ALL {
                return Err(Why::Standing);
            }
        }
        self.pulled = (self.pulled - fed).max(0);
        let step = if fed > 0 { Step::Prime { length, speed } } else { Step::Retract { length, speed } };
        self.sheet.steps.push(step);
        Ok(())
    }

    fn fan(&mut self, command: &Command<'_>) -> Result<(), Why> {
        only(command, b"S", b"P")?;
        let share = command.value(b'S', 1)?.unwrap_or(2550);
        // Of some firmware that is a share of one, of others nearly nothing.
        if (1..10).contains(&share) {
            return Err(Why::Beyond('S'));
        }
        let share = u8::try_from((share * 10 + 127) / 255).ok().filter(|share| *share <= 100);
        self.sheet.steps.push(Step::Fan(Percent(share.ok_or(Why::Beyond('S'))?)));
        Ok(())
    }

    /// Before the first layer it is the prologue that heats.
    fn heat(&mut self, command: &Command<'_>, step: impl Fn(Celsius) -> Step) -> Result<(), Why> {
        if self.named {
            only(command, b"S", b"T")?;
        }
        let celsius = command.value(b'S', 0)?.and_then(|celsius| u16::try_from(celsius).ok());
        let celsius = celsius.ok_or(Why::Beyond('S'))?;
        if self.named {
            self.sheet.steps.push(step(Celsius(celsius)));
        }
        Ok(())
    }

    fn accelerate(&mut self, command: &Command<'_>) -> Result<(), Why> {
        let most = self.profile.machine().max_acceleration;
        let value = |letter: u8| {
            let said = command.value(letter, 0)?;
            let said = said.map(|value| u32::try_from(value).map_err(|_| Why::Beyond(letter.into())));
            said.transpose().map(|value| value.map(|value| MmPerSecond2(value).min(most)))
        };
        only(command, b"SPTR", b"")?;
        let (both, said) = (value(b'S')?, [value(b'P')?, value(b'T')?]);
        if said == [None; 2] && both.is_none() {
            return Ok(());
        }
        for (kept, said) in self.accelerations.iter_mut().zip(said) {
            *kept = said.or(both).or(*kept);
        }
        let usual =
            [Key::InnerAcceleration, Key::TravelAcceleration].map(|key| self.profile.acceleration(key));
        let [printing, travelling] = [0, 1].map(|at| self.accelerations[at].unwrap_or(usual[at]));
        self.sheet.steps.push(Step::Acceleration { printing, travelling });
        Ok(())
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
fn only(command: &Command<'_>, words: &[u8], nought: &[u8]) -> Result<(), Why> {
    for letter in command.letters() {
        let is_nought = || nought.contains(&letter) && matches!(command.value(letter, 0), Ok(Some(0)));
        if !words.contains(&letter) && !is_nought() {
            return Err(Why::Word(command.to_string(), letter.into()));
        }
    }
    Ok(())
}

fn feed(hundredths: i64) -> Result<Feed, Why> {
    i32::try_from(hundredths).map(Feed).map_err(|_| Why::Beyond('E'))
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
mod tests;
