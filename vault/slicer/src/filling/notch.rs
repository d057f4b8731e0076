//! The notches a zigzag leaves along the wall: lines that meet it at a slant turn back at a sharp corner, and
//! between that corner and the next line, which turns into the next join, the wall's edge stays bare.

use crate::geometry::{IntPoint, Region, distance, inside, towards};

/// Corners sharper than this leave a notch: the cosine of 75° between the join and the line.
const SHARP: f64 = 0.26;

/// Ends are taken to cover this share of their width along the wall: their round ends leave corners.
const COVERED: f64 = 0.95;

/// How far back along its line the turn to a drawn-on corner begins, as a share of the width: where the join no
/// longer covers what the line leaves.
const BEND: f64 = 0.8;

/// A run of joined lines with each sharp corner drawn on along the wall, as far as it takes to meet the next line.
/// Where that would leave `room`, past a corner of the wall, it is no more than half the `spacing`.
pub(super) fn filled(
    points: &[IntPoint<i32>],
    width: i32,
    spacing: f64,
    room: &Region,
) -> Vec<IntPoint<i32>> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let mut run = Vec::with_capacity(points.len() * 3 / 2);
    run.push(*first);
    for at in points.windows(3) {
        drawn_on(&mut run, [at[0], at[1], at[2]], f64::from(width), (spacing, room));
    }
    run.push(*last);
    run
}

/// Adds the middle corner, drawn on if it is sharp. Of its two sides the shorter is the join along the wall.
fn drawn_on(
    run: &mut Vec<IntPoint<i32>>,
    [a, b, c]: [IntPoint<i32>; 3],
    width: f64,
    (spacing, room): (f64, &Region),
) {
    let (before, after) = (distance(a, b), distance(b, c));
    let (join, line) = (before.min(after), before.max(after));
    let sharp = join > 0.0 && sharpness(a, b, c) > SHARP * before * after;
    // Lines meet the wall as far apart as the join is long.
    let mut bare = (join - COVERED * width).max(0.0);
    if sharp && bare > spacing / 2.0 {
        let end = towards(if before < after { a } else { c }, b, join + bare);
        if !room.shapes().iter().any(|shape| inside(shape, end)) {
            bare = spacing / 2.0;
        }
    }
    if !sharp || bare == 0.0 || line < 2.0 * BEND * width {
        run.push(b);
    } else if before < after {
        run.extend([towards(a, b, join + bare), towards(b, c, BEND * width)]);
    } else {
        run.extend([towards(b, a, BEND * width), towards(c, b, join + bare)]);
    }
}

/// The cosine of the corner at `b` times the lengths of its sides.
fn sharpness(a: IntPoint<i32>, b: IntPoint<i32>, c: IntPoint<i32>) -> f64 {
    let side = |p: IntPoint<i32>| [f64::from(p.x) - f64::from(b.x), f64::from(p.y) - f64::from(b.y)];
    let (to_a, to_c) = (side(a), side(c));
    to_a[0] * to_c[0] + to_a[1] * to_c[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::point;

    fn run(points: &[(i32, i32)]) -> Vec<IntPoint<i32>> {
        let points: Vec<_> = points.iter().map(|(x, y)| point(*x, *y)).collect();
        let room = [(-10_000, -10_000), (10_000, -10_000), (10_000, 100), (-10_000, 100)];
        let room = Region::wound(&[room.map(|(x, y)| point(x, y)).to_vec()]);
        filled(&points, 450, 400.0, &room)
    }

    #[test]
    fn a_sharp_corner_is_drawn_on_along_the_wall_and_its_line_stays_in_place() {
        // Lines at 45° to a wall along x, joined along it.
        let turned = run(&[(-10_000, -10_000), (0, 0), (575, 0), (-9_425, -10_000)]);
        assert_eq!(turned.len(), 5);
        assert_eq!(turned[1], point(0, 0));
        assert!((turned[2].x - 722).abs() <= 1 && turned[2].y == 0, "{turned:?}");
        let on_the_line = turned[3].x - turned[3].y;
        assert!((on_the_line - 575).abs() <= 1 && (-260..-250).contains(&turned[3].y), "{turned:?}");
        let mut back = run(&[(-9_425, -10_000), (575, 0), (0, 0), (-10_000, -10_000)]);
        back.reverse();
        assert_eq!(back, turned);
    }

    #[test]
    fn lines_square_to_the_wall_leave_no_notch() {
        let square = [(0, -5_000), (0, 0), (407, 0), (407, -5_000)];
        assert_eq!(run(&square), square.map(|(x, y)| point(x, y)).to_vec());
    }

    #[test]
    fn a_corner_is_drawn_on_to_the_next_line_but_hardly_past_a_corner_of_the_room() {
        let slanted = |x| run(&[(x - 9_000, -2_000), (x, 0), (x + 1_850, 0), (x - 7_150, -2_000)])[2].x - x;
        assert!((slanted(0) - (2 * 1_850 - 428)).abs() <= 1);
        assert_eq!(slanted(7_500), 1_850 + 200);
    }
}
