//! Lengths and directions between points.

use super::{IntPoint, point};

/// Distance in micrometres.
pub(crate) fn distance(a: IntPoint<i32>, b: IntPoint<i32>) -> f64 {
    let (dx, dy) = (f64::from(b.x) - f64::from(a.x), f64::from(b.y) - f64::from(a.y));
    (dx * dx + dy * dy).sqrt()
}

/// Length of a polyline in micrometres.
pub(crate) fn length_along(points: &[IntPoint<i32>]) -> f64 {
    points.windows(2).map(|pair| distance(pair[0], pair[1])).sum()
}

/// The point `length` micrometres from `a` towards `b`.
pub(crate) fn towards(a: IntPoint<i32>, b: IntPoint<i32>, length: f64) -> IntPoint<i32> {
    let whole = distance(a, b);
    if whole == 0.0 {
        return a;
    }
    let share = length / whole;
    point(
        (f64::from(a.x) + (f64::from(b.x) - f64::from(a.x)) * share).round() as i32,
        (f64::from(a.y) + (f64::from(b.y) - f64::from(a.y)) * share).round() as i32,
    )
}

/// The point halfway.
pub(crate) fn midpoint(a: IntPoint<i32>, b: IntPoint<i32>) -> IntPoint<i32> {
    point(i32::midpoint(a.x, b.x), i32::midpoint(a.y, b.y))
}

/// How far the way turns at `b`: from -π (sharp to the right) to π.
pub(crate) fn turn(a: IntPoint<i32>, b: IntPoint<i32>, c: IntPoint<i32>) -> f64 {
    let (ux, uy) = (f64::from(b.x) - f64::from(a.x), f64::from(b.y) - f64::from(a.y));
    let (vx, vy) = (f64::from(c.x) - f64::from(b.x), f64::from(c.y) - f64::from(b.y));
    (ux * vy - uy * vx).atan2(ux * vx + uy * vy)
}
