//! Supports: towers under what hangs over, made to be broken away.
//!
//! What a tower must hold lies above it, and layers leave from the bed upwards. So where a profile asks for
//! supports, and only there, every outline is cut before the first layer leaves: `overhang` finds what each layer
//! must have under it, `plan` lets towers grow down from there, past the part and never nearer than the gaps ask,
//! and `lines` draws what a layer has of them. Deliberately absent: towers that lean or branch.

mod lines;
mod overhang;
mod plan;

use layerlock_terms::profile::{Key, Profile};

use crate::flow::Flow;
use crate::layers::Slab;

pub(crate) use lines::trace;
pub(crate) use plan::{Plan, Stand};

/// How far a tower reaches beyond what it holds, so that the smallest is thick enough to stand, in micrometres.
const SPREAD: i32 = 800;

/// How much further it reaches on the bed, in micrometres.
const FOOT: i32 = 1_000;

/// How much a slender tower widens on its way down, on each side and in all, in micrometres.
const TAPER: i32 = 1_600;

/// How far supports may reach from the part, in micrometres.
pub(crate) const REACH: i32 = SPREAD + TAPER + FOOT;

/// What a profile asks of supports, in micrometres and whole layers.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// How far a layer may reach beyond the one below it with nothing else under it.
    lean: i32,
    /// How far a tower may reach beyond the layer of it below: its lines rest on half their width.
    flare: i32,
    /// Free layers between support and part, above and below the support.
    gap: usize,
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
        let height = profile.length(Key::LayerHeight).0;
        let slope = f64::from(profile.degrees(Key::SupportAngle)).to_radians().tan();
        let [first, flow] = [0, 1].map(|index| Flow::on(Slab { index, top: height, height }, profile));
        let gap = (profile.length(Key::SupportZGap).0 + height - 1) / height;
        Self {
            lean: (f64::from(height) * slope).round() as i32,
            flare: flow.inner / 2,
            gap: gap as usize,
            aside: profile.length(Key::SupportXyGap).0,
            interface: profile.count(Key::SupportInterfaceLayers) as usize,
            span: profile.length(Key::SupportBridgeSpan).0,
            thinnest: lines::half_narrowest(&flow).max(lines::half_narrowest(&first)),
            footing: if profile.on(Key::SupportPlateOnly) { Footing::Bed } else { Footing::Anything },
        }
    }
}
