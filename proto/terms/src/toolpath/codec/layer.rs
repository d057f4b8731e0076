//! A layer's byte form: header, table of styles, steps.
//!
//! Each style's rate is chosen so that it explains every move of the style exactly, if one rate does; then
//! no extrusion is stored at all. Otherwise the error of each move is stored, so that any feed survives.

use super::varint::{Input, put, put_signed};
use crate::toolpath::{Feature, Layer, Path, Point, Rate, Step};
use crate::units::{Celsius, Feed, Micrometres, MmPerMinute, Percent};
use crate::wire::Malformed;

/// Step kinds, in the low three bits of a step's first integer.
const TRAVEL: u64 = 0;
const EXTRUDE: u64 = 1;
const RETRACT: u64 = 2;
const PRIME: u64 = 3;
const LIFT: u64 = 4;
const FAN: u64 = 5;
const NOZZLE: u64 = 6;
const BED: u64 = 7;

/// What paths of one look share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    feature: Feature,
    width: Micrometres,
    speed: MmPerMinute,
}

impl Style {
    fn of(path: &Path) -> Self {
        Self { feature: path.feature, width: path.width, speed: path.speed }
    }
}

/// What both sides remember from step to step.
#[derive(Debug, Default)]
struct Pen {
    at: Point,
    speeds: [Option<MmPerMinute>; 5],
}

impl Pen {
    /// The difference to `to`, which becomes where the pen is.
    fn towards(&mut self, to: Point) -> (i64, i64) {
        let from = std::mem::replace(&mut self.at, to);
        (i64::from(to.x) - i64::from(from.x), i64::from(to.y) - i64::from(from.y))
    }
}

pub(super) fn emit(layer: &Layer) -> Vec<u8> {
    let mut out = vec![super::LAYER];
    put(&mut out, layer.index.into());
    put_signed(&mut out, layer.z.0.into());
    put_signed(&mut out, layer.height.0.into());
    let styles = collect_styles(&layer.steps);
    put(&mut out, styles.len() as u64);
    for (style, rate) in &styles {
        out.push(style.feature as u8);
        put_signed(&mut out, style.width.0.into());
        put(&mut out, style.speed.0.into());
        put(&mut out, rate.0);
    }
    put(&mut out, layer.steps.len() as u64);
    let mut pen = Pen::default();
    for step in &layer.steps {
        emit_step(&mut out, step, &styles, &mut pen);
    }
    out
}

/// The styles in order of first use, each with the rate that explains its moves best.
fn collect_styles(steps: &[Step]) -> Vec<(Style, Rate)> {
    let mut fits: Vec<(Style, Fit)> = Vec::new();
    let mut pen = Pen::default();
    for step in steps {
        match step {
            Step::Travel { to, .. } => pen.at = to.last().copied().unwrap_or(pen.at),
            Step::Extrude(path) => {
                let style = Style::of(path);
                let found = fits.iter().position(|(known, _)| *known == style).unwrap_or(fits.len());
                if found == fits.len() {
                    fits.push((style, Fit::default()));
                }
                for (to, feed) in &path.points {
                    let (dx, dy) = pen.towards(*to);
                    fits[found].1.learn(dx, dy, *feed);
                }
            }
            _ => {}
        }
    }
    fits.into_iter().map(|(style, fit)| (style, fit.rate())).collect()
}

/// The rates that explain every move seen; once there is none, the last that explained all before it.
#[derive(Debug)]
struct Fit {
    low: u64,
    high: u64,
}

impl Default for Fit {
    fn default() -> Self {
        Self { low: 0, high: u64::MAX }
    }
}

impl Fit {
    fn learn(&mut self, dx: i64, dy: i64, feed: Feed) {
        let Some((low, high)) = Rate::range_for(dx, dy, feed) else { return };
        if low <= self.high && high >= self.low {
            self.low = self.low.max(low);
            self.high = self.high.min(high);
        }
    }

    /// The rate with the most trailing zero bits in the range: short, and the same however it was found.
    fn rate(&self) -> Rate {
        let differing = self.low.wrapping_sub(1) ^ self.high;
        if self.low == 0 || differing == 0 {
            return Rate(self.low);
        }
        let keep = 63 - differing.leading_zeros();
        Rate(self.high >> keep << keep)
    }
}

fn emit_step(out: &mut Vec<u8>, step: &Step, styles: &[(Style, Rate)], pen: &mut Pen) {
    match step {
        Step::Travel { to, speed } => {
            put(out, (to.len() as u64) << 3 | TRAVEL);
            emit_speed(out, *speed, TRAVEL, pen);
            to.iter().for_each(|point| emit_point(out, *point, pen));
        }
        Step::Extrude(path) => emit_path(out, path, styles, pen),
        Step::Retract { length, speed } => emit_feed(out, RETRACT, *length, *speed, pen),
        Step::Prime { length, speed } => emit_feed(out, PRIME, *length, *speed, pen),
        Step::Lift { z, speed } => {
            put(out, LIFT);
            put_signed(out, z.0.into());
            emit_speed(out, *speed, LIFT, pen);
        }
        Step::Fan(share) => put(out, u64::from(share.0) << 3 | FAN),
        Step::Nozzle(celsius) => put(out, u64::from(celsius.0) << 3 | NOZZLE),
        Step::Bed(celsius) => put(out, u64::from(celsius.0) << 3 | BED),
    }
}

fn emit_feed(out: &mut Vec<u8>, kind: u64, length: Feed, speed: MmPerMinute, pen: &mut Pen) {
    put(out, kind);
    put_signed(out, length.0.into());
    emit_speed(out, speed, kind, pen);
}

/// Zero for the speed this kind of step had last, else one more than the speed.
fn emit_speed(out: &mut Vec<u8>, speed: MmPerMinute, kind: u64, pen: &mut Pen) {
    let last = pen.speeds[kind as usize].replace(speed);
    put(out, if last == Some(speed) { 0 } else { u64::from(speed.0) + 1 });
}

fn emit_point(out: &mut Vec<u8>, to: Point, pen: &mut Pen) {
    let (dx, dy) = pen.towards(to);
    put_signed(out, dx);
    put_signed(out, dy);
}

fn emit_path(out: &mut Vec<u8>, path: &Path, styles: &[(Style, Rate)], pen: &mut Pen) {
    let style = styles.iter().position(|(known, _)| *known == Style::of(path));
    let style = style.expect("collect_styles saw every path");
    let rate = styles[style].1;
    let start = pen.at;
    let residuals: Vec<i64> = path
        .points
        .iter()
        .map(|(to, feed)| {
            let (dx, dy) = pen.towards(*to);
            i64::from(feed.0) - i64::from(rate.feed(dx, dy).0)
        })
        .collect();
    let exact = residuals.iter().all(|r| *r == 0);
    put(out, (path.points.len() as u64) << 4 | u64::from(!exact) << 3 | EXTRUDE);
    put(out, style as u64);
    pen.at = start;
    path.points.iter().for_each(|(to, _)| emit_point(out, *to, pen));
    if !exact {
        residuals.iter().for_each(|residual| put_signed(out, *residual));
    }
}

pub(super) fn parse(input: &mut Input<'_>) -> Result<Layer, Malformed> {
    let index = input.fits("layer index")?;
    let z = Micrometres(input.signed_fits("layer z")?);
    let height = Micrometres(input.signed_fits("layer height")?);
    let styles = parse_styles(input)?;
    let announced = input.varint("steps")?;
    let count = input.backed("steps", announced, 1)?;
    let mut pen = Pen::default();
    let steps = (0..count).map(|_| parse_step(input, &styles, &mut pen)).collect::<Result<Vec<_>, _>>()?;
    let canonical = collect_styles(&steps);
    if canonical != styles {
        return Err(Malformed::Value("styles"));
    }
    Ok(Layer { index, z, height, steps })
}

fn parse_styles(input: &mut Input<'_>) -> Result<Vec<(Style, Rate)>, Malformed> {
    let announced = input.varint("styles")?;
    let count = input.backed("styles", announced, 4)?;
    (0..count).map(|_| parse_style(input)).collect()
}

fn parse_style(input: &mut Input<'_>) -> Result<(Style, Rate), Malformed> {
    let feature = Feature::from_u8(input.byte("feature")?).ok_or(Malformed::Value("feature"))?;
    let width = Micrometres(input.signed_fits("width")?);
    let speed = MmPerMinute(input.fits("speed")?);
    Ok((Style { feature, width, speed }, Rate(input.varint("rate")?)))
}

fn parse_step(input: &mut Input<'_>, styles: &[(Style, Rate)], pen: &mut Pen) -> Result<Step, Malformed> {
    let first = input.varint("step")?;
    let payload = first >> 3;
    match first & 7 {
        TRAVEL => parse_travel(input, payload, pen),
        EXTRUDE => parse_path(input, payload, styles, pen).map(Step::Extrude),
        RETRACT => {
            let (length, speed) = parse_feed(input, payload, RETRACT, pen)?;
            Ok(Step::Retract { length, speed })
        }
        PRIME => {
            let (length, speed) = parse_feed(input, payload, PRIME, pen)?;
            Ok(Step::Prime { length, speed })
        }
        LIFT => {
            vacant(payload)?;
            let z = Micrometres(input.signed_fits("lift")?);
            Ok(Step::Lift { z, speed: parse_speed(input, LIFT, pen)? })
        }
        FAN => narrow(payload, "fan").map(Percent).map(Step::Fan),
        NOZZLE => narrow(payload, "nozzle").map(Celsius).map(Step::Nozzle),
        _ => narrow(payload, "bed").map(Celsius).map(Step::Bed),
    }
}

/// Kinds that carry nothing beside their number must say so.
fn vacant(payload: u64) -> Result<(), Malformed> {
    if payload == 0 { Ok(()) } else { Err(Malformed::Value("step")) }
}

fn narrow<T: TryFrom<u64>>(value: u64, field: &'static str) -> Result<T, Malformed> {
    T::try_from(value).map_err(|_| Malformed::Value(field))
}

fn parse_travel(input: &mut Input<'_>, count: u64, pen: &mut Pen) -> Result<Step, Malformed> {
    let speed = parse_speed(input, TRAVEL, pen)?;
    let count = input.backed("travel", count, 2)?;
    let to = (0..count).map(|_| parse_point(input, pen)).collect::<Result<_, _>>()?;
    Ok(Step::Travel { to, speed })
}

fn parse_feed(
    input: &mut Input<'_>,
    payload: u64,
    kind: u64,
    pen: &mut Pen,
) -> Result<(Feed, MmPerMinute), Malformed> {
    vacant(payload)?;
    let length = Feed(input.signed_fits("feed")?);
    Ok((length, parse_speed(input, kind, pen)?))
}

fn parse_speed(input: &mut Input<'_>, kind: u64, pen: &mut Pen) -> Result<MmPerMinute, Malformed> {
    let last = &mut pen.speeds[kind as usize];
    let stored = input.varint("speed")?;
    let repeated = stored == 0;
    let speed = match stored.checked_sub(1) {
        None => last.ok_or(Malformed::Value("speed"))?,
        Some(raw) => MmPerMinute(narrow(raw, "speed")?),
    };
    // A known speed written out would be a second byte form of the same step.
    match last.replace(speed) {
        Some(before) if before == speed && !repeated => Err(Malformed::Value("speed")),
        _ => Ok(speed),
    }
}

fn parse_point(input: &mut Input<'_>, pen: &mut Pen) -> Result<Point, Malformed> {
    let (dx, dy) = (input.signed("point")?, input.signed("point")?);
    let moved = |from: i32, by: i64| {
        i64::from(from).checked_add(by).and_then(|to| i32::try_from(to).ok()).ok_or(Malformed::Value("point"))
    };
    pen.at = Point { x: moved(pen.at.x, dx)?, y: moved(pen.at.y, dy)? };
    Ok(pen.at)
}

fn parse_path(
    input: &mut Input<'_>,
    payload: u64,
    styles: &[(Style, Rate)],
    pen: &mut Pen,
) -> Result<Path, Malformed> {
    let style: usize = input.fits("style")?;
    let (style, rate) = *styles.get(style).ok_or(Malformed::Value("style"))?;
    let count = input.backed("path", payload >> 1, 2)?;
    let mut points = Vec::with_capacity(count);
    for _ in 0..count {
        let from = pen.at;
        let to = parse_point(input, pen)?;
        let (dx, dy) = (i64::from(to.x) - i64::from(from.x), i64::from(to.y) - i64::from(from.y));
        points.push((to, rate.feed(dx, dy)));
    }
    if payload & 1 == 1 {
        correct(input, &mut points)?;
    }
    Ok(Path { feature: style.feature, width: style.width, speed: style.speed, points })
}

/// Adds the stored errors to the predicted feeds.
fn correct(input: &mut Input<'_>, points: &mut [(Point, Feed)]) -> Result<(), Malformed> {
    let mut needed = false;
    for (_, feed) in points {
        let error = input.signed("feed error")?;
        needed |= error != 0;
        let sum = i64::from(feed.0).checked_add(error);
        *feed =
            sum.and_then(|sum| i32::try_from(sum).ok()).map(Feed).ok_or(Malformed::Value("feed error"))?;
    }
    // Errors that are all zero would be a second byte form of the same path.
    if needed { Ok(()) } else { Err(Malformed::Value("feed error")) }
}
