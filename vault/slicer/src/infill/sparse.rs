//! The patterns of sparse places, each as the hatch it is at one height.
//!
//! A pattern's own lines are as long together as its density asks for; the stretches of edge that join them come
//! on top. A layer may have more or less of a gyroid than the next; over a turn of it the sum is right.

use std::f64::consts::SQRT_2;

use layerlock_terms::profile::Infill;

use super::hatch::Hatch;
use super::{Cells, Fit, Hatching, Run, adaptive, gyroid, hatch, joined, rings};
use crate::geometry::{Bounds, IntPoint, Region, distance, length_along, midpoint, point};

/// Lines are joined along the wall up to this many times their distance.
const LONGEST: f64 = 2.5;

/// A sparse pattern at one height.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lattice<'a> {
    pub(crate) pattern: Infill,
    /// How far parallel lines of the same density would be apart, in micrometres.
    pub(crate) distance: f64,
    /// Direction of a pattern's first lines, in degrees.
    pub(crate) degrees: f64,
    /// Height of the layer's top in micrometres.
    pub(crate) z: i32,
    pub(crate) phase: Phase,
    /// Which cubes are divided; adaptive cubes alone ask for it.
    pub(crate) cells: Option<&'a Cells>,
}

/// Where a pattern that is the same in every layer lies.
///
/// Where lines are far apart, it depends on this alone whether a part gets one more or one less of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    /// The middle of the part.
    pub(crate) middle: IntPoint<i32>,
    /// How far from there a line lies, or how far the first ring is from the edge, in micrometres.
    pub(crate) shift: f64,
}

impl Phase {
    /// The phase in which a pattern lays what its density asks for in a box of this height, whatever the lattice's
    /// own is.
    pub(crate) fn fitted(within: Bounds, height: i32, lattice: &Lattice<'_>) -> Self {
        let middle = midpoint(within.min, within.max);
        let breadth = (within.max.x - within.min.x).min(within.max.y - within.min.y);
        if f64::from(breadth) > lattice.distance * lattice.ways() * MANY {
            return Self { middle, shift: lattice.distance / 2.0 };
        }
        let heights = if lattice.pattern == Infill::Cubic { HEIGHTS } else { 1 };
        let corner = |at: IntPoint<i32>, across: IntPoint<i32>| point(at.x, across.y);
        let (low, high) = (within.min, within.max);
        let room = Region::wound(&[vec![low, corner(high, low), high, corner(low, high)]]);
        let asked = room.area() / lattice.distance * f64::from(heights);
        let tried = (0..TRIED).map(|nth| {
            let shift = lattice.distance * lattice.ways() * f64::from(nth) / f64::from(TRIED);
            Self { middle, shift }
        });
        let laid = |phase: &Self| -> f64 {
            let z = |nth: i32| (2 * nth + 1) * (height / (2 * heights));
            (0..heights).map(|nth| length(&room, &Lattice { phase: *phase, z: z(nth), ..*lattice })).sum()
        };
        let off = |phase: &Self| (laid(phase) - asked).abs();
        tried.min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(Self { middle, shift: 0.0 })
    }
}

/// Phases that are tried.
const TRIED: u32 = 48;

/// Where more lines than this lie side by side, one more or less makes no difference.
const MANY: f64 = 24.0;

/// Heights at which patterns are looked at that are not the same in every layer.
const HEIGHTS: i32 = 16;

impl Lattice<'_> {
    /// In how many directions its lines run.
    fn ways(&self) -> f64 {
        match self.pattern {
            Infill::Rectilinear | Infill::Gyroid | Infill::Concentric => 1.0,
            Infill::Grid => 2.0,
            Infill::Triangles | Infill::Cubic | Infill::AdaptiveCubic => 3.0,
        }
    }
}

/// Length of the pattern's own lines in `room`, in micrometres.
fn length(room: &Region, lattice: &Lattice<'_>) -> f64 {
    if lattice.pattern == Infill::Concentric {
        let rings = rings(room, lattice.distance, lattice.phase.shift);
        let closed = |ring: &Vec<_>| length_along(ring) + distance(ring[0], ring[ring.len() - 1]);
        return rings.iter().map(closed).sum();
    }
    let runs = joined(room, |shape| cross(shape, lattice), 0.0);
    runs.iter().map(|run| length_along(&run.points)).sum()
}

/// Runs of the pattern in `region`, whose edge is where the lines' middles may reach. Rings are not among them.
pub(crate) fn fill_sparse(region: &Region, lattice: &Lattice<'_>) -> Vec<Run> {
    joined(region, |shape| cross(shape, lattice), lattice.distance * LONGEST)
}

fn cross(shape: &[Vec<IntPoint<i32>>], lattice: &Lattice<'_>) -> Hatch {
    let Lattice { pattern, distance, degrees, z, phase, cells } = *lattice;
    // The middle one of three ways lies where the other two meet.
    let (one, both) = (phase.shift, phase.shift * 2.0);
    let through = |degrees: f64, shift: f64| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Fit::Through(f64::from(phase.middle.y) * cos - f64::from(phase.middle.x) * sin + shift)
    };
    let ways = |turns: &[(f64, f64)]| {
        let distance = distance * turns.len() as f64;
        let way = |(turn, shift): &(f64, f64)| {
            let fit = through(degrees + turn, *shift);
            let hatching = Hatching { degrees: degrees + turn, distance, fit, longest_link: 0.0 };
            hatch::cross(shape, &hatching)
        };
        Hatch::of_all(turns.iter().map(way))
    };
    match pattern {
        Infill::Rectilinear => ways(&[(0.0, one)]),
        Infill::Grid => ways(&[(0.0, one), (90.0, one)]),
        Infill::Triangles => ways(&[(0.0, one), (60.0, both), (120.0, one)]),
        Infill::Gyroid => gyroid::cross(shape, z, distance),
        Infill::Cubic | Infill::AdaptiveCubic => match cells {
            Some(cells) => adaptive::cross(shape, cells, z),
            None => {
                // 120° apart rather than 60°: the cubes' faces all rise the same way.
                let shift = phase.shift - f64::from(z) / SQRT_2;
                ways(&[(0.0, shift), (120.0, shift), (240.0, shift)])
            }
        },
        Infill::Concentric => Hatch::of_all(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The inside of a block 40 mm wide, around the middle of a bed.
    fn block() -> Region {
        let corner = |x: i32, y: i32| point(125_000 + 19_000 * x, 105_000 + 19_000 * y);
        Region::wound(&[vec![corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)]])
    }

    /// The pattern as it lies in the block.
    fn lattice(pattern: Infill, distance: f64, z: i32) -> Lattice<'static> {
        let phase = Phase { middle: point(0, 0), shift: 0.0 };
        let lattice = Lattice { pattern, distance, degrees: 45.0, z, phase, cells: None };
        Lattice { phase: Phase::fitted(block().bounds().expect("not empty"), 40_000, &lattice), ..lattice }
    }

    /// Length of the pattern's own lines in one layer, against what the distance asks for.
    fn share(lattice: &Lattice<'_>) -> f64 {
        length(&block(), lattice) * lattice.distance / block().area()
    }

    #[test]
    fn every_pattern_lays_what_its_density_asks_for() {
        use Infill::{Concentric, Cubic, Grid, Gyroid, Rectilinear, Triangles};
        let spacing = 407.0;
        for pattern in [Rectilinear, Grid, Gyroid, Triangles, Cubic, Concentric] {
            for percent in [5.0, 20.0, 60.0] {
                let lattice = lattice(pattern, spacing * 100.0 / percent, 0);
                let layers = (1..=200).map(|layer| share(&Lattice { z: layer * 200, ..lattice }));
                let mean = layers.sum::<f64>() / 200.0;
                assert!((mean - 1.0).abs() < 0.02, "{pattern:?} {percent} %: {mean}");
            }
        }
    }

    #[test]
    fn joining_lines_along_the_edge_lays_no_stretch_of_it_twice() {
        for pattern in [Infill::Grid, Infill::Triangles, Infill::Cubic] {
            let lattice = lattice(pattern, 2_035.0, 1_000);
            let runs = fill_sparse(&block(), &lattice);
            let joined: f64 = runs.iter().map(|run| length_along(&run.points)).sum();
            let bare = length(&block(), &lattice);
            let edge = 4.0 * 38_000.0;
            let share = (joined - bare) / edge;
            assert!((0.1..0.65).contains(&share), "{pattern:?}: {share}");
        }
    }

    #[test]
    fn three_lines_of_triangles_meet_in_each_point() {
        let hatch = cross(&block().shapes()[0], &lattice(Infill::Triangles, 2_035.0, 0));
        let lines: Vec<_> = hatch.nodes.chunks_exact(2).map(|line| (line[0].at, line[1].at)).collect();
        let off = |p: [f64; 2], (a, b): &(IntPoint<i32>, IntPoint<i32>)| {
            let way = [f64::from(b.x - a.x), f64::from(b.y - a.y)];
            let to = [p[0] - f64::from(a.x), p[1] - f64::from(a.y)];
            ((way[0] * to[1] - way[1] * to[0]) / way[0].hypot(way[1])).abs()
        };
        let (a, b) = (lines[3], lines[lines.len() / 2]);
        let [u, v] = [a, b].map(|(p, q)| [f64::from(q.x - p.x), f64::from(q.y - p.y)]);
        let across = u[0] * v[1] - u[1] * v[0];
        assert!(across.abs() > 1.0, "the two are of different directions");
        let (dx, dy) = (f64::from(b.0.x - a.0.x), f64::from(b.0.y - a.0.y));
        let t = (dx * v[1] - dy * v[0]) / across;
        let met = [f64::from(a.0.x) + t * u[0], f64::from(a.0.y) + t * u[1]];
        let through = lines.iter().filter(|line| off(met, line) < 5.0).count();
        assert_eq!(through, 3);
    }

    #[test]
    fn a_cubes_lines_move_sideways_as_the_layers_rise_and_come_back_after_a_cube() {
        let at = |z: i32| -> Vec<IntPoint<i32>> {
            let hatch = cross(&block().shapes()[0], &lattice(Infill::Cubic, 2_000.0, z));
            hatch.nodes.iter().map(|node| node.at).collect()
        };
        // Lines 6 mm apart return when the shift, height over the root of two, is 6 mm.
        let period = (6_000.0 * SQRT_2).round() as i32;
        let (low, half, high) = (at(0), at(period / 2), at(period));
        assert_ne!(low, half);
        let near = |p: &IntPoint<i32>| low.iter().any(|q| crate::geometry::distance(*p, *q) < 5.0);
        assert!(high.iter().all(near) && high.len() == low.len());
    }
}
