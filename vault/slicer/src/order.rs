//! In which order a layer's traces are laid, where loops begin and which way lines run.
//!
//! Walls come turned to their seams by [`Seams`], which goes from layer to layer; all else begins where the nozzle is.
//!
//! Island by island, so that the nozzle rarely crosses air; a tower of support is an island too. Inside an island
//! walls first (which of them, the profile says), then solid places, then sparse; among equals the nearest next.

mod near;
mod seam;

use layerlock_terms::profile::{Order, Profile, Seam};
use layerlock_terms::toolpath::Feature;

use crate::geometry::{Bounds, IntPoint, Region, Rows, distance, inside, point};
use crate::trace::{Trace, TraceShape};
use near::Near;

pub(crate) use seam::{Seams, scrambled};

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
        let ring = begin(ring, at, Start::Anywhere);
        at = end(&ring);
        arranged.push(vec![ring]);
    }
    let (held, traces): (Vec<_>, Vec<_>) = traces.into_iter().partition(is_support);
    let mut islands = split(traces, outline);
    islands.extend(split(held, supports));
    let mut near = Near::new(
        islands
            .iter()
            .enumerate()
            .flat_map(|(number, island)| island.iter().map(move |trace| (number as u32, trace.points[0]))),
    );
    while let Some(nearest) = near.take(at) {
        arranged.push(arrange_island(std::mem::take(&mut islands[nearest]), &mut at, profile));
    }
    arranged
}

/// Where a loop may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// At its first point, where its seam was put.
    AtItsSeam,
    Anywhere,
}

impl Start {
    fn of(trace: &Trace, profile: &Profile) -> Self {
        if trace.is_wall() && profile.seam() != Seam::Nearest { Self::AtItsSeam } else { Self::Anywhere }
    }
}

fn is_support(trace: &Trace) -> bool {
    matches!(trace.feature, Feature::Support | Feature::SupportInterface)
}

/// Each island's traces; what lies in no island goes with the last.
fn split(traces: Vec<Trace>, outline: &Region) -> Vec<Vec<Trace>> {
    let shapes: Vec<_> =
        outline.shapes().iter().filter_map(|shape| Some((Bounds::of(shape.first()?)?, shape))).collect();
    let rows = Rows::over(shapes.iter().map(|(bounds, _)| *bounds));
    let mut islands = vec![Vec::new(); shapes.len().max(1)];
    for trace in traces {
        let p = trace.points[0];
        let holds = |shape: &&u32| {
            let (bounds, shape) = shapes[**shape as usize];
            bounds.holds(p) && inside(shape, p)
        };
        let home = rows.at(p.y).iter().find(holds).map(|shape| *shape as usize);
        let last = islands.len() - 1;
        islands[home.unwrap_or(last)].push(trace);
    }
    islands.retain(|island| !island.is_empty());
    islands
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
        let mut near = Near::new(equals.iter().enumerate().flat_map(|(number, trace)| {
            starts(trace, Start::of(trace, profile)).map(move |p| (number as u32, p))
        }));
        let mut equals: Vec<Option<Trace>> = equals.into_iter().map(Some).collect();
        while let Some(trace) = near.take(*at).and_then(|nearest| equals[nearest].take()) {
            let start = Start::of(&trace, profile);
            let trace = begin(trace, *at, start);
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

/// Where the trace could begin.
fn starts(trace: &Trace, start: Start) -> impl Iterator<Item = IntPoint<i32>> + '_ {
    let last = trace.points.len() - 1;
    let step = match (trace.shape, start) {
        (TraceShape::Loop, Start::Anywhere) => 1,
        (TraceShape::Loop, Start::AtItsSeam) => trace.points.len(),
        (TraceShape::Line, _) => last.max(1),
    };
    trace.points.iter().step_by(step).copied()
}

/// Turns a loop to where it begins, and a line to its nearer end.
fn begin(mut trace: Trace, at: IntPoint<i32>, start: Start) -> Trace {
    match (trace.shape, start) {
        (TraceShape::Loop, Start::AtItsSeam) => {}
        (TraceShape::Loop, Start::Anywhere) => {
            let first = nearest_index(trace.points.iter().map(|p| distance(*p, at)));
            trace.points.rotate_left(first);
        }
        (TraceShape::Line, _) => {
            if distance(trace.points[trace.points.len() - 1], at) < distance(trace.points[0], at) {
                trace.points.reverse();
            }
        }
    }
    trace
}

/// Where the nozzle is when the trace is laid.
fn end(trace: &Trace) -> IntPoint<i32> {
    match trace.shape {
        TraceShape::Loop => trace.points[0],
        TraceShape::Line => trace.points[trace.points.len() - 1],
    }
}
