//! How long a layer takes: every move as the machine's own planner would run it.
//!
//! Moves in the plane that follow each other are planned together, whatever they are for; lifts and moves of
//! the filament alone begin and end standing still. What each feature takes is summed apart. A layer begins
//! standing still, so that layers are reckoned without each other.

mod planner;

use layerlock_terms::machine::{Dialect, Machine};
use layerlock_terms::profile::Profile;
use layerlock_terms::toolpath::{Feature, Point, Step};
use layerlock_terms::units::{Feed, MmPerMinute, MmPerSecond2};

use crate::layers::Slab;
use planner::{Leg, Limits, Planner, stand_to_stand};

/// Acceleration of the vertical axis, in millimetres per second squared: what lead screws bear.
const LIFT_ACCELERATION: f64 = 100.0;

/// Features, and one place for all that is none.
const PLACES: usize = Feature::ALL.len() + 1;

/// The place of what is no feature.
const BETWEEN: usize = Feature::ALL.len();

/// Seconds, by what they are spent on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Spent([f64; PLACES]);

impl Spent {
    /// All of it.
    pub(crate) fn all(&self) -> f64 {
        self.0.iter().sum()
    }

    /// On one feature.
    pub(crate) fn on(&self, feature: Feature) -> f64 {
        self.0[feature as usize]
    }

    /// While plastic is laid.
    pub(crate) fn drawing(&self) -> f64 {
        self.0[..BETWEEN].iter().sum()
    }

    /// Adds what goes to no feature.
    pub(crate) fn add_between(&mut self, seconds: f64) {
        self.0[BETWEEN] += seconds;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }
}

/// What a machine can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    limits: Limits,
    /// Where a layer says nothing.
    acceleration: MmPerSecond2,
    /// Of the filament moved alone.
    feed_acceleration: f64,
}

impl Pace {
    pub(crate) fn of(profile: &Profile) -> Self {
        let machine = profile.machine();
        Self {
            limits: Limits::of(machine),
            acceleration: machine.acceleration,
            feed_acceleration: feed_acceleration(machine),
        }
    }
}

/// How hard the filament alone is moved. Klipper reckons it from the plane's and from how thick a line may be.
fn feed_acceleration(machine: &Machine) -> f64 {
    let plane = f64::from(machine.max_acceleration.0);
    match machine.dialect {
        Dialect::Marlin | Dialect::RepRapFirmware => f64::from(machine.acceleration.0),
        Dialect::Klipper => {
            let (nozzle, filament) = (machine.nozzle.to_mm(), machine.filament.to_mm());
            plane * 16.0 * nozzle * nozzle / (std::f64::consts::PI * filament * filament)
        }
    }
}

/// Seconds a layer's steps take.
pub(crate) fn spend(steps: &[Step], slab: Slab, pace: &Pace) -> Spent {
    let mut clock = Clock {
        pace,
        planner: Planner::new(pace.limits),
        accelerations: [pace.acceleration; 2],
        at: None,
        z: slab.bottom(),
        spent: Spent::default(),
    };
    steps.iter().for_each(|step| clock.step(step));
    clock.stop();
    clock.spent
}

/// Seconds for the travel to a layer from where the one before it ended: no layer knows that by itself.
pub(crate) fn approach(from: Point, steps: &[Step], pace: &Pace) -> f64 {
    let mut travelling = pace.acceleration;
    for step in steps {
        match step {
            Step::Acceleration { travelling: own, .. } => travelling = *own,
            Step::Travel { to, speed } => {
                let Some(to) = to.first() else { continue };
                let way = Point::way_to(from, *to) as f64 / 1024.0 / 1000.0;
                return stand_to_stand(way, per_second(*speed), f64::from(travelling.0));
            }
            _ => {}
        }
    }
    0.0
}

/// Follows the steps.
struct Clock<'a> {
    pace: &'a Pace,
    planner: Planner,
    /// While printing and while travelling.
    accelerations: [MmPerSecond2; 2],
    at: Option<Point>,
    z: i32,
    spent: Spent,
}

impl Clock<'_> {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Travel { to, speed } => {
                let cruise = per_second(*speed);
                to.iter().for_each(|to| self.go(*to, Feed(0), cruise, BETWEEN));
            }
            Step::Extrude(path) => {
                let (cruise, place) = (per_second(path.speed), path.feature as usize);
                path.points.iter().for_each(|(to, feed)| self.go(*to, *feed, cruise, place));
            }
            Step::Wipe { to, speed, length } => {
                let (cruise, share) = (per_second(*speed), length.0 / to.len().max(1) as i32);
                to.iter().for_each(|to| self.go(*to, Feed(-share), cruise, BETWEEN));
            }
            Step::Retract { length, speed } | Step::Prime { length, speed } => {
                self.alone(length.to_mm().abs(), per_second(*speed), self.pace.feed_acceleration);
            }
            Step::Lift { z, speed } => {
                let by = std::mem::replace(&mut self.z, z.0).abs_diff(z.0);
                self.alone(f64::from(by) / 1000.0, per_second(*speed), LIFT_ACCELERATION);
            }
            Step::Acceleration { printing, travelling } => self.accelerations = [*printing, *travelling],
            Step::Fan(_) | Step::Nozzle(_) | Step::Bed(_) => {}
        }
    }

    fn go(&mut self, to: Point, feed: Feed, cruise: f64, place: usize) {
        let Some(from) = self.at.replace(to) else { return };
        let way = [f64::from(to.x) - f64::from(from.x), f64::from(to.y) - f64::from(from.y)];
        let [printing, travelling] = self.accelerations;
        let acceleration = if feed.0 == 0 { travelling } else { printing };
        let leg = Leg::new(way.map(|um| um / 1000.0), feed.to_mm(), cruise, f64::from(acceleration.0));
        self.planner.add(leg, place);
    }

    /// A move that begins and ends standing still.
    fn alone(&mut self, length: f64, cruise: f64, acceleration: f64) {
        self.stop();
        self.spent.0[BETWEEN] += stand_to_stand(length, cruise, acceleration);
    }

    fn stop(&mut self) {
        let spent = &mut self.spent.0;
        self.planner.finish(|place, seconds| spent[place] += seconds);
    }
}

fn per_second(speed: MmPerMinute) -> f64 {
    f64::from(speed.0.max(1)) / 60.0
}

#[cfg(test)]
mod tests {
    use layerlock_terms::machine::{Machine, Material};
    use layerlock_terms::profile::Preset;
    use layerlock_terms::toolpath::Path;
    use layerlock_terms::units::Micrometres;

    use super::*;

    const SLAB: Slab = Slab { index: 3, top: 800, height: 200 };

    fn pace() -> Pace {
        let machine = Machine::named("generic-250-marlin").expect("in the catalogue");
        Pace::of(&Profile::new(machine, Material::Pla, Preset::Standard))
    }

    fn path(feature: Feature, points: &[(i32, i32)]) -> Step {
        let points = points.iter().map(|(x, y)| (Point { x: *x, y: *y }, Feed(100))).collect();
        Step::Extrude(Path {
            feature,
            width: Micrometres(450),
            speed: MmPerMinute(3000),
            climb: None,
            points,
        })
    }

    fn travel(x: i32, y: i32) -> Step {
        Step::Travel { to: vec![Point { x, y }], speed: MmPerMinute(9000) }
    }

    #[test]
    fn what_each_feature_takes_is_told_apart_and_sums_to_all() {
        let steps = [
            travel(0, 0),
            path(Feature::OuterPerimeter, &[(50_000, 0)]),
            path(Feature::SparseInfill, &[(50_000, 20_000)]),
            travel(0, 20_000),
        ];
        let spent = spend(&steps, SLAB, &pace());
        let (outer, sparse) = (spent.on(Feature::OuterPerimeter), spent.on(Feature::SparseInfill));
        assert!((1.0..1.1).contains(&outer) && (0.4..0.5).contains(&sparse), "{spent:?}");
        assert!(spent.all() > spent.drawing() && (spent.drawing() - outer - sparse).abs() < 1e-9);
    }

    #[test]
    fn a_harder_acceleration_takes_less_time_and_only_where_it_is_meant() {
        let with = |printing, travelling| {
            let set =
                Step::Acceleration { printing: MmPerSecond2(printing), travelling: MmPerSecond2(travelling) };
            let steps = [set, travel(0, 0), path(Feature::Skirt, &[(20_000, 0)]), travel(0, 0)];
            let spent = spend(&steps, SLAB, &pace());
            (spent.drawing(), spent.all() - spent.drawing())
        };
        assert!(with(2000, 1000).0 < with(500, 1000).0);
        assert!(with(500, 2000).1 < with(500, 1000).1);
    }

    #[test]
    fn lifts_and_retractions_stop_the_nozzle() {
        let rest = [path(Feature::Skirt, &[(20_000, 0)]), path(Feature::Skirt, &[(40_000, 0)])];
        let through = spend(&[&[travel(0, 0)][..], &rest].concat(), SLAB, &pace()).drawing();
        let retract = Step::Retract { length: Feed(80_000), speed: MmPerMinute(2100) };
        let broken = [travel(0, 0), rest[0].clone(), retract, rest[1].clone()];
        let broken = spend(&broken, SLAB, &pace());
        assert!(broken.drawing() > through + 0.04, "{} {through}", broken.drawing());
        assert!(broken.all() > broken.drawing() + 0.8 / 35.0);
    }
}
