//! Reads a layer step by step and point by point: the one decoder of layers, which [`Piece::parse`] collects from.
//!
//! That a layer has one byte form is held as it is read (`proto/spec/toolpath.md`, TP-2): a style's number, a speed
//! and an error are what a writer would write here, each style's rate is fitted anew, and the coder knows its own
//! bits. What strays is only noted, and refused after the last step. Memory is the coder's models and the table of
//! styles, however many moves there are: a path's errors stand behind all its points, so such a path's points are
//! read twice instead of kept. Deliberately absent: prologue and epilogue, which are small and read whole.
//!
//! [`Piece::parse`]: crate::toolpath::Piece::parse

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::coder::{Decoder, Slot, size_class};
use super::layer::{
    ACCELERATION, BED, CLIMB, EXTRUDE, FAN, Fit, LIFT, NOZZLE, PRIME, Pen, RETRACT, Style, TRAVEL, WIPE,
};
use crate::toolpath::rate::length;
use crate::toolpath::{Feature, Layer, Path, Point, Rate, Step};
use crate::units::{Celsius, Feed, Micrometres, MmPerMinute, MmPerSecond2, Percent};
use crate::wire::Malformed;

/// A layer that is read as it is used: its steps in order, and of each its points.
///
/// Comes from [`PieceReader::checked`](super::PieceReader::checked), so that nothing it hands out belongs to a layer
/// that is refused later. A clone reads on from the same place by itself.
#[derive(Clone)]
pub struct LayerReader<'a> {
    index: u32,
    z: Micrometres,
    height: Micrometres,
    input: Decoder<'a>,
    styles: Vec<Known>,
    /// Styles that paths had so far, in the table's order.
    used: usize,
    /// Steps not begun yet.
    steps: usize,
    pen: Pen,
    line: Line<'a>,
}

/// A style of the table, and what its moves say of its rate.
#[derive(Clone)]
struct Known {
    style: Style,
    rate: Rate,
    fit: Fit,
}

/// What is still to be read of the step that has begun.
#[derive(Clone, Default)]
struct Line<'a> {
    points: usize,
    /// The number of an extruded path's style.
    style: Option<usize>,
    /// There only if errors follow the points.
    errors: Option<Box<Errors<'a>>>,
}

/// A path with errors is read at two places: its points once more, and their errors.
#[derive(Clone)]
struct Errors<'a> {
    points: Decoder<'a>,
    pen: Pen,
    /// Whether any error so far is one; a writer writes none where all are zero.
    any: bool,
}

impl<'a> LayerReader<'a> {
    /// Reads what follows a layer's first byte, up to its first step.
    pub(super) fn begin(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut input = Decoder::new(bytes);
        let index = input.fits(Slot::Head, "layer index")?;
        let z = Micrometres(input.signed_fits(Slot::Head, "layer z")?);
        let height = Micrometres(input.signed_fits(Slot::Head, "layer height")?);
        let styles = parse_styles(&mut input)?;
        let announced = input.get(Slot::Head, "steps")?;
        let steps = input.backed("steps", announced)?;
        let (pen, line) = (Pen::default(), Line::default());
        Ok(Self { index, z, height, input, styles, used: 0, steps, pen, line })
    }

    /// The layer's number, counted from zero.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Height of the nozzle while this layer prints; where paths climb, the height they reach.
    pub fn z(&self) -> Micrometres {
        self.z
    }

    /// Thickness.
    pub fn height(&self) -> Micrometres {
        self.height
    }

    /// The next step with its list of points empty: they come by [`LayerReader::point`]. Points of the step before
    /// that weren't asked for are passed over. `None` after the last.
    ///
    /// # Errors
    /// [`Malformed`]; never of a layer that was read through before.
    pub fn step(&mut self) -> Result<Option<Step>, Malformed> {
        while self.point()?.is_some() {}
        let Some(left) = self.steps.checked_sub(1) else { return self.finish().map(|()| None) };
        self.steps = left;
        self.parse_step().map(Some)
    }

    /// The next point of the step that came last, and the filament fed on the way there, which is none where the
    /// step is no extruded path. `None` after the last, and where the step has no points.
    ///
    /// # Errors
    /// As [`LayerReader::step`].
    pub fn point(&mut self) -> Result<Option<(Point, Feed)>, Malformed> {
        let Some(left) = self.line.points.checked_sub(1) else { return Ok(None) };
        self.line.points = left;
        let (to, dx, dy) = match &mut self.line.errors {
            Some(errors) => parse_point(&mut errors.points, &mut errors.pen)?,
            None => parse_point(&mut self.input, &mut self.pen)?,
        };
        let Some(style) = self.line.style else { return Ok(Some((to, Feed(0)))) };
        let known = &mut self.styles[style];
        let length = length(dx, dy);
        let mut feed = known.rate.feed_along(length);
        if let Some(errors) = &mut self.line.errors {
            feed = corrected(&mut self.input, feed, errors)?;
            if left == 0 && !errors.any {
                self.input.stray();
            }
        }
        known.fit.learn(length, feed);
        Ok(Some((to, feed)))
    }

    /// Everything that is left, as a layer.
    pub(super) fn collect(mut self) -> Result<Layer, Malformed> {
        let mut steps = Vec::new();
        while let Some(mut step) = self.step()? {
            while let Some((to, feed)) = self.point()? {
                match &mut step {
                    Step::Extrude(path) => path.points.push((to, feed)),
                    Step::Travel { to: points, .. } | Step::Wipe { to: points, .. } => points.push(to),
                    _ => {}
                }
            }
            steps.push(step);
        }
        Ok(Layer { index: self.index, z: self.z, height: self.height, steps })
    }

    /// Refuses what is left over, and whatever a writer would have written otherwise.
    fn finish(&mut self) -> Result<(), Malformed> {
        let unused = self.used != self.styles.len();
        if unused || self.styles.iter().any(|known| known.fit.rate() != known.rate) {
            self.input.stray();
        }
        self.input.finish()
    }

    fn parse_step(&mut self) -> Result<Step, Malformed> {
        self.line = Line::default();
        self.pen.kind = self.input.get(Slot::Kind(self.pen.kind), "step")?;
        let (input, pen) = (&mut self.input, &mut self.pen);
        match pen.kind {
            TRAVEL => self.begin_travel(),
            EXTRUDE => self.begin_path(None),
            CLIMB => {
                let z = Micrometres(input.signed_fits(Slot::Held(CLIMB), "climb")?);
                self.begin_path(Some(z))
            }
            RETRACT => parse_feed(input, RETRACT, pen).map(|(length, speed)| Step::Retract { length, speed }),
            PRIME => parse_feed(input, PRIME, pen).map(|(length, speed)| Step::Prime { length, speed }),
            LIFT => {
                let z = Micrometres(input.signed_fits(Slot::Held(LIFT), "lift")?);
                Ok(Step::Lift { z, speed: parse_speed(input, LIFT, pen)? })
            }
            FAN => input.fits(Slot::Held(FAN), "fan").map(Percent).map(Step::Fan),
            NOZZLE => input.fits(Slot::Held(NOZZLE), "nozzle").map(Celsius).map(Step::Nozzle),
            BED => input.fits(Slot::Held(BED), "bed").map(Celsius).map(Step::Bed),
            WIPE => self.begin_wipe(),
            ACCELERATION => {
                let mut each = || input.fits(Slot::Held(ACCELERATION), "acceleration").map(MmPerSecond2);
                Ok(Step::Acceleration { printing: each()?, travelling: each()? })
            }
            _ => Err(Malformed::Value("step")),
        }
    }

    fn begin_travel(&mut self) -> Result<Step, Malformed> {
        let announced = self.input.get(Slot::Held(TRAVEL), "travel")?;
        let speed = parse_speed(&mut self.input, TRAVEL, &mut self.pen)?;
        self.line.points = self.input.backed("travel", announced)?;
        Ok(Step::Travel { to: Vec::new(), speed })
    }

    fn begin_wipe(&mut self) -> Result<Step, Malformed> {
        let announced = self.input.get(Slot::Held(WIPE), "wipe")?;
        let (length, speed) = parse_feed(&mut self.input, WIPE, &mut self.pen)?;
        self.line.points = self.input.backed("wipe", announced)?;
        Ok(Step::Wipe { to: Vec::new(), length, speed })
    }

    fn begin_path(&mut self, climb: Option<Micrometres>) -> Result<Step, Malformed> {
        let count = self.input.get(Slot::Count, "path")?;
        let number = self.input.fits(Slot::Style, "style")?;
        let Style { feature, width, speed } = self.style(number)?;
        self.line.points = self.input.backed("path", count >> 1)?;
        self.line.style = Some(number);
        if count & 1 == 1 {
            self.begin_errors()?;
        }
        Ok(Step::Extrude(Path { feature, width, speed, climb, points: Vec::new() }))
    }

    /// The style of this number. A writer numbers styles as paths first have them, and lists none twice.
    fn style(&mut self, number: usize) -> Result<Style, Malformed> {
        let style = self.styles.get(number).ok_or(Malformed::Value("style"))?.style;
        if number == self.used {
            self.used += 1;
            if self.styles[..number].iter().any(|known| known.style == style) {
                self.input.stray();
            }
        } else if number > self.used {
            self.input.stray();
        }
        Ok(style)
    }

    /// Goes past the path's points to their errors, and remembers where the points are.
    fn begin_errors(&mut self) -> Result<(), Malformed> {
        if self.line.points == 0 {
            self.input.stray();
            return Ok(());
        }
        let (points, pen) = (self.input.of_differences(), self.pen.clone());
        for _ in 0..self.line.points {
            parse_point(&mut self.input, &mut self.pen)?;
        }
        self.line.errors = Some(Box::new(Errors { points, pen, any: false }));
        Ok(())
    }
}

fn parse_styles(input: &mut Decoder<'_>) -> Result<Vec<Known>, Malformed> {
    let announced = input.get(Slot::Head, "styles")?;
    (0..input.backed("styles", announced)?).map(|_| parse_style(input)).collect()
}

fn parse_style(input: &mut Decoder<'_>) -> Result<Known, Malformed> {
    let feature = input.fits(Slot::Head, "feature")?;
    let feature = Feature::from_u8(feature).ok_or(Malformed::Value("feature"))?;
    let width = Micrometres(input.signed_fits(Slot::Head, "width")?);
    let speed = MmPerMinute(input.fits(Slot::Head, "speed")?);
    let rate = Rate(input.get(Slot::Head, "rate")?);
    Ok(Known { style: Style { feature, width, speed }, rate, fit: Fit::default() })
}

fn parse_feed(input: &mut Decoder<'_>, kind: u64, pen: &mut Pen) -> Result<(Feed, MmPerMinute), Malformed> {
    let length = Feed(input.signed_fits(Slot::Held(kind), "feed")?);
    Ok((length, parse_speed(input, kind, pen)?))
}

fn parse_speed(input: &mut Decoder<'_>, kind: u64, pen: &mut Pen) -> Result<MmPerMinute, Malformed> {
    let last = &mut pen.speeds[kind as usize];
    let Some(raw) = input.get(Slot::Speed(kind), "speed")?.checked_sub(1) else {
        return last.ok_or(Malformed::Value("speed"));
    };
    let speed = MmPerMinute(u32::try_from(raw).map_err(|_| Malformed::Value("speed"))?);
    // A writer says of such a speed that it is the last one.
    if last.replace(speed) == Some(speed) {
        input.stray();
    }
    Ok(speed)
}

/// The next point, and the difference that led there.
fn parse_point(input: &mut Decoder<'_>, pen: &mut Pen) -> Result<(Point, i64, i64), Malformed> {
    let dx = input.get_signed(Slot::X(pen.class), "point")?;
    let dy = input.get_signed(Slot::Y(size_class(dx)), "point")?;
    let moved = |from: i32, by: i64| {
        i64::from(from).checked_add(by).and_then(|to| i32::try_from(to).ok()).ok_or(Malformed::Value("point"))
    };
    let to = Point { x: moved(pen.at.x, dx)?, y: moved(pen.at.y, dy)? };
    pen.towards(to);
    Ok((to, dx, dy))
}

/// The predicted feed with the stored error added.
fn corrected(input: &mut Decoder<'_>, feed: Feed, errors: &mut Errors<'_>) -> Result<Feed, Malformed> {
    let error = input.get_signed(Slot::Residual, "feed error")?;
    errors.any |= error != 0;
    let sum = i64::from(feed.0).checked_add(error).and_then(|sum| i32::try_from(sum).ok());
    sum.map(Feed).ok_or(Malformed::Value("feed error"))
}

#[cfg(test)]
mod tests;
