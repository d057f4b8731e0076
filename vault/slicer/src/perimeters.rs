//! Walls: loops along the outline, and single lines where no loop fits.
//!
//! A loop needs room for its line twice over, with some squeeze; where the part is narrower, `midline` lays one
//! line as wide as the part (thin wall). Where two loops leave a gap too narrow for another, one line of the
//! gap's width fills it (gap fill). What is left inside the last wall is for the surfaces and the infill.

mod midline;

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::Feature;

use crate::flow::Flow;
use crate::geometry::Region;
use crate::trace::Trace;
use midline::Tips;

/// Lines may be squeezed to this share of their spacing before a loop gives way to a single line, in percent.
const SQUEEZE: i32 = 75;

/// Walls and gaps narrower than this share of the nozzle are left: a line so thin does not hold, in percent.
const THINNEST: i32 = 25;

/// A layer's walls and what they enclose.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walls {
    /// The part's own outline.
    pub(crate) outline: Region,
    /// Loops and single lines.
    pub(crate) traces: Vec<Trace>,
    /// Inside the last wall's inner edge.
    pub(crate) inside: Region,
}

/// Walls along `outline`.
pub(crate) fn build(outline: Region, flow: &Flow, profile: &Profile) -> Walls {
    let mut walls = Walls::default();
    let outer_room = flow.spacing(flow.outer);
    let squeezed = outer_room * SQUEEZE / 200;
    let mut rings = outline.shrunk(flow.outer / 2 + squeezed).grown(squeezed);
    if profile.on(Key::ThinWalls) {
        let covered = rings.grown(flow.outer / 2);
        let thin = outline.beyond(&covered);
        lay(&mut walls.traces, &thin, Feature::ThinWall, flow, |width| width);
    }
    add_walls(&mut walls.traces, &rings, 0, flow.outer);
    // From the line's middle to its inner edge, as the next line sees it.
    let mut half = outer_room / 2;
    let room = flow.spacing(flow.inner);
    for depth in 1..profile.count(Key::Perimeters) {
        let next = rings.shrunk(half + room / 2 + room * SQUEEZE / 200).grown(room * SQUEEZE / 200);
        fill_gaps(&mut walls.traces, &rings.shrunk(half), &next.grown(room / 2), flow, profile);
        add_walls(&mut walls.traces, &next, depth as u8, flow.inner);
        rings = next;
        half = room / 2;
    }
    let inside = rings.shrunk(half);
    let wide = inside.opened(room / 2 - 10);
    fill_gaps(&mut walls.traces, &inside, &wide, flow, profile);
    walls.inside = wide;
    walls.outline = outline;
    walls
}

fn add_walls(traces: &mut Vec<Trace>, rings: &Region, depth: u8, width: i32) {
    traces.extend(rings.contours().map(|contour| Trace::wall(depth, width, contour.clone())));
}

/// Fills what `room` has beyond `taken`.
fn fill_gaps(traces: &mut Vec<Trace>, room: &Region, taken: &Region, flow: &Flow, profile: &Profile) {
    if profile.on(Key::GapFill) {
        let gaps = room.beyond(taken);
        lay(traces, &gaps, Feature::GapFill, flow, |gap| flow.filling(gap));
    }
}

/// Single lines along the middle of `thin`; `width_for` says how wide a line a local breadth takes.
pub(crate) fn lay(
    traces: &mut Vec<Trace>,
    thin: &Region,
    feature: Feature,
    flow: &Flow,
    width_for: impl Fn(i32) -> i32,
) {
    let thinnest = flow.nozzle * THINNEST / 100;
    let sound = thin.opened(thinnest / 2);
    let tips = if feature == Feature::ThinWall { Tips::Free } else { Tips::Held };
    for shape in sound.shapes() {
        for stroke in midline::strokes(shape, flow.inner * 2, tips) {
            let width = width_for(stroke.breadth.max(thinnest));
            traces.push(Trace::line(feature, width, stroke.points));
        }
    }
}
