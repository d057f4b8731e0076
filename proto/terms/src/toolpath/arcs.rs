//! Arcs: curves found again in the straight moves of a path, for firmware that takes them.
//!
//! An arc replaces moves only where it leaves none of them by more than the tolerance, turns one way and lays
//! the plastic as evenly as they did; it is fed exactly what they were fed together. Made at the last hop: a
//! toolpath itself has straight moves only.

use super::Point;
use crate::units::{Feed, Micrometres};
use alloc::vec::Vec;

/// One move of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// Straight.
    Line {
        /// Where it ends.
        to: Point,
        /// Filament fed on it.
        feed: Feed,
    },
    /// Along a circle.
    Arc {
        /// Where it ends.
        to: Point,
        /// The circle's centre, seen from where the arc begins.
        centre: Point,
        /// Which way round.
        turn: Turn,
        /// Filament fed on it.
        feed: Feed,
    },
}

/// Which way round an arc goes, seen from above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// With the clock.
    Clockwise,
    /// Against it.
    Counterclockwise,
}

/// Fewest moves that are worth an arc.
const FEWEST: usize = 3;

/// Smallest and largest radius, in micrometres: below, lines do; above, firmware runs out of figures.
const RADII: core::ops::RangeInclusive<f64> = 300.0..=1e6;

/// Widest arc, in radians: whole circles are read differently by different firmware.
const WIDEST: f64 = 6.0;

/// How unevenly the moves may have been fed, as a share and in 10⁻⁵ mm for the rounding of each.
const UNEVEN: (f64, f64) = (0.01, 2.0);

/// The moves from `from` through `points`, with arcs that leave them by at most `tolerance`.
pub fn fit_arcs(from: Point, points: &[(Point, Feed)], tolerance: Micrometres) -> Vec<Curve> {
    let path = Path { from, points, tolerance: f64::from(tolerance.0) };
    let mut curves = Vec::with_capacity(points.len());
    let mut at = 0;
    while at < points.len() {
        let (count, curve) = path.longest(at);
        curves.push(curve);
        at += count;
    }
    curves
}

struct Path<'a> {
    from: Point,
    points: &'a [(Point, Feed)],
    tolerance: f64,
}

impl Path<'_> {
    /// Where the `nth` move begins.
    fn start(&self, nth: usize) -> Point {
        nth.checked_sub(1).map_or(self.from, |before| self.points[before].0)
    }

    /// The longest arc from a move on, or that move: doubled until it fits no more, then halved in between.
    fn longest(&self, first: usize) -> (usize, Curve) {
        let (to, feed) = self.points[first];
        let mut best = (1, Curve::Line { to, feed });
        let (mut fits, mut step) = (0, FEWEST);
        while step > 0 {
            match self.arc(first, fits + step) {
                Some(arc) => {
                    best = (fits + step, arc);
                    fits += step;
                    step *= 2;
                }
                None if fits == 0 => break,
                None => step = (step / 2).min(self.points.len() - first - fits),
            }
        }
        best
    }

    /// `count` moves from `first` on as one arc, if they are one.
    fn arc(&self, first: usize, count: usize) -> Option<Curve> {
        let moves = self.points.get(first..first + count)?;
        let start = self.start(first);
        let to = moves[count - 1].0;
        let centre = centre(start, moves[count / 2 - 1].0, to)?;
        let turn = self.turn(start, centre, moves)?;
        let feed = even(start, moves)?;
        let centre = Point { x: centre.0.round() as i32, y: centre.1.round() as i32 };
        Some(Curve::Arc { to, centre, turn, feed })
    }

    /// Which way the moves go round, if all of them go the same way and close enough to the circle.
    fn turn(&self, start: Point, centre: (f64, f64), moves: &[(Point, Feed)]) -> Option<Turn> {
        let radius = centre.0.hypot(centre.1);
        if !RADII.contains(&radius) {
            return None;
        }
        let (mut at, mut swept) = ((-centre.0, -centre.1), 0.0);
        for (to, _) in moves {
            let (x, y) = between(start, *to);
            let next = (x - centre.0, y - centre.1);
            let half = (next.0 - at.0).hypot(next.1 - at.1) / 2.0;
            let bulge = radius - (radius * radius - half * half).max(0.0).sqrt();
            if (next.0.hypot(next.1) - radius).abs() + bulge > self.tolerance {
                return None;
            }
            let angle = (at.0 * next.1 - at.1 * next.0).atan2(at.0 * next.0 + at.1 * next.1);
            if angle * swept < 0.0 || angle == 0.0 {
                return None;
            }
            swept += angle;
            at = next;
        }
        let turn = if swept > 0.0 { Turn::Counterclockwise } else { Turn::Clockwise };
        (swept.abs() <= WIDEST).then_some(turn)
    }
}

/// All that the moves are fed, if each is fed by its length.
fn even(start: Point, moves: &[(Point, Feed)]) -> Option<Feed> {
    let mut at = start;
    let lengths: Vec<f64> = moves
        .iter()
        .map(|(to, _)| {
            let (x, y) = between(core::mem::replace(&mut at, *to), *to);
            x.hypot(y)
        })
        .collect();
    let fed: i64 = moves.iter().map(|(_, feed)| i64::from(feed.0)).sum();
    let rate = fed as f64 / lengths.iter().sum::<f64>();
    let as_due = |(length, (_, feed)): (&f64, &(Point, Feed))| {
        let due = length * rate;
        (f64::from(feed.0) - due).abs() <= due.abs() * UNEVEN.0 + UNEVEN.1
    };
    let evenly = lengths.iter().zip(moves).all(as_due);
    evenly.then(|| i32::try_from(fed).ok().map(Feed))?
}

/// The centre of the circle through three points, seen from the first; nothing if they lie in line.
fn centre(first: Point, middle: Point, last: Point) -> Option<(f64, f64)> {
    let ((ax, ay), (bx, by)) = (between(first, middle), between(first, last));
    let cross = 2.0 * (ax * by - ay * bx);
    if cross.abs() < 1.0 {
        return None;
    }
    let (a, b) = (ax * ax + ay * ay, bx * bx + by * by);
    Some(((by * a - ay * b) / cross, (ax * b - bx * a) / cross))
}

fn between(from: Point, to: Point) -> (f64, f64) {
    (f64::from(to.x) - f64::from(from.x), f64::from(to.y) - f64::from(from.y))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` moves along a circle of this radius around (50 mm, 50 mm), fed by their length.
    fn ring(radius: f64, degrees: f64, count: usize) -> (Point, Vec<(Point, Feed)>) {
        let at = |nth: usize| {
            let angle = (degrees * nth as f64 / count as f64).to_radians();
            let round = |offset: f64| 50_000 + (radius * offset).round() as i32;
            Point { x: round(angle.cos()), y: round(angle.sin()) }
        };
        let points = (1..=count).map(|nth| {
            let (x, y) = between(at(nth - 1), at(nth));
            (at(nth), Feed((x.hypot(y) * 3.7).round() as i32))
        });
        (at(0), points.collect())
    }

    fn fed(curves: &[Curve]) -> i64 {
        let of = |curve: &Curve| match curve {
            Curve::Line { feed, .. } | Curve::Arc { feed, .. } => i64::from(feed.0),
        };
        curves.iter().map(of).sum()
    }

    #[test]
    fn a_quarter_ring_is_one_arc_fed_what_its_lines_were() {
        for degrees in [90.0, -90.0] {
            let (from, points) = ring(10_000.0, degrees, 40);
            let curves = fit_arcs(from, &points, Micrometres(20));
            let [Curve::Arc { to, centre, turn, feed }] = curves[..] else { panic!("one arc: {curves:?}") };
            assert_eq!(to, points[39].0);
            assert!((centre.x + 10_000).abs() <= 2 && centre.y.abs() <= 2, "{centre:?}");
            assert_eq!(turn, if degrees > 0.0 { Turn::Counterclockwise } else { Turn::Clockwise });
            assert_eq!(i64::from(feed.0), points.iter().map(|(_, feed)| i64::from(feed.0)).sum::<i64>());
        }
    }

    #[test]
    fn a_ring_too_coarse_for_the_tolerance_stays_lines() {
        let (from, points) = ring(10_000.0, 360.0, 24);
        let bulge = 10_000.0 * (1.0 - (core::f64::consts::PI / 24.0).cos());
        let arcs = |tolerance: f64| {
            let curves = fit_arcs(from, &points, Micrometres(tolerance as i32));
            curves.iter().filter(|curve| matches!(curve, Curve::Arc { .. })).count()
        };
        assert_eq!((arcs(bulge - 2.0), arcs(bulge + 2.0)), (0, 1));
    }

    #[test]
    fn a_ring_is_parted_before_it_is_whole_and_nothing_fed_is_lost() {
        let (from, points) = ring(8_000.0, 360.0, 200);
        let curves = fit_arcs(from, &points, Micrometres(10));
        assert_eq!(curves.len(), 2, "{curves:?}");
        assert_eq!(fed(&curves), points.iter().map(|(_, feed)| i64::from(feed.0)).sum::<i64>());
    }

    #[test]
    fn corners_and_uneven_feeds_stay_lines() {
        let zigzag: Vec<_> =
            (1..20).map(|nth| (Point { x: nth * 1000, y: nth % 2 * 800 }, Feed(4_000))).collect();
        assert_eq!(fit_arcs(Point::default(), &zigzag, Micrometres(20)).len(), 19);
        let (from, mut points) = ring(10_000.0, 90.0, 40);
        points[20].1 = Feed(points[20].1.0 * 2);
        let lines = fit_arcs(from, &points, Micrometres(20))
            .iter()
            .filter(|c| matches!(c, Curve::Line { .. }))
            .count();
        assert!(lines > 0, "the thick move is told apart");
    }
}
