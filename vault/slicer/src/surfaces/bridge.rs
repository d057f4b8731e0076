//! Bridges: solid places over air, with their lines across the gap they span.

use layerlock_terms::toolpath::Feature;

use super::{ANCHOR, LEDGE, Solid};
use crate::geometry::{Bounds, IntPoint, Region, inside, point};
use crate::infill::{Fit, Hatching, fill};

/// Directions tried, in degrees apart.
const TRIED: [f64; 12] = [0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0, 105.0, 120.0, 135.0, 150.0, 165.0];

/// Distance between the lines a direction is judged by, in micrometres.
const PROBE: f64 = 800.0;

/// A span is safe without support when this share of its lines' length is carried.
const SAFE: f64 = 0.95;

/// The bridges in `solid`, over what `below` does not carry; they reach on into `inside` for something to stand on.
pub(super) fn find(solid: &Region, inside: &Region, below: &Region) -> Vec<Solid> {
    let air = solid.minus(below).opened(LEDGE / 2);
    let mut bridges = Vec::new();
    let mut rest = inside.clone();
    for shape in air.shapes() {
        let span = Region::of_shape(shape);
        let reach = span.grown(ANCHOR).and(&rest);
        if reach.is_empty() {
            continue;
        }
        let (degrees, carried) = best_direction(&reach, below, f64::INFINITY);
        let feature = if carried > 0.5 { Feature::Bridge } else { Feature::BottomSurface };
        rest = rest.minus(&reach);
        bridges.push(Solid { feature, region: reach, degrees });
    }
    bridges
}

/// Whether lines can be laid over `air`, a part of `outline`, that all rest on `below` at both ends and hang free
/// for no more than `longest` micrometres.
pub(crate) fn spans(air: &Region, outline: &Region, below: &Region, longest: i32) -> bool {
    let reach = air.grown(ANCHOR).and(outline);
    let (_, carried) = best_direction(&reach, below, f64::from(longest + 2 * ANCHOR));
    carried > SAFE
}

/// The direction most of whose length is carried at both ends by lines no longer than `longest`, and that share.
fn best_direction(reach: &Region, below: &Region, longest: f64) -> (f64, f64) {
    let ground = Ground::new(below);
    let mut best = (TRIED[0], 0.0);
    for degrees in TRIED {
        let hatching = Hatching { degrees, distance: PROBE, fit: Fit::Each, longest_link: 0.0 };
        let (mut carried, mut all) = (0.0, 0.0);
        for run in fill(reach, &hatching) {
            let (from, to) = (run.points[0], run.points[run.points.len() - 1]);
            let length = crate::geometry::distance(from, to);
            all += length;
            if length > 0.0 && length <= longest && ground.carries(from, to) {
                carried += length;
            }
        }
        let share = if all > 0.0 { carried / all } else { 0.0 };
        if share > best.1 + 0.02 {
            best = (degrees, share);
        }
    }
    best
}

/// What carries, with a box around each shape to look it up quickly.
struct Ground<'a> {
    shapes: Vec<(Bounds, &'a [Vec<IntPoint<i32>>])>,
}

impl<'a> Ground<'a> {
    fn new(region: &'a Region) -> Self {
        let boxed =
            |shape: &'a Vec<Vec<IntPoint<i32>>>| Some((Bounds::of(shape.first()?)?, shape.as_slice()));
        Self { shapes: region.shapes().iter().filter_map(boxed).collect() }
    }

    /// Whether a line stands on something a little in from both of its ends.
    fn carries(&self, from: IntPoint<i32>, to: IntPoint<i32>) -> bool {
        let share = |a: i32, b: i32, part: f64| (f64::from(a) + (f64::from(b) - f64::from(a)) * part) as i32;
        let length = crate::geometry::distance(from, to);
        let part = (300.0 / length).min(0.4);
        let near = |part: f64| point(share(from.x, to.x, part), share(from.y, to.y, part));
        self.holds(near(part)) && self.holds(near(1.0 - part))
    }

    fn holds(&self, p: IntPoint<i32>) -> bool {
        self.shapes.iter().any(|(bounds, shape)| bounds.holds(p) && inside(shape, p))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rectangle(x: i32, y: i32, width: i32, height: i32) -> Region {
        let corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)];
        Region::wound(&[corners.map(|(x, y)| point(x, y)).to_vec()])
    }

    #[test]
    fn a_deck_between_two_pillars_is_bridged_from_one_to_the_other() {
        let pillars =
            Region::united(&[&rectangle(0, 0, 5_000, 10_000), &rectangle(20_000, 0, 5_000, 10_000)]);
        let deck = rectangle(0, 0, 25_000, 10_000);
        let found = find(&deck, &deck, &pillars);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].feature, found[0].degrees), (Feature::Bridge, 0.0));
        let turned = Region::united(&[&rectangle(0, 0, 10_000, 5_000), &rectangle(0, 20_000, 10_000, 5_000)]);
        let deck = rectangle(0, 0, 10_000, 25_000);
        assert_eq!(find(&deck, &deck, &turned)[0].degrees, 90.0);
    }

    #[test]
    fn a_ledge_carried_on_one_side_only_is_no_bridge() {
        let deck = rectangle(0, 0, 10_000, 10_000);
        let found = find(&deck, &deck, &rectangle(0, 0, 4_000, 10_000));
        assert_eq!(found.len(), 1);
        assert_ne!(found[0].degrees, 0.0);
    }

    #[test]
    fn a_gap_is_spanned_when_short_enough_and_a_ledge_never() {
        let deck = rectangle(0, 0, 25_000, 10_000);
        let gap = rectangle(5_000, 0, 15_000, 10_000);
        let pillars = deck.minus(&gap);
        assert!(spans(&gap, &deck, &pillars, 15_000));
        assert!(!spans(&gap, &deck, &pillars, 14_500));
        assert!(!spans(&gap, &rectangle(0, 0, 20_000, 10_000), &rectangle(0, 0, 5_000, 10_000), 50_000));
    }
}
