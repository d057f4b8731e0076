//! Traces for what the surfaces ask: solid places line by line, sparse places in the profile's pattern.

mod notch;
mod rim;

use layerlock_terms::profile::{Infill, Key, Profile};
use layerlock_terms::toolpath::Feature;

use crate::flow::Flow;
use crate::geometry::{Bounds, Region, length_along, point};
use crate::infill::{Cells, Fit, Hatching, Lattice, Phase, Run, fill_solid, fill_sparse, rings};
use crate::layers::Slab;
use crate::perimeters::lay;
use crate::place::Placed;
use crate::surfaces::{Solid, Surfaces};
use crate::trace::Trace;

/// Narrow places smaller than this are hatched with what they adjoin, in square micrometres.
const BAND: f64 = 1e6;

/// Solid lines are joined along the wall up to this many times their distance. Where they meet it at a slant, the
/// join covers the wedge between wall and last line, so it may be long.
const ALONG: f64 = 50.0;

/// How much of what lines side by side overlap they may give up, as a share.
const TOUCH: f64 = 0.8;

/// Sparse lines shorter than this many widths hold nothing.
const SHORTEST: i32 = 3;

/// Direction of a layer's lines, in degrees: each layer crosses the one below.
pub(crate) fn lean(index: u32, profile: &Profile) -> f64 {
    let even = f64::from(profile.degrees(Key::InfillAngle));
    if index.is_multiple_of(2) { even } else { (even + 90.0) % 180.0 }
}

/// Lines that fill `surfaces`; `sparse` is what the sparse pattern takes from the whole part.
pub(crate) fn trace(
    surfaces: &Surfaces,
    sparse: &Sparse,
    slab: Slab,
    flow: &Flow,
    profile: &Profile,
) -> Vec<Trace> {
    let mut traces = Vec::new();
    for solid in &surfaces.solids {
        trace_solid(&mut traces, solid, flow, profile);
    }
    trace_sparse(&mut traces, &surfaces.sparse, sparse, (slab, flow), profile);
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
    let (distance, width) = flow.solid(solid.feature);
    let (narrow, broad) = solid.region.parted(distance * 3);
    let bands = bands(&narrow, distance);
    let narrow = narrow.minus(&bands);
    trace_bands(traces, bands, solid.feature, flow);
    let inset = distance / 2 - overlap(flow, profile);
    let reach = narrow.shrunk(inset);
    // Where no line fits between the edges, one line of the place's own breadth does.
    let left = narrow.beyond(&reach.grown(distance / 2));
    let hatching = Hatching {
        degrees: solid.degrees,
        distance: f64::from(distance),
        fit: Fit::Each,
        longest_link: f64::from(distance) * ALONG,
    };
    let (mut runs, open) = fill_solid(&reach.beside(broad.shrunk(inset)), &hatching);
    for run in &mut runs {
        run.points = notch::filled(&run.points, width, run.distance, &solid.region);
    }
    let rim = rim::bare(&solid.region, &runs, &open, (distance, inset));
    let hatched = narrow.area() + broad.area() - left.area() - rim.area();
    let share = share(&runs, hatched, flow);
    traces.extend(runs.into_iter().map(|run| {
        let width = match solid.feature {
            Feature::Bridge => width,
            _ => flow.filling((run.distance * share).round() as i32),
        };
        Trace::line(solid.feature, width, run.points)
    }));
    for gaps in [left, rim] {
        lay(traces, &gaps, Feature::GapFill, flow, |gap| flow.filling(gap));
    }
}

/// The share of their distance that lines should fill so that the place gets its own volume: joins and turns along
/// its edge lay more. No less than leaves lines touching with some of their round sides to spare.
fn share(runs: &[Run], area: f64, flow: &Flow) -> f64 {
    let laid: f64 = runs.iter().map(|run| length_along(&run.points) * run.distance).sum();
    let widest = runs.iter().map(|run| run.distance).fold(1.0, f64::max);
    let least = 1.0 - TOUCH * f64::from(flow.filling(0)) / widest;
    if laid > 0.0 { (area / laid).clamp(least, 1.0) } else { 1.0 }
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

fn trace_sparse(
    traces: &mut Vec<Trace>,
    region: &Region,
    sparse: &Sparse,
    (slab, flow): (Slab, &Flow),
    profile: &Profile,
) {
    if region.is_empty() || profile.percent(Key::InfillDensity) == 0 {
        return;
    }
    let lattice = sparse.lattice(slab, profile);
    if lattice.pattern == Infill::Concentric {
        let ring = |points| Trace::ring(Feature::SparseInfill, flow.sparse, points);
        traces.extend(rings(region, lattice.distance, lattice.phase.shift).into_iter().map(ring));
        return;
    }
    let reach = region.shrunk(flow.spacing(flow.sparse) / 2 - overlap(flow, profile));
    let runs = fill_sparse(&reach, &lattice).into_iter();
    let useful = runs.filter(|run| length_along(&run.points) > f64::from(SHORTEST * flow.sparse));
    traces.extend(useful.map(|run| Trace::line(Feature::SparseInfill, flow.sparse, run.points)));
}

/// What the sparse pattern takes from the whole part. The mesh says it: no layer waits for it.
#[derive(Debug)]
pub(crate) struct Sparse {
    phase: Phase,
    cells: Option<Cells>,
}

impl Sparse {
    /// For layers like `slab`, one of those above the first.
    pub(crate) fn new(part: &Placed<'_>, slab: Slab, profile: &Profile) -> Self {
        let flow = Flow::on(slab, profile);
        let points = part.vertices.iter().map(|corner| point(corner[0], corner[1]));
        let boxed = points.map(|at| Bounds { min: at, max: at }).reduce(Bounds::with);
        let Bounds { min, max } = boxed.unwrap_or(Bounds { min: point(0, 0), max: point(0, 0) });
        let loose = Self { phase: Phase { middle: min, shift: 0.0 }, cells: None };
        if profile.percent(Key::InfillDensity) == 0 {
            return loose;
        }
        let walls = profile.count(Key::Perimeters) as i32 * flow.wall;
        let inside = Bounds {
            min: point(min.x + walls, min.y + walls),
            max: point((max.x - walls).max(min.x + walls + 1), (max.y - walls).max(min.y + walls + 1)),
        };
        let lattice = loose.lattice(slab, profile);
        let cells =
            (profile.infill() == Infill::AdaptiveCubic).then(|| cells(part, &lattice, walls, profile));
        Self { phase: Phase::fitted(inside, part.height, &lattice), cells }
    }

    fn lattice(&self, slab: Slab, profile: &Profile) -> Lattice<'_> {
        let pattern = profile.infill();
        // Lines stand on lines though layers differ in height: their distance is that of the usual layer.
        let usual = Flow::on(Slab::usual(profile), profile);
        Lattice {
            pattern,
            distance: f64::from(usual.spacing(usual.sparse)) * 100.0
                / f64::from(profile.percent(Key::InfillDensity)),
            degrees: if pattern == Infill::Rectilinear {
                lean(slab.index, profile)
            } else {
                lean(0, profile)
            },
            z: slab.top,
            phase: self.phase,
            cells: self.cells.as_ref(),
        }
    }
}

/// Small cubes wherever walls and skins, which keep the infill away from the part's surface, are held by it.
fn cells(part: &Placed<'_>, lattice: &Lattice<'_>, walls: i32, profile: &Profile) -> Cells {
    let skins = profile.count(Key::TopLayers).max(profile.count(Key::BottomLayers));
    let shell = (skins as i32 * profile.length(Key::LayerHeight).0).max(walls);
    let corners = part.triangles.iter().map(|corners| corners.map(|corner| part.vertices[corner as usize]));
    Cells::new(corners, lattice.distance, lattice.degrees, f64::from(shell))
}
