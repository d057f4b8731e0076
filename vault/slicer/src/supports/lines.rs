//! A layer's supports as lines: a wall around each, crossing lines within a tower, rings within a tree, closer lines
//! where it meets the part.

use layerlock_terms::profile::{Key, Profile, Support};
use layerlock_terms::toolpath::Feature;

use super::Stand;
use crate::filling::lean;
use crate::flow::Flow;
use crate::geometry::{Region, length_along};
use crate::infill::{Fit, Hatching, Run, fill};
use crate::layers::Slab;
use crate::trace::Trace;

/// Lines may be squeezed to this share of their spacing where a tower is narrow, in percent.
const SQUEEZE: i32 = 75;

/// The narrowest tower a wall goes around, half its breadth, in micrometres.
pub(super) fn half_narrowest(flow: &Flow) -> i32 {
    flow.inner / 2 + squeezed(flow)
}

fn squeezed(flow: &Flow) -> i32 {
    flow.spacing(flow.inner) * SQUEEZE / 200
}

/// How far lines reach into the wall around them, as a share of their spacing in percent.
const OVERLAP: i32 = 15;

/// Lines that print this layer's supports.
pub(crate) fn trace(stand: &Stand, slab: Slab, flow: &Flow, profile: &Profile) -> Vec<Trace> {
    let mut traces = Vec::new();
    if stand.column.is_empty() {
        return traces;
    }
    let (width, spacing) = (flow.inner, flow.spacing(flow.inner));
    let tree = profile.support() == Support::Tree;
    // A branch is never too thin for a wall: its sections were opened where they were cut.
    let wall = if tree {
        stand.column.shrunk(width / 2)
    } else {
        // Past an edge too short to be seen by the shrunk tower, the grown one's corners would come to a point.
        let broad = stand.column.shrunk(half_narrowest(flow)).grown(squeezed(flow));
        broad.and(&stand.column.shrunk(width / 2))
    };
    traces.extend(wall.contours().map(|ring| Trace::ring(Feature::Support, width, ring.clone())));
    let inside = wall.shrunk(spacing * (100 - OVERLAP) / 100);
    if slab.index == 0 {
        // The bed is what all of the tower holds to.
        dense(&mut traces, &inside, Feature::Support, slab, profile);
        return traces;
    }
    let interface = inside.and(&stand.interface);
    dense(&mut traces, &interface, Feature::SupportInterface, slab, profile);
    let rest = inside.minus(&interface);
    if tree {
        rings(&mut traces, rest.shrunk(spacing * OVERLAP / 100), flow, profile);
    } else {
        sparse(&mut traces, &rest, slab, profile);
    }
    traces
}

/// Lines side by side, turned with each layer.
fn dense(traces: &mut Vec<Trace>, region: &Region, feature: Feature, slab: Slab, profile: &Profile) {
    let flow = Flow::on(slab, profile);
    let percent = f64::from(profile.percent(Key::SupportInterfaceDensity));
    let distance = f64::from(flow.spacing(flow.inner)) * 100.0 / percent;
    let degrees = lean(slab.index, profile);
    let hatching = Hatching { degrees, distance, fit: Fit::Each, longest_link: distance * 4.0 };
    lay(traces, fill(region, &hatching), feature, flow.inner);
}

/// Lines both ways, each on the one in the layer below.
fn sparse(traces: &mut Vec<Trace>, region: &Region, slab: Slab, profile: &Profile) {
    let flow = Flow::on(slab, profile);
    let percent = f64::from(profile.percent(Key::SupportDensity) as i32);
    let distance = f64::from(flow.spacing(flow.inner)) * 200.0 / percent;
    for degrees in [0.0, 90.0] {
        let hatching = Hatching { degrees, distance, fit: Fit::Grid, longest_link: 0.0 };
        lay(traces, fill(region, &hatching), Feature::Support, flow.inner);
    }
}

/// A tree's rings are at most this far apart, as a share of their spacing in percent: less than a line's width is open
/// between two, so that nothing above lies hollow however branches merge.
const APART: i32 = 150;

/// Rings one in another; dots hold nothing.
fn rings(traces: &mut Vec<Trace>, mut region: Region, flow: &Flow, profile: &Profile) {
    let spacing = flow.spacing(flow.inner);
    let apart =
        (spacing * 100 / profile.percent(Key::SupportDensity).cast_signed()).min(spacing * APART / 100);
    region = region.shrunk(apart - spacing);
    while !region.is_empty() {
        let rings = region.contours().map(|ring| Trace::ring(Feature::Support, flow.inner, ring.clone()));
        traces.extend(rings.filter(|ring| length_along(&ring.points) > f64::from(2 * flow.inner)));
        region = region.shrunk(apart);
    }
}

/// Runs as traces; dots hold nothing.
fn lay(traces: &mut Vec<Trace>, runs: Vec<Run>, feature: Feature, width: i32) {
    let sound = runs.into_iter().filter(|run| length_along(&run.points) > f64::from(width));
    traces.extend(sound.map(|run| Trace::line(feature, width, run.points)));
}
