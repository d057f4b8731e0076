//! What a zigzag leaves bare along the wall where it meets it at so slight a slant that the next line comes late, or
//! never: wedges and caps, thinner than a line.

use crate::geometry::{Bounds, IntPoint, Region, distance, length_along, point};
use crate::infill::Run;

/// Stretches of edge shorter than this many distances of lines are covered by the ends of lines and their notches.
const SHORT: f64 = 2.0;

/// How far beyond its last point a line is taken to be as wide as before, as a share of its distance: its end is round.
const END: f64 = 0.3;

/// What is bare of `room` along the stretches of edge that `runs` left `open`; their middles reach to `inset` of it.
pub(super) fn bare(
    room: &Region,
    runs: &[Run],
    open: &[Vec<IntPoint<i32>>],
    (spacing, inset): (i32, i32),
) -> Region {
    let spacing = f64::from(spacing);
    let long = open.iter().filter(|edge| length_along(edge) > SHORT * spacing);
    let (mut strips, mut beads) = (Vec::new(), Vec::new());
    for edge in long {
        let lines = near(runs, edge, spacing as i32 * 2);
        beads.extend(lines.filter_map(|[a, b]| bead(a, b, spacing / 2.0, spacing / 2.0, END * spacing)));
        let sides = edge.windows(2).filter(|side| side[0] != side[1]);
        strips.extend(sides.filter_map(|side| bead(side[0], side[1], spacing / 2.0, f64::from(inset), 0.0)));
        strips.push(edge.clone());
    }
    if strips.is_empty() {
        return Region::default();
    }
    Region::wound(&strips).minus(&Region::wound(&beads)).and(room)
}

/// The pieces of `runs` no further than `reach` from the box around `edge`.
fn near(runs: &[Run], edge: &[IntPoint<i32>], reach: i32) -> impl Iterator<Item = [IntPoint<i32>; 2]> {
    let around = Bounds::of(edge).map(|Bounds { min, max }| Bounds {
        min: point(min.x - reach, min.y - reach),
        max: point(max.x + reach, max.y + reach),
    });
    let pieces = runs.iter().flat_map(|run| run.points.windows(2)).map(|piece| [piece[0], piece[1]]);
    pieces.filter(move |piece| {
        let own = Bounds::of(piece);
        around.zip(own).is_some_and(|(around, own)| around.meets(&own))
    })
}

/// A box along the line from `a` to `b`: so far to the left and right of it, and beyond its ends.
fn bead(
    a: IntPoint<i32>,
    b: IntPoint<i32>,
    left: f64,
    right: f64,
    beyond: f64,
) -> Option<Vec<IntPoint<i32>>> {
    let length = distance(a, b);
    if length == 0.0 {
        return None;
    }
    let ahead = [f64::from(b.x - a.x) / length, f64::from(b.y - a.y) / length];
    let corner = |from: IntPoint<i32>, along: f64, across: f64| {
        point(
            from.x + (ahead[0] * along - ahead[1] * across).round() as i32,
            from.y + (ahead[1] * along + ahead[0] * across).round() as i32,
        )
    };
    Some(vec![
        corner(a, -beyond, -right),
        corner(b, beyond, -right),
        corner(b, beyond, left),
        corner(a, -beyond, left),
    ])
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
