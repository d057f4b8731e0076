//! Fewer points for the same line: Douglas and Peucker's cut, within a stated distance.

use super::IntPoint;

/// A closed contour with every point dropped that is nearer than `tolerance` micrometres to what is left.
///
/// Contours that collapse come back empty.
pub(crate) fn simplify_closed(contour: &[IntPoint<i32>], tolerance: i32) -> Vec<IntPoint<i32>> {
    if contour.len() < 4 {
        return contour.to_vec();
    }
    let first = extreme(contour);
    let turned: Vec<_> = contour[first..].iter().chain(&contour[..=first]).copied().collect();
    let mut kept = simplify_open(&turned, tolerance);
    kept.pop();
    if kept.len() < 3 { Vec::new() } else { kept }
}

/// A polyline with every inner point dropped that is nearer than `tolerance` micrometres to what is left.
pub(crate) fn simplify_open(line: &[IntPoint<i32>], tolerance: i32) -> Vec<IntPoint<i32>> {
    if line.len() < 3 {
        return line.to_vec();
    }
    let mut keep = vec![false; line.len()];
    keep[0] = true;
    keep[line.len() - 1] = true;
    let mut open = vec![(0, line.len() - 1)];
    while let Some((from, to)) = open.pop() {
        if let Some(far) = farthest(line, from, to, tolerance) {
            keep[far] = true;
            open.push((from, far));
            open.push((far, to));
        }
    }
    line.iter().zip(keep).filter(|(_, keep)| *keep).map(|(p, _)| *p).collect()
}

/// The leftmost, then lowest point: a corner of the hull, so that it is kept in any case.
fn extreme(contour: &[IntPoint<i32>]) -> usize {
    (0..contour.len()).min_by_key(|at| (contour[*at].x, contour[*at].y)).unwrap_or(0)
}

/// The point between `from` and `to` that is farthest from their chord, if farther than `tolerance`.
fn farthest(line: &[IntPoint<i32>], from: usize, to: usize, tolerance: i32) -> Option<usize> {
    let (a, b) = (line[from], line[to]);
    let (dx, dy) = (f64::from(b.x) - f64::from(a.x), f64::from(b.y) - f64::from(a.y));
    let square = dx * dx + dy * dy;
    let limit = f64::from(tolerance) * f64::from(tolerance);
    let mut worst = (limit, None);
    for (at, p) in line.iter().enumerate().take(to).skip(from + 1) {
        let (px, py) = (f64::from(p.x) - f64::from(a.x), f64::from(p.y) - f64::from(a.y));
        let share = if square == 0.0 { 0.0 } else { ((px * dx + py * dy) / square).clamp(0.0, 1.0) };
        let (ex, ey) = (px - share * dx, py - share * dy);
        let off = ex * ex + ey * ey;
        if off > worst.0 {
            worst = (off, Some(at));
        }
    }
    worst.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::point;

    #[test]
    fn points_on_a_straight_side_are_dropped_and_corners_kept() {
        let square = [(0, 0), (50, 1), (100, 0), (100, 100), (0, 100), (0, 40)].map(|(x, y)| point(x, y));
        let kept = simplify_closed(&square, 2);
        assert_eq!(kept, [(0, 0), (100, 0), (100, 100), (0, 100)].map(|(x, y)| point(x, y)));
    }

    #[test]
    fn a_sliver_thinner_than_the_tolerance_collapses() {
        let sliver = [(0, 0), (500, 0), (1000, 0), (500, 1)].map(|(x, y)| point(x, y));
        assert!(simplify_closed(&sliver, 2).is_empty());
    }
}
