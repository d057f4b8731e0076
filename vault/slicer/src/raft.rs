//! A raft: a few layers under everything else, which hold to the bed and let go of the part.
//!
//! The first is nearly closed and holds to the bed, those between are open and even it out, the topmost are closed
//! and carry the part, which begins a gap above them. Everything else is sliced as if there were none, and lifted.

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::Feature;

use crate::flow::Flow;
use crate::geometry::Region;
use crate::infill::{Fit, Hatching, fill};
use crate::layers::Slab;
use crate::trace::Trace;

/// Bays of the raft narrower than twice this are filled, in micrometres.
const BAY: i32 = 3_000;

/// How full the raft's layers are, in percent: the first, those between, those under the part.
const FULL: [i32; 3] = [80, 50, 100];

/// How far lines reach into the wall around them, as a share of their spacing in percent.
const OVERLAP: i32 = 15;

/// The layers under the part.
#[derive(Debug, Clone)]
pub(crate) struct Raft {
    slabs: Vec<Slab>,
    /// How much higher everything else lies, in micrometres.
    lift: i32,
    margin: i32,
}

/// What a raft's layer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duty {
    Hold,
    Even,
    Carry,
}

impl Raft {
    /// The raft a profile asks for, which may have no layers.
    pub(crate) fn of(profile: &Profile) -> Self {
        let [first, other] = [Key::FirstLayerHeight, Key::LayerHeight].map(|key| profile.length(key).0);
        let slab = |index: u32| Slab {
            index,
            top: first + index as i32 * other,
            height: if index == 0 { first } else { other },
        };
        let slabs: Vec<Slab> = (0..profile.count(Key::RaftLayers)).map(slab).collect();
        let lift = slabs.last().map_or(0, |top| top.top + profile.length(Key::RaftGap).0);
        Self { slabs, lift, margin: profile.length(Key::RaftMargin).0 }
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.slabs.is_empty()
    }

    pub(crate) fn count(&self) -> u32 {
        self.slabs.len() as u32
    }

    pub(crate) fn slabs(&self) -> &[Slab] {
        &self.slabs
    }

    pub(crate) fn lift(&self) -> i32 {
        self.lift
    }

    /// How far it reaches beyond what it carries, in micrometres.
    pub(crate) fn reach(&self) -> i32 {
        if self.is_absent() { 0 } else { self.margin }
    }

    /// A layer of the part where it is printed.
    pub(crate) fn lifted(&self, slab: Slab) -> Slab {
        Slab { index: slab.index + self.count(), top: slab.top + self.lift, height: slab.height }
    }

    /// Where the raft lies under what stands on it.
    pub(crate) fn area(&self, carried: &Region) -> Region {
        carried.surrounded(self.margin + BAY).shrunk(BAY)
    }

    /// Lines of one of the raft's layers.
    pub(crate) fn trace(&self, area: &Region, slab: Slab, profile: &Profile) -> Vec<Trace> {
        let flow = Flow::on(slab, profile);
        let (width, spacing) = (flow.inner, flow.spacing(flow.inner));
        let duty = self.duty(slab.index);
        let feature = if duty == Duty::Carry { Feature::SupportInterface } else { Feature::Support };
        let wall = area.shrunk(width / 2);
        let mut traces: Vec<Trace> =
            wall.contours().map(|ring| Trace::ring(feature, width, ring.clone())).collect();
        let distance = f64::from(spacing) * 100.0 / f64::from(FULL[duty as usize]);
        let degrees = if slab.index.is_multiple_of(2) { 45.0 } else { 135.0 };
        let hatching = Hatching { degrees, distance, fit: Fit::Each, longest_link: distance * 4.0 };
        let inside = wall.shrunk(spacing * (100 - OVERLAP) / 100);
        let lines = fill(&inside, &hatching).into_iter();
        traces.extend(lines.map(|run| Trace::line(feature, width, run.points)));
        traces
    }

    fn duty(&self, index: u32) -> Duty {
        // Threads sag into the open layers below; a second closed layer makes up for it where there is room.
        let carrying = if self.count() > 3 { 2 } else { 1 };
        match index {
            0 => Duty::Hold,
            index if index + carrying >= self.count() => Duty::Carry,
            _ => Duty::Even,
        }
    }
}
