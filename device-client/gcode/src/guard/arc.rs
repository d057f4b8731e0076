//! How far an arc reaches: its ends, and the four outermost points of its circle that it passes.
//!
//! Whole figures only, as everywhere in the guard. Firmware takes the radius from the start, some from the end;
//! an arc whose two radii differ is refused, so that both mean the same place.

use layerlock_terms::toolpath::Turn;

use super::Fixed;

/// How much the radius at the start and at the end may differ: what rounding to a thousandth can do, and more.
const SLACK: i128 = 2_000;

/// Longest radius: beyond it firmware's own figures are no longer fine enough.
const LONGEST: i128 = 1_000 * 100_000;

type Place = [i128; 2];

/// The lowest and highest x and y on an arc from `from` to `to`, `centre` seen from `from`.
///
/// A move whose ends are one place is a whole circle to some firmware and nothing to other: it is no arc here.
pub(super) fn extent(
    from: [Fixed; 2],
    to: [Fixed; 2],
    centre: [Fixed; 2],
    turn: Turn,
) -> Result<([Fixed; 2], [Fixed; 2]), &'static str> {
    let [from, to, centre] = [from, to, centre].map(|place| place.map(|figure| i128::from(figure.units())));
    if from == to {
        return Err("it ends where it begins");
    }
    let start = [-centre[0], -centre[1]];
    let end = [start[0] + to[0] - from[0], start[1] + to[1] - from[1]];
    let (radius, other) = (length(start), length(end));
    if !(1..=LONGEST).contains(&radius) || (radius - other).abs() > SLACK {
        return Err("its ends are not equally far from its centre");
    }
    let radius = radius.max(other) + 1;
    let middle = [from[0] + centre[0], from[1] + centre[1]];
    let (mut low, mut high) =
        ([0, 1].map(|axis| from[axis].min(to[axis])), [0, 1].map(|axis| from[axis].max(to[axis])));
    for axis in 0..2 {
        for sign in [-1, 1] {
            let mut outermost = [0, 0];
            outermost[axis] = sign;
            if passes(start, end, outermost, turn) {
                let reached = middle[axis] + sign * radius;
                (low[axis], high[axis]) = (low[axis].min(reached), high[axis].max(reached));
            }
        }
    }
    let fixed = |place: Place| place.map(|figure| Fixed::raw(i64::try_from(figure).unwrap_or(i64::MAX)));
    Ok((fixed(low), fixed(high)))
}

fn length(way: Place) -> i128 {
    let square = (way[0] * way[0] + way[1] * way[1]).unsigned_abs();
    square.isqrt() as i128
}

/// Whether the arc from `start` to `end`, both seen from the centre, passes this direction.
fn passes(start: Place, end: Place, direction: Place, turn: Turn) -> bool {
    let (start, end) = match turn {
        Turn::Counterclockwise => (start, end),
        Turn::Clockwise => (end, start),
    };
    let left = |a: Place, b: Place| a[0] * b[1] - a[1] * b[0];
    let (after_start, before_end) = (left(start, direction) >= 0, left(direction, end) >= 0);
    // Up to half a circle both must hold; beyond it one is enough.
    if left(start, end) > 0 { after_start && before_end } else { after_start || before_end }
}
