//! Compensation: outlines moved against what a machine adds to them — walls that come out too thick, holes too
//! narrow, a foot that the bed's heat spreads.
//!
//! A wall is never swallowed: where moving the edges would leave nothing a nozzle can print, the outline stays as
//! the design has it. So does a hole that would close.

use layerlock_terms::profile::{Key, Profile};

use crate::geometry::Region;

/// A restored wall reaches this much further than what was lost, so that it meets what is left, in micrometres.
const SEW: i32 = 20;

/// Less than this is a sharp corner's tip, in square micrometres.
const TIP: f64 = 0.02e6;

/// How far a layer's edges move, in micrometres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compensation {
    /// Outer contours, outwards.
    outer: i32,
    /// Holes, wider.
    holes: i32,
    /// Narrower than this can't be printed.
    thinnest: i32,
}

impl Compensation {
    /// What the profile asks for on this layer.
    pub(crate) fn of(index: u32, profile: &Profile) -> Self {
        let foot = if index == 0 { profile.length(Key::ElephantFoot).0 } else { 0 };
        Self {
            outer: profile.length(Key::XyCompensation).0 - foot,
            holes: profile.length(Key::HoleCompensation).0 + foot,
            thinnest: profile.machine().nozzle.0 / 4,
        }
    }

    /// The outline with its edges moved.
    pub(crate) fn apply(&self, outline: Region) -> Region {
        if self.outer == 0 && self.holes == 0 {
            return outline;
        }
        let shapes: Vec<Region> = outline.shapes().iter().map(|shape| self.moved(shape)).collect();
        let moved = Region::united(&shapes.iter().collect::<Vec<_>>());
        let inward = self.holes.max(-self.outer);
        if inward <= 0 { moved } else { self.restored(moved, &outline, inward) }
    }

    fn moved(&self, shape: &[Vec<crate::geometry::IntPoint<i32>>]) -> Region {
        let alone = |contour| Region::wound(std::slice::from_ref(contour));
        let Some((outer, holes)) = shape.split_first() else { return Region::default() };
        let holes: Vec<Region> = holes
            .iter()
            .map(|hole| {
                let hole = alone(hole);
                let moved = hole.grown(self.holes);
                if moved.is_empty() { hole } else { moved }
            })
            .collect();
        Region::left(&[&alone(outer).grown(self.outer)], &holes.iter().collect::<Vec<_>>())
    }

    /// `moved` and whatever of `outline` it lost whole rather than moved the edge of.
    fn restored(&self, moved: Region, outline: &Region, inward: i32) -> Region {
        let printable = moved.opened(self.thinnest / 2);
        let lost = outline.minus(&printable.grown(inward + SEW)).opened(SEW / 4).without_specks(TIP);
        if lost.is_empty() {
            return moved;
        }
        let whole = lost.grown(inward + 2 * SEW).and(outline);
        Region::united(&[&moved, &whole])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::point;

    fn rectangle(low: (i32, i32), high: (i32, i32)) -> Region {
        let corners = [low, (high.0, low.1), high, (low.0, high.1)];
        Region::wound(&[corners.map(|(x, y)| point(x, y)).to_vec()])
    }

    fn compensation(outer: i32, holes: i32) -> Compensation {
        Compensation { outer, holes, thinnest: 100 }
    }

    #[test]
    fn outer_contours_and_holes_move_on_their_own() {
        let frame = rectangle((0, 0), (20_000, 20_000)).minus(&rectangle((5_000, 5_000), (15_000, 15_000)));
        let area = |outer, holes| compensation(outer, holes).apply(frame.clone()).area();
        let square = |side: f64| side * side;
        assert_eq!(area(0, 0), 300e6);
        assert_eq!(area(100, 0), square(20_200.0) - 100e6);
        assert_eq!(area(-100, 0), square(19_800.0) - 100e6);
        assert_eq!(area(0, 100), 400e6 - square(10_200.0));
        assert_eq!(area(0, -100), 400e6 - square(9_800.0));
    }

    #[test]
    fn a_wall_that_would_vanish_stays_and_its_neighbour_moves() {
        let (block, fin) =
            (rectangle((0, 0), (20_000, 20_000)), rectangle((20_000, 9_800), (30_000, 10_200)));
        let part = Region::united(&[&block, &fin]);
        let moved = compensation(-250, 0).apply(part.clone());
        assert_eq!(moved.shapes().len(), 1, "the fin is still held");
        let bounds = moved.bounds().expect("not empty");
        assert_eq!((bounds.min.x, bounds.min.y, bounds.max.x), (250, 250, 30_000));
        let tip = moved.and(&rectangle((25_000, 0), (30_000, 20_000)));
        assert_eq!(tip.area(), 5_000.0 * 400.0, "as thick as designed");
        assert!(moved.minus(&part).is_empty());
    }

    #[test]
    fn a_thin_part_and_a_small_hole_stay_as_they_are() {
        let fin = rectangle((0, 0), (10_000, 400));
        assert_eq!(compensation(-300, 0).apply(fin.clone()), fin);
        let drilled = rectangle((0, 0), (10_000, 10_000)).minus(&rectangle((4_900, 4_900), (5_100, 5_100)));
        assert_eq!(compensation(0, -150).apply(drilled.clone()), drilled);
    }

    #[test]
    fn a_thin_wall_between_two_holes_stays_when_they_widen() {
        let holes = Region::united(&[
            &rectangle((2_000, 2_000), (4_800, 8_000)),
            &rectangle((5_200, 2_000), (8_000, 8_000)),
        ]);
        let part = rectangle((0, 0), (10_000, 10_000)).minus(&holes);
        let moved = compensation(0, 200).apply(part);
        let bridge = moved.and(&rectangle((4_800, 4_000), (5_200, 6_000)));
        assert_eq!(bridge.area(), 400.0 * 2_000.0);
        assert!(moved.area() < 100e6 - holes.area(), "elsewhere they are wider");
    }
}
