//! A firmware's planner: how fast each corner of a run is taken, and so how long each move is.
//!
//! Corners are limited by the firmware's own rule; then no move may be entered faster than the rest of the run
//! lets it brake. Klipper moreover smooths short moves: what it reaches may not change faster than at a share of
//! the acceleration. Sources: Marlin `planner.cpp`, Klipper `docs/Kinematics.md`. Speeds are squared throughout,
//! as in both: what a length of acceleration adds to them is the same at any speed.

use layerlock_terms::machine::{Cornering, Dialect, Machine};

/// Klipper's `minimum_cruise_ratio`, by default.
const CRUISE_RATIO: f64 = 0.5;

/// What limits corners.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    rule: Rule,
    /// By how much the filament's speed may jump, in millimetres per second.
    feed_jump: f64,
    /// What short moves may make of the acceleration, as a share.
    smoothed: f64,
}

/// The firmware's rule, in millimetres and seconds.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Deviation(f64),
    Jerk(f64),
    SquareCorner(f64),
}

impl Limits {
    pub(super) fn of(machine: &Machine) -> Self {
        let rule = match machine.cornering {
            Cornering::Deviation(by) => Rule::Deviation(by.to_mm()),
            Cornering::Jerk(speed) => Rule::Jerk(f64::from(speed.0) / 60.0),
            Cornering::SquareCorner(speed) => Rule::SquareCorner(f64::from(speed.0) / 60.0),
        };
        let klipper = machine.dialect == Dialect::Klipper;
        let smoothed = if klipper { 1.0 - CRUISE_RATIO } else { 1.0 };
        Self { rule, feed_jump: f64::from(machine.feed_jump.0) / 60.0, smoothed }
    }

    /// The highest squared speed at the corner between two moves, beside what their own speeds allow.
    fn corner(&self, a: &Leg, b: &Leg) -> f64 {
        let jump = (b.feed - a.feed).abs();
        let by_feed = if jump > 0.0 { (self.feed_jump / jump).powi(2) } else { f64::MAX };
        let by_rule = match self.rule {
            Rule::Jerk(jerk) => {
                let off = (b.way[0] - a.way[0]).abs().max((b.way[1] - a.way[1]).abs());
                if off > 0.0 { (jerk / off).powi(2) } else { f64::MAX }
            }
            Rule::Deviation(by) => rounded(a, b, |_| by),
            Rule::SquareCorner(speed) => {
                // The deviation at which a right angle is taken at this speed.
                rounded(a, b, |leg| speed * speed * (std::f64::consts::SQRT_2 - 1.0) / leg.acceleration)
            }
        };
        by_feed.min(by_rule)
    }
}

/// The squared speed on an arc that leaves the corner by `deviation` and meets both moves before their middle.
fn rounded(a: &Leg, b: &Leg, deviation: impl Fn(&Leg) -> f64) -> f64 {
    let cosine = -(a.way[0] * b.way[0] + a.way[1] * b.way[1]);
    let sine_half = (0.5 * (1.0 - cosine)).max(0.0).sqrt();
    let cosine_half = (0.5 * (1.0 + cosine)).max(0.0).sqrt();
    if sine_half >= 1.0 || cosine_half <= 0.0 {
        return f64::MAX;
    }
    let radius = sine_half / (1.0 - sine_half);
    let quarter_tangent = 0.25 * sine_half / cosine_half;
    let of = |leg: &Leg| (radius * deviation(leg) * leg.acceleration).min(leg.gain * quarter_tangent);
    of(a).min(of(b))
}

/// One straight move in the plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leg {
    length: f64,
    /// Of length 1.
    way: [f64; 2],
    /// Filament per way.
    feed: f64,
    /// Squared speed in the middle.
    cruise: f64,
    acceleration: f64,
    /// By how much the move's whole length can change the squared speed.
    gain: f64,
}

impl Leg {
    /// A move by `way`, in millimetres and seconds, feeding `feed` on it.
    pub(super) fn new(way: [f64; 2], feed: f64, cruise: f64, acceleration: f64) -> Self {
        let length = way[0].hypot(way[1]);
        let per = 1.0 / length.max(1e-9);
        Self {
            length,
            way: [way[0] * per, way[1] * per],
            feed: feed * per,
            cruise: cruise * cruise,
            acceleration,
            gain: 2.0 * length * acceleration,
        }
    }

    /// Seconds, from and to these squared speeds, with the middle at most at `cruise`.
    fn seconds(&self, enter: f64, cruise: f64, leave: f64) -> f64 {
        let half = 0.5 / self.acceleration;
        let (up, down) = ((cruise - enter) * half, (cruise - leave) * half);
        let [entered, cruising, left] = [enter, cruise, leave].map(f64::sqrt);
        let flat = (self.length - up - down).max(0.0);
        (cruising - entered + cruising - left) / self.acceleration + flat / cruising.max(1e-6)
    }
}

/// A move that waits for the rest of its run.
#[derive(Debug, Clone, Copy)]
struct Due {
    leg: Leg,
    place: usize,
    /// Highest squared speed at its start.
    start: f64,
    /// The same with the acceleration smoothed.
    smooth: f64,
}

/// Collects a run of moves and tells how long each takes.
#[derive(Debug)]
pub(super) struct Planner {
    limits: Limits,
    run: Vec<Due>,
    /// Squared speeds at each move's start and middle.
    planned: Vec<(f64, Option<f64>)>,
}

impl Planner {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, run: Vec::new(), planned: Vec::new() }
    }

    /// The run's next move.
    pub(super) fn add(&mut self, leg: Leg, place: usize) {
        if leg.length <= 0.0 {
            return;
        }
        let (start, smooth) = match self.run.last() {
            None => (0.0, 0.0),
            Some(before) => {
                let own = leg.cruise.min(before.leg.cruise).min(before.start + before.leg.gain);
                let start = own.min(self.limits.corner(&before.leg, &leg));
                (start, start.min(before.smooth + before.leg.gain * self.limits.smoothed))
            }
        };
        self.run.push(Due { leg, place, start, smooth });
    }

    /// The run ends standing still; tells each move's place and seconds.
    pub(super) fn finish(&mut self, mut tell: impl FnMut(usize, f64)) {
        self.brake();
        let mut before = 0.0;
        for at in 0..self.run.len() {
            let due = &self.run[at];
            let (start, cruise) = self.planned[at];
            // A move that can't speed up goes on as fast as the one before.
            let cruise = cruise.unwrap_or(f64::min(before, start));
            let leave = self.planned.get(at + 1).map_or(0.0, |(start, _)| *start);
            tell(due.place, due.leg.seconds(start.min(cruise), cruise, leave.min(cruise)));
            before = cruise;
        }
        self.run.clear();
    }

    /// From the end backwards: how fast each move may be entered so that all after it can brake.
    fn brake(&mut self) {
        self.planned.clear();
        self.planned.resize(self.run.len(), (0.0, None));
        let (mut next, mut next_smooth, mut peak, mut waiting) = (0.0, 0.0, 0.0, 0);
        for at in (0..self.run.len()).rev() {
            let due = &self.run[at];
            let gain = due.leg.gain * self.limits.smoothed;
            let reached = next + due.leg.gain;
            let start = due.start.min(reached);
            let reached_smooth = next_smooth + gain;
            let smooth = due.smooth.min(reached_smooth);
            waiting += 1;
            let mut cruise = None;
            if smooth < reached_smooth {
                if smooth + gain > next_smooth || waiting > 1 {
                    peak = (smooth + reached_smooth) * 0.5;
                }
                cruise = Some(((start + reached) * 0.5).min(due.leg.cruise).min(peak));
                waiting = 0;
            }
            self.planned[at] = (start, cruise);
            (next, next_smooth) = (start, smooth);
        }
    }
}

/// Seconds for a move that begins and ends standing still.
pub(super) fn stand_to_stand(length: f64, cruise: f64, acceleration: f64) -> f64 {
    if length <= 0.0 {
        return 0.0;
    }
    let peak = (length * acceleration).min(cruise * cruise);
    let leg = Leg::new([length, 0.0], 0.0, cruise, acceleration);
    leg.seconds(0.0, peak, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARLIN: Limits = Limits { rule: Rule::Deviation(0.013), feed_jump: 5.0, smoothed: 1.0 };
    const JERKY: Limits = Limits { rule: Rule::Jerk(8.0), feed_jump: 1.5, smoothed: 1.0 };
    const KLIPPER: Limits = Limits { rule: Rule::SquareCorner(5.0), feed_jump: 1.0, smoothed: 0.5 };
    const ALL: [Limits; 3] = [MARLIN, JERKY, KLIPPER];

    /// Seconds through these points at 50 mm/s and 1000 mm/s².
    fn time(limits: Limits, points: &[[f64; 2]]) -> f64 {
        let mut planner = Planner::new(limits);
        for pair in points.windows(2) {
            let way = [pair[1][0] - pair[0][0], pair[1][1] - pair[0][1]];
            planner.add(Leg::new(way, 0.0, 50.0, 1000.0), 0);
        }
        let mut seconds = 0.0;
        planner.finish(|_, more| seconds += more);
        seconds
    }

    #[test]
    fn a_long_move_takes_its_length_over_its_speed_and_what_starting_and_stopping_cost() {
        for limits in ALL {
            let time = time(limits, &[[0.0, 0.0], [100.0, 0.0]]);
            assert!((time - (100.0 / 50.0 + 50.0 / 1000.0)).abs() < 1e-9, "{time}");
        }
        assert!((stand_to_stand(100.0, 50.0, 1000.0) - 2.05).abs() < 1e-9);
        assert!((stand_to_stand(0.4, 50.0, 1000.0) - 0.04).abs() < 1e-9);
    }

    #[test]
    fn a_point_on_a_straight_way_costs_nothing() {
        for limits in ALL {
            let straight = time(limits, &[[0.0, 0.0], [40.0, 0.0]]);
            let parted = time(limits, &[[0.0, 0.0], [10.0, 0.0], [11.0, 0.0], [40.0, 0.0]]);
            assert!((straight - parted).abs() < 1e-6, "{straight} {parted}");
        }
    }

    #[test]
    fn turning_back_costs_a_stop_and_a_right_angle_less() {
        let stopped = 2.0 * time(MARLIN, &[[0.0, 0.0], [40.0, 0.0]]);
        for limits in ALL {
            let right = time(limits, &[[0.0, 0.0], [40.0, 0.0], [40.0, 40.0]]);
            assert!(right < stopped - 0.002, "{right} {stopped}");
        }
        for limits in [MARLIN, KLIPPER] {
            let back = time(limits, &[[0.0, 0.0], [40.0, 0.0], [0.0, 0.0]]);
            assert!((back - stopped).abs() < 1e-6, "{back} {stopped}");
        }
    }

    #[test]
    fn a_right_angle_is_taken_at_the_speed_that_is_named_for_it() {
        let legs = [[10.0, 0.0], [0.0, 10.0]].map(|way| Leg::new(way, 0.0, 50.0, 1000.0));
        assert!((KLIPPER.corner(&legs[0], &legs[1]).sqrt() - 5.0).abs() < 1e-9);
        assert!((JERKY.corner(&legs[0], &legs[1]).sqrt() - 8.0).abs() < 1e-9);
        // Marlin's figure: √(a · d · s / (1 − s)) with s the sine of half the right angle.
        assert!((MARLIN.corner(&legs[0], &legs[1]).sqrt() - 5.602).abs() < 1e-3);
    }

    #[test]
    fn short_moves_are_smoothed_where_the_firmware_does_it() {
        let zigzag: Vec<[f64; 2]> = (0..40).map(|at| [f64::from(at), f64::from(at % 2)]).collect();
        let unsmoothed = Limits { smoothed: 1.0, ..KLIPPER };
        assert!(time(KLIPPER, &zigzag) > time(unsmoothed, &zigzag) * 1.05);
    }

    #[test]
    fn filament_that_starts_to_flow_slows_the_corner() {
        let legs = [0.0, 0.04].map(|feed| Leg::new([10.0, 0.0], feed * 10.0, 50.0, 1000.0));
        assert!((KLIPPER.corner(&legs[0], &legs[1]).sqrt() - 25.0).abs() < 1e-9);
    }
}
