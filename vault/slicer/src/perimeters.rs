//! Walls: loops along the outline, and single lines where no loop fits.
//!
//! A loop needs room for its line twice over, with some squeeze; where the part is narrower, `midline` lays one
//! line as wide as the part (thin wall). Where two loops leave a gap too narrow for another, one line of the
//! gap's width fills it (gap fill). What is left inside the last wall is for the surfaces and the infill.

mod midline;

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::Feature;

use crate::flow::Flow;
use crate::geometry::{Region, length_along};
use crate::trace::Trace;
use midline::Tips;

/// Lines may be squeezed to this share of their spacing before a loop gives way to a single line, in percent.
const SQUEEZE: i32 = 75;

/// Walls and gaps narrower than this share of the nozzle are left: a line so thin does not hold, in percent.
const THINNEST: i32 = 25;

/// Thin places and gaps smaller than this are left: a dot in them holds nothing and costs a start and a stop, in
/// square micrometres.
const SPECK: f64 = 0.03e6;

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
    let first = Ring::within(&outline, flow.outer / 2, outer_room * SQUEEZE / 200);
    if profile.on(Key::ThinWalls) && !first.narrow.is_empty() {
        let thin = first.narrow.beyond(&first.squeezed.grown(flow.outer / 2));
        lay(&mut walls.traces, &thin, Feature::ThinWall, flow, |width| width);
    }
    let mut rings = first.middles();
    add_walls(&mut walls.traces, &rings, 0, flow.outer);
    let gap_fill = profile.on(Key::GapFill);
    // From the line's middle to its inner edge, as the next line sees it.
    let mut half = outer_room / 2;
    let room = flow.spacing(flow.wall);
    for depth in 1..profile.count(Key::Perimeters) {
        let next = Ring::within(&rings, half + room / 2, room * SQUEEZE / 200);
        if gap_fill {
            fill_gaps(&mut walls.traces, &next.gaps(half, room / 2), flow);
        }
        rings = next.middles();
        add_walls(&mut walls.traces, &rings, depth as u8, flow.wall);
        half = room / 2;
    }
    let last = Ring::within(&rings, half, flow.spacing(flow.inner) / 2 - 10);
    if gap_fill {
        fill_gaps(&mut walls.traces, &last.gaps(half, 0), flow);
    }
    walls.inside = last.middles();
    walls.outline = outline;
    walls
}

/// Lines along the inside of an edge: plain where there is room, fewer where they would be squeezed too much.
struct Ring {
    /// The shapes with a place too narrow for lines on both sides.
    narrow: Region,
    /// The lines in those, which end before such places.
    squeezed: Region,
    /// The lines in all other shapes.
    plain: Region,
}

impl Ring {
    /// Lines `inset` inside the edge of `region`, where they may be squeezed by `squeeze` and no more.
    fn within(region: &Region, inset: i32, squeeze: i32) -> Self {
        // Opening changes nothing where nothing is narrow, and leaves no gap: most shapes take one offset.
        let (narrow, broad) = region.parted(2 * (inset + squeeze));
        let squeezed = narrow.shrunk(inset + squeeze).grown(squeeze);
        Self { narrow, squeezed, plain: broad.shrunk(inset) }
    }

    /// What lies between the lines around these, `half` a line thick, and the lines in them, `other` thick.
    fn gaps(&self, half: i32, other: i32) -> Region {
        self.narrow.shrunk(half).beyond(&self.squeezed.grown(other))
    }

    fn middles(self) -> Region {
        self.squeezed.beside(self.plain)
    }
}

fn add_walls(traces: &mut Vec<Trace>, rings: &Region, depth: u8, width: i32) {
    traces.extend(rings.contours().map(|contour| Trace::wall(depth, width, contour.clone())));
}

fn fill_gaps(traces: &mut Vec<Trace>, gaps: &Region, flow: &Flow) {
    lay(traces, gaps, Feature::GapFill, flow, |gap| flow.filling(gap));
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
    let sound = thin.clone().without_specks(SPECK).opened(thinnest / 2).without_specks(SPECK);
    let tips = if feature == Feature::ThinWall { Tips::Free } else { Tips::Held };
    for shape in sound.shapes() {
        for stroke in midline::strokes(shape, flow.inner * 2, tips) {
            let dot = length_along(&stroke.points) < f64::from(flow.nozzle) / 4.0;
            if dot && stroke.breadth < flow.nozzle / 2 {
                continue;
            }
            let width = width_for(stroke.breadth.max(thinnest));
            traces.push(Trace::line(feature, width, stroke.points));
        }
    }
}
