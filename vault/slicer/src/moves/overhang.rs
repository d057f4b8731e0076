//! How much of a line the layer below carries, so that what hangs over is laid slowly.
//!
//! Looked up point by point in the outline below, at most a step apart, and only for walls and for undersides that are
//! no bridge: no region is cut.
//! What is carried by less than a quarter of a line more or less is not told apart.

use super::crossing::Fence;
use crate::geometry::{IntPoint, Region, distance, towards};
use crate::trace::{Trace, TraceShape};
use layerlock_terms::toolpath::Feature;

/// Longest way between two looks, in micrometres.
const STEP: f64 = 1_000.0;

/// How near an edge is looked for at the least, in micrometres: over half a step, so that no edge is stepped over.
const NEAR: i32 = 600;

/// Hanging pieces shorter than this are not worth a change of speed, and carried ones between two that hang
/// even less, in micrometres.
const SHORTEST: f64 = 800.0;

/// How far a line hangs over, in steps of a quarter of its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hang {
    /// Less than a quarter of it.
    Carried,
    /// Up to half of it.
    Little,
    /// Up to three quarters of it.
    Much,
    /// Nearly all of it.
    Free,
}

impl Hang {
    /// By the share of the line that nothing is under.
    fn of(share: f64) -> Self {
        match share {
            ..0.25 => Self::Carried,
            0.25..0.5 => Self::Little,
            0.5..0.75 => Self::Much,
            _ => Self::Free,
        }
    }

    /// A speed between `carried` and `free` by how far it hangs.
    pub(super) fn between(self, carried: u32, free: u32) -> u32 {
        let thirds = self as u32;
        if free >= carried { carried } else { carried - (carried - free) * thirds / 3 }
    }
}

/// The layer below.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    outline: &'a Region,
    fence: Fence,
}

/// Whether the line may reach out over the layer below. An underside that is carried on both sides is a bridge, which has
/// a speed of its own.
pub(super) fn may_hang(trace: &Trace) -> bool {
    trace.is_wall() || trace.feature == Feature::BottomSurface
}

/// A piece of a trace that hangs equally far.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) hang: Hang,
    /// Points after the one where the piece before ended.
    pub(super) points: Vec<IntPoint<i32>>,
}

impl<'a> Ground<'a> {
    pub(super) fn new(outline: &'a Region) -> Self {
        Self { outline, fence: Fence::new(outline) }
    }

    /// A wall's points after its first, in pieces that hang equally far.
    pub(super) fn parted(&self, wall: &Trace) -> Vec<Stretch> {
        let ways = self.ways(wall);
        if ways.iter().all(|way| way.hang == Hang::Carried) {
            return vec![Stretch { hang: Hang::Carried, points: after_first(wall).collect() }];
        }
        let runs = without_short(runs(&ways));
        let mut stretches = Vec::with_capacity(runs.len());
        for (hang, from, to) in runs {
            let inner = ways[from..to].iter().enumerate();
            let kept = inner.filter(|(at, way)| way.ends_at_vertex || from + at + 1 == to);
            let points = kept.map(|(_, way)| way.to).collect();
            stretches.push(Stretch { hang, points });
        }
        stretches
    }

    /// The wall in ways at most a step long, each judged at its middle.
    fn ways(&self, wall: &Trace) -> Vec<Way> {
        let mut ways = Vec::with_capacity(wall.points.len());
        let mut from = wall.points[0];
        let mut last = None;
        for to in after_first(wall) {
            let length = distance(from, to);
            let parts = (length / STEP).ceil().max(1.0);
            let mut start = from;
            for part in 1..=parts as u32 {
                let end = towards(from, to, length * f64::from(part) / parts);
                let end = if f64::from(part) == parts { to } else { end };
                let middle = towards(from, to, length * (f64::from(part) - 0.5) / parts);
                let hang = self.hang(middle, wall.width, &mut last);
                ways.push(Way { hang, to: end, length: distance(start, end), ends_at_vertex: end == to });
                start = end;
            }
            from = to;
        }
        ways
    }

    /// How far a line of this width hangs over at its middle `p`. `last` is whether the last place far from any
    /// edge was over the part: until an edge comes near, the next is so too.
    fn hang(&self, p: IntPoint<i32>, width: i32, last: &mut Option<bool>) -> Hang {
        let half = f64::from(width) / 2.0;
        if let Some(off) = self.fence.offset(p, width.max(NEAR)) {
            *last = None;
            return Hang::of((off + half) / f64::from(width));
        }
        let inside = || self.outline.shapes().iter().any(|shape| crate::geometry::inside(shape, p));
        if *last.get_or_insert_with(inside) { Hang::Carried } else { Hang::Free }
    }
}

/// A short straight piece of a wall.
#[derive(Debug, Clone, Copy)]
struct Way {
    hang: Hang,
    to: IntPoint<i32>,
    length: f64,
    ends_at_vertex: bool,
}

fn after_first(wall: &Trace) -> impl Iterator<Item = IntPoint<i32>> + '_ {
    let back = (wall.shape == TraceShape::Loop).then_some(wall.points[0]);
    wall.points[1..].iter().copied().chain(back)
}

/// Ways that hang equally far, with how long they are together.
#[derive(Debug, Clone, Copy)]
struct Run {
    hang: Hang,
    from: usize,
    to: usize,
    length: f64,
}

fn runs(ways: &[Way]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (at, way) in ways.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.hang == way.hang => (run.to, run.length) = (at + 1, run.length + way.length),
            _ => runs.push(Run { hang: way.hang, from: at, to: at + 1, length: way.length }),
        }
    }
    runs
}

/// The runs with the short ones made part of a neighbour: of the one that hangs further, where there are two.
fn without_short(runs: Vec<Run>) -> Vec<(Hang, usize, usize)> {
    let mut kept: Vec<(Hang, usize, usize)> = Vec::with_capacity(runs.len());
    for (at, run) in runs.iter().enumerate() {
        let neighbours = [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter_map(|n| runs.get(n));
        let further = neighbours.map(|run| run.hang).max().unwrap_or(run.hang);
        let hang = if run.length < SHORTEST { further } else { run.hang };
        match kept.last_mut() {
            Some(last) if last.0 == hang => last.2 = run.to,
            _ => kept.push((hang, run.from, run.to)),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::point;

    fn square(low: i32, high: i32) -> Region {
        Region::wound(&[[(low, low), (high, low), (high, high), (low, high)]
            .map(|(x, y)| point(x, y))
            .to_vec()])
    }

    fn wall(low: i32, high: i32) -> Trace {
        let points = [(low, low), (high, low), (high, high), (low, high)].map(|(x, y)| point(x, y));
        Trace::wall(0, 400, points.to_vec())
    }

    fn hangs(stretches: &[Stretch]) -> Vec<Hang> {
        stretches.iter().map(|stretch| stretch.hang).collect()
    }

    #[test]
    fn an_upright_wall_is_carried_and_keeps_its_points() {
        let outline = square(0, 20_000);
        let parted = Ground::new(&outline).parted(&wall(200, 19_800));
        let all = vec![point(19_800, 200), point(19_800, 19_800), point(200, 19_800), point(200, 200)];
        assert_eq!(parted, [Stretch { hang: Hang::Carried, points: all }]);
    }

    #[test]
    fn a_wall_hangs_by_the_share_of_its_line_that_is_over_nothing() {
        let outline = square(0, 20_000);
        let ground = Ground::new(&outline);
        for (out, hang) in [
            (50, Hang::Carried),
            (150, Hang::Little),
            (250, Hang::Much),
            (350, Hang::Free),
            (3_000, Hang::Free),
        ] {
            let parted = ground.parted(&wall(200 - out, 19_800 + out));
            assert_eq!(hangs(&parted), [hang], "{out} µm out");
        }
    }

    #[test]
    fn an_inner_wall_far_from_every_edge_is_carried() {
        let outline = square(0, 20_000);
        assert_eq!(hangs(&Ground::new(&outline).parted(&wall(5_000, 9_000))), [Hang::Carried]);
    }

    #[test]
    fn a_wall_that_leaves_the_part_is_parted_where_it_does_and_ends_where_it_did() {
        let outline = square(0, 20_000);
        let tongue = Trace::wall(
            0,
            400,
            [(200, 5_000), (40_000, 5_000), (40_000, 9_000), (200, 9_000)].map(|(x, y)| point(x, y)).to_vec(),
        );
        let parted = Ground::new(&outline).parted(&tongue);
        assert_eq!(hangs(&parted), [Hang::Carried, Hang::Free, Hang::Carried]);
        let edge = parted[0].points.last().expect("it has points");
        assert!((edge.x - 20_000).abs() < 1_000 && edge.y == 5_000, "{edge:?}");
        assert_eq!(parted[2].points.last(), Some(&point(200, 5_000)));
    }

    #[test]
    fn no_edge_is_stepped_over() {
        let outline = square(0, 20_000);
        for shift in (0..1_000).step_by(50) {
            let out = Trace::line(
                Feature::BottomSurface,
                400,
                vec![point(15_000 + shift, 5_000), point(28_000 + shift, 5_000)],
            );
            let hangs = hangs(&Ground::new(&outline).parted(&out));
            assert_eq!((hangs[0], hangs[hangs.len() - 1]), (Hang::Carried, Hang::Free), "from {shift} µm");
        }
    }

    #[test]
    fn speeds_lie_between_the_walls_own_and_the_overhangs() {
        let speeds =
            [Hang::Carried, Hang::Little, Hang::Much, Hang::Free].map(|hang| hang.between(2400, 900));
        assert_eq!(speeds, [2400, 1900, 1400, 900]);
        assert_eq!(Hang::Free.between(600, 900), 600);
    }
}
