//! The gyroid: a surface that holds equally in every direction, cut at the layer's height into waves.
//!
//! The surface is sin x cos y + sin y cos z + sin z cos x = 0. At one height it is solved for y where
//! |cos z| ≥ |sin z| and for x elsewhere; either way each solution is one unbroken wave, and where a wave
//! crosses the shape's edge is found by walking the edge, not the wave.

use std::f64::consts::{PI, TAU};

use super::hatch::{Hatch, Node};
use crate::geometry::{IntPoint, distance, point, simplify_open};

/// Length of the edge looked at in one go and of the wave drawn in one go, as a share of the waves' period.
const STEP: f64 = TAU / 24.0;

/// Length of wave in a square of one radian, the mean over all heights: the integral of the surface's slope over
/// where it passes, by quadrature.
const LENGTH: f64 = 0.3913;

/// How far the line laid may be from the wave, in micrometres.
const DETAIL: i32 = 25;

/// The waves at one height.
#[derive(Debug, Clone, Copy)]
struct Waves {
    sin: f64,
    cos: f64,
    /// Micrometres for one radian.
    scale: f64,
}

impl Waves {
    fn at(z: f64, scale: f64) -> Self {
        let (sin, cos) = (z / scale).sin_cos();
        Self { sin, cos, scale }
    }

    /// Whether waves run along x; they run along y elsewhere.
    fn along_x(&self) -> bool {
        self.cos.abs() >= self.sin.abs()
    }

    /// Along and across the waves, in radians.
    fn turned(&self, p: IntPoint<i32>) -> [f64; 2] {
        let (x, y) = (f64::from(p.x) / self.scale, f64::from(p.y) / self.scale);
        if self.along_x() { [x, y] } else { [y, x] }
    }

    fn back(&self, along: f64, across: f64) -> IntPoint<i32> {
        let (x, y) = if self.along_x() { (along, across) } else { (across, along) };
        point((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    /// Where wave `row` is across, at `along`.
    fn across(&self, row: i64, along: f64) -> f64 {
        // Each equation has the form A cos t + B sin t = C, and two solutions in each turn.
        let (sin, cos) = along.sin_cos();
        let (lean, a, b, c) = if self.along_x() {
            (f64::atan2(self.cos, sin), sin, self.cos, -self.sin * cos)
        } else {
            let turn = if self.sin < 0.0 { PI } else { 0.0 };
            ((cos / self.sin).atan() + turn, self.sin, cos, -self.cos * sin)
        };
        let spread = (c / a.hypot(b)).clamp(-1.0, 1.0).acos();
        let whole = row.div_euclid(2) as f64 * TAU;
        if row.rem_euclid(2) == 0 { lean - spread + whole } else { lean + spread + whole }
    }

    /// The waves that may pass between these places across.
    fn rows(&self, low: f64, high: f64) -> std::ops::RangeInclusive<i64> {
        // A wave strays from its own middle by less than a turn and a half.
        let turn = |across: f64| (across / TAU).floor() as i64;
        2 * (turn(low) - 2)..=2 * (turn(high) + 2) + 1
    }
}

/// The waves across `shape` at height `z`, both in micrometres; `distance` apart as lines of that density.
pub(super) fn cross(shape: &[Vec<IntPoint<i32>>], z: i32, distance: f64) -> Hatch {
    // Waves lie closer than their rows by how much longer than straight they are.
    let waves = Waves::at(f64::from(z), distance * LENGTH);
    let mut nodes = Vec::new();
    for (contour, points) in shape.iter().enumerate() {
        for (edge, from) in points.iter().enumerate() {
            cross_edge(&mut nodes, &waves, (contour, edge), *from, points[(edge + 1) % points.len()]);
        }
    }
    let nodes = super::hatch::even(nodes);
    let bodies = nodes.chunks_exact(2).map(|line| body(&waves, &line[0], &line[1])).collect();
    Hatch { nodes, bodies, distance }
}

/// Adds a node wherever a wave passes from one side of the edge's pieces to the other.
fn cross_edge(
    nodes: &mut Vec<Node>,
    waves: &Waves,
    (contour, edge): (usize, usize),
    from: IntPoint<i32>,
    to: IntPoint<i32>,
) {
    let pieces = (distance(from, to) / (STEP * waves.scale)).ceil().max(1.0);
    let part =
        |a: i32, b: i32, share: f64| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as i32;
    let at = |share: f64| point(part(from.x, to.x, share), part(from.y, to.y, share));
    for piece in 0..pieces as usize {
        let shares = [piece as f64 / pieces, (piece + 1) as f64 / pieces];
        let [a, b] = shares.map(|share| waves.turned(at(share)));
        for row in waves.rows(a[1].min(b[1]), a[1].max(b[1])) {
            let (off_a, off_b) = (a[1] - waves.across(row, a[0]), b[1] - waves.across(row, b[0]));
            if (off_a >= 0.0) == (off_b >= 0.0) {
                continue;
            }
            let local = off_a / (off_a - off_b);
            let share = shares[0] + (shares[1] - shares[0]) * local;
            let along = a[0] + (b[0] - a[0]) * local;
            nodes.push(Node { at: at(share), row, contour, edge, share, along });
        }
    }
}

/// The wave between two nodes, without them.
fn body(waves: &Waves, from: &Node, to: &Node) -> Vec<IntPoint<i32>> {
    let pieces = ((to.along - from.along).abs() / STEP).ceil().max(1.0);
    let mut points = vec![from.at];
    for piece in 1..pieces as usize {
        let along = from.along + (to.along - from.along) * piece as f64 / pieces;
        points.push(waves.back(along, waves.across(from.row, along)));
    }
    points.push(to.at);
    let kept = simplify_open(&points, DETAIL);
    kept[1..kept.len() - 1].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wave_lies_on_the_gyroid_and_is_unbroken() {
        for tenth in 0..63 {
            let z = f64::from(tenth) / 10.0;
            let waves = Waves::at(z * 1000.0, 1000.0);
            for row in -3..4 {
                let mut last = waves.across(row, 0.0);
                for hundredth in 1..700 {
                    let along = f64::from(hundredth) / 100.0;
                    let across = waves.across(row, along);
                    assert!((across - last).abs() < 0.2, "z {z} row {row} along {along}");
                    last = across;
                    let (x, y) = if waves.along_x() { (along, across) } else { (across, along) };
                    let surface = x.sin() * y.cos() + y.sin() * z.cos() + z.sin() * x.cos();
                    assert!(surface.abs() < 1e-9, "z {z} row {row} along {along}: {surface}");
                }
            }
        }
    }

    #[test]
    fn waves_come_in_order_across() {
        for tenth in 0..63 {
            let waves = Waves::at(f64::from(tenth) * 100.0, 1000.0);
            for along in [0.0, 0.7, 1.9, 3.3, 5.1] {
                let places: Vec<f64> = (-4..5).map(|row| waves.across(row, along)).collect();
                assert!(places.is_sorted(), "{places:?}");
            }
        }
    }
}
