//! How long a layer takes: every move as the machine would plan it, with acceleration and corners.
//!
//! Each run of moves starts and ends standing still; in between, corners are taken as fast as the machine's
//! junction rule allows, and no move is entered or left faster than its length lets it brake.

use layerlock_terms::profile::Profile;
use layerlock_terms::toolpath::{Point, Step};
use layerlock_terms::units::Feed;

/// How far a machine may leave the corner when it takes it at speed, in millimetres (Marlin's default).
const DEVIATION: f64 = 0.013;

/// What a machine can do, in millimetres and seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    acceleration: f64,
}

impl Pace {
    pub(crate) fn of(profile: &Profile) -> Self {
        Self { acceleration: f64::from(profile.machine().acceleration) }
    }

    /// Seconds for `length` when entered at `enter` and left at `leave`, at most `cruise`.
    fn move_time(&self, length: f64, enter: f64, leave: f64, cruise: f64) -> f64 {
        let a = self.acceleration;
        let peak = ((2.0 * a * length + enter * enter + leave * leave) / 2.0).sqrt().min(cruise);
        let (up, down) =
            ((peak * peak - enter * enter) / (2.0 * a), (peak * peak - leave * leave) / (2.0 * a));
        let flat = (length - up - down).max(0.0);
        (peak - enter).max(0.0) / a + (peak - leave).max(0.0) / a + flat / peak.max(1e-6)
    }

    /// The fastest a corner is taken whose ways have this cosine between them.
    fn corner(&self, cosine: f64, cruise: f64) -> f64 {
        // Half the angle's sine, as Marlin's junction deviation has it: straight on is no corner at all.
        let half = ((1.0 - -cosine) / 2.0).max(0.0).sqrt();
        if half > 0.999_999 {
            return cruise;
        }
        (self.acceleration * DEVIATION * half / (1.0 - half)).sqrt().min(cruise)
    }

    /// Seconds for a run of straight moves at `cruise`, standing still at both ends.
    fn run_time(&self, run: &[[f64; 2]], cruise: f64) -> f64 {
        let ways: Vec<[f64; 2]> = run.windows(2).map(|p| [p[1][0] - p[0][0], p[1][1] - p[0][1]]).collect();
        let lengths: Vec<f64> = ways.iter().map(|way| way[0].hypot(way[1])).collect();
        let mut speeds = vec![0.0; run.len()];
        for at in 1..ways.len() {
            let product = lengths[at - 1] * lengths[at];
            let dot = ways[at - 1][0] * ways[at][0] + ways[at - 1][1] * ways[at][1];
            speeds[at] = if product > 0.0 { self.corner(dot / product, cruise) } else { cruise };
        }
        for at in 1..speeds.len() {
            speeds[at] = f64::min(speeds[at], self.reached(speeds[at - 1], lengths[at - 1]));
        }
        for at in (0..speeds.len().saturating_sub(1)).rev() {
            speeds[at] = f64::min(speeds[at], self.reached(speeds[at + 1], lengths[at]));
        }
        (0..ways.len()).map(|at| self.move_time(lengths[at], speeds[at], speeds[at + 1], cruise)).sum()
    }

    fn reached(&self, from: f64, length: f64) -> f64 {
        (from * from + 2.0 * self.acceleration * length).sqrt()
    }
}

/// Seconds a layer's steps take.
pub(crate) fn layer_time(steps: &[Step], pace: &Pace) -> f64 {
    let mut at: Option<Point> = None;
    let mut run = Vec::new();
    let mut time = 0.0;
    for step in steps {
        let (to, speed): (&mut dyn Iterator<Item = Point>, _) = match step {
            Step::Travel { to, speed } => (&mut to.iter().copied(), *speed),
            Step::Extrude(path) => (&mut path.points.iter().map(|(p, _)| *p), path.speed),
            Step::Retract { length, speed } | Step::Prime { length, speed } => {
                time += Feed::to_mm(*length) / (f64::from(speed.0) / 60.0);
                continue;
            }
            _ => continue,
        };
        run.clear();
        run.extend(at.map(millimetres));
        for point in to {
            run.push(millimetres(point));
            at = Some(point);
        }
        time += pace.run_time(&run, f64::from(speed.0) / 60.0);
    }
    time
}

fn millimetres(p: Point) -> [f64; 2] {
    [f64::from(p.x) / 1000.0, f64::from(p.y) / 1000.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { acceleration: 1000.0 };

    #[test]
    fn a_long_move_takes_its_length_over_its_speed_and_what_starting_and_stopping_cost() {
        let time = PACE.run_time(&[[0.0, 0.0], [100.0, 0.0]], 50.0);
        assert!((time - (100.0 / 50.0 + 50.0 / 1000.0)).abs() < 1e-9, "{time}");
    }

    #[test]
    fn a_point_on_a_straight_way_costs_nothing() {
        let straight = PACE.run_time(&[[0.0, 0.0], [40.0, 0.0]], 50.0);
        let parted = PACE.run_time(&[[0.0, 0.0], [10.0, 0.0], [11.0, 0.0], [40.0, 0.0]], 50.0);
        assert!((straight - parted).abs() < 1e-6, "{straight} {parted}");
    }

    #[test]
    fn turning_back_costs_a_stop_and_a_right_angle_less() {
        let back = PACE.run_time(&[[0.0, 0.0], [40.0, 0.0], [0.0, 0.0]], 50.0);
        let right = PACE.run_time(&[[0.0, 0.0], [40.0, 0.0], [40.0, 40.0]], 50.0);
        let stopped = 2.0 * PACE.run_time(&[[0.0, 0.0], [40.0, 0.0]], 50.0);
        assert!((back - stopped).abs() < 1e-6 && right < stopped);
    }
}
