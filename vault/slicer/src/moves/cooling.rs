//! Cooling: layers too short to set are slowed down, and the fan runs as the layer's time asks.

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::{Feature, Step};
use layerlock_terms::units::{MmPerMinute, Percent};

use crate::estimate::{Pace, Spent, spend};
use crate::layers::Slab;

/// Layers over which the fan ramps up, once it may run.
const RAMP: u32 = 3;

/// Slowing comes closer to the time asked for each time, since moves that never reach their speed lose nothing.
const ROUNDS: u32 = 3;

/// Slows the steps down where needed, sets the fan around bridges, and gives the fan for the layer's start.
pub(super) fn cool(steps: &mut Vec<Step>, slab: Slab, pace: &Pace, profile: &Profile) -> (Step, Spent) {
    let index = slab.index;
    let parts = parts_a_layer(profile);
    let mut spent = spend(steps, slab, pace);
    let time = spent.all();
    let least = profile.span(Key::LeastLayerTime).0 as f64 / 1000.0 / parts;
    for _ in 0..ROUNDS {
        if spent.drawing() <= 0.0 || spent.all() >= least * 0.99 || !slow(steps, &spent, least, profile) {
            break;
        }
        spent = spend(steps, slab, pace);
    }
    let base = fan(index, time * parts, profile);
    let bridge = if index == 0 { base } else { profile.fan(Key::FanBridge).max(base) };
    blow_on_bridges(steps, base, bridge);
    (Step::Fan(base), spent)
}

/// While the others are printed, a part of this layer cools.
fn parts_a_layer(profile: &Profile) -> f64 {
    if profile.on(Key::Sequential) { 1.0 } else { f64::from(profile.count(Key::Parts).max(1)) }
}

/// Slows all lines by the same share, none below the least speed; whether any could be slowed.
fn slow(steps: &mut [Step], spent: &Spent, least: f64, profile: &Profile) -> bool {
    let drawing = spent.drawing();
    let share = drawing / (drawing + least - spent.all());
    let floor = profile.speed(Key::LeastSpeed).0;
    let mut slowed_any = false;
    for step in steps {
        if let Step::Extrude(path) = step {
            let slowed = (f64::from(path.speed.0) * share).round() as u32;
            let slowed = slowed.max(floor.min(path.speed.0));
            slowed_any |= slowed < path.speed.0;
            path.speed = MmPerMinute(slowed);
        }
    }
    slowed_any
}

/// The fan of a layer that takes `time` seconds.
fn fan(index: u32, time: f64, profile: &Profile) -> Percent {
    let off = profile.count(Key::FanOffLayers);
    if index < off {
        return Percent(0);
    }
    let (slow, quick) =
        (profile.span(Key::FullFanLayerTime).0 as f64, profile.span(Key::LeastLayerTime).0 as f64);
    let (low, high) = (f64::from(profile.fan(Key::FanLeast).0), f64::from(profile.fan(Key::FanMost).0));
    let hurry = ((slow / 1000.0 - time) / ((slow - quick) / 1000.0).max(0.001)).clamp(0.0, 1.0);
    let ramp = f64::from(index - off + 1).min(f64::from(RAMP)) / f64::from(RAMP);
    Percent(((low + (high.max(low) - low) * hurry) * ramp).round() as u8)
}

/// Turns the fan to `bridge` before bridging lines and back to `base` after.
fn blow_on_bridges(steps: &mut Vec<Step>, base: Percent, bridge: Percent) {
    if base == bridge {
        return;
    }
    let mut blown = Vec::with_capacity(steps.len() + 2);
    let mut on = false;
    for step in steps.drain(..) {
        if let Step::Extrude(path) = &step {
            let wanted = path.feature == Feature::Bridge;
            if wanted != on {
                blown.push(Step::Fan(if wanted { bridge } else { base }));
                on = wanted;
            }
        }
        blown.push(step);
    }
    if on {
        blown.push(Step::Fan(base));
    }
    *steps = blown;
}

#[cfg(test)]
mod tests {
    use layerlock_terms::machine::{Machine, Material};
    use layerlock_terms::profile::Preset;
    use layerlock_terms::toolpath::{Path, Point};
    use layerlock_terms::units::{Feed, Micrometres};

    use super::*;

    fn profile() -> Profile {
        let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
        let mut profile = Profile::new(machine, Material::Petg, Preset::Standard);
        for (name, value) in [("fan-off-layers", "1"), ("least-layer-time", "8"), ("least-speed", "5")] {
            profile.set(name, value).expect("in range");
        }
        profile
    }

    /// A zigzag of `count` lines of 10 mm at 60 mm/s.
    fn zigzag(feature: Feature, count: i32) -> Step {
        let point = |at: i32| Point { x: at % 2 * 10_000, y: at / 2 * 450 };
        let points = (1..=count).map(|at| (point(at), Feed(37_000))).collect();
        Step::Extrude(Path {
            feature,
            width: Micrometres(450),
            speed: MmPerMinute(3600),
            climb: None,
            points,
        })
    }

    fn cooled(lines: i32, index: u32) -> (Vec<Step>, Step, Spent) {
        let profile = profile();
        let travel = Step::Travel { to: vec![Point::default()], speed: MmPerMinute(9000) };
        let mut steps = vec![travel, zigzag(Feature::SolidInfill, lines), zigzag(Feature::Bridge, 2)];
        let (fan, spent) =
            cool(&mut steps, Slab { index, top: 200, height: 200 }, &Pace::of(&profile), &profile);
        (steps, fan, spent)
    }

    #[test]
    fn a_short_layer_takes_the_least_time_after_all() {
        let (_, _, spent) = cooled(8, 9);
        assert!((7.9..8.4).contains(&spent.all()), "{}", spent.all());
    }

    #[test]
    fn no_line_is_slower_than_the_least_speed_and_long_layers_keep_theirs() {
        let speeds = |steps: &[Step]| -> Vec<u32> {
            let speed = |step: &Step| if let Step::Extrude(path) = step { Some(path.speed.0) } else { None };
            steps.iter().filter_map(speed).collect()
        };
        assert_eq!(speeds(&cooled(1, 9).0), [300, 300]);
        assert_eq!(speeds(&cooled(200, 9).0), [3600, 3600]);
    }

    #[test]
    fn the_fan_is_off_then_ramps_up_and_blows_harder_on_short_layers_and_bridges() {
        let fan = |lines, index| cooled(lines, index).1;
        assert_eq!(
            [fan(200, 0), fan(200, 1), fan(200, 3)],
            [0, 10, 30].map(|share| Step::Fan(Percent(share)))
        );
        assert_eq!(fan(8, 9), Step::Fan(Percent(60)));
        let (steps, ..) = cooled(200, 9);
        let blown: Vec<_> = steps.iter().filter(|step| matches!(step, Step::Fan(_))).collect();
        assert_eq!(blown, [&Step::Fan(Percent(70)), &Step::Fan(Percent(30))]);
    }
}
