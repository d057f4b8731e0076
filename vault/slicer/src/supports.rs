//! Supports: towers or trees under what hangs over, made to be broken away.
//!
//! What a support must hold lies above it, and layers leave from the bed upwards. So where a profile asks for
//! supports, and only there, every outline is cut before the first layer leaves: `overhang` finds what each layer
//! must have under it, `plan` lets towers grow down from there, past the part and never nearer than the gaps ask,
//! or has `tree` send branches down, which lean and merge where `room` says they may; `lines` draws what a layer has
//! of them. Deliberately absent: supports painted or blocked by hand.

mod lines;
mod overhang;
mod plan;
mod room;
mod tree;

use layerlock_terms::profile::{Key, Profile, Support};

use crate::flow::Flow;
use crate::layers::{Schedule, Slab};

pub(crate) use lines::trace;
pub(crate) use plan::{Plan, Stand};

/// How far a tower reaches beyond what it holds, so that the smallest is thick enough to stand, in micrometres.
const SPREAD: i32 = 800;

/// How much further it reaches on the bed, in micrometres.
const FOOT: i32 = 1_000;

/// How much a slender tower widens on its way down, on each side and in all, in micrometres.
const TAPER: i32 = 1_600;

/// How far the middle of a tree's branch may be from the part's bounds, in micrometres.
const FENCE: i32 = 2_600;

/// The radius of the thickest branch, in micrometres.
const STOUTEST: i32 = 2_400;

/// How far supports may reach from the part, in micrometres.
pub(crate) fn reach(profile: &Profile) -> i32 {
    match profile.support() {
        Support::Off => 0,
        Support::Grid => SPREAD + TAPER + FOOT,
        Support::Tree => FENCE + STOUTEST + FOOT,
    }
}

/// What a profile asks of supports, in micrometres and whole layers.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// How far a layer may reach beyond the one below it with nothing else under it, as a share of its height.
    slope: f64,
    /// How far a tower may reach beyond the layer of it below: its lines rest on half their width.
    flare: i32,
    /// How far a branch may lean, as a share of the layer's height.
    branch: f64,
    /// Free height between support and part, above and below the support, up to a whole layer.
    gap: i32,
    /// Free space between support and the part beside it.
    aside: i32,
    /// Dense layers at either end of a tower.
    interface: usize,
    /// The longest span that needs no support.
    span: i32,
    /// Half the breadth of the narrowest tower that can be printed.
    thinnest: i32,
    footing: Footing,
}

/// What a tower may stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Footing {
    Anything,
    Bed,
}

impl Rules {
    fn of(profile: &Profile) -> Self {
        // Lines are furthest apart in thin layers: a tower must have room for them in every layer.
        let thin = if profile.on(Key::AdaptiveLayers) { Key::AdaptiveLeast } else { Key::LayerHeight };
        let height = profile.length(thin).0;
        let [first, flow] = [0, 1].map(|index| Flow::on(Slab { index, top: height, height }, profile));
        Self {
            slope: f64::from(profile.degrees(Key::SupportAngle)).to_radians().tan(),
            flare: flow.inner / 2,
            branch: f64::from(profile.degrees(Key::SupportBranchAngle)).to_radians().tan(),
            gap: profile.length(Key::SupportZGap).0,
            aside: profile.length(Key::SupportXyGap).0,
            interface: profile.count(Key::SupportInterfaceLayers) as usize,
            span: profile.length(Key::SupportBridgeSpan).0,
            thinnest: lines::half_narrowest(&flow).max(lines::half_narrowest(&first)),
            footing: if profile.on(Key::SupportPlateOnly) { Footing::Bed } else { Footing::Anything },
        }
    }

    /// How far this layer may reach beyond the one below it.
    fn lean(&self, slab: Slab) -> i32 {
        (f64::from(slab.height) * self.slope).round() as i32
    }

    /// How far a branch may lean from this layer to the one below.
    fn step(&self, slab: Slab) -> i32 {
        ((f64::from(slab.height) * self.branch).round() as i32).min(self.flare)
    }
}

/// How many layers on either side of each layer the gap to the part takes.
#[derive(Debug)]
struct Gaps {
    above: Vec<usize>,
    below: Vec<usize>,
}

impl Gaps {
    fn new(rules: &Rules, schedule: &Schedule) -> Self {
        let layers = 0..schedule.count();
        Self {
            above: layers.clone().map(|layer| schedule.within_above(layer, rules.gap) as usize).collect(),
            below: layers.map(|layer| schedule.within_below(layer, rules.gap) as usize).collect(),
        }
    }

    /// The layers above this one that are too near.
    fn over(&self, layer: usize) -> std::ops::Range<usize> {
        layer + 1..layer + 1 + self.above[layer]
    }

    /// The layers below this one that are too near.
    fn under(&self, layer: usize) -> std::ops::Range<usize> {
        layer.saturating_sub(self.below[layer])..layer
    }

    /// The layers of the part that are held by what ends in this layer, and would not be by what ends in the next.
    fn held(&self, layer: usize) -> std::ops::Range<usize> {
        let next = self.above.get(layer + 1).map_or(usize::MAX, |above| layer + 2 + above);
        self.over(layer).end..next
    }
}
