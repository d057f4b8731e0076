//! The shape descriptor: what a design looks like in 192 bytes, so that two uploads of one shape are told without either
//! mesh being kept open.
//!
//! Two histograms over points spread evenly on the surface: of the distances between two of them (D2 of Osada, Funkhouser,
//! Chazelle and Dobkin, "Shape Distributions", 2002) and of their distances from the middle (D1). Distances are in units of
//! their mean, so a design that was moved, turned, mirrored, scaled or cut into other triangles has nearly the same
//! descriptor. It says what looks alike, not what is a copy: people look before anybody acts on it.
//! Deliberately absent: any way back to a mesh, and shapes found within larger ones.

use crate::mesh::Mesh;
use crate::mesh::analysis::{cross, dot, minus};

/// Bars of each histogram.
const BARS: [usize; 2] = [64, 32];

/// Points on the surface.
const POINTS: usize = 1 << 13;

/// Pairs that each point is in first.
const PARTNERS: usize = 32;

/// Where each histogram ends, in means.
const END: [f64; 2] = [3.0, 2.5];

/// Bytes of a descriptor.
pub const LENGTH: usize = 2 * (BARS[0] + BARS[1]);

/// What a design looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Descriptor([u16; BARS[0] + BARS[1]]);

impl std::fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Descriptor")
    }
}

impl Descriptor {
    /// Describes a mesh: the same mesh always alike, on any number of threads. All zero for one without surface.
    pub fn of(mesh: &Mesh) -> Self {
        let points = spread(mesh);
        let middle =
            [0, 1, 2].map(|axis| points.iter().map(|p| p[axis]).sum::<f64>() / points.len().max(1) as f64);
        let pairs = (1..=PARTNERS).flat_map(|n| {
            // Partners far apart in the order of the mesh, and never the point itself.
            let stride = (n * 2 * points.len() / (2 * PARTNERS + 1)).max(1);
            let partner = points.iter().cycle().skip(stride);
            points.iter().zip(partner).map(|(a, b)| length(minus(*a, *b))).collect::<Vec<_>>()
        });
        let mut bars = [0; BARS[0] + BARS[1]];
        let (apart, from_middle) = bars.split_at_mut(BARS[0]);
        histogram(&pairs.collect::<Vec<_>>(), END[0], apart);
        histogram(&points.iter().map(|p| length(minus(*p, middle))).collect::<Vec<_>>(), END[1], from_middle);
        Self(bars)
    }

    /// How far two shapes look alike, in percent: what their histograms have in common.
    pub fn likeness(&self, other: &Self) -> u32 {
        let common = |from: usize, to: usize| -> u64 {
            let bars = self.0[from..to].iter().zip(&other.0[from..to]);
            bars.map(|(a, b)| u64::from(*a.min(b))).sum()
        };
        let least = common(0, BARS[0]).min(common(BARS[0], BARS[0] + BARS[1]));
        (least * 100 / u64::from(u16::MAX)) as u32
    }

    /// The bytes to keep.
    pub fn to_bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes
            .chunks_exact_mut(2)
            .zip(self.0)
            .for_each(|(pair, bar)| pair.copy_from_slice(&bar.to_be_bytes()));
        bytes
    }

    /// What [`Self::to_bytes`] gave.
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(std::array::from_fn(|n| u16::from_be_bytes([bytes[2 * n], bytes[2 * n + 1]])))
    }
}

fn length(v: [f64; 3]) -> f64 {
    dot(v, v).sqrt()
}

/// Shares of the distances in bars of equal width, the last of them open, summing to [`u16::MAX`] or a little less.
fn histogram(distances: &[f64], end: f64, bars: &mut [u16]) {
    let mean = distances.iter().sum::<f64>() / distances.len().max(1) as f64;
    if mean <= 0.0 {
        return;
    }
    let mut counts = vec![0_u64; bars.len()];
    for distance in distances {
        let bar = (distance / mean / end * bars.len() as f64) as usize;
        counts[bar.min(bars.len() - 1)] += 1;
    }
    for (bar, count) in bars.iter_mut().zip(counts) {
        *bar = (count * u64::from(u16::MAX) / distances.len() as u64) as u16;
    }
}

/// Points spread evenly over the surface, in random order; none for a mesh without one.
fn spread(mesh: &Mesh) -> Vec<[f64; 3]> {
    let corners = |triangle: &[u32; 3]| mesh.corners(*triangle).map(|corner| corner.map(f64::from));
    let doubled = |triangle: &[u32; 3]| {
        let [a, b, c] = corners(triangle);
        length(cross(minus(b, a), minus(c, a)))
    };
    let whole: f64 = mesh.triangles.iter().map(doubled).sum();
    if !(whole > 0.0 && whole.is_finite()) {
        return Vec::new();
    }
    let (mut dice, mut points) = (Dice(0), Vec::with_capacity(POINTS));
    let (mut passed, mut next) = (0.0, dice.throw());
    for triangle in &mesh.triangles {
        passed += doubled(triangle) / whole * POINTS as f64;
        let [a, b, c] = corners(triangle);
        while next < passed && points.len() < POINTS {
            let (s, t) = (dice.throw().sqrt(), dice.throw());
            let weights = [1.0 - s, s * (1.0 - t), s * t];
            points.push([0, 1, 2].map(|n| weights[0] * a[n] + weights[1] * b[n] + weights[2] * c[n]));
            // One in each equal share of the surface.
            next = points.len() as f64 + dice.throw();
        }
    }
    for n in (1..points.len()).rev() {
        points.swap(n, (dice.throw() * (n + 1) as f64) as usize);
    }
    points
}

/// Numbers from 0 to 1 that look random and are always the same.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(1);
        (crate::order::scrambled(self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
