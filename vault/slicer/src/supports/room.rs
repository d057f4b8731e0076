//! Where a branch's middle may be in each layer.
//!
//! It keeps half the narrowest column away from all that supports must keep clear of, so that something printable
//! is left of every branch wherever the part cuts into it. And where there is a way down to the bed, a branch stays
//! on one: upwards from the bed, a place is cut off where it is taken, or where all it can reach in the layer below
//! is cut off.

use rayon::prelude::*;

use super::plan::Site;
use crate::geometry::{Bounds, IntPoint, Region, distance, inside, point, towards};

/// How exact these places are, in micrometres.
const SKETCH: i32 = 100;

/// What each offset may be off by, on top of half the narrowest column, in micrometres.
const SPARE: i32 = 60;

/// A way to the bed is one for branches that lean by no more than this share of what they may, in percent: the rest
/// makes up for what is lost in rounding from layer to layer.
const CERTAIN: i32 = 75;

/// How far past an edge is surely past it, in micrometres.
const STRIDE: f64 = 15.0;

/// One layer's places.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Where no support may be.
    pub(super) barred: Zone,
    /// Where no branch's middle may be.
    pub(super) taken: Zone,
    /// Where none may be that is to reach the bed.
    pub(super) cut_off: Zone,
    /// Where none may be that is to stand on anything.
    pub(super) lost: Zone,
}

/// The lowest layers' room, one for each of `steps`: how far a branch may lean from this layer to the one below, in micrometres.
pub(super) fn survey(site: &Site<'_>, steps: &[i32]) -> Vec<Room> {
    let apart = half_breadth(site);
    let look = |layer: usize| {
        let barred = site.barred(layer);
        let taken = barred.surrounded(apart + SKETCH).simplified(SKETCH);
        Room { barred: Zone::new(barred), taken: Zone::new(taken), ..Room::default() }
    };
    let mut rooms: Vec<Room> = (0..steps.len()).into_par_iter().map(look).collect();
    let [mut cut_off, mut lost] = [Region::default(), Region::default()];
    for (layer, (room, step)) in rooms.iter_mut().zip(steps).enumerate() {
        let after = |below: &Region| below.surrounded(-step * CERTAIN / 100);
        lost = match site.ground(layer) {
            Some(ground) => Region::united(&[&room.taken.region, &after(&lost).minus(ground)]),
            None => Region::united(&[&room.taken.region, &after(&lost)]),
        };
        cut_off = Region::united(&[&room.taken.region, &after(&cut_off)]);
        room.cut_off = Zone::new(cut_off.clone());
        room.lost = Zone::new(lost.clone());
    }
    rooms
}

/// How far a branch's middle stays from what is barred, in micrometres.
pub(super) fn half_breadth(site: &Site<'_>) -> i32 {
    site.rules.thinnest + SPARE
}

/// A region that points are asked about.
#[derive(Debug, Default)]
pub(super) struct Zone {
    region: Region,
    /// Around each shape.
    bounds: Vec<Bounds>,
}

impl Zone {
    fn new(region: Region) -> Self {
        let around = |shape: &Vec<Vec<IntPoint<i32>>>| Bounds::of(shape.first()?);
        // A shape without points has no bounds, but regions have none such.
        let bounds = region.shapes().iter().filter_map(around).collect();
        Self { region, bounds }
    }

    pub(super) fn holds(&self, p: IntPoint<i32>) -> bool {
        let mut shapes = self.bounds.iter().zip(self.region.shapes());
        shapes.any(|(bounds, shape)| bounds.holds(p) && inside(shape, p))
    }

    /// Whether the straight way between two points leads through; narrower places than `step` may be missed.
    pub(super) fn parts(&self, a: IntPoint<i32>, b: IntPoint<i32>, step: f64) -> bool {
        let count = (distance(a, b) / step) as i32;
        (1..=count).any(|nth| self.holds(towards(a, b, f64::from(nth) * step)))
    }

    /// The nearest point of the edge, and how far it is, if it is nearer than `reach`.
    pub(super) fn edge(&self, p: IntPoint<i32>, reach: f64) -> Option<(IntPoint<i32>, f64)> {
        let mut best = None;
        let mut within = reach;
        for (bounds, shape) in self.bounds.iter().zip(self.region.shapes()) {
            if off(bounds, p) >= within {
                continue;
            }
            for contour in shape {
                let Some(mut from) = contour.last().copied() else { continue };
                for to in contour {
                    let foot = nearest(p, from, *to);
                    let far = distance(p, foot);
                    if far < within {
                        (best, within) = (Some((foot, far)), far);
                    }
                    from = *to;
                }
            }
        }
        best
    }

    /// `p` itself where that is outside, or the nearest place outside that is nearer than `reach`.
    pub(super) fn way_out(&self, p: IntPoint<i32>, reach: f64) -> Option<IntPoint<i32>> {
        if !self.holds(p) {
            return Some(p);
        }
        let (foot, far) = self.edge(p, reach - STRIDE)?;
        // Past the tip of a narrow bay the other side may begin: there are other ways.
        let past = [towards(p, foot, far + STRIDE), foot];
        let around = [0.6, 0.9].map(|share| disc(p, (reach * share) as i32));
        past.into_iter().chain(around.into_iter().flatten()).find(|out| !self.holds(*out))
    }
}

/// How far a point is outside of a box.
fn off(bounds: &Bounds, p: IntPoint<i32>) -> f64 {
    let nearest = point(p.x.clamp(bounds.min.x, bounds.max.x), p.y.clamp(bounds.min.y, bounds.max.y));
    distance(p, nearest)
}

/// The point of a straight line that is nearest to `p`.
fn nearest(p: IntPoint<i32>, a: IntPoint<i32>, b: IntPoint<i32>) -> IntPoint<i32> {
    let way = [f64::from(b.x) - f64::from(a.x), f64::from(b.y) - f64::from(a.y)];
    let from = [f64::from(p.x) - f64::from(a.x), f64::from(p.y) - f64::from(a.y)];
    let square = way[0] * way[0] + way[1] * way[1];
    if square == 0.0 {
        return a;
    }
    let along = ((from[0] * way[0] + from[1] * way[1]) / square).clamp(0.0, 1.0);
    point((f64::from(a.x) + way[0] * along).round() as i32, (f64::from(a.y) + way[1] * along).round() as i32)
}

/// A circle's outside as sixteen corners.
pub(super) fn disc(middle: IntPoint<i32>, radius: i32) -> Vec<IntPoint<i32>> {
    let ways = [
        [1.0, 0.0],
        [0.923_879_532_511_286_7, 0.382_683_432_365_089_8],
        [std::f64::consts::FRAC_1_SQRT_2; 2],
        [0.382_683_432_365_089_8, 0.923_879_532_511_286_7],
    ];
    let far = f64::from(radius) / 0.980_785_280_403_230_4;
    let quarter = ways.map(|[x, y]| [(far * x).round() as i32, (far * y).round() as i32]);
    let turns: [fn([i32; 2]) -> [i32; 2]; 4] =
        [|[x, y]| [x, y], |[x, y]| [-y, x], |[x, y]| [-x, -y], |[x, y]| [y, -x]];
    let corners = turns.iter().flat_map(|turn| quarter.map(turn));
    corners.map(|[x, y]| point(middle.x + x, middle.y + y)).collect()
}
