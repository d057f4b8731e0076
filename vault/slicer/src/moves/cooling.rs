//! Cooling: layers too short to set are slowed down, and the fan runs as the layer's time asks.

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::{Feature, Step};
use layerlock_terms::units::{MmPerMinute, Percent};

use crate::estimate::{Pace, layer_time};

/// Layers over which the fan ramps up, once it may run.
const RAMP: u32 = 3;

/// Slows the steps down where needed, sets the fan around bridges, and gives the fan for the layer's start.
pub(super) fn cool(steps: &mut Vec<Step>, index: u32, pace: &Pace, profile: &Profile) -> Option<Step> {
    let parts = parts_a_layer(profile);
    let time = layer_time(steps, pace);
    let least = profile.span(Key::LeastLayerTime).0 as f64 / 1000.0 / parts;
    if time < least && time > 0.0 {
        slow(steps, pace, least, profile);
    }
    let base = fan(index, time * parts, profile);
    let bridge = if index == 0 { base } else { profile.fan(Key::FanBridge).max(base) };
    blow_on_bridges(steps, base, bridge);
    Some(Step::Fan(base))
}

/// While the others are printed, a part of this layer cools.
fn parts_a_layer(profile: &Profile) -> f64 {
    if profile.on(Key::Sequential) { 1.0 } else { f64::from(profile.count(Key::Parts).max(1)) }
}

/// Slows all lines by the same share, none below the least speed.
fn slow(steps: &mut [Step], pace: &Pace, least: f64, profile: &Profile) {
    let moving: f64 = layer_time(steps, pace);
    let drawing: f64 = steps.iter().map(nominal).sum();
    let share = drawing / (drawing + least - moving);
    let floor = profile.speed(Key::LeastSpeed).0;
    for step in steps {
        if let Step::Extrude(path) = step {
            let slowed = (f64::from(path.speed.0) * share).round() as u32;
            path.speed = MmPerMinute(slowed.max(floor.min(path.speed.0)));
        }
    }
}

/// Seconds an extruding step takes at its own speed.
fn nominal(step: &Step) -> f64 {
    let Step::Extrude(path) = step else { return 0.0 };
    let mut length = 0.0;
    for pair in path.points.windows(2) {
        let (a, b) = (pair[0].0, pair[1].0);
        length += (f64::from(b.x) - f64::from(a.x)).hypot(f64::from(b.y) - f64::from(a.y));
    }
    length / 1000.0 / (f64::from(path.speed.0) / 60.0)
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
