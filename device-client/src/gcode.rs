//! Pieces to G-code lines, in the Marlin dialect that serial machines and Klipper both read.
//!
//! The last hop before the machine, and the only place where a toolpath becomes text. Positions are absolute,
//! filament is relative (`M83`), speeds are written when they change. Start and end sequences come from the
//! catalogue. Nothing here sends, waits or judges: `guard` holds every line to the machine's limits.

use std::fmt::Write;

use layerlock_terms::machine::{Machine, UnknownName, fan_share};
use layerlock_terms::toolpath::{Epilogue, Feature, Layer, Path, Piece, Point, Prologue, Step};
use layerlock_terms::units::{Feed, Micrometres, Millis, MmPerMinute};

/// Whether lines for people are written too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// Layer numbers and line types, for a file that is looked at.
    Kept,
    /// Commands only, for a serial link.
    Omitted,
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

/// Turns the pieces of one toolpath into lines, in order; remembers what the machine remembers.
#[derive(Debug, Clone)]
pub struct Marlin {
    comments: Comments,
    machine: Option<&'static Machine>,
    speed: Option<MmPerMinute>,
    feature: Option<Feature>,
    /// Where the nozzle is: a path that climbs begins there.
    at: Option<Point>,
    z: Micrometres,
    lines: Vec<String>,
}

impl Marlin {
    /// Before the first piece.
    pub fn new(comments: Comments) -> Self {
        Self {
            comments,
            machine: None,
            speed: None,
            feature: None,
            at: None,
            z: Micrometres(0),
            lines: Vec::new(),
        }
    }

    /// The lines of the next piece, without line ends.
    ///
    /// # Errors
    /// [`GcodeError`] when the machine is not known or the prologue was not first; nothing is remembered then.
    pub fn lines(&mut self, piece: &Piece) -> Result<Vec<String>, GcodeError> {
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
        Ok(std::mem::take(&mut self.lines))
    }

    fn prologue(&mut self, prologue: &Prologue) -> Result<(), GcodeError> {
        let machine = Machine::named(&prologue.machine)?;
        let (nozzle, bed) = (prologue.nozzle.0, prologue.bed.0);
        self.comment(|| format!("Layerlock toolpath for {}", machine.name));
        self.lines.extend(["G21", "G90", "M83"].map(str::to_owned));
        if machine.max_bed.0 > 0 {
            self.lines.push(format!("M140 S{bed}"));
        }
        self.lines.push(format!("M104 S{nozzle}"));
        if machine.max_bed.0 > 0 {
            self.lines.push(format!("M190 S{bed}"));
        }
        self.lines.push(format!("M109 S{nozzle}"));
        self.lines.extend(machine.start.iter().map(|line| (*line).to_owned()));
        self.machine = Some(machine);
        Ok(())
    }

    fn epilogue(&mut self, machine: &Machine, epilogue: &Epilogue) {
        self.lines.extend(machine.end.iter().map(|line| (*line).to_owned()));
        self.comment(|| format!("estimated printing time (normal mode) = {}", Span(epilogue.duration)));
        self.comment(|| format!("filament used [mm] = {}", epilogue.filament_um as f64 / 1000.0));
    }

    fn layer(&mut self, layer: &Layer) {
        self.raw_comment(|| format!(";LAYER:{}", layer.index));
        self.raw_comment(|| format!(";Z:{}", Millimetres(layer.z.0)));
        self.raw_comment(|| format!(";HEIGHT:{}", Millimetres(layer.height.0)));
        // What came before may have been another program's; a speed written twice does no harm.
        self.speed = None;
        self.at = None;
        for step in &layer.steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Travel { to, speed } => to.iter().for_each(|point| self.travel(*point, *speed)),
            Step::Extrude(path) => self.path(path),
            Step::Retract { length, speed } => self.feed(Feed(-length.0), *speed),
            Step::Prime { length, speed } => self.feed(*length, *speed),
            Step::Lift { z, speed } => self.lift(*z, *speed),
            Step::Fan(share) if share.0 == 0 => self.lines.push("M107".to_owned()),
            Step::Fan(share) => self.lines.push(format!("M106 S{}", fan_share(*share))),
            Step::Nozzle(celsius) => self.lines.push(format!("M104 S{}", celsius.0)),
            Step::Bed(celsius) => self.lines.push(format!("M140 S{}", celsius.0)),
        }
    }

    fn travel(&mut self, to: Point, speed: MmPerMinute) {
        let mut line = format!("G0 X{} Y{}", Millimetres(to.x), Millimetres(to.y));
        self.end_at(&mut line, speed);
        self.at = Some(to);
    }

    fn lift(&mut self, z: Micrometres, speed: MmPerMinute) {
        let mut line = format!("G1 Z{}", Millimetres(z.0));
        self.end_at(&mut line, speed);
        self.z = z;
    }

    fn feed(&mut self, length: Feed, speed: MmPerMinute) {
        let mut line = format!("G1 E{}", Filament(length.0));
        self.end_at(&mut line, speed);
    }

    fn path(&mut self, path: &Path) {
        if self.feature.replace(path.feature) != Some(path.feature) {
            self.raw_comment(|| format!(";TYPE:{}", title(path.feature)));
        }
        let climb = path.climb.map(|top| Climb::of(path, self.at, [self.z, top]));
        let mut way = 0;
        for (to, fed) in &path.points {
            let mut line = String::with_capacity(40);
            write!(line, "G1 X{} Y{}", Millimetres(to.x), Millimetres(to.y))
                .expect("a string takes all that is written");
            if let Some(climb) = &climb {
                way += stretch(self.at, *to);
                self.z = climb.height(way);
                write!(line, " Z{}", Millimetres(self.z.0)).expect("a string takes all that is written");
            }
            write!(line, " E{}", Filament(fed.0)).expect("a string takes all that is written");
            self.end_at(&mut line, path.speed);
            self.at = Some(*to);
        }
    }

    /// Completes a move with its speed, if the machine does not have it already.
    fn end_at(&mut self, line: &mut String, speed: MmPerMinute) {
        if self.speed.replace(speed) != Some(speed) {
            write!(line, " F{}", speed.0).expect("a string takes all that is written");
        }
        self.lines.push(std::mem::take(line));
    }

    fn comment(&mut self, text: impl FnOnce() -> String) {
        self.raw_comment(|| format!("; {}", text()));
    }

    fn raw_comment(&mut self, text: impl FnOnce() -> String) {
        if self.comments == Comments::Kept {
            self.lines.push(text());
        }
    }
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

/// Micrometres written in millimetres without rounding.
struct Millimetres(i32);

impl std::fmt::Display for Millimetres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        decimal(f, self.0, 1_000, 3)
    }
}

/// 10⁻⁵ mm written in millimetres without rounding.
struct Filament(i32);

impl std::fmt::Display for Filament {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        decimal(f, self.0, 100_000, 5)
    }
}

/// `value / scale` with at most `places` decimals, none of them a trailing zero.
fn decimal(f: &mut std::fmt::Formatter<'_>, value: i32, scale: u32, places: usize) -> std::fmt::Result {
    let sign = if value < 0 { "-" } else { "" };
    let (whole, mut rest) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    if rest == 0 {
        return write!(f, "{sign}{whole}");
    }
    let mut width = places;
    while rest % 10 == 0 {
        rest /= 10;
        width -= 1;
    }
    write!(f, "{sign}{whole}.{rest:0width$}")
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
