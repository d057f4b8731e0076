//! Offsets: every edge moved outward, and what lies behind the moved edges.
//!
//! Each edge sweeps a rectangle between where it was and where it goes. A contour drawn along the moved edges,
//! by way of the old corner wherever two of them cross, winds once around the region and once more around each
//! rectangle (or, where the region shrinks, once less): so what it winds around counter-clockwise is the region
//! with all of them (or without), holes and neighbours included (Chen and McMains, Polygon Offsetting by
//! Computing Winding Numbers, 2005). Most inner corners need not go by way of the old one: where both edges are
//! long enough for it the moved edges are cut where they cross, which leaves out what would be wound twice.
//!
//! Corners on the outside of a turn are mitred; those sharper than 50° are cut off. No trigonometric function is
//! called, whose last digit may differ between machines.

use super::arrangement::{Family, Soup, shapes};
use super::region::Region;
use super::{IntPoint, engine, point};

/// Cosine of the sharpest turn that still comes to its point: 130°, which leaves a corner of 50°.
const SHARPEST: f64 = -0.642_787_609_686_539_3;

/// Cosine of the turn past which the moved edges cross too far away to tell where: 150°.
const FOLDED: f64 = -0.866_025_403_784_438_6;

/// How far a sharper corner reaches along its edges, in offsets: the cotangent of 25°.
const REACH: f64 = 2.144_506_920_509_558_6;

/// Cosine and sine of the steps in which round corners are drawn: 15°.
const STEP: [f64; 2] = [0.965_925_826_289_068_3, 0.258_819_045_102_520_8];

/// Cosine of half a step: an arc's chords come so much nearer than its corners.
const CHORD: f64 = 0.991_444_861_373_810_4;

/// What becomes of corners on the outside of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Corners {
    Sharp,
    /// Arcs, drawn so that no chord comes nearer than the offset.
    Round,
}

/// The region grown by `by` micrometres, or shrunk where that is negative; a shape is a contour and its holes.
pub(super) fn offset(region: &Region, by: i32, corners: Corners) -> Vec<Vec<Vec<IntPoint<i32>>>> {
    let by = match corners {
        Corners::Sharp => f64::from(by),
        Corners::Round => (f64::from(by) / CHORD).ceil(),
    };
    let mut moved = Moved { by, corners, edges: Vec::new(), points: Vec::new() };
    if by < 0.0 {
        // Each shape for itself: across a thin one a corner's mitre may reach into its neighbour.
        return region.shapes().iter().flat_map(|shape| moved.shapes(std::slice::from_ref(shape))).collect();
    }
    moved.shapes(region.shapes())
}

/// An edge of the contour to be moved.
#[derive(Debug, Clone, Copy)]
struct Edge {
    from: IntPoint<i32>,
    /// Its direction, of length one.
    way: [f64; 2],
    length: f64,
    /// How much of it the corner at its start and the one at its end would cut off.
    cut: [f64; 2],
}

/// One contour's moved edges.
struct Moved {
    by: f64,
    corners: Corners,
    edges: Vec<Edge>,
    points: Vec<IntPoint<i32>>,
}

impl Moved {
    /// What lies behind the moved edges of these shapes.
    fn shapes(&mut self, region: &[Vec<Vec<IntPoint<i32>>>]) -> Vec<Vec<Vec<IntPoint<i32>>>> {
        let points: usize = region.iter().flatten().map(|contour| contour.len() + 1).sum();
        let mut soup = Soup::with_room(points + points / 2);
        for shape in region {
            for (nth, contour) in shape.iter().enumerate() {
                self.draw(contour);
                let family = if nth == 0 { Family::Subject } else { Family::Clip };
                soup.add(self.points.iter().copied(), family);
            }
        }
        // Beyond a hole's far side its corners' mitres add nothing.
        shapes(&soup, usize::MAX, |at| at.subject + at.clip.min(0) > 0).unwrap_or_else(|_| {
            let drawn = region.iter().flatten().map(|contour| {
                self.draw(contour);
                self.points.clone()
            });
            engine::positive(&drawn.collect::<Vec<_>>())
        })
    }

    /// Draws `contour` along its moved edges.
    fn draw(&mut self, contour: &[IntPoint<i32>]) {
        self.points.clear();
        self.find_edges(contour);
        let Some(last) = self.edges.last() else { return };
        let mut before = *last;
        for at in 0..self.edges.len() {
            let after = self.edges[at];
            self.turn(&before, &after);
            before = after;
        }
    }

    fn find_edges(&mut self, contour: &[IntPoint<i32>]) {
        self.edges.clear();
        let Some(mut from) = contour.last().copied() else { return };
        for to in contour {
            let (x, y) = (f64::from(to.x) - f64::from(from.x), f64::from(to.y) - f64::from(from.y));
            let length = (x * x + y * y).sqrt();
            if length > 0.0 {
                self.edges.push(Edge { from, way: [x / length, y / length], length, cut: [0.0; 2] });
            }
            from = *to;
        }
        let count = self.edges.len();
        for at in 0..count {
            let before = if at == 0 { count - 1 } else { at - 1 };
            let (cosine, sine) = turned(self.edges[before].way, self.edges[at].way);
            if !self.is_outer(cosine, sine) {
                let near = self.by.abs() * sine.abs() / (1.0 + cosine);
                let cut = if cosine > FOLDED { near } else { f64::INFINITY };
                self.edges[before].cut[1] = cut;
                self.edges[at].cut[0] = cut;
            }
        }
    }

    /// Whether a corner lies on the outside of its turn, where the moved edges leave a gap.
    fn is_outer(&self, cosine: f64, sine: f64) -> bool {
        if sine == 0.0 { cosine < 0.0 } else { (sine > 0.0) == (self.by > 0.0) }
    }

    /// Leads from one moved edge to the next.
    fn turn(&mut self, before: &Edge, after: &Edge) {
        let (cosine, sine) = turned(before.way, after.way);
        if !self.is_outer(cosine, sine) {
            let fits = |edge: &Edge| edge.cut[0] + edge.cut[1] <= edge.length;
            if fits(before) && fits(after) {
                self.push_crossing(before, after, cosine);
            } else {
                self.push(after.from, before.way, [0.0, 0.0], 1.0);
                self.points.push(after.from);
                self.push(after.from, after.way, [0.0, 0.0], 1.0);
            }
        } else if self.corners == Corners::Round {
            self.push_arc(before, after, sine);
        } else if cosine >= SHARPEST {
            self.push_crossing(before, after, cosine);
        } else {
            let reach = self.by.abs() * REACH;
            self.push(after.from, before.way, before.way.map(|c| c * reach), 1.0);
            self.push(after.from, after.way, after.way.map(|c| -c * reach), 1.0);
        }
    }

    /// Where the two moved edges' lines cross.
    fn push_crossing(&mut self, before: &Edge, after: &Edge, cosine: f64) {
        let sum = [before.way[0] + after.way[0], before.way[1] + after.way[1]];
        self.push(after.from, sum, [0.0, 0.0], 1.0 + cosine);
    }

    fn push_arc(&mut self, before: &Edge, after: &Edge, sine: f64) {
        let mut way = before.way;
        let turn = if sine < 0.0 || (sine == 0.0 && self.by < 0.0) { -STEP[1] } else { STEP[1] };
        self.push(after.from, way, [0.0, 0.0], 1.0);
        // No corner takes more steps than half a turn does.
        for _ in 0..12 {
            let (cosine, rest) = turned(way, after.way);
            if cosine >= STEP[0] && rest * turn >= 0.0 {
                break;
            }
            way = [way[0] * STEP[0] - way[1] * turn, way[0] * turn + way[1] * STEP[0]];
            self.push(after.from, way, [0.0, 0.0], 1.0);
        }
        self.push(after.from, after.way, [0.0, 0.0], 1.0);
    }

    /// Appends the corner moved outward from an edge that runs along `way`, and further by `further`.
    fn push(&mut self, corner: IntPoint<i32>, way: [f64; 2], further: [f64; 2], share: f64) {
        let by = self.by / share;
        self.points.push(point(
            (f64::from(corner.x) + way[1] * by + further[0]).round() as i32,
            (f64::from(corner.y) - way[0] * by + further[1]).round() as i32,
        ));
    }
}

/// Cosine and sine of the turn from one direction to another.
fn turned(from: [f64; 2], to: [f64; 2]) -> (f64, f64) {
    (from[0] * to[0] + from[1] * to[1], from[0] * to[1] - from[1] * to[0])
}
