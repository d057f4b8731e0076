//! In which order a layer's traces are laid, where loops begin and which way lines run.
//!
//! Island by island, so that the nozzle rarely crosses air; a tower of support is an island too. Inside an island
//! walls first (which of them, the profile says), then solid places, then sparse; among equals the nearest next.

use layerlock_terms::profile::{Order, Profile, Seam};
use layerlock_terms::toolpath::Feature;

use crate::geometry::{Bounds, IntPoint, Region, distance, inside, point, turn};
use crate::trace::{Trace, TraceShape};

/// The traces in printing order, each as it will be run, island by island.
pub(crate) fn arrange(
    traces: Vec<Trace>,
    outline: &Region,
    supports: &Region,
    profile: &Profile,
) -> Vec<Vec<Trace>> {
    let mut at = outline.bounds().map_or(point(0, 0), |bounds| point(bounds.min.x, bounds.max.y));
    let mut arranged = Vec::new();
    let (around, traces): (Vec<_>, Vec<_>) =
        traces.into_iter().partition(|trace| trace.feature == Feature::Skirt);
    for ring in around {
        let ring = begin(ring, at, Seam::Nearest);
        at = end(&ring);
        arranged.push(vec![ring]);
    }
    let (held, traces): (Vec<_>, Vec<_>) = traces.into_iter().partition(is_support);
    let mut islands = split(traces, outline);
    islands.extend(split(held, supports));
    while !islands.is_empty() {
        let nearest = nearest_index(islands.iter().map(|island| approach(island, at)));
        arranged.push(arrange_island(islands.swap_remove(nearest), &mut at, profile));
    }
    arranged
}

fn is_support(trace: &Trace) -> bool {
    matches!(trace.feature, Feature::Support | Feature::SupportInterface)
}

/// Each island's traces; what lies in no island goes with the last.
fn split(traces: Vec<Trace>, outline: &Region) -> Vec<Vec<Trace>> {
    let shapes: Vec<_> =
        outline.shapes().iter().filter_map(|shape| Some((Bounds::of(shape.first()?)?, shape))).collect();
    let mut islands = vec![Vec::new(); shapes.len().max(1)];
    for trace in traces {
        let p = trace.points[0];
        let home = shapes.iter().position(|(bounds, shape)| bounds.holds(p) && inside(shape, p));
        let last = islands.len() - 1;
        islands[home.unwrap_or(last)].push(trace);
    }
    islands.retain(|island| !island.is_empty());
    islands
}

/// How far an island's nearest trace is.
fn approach(island: &[Trace], at: IntPoint<i32>) -> f64 {
    island.iter().map(|trace| distance(trace.points[0], at)).fold(f64::MAX, f64::min)
}

fn nearest_index(distances: impl Iterator<Item = f64>) -> usize {
    let mut best = (f64::MAX, 0);
    for (index, distance) in distances.enumerate() {
        if distance < best.0 {
            best = (distance, index);
        }
    }
    best.1
}

fn arrange_island(mut island: Vec<Trace>, at: &mut IntPoint<i32>, profile: &Profile) -> Vec<Trace> {
    let mut arranged = Vec::with_capacity(island.len());
    let outer_first = profile.order() == Order::OuterFirst;
    island.sort_by_key(|trace| rank(trace, outer_first));
    let mut rest = island.into_iter().peekable();
    while let Some(first) = rest.next() {
        let rank_now = rank(&first, outer_first);
        let mut equals = vec![first];
        while let Some(next) = rest.next_if(|trace| rank(trace, outer_first) == rank_now) {
            equals.push(next);
        }
        while !equals.is_empty() {
            let nearest = nearest_index(equals.iter().map(|trace| reach(trace, *at)));
            let trace = equals.swap_remove(nearest);
            let seam = if is_support(&trace) { Seam::Nearest } else { profile.seam() };
            let trace = begin(trace, *at, seam);
            *at = end(&trace);
            arranged.push(trace);
        }
    }
    arranged
}

/// Groups of equals: deeper walls before the visible one unless the profile turns that round, then the rest.
fn rank(trace: &Trace, outer_first: bool) -> (u8, i32) {
    let depth = i32::from(trace.depth);
    match trace.feature {
        Feature::OuterPerimeter | Feature::InnerPerimeter if outer_first => (1, depth),
        Feature::OuterPerimeter | Feature::InnerPerimeter => (1, -depth),
        Feature::Support if trace.shape == TraceShape::Loop => (1, 0),
        Feature::ThinWall | Feature::GapFill => (2, 0),
        Feature::SparseInfill => (4, 0),
        _ => (3, 0),
    }
}

/// How far the nozzle travels to where the trace could begin.
fn reach(trace: &Trace, at: IntPoint<i32>) -> f64 {
    match trace.shape {
        TraceShape::Loop => trace.points.iter().map(|p| distance(*p, at)).fold(f64::MAX, f64::min),
        TraceShape::Line => {
            distance(trace.points[0], at).min(distance(trace.points[trace.points.len() - 1], at))
        }
    }
}

/// Turns a loop to its seam, and a line to its nearer end.
fn begin(mut trace: Trace, at: IntPoint<i32>, seam: Seam) -> Trace {
    match trace.shape {
        TraceShape::Loop => {
            let first = match seam {
                Seam::Nearest => nearest_index(trace.points.iter().map(|p| distance(*p, at))),
                Seam::Rear => rear(&trace.points),
                Seam::Corner => corner(&trace.points),
            };
            trace.points.rotate_left(first);
        }
        TraceShape::Line => {
            if distance(trace.points[trace.points.len() - 1], at) < distance(trace.points[0], at) {
                trace.points.reverse();
            }
        }
    }
    trace
}

/// The point furthest back; of several, the one furthest right.
fn rear(points: &[IntPoint<i32>]) -> usize {
    (0..points.len()).max_by_key(|at| (points[*at].y, points[*at].x)).unwrap_or(0)
}

/// The sharpest inward corner; the sharpest outward one where none turns inward; the rearmost of much the same.
fn corner(points: &[IntPoint<i32>]) -> usize {
    let count = points.len();
    let score = |at: usize| {
        let turn = turn(points[(at + count - 1) % count], points[at], points[(at + 1) % count]);
        // Inward corners hide a seam best; steps of a tenth keep rounding from moving the seam about.
        let sharpness = if turn < 0.0 { -turn * 2.0 } else { turn };
        (sharpness * 10.0).round() as i64
    };
    (0..count).max_by_key(|at| (score(*at), points[*at].y, points[*at].x)).unwrap_or(0)
}

/// Where the nozzle is when the trace is laid.
fn end(trace: &Trace) -> IntPoint<i32> {
    match trace.shape {
        TraceShape::Loop => trace.points[0],
        TraceShape::Line => trace.points[trace.points.len() - 1],
    }
}
