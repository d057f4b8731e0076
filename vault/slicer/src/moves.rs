//! Traces become steps: travels, retractions, speeds, fan and temperatures.
//!
//! Every layer begins with the nozzle retracted and ends wherever its last line does, so that layers don't
//! depend on each other. A travel retracts only if it is long enough to ooze and leaves the part: inside, what
//! oozes is never seen. So within an island a travel that would leave the part is led around, if there is a way.

mod cooling;
mod crossing;
mod rails;

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::{Feature, Layer, Path, Point, Step};
use layerlock_terms::units::{Celsius, Micrometres, MmPerMinute};

use crate::estimate::{Pace, layer_time};
use crate::flow::rate;
use crate::geometry::{IntPoint, Region, distance};
use crate::layers::Slab;
use crate::trace::{Trace, TraceShape};
use crossing::Fence;
use rails::Rails;

/// The layer's steps, and how long they take in seconds.
pub(crate) fn lay_out(
    islands: &[Vec<Trace>],
    outline: &Region,
    slab: Slab,
    profile: &Profile,
) -> (Layer, f64) {
    let fence = Fence::new(outline);
    let mut pen = Pen { profile, slab, fence, at: None, steps: Vec::new() };
    pen.begin();
    for island in islands {
        let rails = pen.rails(island);
        for (nth, trace) in island.iter().enumerate() {
            // Rails lead from one of the island's lines to another, not from elsewhere to its first.
            pen.travel_to(trace.points[0], rails.as_ref().filter(|_| nth > 0));
            pen.draw(trace);
        }
    }
    complete(pen.steps, slab, profile)
}

/// The layer of these steps, cooled and at its temperatures, and how long it takes in seconds.
pub(crate) fn complete(mut steps: Vec<Step>, slab: Slab, profile: &Profile) -> (Layer, f64) {
    let pace = Pace::of(profile);
    let fan = cooling::cool(&mut steps, slab.index, &pace, profile);
    steps.splice(0..0, heats(slab.index, profile).into_iter().chain(fan));
    let time = layer_time(&steps, &pace);
    let (z, height) = (Micrometres(slab.top), Micrometres(slab.height));
    (Layer { index: slab.index, z, height, steps }, time)
}

/// Temperatures that change once the first layer holds.
fn heats(index: u32, profile: &Profile) -> Vec<Step> {
    let changed = |first, other| -> Option<Celsius> {
        let (first, other) = (profile.celsius(first), profile.celsius(other));
        (index == 1 && first != other).then_some(other)
    };
    let nozzle = changed(Key::FirstNozzleTemperature, Key::NozzleTemperature).map(Step::Nozzle);
    let bed = changed(Key::FirstBedTemperature, Key::BedTemperature).map(Step::Bed);
    nozzle.into_iter().chain(bed).collect()
}

/// Writes steps, and knows where the nozzle is.
struct Pen<'a> {
    profile: &'a Profile,
    slab: Slab,
    fence: Fence,
    /// Nothing at the layer's start: the layer before ended we don't know where.
    at: Option<IntPoint<i32>>,
    steps: Vec<Step>,
}

impl Pen<'_> {
    fn begin(&mut self) {
        self.retract();
        self.lift(self.slab.top);
    }

    /// What leads travels around inside this island, if the profile wants that.
    fn rails<'t>(&self, island: &'t [Trace]) -> Option<Rails<'t>> {
        let wanted = self.profile.on(Key::AvoidCrossing);
        wanted.then(|| Rails::new(island, self.profile.count(Key::Perimeters)))
    }

    fn travel_to(&mut self, to: IntPoint<i32>, rails: Option<&Rails<'_>>) {
        let Some(from) = self.at else {
            self.travel(&[to]);
            self.prime();
            return;
        };
        if from == to {
            return;
        }
        let long = distance(from, to) > f64::from(self.profile.length(Key::RetractTravel).0);
        if !long || self.fence.clear(from, to) {
            self.travel(&[to]);
            return;
        }
        if let Some(way) = rails.and_then(|rails| rails.way(from, to, &self.fence)) {
            self.travel(&way);
            return;
        }
        let hop = self.profile.length(Key::ZHop).0;
        self.retract();
        if hop > 0 {
            self.lift(self.slab.top + hop);
        }
        self.travel(&[to]);
        if hop > 0 {
            self.lift(self.slab.top);
        }
        self.prime();
    }

    fn travel(&mut self, way: &[IntPoint<i32>]) {
        let to = way.iter().copied().map(step_point).collect();
        self.steps.push(Step::Travel { to, speed: self.profile.speed(Key::TravelSpeed) });
        self.at = way.last().copied().or(self.at);
    }

    fn retract(&mut self) {
        let length = self.profile.filament(Key::RetractLength);
        if length.0 > 0 {
            self.steps.push(Step::Retract { length, speed: self.profile.speed(Key::RetractSpeed) });
        }
    }

    fn prime(&mut self) {
        let length = self.profile.filament(Key::RetractLength);
        if length.0 > 0 {
            self.steps.push(Step::Prime { length, speed: self.profile.speed(Key::RetractSpeed) });
        }
    }

    fn lift(&mut self, z: i32) {
        self.steps.push(Step::Lift { z: Micrometres(z), speed: LIFT_SPEED });
    }

    fn draw(&mut self, trace: &Trace) {
        let rate = rate(trace.feature, trace.width, self.slab.height, self.profile);
        let mut from = trace.points[0];
        let back = (trace.shape == TraceShape::Loop).then_some(trace.points[0]);
        let mut points = Vec::with_capacity(trace.points.len());
        for to in trace.points[1..].iter().copied().chain(back) {
            if to == from {
                continue;
            }
            let fed = rate.feed(i64::from(to.x) - i64::from(from.x), i64::from(to.y) - i64::from(from.y));
            points.push((step_point(to), fed));
            from = to;
        }
        let speed = feature_speed(trace.feature, self.slab.index, self.profile);
        let width = Micrometres(trace.width);
        self.steps.push(Step::Extrude(Path { feature: trace.feature, width, speed, climb: None, points }));
        self.at = Some(from);
    }
}

/// Speed of the vertical axis, in millimetres per minute: what the slowest lead screw bears.
pub(crate) const LIFT_SPEED: MmPerMinute = MmPerMinute(600);

pub(crate) fn step_point(p: IntPoint<i32>) -> Point {
    Point { x: p.x, y: p.y }
}

/// The profile's speed for a feature.
pub(crate) fn feature_speed(feature: Feature, index: u32, profile: &Profile) -> MmPerMinute {
    let key = match feature {
        Feature::Bridge => Key::BridgeSpeed,
        _ if index == 0 => Key::FirstLayerSpeed,
        Feature::OuterPerimeter => Key::OuterSpeed,
        Feature::InnerPerimeter => Key::InnerSpeed,
        Feature::TopSurface => Key::TopSpeed,
        Feature::SparseInfill | Feature::Skirt => Key::SparseSpeed,
        Feature::Support => Key::SupportSpeed,
        Feature::SupportInterface => Key::SupportInterfaceSpeed,
        Feature::GapFill | Feature::ThinWall => Key::ThinSpeed,
        Feature::SolidInfill | Feature::BottomSurface => Key::SolidSpeed,
    };
    profile.speed(key)
}
