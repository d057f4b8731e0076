//! Where walls begin and end, which shows as a seam: hidden in corners, in line with the layer below, or scattered.
//!
//! Layers are worked on in parallel, but what a layer's seams are drawn to is where they were one layer down. So
//! this runs between drawing and laying out, layer by layer in printing order; it looks at walls only and at the
//! few points near the seam below, and takes no time worth sharing. Nothing depends on how layers were shared out.

use layerlock_terms::profile::{Profile, Seam};

use crate::geometry::{Bounds, IntPoint, distance, point, towards, turn};
use crate::trace::{Trace, TraceShape};

/// How far a seam may move between layers before it is one of its own, in micrometres.
const REACH: f64 = 3_000.0;

/// A corner is judged by the ways so far before and after it, in micrometres: finer bends are noise.
const ARM: f64 = 600.0;

/// A wall without a corner gets a vertex for its seam if the best is farther than this, in micrometres: seams that
/// keep to vertices wander about the part as these do.
const BARE: f64 = 50.0;

/// How much a place is shown by a turn: 0 deep in an inward corner, 1 on a smooth wall.
fn shown(turn: f64) -> f64 {
    if turn < 0.0 { 1.0 - (-turn).min(1.0) } else { 1.0 - 0.6 * (turn / 1.2).min(1.0) }
}

/// Seams of the layer before.
#[derive(Debug, Default)]
pub(crate) struct Seams {
    below: Vec<IntPoint<i32>>,
}

impl Seams {
    /// Turns every wall of a layer to where the profile wants its seam; layers come in printing order.
    pub(crate) fn place(&mut self, traces: &mut [Trace], index: u32, profile: &Profile) {
        let seam = profile.seam();
        if seam == Seam::Nearest {
            return;
        }
        let loops = || |trace: &&mut Trace| trace.is_wall() && trace.shape == TraceShape::Loop;
        let mut own = Vec::new();
        for wall in traces.iter_mut().filter(loops()).filter(|trace| trace.depth == 0) {
            self.begin(wall, index, seam);
            own.push(wall.points[0]);
        }
        for wall in traces.iter_mut().filter(loops()).filter(|trace| trace.depth > 0) {
            match nearest_seam(&own, wall) {
                // Behind the visible wall's seam, so that the way between the two is short and stays inside.
                Some(front) if seam == Seam::Aligned => {
                    let behind = nearest_vertex(&wall.points, front);
                    wall.points.rotate_left(behind);
                }
                _ => self.begin(wall, index, seam),
            }
        }
        self.below = own;
    }

    fn begin(&self, wall: &mut Trace, index: u32, seam: Seam) {
        let below = nearest_seam(&self.below, wall);
        let points = &mut wall.points;
        let first = match seam {
            Seam::Rear => rear(points),
            Seam::Corner => corner(points),
            Seam::Random => random(points, index),
            Seam::Aligned => match below {
                Some(below) => aligned(points, below),
                None => corner(points),
            },
            Seam::Nearest => 0,
        };
        wall.points.rotate_left(first);
    }
}

/// The seam nearest to the wall, if one is within reach.
fn nearest_seam(seams: &[IntPoint<i32>], wall: &Trace) -> Option<IntPoint<i32>> {
    let bounds = Bounds::of(&wall.points)?;
    let reach = REACH as i32;
    let around = Bounds {
        min: point(bounds.min.x - reach, bounds.min.y - reach),
        max: point(bounds.max.x + reach, bounds.max.y + reach),
    };
    let near = seams.iter().filter(|seam| around.holds(**seam));
    let far = |seam: &IntPoint<i32>| nearest_on(&wall.points, *seam).1;
    let best = near.map(|seam| (far(seam), *seam)).min_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 <= REACH).then_some(best.1)
}

/// The best place near the seam below; a vertex is added where there is none.
fn aligned(points: &mut Vec<IntPoint<i32>>, below: IntPoint<i32>) -> usize {
    let (edge, off, on) = nearest_on(points, below);
    let mut best = (f64::MAX, nearest_vertex(points, below));
    for at in 0..points.len() {
        let away = (distance(points[at], below) - off).max(0.0);
        if away < REACH {
            let cost = shown(bend(points, at)) + away / 1_000.0;
            if cost < best.0 {
                best = (cost, at);
            }
        }
    }
    let bare = distance(points[best.1], on);
    if bare > BARE && best.0 > 1.0 {
        points.insert(edge + 1, on);
        return edge + 1;
    }
    best.1
}

/// The edge nearest to `p` by the point it begins at, how far it is, and its point there.
fn nearest_on(points: &[IntPoint<i32>], p: IntPoint<i32>) -> (usize, f64, IntPoint<i32>) {
    let mut best = (0, f64::MAX, points[0]);
    for at in 0..points.len() {
        let (a, b) = (points[at], points[(at + 1) % points.len()]);
        let (dx, dy) = (f64::from(b.x) - f64::from(a.x), f64::from(b.y) - f64::from(a.y));
        let along = (f64::from(p.x) - f64::from(a.x)) * dx + (f64::from(p.y) - f64::from(a.y)) * dy;
        let share = (along / (dx * dx + dy * dy).max(1.0)).clamp(0.0, 1.0);
        let on = towards(a, b, share * distance(a, b));
        let off = distance(on, p);
        if off < best.1 {
            best = (at, off, on);
        }
    }
    best
}

fn nearest_vertex(points: &[IntPoint<i32>], p: IntPoint<i32>) -> usize {
    let far = |at: &usize| distance(points[*at], p);
    (0..points.len()).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or(0)
}

/// The point furthest back; of several, the one furthest right.
fn rear(points: &[IntPoint<i32>]) -> usize {
    (0..points.len()).max_by_key(|at| (points[*at].y, points[*at].x)).unwrap_or(0)
}

/// The place that shows least; the rearmost of those that show much the same.
fn corner(points: &[IntPoint<i32>]) -> usize {
    // Steps of a twentieth keep rounding from moving the seam about.
    let hidden = |at: usize| (-20.0 * shown(bend(points, at))).round() as i64;
    (0..points.len()).max_by_key(|at| (hidden(*at), points[*at].y, points[*at].x)).unwrap_or(0)
}

/// Anywhere along the wall, by the layer and the wall: the same each time it is sliced.
fn random(points: &mut Vec<IntPoint<i32>>, index: u32) -> usize {
    let edges = |points: &[IntPoint<i32>]| -> Vec<f64> {
        (0..points.len()).map(|at| distance(points[at], points[(at + 1) % points.len()])).collect()
    };
    let lengths = edges(points);
    let seed = u64::from(index) << 32 ^ u64::from(points[0].x as u32) << 16 ^ u64::from(points[0].y as u32);
    let share = (scrambled(seed) >> 11) as f64 / (1_u64 << 53) as f64;
    let mut left = share * lengths.iter().sum::<f64>();
    for (at, length) in lengths.iter().enumerate() {
        if left < *length {
            let on = towards(points[at], points[(at + 1) % points.len()], left);
            points.insert(at + 1, on);
            return at + 1;
        }
        left -= length;
    }
    0
}

/// Sebastiano Vigna's splitmix64: every bit of the answer hangs on every bit of the seed.
pub(crate) fn scrambled(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How far the wall turns at a vertex, seen over an arm's length either way: positive where the part is sharp.
fn bend(points: &[IntPoint<i32>], at: usize) -> f64 {
    let count = points.len();
    let reach = |step: usize| {
        let (mut here, mut gone) = (at, 0.0);
        for _ in 1..count {
            let next = (here + step) % count;
            let length = distance(points[here], points[next]);
            if gone + length >= ARM {
                return towards(points[here], points[next], ARM - gone);
            }
            (here, gone) = (next, gone + length);
        }
        points[here]
    };
    turn(reach(count - 1), points[at], reach(1))
}

#[cfg(test)]
mod tests {
    use layerlock_terms::machine::{Machine, Material};
    use layerlock_terms::profile::Preset;

    use super::*;

    fn profile(seam: &str) -> Profile {
        let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
        let mut profile = Profile::new(machine, Material::Pla, Preset::Standard);
        profile.set("seam", seam).expect("a seam");
        profile
    }

    fn wall(depth: u8, points: &[(i32, i32)]) -> Trace {
        Trace::wall(depth, 450, points.iter().map(|(x, y)| point(*x, *y)).collect())
    }

    /// A square of 20 mm with a notch in its lower side, moved by `by`.
    fn notched(by: i32) -> Trace {
        let corners =
            [(0, 0), (9_000, 0), (10_000, 3_000), (11_000, 0), (20_000, 0), (20_000, 20_000), (0, 20_000)];
        wall(0, &corners.map(|(x, y)| (x + by, y)))
    }

    /// A ring of 72 points, turned by `degrees`.
    fn ring(radius: f64, degrees: f64) -> Trace {
        let at = |nth: i32| {
            let angle = (f64::from(nth) * 5.0 + degrees).to_radians();
            (50_000 + (radius * angle.cos()) as i32, 50_000 + (radius * angle.sin()) as i32)
        };
        wall(0, &(0..72).map(at).collect::<Vec<_>>())
    }

    fn begin(seams: &mut Seams, mut trace: Trace, index: u32, seam: &str) -> IntPoint<i32> {
        seams.place(std::slice::from_mut(&mut trace), index, &profile(seam));
        trace.points[0]
    }

    #[test]
    fn a_seam_hides_in_the_inward_corner() {
        for seam in ["corner", "aligned"] {
            assert_eq!(begin(&mut Seams::default(), notched(0), 0, seam), point(10_000, 3_000), "{seam}");
        }
        assert_eq!(begin(&mut Seams::default(), notched(0), 0, "rear"), point(20_000, 20_000));
    }

    #[test]
    fn on_a_wall_without_corners_the_seam_stays_where_the_one_below_was() {
        let mut seams = Seams::default();
        let mut before = begin(&mut seams, ring(10_000.0, 0.0), 0, "aligned");
        for index in 1..60 {
            // Each layer's vertices lie elsewhere, and the part grows narrower.
            let trace = ring(10_000.0 - 40.0 * f64::from(index), f64::from(index) * 1.7);
            let own = begin(&mut seams, trace, index, "aligned");
            assert!(distance(before, own) < 500.0, "layer {index}: {before:?} {own:?}");
            before = own;
        }
        assert!(distance(before, point(50_000, 57_600)) < 2_500.0, "no drift around the part: {before:?}");
    }

    #[test]
    fn a_seam_follows_its_corner_as_the_part_leans() {
        let mut seams = Seams::default();
        for index in 0..40 {
            let by = index * 150;
            assert_eq!(begin(&mut seams, notched(by), index as u32, "aligned"), point(10_000 + by, 3_000));
        }
    }

    #[test]
    fn on_a_bare_straight_a_vertex_is_made_for_the_seam() {
        let mut seams = Seams { below: vec![point(50_000, -80)] };
        let long = wall(0, &[(0, 0), (100_000, 0), (100_000, 40_000), (0, 40_000)]);
        assert_eq!(begin(&mut seams, long, 1, "aligned"), point(50_000, 0));
    }

    #[test]
    fn inner_walls_begin_behind_the_visible_ones_seam() {
        let inner = wall(1, &[(450, 450), (19_550, 450), (19_550, 19_550), (450, 19_550)]);
        let mut traces = [inner, wall(0, &[(0, 0), (20_000, 0), (20_000, 20_000), (0, 20_000)])];
        Seams::default().place(&mut traces, 0, &profile("aligned"));
        assert_eq!(
            (traces[1].points[0], traces[0].points[0]),
            (point(20_000, 20_000), point(19_550, 19_550))
        );
    }

    #[test]
    fn random_seams_are_spread_and_the_same_each_time() {
        let at = |index| begin(&mut Seams::default(), notched(0), index, "random");
        let seams: Vec<_> = (0..50).map(at).collect();
        assert_eq!(seams, (0..50).map(at).collect::<Vec<_>>());
        let rear = seams.iter().filter(|seam| seam.y == 20_000).count();
        assert!((4..25).contains(&rear), "about a quarter of the wall is its rear: {rear}");
    }
}
