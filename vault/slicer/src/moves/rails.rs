//! A way inside the part where the straight one would leave it: along the walls, around whatever is in between.
//!
//! Rails are one wall's lines all around an island. A straight way that meets a rail follows it, the shorter way
//! round, to where it meets that rail for the last time; then corners are cut wherever the part allows. This finds
//! a way, not always the shortest. Where none is found, or none worth going, the nozzle retracts and goes straight.

use super::crossing::Fence;
use crate::geometry::{Bounds, IntPoint, distance, encloses, length_along, point, simplify_open};
use crate::trace::{Trace, TraceShape};

/// How far the way may be from the rail, in micrometres: less than the rail is from the part's edge.
const SLACK: i32 = 150;

/// A way longer than twice the straight one and this is not worth going, in micrometres.
const DETOUR: f64 = 20_000.0;

/// The lines of one wall around an island and its holes.
#[derive(Debug)]
pub(super) struct Rails<'a> {
    loops: Vec<(Bounds, &'a [IntPoint<i32>])>,
}

/// A place on a rail.
#[derive(Debug, Clone, Copy)]
struct Meeting {
    /// How far along the straight way, from 0 to 1.
    share: f64,
    rail: usize,
    /// Which edge of the rail, by the point it begins at.
    edge: usize,
    at: IntPoint<i32>,
}

impl<'a> Rails<'a> {
    /// The rails that an island's traces make: its second wall where it has one, which hides a drop of plastic.
    pub(super) fn new(island: &'a [Trace], perimeters: u32) -> Self {
        let depth = perimeters.saturating_sub(1).min(1) as u8;
        let walls = island.iter().filter(|trace| trace.is_wall() && trace.depth == depth);
        let loops = walls.filter(|trace| trace.shape == TraceShape::Loop);
        Self {
            loops: loops
                .filter_map(|wall| Some((Bounds::of(&wall.points)?, wall.points.as_slice())))
                .collect(),
        }
    }

    /// The points to pass from `from` on, `to` the last, without leaving the part that `fence` is around.
    pub(super) fn way(
        &self,
        from: IntPoint<i32>,
        to: IntPoint<i32>,
        fence: &Fence,
    ) -> Option<Vec<IntPoint<i32>>> {
        if self.loops.is_empty() {
            return None;
        }
        let (mount, leave) = (self.mount(from, 0.0), self.mount(to, 1.0));
        let (a, b) = (mount.map_or(from, |m| m.at), leave.map_or(to, |m| m.at));
        let mut meetings: Vec<Meeting> = mount.into_iter().chain(leave).collect();
        self.meet(&mut meetings, a, b);
        let mut way = vec![from];
        self.follow(&mut way, meetings);
        way.push(to);
        let way = cut_corners(&simplify_open(&way, SLACK), fence)?;
        let worth = 2.0 * distance(from, to) + DETOUR;
        (length_along(&way) <= worth).then(|| way[1..].to_vec())
    }

    /// Where to step on the rails from a place outside them; nothing from a place within.
    fn mount(&self, p: IntPoint<i32>, share: f64) -> Option<Meeting> {
        if self.encloses(p) {
            return None;
        }
        let edges = self.loops.iter().enumerate().flat_map(|(rail, (_, points))| {
            (0..points.len()).map(move |edge| (rail, edge, nearest_on(points, edge, p)))
        });
        let (rail, edge, at) = edges.min_by(|a, b| distance(a.2, p).total_cmp(&distance(b.2, p)))?;
        Some(Meeting { share, rail, edge, at })
    }

    fn encloses(&self, p: IntPoint<i32>) -> bool {
        let around = self.loops.iter().filter(|(bounds, _)| bounds.holds(p));
        around.filter(|(_, points)| encloses(points, p)).count() % 2 == 1
    }

    /// Adds where the straight way from `a` to `b` meets rails.
    fn meet(&self, meetings: &mut Vec<Meeting>, a: IntPoint<i32>, b: IntPoint<i32>) {
        let way = Bounds::of(&[a, b]).expect("two points");
        for (rail, (bounds, points)) in self.loops.iter().enumerate() {
            if !bounds.meets(&way) {
                continue;
            }
            for edge in 0..points.len() {
                let ends = [points[edge], points[(edge + 1) % points.len()]];
                if let Some((share, at)) = crossing(a, b, ends) {
                    meetings.push(Meeting { share, rail, edge, at });
                }
            }
        }
        meetings.sort_by(|a, b| a.share.total_cmp(&b.share).then((a.rail, a.edge).cmp(&(b.rail, b.edge))));
    }

    /// Adds the points passed: from the first meeting with a rail along it to the last, then on.
    fn follow(&self, way: &mut Vec<IntPoint<i32>>, meetings: Vec<Meeting>) {
        let mut rest = meetings.as_slice();
        while let Some(first) = rest.first() {
            let last = rest.iter().rposition(|meeting| meeting.rail == first.rail).unwrap_or(0);
            way.push(first.at);
            way.extend(self.along(first, &rest[last]));
            way.push(rest[last].at);
            rest = &rest[last + 1..];
        }
    }

    /// The rail's points between two places on it, the shorter way round.
    fn along(&self, from: &Meeting, to: &Meeting) -> Vec<IntPoint<i32>> {
        let points = self.loops[from.rail].1;
        let count = points.len();
        let passed = |from: usize, to: usize| {
            let steps = (to + count - from) % count;
            (from + 1..=from + steps).map(move |at| points[at % count])
        };
        let onward: Vec<_> = passed(from.edge, to.edge).collect();
        let mut back: Vec<_> = passed(to.edge, from.edge).collect();
        back.reverse();
        let length = |way: &[IntPoint<i32>]| {
            let ends = way.first().zip(way.last());
            let joins =
                ends.map_or(distance(from.at, to.at), |(a, b)| distance(from.at, *a) + distance(*b, to.at));
            joins + length_along(way)
        };
        if length(&onward) <= length(&back) { onward } else { back }
    }
}

/// The way with every point left out that the part lets one pass by; nothing if a piece leaves the part.
fn cut_corners(way: &[IntPoint<i32>], fence: &Fence) -> Option<Vec<IntPoint<i32>>> {
    let mut kept = vec![way[0]];
    let mut at = 0;
    while at + 1 < way.len() {
        let mut next = at + 1;
        if way[at] != way[next] && !fence.clear(way[at], way[next]) {
            return None;
        }
        while next + 1 < way.len() && fence.clear(way[at], way[next + 1]) {
            next += 1;
        }
        kept.push(way[next]);
        at = next;
    }
    Some(kept)
}

/// The place on a rail's edge nearest to `p`.
fn nearest_on(points: &[IntPoint<i32>], edge: usize, p: IntPoint<i32>) -> IntPoint<i32> {
    let (a, b) = (points[edge], points[(edge + 1) % points.len()]);
    let (dx, dy) = (f64::from(b.x) - f64::from(a.x), f64::from(b.y) - f64::from(a.y));
    let square = dx * dx + dy * dy;
    if square == 0.0 {
        return a;
    }
    let along = (f64::from(p.x) - f64::from(a.x)) * dx + (f64::from(p.y) - f64::from(a.y)) * dy;
    part_way(a, b, (along / square).clamp(0.0, 1.0))
}

/// Where `a`–`b` crosses an edge, and how far along.
fn crossing(a: IntPoint<i32>, b: IntPoint<i32>, [c, d]: [IntPoint<i32>; 2]) -> Option<(f64, IntPoint<i32>)> {
    let side = |p: IntPoint<i32>| {
        let (ux, uy) = (i64::from(d.x) - i64::from(c.x), i64::from(d.y) - i64::from(c.y));
        let (vx, vy) = (i64::from(p.x) - i64::from(c.x), i64::from(p.y) - i64::from(c.y));
        ux * vy - uy * vx
    };
    let across = |p: IntPoint<i32>| {
        let (ux, uy) = (i64::from(b.x) - i64::from(a.x), i64::from(b.y) - i64::from(a.y));
        let (vx, vy) = (i64::from(p.x) - i64::from(a.x), i64::from(p.y) - i64::from(a.y));
        ux * vy - uy * vx
    };
    let (from, to) = (side(a), side(b));
    if (from > 0) == (to > 0) || (across(c) > 0) == (across(d) > 0) {
        return None;
    }
    let share = from as f64 / (from - to) as f64;
    Some((share, part_way(a, b, share)))
}

fn part_way(a: IntPoint<i32>, b: IntPoint<i32>, share: f64) -> IntPoint<i32> {
    let part = |a: i32, b: i32| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as i32;
    point(part(a.x, b.x), part(a.y, b.y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Region;

    fn square(low: i32, high: i32) -> Region {
        let corners = [(low, low), (high, low), (high, high), (low, high)];
        Region::wound(&[corners.map(|(x, y)| point(x, y)).to_vec()])
    }

    /// A frame 10 mm wide around a hole of 10 mm, with its second wall as rails.
    fn frame() -> (Region, Vec<Trace>) {
        let frame = square(0, 30_000).minus(&square(10_000, 20_000));
        let rails = frame.shrunk(600);
        let walls = rails.contours().map(|ring| Trace::wall(1, 450, ring.clone())).collect();
        (frame, walls)
    }

    fn way(from: (i32, i32), to: (i32, i32)) -> Option<Vec<IntPoint<i32>>> {
        let (frame, walls) = frame();
        let (from, to) = (point(from.0, from.1), point(to.0, to.1));
        Rails::new(&walls, 2).way(from, to, &Fence::new(&frame))
    }

    #[test]
    fn a_way_across_a_hole_leads_around_it_and_stays_in_the_part() {
        let from = (2_000, 14_000);
        let way = way(from, (28_000, 14_500)).expect("there is one");
        assert_eq!(way.last(), Some(&point(28_000, 14_500)));
        let all = [&[point(from.0, from.1)], way.as_slice()].concat();
        let fence = Fence::new(&frame().0);
        assert!(all.windows(2).all(|leg| fence.clear(leg[0], leg[1])), "{way:?}");
        assert!(all.iter().all(|p| p.y < 15_000), "below the hole is the shorter way: {way:?}");
        assert!(length_along(&all) < 29_500.0, "corners are cut: {}", length_along(&all));
    }

    #[test]
    fn a_way_from_the_outer_wall_steps_onto_the_rails_first() {
        let way = way((225, 15_000), (29_775, 15_000)).expect("there is one");
        assert!((2..=6).contains(&way.len()), "{way:?}");
    }

    #[test]
    fn there_is_no_way_to_another_island_or_past_a_detour_too_long() {
        assert_eq!(way((2_000, 15_000), (60_000, 15_000)), None);
        // A slot 1 mm wide and 90 mm deep: across it is 3 mm, around it more than 180.
        let slotted = square(0, 100_000).minus(&Region::wound(&[[
            (50_000, 0),
            (51_000, 0),
            (51_000, 90_000),
            (50_000, 90_000),
        ]
        .map(|(x, y)| point(x, y))
        .to_vec()]));
        let walls: Vec<Trace> =
            slotted.shrunk(600).contours().map(|ring| Trace::wall(1, 450, ring.clone())).collect();
        let (rails, fence) = (Rails::new(&walls, 2), Fence::new(&slotted));
        assert_eq!(rails.way(point(49_000, 5_000), point(52_000, 5_000), &fence), None);
        assert!(rails.way(point(49_000, 85_000), point(52_000, 85_000), &fence).is_some());
    }

    #[test]
    fn a_part_with_one_wall_has_it_for_rails() {
        let (frame, _) = frame();
        let walls: Vec<Trace> =
            frame.shrunk(225).contours().map(|ring| Trace::wall(0, 450, ring.clone())).collect();
        let rails = Rails::new(&walls, 1);
        assert!(rails.way(point(2_000, 14_000), point(28_000, 14_500), &Fence::new(&frame)).is_some());
        assert!(
            Rails::new(&walls, 2)
                .way(point(2_000, 14_000), point(28_000, 14_500), &Fence::new(&frame))
                .is_none()
        );
    }
}
