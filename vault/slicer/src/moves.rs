//! Traces become steps: travels, retractions, speeds, fan and temperatures.
//!
//! Every layer begins and ends with the filament pulled back, the first pulls it back itself; so layers don't
//! depend on each other. A travel retracts only if it is long enough to ooze and leaves the part: inside, what
//! oozes is never seen. So within an island a travel that would leave the part is led around, if there is a way.
//! What is pulled back is pulled back on the way along the line just laid, which wipes the nozzle.

mod cooling;
mod crossing;
mod overhang;
mod pace;
mod rails;

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::{Layer, Path, Point, Step};
use layerlock_terms::units::{Celsius, Feed, Micrometres, MmPerMinute, MmPerSecond2};

use crate::estimate::{Pace, Spent};
use crate::flow::rate;
use crate::geometry::{IntPoint, Region, distance, length_along, towards};
use crate::layers::Slab;
use crate::trace::{Trace, TraceShape};
use crossing::Fence;
use rails::Rails;

pub(crate) use pace::feature_speed;

/// What a layer's moves may go over and what carries its lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground<'a> {
    /// The part on this layer.
    pub(crate) outline: &'a Region,
    /// The part on the layer below; nothing on the bed.
    pub(crate) below: Option<&'a Region>,
}

/// The layer's steps, and how long they take.
pub(crate) fn lay_out(
    islands: &[Vec<Trace>],
    ground: Ground<'_>,
    slab: Slab,
    profile: &Profile,
) -> (Layer, Spent) {
    let mut pen = Pen::new(ground, slab, profile);
    pen.begin();
    for island in islands {
        let rails = pen.rails(island);
        for (nth, trace) in island.iter().enumerate() {
            // Rails lead from one of the island's lines to another, not from elsewhere to its first.
            pen.travel_to(trace.points[0], rails.as_ref().filter(|_| nth > 0));
            pen.draw(trace);
        }
    }
    pen.end();
    complete(pen.steps, slab, profile)
}

/// The layer of these steps, cooled and at its temperatures, and how long it takes.
pub(crate) fn complete(mut steps: Vec<Step>, slab: Slab, profile: &Profile) -> (Layer, Spent) {
    let (fan, spent) = cooling::cool(&mut steps, slab, &Pace::of(profile), profile);
    steps.splice(0..0, heats(slab.index, profile).into_iter().chain([fan]));
    let (z, height) = (Micrometres(slab.top), Micrometres(slab.height));
    (Layer { index: slab.index, z, height, steps }, spent)
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
    /// What carries the walls; nothing where nothing is slowed for it.
    carrier: Option<overhang::Ground<'a>>,
    /// Nothing at the layer's start: the layer before ended we don't know where.
    at: Option<IntPoint<i32>>,
    /// Where the nozzle may wipe, from where it is: back along the line just laid, or on along the loop.
    trail: Vec<IntPoint<i32>>,
    acceleration: Option<MmPerSecond2>,
    steps: Vec<Step>,
}

impl<'a> Pen<'a> {
    fn new(ground: Ground<'a>, slab: Slab, profile: &'a Profile) -> Self {
        let slowed = profile.speed(Key::OverhangSpeed) < profile.speed(Key::OuterSpeed);
        Self {
            profile,
            slab,
            fence: Fence::new(ground.outline),
            carrier: ground.below.filter(|_| slowed).map(overhang::Ground::new),
            at: None,
            trail: Vec::new(),
            acceleration: None,
            steps: Vec::new(),
        }
    }

    fn begin(&mut self) {
        if self.slab.index == 0 {
            self.retract();
        }
        self.lift(self.slab.top + self.profile.length(Key::ZHop).0);
    }

    /// Pulls back for the way to the next layer, unless this one has no lines: then it is pulled back still.
    fn end(&mut self) {
        if self.at.is_some() {
            self.wipe();
        }
    }

    /// What leads travels around inside this island, if the profile wants that.
    fn rails<'t>(&self, island: &'t [Trace]) -> Option<Rails<'t>> {
        let wanted = self.profile.on(Key::AvoidCrossing);
        wanted.then(|| Rails::new(island, self.profile.count(Key::Perimeters)))
    }

    fn travel_to(&mut self, to: IntPoint<i32>, rails: Option<&Rails<'_>>) {
        let hop = self.profile.length(Key::ZHop).0;
        let Some(from) = self.at else {
            self.travel(&[to]);
            self.land(hop);
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
        self.wipe();
        if hop > 0 {
            self.lift(self.slab.top + hop);
        }
        self.travel(&[to]);
        self.land(hop);
    }

    /// Ends a way on which filament was pulled back and the nozzle lifted by `hop`.
    fn land(&mut self, hop: i32) {
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

    /// Pulls back on the way along the trail as far as there is way and time, the rest standing.
    fn wipe(&mut self) {
        let (whole, pull) =
            (self.profile.filament(Key::RetractLength), self.profile.speed(Key::RetractSpeed));
        let way = first_part(&self.trail, f64::from(self.profile.length(Key::Wipe).0));
        let ends = self.at.zip(way.first().copied()).map_or(0.0, |(at, first)| distance(at, first));
        let length = (ends + length_along(&way)) / 1000.0;
        if whole.0 <= 0 || length < SHORTEST_WIPE {
            self.retract();
            return;
        }
        // As fast as all can be pulled back on the way, so that wiping takes no time of its own.
        let fitting = f64::from(pull.0) * length / whole.to_mm();
        let speed = (fitting as u32).clamp(SLOWEST_WIPE, self.profile.speed(Key::TravelSpeed).0);
        let share = f64::from(pull.0) * length / f64::from(speed);
        let pulled = Feed(((share * 100_000.0) as i32).min(whole.0));
        let to: Vec<Point> = way.iter().copied().map(step_point).collect();
        self.at = way.last().copied().or(self.at);
        self.steps.push(Step::Wipe { to, length: pulled, speed: MmPerMinute(speed) });
        if pulled < whole {
            self.steps.push(Step::Retract { length: Feed(whole.0 - pulled.0), speed: pull });
        }
    }

    fn prime(&mut self) {
        let length = self.profile.filament(Key::RetractLength).0;
        if length > 0 {
            let length = Feed(length + self.profile.filament(Key::PrimeExtra).0);
            self.steps.push(Step::Prime { length, speed: self.profile.speed(Key::RetractSpeed) });
        }
    }

    fn lift(&mut self, z: i32) {
        self.steps.push(Step::Lift { z: Micrometres(z), speed: LIFT_SPEED });
    }

    fn draw(&mut self, trace: &Trace) {
        self.accelerate(pace::acceleration(trace.feature, self.slab.index, self.profile));
        let speed = feature_speed(trace.feature, self.slab.index, self.profile);
        match self.carrier.as_ref().filter(|_| overhang::may_hang(trace)).map(|carrier| carrier.parted(trace))
        {
            None => {
                let back = (trace.shape == TraceShape::Loop).then_some(trace.points[0]);
                self.extrude(trace, trace.points[0], trace.points[1..].iter().copied().chain(back), speed);
            }
            Some(stretches) => {
                let free = self.profile.speed(Key::OverhangSpeed).0;
                let mut from = trace.points[0];
                for stretch in stretches {
                    let slowed = MmPerMinute(stretch.hang.between(speed.0, free));
                    let end = stretch.points.last().copied().unwrap_or(from);
                    self.extrude(trace, from, stretch.points.into_iter(), slowed);
                    from = end;
                }
            }
        }
        self.trail.clear();
        match trace.shape {
            TraceShape::Loop => self.trail.extend(&trace.points),
            TraceShape::Line => self.trail.extend(trace.points.iter().rev()),
        }
    }

    fn extrude(
        &mut self,
        trace: &Trace,
        mut from: IntPoint<i32>,
        to: impl Iterator<Item = IntPoint<i32>>,
        speed: MmPerMinute,
    ) {
        let rate = rate(trace.feature, trace.width, self.slab.height, self.profile);
        let mut points = Vec::with_capacity(trace.points.len());
        for to in to {
            if to == from {
                continue;
            }
            let fed = rate.feed(i64::from(to.x) - i64::from(from.x), i64::from(to.y) - i64::from(from.y));
            points.push((step_point(to), fed));
            from = to;
        }
        if points.is_empty() {
            return;
        }
        let width = Micrometres(trace.width);
        self.steps.push(Step::Extrude(Path { feature: trace.feature, width, speed, climb: None, points }));
        self.at = Some(from);
    }

    fn accelerate(&mut self, printing: MmPerSecond2) {
        if self.acceleration.replace(printing) != Some(printing) {
            let travelling = self.profile.acceleration(Key::TravelAcceleration);
            self.steps.push(Step::Acceleration { printing, travelling });
        }
    }
}

/// Wipes shorter than this are no wipes, in millimetres.
const SHORTEST_WIPE: f64 = 0.2;

/// However much is pulled back, the nozzle does not stay on its line for longer, in millimetres per minute.
const SLOWEST_WIPE: u32 = 480;

/// The first `length` micrometres of a way.
fn first_part(way: &[IntPoint<i32>], length: f64) -> Vec<IntPoint<i32>> {
    let (mut part, mut left) = (Vec::new(), length);
    for pair in way.windows(2) {
        let step = distance(pair[0], pair[1]);
        if step >= left {
            part.push(towards(pair[0], pair[1], left));
            break;
        }
        part.push(pair[1]);
        left -= step;
    }
    part
}

/// Speed of the vertical axis, in millimetres per minute: what the slowest lead screw bears.
pub(crate) const LIFT_SPEED: MmPerMinute = MmPerMinute(600);

pub(crate) fn step_point(p: IntPoint<i32>) -> Point {
    Point { x: p.x, y: p.y }
}
