//! Adaptive cubes: small along the part's surface, twice as large with each step away from it.
//!
//! The cubes of the cubic pattern, eight to each larger one, up to one that holds the whole part. A cube is divided
//! where it holds some of the part's surface, and only then are the planes through its middle laid. So a line
//! ends at a wall or on a larger cube's face, which is laid in every layer it ends there: nothing hangs. The
//! surface is the mesh itself, known before the first cut: no layer waits for another.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use super::hatch::{self, Hatch, Node};
use super::{Fit, Hatching};
use crate::geometry::{IntPoint, point};

/// Directions of the three planes' lines against the pattern's own, in degrees.
const WAYS: [f64; 3] = [0.0, 120.0, 240.0];

/// Sizes of cubes, at most: 2^20 of the smallest lie side by side.
const MOST_SIZES: usize = 20;

/// How many divided cubes are remembered while triangles are looked at: neighbours share most.
const REMEMBERED: usize = 1 << 12;

/// Shorter pieces between two walls of a cube are not laid, in micrometres.
const SHORTEST: f64 = 500.0;

/// Which cubes are divided.
#[derive(Debug)]
pub(crate) struct Cells {
    /// Distance of the smallest cubes' faces, in micrometres; the smallest that can be divided are twice as large.
    face: f64,
    /// Direction of the first plane's lines, in degrees.
    degrees: f64,
    /// Divided cubes by size, each list sorted.
    divided: Vec<Vec<u64>>,
}

/// A cube among those of its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cube([i64; 3]);

impl Cells {
    /// Cubes for lines that are `distance` micrometres apart, divided within `margin` of any of the triangles.
    pub(crate) fn new(
        triangles: impl Iterator<Item = [[i32; 3]; 3]>,
        distance: f64,
        degrees: f64,
        margin: f64,
    ) -> Self {
        let mut cells = Self { face: 3.0 * distance * (2.0_f64 / 3.0).sqrt(), degrees, divided: Vec::new() };
        let mut marks =
            Marks { edge: cells.face * 2.0, margin, recent: vec![0; REMEMBERED], all: Vec::new() };
        for triangle in triangles {
            marks.mark(triangle.map(|corner| cells.tilted(corner)));
        }
        let mut size = marks.all;
        while !size.is_empty() && cells.divided.len() < MOST_SIZES {
            size.sort_unstable();
            size.dedup();
            let larger = size.iter().map(|name| packed(Cube(unpacked(*name).0.map(|n| n >> 1)))).collect();
            cells.divided.push(std::mem::replace(&mut size, larger));
        }
        cells
    }

    /// A place as distances from the three planes through the origin.
    fn tilted(&self, at: [i32; 3]) -> [f64; 3] {
        let at = at.map(f64::from);
        WAYS.map(|way| {
            let (sin, cos) = (self.degrees + way).to_radians().sin_cos();
            (2.0_f64 / 3.0).sqrt() * (at[1] * cos - at[0] * sin) + at[2] / 3.0_f64.sqrt()
        })
    }

    fn is_divided(&self, size: usize, cube: Cube) -> bool {
        self.divided.get(size).is_some_and(|list| list.binary_search(&packed(cube)).is_ok())
    }

    /// The size of cube that a plane halves.
    fn halved_by(&self, row: i64) -> usize {
        (row.trailing_zeros() as usize).min(self.divided.len().saturating_sub(1))
    }
}

/// A cube's three numbers in one; they stay far below 2^20 on any bed.
fn packed(cube: Cube) -> u64 {
    cube.0.iter().fold(0, |name, n| name << 21 | ((n + (1 << 20)) & 0x1f_ffff) as u64)
}

fn unpacked(name: u64) -> Cube {
    Cube([42, 21, 0].map(|shift| ((name >> shift) & 0x1f_ffff) as i64 - (1 << 20)))
}

/// Collects the smallest cubes that triangles pass near.
struct Marks {
    edge: f64,
    margin: f64,
    /// Cubes marked lately, by a part of their name.
    recent: Vec<u64>,
    all: Vec<u64>,
}

impl Marks {
    fn mark(&mut self, corners: [[f64; 3]; 3]) {
        let over = |axis: usize| corners.iter().map(move |corner| corner[axis]);
        let low: [i64; 3] = std::array::from_fn(|axis| {
            ((over(axis).fold(f64::MAX, f64::min) - self.margin) / self.edge).floor() as i64
        });
        let high: [i64; 3] = std::array::from_fn(|axis| {
            ((over(axis).fold(f64::MIN, f64::max) + self.margin) / self.edge).floor() as i64
        });
        // A triangle larger than a cube is looked at in four parts: its box would hold cubes it is far from.
        let wide = (0..3).any(|axis| {
            over(axis).fold(f64::MIN, f64::max) - over(axis).fold(f64::MAX, f64::min) > self.edge
        });
        if wide {
            let [a, b, c] = corners;
            let half = |p: [f64; 3], q: [f64; 3]| std::array::from_fn(|axis| f64::midpoint(p[axis], q[axis]));
            let (ab, bc, ca) = (half(a, b), half(b, c), half(c, a));
            return [[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]]
                .into_iter()
                .for_each(|part| self.mark(part));
        }
        for x in low[0]..=high[0] {
            for y in low[1]..=high[1] {
                for z in low[2]..=high[2] {
                    self.keep(packed(Cube([x, y, z])));
                }
            }
        }
    }

    fn keep(&mut self, name: u64) {
        let slot = (name ^ name >> 19 ^ name >> 38) as usize % REMEMBERED;
        // No cube near a bed has the name zero: it would lie a kilometre off.
        if self.recent[slot] != name {
            self.recent[slot] = name;
            self.all.push(name);
        }
    }
}

/// The lines across `shape` where layers end at height `z`.
pub(super) fn cross(shape: &[Vec<IntPoint<i32>>], cells: &Cells, z: i32) -> Hatch {
    let distance = cells.face * 1.5_f64.sqrt();
    let lines = |way: usize| {
        let degrees = cells.degrees + WAYS[way];
        let fit = Fit::Through(-f64::from(z) / SQRT_2);
        let hatch = hatch::cross(shape, &Hatching { degrees, distance, fit, longest_link: 0.0 });
        let ray = Ray { cells, way, z };
        let nodes: Vec<Node> =
            hatch.nodes.chunks_exact(2).flat_map(|line| ray.kept(&line[0], &line[1])).collect();
        Hatch { bodies: vec![Vec::new(); nodes.len() / 2], nodes, distance: distance / 3.0 }
    };
    Hatch::of_all((0..3).map(lines))
}

/// Lines of one of the three planes at one height.
struct Ray<'a> {
    cells: &'a Cells,
    way: usize,
    z: i32,
}

impl Ray<'_> {
    /// The parts of a line that halve divided cubes, two nodes each.
    fn kept(&self, from: &Node, to: &Node) -> Vec<Node> {
        let size = self.cells.halved_by(from.row);
        let edge = self.cells.face * 2.0_f64.powi(size as i32 + 1);
        let origin = self.cells.tilted([from.at.x, from.at.y, self.z]);
        // Along the line, one of the other two distances falls and the other rises.
        let slopes: [f64; 3] = std::array::from_fn(|axis| match (axis + 3 - self.way) % 3 {
            0 => 0.0,
            1 => -FRAC_1_SQRT_2,
            _ => FRAC_1_SQRT_2,
        });
        let length = to.along - from.along;
        let mut kept: Vec<(f64, f64)> = Vec::new();
        let mut at = 0.0;
        while at < length {
            let next =
                (0..3).filter_map(|axis| leaves(origin[axis], slopes[axis], edge, at)).fold(length, f64::min);
            let middle = f64::midpoint(at, next);
            let mut cube: [i64; 3] =
                std::array::from_fn(|axis| ((origin[axis] + slopes[axis] * middle) / edge).floor() as i64);
            cube[self.way] = from.row >> (size + 1);
            if self.cells.is_divided(size, Cube(cube)) {
                match kept.last_mut().filter(|part| part.1 >= at) {
                    Some(part) => part.1 = next,
                    None => kept.push((at, next)),
                }
            }
            at = next;
        }
        kept.retain(|part| part.1 - part.0 > SHORTEST);
        kept.iter().flat_map(|part| [self.node(from, to, part.0), self.node(from, to, part.1)]).collect()
    }

    /// One of a line's ends as it was, or a place on the line where it ends on another.
    fn node(&self, from: &Node, to: &Node, at: f64) -> Node {
        let length = to.along - from.along;
        if at <= 0.0 {
            return *from;
        }
        if at >= length {
            return *to;
        }
        let part = |a: i32, b: i32| (f64::from(a) + f64::from(b - a) * at / length).round() as i32;
        let place = point(part(from.at.x, to.at.x), part(from.at.y, to.at.y));
        Node { at: place, contour: hatch::OFF_EDGE, along: from.along + at, ..*from }
    }
}

/// How far along the line it next passes from one cube to another across this distance, if it does.
fn leaves(origin: f64, slope: f64, edge: f64, at: f64) -> Option<f64> {
    if slope == 0.0 {
        return None;
    }
    let here = (origin + slope * at) / edge;
    let border = if slope > 0.0 { (here + 1e-9).floor() + 1.0 } else { (here - 1e-9).ceil() - 1.0 };
    Some((border * edge - origin) / slope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Region, length_along};
    use crate::infill::joined;

    /// The two triangles of a level square around the middle of a bed.
    fn plate(half: i32, z: i32) -> Vec<[[i32; 3]; 3]> {
        let corner = |x: i32, y: i32| [100_000 + half * x, 100_000 + half * y, z];
        let (a, b, c, d) = (corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1));
        vec![[a, b, c], [a, c, d]]
    }

    fn square(half: i32) -> Region {
        let corner = |x: i32, y: i32| point(100_000 + half * x, 100_000 + half * y);
        Region::wound(&[vec![corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)]])
    }

    fn length(cells: &Cells, half: i32, z: i32) -> f64 {
        let runs = joined(&square(half), |shape| cross(shape, cells, z), 0.0);
        runs.iter().map(|run| length_along(&run.points)).sum()
    }

    #[test]
    fn cubes_names_are_read_back() {
        for cube in [[0, 0, 0], [-5, 7, -1_000], [1_000, -1, 1]] {
            assert_eq!(unpacked(packed(Cube(cube))), Cube(cube));
        }
    }

    #[test]
    fn lines_are_as_dense_as_asked_for_at_a_surface_and_sparser_away_from_it() {
        let cells = Cells::new(plate(40_000, 50_000).into_iter(), 2_000.0, 45.0, 1_000.0);
        let asked = 60_000.0 * 60_000.0 / 2_000.0;
        let near: f64 = (0..10).map(|n| length(&cells, 30_000, 49_800 - n * 20)).sum::<f64>() / 10.0;
        let far: f64 = (0..10).map(|n| length(&cells, 30_000, 20_000 - n * 1_000)).sum::<f64>() / 10.0;
        assert!((near / asked - 1.0).abs() < 0.05, "near: {near} of {asked}");
        assert!(far < asked * 0.45, "far: {far} of {asked}");
        assert!(far > 0.0);
    }

    #[test]
    fn every_line_that_ends_off_the_edge_ends_on_another_line() {
        let cells = Cells::new(plate(20_000, 30_000).into_iter(), 2_000.0, 45.0, 500.0);
        for z in (1_000..30_000).step_by(700) {
            let hatch = cross(&square(19_000).shapes()[0], &cells, z);
            let off = |p: IntPoint<i32>, line: &[Node]| {
                let [a, b] = [line[0].at, line[1].at];
                let way = [f64::from(b.x - a.x), f64::from(b.y - a.y)];
                let to = [f64::from(p.x - a.x), f64::from(p.y - a.y)];
                let along =
                    ((way[0] * to[0] + way[1] * to[1]) / (way[0] * way[0] + way[1] * way[1])).clamp(0.0, 1.0);
                (to[0] - along * way[0]).hypot(to[1] - along * way[1])
            };
            for (at, node) in
                hatch.nodes.iter().enumerate().filter(|(_, node)| node.contour == hatch::OFF_EDGE)
            {
                let others = hatch.nodes.chunks_exact(2).enumerate().filter(|(line, _)| *line != at / 2);
                let nearest = others.map(|(_, line)| off(node.at, line)).fold(f64::MAX, f64::min);
                assert!(nearest < 600.0, "{nearest} at {:?} in {z}", node.at);
            }
        }
    }
}
