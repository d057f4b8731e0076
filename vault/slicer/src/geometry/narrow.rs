//! Whether a shape has narrow places, told by looking across it.
//!
//! Opening a region tells the same exactly, but costs two offsets; most shapes have no narrow place, and then
//! opening changes nothing and need not be done. Each stretch of edge looks straight inward, each corner that
//! points inward along its bisector: a narrow place is where an edge that faces back is near.

use super::IntPoint;

/// Distance between the places that look across, in micrometres.
const STEP: f64 = 400.0;

/// Edges whose directions differ by less than this face each other: the cosine of 72°. A corner blunter than
/// that comes to its point when grown.
const FACING: f64 = 0.3;

/// At most this many buckets along the longer side of a shape.
const BUCKETS: f64 = 64.0;

/// Whether some place of this shape is narrower than `width` micrometres.
pub(crate) fn narrow(shape: &[Vec<IntPoint<i32>>], width: i32) -> bool {
    let edges = edges(shape);
    let Some(buckets) = Buckets::new(&edges, f64::from(width)) else { return false };
    let looks_across = |edge: &Edge| {
        let count = (edge.length / STEP).ceil();
        let straight = (0..count as usize).any(|nth| {
            let along = (nth as f64 + 0.5) * edge.length / count;
            let eye = [edge.from[0] + edge.way[0] * along, edge.from[1] + edge.way[1] * along];
            buckets.faced(eye, edge.inward())
        });
        straight || edge.bisector(&edges[edge.before]).is_some_and(|way| buckets.faced(edge.from, way))
    };
    edges.iter().any(looks_across)
}

/// A side of a contour.
#[derive(Debug, Clone, Copy)]
struct Edge {
    from: [f64; 2],
    /// Of length one.
    way: [f64; 2],
    length: f64,
    /// The edge that ends where this begins.
    before: usize,
}

impl Edge {
    fn to(&self) -> [f64; 2] {
        [self.from[0] + self.way[0] * self.length, self.from[1] + self.way[1] * self.length]
    }

    /// Regions lie to the left of their contours.
    fn inward(&self) -> [f64; 2] {
        [-self.way[1], self.way[0]]
    }

    /// The way straight on from a corner that points into the region; none where it points out.
    fn bisector(&self, before: &Self) -> Option<[f64; 2]> {
        let turn = before.way[0] * self.way[1] - before.way[1] * self.way[0];
        let sum = [before.inward()[0] + self.inward()[0], before.inward()[1] + self.inward()[1]];
        let length = sum[0].hypot(sum[1]);
        (turn < -0.1 && length > 0.1).then(|| [sum[0] / length, sum[1] / length])
    }
}

fn edges(shape: &[Vec<IntPoint<i32>>]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::with_capacity(shape.iter().map(Vec::len).sum());
    for contour in shape {
        let first = edges.len();
        for (at, a) in contour.iter().enumerate() {
            let b = contour[(at + 1) % contour.len()];
            let run = [f64::from(b.x) - f64::from(a.x), f64::from(b.y) - f64::from(a.y)];
            let length = run[0].hypot(run[1]);
            if length > 0.0 {
                let way = [run[0] / length, run[1] / length];
                let before = edges.len().saturating_sub(1);
                edges.push(Edge { from: [f64::from(a.x), f64::from(a.y)], way, length, before });
            }
        }
        let last = edges.len().saturating_sub(1);
        if let Some(edge) = edges.get_mut(first) {
            edge.before = last;
        }
    }
    edges
}

/// The edges by place.
struct Buckets<'a> {
    edges: &'a [Edge],
    width: f64,
    origin: [f64; 2],
    cell: f64,
    columns: usize,
    rows: usize,
    /// Where each bucket's edges begin in `items`.
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl<'a> Buckets<'a> {
    /// None where there are no edges.
    fn new(edges: &'a [Edge], width: f64) -> Option<Self> {
        let (mut low, mut high) = ([f64::MAX; 2], [f64::MIN; 2]);
        for edge in edges {
            for axis in 0..2 {
                low[axis] = low[axis].min(edge.from[axis]);
                high[axis] = high[axis].max(edge.from[axis]);
            }
        }
        let side = (high[0] - low[0]).max(high[1] - low[1]);
        let cell = width.max(side / BUCKETS).max(1.0);
        let count = |axis: usize| ((high[axis] - low[axis]) / cell) as usize + 1;
        let (columns, rows) = if edges.is_empty() { return None } else { (count(0), count(1)) };
        let mut buckets =
            Self { edges, width, origin: low, cell, columns, rows, starts: Vec::new(), items: Vec::new() };
        buckets.fill();
        Some(buckets)
    }

    fn fill(&mut self) {
        let mut starts = vec![0_u32; self.columns * self.rows + 1];
        for edge in self.edges {
            self.around(edge.from, edge.to()).for_each(|bucket| starts[bucket + 1] += 1);
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut items = vec![0_u32; starts[starts.len() - 1] as usize];
        for (at, edge) in self.edges.iter().enumerate() {
            for bucket in self.around(edge.from, edge.to()) {
                items[next[bucket] as usize] = at as u32;
                next[bucket] += 1;
            }
        }
        self.starts = starts;
        self.items = items;
    }

    /// The buckets that the box around `a` and `b` touches.
    fn around(&self, a: [f64; 2], b: [f64; 2]) -> impl Iterator<Item = usize> + use<> {
        let place = |axis: usize, at: f64, count: usize| {
            (((at - self.origin[axis]) / self.cell).max(0.0) as usize).min(count - 1)
        };
        let columns = place(0, a[0].min(b[0]), self.columns)..=place(0, a[0].max(b[0]), self.columns);
        let rows = place(1, a[1].min(b[1]), self.rows)..=place(1, a[1].max(b[1]), self.rows);
        let across = self.columns;
        rows.flat_map(move |row| columns.clone().map(move |column| row * across + column))
    }

    /// Whether an eye that looks this way is faced by an edge nearer than the width.
    fn faced(&self, eye: [f64; 2], way: [f64; 2]) -> bool {
        let far = [eye[0] + way[0] * self.width, eye[1] + way[1] * self.width];
        self.around(eye, far).any(|bucket| {
            let items = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
            self.items[items].iter().any(|at| faces(&self.edges[*at as usize], eye, way, self.width))
        })
    }
}

/// Whether this edge lies within `reach` of the eye in the way it looks, and looks back.
fn faces(edge: &Edge, eye: [f64; 2], way: [f64; 2], reach: f64) -> bool {
    let inward = edge.inward();
    let against = -(inward[0] * way[0] + inward[1] * way[1]);
    if against < FACING {
        return false;
    }
    let gap = [edge.from[0] - eye[0], edge.from[1] - eye[1]];
    // The eye looks against the edge's inward side, so this is how far it is in units of `way`.
    let far = -(gap[0] * inward[0] + gap[1] * inward[1]) / against;
    let along = (eye[0] + way[0] * far - edge.from[0]) * edge.way[0]
        + (eye[1] + way[1] * far - edge.from[1]) * edge.way[1];
    far > 1.0 && far < reach && (-1.0..=edge.length + 1.0).contains(&along)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::point;

    fn contour(corners: &[(i32, i32)]) -> Vec<IntPoint<i32>> {
        corners.iter().map(|(x, y)| point(*x, *y)).collect()
    }

    #[test]
    fn a_plate_is_narrow_below_its_own_width_and_not_above() {
        let plate = [contour(&[(0, 0), (20_000, 0), (20_000, 700), (0, 700)])];
        assert!(narrow(&plate, 710));
        assert!(!narrow(&plate, 690));
    }

    #[test]
    fn the_wall_between_a_hole_and_the_outline_counts() {
        let hole = contour(&[(300, 4_000), (300, 6_000), (2_000, 6_000), (2_000, 4_000)]);
        let holed = [contour(&[(0, 0), (10_000, 0), (10_000, 10_000), (0, 10_000)]), hole];
        assert!(narrow(&holed, 400));
        assert!(!narrow(&holed, 280));
    }

    #[test]
    fn two_holes_that_come_near_by_their_corners_count() {
        let diamond = |x: i32| contour(&[(x - 2_000, 5_000), (x, 7_000), (x + 2_000, 5_000), (x, 3_000)]);
        let holed =
            [contour(&[(0, 0), (20_000, 0), (20_000, 10_000), (0, 10_000)]), diamond(5_000), diamond(9_300)];
        assert!(narrow(&holed, 600));
        assert!(!narrow(&holed, 250));
    }

    #[test]
    fn a_right_angle_is_not_narrow_and_a_needles_point_is() {
        let square = [contour(&[(0, 0), (10_000, 0), (10_000, 10_000), (0, 10_000)])];
        assert!(!narrow(&square, 2_000));
        let needle = [contour(&[(0, 0), (20_000, 2_000), (0, 4_000)])];
        assert!(narrow(&needle, 500));
    }
}
