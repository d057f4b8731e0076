//! A layer's byte form: header, table of styles, steps; here they are written, in `reader` they are read.
//!
//! Each style's rate is chosen so that it explains every move of the style exactly, if one rate does; then
//! no extrusion is stored at all. Otherwise the error of each move is stored, so that any feed survives.

use super::coder::{Encoder, KINDS, Slot, size_class};
use crate::toolpath::rate::length;
use crate::toolpath::{Feature, Layer, Path, Point, Rate, Step};
use crate::units::{Feed, Micrometres, MmPerMinute};
use alloc::vec;
use alloc::vec::Vec;

/// Step kinds.
pub(super) const TRAVEL: u64 = 0;
pub(super) const EXTRUDE: u64 = 1;
pub(super) const RETRACT: u64 = 2;
pub(super) const PRIME: u64 = 3;
pub(super) const LIFT: u64 = 4;
pub(super) const FAN: u64 = 5;
pub(super) const NOZZLE: u64 = 6;
pub(super) const BED: u64 = 7;
pub(super) const CLIMB: u64 = 8;
pub(super) const WIPE: u64 = 9;
pub(super) const ACCELERATION: u64 = 10;

/// What paths of one look share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) feature: Feature,
    pub(super) width: Micrometres,
    pub(super) speed: MmPerMinute,
}

impl Style {
    fn of(path: &Path) -> Self {
        Self { feature: path.feature, width: path.width, speed: path.speed }
    }
}

/// What both sides remember from step to step.
#[derive(Debug, Clone, Default)]
pub(super) struct Pen {
    pub(super) at: Point,
    /// Number of bits of the last difference along x: neighbours are alike.
    pub(super) class: u8,
    /// Kind of the last step.
    pub(super) kind: u64,
    pub(super) speeds: [Option<MmPerMinute>; KINDS],
}

impl Pen {
    /// The difference to `to`, which becomes where the pen is.
    pub(super) fn towards(&mut self, to: Point) -> (i64, i64) {
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
#[derive(Debug, Clone)]
pub(super) struct Fit {
    low: u64,
    high: u64,
}

impl Default for Fit {
    fn default() -> Self {
        Self { low: 0, high: u64::MAX }
    }
}

impl Fit {
    pub(super) fn learn(&mut self, length: u64, feed: Feed) {
        let Some((low, high)) = Rate::range_for(length, feed) else { return };
        if low <= self.high && high >= self.low {
            self.low = self.low.max(low);
            self.high = self.high.min(high);
        }
    }

    /// The rate with the most trailing zero bits in the range: short, and the same however it was found.
    pub(super) fn rate(&self) -> Rate {
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
