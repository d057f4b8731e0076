//! Traces for what the surfaces ask: solid places line by line, sparse places in the profile's pattern.

use layerlock_terms::profile::{Infill, Key, Profile};
use layerlock_terms::toolpath::Feature;

use crate::flow::Flow;
use crate::geometry::Region;
use crate::infill::{Fit, Hatching, Run, fill};
use crate::perimeters::lay;
use crate::surfaces::{Solid, Surfaces};
use crate::trace::Trace;

/// Lines that fill `surfaces`.
pub(crate) fn trace(surfaces: &Surfaces, index: u32, flow: &Flow, profile: &Profile) -> Vec<Trace> {
    let mut traces = Vec::new();
    for solid in &surfaces.solids {
        trace_solid(&mut traces, solid, flow, profile);
    }
    trace_sparse(&mut traces, &surfaces.sparse, index, flow, profile);
    traces
}

/// How far lines reach into the wall's line, in micrometres.
fn overlap(flow: &Flow, profile: &Profile) -> i32 {
    flow.inner * profile.percent(Key::InfillOverlap) as i32 / 100
}

fn trace_solid(traces: &mut Vec<Trace>, solid: &Solid, flow: &Flow, profile: &Profile) {
    if solid.region.is_empty() {
        return;
    }
    let bridge = solid.feature == Feature::Bridge;
    let distance = if bridge { flow.nozzle } else { flow.spacing(flow.inner) };
    let reach = solid.region.shrunk(distance / 2 - overlap(flow, profile));
    let hatching = Hatching {
        degrees: solid.degrees,
        distance: f64::from(distance),
        fit: Fit::Each,
        longest_link: f64::from(distance) * 4.0,
    };
    for Run { points, distance } in fill(&reach, &hatching) {
        let width = if bridge { flow.nozzle } else { flow.filling(distance.round() as i32) };
        traces.push(Trace::line(solid.feature, width, points));
    }
    // Where no line fits between the edges, one line of the place's own breadth does.
    let left = solid.region.minus(&reach.grown(distance / 2));
    lay(traces, &left, Feature::GapFill, flow, |gap| flow.filling(gap));
}

fn trace_sparse(traces: &mut Vec<Trace>, sparse: &Region, index: u32, flow: &Flow, profile: &Profile) {
    let density = profile.percent(Key::InfillDensity);
    if sparse.is_empty() || density == 0 {
        return;
    }
    let reach = sparse.shrunk(flow.spacing(flow.inner) / 2 - overlap(flow, profile));
    let single = f64::from(flow.spacing(flow.inner)) * 100.0 / f64::from(density);
    let both = [45.0, 135.0];
    let (directions, distance) = match profile.infill() {
        Infill::Grid => (&both[..], single * 2.0),
        Infill::Rectilinear | Infill::Gyroid => {
            let turn = index as usize % 2;
            (&both[turn..=turn], single)
        }
    };
    for degrees in directions {
        let hatching = Hatching { degrees: *degrees, distance, fit: Fit::Grid, longest_link: distance * 2.5 };
        for run in fill(&reach, &hatching) {
            traces.push(Trace::line(Feature::SparseInfill, flow.inner, run.points));
        }
    }
}
