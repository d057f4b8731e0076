//! Whether a straight travel stays inside the part.

use crate::geometry::{Bounds, IntPoint, Region};

/// The outline's edges, in buckets to look them up by place.
#[derive(Debug)]
pub(super) struct Fence {
    edges: Vec<[IntPoint<i32>; 2]>,
    origin: IntPoint<i32>,
    cell: i32,
    columns: usize,
    rows: usize,
    starts: Vec<u32>,
    items: Vec<u32>,
}

/// Most buckets along one side.
const BUCKETS: i32 = 64;

impl Fence {
    pub(super) fn new(outline: &Region) -> Self {
        let edges: Vec<_> = outline
            .contours()
            .flat_map(|contour| (0..contour.len()).map(|at| [contour[at], contour[(at + 1) % contour.len()]]))
            .collect();
        let zero = IntPoint::new(0, 0);
        let bounds = outline.bounds().unwrap_or(Bounds { min: zero, max: zero });
        let widest = (bounds.max.x - bounds.min.x).max(bounds.max.y - bounds.min.y);
        let cell = (widest / BUCKETS).max(500);
        let columns = ((bounds.max.x - bounds.min.x) / cell) as usize + 1;
        let rows = ((bounds.max.y - bounds.min.y) / cell) as usize + 1;
        let mut fence =
            Self { edges, origin: bounds.min, cell, columns, rows, starts: Vec::new(), items: Vec::new() };
        fence.fill();
        fence
    }

    fn fill(&mut self) {
        let mut entries = Vec::with_capacity(self.edges.len() * 2);
        for (edge, [a, b]) in self.edges.iter().enumerate() {
            self.visit(*a, *b, |bucket| {
                entries.push((bucket as u32, edge as u32));
                true
            });
        }
        entries.sort_unstable();
        self.starts = vec![0; self.columns * self.rows + 1];
        for (bucket, _) in &entries {
            self.starts[*bucket as usize + 1] += 1;
        }
        for at in 1..self.starts.len() {
            self.starts[at] += self.starts[at - 1];
        }
        self.items = entries.into_iter().map(|(_, edge)| edge).collect();
    }

    /// Whether the straight way between two points inside the part crosses no edge.
    pub(super) fn clear(&self, from: IntPoint<i32>, to: IntPoint<i32>) -> bool {
        self.visit(from, to, |bucket| {
            let items = &self.items[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
            !items.iter().any(|edge| crosses(from, to, self.edges[*edge as usize]))
        })
    }

    /// How far `p` is outside the outline, negative inside; nothing if no edge is within `reach`.
    pub(super) fn offset(&self, p: IntPoint<i32>, reach: i32) -> Option<f64> {
        let mut best = Nearest { square: f64::from(reach).powi(2), upright: 0.0, outside: None };
        let span = |at: f64| (at - f64::from(reach), at + f64::from(reach));
        let (left, right) = span(f64::from(p.x));
        for row in self.row(p.y.saturating_sub(reach))..=self.row(p.y.saturating_add(reach)) {
            for column in self.column(left)..=self.column(right) {
                let bucket = row * self.columns + column;
                let items = &self.items[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
                items.iter().for_each(|edge| best.look(p, self.edges[*edge as usize]));
            }
        }
        let off = best.square.sqrt();
        best.outside.map(|outside| if outside { off } else { -off })
    }

    /// Visits every bucket in each row's span of the line, until `each` says false; false if it did.
    fn visit(&self, a: IntPoint<i32>, b: IntPoint<i32>, mut each: impl FnMut(usize) -> bool) -> bool {
        let (low, high) = if a.y <= b.y { (a, b) } else { (b, a) };
        let slope = if high.y == low.y {
            0.0
        } else {
            (f64::from(high.x) - f64::from(low.x)) / (f64::from(high.y) - f64::from(low.y))
        };
        for row in self.row(low.y)..=self.row(high.y) {
            let bottom = f64::from(self.origin.y + row as i32 * self.cell).max(f64::from(low.y));
            let top = f64::from(self.origin.y + (row as i32 + 1) * self.cell).min(f64::from(high.y));
            let x_at = |y: f64| f64::from(low.x) + (y - f64::from(low.y)) * slope;
            let (mut left, mut right) = (x_at(bottom), x_at(top.max(bottom)));
            if high.y == low.y {
                (left, right) = (f64::from(low.x), f64::from(high.x));
            }
            for column in self.column(left.min(right) - 1.0)..=self.column(left.max(right) + 1.0) {
                if !each(row * self.columns + column) {
                    return false;
                }
            }
        }
        true
    }

    fn row(&self, y: i32) -> usize {
        (((y - self.origin.y) / self.cell).max(0) as usize).min(self.rows - 1)
    }

    fn column(&self, x: f64) -> usize {
        (((x - f64::from(self.origin.x)) / f64::from(self.cell)).max(0.0) as usize).min(self.columns - 1)
    }
}

/// The edge nearest to a place so far.
struct Nearest {
    square: f64,
    /// How far the place is from the edge's whole line: where two edges meet at the nearest point, the one it is
    /// farther from says on which side of the outline it lies.
    upright: f64,
    outside: Option<bool>,
}

impl Nearest {
    fn look(&mut self, p: IntPoint<i32>, [a, b]: [IntPoint<i32>; 2]) {
        let (dx, dy) = (f64::from(b.x) - f64::from(a.x), f64::from(b.y) - f64::from(a.y));
        let (px, py) = (f64::from(p.x) - f64::from(a.x), f64::from(p.y) - f64::from(a.y));
        let whole = dx * dx + dy * dy;
        if whole == 0.0 {
            return;
        }
        let share = ((px * dx + py * dy) / whole).clamp(0.0, 1.0);
        let (ex, ey) = (px - share * dx, py - share * dy);
        let square = ex * ex + ey * ey;
        // The part lies to the left of its edges.
        let cross = dx * py - dy * px;
        let upright = cross.abs() / whole.sqrt();
        let same = (square - self.square).abs() < 1.0;
        if (same && upright > self.upright) || (!same && square < self.square) {
            *self = Self { square, upright, outside: Some(cross < 0.0) };
        }
    }
}

/// Whether the segments meet.
fn crosses(a: IntPoint<i32>, b: IntPoint<i32>, [c, d]: [IntPoint<i32>; 2]) -> bool {
    let side = |p: IntPoint<i32>, q: IntPoint<i32>, r: IntPoint<i32>| {
        let (ux, uy) = (i64::from(q.x) - i64::from(p.x), i64::from(q.y) - i64::from(p.y));
        let (vx, vy) = (i64::from(r.x) - i64::from(p.x), i64::from(r.y) - i64::from(p.y));
        (ux * vy - uy * vx).signum()
    };
    side(a, b, c) * side(a, b, d) <= 0 && side(c, d, a) * side(c, d, b) <= 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::point;

    fn frame() -> Region {
        let square = |low: i32, high: i32| {
            Region::wound(&[[(low, low), (high, low), (high, high), (low, high)]
                .map(|(x, y)| point(x, y))
                .to_vec()])
        };
        square(0, 30_000).minus(&square(10_000, 20_000))
    }

    #[test]
    fn a_way_along_the_frame_is_clear_and_one_across_its_hole_is_not() {
        let fence = Fence::new(&frame());
        assert!(fence.clear(point(1_000, 1_000), point(29_000, 2_000)));
        assert!(fence.clear(point(1_000, 15_000), point(9_000, 15_000)));
        assert!(!fence.clear(point(1_000, 15_000), point(29_000, 15_100)));
        assert!(!fence.clear(point(15_000, 1_000), point(15_100, 29_000)));
    }

    #[test]
    fn places_are_as_far_out_as_they_are_and_inside_is_negative() {
        let fence = Fence::new(&frame());
        for (x, y, off) in [
            (15_000, -400, Some(400.0)),
            (15_000, 300, Some(-300.0)),
            (15_000, 10_250, Some(250.0)),
            (9_800, 15_000, Some(-200.0)),
            (-300, -400, Some(500.0)),
            (9_700, 9_600, Some(-500.0)),
            (5_000, 5_000, None),
            (15_000, 15_000, None),
        ] {
            assert_eq!(fence.offset(point(x, y), 600), off, "{x} {y}");
        }
    }

    #[test]
    fn a_way_out_of_the_part_is_not_clear() {
        assert!(!Fence::new(&frame()).clear(point(5_000, 5_000), point(50_000, 5_000)));
    }
}
