//! Parallel lines across a shape: where each enters and leaves it.

use super::{Fit, Hatching};
use crate::geometry::{IntPoint, point};

/// The lines of one shape.
#[derive(Debug)]
pub(super) struct Hatch {
    /// Two nodes a line: nodes `2n` and `2n + 1` are its ends.
    pub(super) nodes: Vec<Node>,
    /// What lies between each line's ends; nothing where lines are straight.
    pub(super) bodies: Vec<Vec<IntPoint<i32>>>,
    /// The distance between lines that came out, in micrometres.
    pub(super) distance: f64,
}

/// The contour of a node that lies on none.
pub(super) const OFF_EDGE: usize = usize::MAX;

impl Hatch {
    /// Hatches of the same shape as one.
    pub(super) fn of_all(parts: impl Iterator<Item = Self>) -> Self {
        let mut all = Self { nodes: Vec::new(), bodies: Vec::new(), distance: f64::MAX };
        for part in parts {
            all.nodes.extend(part.nodes);
            all.bodies.extend(part.bodies);
            all.distance = all.distance.min(part.distance);
        }
        all
    }
}

/// Where a line meets the shape's edge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) at: IntPoint<i32>,
    /// Counts lines across their direction.
    pub(super) row: i64,
    pub(super) contour: usize,
    /// Which edge of the contour, by the point it begins at.
    pub(super) edge: usize,
    /// How far along that edge, from 0 to 1.
    pub(super) share: f64,
    /// How far along the line.
    pub(super) along: f64,
}

/// Rows of lines: `origin + row * distance` across their direction.
struct Rows {
    origin: f64,
    distance: f64,
}

/// Lines across `shape`.
pub(super) fn cross(shape: &[Vec<IntPoint<i32>>], hatching: &Hatching) -> Hatch {
    let (sin, cos) = hatching.degrees.to_radians().sin_cos();
    let turned = |p: &IntPoint<i32>| {
        let (x, y) = (f64::from(p.x), f64::from(p.y));
        [x * cos + y * sin, y * cos - x * sin]
    };
    let contours: Vec<Vec<[f64; 2]>> =
        shape.iter().map(|contour| contour.iter().map(turned).collect()).collect();
    let rows = rows(&contours, hatching);
    let mut nodes = Vec::new();
    for (contour, points) in contours.iter().enumerate() {
        for (edge, from) in points.iter().enumerate() {
            let to = &points[(edge + 1) % points.len()];
            cross_edge(&mut nodes, &rows, (contour, edge), from, to);
        }
    }
    let mut even = even(nodes);
    for node in &mut even {
        let (u, v) = (node.along, rows.origin + node.row as f64 * rows.distance);
        node.at = point((u * cos - v * sin).round() as i32, (u * sin + v * cos).round() as i32);
    }
    Hatch { bodies: vec![Vec::new(); even.len() / 2], nodes: even, distance: rows.distance }
}

/// The nodes in the order of lines: entering, leaving.
pub(super) fn even(mut nodes: Vec<Node>) -> Vec<Node> {
    nodes.sort_by(|a, b| a.row.cmp(&b.row).then(a.along.total_cmp(&b.along)));
    // Each row enters and leaves as often; a row that does not is rounding at a tangent, and cut short.
    let mut even = Vec::with_capacity(nodes.len());
    for row in nodes.chunk_by(|a, b| a.row == b.row) {
        even.extend_from_slice(&row[..row.len() / 2 * 2]);
    }
    even
}

fn rows(contours: &[Vec<[f64; 2]>], hatching: &Hatching) -> Rows {
    let even = |origin| Rows { origin, distance: hatching.distance };
    match hatching.fit {
        Fit::Grid => return even(hatching.distance / 2.0),
        Fit::Through(origin) => return even(origin),
        Fit::Each => {}
    }
    let across = || contours.iter().flatten().map(|p| p[1]);
    let (low, high) = (across().fold(f64::MAX, f64::min), across().fold(f64::MIN, f64::max));
    // A hair inside the edge, so that a line along the edge still meets the shape.
    let (low, high) = (low + 1.5, high - 1.5);
    let room = (high - low).max(0.0);
    let count = if room / hatching.distance > 4.0 {
        (room / hatching.distance).round()
    } else {
        (room / hatching.distance - 0.05).ceil()
    };
    if count < 1.0 {
        return Rows { origin: f64::midpoint(low, high), distance: hatching.distance };
    }
    Rows { origin: low, distance: room / count }
}

/// Adds a node for each row the edge crosses; an edge owns its lower end and not its upper.
fn cross_edge(nodes: &mut Vec<Node>, rows: &Rows, place: (usize, usize), from: &[f64; 2], to: &[f64; 2]) {
    let (low, high) = (from[1].min(to[1]), from[1].max(to[1]));
    let mut row = ((low - rows.origin) / rows.distance).ceil() as i64;
    loop {
        let height = rows.origin + row as f64 * rows.distance;
        if height >= high {
            return;
        }
        if height >= low {
            let share = (height - from[1]) / (to[1] - from[1]);
            let along = from[0] + (to[0] - from[0]) * share;
            nodes.push(Node { at: point(0, 0), row, contour: place.0, edge: place.1, share, along });
        }
        row += 1;
    }
}
