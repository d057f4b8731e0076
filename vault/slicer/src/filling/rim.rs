//! What a zigzag leaves bare along the wall where it meets it at so slight a slant that the next line comes late, or
//! never: wedges and caps, thinner than a line.

use crate::geometry::{Bounds, IntPoint, Region, distance, length_along, point};
use crate::infill::Run;

/// Stretches of edge shorter than this many distances of lines are covered by the ends of lines and their notches.
const SHORT: f64 = 2.0;

/// How far beyond its last point a line is taken to be as wide as before, as a share of its distance: its end is round.
const END: f64 = 0.3;

/// How far apart the places are that are looked at for something bare, as a share of the distance of lines.
const LOOK: f64 = 0.25;

/// What is bare of `room` along the stretches of edge that `runs` left `open`; their middles reach to `inset` of it.
pub(super) fn bare(
    room: &Region,
    runs: &[Run],
    open: &[Vec<IntPoint<i32>>],
    (spacing, inset): (i32, i32),
) -> Region {
    let reach = spacing * 2;
    let (spacing, inset) = (f64::from(spacing), f64::from(inset));
    let mut gaps = Vec::new();
    for edge in open.iter().filter(|edge| length_along(edge) > SHORT * spacing) {
        let lines: Vec<Line> = near(runs, edge, reach).filter_map(|[a, b]| Line::new(a, b)).collect();
        if !shows(edge, &lines, (spacing, inset)) {
            continue;
        }
        let beads = lines.iter().map(|line| line.bead(spacing / 2.0, spacing / 2.0, END * spacing));
        let sides = edge.windows(2).filter_map(|side| Line::new(side[0], side[1]));
        let mut strip: Vec<_> = sides.map(|side| side.bead(spacing / 2.0, inset, 0.0)).collect();
        strip.push(edge.clone());
        gaps.push(Region::wound(&strip).minus(&Region::wound(&beads.collect::<Vec<_>>())));
    }
    if gaps.iter().all(Region::is_empty) {
        return Region::default();
    }
    Region::united(&gaps.iter().collect::<Vec<_>>()).and(room)
}

/// The pieces of `runs` within the box `reach` around `edge`.
fn near(runs: &[Run], edge: &[IntPoint<i32>], reach: i32) -> impl Iterator<Item = [IntPoint<i32>; 2]> {
    let around = Bounds::of(edge).map(|Bounds { min, max }| Bounds {
        min: point(min.x - reach, min.y - reach),
        max: point(max.x + reach, max.y + reach),
    });
    let pieces = runs.iter().flat_map(|run| run.points.windows(2));
    pieces.filter_map(move |piece| {
        let around = around?;
        around.meets(&Bounds::of(piece)?).then(|| around.clipped(piece[0], piece[1]))?
    })
}

/// Whether anything of the strip along `edge` shows between the lines: looked at place by place, which is quicker
/// than cutting regions, and most strips are covered.
fn shows(edge: &[IntPoint<i32>], lines: &[Line], (spacing, inset): (f64, f64)) -> bool {
    edge.windows(2).filter_map(|side| Line::new(side[0], side[1])).any(|side| {
        let looks = (side.length / (LOOK * spacing)).ceil();
        let places = (0..looks as u32).map(|nth| (f64::from(nth) + 0.5) * side.length / looks);
        places
            .flat_map(|along| [-inset, 0.0, LOOK * spacing].map(|across| side.at(along, across)))
            .any(|place| !lines.iter().any(|line| line.covers(place, spacing / 2.0, END * spacing)))
    })
}

/// A straight piece of a run or an edge.
#[derive(Debug, Clone, Copy)]
struct Line {
    from: [f64; 2],
    /// Of length one.
    ahead: [f64; 2],
    length: f64,
}

impl Line {
    /// None where both ends are one.
    fn new(a: IntPoint<i32>, b: IntPoint<i32>) -> Option<Self> {
        let length = distance(a, b);
        let ahead = [f64::from(b.x - a.x) / length, f64::from(b.y - a.y) / length];
        (length > 0.0).then_some(Self { from: [f64::from(a.x), f64::from(a.y)], ahead, length })
    }

    /// The place so far along and to the left.
    fn at(&self, along: f64, left: f64) -> [f64; 2] {
        let [x, y] = self.ahead;
        [self.from[0] + x * along - y * left, self.from[1] + y * along + x * left]
    }

    /// A box around it: so far to the left and right, and beyond its ends.
    fn bead(&self, left: f64, right: f64, beyond: f64) -> Vec<IntPoint<i32>> {
        let ends = [-beyond, self.length + beyond];
        let corners = [(ends[0], -right), (ends[1], -right), (ends[1], left), (ends[0], left)];
        let rounded = |(along, across)| self.at(along, across).map(|at| at.round() as i32);
        corners.map(rounded).map(|[x, y]| point(x, y)).to_vec()
    }

    /// Whether a place is within `half` of it and no further than `beyond` past an end.
    fn covers(&self, place: [f64; 2], half: f64, beyond: f64) -> bool {
        let off = [place[0] - self.from[0], place[1] - self.from[1]];
        let along = off[0] * self.ahead[0] + off[1] * self.ahead[1];
        let across = off[1] * self.ahead[0] - off[0] * self.ahead[1];
        across.abs() <= half && (-beyond..=self.length + beyond).contains(&along)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infill::{Fit, Hatching, fill_solid};

    /// What lines along x leave bare of a place 20 mm long that is so high at its two ends, in square millimetres.
    fn left(high: [i32; 2]) -> Region {
        let corners = [(0, 0), (20_000, 0), (20_000, high[1]), (0, high[0])];
        let room = Region::wound(&[corners.map(|(x, y)| point(x, y)).to_vec()]);
        let hatching = Hatching { degrees: 0.0, distance: 407.0, fit: Fit::Each, longest_link: 0.0 };
        let (runs, open) = fill_solid(&room.shrunk(91), &hatching);
        bare(&room, &runs, &open, (407, 91)).without_specks(30_000.0)
    }

    #[test]
    fn a_wall_nearly_along_the_lines_leaves_wedges_beside_it() {
        let wedges = left([9_300, 10_000]);
        let low = wedges.bounds().map(|bounds| bounds.min.y);
        assert!(low.is_some_and(|low| low > 8_900), "{low:?}");
        let area = wedges.area() / 1e6;
        assert!((0.5..5.0).contains(&area), "{area} mm²");
    }

    #[test]
    fn walls_along_the_lines_and_square_to_them_leave_nothing() {
        assert!(left([10_000, 10_000]).is_empty());
    }
}
