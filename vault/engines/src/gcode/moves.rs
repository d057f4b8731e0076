//! What a line moves, in steps: ways, lines of plastic, filament pulled back and fed, and how wide a line is that says nothing.

use layerlock_terms::toolpath::{Path, Point, Step};
use layerlock_terms::units::{Feed, Micrometres, MmPerMinute};

use super::{FILAMENT, FULL_FLOW, Kind, PLACE, Reader, Why, only};
use crate::words::Command;

/// Moves of one layer: a machine's small computer holds it whole.
pub(crate) const MOST_MOVES: usize = 500_000;

/// Filament fed standing still beyond what was pulled back, in hundredths of a micrometre: at once, and in a whole print.
const STANDING: i64 = 1_000_000;
const STANDING_IN_ALL: i64 = 10_000_000;

impl Reader<'_> {
    pub(super) fn go(&mut self, command: &Command<'_>) -> Result<(), Why> {
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

    pub(super) fn count_from(&mut self, command: &Command<'_>) -> Result<(), Why> {
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
    pub(super) fn height(&self) -> i32 {
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
}

fn feed(hundredths: i64) -> Result<Feed, Why> {
    i32::try_from(hundredths).map(Feed).map_err(|_| Why::Beyond('E'))
}
