//! Pieces to G-code lines: the manner of Marlin, and what Klipper and RepRapFirmware read otherwise.
//!
//! The last hop before the machine, and the only place where a toolpath becomes text. Positions are absolute,
//! speeds are written when they change, every figure exactly. How filament is counted, who retracts and whether
//! curves become arcs is the [`Style`]'s; which firmware reads it says the catalogue. Start and end sequences
//! come from there too. Nothing here sends, waits or judges: `guard` holds every line to the machine's limits.

use layerlock_terms::machine::{Dialect, Machine, UnknownName, fan_share};
use layerlock_terms::toolpath::{
    Curve, Epilogue, Feature, Layer, Path, Piece, Point, Prologue, Step, Turn, fit_arcs,
};
use layerlock_terms::units::{Feed, Micrometres, Millis, MmPerMinute, MmPerSecond2};

/// Whether lines for people are written too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// Layer numbers and line types, for a file that is looked at.
    Kept,
    /// Commands only, for a serial link.
    Omitted,
}

/// What an `E` word counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extrusion {
    /// Where the filament is (`M83`).
    Relative,
    /// Where it was at the layer's start (`M82`), so that the figures stay small and a layer stands alone.
    Absolute,
}

/// Who knows how far filament is pulled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retraction {
    /// The toolpath: moves of the extruder.
    Moves,
    /// The machine: `G10` and `G11`.
    Firmware,
}

/// How lines are written, beside what the machine's own dialect asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Lines for people.
    pub comments: Comments,
    /// Which firmware reads it; the catalogue's where there is none.
    pub dialect: Option<Dialect>,
    /// How filament is counted.
    pub extrusion: Extrusion,
    /// Who retracts.
    pub retraction: Retraction,
    /// Lines become `G2` and `G3` where an arc leaves them by no more than this; none where there is none.
    pub arcs: Option<Micrometres>,
}

impl Style {
    /// Relative filament, own retractions, no arcs: what every machine reads.
    pub const fn plain(comments: Comments) -> Self {
        Self {
            comments,
            dialect: None,
            extrusion: Extrusion::Relative,
            retraction: Retraction::Moves,
            arcs: None,
        }
    }
}

/// Why a piece has no G-code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GcodeError {
    /// The toolpath names a machine this client does not know.
    #[error("the toolpath is for another machine: {0}")]
    Machine(#[from] UnknownName),
    /// A layer or the end came before the prologue, which names the machine.
    #[error("the toolpath's first piece is missing: print it from its prologue on")]
    NoPrologue,
}

/// Whether the filament is where it flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filament {
    Fed,
    Pulled,
}

/// What the machine does next, as far as its acceleration is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Motion {
    Printing,
    Travelling,
}

/// Turns the pieces of one toolpath into lines, in order; remembers what the machine remembers.
#[derive(Debug, Clone)]
pub struct Marlin {
    style: Style,
    machine: Option<&'static Machine>,
    speed: Option<MmPerMinute>,
    feature: Option<Feature>,
    /// Nothing until the layer has said where it begins.
    at: Option<Point>,
    z: Micrometres,
    /// Filament since the layer's start.
    fed: i64,
    filament: Filament,
    /// While printing and while travelling, once a toolpath has said.
    accelerations: Option<[MmPerSecond2; 2]>,
    /// What a firmware that knows only one has now.
    acceleration: Option<MmPerSecond2>,
    out: Vec<u8>,
}

impl Marlin {
    /// Before the first piece, in the plain style.
    pub fn new(comments: Comments) -> Self {
        Self::with(Style::plain(comments))
    }

    /// Before the first piece.
    pub fn with(style: Style) -> Self {
        Self {
            style,
            machine: None,
            speed: None,
            feature: None,
            at: None,
            z: Micrometres(0),
            fed: 0,
            filament: Filament::Fed,
            accelerations: None,
            acceleration: None,
            out: Vec::new(),
        }
    }

    /// The next piece as text, each line ended by a line feed.
    ///
    /// # Errors
    /// [`GcodeError`] when the machine is not known or the prologue was not first; nothing is remembered then.
    pub fn text(&mut self, piece: &Piece) -> Result<&[u8], GcodeError> {
        self.out.clear();
        match piece {
            Piece::Prologue(prologue) => self.prologue(prologue)?,
            Piece::Layer(layer) => {
                self.machine.ok_or(GcodeError::NoPrologue)?;
                self.layer(layer);
            }
            Piece::Epilogue(epilogue) => {
                let machine = self.machine.ok_or(GcodeError::NoPrologue)?;
                self.epilogue(machine, epilogue);
            }
        }
        Ok(&self.out)
    }

    /// The lines of the next piece, without line ends.
    ///
    /// # Errors
    /// As [`Marlin::text`].
    pub fn lines(&mut self, piece: &Piece) -> Result<Vec<String>, GcodeError> {
        let text = self.text(piece)?;
        let whole = text.strip_suffix(b"\n").unwrap_or(text);
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect())
    }

    fn prologue(&mut self, prologue: &Prologue) -> Result<(), GcodeError> {
        let machine = Machine::named(&prologue.machine)?;
        let (nozzle, bed) = (prologue.nozzle.0.into(), prologue.bed.0.into());
        self.comment(|| format!("; Layerlock toolpath for {}", machine.name));
        let counted = match self.style.extrusion {
            Extrusion::Relative => "M83",
            Extrusion::Absolute => "M82",
        };
        ["G21", "G90", counted].into_iter().for_each(|line| self.line(line));
        if machine.max_bed.0 > 0 {
            self.command("M140 S", bed);
        }
        self.command("M104 S", nozzle);
        if machine.max_bed.0 > 0 {
            self.command("M190 S", bed);
        }
        self.command("M109 S", nozzle);
        machine.start.iter().for_each(|line| self.line(line));
        self.machine = Some(machine);
        Ok(())
    }

    fn epilogue(&mut self, machine: &Machine, epilogue: &Epilogue) {
        if self.style.extrusion == Extrusion::Absolute {
            // The end sequence pulls back by a length; not every firmware takes `G91` to mean filament too.
            self.line("M83");
        }
        machine.end.iter().for_each(|line| self.line(line));
        self.comment(|| format!("; estimated printing time (normal mode) = {}", Span(epilogue.duration)));
        for (feature, time) in epilogue.times.iter() {
            self.comment(|| format!("; printing time of {} = {}", title(feature), Span(time)));
        }
        self.comment(|| format!("; filament used [mm] = {}", epilogue.filament_um as f64 / 1000.0));
        self.comment(|| format!("; filament used [g] = {}", epilogue.mass.0 as f64 / 1000.0));
    }

    fn layer(&mut self, layer: &Layer) {
        if self.style.comments == Comments::Kept {
            self.command(";LAYER:", layer.index);
            self.height(";Z:", layer.z);
            self.height(";HEIGHT:", layer.height);
        }
        if self.style.extrusion == Extrusion::Absolute {
            self.line("G92 E0");
            self.fed = 0;
        }
        // What came before may have been another program's; a speed written twice does no harm.
        (self.speed, self.at, self.acceleration) = (None, None, None);
        for step in &layer.steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Travel { to, speed } => self.travel(to, *speed),
            Step::Extrude(path) => self.path(path),
            Step::Retract { length, speed } => self.retract(*length, *speed),
            Step::Prime { length, speed } => self.prime(*length, *speed),
            Step::Wipe { to, length, speed } => self.wipe(to, *length, *speed),
            Step::Lift { z, speed } => self.lift(*z, *speed),
            Step::Fan(share) if share.0 == 0 => self.line("M107"),
            Step::Fan(share) => self.command("M106 S", fan_share(*share).into()),
            Step::Nozzle(celsius) => self.command("M104 S", celsius.0.into()),
            Step::Bed(celsius) => self.command("M140 S", celsius.0.into()),
            Step::Acceleration { printing, travelling } => self.accelerate(*printing, *travelling),
        }
    }

    fn travel(&mut self, to: &[Point], speed: MmPerMinute) {
        self.set_out(Motion::Travelling);
        for point in to {
            self.move_to(b"G0", *point);
            self.end_at(speed);
        }
    }

    fn path(&mut self, path: &Path) {
        if self.feature.replace(path.feature) != Some(path.feature) {
            self.comment(|| format!(";TYPE:{}", title(path.feature)));
        }
        self.set_out(Motion::Printing);
        match (path.climb, self.style.arcs, self.at) {
            (Some(top), ..) => self.climb(path, top),
            (None, Some(tolerance), Some(from)) => {
                for curve in fit_arcs(from, &path.points, tolerance) {
                    self.curve(curve, path.speed);
                }
            }
            _ => {
                for (to, feed) in &path.points {
                    self.curve(Curve::Line { to: *to, feed: *feed }, path.speed);
                }
            }
        }
    }

    fn climb(&mut self, path: &Path, top: Micrometres) {
        let climb = Climb::of(path, self.at, [self.z, top]);
        let mut way = 0;
        for (to, feed) in &path.points {
            way += stretch(self.at, *to);
            self.z = climb.height(way);
            self.move_to(b"G1", *to);
            self.word(b" Z", self.z.0.into(), 3);
            self.feed(*feed);
            self.end_at(path.speed);
        }
    }

    fn curve(&mut self, curve: Curve, speed: MmPerMinute) {
        let feed = match curve {
            Curve::Line { to, feed } => {
                self.move_to(b"G1", to);
                feed
            }
            Curve::Arc { to, centre, turn, feed } => {
                self.move_to(
                    match turn {
                        Turn::Clockwise => b"G2",
                        Turn::Counterclockwise => b"G3",
                    },
                    to,
                );
                self.word(b" I", centre.x.into(), 3);
                self.word(b" J", centre.y.into(), 3);
                feed
            }
        };
        self.feed(feed);
        self.end_at(speed);
    }

    fn retract(&mut self, length: Feed, speed: MmPerMinute) {
        match (self.style.retraction, self.filament) {
            (Retraction::Moves, _) => self.feed_alone(Feed(length.0.saturating_neg()), speed),
            (Retraction::Firmware, Filament::Fed) => self.line("G10"),
            // It was pulled back before the wipe already.
            (Retraction::Firmware, Filament::Pulled) => {}
        }
        self.filament = Filament::Pulled;
    }

    fn prime(&mut self, length: Feed, speed: MmPerMinute) {
        match self.style.retraction {
            Retraction::Moves => self.feed_alone(length, speed),
            Retraction::Firmware => self.line("G11"),
        }
        self.filament = Filament::Fed;
    }

    /// Goes back over the line. Firmware can't pull back on the way, so that there it comes first.
    fn wipe(&mut self, to: &[Point], length: Feed, speed: MmPerMinute) {
        if self.style.retraction == Retraction::Firmware {
            self.retract(length, speed);
            self.travel(to, speed);
            return;
        }
        self.filament = Filament::Pulled;
        self.set_out(Motion::Printing);
        for (to, feed) in shares(self.at, to, length) {
            self.move_to(b"G1", to);
            self.feed(Feed(-feed.0));
            self.end_at(speed);
        }
    }

    fn feed_alone(&mut self, length: Feed, speed: MmPerMinute) {
        self.out.extend_from_slice(b"G1");
        self.feed(length);
        self.end_at(speed);
    }

    fn lift(&mut self, z: Micrometres, speed: MmPerMinute) {
        self.word(b"G1 Z", z.0.into(), 3);
        self.end_at(speed);
        self.z = z;
    }

    fn accelerate(&mut self, printing: MmPerSecond2, travelling: MmPerSecond2) {
        self.accelerations = Some([printing, travelling]);
        if self.dialect() != Dialect::Klipper {
            self.word(b"M204 P", printing.0.into(), 0);
            self.word(b" T", travelling.0.into(), 0);
            self.end();
        }
    }

    /// Klipper has one acceleration for all it does.
    fn set_out(&mut self, motion: Motion) {
        let Some([printing, travelling]) = self.accelerations else { return };
        let wanted = match motion {
            Motion::Printing => printing,
            Motion::Travelling => travelling,
        };
        if self.dialect() == Dialect::Klipper && self.acceleration.replace(wanted) != Some(wanted) {
            self.command("M204 S", wanted.0);
        }
    }

    fn dialect(&self) -> Dialect {
        let own = self.machine.map_or(Dialect::Marlin, |machine| machine.dialect);
        self.style.dialect.unwrap_or(own)
    }

    fn move_to(&mut self, code: &[u8], to: Point) {
        self.out.extend_from_slice(code);
        self.word(b" X", to.x.into(), 3);
        self.word(b" Y", to.y.into(), 3);
        self.at = Some(to);
    }

    fn feed(&mut self, length: Feed) {
        self.fed += i64::from(length.0);
        let figure = match self.style.extrusion {
            Extrusion::Relative => length.0.into(),
            Extrusion::Absolute => self.fed,
        };
        self.word(b" E", figure, 5);
    }

    /// Completes a move with its speed, if the machine does not have it already.
    fn end_at(&mut self, speed: MmPerMinute) {
        if self.speed.replace(speed) != Some(speed) {
            self.word(b" F", speed.0.into(), 0);
        }
        self.end();
    }

    fn height(&mut self, words: &str, height: Micrometres) {
        self.word(words.as_bytes(), height.0.into(), 3);
        self.end();
    }

    fn command(&mut self, words: &str, figure: u32) {
        self.word(words.as_bytes(), figure.into(), 0);
        self.end();
    }

    fn line(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.end();
    }

    fn comment(&mut self, text: impl FnOnce() -> String) {
        if self.style.comments == Comments::Kept {
            self.line(&text());
        }
    }

    fn word(&mut self, letter: &[u8], value: i64, places: u32) {
        self.out.extend_from_slice(letter);
        decimal(&mut self.out, value, places);
    }

    fn end(&mut self) {
        self.out.push(b'\n');
    }
}

/// The points of a way, each with its share of `length` by how much of the way leads to it.
fn shares(from: Option<Point>, to: &[Point], length: Feed) -> Vec<(Point, Feed)> {
    let (mut at, mut gone) = (from, 0);
    let along: Vec<(Point, u64)> = to
        .iter()
        .map(|point| {
            gone += stretch(at.replace(*point), *point);
            (*point, gone)
        })
        .collect();
    let mut pulled = 0;
    let mut share = |gone_here: u64| {
        let due = i128::from(length.0) * i128::from(gone_here) / i128::from(gone.max(1));
        let due = i32::try_from(due).unwrap_or(length.0);
        due - std::mem::replace(&mut pulled, due)
    };
    along.into_iter().map(|(point, gone)| (point, Feed(share(gone)))).collect()
}

/// A path's way in the plane, and the heights at its ends.
struct Climb {
    way: u64,
    from: i64,
    rise: i64,
}

impl Climb {
    fn of(path: &Path, mut at: Option<Point>, [from, top]: [Micrometres; 2]) -> Self {
        let way = path.points.iter().map(|(to, _)| stretch(at.replace(*to), *to)).sum();
        Self { way, from: from.0.into(), rise: i64::from(top.0) - i64::from(from.0) }
    }

    /// The height after this much of the way, as the toolpath's page rounds it.
    fn height(&self, way: u64) -> Micrometres {
        if way >= self.way {
            return Micrometres((self.from + self.rise) as i32);
        }
        let risen = i128::from(self.rise) * i128::from(way) / i128::from(self.way);
        Micrometres((self.from + risen as i64) as i32)
    }
}

/// A straight move's length in the plane; none from a place that is not known.
fn stretch(from: Option<Point>, to: Point) -> u64 {
    from.map_or(0, |from| from.way_to(to))
}

/// The line type as previewers know it.
fn title(feature: Feature) -> &'static str {
    match feature {
        Feature::Skirt => "Skirt/Brim",
        Feature::OuterPerimeter => "External perimeter",
        Feature::InnerPerimeter => "Perimeter",
        Feature::SolidInfill => "Solid infill",
        Feature::TopSurface => "Top solid infill",
        Feature::BottomSurface => "Bottom solid infill",
        Feature::Bridge => "Bridge infill",
        Feature::SparseInfill => "Internal infill",
        Feature::GapFill => "Gap fill",
        Feature::ThinWall => "Thin wall",
        Feature::Support => "Support material",
        Feature::SupportInterface => "Support material interface",
    }
}

/// Writes `value` over 10 to the `places` without rounding, and without a zero that says nothing.
///
/// By hand and backwards: a job is millions of these, and formatting machinery takes several times as long.
fn decimal(out: &mut Vec<u8>, value: i64, places: u32) {
    let mut digits = [0; 32];
    let mut at = digits.len();
    let mut left = value.unsigned_abs();
    let mut put = |byte| {
        at -= 1;
        digits[at] = byte;
    };
    let mut shown = false;
    for _ in 0..places {
        let digit = (left % 10) as u8;
        left /= 10;
        shown |= digit != 0;
        if shown {
            put(b'0' + digit);
        }
    }
    if shown {
        put(b'.');
    }
    loop {
        put(b'0' + (left % 10) as u8);
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        put(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// A time span for people: `1h 2m 3s`.
struct Span(Millis);

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.0.div_ceil(1000);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h ")?;
        }
        write!(f, "{minutes}m {}s", seconds % 60)
    }
}

#[cfg(test)]
mod tests;
