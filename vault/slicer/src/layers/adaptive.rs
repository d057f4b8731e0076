//! Layer heights that follow the part's slopes: thick where walls are steep, thin where each step would show.
//!
//! A layer of height h leaves steps of h · |n_z| on a surface with unit normal n: its cusp height (Dolenc and
//! Mäkelä, "Slicing procedures for layered manufacturing techniques", 1994). Every triangle caps the heights of the
//! layers it passes through so that no cusp is higher than the profile's deviation; caps are evened out so that
//! neighbouring layers differ by a quarter at most; layers are stacked under them from the bed up. One pass over the
//! triangles, whatever their number of layers.

use layerlock_terms::profile::{Key, Profile};

use crate::place::Placed;

/// Caps are kept for every eight micrometres of height: finer than the thinnest layer by ten.
const STEP: i32 = 8;

/// How much a cap may rise from step to step: a quarter of the way.
const RISE: i32 = STEP / 4;

/// What layers may be, in micrometres.
#[derive(Debug, Clone, Copy)]
struct Limits {
    first: i32,
    least: i32,
    most: i32,
    deviation: i32,
}

/// The tops of all layers of a part `high` made of these bodies; the last is the part's own top, to half the least
/// layer.
pub(super) fn tops(bodies: &[&Placed<'_>], high: i32, profile: &Profile) -> Vec<i32> {
    let length = |key| profile.length(key).0;
    let least = length(Key::AdaptiveLeast);
    let limits = Limits {
        first: length(Key::FirstLayerHeight),
        least,
        most: length(Key::AdaptiveMost).max(least),
        deviation: length(Key::AdaptiveDeviation),
    };
    let caps = Caps::of(bodies, high, &limits);
    let mut heights = stack(&caps, high, &limits);
    settle(&mut heights, high, &limits);
    heights.iter().scan(0, |top, height| Some(*top + *height).inspect(|next| *top = *next)).collect()
}

/// The highest layer that may pass through each step of height.
struct Caps(Vec<i32>);

impl Caps {
    fn of(bodies: &[&Placed<'_>], top: i32, limits: &Limits) -> Self {
        let steps = (top / STEP + 1) as usize;
        let mut caps = Spans::new(steps, limits.most);
        let triangles = bodies.iter().flat_map(|body| {
            body.triangles.iter().map(|corners| corners.map(|corner| body.vertices[corner as usize]))
        });
        for corners in triangles {
            let heights = corners.map(|at| at[2]);
            let (low, high) = (heights.into_iter().min(), heights.into_iter().max());
            let (low, high) = (low.expect("three corners"), high.expect("three corners"));
            // A level face is no slope: where it lies, no height of layer changes what is seen of it. A mesh that
            // is taken away may reach beyond the part.
            if low == high || high < 0 || low > top {
                continue;
            }
            let cap = limits.cap(corners);
            if cap < limits.most {
                caps.lower(low / STEP, high / STEP, cap);
            }
        }
        Self(caps.finish()).evened()
    }

    /// Caps that rise by no more than the rate from either side.
    fn evened(mut self) -> Self {
        for at in 1..self.0.len() {
            self.0[at] = self.0[at].min(self.0[at - 1] + RISE);
        }
        for at in (1..self.0.len()).rev() {
            self.0[at - 1] = self.0[at - 1].min(self.0[at] + RISE);
        }
        self
    }

    /// The highest layer from `z` up that no step it passes through forbids.
    fn fit(&self, z: i32, limits: &Limits) -> i32 {
        let mut height = limits.most;
        let first = (z / STEP) as usize;
        for (step, cap) in self.0.iter().enumerate().skip(first) {
            let room = (step as i32 * STEP - z).max(*cap);
            if step as i32 * STEP >= z + height {
                break;
            }
            height = height.min(room);
        }
        height.max(limits.least)
    }
}

impl Limits {
    /// The height whose cusp on this triangle is the deviation.
    fn cap(&self, [a, b, c]: [[i32; 3]; 3]) -> i32 {
        let along = |to: [i32; 3]| [0, 1, 2].map(|axis| f64::from(to[axis]) - f64::from(a[axis]));
        let (u, v) = (along(b), along(c));
        let normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        let length = (normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]).sqrt();
        let rise = normal[2].abs();
        if rise * f64::from(self.most) <= length * f64::from(self.deviation) {
            return self.most;
        }
        ((f64::from(self.deviation) * length / rise) as i32).clamp(self.least, self.most)
    }
}

/// The least of many values over many ranges, each range written in constant time: as two overlapping ones whose
/// length is a power of two, handed down to halves when all are there.
struct Spans {
    /// For each power of two, the least value of the range of that length beginning at each step.
    levels: Vec<Vec<i32>>,
}

impl Spans {
    fn new(steps: usize, most: i32) -> Self {
        let levels = steps.ilog2() as usize + 1;
        Self { levels: vec![vec![most; steps]; levels] }
    }

    /// Nothing from step `low` to step `high` may be more than `value`.
    fn lower(&mut self, low: i32, high: i32, value: i32) {
        let last = self.levels[0].len() - 1;
        let (low, high) = (low.max(0) as usize, (high.max(0) as usize).min(last));
        let level = (high - low + 1).ilog2() as usize;
        for from in [low, high + 1 - (1 << level)] {
            let held = &mut self.levels[level][from];
            *held = value.min(*held);
        }
    }

    fn finish(mut self) -> Vec<i32> {
        while self.levels.len() > 1 {
            let upper = self.levels.pop().expect("more than one");
            let half = 1 << (self.levels.len() - 1);
            let lower = self.levels.last_mut().expect("one is left");
            for (from, value) in upper.iter().enumerate() {
                for at in [from, from + half] {
                    if let Some(held) = lower.get_mut(at) {
                        *held = (*value).min(*held);
                    }
                }
            }
        }
        self.levels.pop().expect("one is left")
    }
}

/// Heights from the bed up, until the part's top is reached or passed.
fn stack(caps: &Caps, top: i32, limits: &Limits) -> Vec<i32> {
    let mut heights = vec![limits.first];
    let mut z = limits.first;
    while z < top {
        let height = caps.fit(z, limits);
        heights.push(height);
        z += height;
    }
    heights
}

/// Takes what is too much from the layers, a micrometre each from the top down; where they are all at the least, the
/// last one stays if more than half of it is inside the part.
fn settle(heights: &mut Vec<i32>, top: i32, limits: &Limits) {
    let mut over = heights.iter().sum::<i32>() - top;
    loop {
        let before = over;
        for height in heights[1..].iter_mut().rev() {
            if over > 0 && *height > limits.least {
                *height -= 1;
                over -= 1;
            }
        }
        if over == before || over <= 0 {
            break;
        }
    }
    if heights.len() > 1 && 2 * over > limits.least {
        heights.pop();
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use layerlock_terms::machine::{Machine, Material};
    use layerlock_terms::profile::Preset;

    fn profile(settings: &[(&str, &str)]) -> Profile {
        let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
        let mut profile = Profile::new(machine, Material::Pla, Preset::Standard);
        for (name, value) in settings {
            profile.set(name, value).expect("in range");
        }
        profile
    }

    /// The heights of a strip that rises through these points (across, up).
    fn heights(rising: &[(i32, i32)], settings: &[(&str, &str)]) -> Vec<i32> {
        let vertices: Vec<[i32; 3]> =
            rising.iter().flat_map(|(x, z)| [[*x, 0, *z], [*x, 5_000, *z]]).collect();
        let quads = (0..rising.len() as u32 - 1).map(|at| 2 * at);
        let triangles: Vec<[u32; 3]> =
            quads.flat_map(|at| [[at, at + 2, at + 1], [at + 1, at + 2, at + 3]]).collect();
        let height = rising.last().expect("points").1;
        let part = Placed { vertices, triangles: Cow::Borrowed(&triangles), height };
        let tops = tops(&[&part], height, &profile(settings));
        let below = [0].into_iter().chain(tops.iter().copied());
        tops.iter().zip(below).map(|(top, below)| top - below).collect()
    }

    #[test]
    fn upright_walls_get_the_highest_layers_and_gentle_slopes_the_least() {
        let upright = heights(&[(0, 0), (0, 30_000)], &[]);
        assert!(upright[1..].iter().all(|height| (270..=280).contains(height)), "{upright:?}");
        let gentle = heights(&[(0, 0), (60_000, 5_000)], &[("adaptive-deviation", "0.05")]);
        assert!(gentle[1..].iter().all(|height| *height == 80), "{gentle:?}");
    }

    #[test]
    fn a_slope_gets_the_height_whose_cusp_is_the_deviation() {
        // 45°: the cusp is the height over the root of two.
        let slope = heights(&[(0, 0), (30_000, 30_000)], &[("adaptive-deviation", "0.1")]);
        assert!(slope[1..].iter().all(|height| (138..=141).contains(height)), "{slope:?}");
    }

    #[test]
    fn heights_change_gently_and_reach_the_top_exactly() {
        let part = [(0, 0), (0, 10_000), (20_000, 12_000), (20_000, 30_017)];
        let heights = heights(&part, &[]);
        assert_eq!(heights[0], 200, "the first layer is the profile's");
        assert_eq!(heights.iter().sum::<i32>(), 30_017);
        for pair in heights[1..].windows(2) {
            let (low, high) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            assert!(high * 4 <= low * 5 + 4 * STEP, "{pair:?} of {heights:?}");
        }
        let (thin, thick) = (heights[1..].iter().min(), heights[1..].iter().max());
        assert!(thin <= Some(&82) && thick >= Some(&270), "{heights:?}");
    }

    #[test]
    fn any_height_is_met_within_half_the_least_layer() {
        for top in (401..3_000).step_by(7) {
            for deviation in ["0.02", "0.3"] {
                let heights = heights(&[(0, 0), (2_000, top)], &[("adaptive-deviation", deviation)]);
                let off = (heights.iter().sum::<i32>() - top).abs();
                assert!(off <= 40, "{off} off {top}: {heights:?}");
                assert!(heights[1..].iter().all(|height| (80..=280).contains(height)), "{heights:?}");
            }
        }
    }

    #[test]
    fn a_range_written_in_two_powers_of_two_covers_each_of_its_steps_and_no_other() {
        for (low, high) in [(0, 0), (0, 18), (3, 9), (5, 12), (18, 18), (2, 17)] {
            let mut spans = Spans::new(19, 100);
            spans.lower(low, high, 7);
            let least = spans.finish();
            let expected = (0..19).map(|at| if (low..=high).contains(&at) { 7 } else { 100 });
            assert_eq!(least, expected.collect::<Vec<_>>(), "{low}..={high}");
        }
    }
}
