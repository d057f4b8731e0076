//! The spiral vase: above a solid bottom, one wall of one loop that rises without an end or a seam.
//!
//! Each layer is one turn. It begins where the last one ended and climbs by the layer's height; on its way it leaves
//! the loop of the layer below and reaches its own, so that a leaning wall has no step either. The first turn begins
//! at no height and is fed accordingly; a last one stays level and closes the rim. Turns depend on the turn before,
//! so they are laid in order, on one thread: they cost little. Deliberately absent: infill, tops, supports, islands.

use layerlock_terms::profile::{Key, Profile, Support};
use layerlock_terms::toolpath::{Feature, Layer, Path, Rate, Step};
use layerlock_terms::units::{Feed, Micrometres};

use crate::error::SliceError;
use crate::estimate::Spent;
use crate::flow::rate;
use crate::geometry::{Bounds, IntPoint, Region, distance, length_along, point, towards};
use crate::layers::Slab;
use crate::moves::{LIFT_SPEED, complete, feature_speed, step_point};

/// Islands smaller than this share of the largest are lost, not refused: crumbs of a ragged mesh.
const CRUMB: f64 = 0.02;

/// A turn leans on the one below only where they are this near, in widths of a line.
const NEAR: f64 = 2.0;

/// A loop less than this many lines broad is a tip's.
const TIP: i32 = 4;

/// A turn that would begin this near to a corner begins in it, in micrometres.
const CORNER: f64 = 50.0;

/// Where the last turn ended, and its loop from there.
#[derive(Debug)]
struct Turn {
    ring: Vec<IntPoint<i32>>,
    end: IntPoint<i32>,
}

/// Winds turns around a part, from the bottom up.
#[derive(Debug)]
pub(crate) struct Spiral<'a> {
    profile: &'a Profile,
    last: Option<Turn>,
    reached: Reached,
}

impl<'a> Spiral<'a> {
    /// The spiral the profile asks for, if it does.
    pub(crate) fn asked(profile: &'a Profile) -> Result<Option<Self>, SliceError> {
        if !profile.on(Key::SpiralVase) {
            return Ok(None);
        }
        if profile.support() != Support::Off {
            return Err(SliceError::Contradiction { setting: "spiral-vase", with: "support" });
        }
        Ok(Some(Self { profile, last: None, reached: Reached::Wall }))
    }

    /// The layer that is the first turn; those below are solid.
    pub(crate) fn begins(&self) -> u32 {
        self.profile.count(Key::BottomLayers).max(1)
    }

    /// The layer of the next turn, and how long it takes; `next` is the outline of the layer above.
    pub(crate) fn turn(
        &mut self,
        outline: &Region,
        next: Option<&Region>,
        slab: Slab,
    ) -> Result<(Layer, Spent), SliceError> {
        let Some(ring) = self.ring(outline, slab)? else {
            self.end(slab)?;
            return Ok(complete(Vec::new(), slab, self.profile));
        };
        if let Reached::Tip { gap } = self.reached {
            return Err(SliceError::VaseGap { layer: gap.index, z: Micrometres(gap.top) });
        }
        let ring = from_nearest(ring, self.last.as_ref().map(|last| last.end));
        let width = self.profile.length(Key::OuterLineWidth).0;
        let points = match &self.last {
            Some(last) => blended(&ring, last, f64::from(width) * NEAR),
            None => closed(&ring),
        };
        let mut steps = self.approach(points[0], slab);
        let ramp = if self.last.is_none() { Ramp::Up } else { Ramp::Level };
        steps.push(self.path(&points, ramp, Some(slab.top), slab));
        if next.is_none_or(|next| self.loops(next).is_empty()) {
            steps.push(self.path(&closed(&ring), Ramp::Down, None, slab));
        }
        self.last = Some(Turn { end: ring[0], ring });
        Ok(complete(steps, slab, self.profile))
    }

    /// A layer too thin for the wall is a tip's if the loop below it was a tip's; elsewhere it would be lost.
    fn end(&mut self, slab: Slab) -> Result<(), SliceError> {
        let broad = TIP * self.profile.length(Key::OuterLineWidth).0;
        let bounds = self.last.as_ref().and_then(|last| Bounds::of(&last.ring));
        let tip = bounds.is_some_and(|b| b.max.x - b.min.x < broad && b.max.y - b.min.y < broad);
        if !tip {
            return Err(SliceError::VaseGap { layer: slab.index, z: Micrometres(slab.top) });
        }
        if self.reached == Reached::Wall {
            self.reached = Reached::Tip { gap: slab };
        }
        Ok(())
    }

    /// The wall's loops: the middle of a line along each island's outer contour.
    fn loops(&self, outline: &Region) -> Region {
        let outer: Vec<_> = outline.shapes().iter().filter_map(|shape| shape.first().cloned()).collect();
        Region::wound(&outer).shrunk(self.profile.length(Key::OuterLineWidth).0 / 2)
    }

    /// The only island's loop, if a line fits along it.
    fn ring(&self, outline: &Region, slab: Slab) -> Result<Option<Vec<IntPoint<i32>>>, SliceError> {
        let loops = self.loops(outline);
        let area = |shape: &Vec<Vec<IntPoint<i32>>>| Region::of_shape(&shape[..1]).area();
        let Some(largest) = loops.shapes().iter().max_by(|a, b| area(a).total_cmp(&area(b))) else {
            return Ok(None);
        };
        let islands = loops.shapes().iter().filter(|shape| area(shape) > CRUMB * area(largest)).count();
        if islands > 1 {
            return Err(SliceError::VaseIslands { layer: slab.index, z: Micrometres(slab.top), islands });
        }
        Ok(Some(largest[0].clone()))
    }

    /// To where the turn begins. From one turn to the next that is where the nozzle is: the steps say so for a machine
    /// that begins at this layer, and move nothing otherwise.
    fn approach(&self, to: IntPoint<i32>, slab: Slab) -> Vec<Step> {
        let length = self.profile.filament(Key::RetractLength);
        let speed = self.profile.speed(Key::RetractSpeed);
        let lift = Step::Lift { z: Micrometres(slab.bottom()), speed: LIFT_SPEED };
        let travel = Step::Travel { to: vec![step_point(to)], speed: self.profile.speed(Key::TravelSpeed) };
        if self.last.is_some() || length.0 == 0 {
            return vec![lift, travel];
        }
        // The solid layer below ended with the filament pulled back.
        vec![lift, travel, Step::Prime { length, speed }]
    }

    fn path(&self, points: &[IntPoint<i32>], ramp: Ramp, climb: Option<i32>, slab: Slab) -> Step {
        let width = self.profile.length(Key::OuterLineWidth);
        let rate = rate(Feature::OuterPerimeter, width.0, slab.height, self.profile);
        Step::Extrude(Path {
            feature: Feature::OuterPerimeter,
            width,
            speed: feature_speed(Feature::OuterPerimeter, slab.index, self.profile),
            climb: climb.map(Micrometres),
            points: fed(points, rate, ramp),
        })
    }
}

/// How far up the wall is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Wall,
    /// Past a tip too thin for a line, from this layer on.
    Tip {
        gap: Slab,
    },
}

/// How thick the wall is along a turn: it begins as a wedge and ends as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ramp {
    Up,
    Level,
    Down,
}

/// The points after the first, each with the filament fed on the way there.
fn fed(points: &[IntPoint<i32>], rate: Rate, ramp: Ramp) -> Vec<(layerlock_terms::toolpath::Point, Feed)> {
    let whole: f64 = points.windows(2).map(|pair| distance(pair[0], pair[1])).sum();
    let mut way = 0.0;
    let mut fed = Vec::with_capacity(points.len());
    for pair in points.windows(2).filter(|pair| pair[0] != pair[1]) {
        let step = distance(pair[0], pair[1]);
        let middle = (way + step / 2.0) / whole;
        way += step;
        let share = match ramp {
            Ramp::Up => middle,
            Ramp::Level => 1.0,
            Ramp::Down => 1.0 - middle,
        };
        let (dx, dy) =
            (i64::from(pair[1].x) - i64::from(pair[0].x), i64::from(pair[1].y) - i64::from(pair[0].y));
        let full = rate.feed(dx, dy);
        let feed = if ramp == Ramp::Level { full } else { Feed((f64::from(full.0) * share).round() as i32) };
        fed.push((step_point(pair[1]), feed));
    }
    fed
}

/// The loop from its place nearest to `at` on; from its rearmost point where there is none.
fn from_nearest(mut ring: Vec<IntPoint<i32>>, at: Option<IntPoint<i32>>) -> Vec<IntPoint<i32>> {
    let Some(at) = at else {
        let rear = (0..ring.len()).max_by_key(|index| (ring[*index].y, ring[*index].x)).unwrap_or(0);
        ring.rotate_left(rear);
        return ring;
    };
    let places = (0..ring.len()).map(|edge| (edge, nearest(at, ring[edge], ring[(edge + 1) % ring.len()])));
    let Some((edge, place)) = places.min_by(|a, b| distance(a.1, at).total_cmp(&distance(b.1, at))) else {
        return ring;
    };
    let corner = [edge, (edge + 1) % ring.len()].into_iter().find(|at| distance(ring[*at], place) < CORNER);
    if let Some(corner) = corner {
        ring.rotate_left(corner);
        return ring;
    }
    ring.rotate_left(edge + 1);
    ring.insert(0, place);
    ring
}

/// The loop's points, the first one again at the end.
fn closed(ring: &[IntPoint<i32>]) -> Vec<IntPoint<i32>> {
    ring.iter().copied().chain(ring.first().copied()).collect()
}

/// The turn from where the last one ended to the loop's own first point: each place as far from the last turn's loop
/// to its own as the turn has come.
fn blended(ring: &[IntPoint<i32>], last: &Turn, near: f64) -> Vec<IntPoint<i32>> {
    let count = ring.len();
    let whole = length_along(&closed(ring));
    let mut below = Below::new(last, near);
    let mut points = vec![last.end];
    let mut way = 0.0;
    for at in 1..=count {
        let to = ring[at % count];
        let step = distance(ring[at - 1], to);
        way += step;
        let from = below.partner(to, step, way / whole);
        let share = if distance(from, to) > near { 1.0 } else { way / whole };
        let part = |a: i32, b: i32| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as i32;
        points.push(point(part(from.x, to.x), part(from.y, to.y)));
    }
    // Sums of floats end a hair off one; the next turn begins exactly here.
    points[count] = ring[0];
    points
}

/// The loop below, walked beside the turn.
struct Below<'a> {
    ring: &'a [IntPoint<i32>],
    near: f64,
    whole: f64,
    /// The edge nearest to the turn.
    edge: usize,
    /// The edge as far along, and the way to where it begins.
    along: (usize, f64),
}

impl<'a> Below<'a> {
    fn new(last: &'a Turn, near: f64) -> Self {
        Self { ring: &last.ring, near, whole: length_along(&closed(&last.ring)), edge: 0, along: (0, 0.0) }
    }

    /// The place below `to`, which is `step` on from the last one asked for and `share` of the whole turn: corners are
    /// under corners where the loops are alike, else what is nearest is below.
    fn partner(&mut self, to: IntPoint<i32>, step: f64, share: f64) -> IntPoint<i32> {
        let (edge, nearest) = follow(self.ring, self.edge, to, step + self.near);
        self.edge = edge;
        let alike = self.at(share);
        if distance(alike, to) <= 1.5 * distance(nearest, to) + 10.0 { alike } else { nearest }
    }

    /// The place this share of the loop along. Shares must be asked for upwards.
    fn at(&mut self, share: f64) -> IntPoint<i32> {
        let way = share * self.whole;
        let ends = |edge: usize| (self.ring[edge], self.ring[(edge + 1) % self.ring.len()]);
        let (mut edge, mut begun) = self.along;
        loop {
            let (a, b) = ends(edge);
            let length = distance(a, b);
            if begun + length >= way || edge + 1 == self.ring.len() {
                self.along = (edge, begun);
                return towards(a, b, (way - begun).min(length));
            }
            (edge, begun) = (edge + 1, begun + length);
        }
    }
}

/// The place nearest to `to` on the loop, no further along than `reach` from edge `from` on, and its edge.
fn follow(ring: &[IntPoint<i32>], from: usize, to: IntPoint<i32>, reach: f64) -> (usize, IntPoint<i32>) {
    let ends = |edge: usize| (ring[edge % ring.len()], ring[(edge + 1) % ring.len()]);
    let (mut best, mut at) = ((from, nearest(to, ends(from).0, ends(from).1)), from);
    // The edge begun on may be far from done: what is left of it does not count.
    let mut passed = -distance(ends(from).0, ends(from).1);
    while passed < reach && at < from + ring.len() {
        let (a, b) = ends(at);
        let place = nearest(to, a, b);
        if distance(place, to) < distance(best.1, to) {
            best = (at, place);
        }
        passed += distance(a, b);
        at += 1;
    }
    best
}

/// The place between `a` and `b` nearest to `p`.
fn nearest(p: IntPoint<i32>, a: IntPoint<i32>, b: IntPoint<i32>) -> IntPoint<i32> {
    let (dx, dy) = (f64::from(b.x) - f64::from(a.x), f64::from(b.y) - f64::from(a.y));
    let square = dx * dx + dy * dy;
    if square == 0.0 {
        return a;
    }
    let along = (f64::from(p.x) - f64::from(a.x)) * dx + (f64::from(p.y) - f64::from(a.y)) * dy;
    let share = (along / square).clamp(0.0, 1.0);
    point((f64::from(a.x) + dx * share).round() as i32, (f64::from(a.y) + dy * share).round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(half: i32) -> Vec<IntPoint<i32>> {
        [(half, half), (-half, half), (-half, -half), (half, -half)].map(|(x, y)| point(x, y)).to_vec()
    }

    #[test]
    fn a_loop_begins_at_its_place_nearest_to_where_the_last_one_ended() {
        let ring = from_nearest(square(10_000), Some(point(300, 10_700)));
        assert_eq!((ring[0], ring.len()), (point(300, 10_000), 5));
        let at_corner = from_nearest(square(10_000), Some(point(-10_500, 10_500)));
        assert_eq!((at_corner[0], at_corner.len()), (point(-10_000, 10_000), 4));
    }

    #[test]
    fn a_turn_leaves_the_loop_below_and_ends_on_its_own() {
        let last = Turn { end: point(0, 10_000), ring: from_nearest(square(10_000), Some(point(0, 10_000))) };
        let ring = from_nearest(square(9_800), Some(last.end));
        let points = blended(&ring, &last, 900.0);
        assert_eq!((points[0], points[points.len() - 1]), (point(0, 10_000), point(0, 9_800)));
        // Corners after an eighth, three, five and seven eighths of the way.
        let corners: Vec<i32> = points[1..5].iter().map(|p| p.x.abs()).collect();
        assert_eq!(corners, [9_975, 9_925, 9_875, 9_825]);
    }
}
