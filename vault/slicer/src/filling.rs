//! Traces for what the surfaces ask: solid places line by line, sparse places in the profile's pattern.

use layerlock_terms::profile::{Infill, Key, Profile};
use layerlock_terms::toolpath::Feature;

use crate::flow::Flow;
use crate::geometry::Region;
use crate::infill::{Fit, Hatching, Run, fill, fill_gyroid};
use crate::layers::Slab;
use crate::perimeters::lay;
use crate::surfaces::{Solid, Surfaces};
use crate::trace::Trace;

/// Narrow places smaller than this are hatched with what they adjoin, in square micrometres.
const BAND: f64 = 1e6;

/// Sparse lines are joined along the wall up to this many times their distance.
const LONGEST: f64 = 2.5;

/// Direction of a layer's lines, in degrees: each layer crosses the one below.
pub(crate) fn lean(index: u32) -> f64 {
    if index.is_multiple_of(2) { 45.0 } else { 135.0 }
}

/// Lines that fill `surfaces`.
pub(crate) fn trace(surfaces: &Surfaces, slab: Slab, flow: &Flow, profile: &Profile) -> Vec<Trace> {
    let mut traces = Vec::new();
    for solid in &surfaces.solids {
        trace_solid(&mut traces, solid, flow, profile);
    }
    trace_sparse(&mut traces, &surfaces.sparse, slab, flow, profile);
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
    let (distance, _) = flow.solid(solid.feature);
    let bands = bands(&solid.region, distance);
    trace_bands(traces, bands.clone(), solid.feature, flow);
    let region = solid.region.minus(&bands);
    let reach = region.shrunk(distance / 2 - overlap(flow, profile));
    let hatching = Hatching {
        degrees: solid.degrees,
        distance: f64::from(distance),
        fit: Fit::Each,
        longest_link: f64::from(distance) * 4.0,
    };
    for Run { points, distance } in fill(&reach, &hatching) {
        let width = match solid.feature {
            Feature::Bridge => flow.nozzle,
            _ => flow.filling(distance.round() as i32),
        };
        traces.push(Trace::line(solid.feature, width, points));
    }
    // Where no line fits between the edges, one line of the place's own breadth does.
    let left = region.beyond(&reach.grown(distance / 2));
    lay(traces, &left, Feature::GapFill, flow, |gap| flow.filling(gap));
}

/// The long places at most three lines wide.
fn bands(region: &Region, distance: i32) -> Region {
    let wide = region.opened(distance * 3 / 2);
    region.beyond(&wide).opened(distance / 4).without_specks(BAND)
}

/// Fills narrow places along their edges: lines across them would be all turns, and leave corners bare.
fn trace_bands(traces: &mut Vec<Trace>, mut room: Region, feature: Feature, flow: &Flow) {
    let (distance, width) = flow.solid(feature);
    while !room.is_empty() {
        let rings = room.shrunk(distance * 4 / 5).grown(distance * 3 / 10);
        traces.extend(rings.contours().map(|ring| Trace::ring(feature, width, ring.clone())));
        let gaps = room.minus(&rings.grown(distance / 2));
        lay(traces, &gaps, Feature::GapFill, flow, |gap| flow.filling(gap));
        room = rings.shrunk(distance / 2);
    }
}

fn trace_sparse(traces: &mut Vec<Trace>, sparse: &Region, slab: Slab, flow: &Flow, profile: &Profile) {
    let density = profile.percent(Key::InfillDensity);
    if sparse.is_empty() || density == 0 {
        return;
    }
    let reach = sparse.shrunk(flow.spacing(flow.inner) / 2 - overlap(flow, profile));
    let distance = f64::from(flow.spacing(flow.inner)) * 100.0 / f64::from(density);
    let straight = |degrees, distance| {
        let hatching = Hatching { degrees, distance, fit: Fit::Grid, longest_link: distance * LONGEST };
        fill(&reach, &hatching)
    };
    let runs = match profile.infill() {
        Infill::Grid => [straight(45.0, distance * 2.0), straight(135.0, distance * 2.0)].concat(),
        Infill::Rectilinear => straight(lean(slab.index), distance),
        Infill::Gyroid => fill_gyroid(&reach, slab.top, distance, distance * LONGEST),
    };
    traces.extend(runs.into_iter().map(|run| Trace::line(Feature::SparseInfill, flow.inner, run.points)));
}
