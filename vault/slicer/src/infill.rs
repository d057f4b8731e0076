//! Filling regions with lines: hatching, and joining the hatch into long runs along the region's edge.
//!
//! `sparse` knows the patterns of sparse places: which hatches each is made of, at which height. Patterns of
//! several directions are one hatch, so that no stretch of edge is laid twice to join them.

mod adaptive;
mod concentric;
mod gyroid;
mod hatch;
mod link;
mod sparse;

use crate::geometry::{IntPoint, Region};

pub(crate) use adaptive::Cells;
pub(crate) use concentric::rings;
pub(crate) use sparse::{Lattice, Phase, fill_sparse};

/// How a region is hatched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hatching {
    /// Direction of the lines, in degrees from the x axis.
    pub(crate) degrees: f64,
    /// Distance between lines, in micrometres.
    pub(crate) distance: f64,
    pub(crate) fit: Fit,
    /// Longest run along the region's edge that joins two lines, in micrometres.
    pub(crate) longest_link: f64,
}

/// Where lines lie across their direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fit {
    /// From edge to edge of each shape, the distance squeezed or stretched a little to come out even.
    Each,
    /// On one grid for all layers, so that lines stand on lines.
    Grid,
    /// On one grid that has a line this far, in micrometres, across from the bed's corner.
    Through(f64),
}

/// Runs of lines that fill `region`, whose edge is where the lines' middles may reach.
pub(crate) fn fill(region: &Region, hatching: &Hatching) -> Vec<Run> {
    fill_solid(region, hatching).0
}

/// Runs of lines that fill `region`, and the stretches of its edge between lines along which none of them runs.
pub(crate) fn fill_solid(region: &Region, hatching: &Hatching) -> (Vec<Run>, Vec<Vec<IntPoint<i32>>>) {
    let (mut runs, mut open) = (Vec::new(), Vec::new());
    for shape in region.shapes() {
        let hatch = hatch::cross(shape, hatching);
        let (joined, left) = link::join_leaving(shape, &hatch, hatching.longest_link);
        runs.extend(joined.into_iter().map(|points| Run { points, distance: hatch.distance }));
        open.extend(left);
    }
    (runs, open)
}

/// Runs of the lines that `hatch` lays across each shape.
fn joined(region: &Region, hatch: impl Fn(&[Vec<IntPoint<i32>>]) -> hatch::Hatch, longest: f64) -> Vec<Run> {
    let mut runs = Vec::new();
    for shape in region.shapes() {
        let hatch = hatch(shape);
        let distance = hatch.distance;
        runs.extend(link::join(shape, &hatch, longest).into_iter().map(|points| Run { points, distance }));
    }
    runs
}

/// One run of joined lines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) points: Vec<IntPoint<i32>>,
    /// The distance between its lines that came out, in micrometres.
    pub(crate) distance: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{length_along, point};

    fn square(side: i32) -> Region {
        Region::wound(&[[(0, 0), (side, 0), (side, side), (0, side)].map(|(x, y)| point(x, y)).to_vec()])
    }

    fn solid(degrees: f64) -> Hatching {
        Hatching { degrees, distance: 400.0, fit: Fit::Each, longest_link: 1600.0 }
    }

    #[test]
    fn a_square_is_filled_in_one_run_as_long_as_its_area_asks() {
        for degrees in [0.0, 45.0, 90.0, 135.0] {
            let runs = fill(&square(20_000), &solid(degrees));
            assert_eq!(runs.len(), 1, "{degrees}");
            let length = length_along(&runs[0].points);
            let asked = 20_000.0 * 20_000.0 / runs[0].distance;
            assert!((length / asked - 1.0).abs() < 0.05, "{degrees}: {length} of {asked}");
        }
    }

    #[test]
    fn no_line_leaves_the_region_or_enters_its_hole() {
        let hole = Region::wound(&[[(8_000, 8_000), (12_000, 8_000), (12_000, 12_000), (8_000, 12_000)]
            .map(|(x, y)| point(x, y))
            .to_vec()]);
        let ring = square(20_000).minus(&hole);
        let allowed = ring.grown(3);
        for run in fill(&ring, &solid(45.0)) {
            for pair in run.points.windows(2) {
                for part in 0..=20 {
                    let at = |a: i32, b: i32| a + (b - a) * part / 20;
                    let p = point(at(pair[0].x, pair[1].x), at(pair[0].y, pair[1].y));
                    assert!(crate::geometry::inside(&allowed.shapes()[0], p), "{p:?}");
                }
            }
        }
    }

    #[test]
    fn sparse_lines_of_different_regions_lie_on_one_grid() {
        let hatching = Hatching { degrees: 0.0, distance: 4_000.0, fit: Fit::Grid, longest_link: 0.0 };
        let heights = |region: &Region| -> Vec<i32> {
            fill(region, &hatching).iter().map(|run| run.points[0].y.rem_euclid(4_000)).collect()
        };
        let all = [heights(&square(20_000)), heights(&square(13_000))].concat();
        assert!(all.len() >= 8 && all.iter().all(|phase| *phase == all[0]));
    }
}
