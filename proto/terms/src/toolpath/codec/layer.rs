//! A layer's byte form: header, table of styles, steps.
//!
//! Each style's rate is chosen so that it explains every move of the style exactly, if one rate does; then
//! no extrusion is stored at all. Otherwise the error of each move is stored, so that any feed survives.

use super::coder::{Decoder, Encoder, KINDS, Slot, size_class};
use crate::toolpath::rate::length;
use crate::toolpath::{Feature, Layer, Path, Point, Rate, Step};
use crate::units::{Celsius, Feed, Micrometres, MmPerMinute, MmPerSecond2, Percent};
use crate::wire::Malformed;
use alloc::vec;
use alloc::vec::Vec;

/// Step kinds.
const TRAVEL: u64 = 0;
const EXTRUDE: u64 = 1;
const RETRACT: u64 = 2;
const PRIME: u64 = 3;
const LIFT: u64 = 4;
const FAN: u64 = 5;
const NOZZLE: u64 = 6;
const BED: u64 = 7;
const CLIMB: u64 = 8;
const WIPE: u64 = 9;
const ACCELERATION: u64 = 10;

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
    /// Number of bits of the last difference along x: neighbours are alike.
    class: u8,
    /// Kind of the last step.
    kind: u64,
    speeds: [Option<MmPerMinute>; KINDS],
}

impl Pen {
    /// The difference to `to`, which becomes where the pen is.
    fn towards(&mut self, to: Point) -> (i64, i64) {
        let from = core::mem::replace(&mut self.at, to);
        let (dx, dy) = (i64::from(to.x) - i64::from(from.x), i64::from(to.y) - i64::from(from.y));
        self.class = size_class(dx);
        (dx, dy)
    }
}

pub(super) fn emit(layer: &Layer) -> Vec<u8> {
    let mut out = Encoder::new(vec![super::LAYER]);
    out.put(Slot::Head, layer.index.into());
    out.put_signed(Slot::Head, layer.z.0.into());
    out.put_signed(Slot::Head, layer.height.0.into());
    let (styles, lengths) = collect_styles(&layer.steps);
    out.put(Slot::Head, styles.len() as u64);
    for (style, rate) in &styles {
        out.put(Slot::Head, style.feature as u64);
        out.put_signed(Slot::Head, style.width.0.into());
        out.put(Slot::Head, style.speed.0.into());
        out.put(Slot::Head, rate.0);
    }
    out.put(Slot::Head, layer.steps.len() as u64);
    let mut pen = Pen::default();
    let mut lengths = lengths.into_iter();
    for step in &layer.steps {
        emit_step(&mut out, step, Known { styles: &styles, lengths: &mut lengths }, &mut pen);
    }
    out.finish()
}

/// What was found out about a layer's paths before the first is written.
struct Known<'a> {
    styles: &'a [(Style, Rate)],
    /// Of every extruding move, in order: a square root is worth remembering.
    lengths: &'a mut dyn Iterator<Item = u64>,
}

/// The styles in order of first use, each with the rate that explains its moves best; and every move's length.
fn collect_styles(steps: &[Step]) -> (Vec<(Style, Rate)>, Vec<u64>) {
    let mut fits: Vec<(Style, Fit)> = Vec::new();
    let mut lengths = Vec::new();
    let mut pen = Pen::default();
    for step in steps {
        match step {
            Step::Travel { to, .. } | Step::Wipe { to, .. } => pen.at = to.last().copied().unwrap_or(pen.at),
            Step::Extrude(path) => {
                let style = Style::of(path);
                let found = fits.iter().position(|(known, _)| *known == style).unwrap_or(fits.len());
                if found == fits.len() {
                    fits.push((style, Fit::default()));
                }
                for (to, feed) in &path.points {
                    let (dx, dy) = pen.towards(*to);
                    let length = length(dx, dy);
                    lengths.push(length);
                    fits[found].1.learn(length, *feed);
                }
            }
            _ => {}
        }
    }
    (fits.into_iter().map(|(style, fit)| (style, fit.rate())).collect(), lengths)
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
    fn learn(&mut self, length: u64, feed: Feed) {
        let Some((low, high)) = Rate::range_for(length, feed) else { return };
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

fn emit_step(out: &mut Encoder, step: &Step, known: Known<'_>, pen: &mut Pen) {
    let single = |out: &mut Encoder, kind: u64, value: u64| out.put(Slot::Held(kind), value);
    out.put(Slot::Kind(pen.kind), kind_of(step));
    pen.kind = kind_of(step);
    match step {
        Step::Travel { to, speed } => {
            out.put(Slot::Held(TRAVEL), to.len() as u64);
            emit_speed(out, *speed, TRAVEL, pen);
            to.iter().for_each(|point| emit_point(out, *point, pen));
        }
        Step::Extrude(path) => {
            if let Some(z) = path.climb {
                out.put_signed(Slot::Held(CLIMB), z.0.into());
            }
            emit_path(out, path, known, pen);
        }
        Step::Retract { length, speed } => emit_feed(out, RETRACT, *length, *speed, pen),
        Step::Prime { length, speed } => emit_feed(out, PRIME, *length, *speed, pen),
        Step::Lift { z, speed } => {
            out.put_signed(Slot::Held(LIFT), z.0.into());
            emit_speed(out, *speed, LIFT, pen);
        }
        Step::Fan(share) => single(out, FAN, share.0.into()),
        Step::Nozzle(celsius) => single(out, NOZZLE, celsius.0.into()),
        Step::Bed(celsius) => single(out, BED, celsius.0.into()),
        Step::Wipe { to, length, speed } => {
            out.put(Slot::Held(WIPE), to.len() as u64);
            emit_feed(out, WIPE, *length, *speed, pen);
            to.iter().for_each(|point| emit_point(out, *point, pen));
        }
        Step::Acceleration { printing, travelling } => {
            single(out, ACCELERATION, printing.0.into());
            single(out, ACCELERATION, travelling.0.into());
        }
    }
}

fn kind_of(step: &Step) -> u64 {
    match step {
        Step::Travel { .. } => TRAVEL,
        Step::Extrude(path) if path.climb.is_some() => CLIMB,
        Step::Extrude(_) => EXTRUDE,
        Step::Retract { .. } => RETRACT,
        Step::Prime { .. } => PRIME,
        Step::Lift { .. } => LIFT,
        Step::Fan(_) => FAN,
        Step::Nozzle(_) => NOZZLE,
        Step::Bed(_) => BED,
        Step::Wipe { .. } => WIPE,
        Step::Acceleration { .. } => ACCELERATION,
    }
}

fn emit_feed(out: &mut Encoder, kind: u64, length: Feed, speed: MmPerMinute, pen: &mut Pen) {
    out.put_signed(Slot::Held(kind), length.0.into());
    emit_speed(out, speed, kind, pen);
}

/// Zero for the speed this kind of step had last, else one more than the speed.
fn emit_speed(out: &mut Encoder, speed: MmPerMinute, kind: u64, pen: &mut Pen) {
    let last = pen.speeds[kind as usize].replace(speed);
    out.put(Slot::Speed(kind), if last == Some(speed) { 0 } else { u64::from(speed.0) + 1 });
}

fn emit_point(out: &mut Encoder, to: Point, pen: &mut Pen) {
    let before = pen.class;
    let (dx, dy) = pen.towards(to);
    out.put_signed(Slot::X(before), dx);
    out.put_signed(Slot::Y(pen.class), dy);
}

fn emit_path(out: &mut Encoder, path: &Path, known: Known<'_>, pen: &mut Pen) {
    let style = known.styles.iter().position(|(known, _)| *known == Style::of(path));
    let style = style.expect("collect_styles saw every path");
    let rate = known.styles[style].1;
    let residuals: Vec<i64> = path
        .points
        .iter()
        .zip(known.lengths)
        .map(|((_, feed), length)| i64::from(feed.0) - i64::from(rate.feed_along(length).0))
        .collect();
    let exact = residuals.iter().all(|r| *r == 0);
    out.put(Slot::Count, (path.points.len() as u64) << 1 | u64::from(!exact));
    out.put(Slot::Style, style as u64);
    path.points.iter().for_each(|(to, _)| emit_point(out, *to, pen));
    if !exact {
        residuals.iter().for_each(|residual| out.put_signed(Slot::Residual, *residual));
    }
}

/// Reads what follows a layer's first byte.
pub(super) fn parse(bytes: &[u8]) -> Result<Layer, Malformed> {
    let mut input = Decoder::new(bytes);
    let index = input.fits(Slot::Head, "layer index")?;
    let z = Micrometres(input.signed_fits(Slot::Head, "layer z")?);
    let height = Micrometres(input.signed_fits(Slot::Head, "layer height")?);
    let styles = parse_list(&mut input, Slot::Head, "styles", parse_style)?;
    let mut pen = Pen::default();
    let steps = parse_list(&mut input, Slot::Head, "steps", |input| parse_step(input, &styles, &mut pen))?;
    input.finish()?;
    Ok(Layer { index, z, height, steps })
}

fn parse_list<T>(
    input: &mut Decoder<'_>,
    slot: Slot,
    field: &'static str,
    each: impl FnMut(&mut Decoder<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let announced = input.get(slot, field)?;
    parse_items(input, announced, field, each)
}

fn parse_items<T>(
    input: &mut Decoder<'_>,
    announced: u64,
    field: &'static str,
    mut each: impl FnMut(&mut Decoder<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = input.backed(field, announced)?;
    (0..count).map(|_| each(input)).collect()
}

fn parse_style(input: &mut Decoder<'_>) -> Result<(Style, Rate), Malformed> {
    let feature = input.fits(Slot::Head, "feature")?;
    let feature = Feature::from_u8(feature).ok_or(Malformed::Value("feature"))?;
    let width = Micrometres(input.signed_fits(Slot::Head, "width")?);
    let speed = MmPerMinute(input.fits(Slot::Head, "speed")?);
    Ok((Style { feature, width, speed }, Rate(input.get(Slot::Head, "rate")?)))
}

fn parse_step(input: &mut Decoder<'_>, styles: &[(Style, Rate)], pen: &mut Pen) -> Result<Step, Malformed> {
    pen.kind = input.get(Slot::Kind(pen.kind), "step")?;
    match pen.kind {
        TRAVEL => parse_travel(input, pen),
        EXTRUDE => parse_path(input, None, styles, pen).map(Step::Extrude),
        CLIMB => {
            let z = Micrometres(input.signed_fits(Slot::Held(CLIMB), "climb")?);
            parse_path(input, Some(z), styles, pen).map(Step::Extrude)
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
        WIPE => parse_wipe(input, pen),
        ACCELERATION => {
            let mut each = || input.fits(Slot::Held(ACCELERATION), "acceleration").map(MmPerSecond2);
            Ok(Step::Acceleration { printing: each()?, travelling: each()? })
        }
        _ => Err(Malformed::Value("step")),
    }
}

fn parse_travel(input: &mut Decoder<'_>, pen: &mut Pen) -> Result<Step, Malformed> {
    let announced = input.get(Slot::Held(TRAVEL), "travel")?;
    let speed = parse_speed(input, TRAVEL, pen)?;
    let to = parse_items(input, announced, "travel", |input| parse_point(input, pen).map(|(to, ..)| to))?;
    Ok(Step::Travel { to, speed })
}

fn parse_wipe(input: &mut Decoder<'_>, pen: &mut Pen) -> Result<Step, Malformed> {
    let announced = input.get(Slot::Held(WIPE), "wipe")?;
    let (length, speed) = parse_feed(input, WIPE, pen)?;
    let to = parse_items(input, announced, "wipe", |input| parse_point(input, pen).map(|(to, ..)| to))?;
    Ok(Step::Wipe { to, length, speed })
}

fn parse_feed(input: &mut Decoder<'_>, kind: u64, pen: &mut Pen) -> Result<(Feed, MmPerMinute), Malformed> {
    let length = Feed(input.signed_fits(Slot::Held(kind), "feed")?);
    Ok((length, parse_speed(input, kind, pen)?))
}

fn parse_speed(input: &mut Decoder<'_>, kind: u64, pen: &mut Pen) -> Result<MmPerMinute, Malformed> {
    let last = &mut pen.speeds[kind as usize];
    let speed = match input.get(Slot::Speed(kind), "speed")?.checked_sub(1) {
        None => last.ok_or(Malformed::Value("speed"))?,
        Some(raw) => MmPerMinute(u32::try_from(raw).map_err(|_| Malformed::Value("speed"))?),
    };
    Ok(*last.insert(speed))
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

fn parse_path(
    input: &mut Decoder<'_>,
    climb: Option<Micrometres>,
    styles: &[(Style, Rate)],
    pen: &mut Pen,
) -> Result<Path, Malformed> {
    let count = input.get(Slot::Count, "path")?;
    let style: usize = input.fits(Slot::Style, "style")?;
    let (style, rate) = *styles.get(style).ok_or(Malformed::Value("style"))?;
    let mut points = parse_items(input, count >> 1, "path", |input| {
        parse_point(input, pen).map(|(to, dx, dy)| (to, rate.feed(dx, dy)))
    })?;
    if count & 1 == 1 {
        correct(input, &mut points)?;
    }
    Ok(Path { feature: style.feature, width: style.width, speed: style.speed, climb, points })
}

/// Adds the stored errors to the predicted feeds.
fn correct(input: &mut Decoder<'_>, points: &mut [(Point, Feed)]) -> Result<(), Malformed> {
    for (_, feed) in points {
        let sum = i64::from(feed.0).checked_add(input.get_signed(Slot::Residual, "feed error")?);
        *feed =
            sum.and_then(|sum| i32::try_from(sum).ok()).map(Feed).ok_or(Malformed::Value("feed error"))?;
    }
    Ok(())
}
