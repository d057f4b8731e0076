//! What of a design is hard to print, whatever the profile: what hangs, what begins in the air, how much it stands on,
//! walls too thin for a nozzle, and the machines it fits.
//!
//! Serves hop 1 (upload): the seller is told before anybody pays. It looks at the mesh as it lies, mended, and at
//! sections of it; nothing here changes what is sliced. Deliberately absent: what a profile can do about it (supports,
//! turning, walls of one line), and judging bridges, which count as hanging.

use std::collections::HashMap;

use layerlock_terms::machine::Machine;
use layerlock_terms::toolpath::Point3;
use layerlock_terms::units::Micrometres;
use rayon::slice::ParallelSliceMut;

use crate::geometry::{IntPoint, Region};
use crate::mesh::Mesh;
use crate::mesh::analysis::{Groups, cross, dot, minus};
use crate::place::Placed;
use crate::regions::unite;
use crate::sections::{section_at, sections};

/// Nozzles of the machines there are, narrowest first.
pub const NOZZLES: [Micrometres; 2] = [Micrometres(400), Micrometres(500)];

/// What of a design is hard to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Printability {
    /// Surface that leans out by more than 45° and does not lie on the bed, in square micrometres.
    pub overhang_um2: u64,
    /// Places where the part begins above the bed with nothing below.
    pub islands: u32,
    /// What touches the bed, in square micrometres.
    pub foot_um2: u64,
    /// For each of [`NOZZLES`]: the share of sixteen level sections that is thinner than it, in parts of a million.
    pub thin_ppm: [u32; NOZZLES.len()],
}

/// How a part goes onto a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// As it lies.
    AsItLies,
    /// Turned by a quarter about the upright axis.
    Turned,
    /// Only when it is made smaller.
    TooLarge,
}

/// The first layer: what lies lower is on the bed.
const FIRST_LAYER: i32 = 200;

/// Sections looked at for thin walls.
const SECTIONS: i32 = 16;

/// Most heights at which is looked whether something is held; what begins above the last of them counts.
const LOOKS: u32 = 64;

/// Cosine of the lean from which on a surface hangs.
const HANGS: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// Thin places smaller than this are tips of corners, in square micrometres.
const TIP: f64 = 0.05e6;

impl Printability {
    /// Judges a mended mesh; all zero for one larger than any machine.
    pub(crate) fn of(mesh: &Mesh) -> Self {
        let Some(part) = Placed::as_it_is(mesh) else { return Self::default() };
        let foot = || unite(&section_at(&part, FIRST_LAYER / 2)).map_or(0.0, |region| region.area());
        let (islands, (thin_ppm, foot)) =
            rayon::join(|| islands(&part), || rayon::join(|| thin(&part), foot));
        Self { overhang_um2: overhang(&part) as u64, islands, foot_um2: foot as u64, thin_ppm }
    }

    /// The share of walls too thin for a nozzle, in parts of a million; of the next narrower one that is known.
    pub fn thin_for(&self, nozzle: Micrometres) -> u32 {
        let known = NOZZLES.iter().rposition(|known| *known <= nozzle).unwrap_or(0);
        self.thin_ppm[known]
    }
}

/// How a part of this size, in micrometres, goes onto `machine`, and the largest scale in percent at which it does.
pub fn fit(size: Point3, machine: &Machine) -> (Fit, u32) {
    let volume = machine.volume.map(|side| i64::from(side.0));
    let [x, y, z] = [size.x, size.y, size.z].map(|side| i64::from(side).max(1));
    let most = |sides: [i64; 3]| {
        let shares = [0, 1, 2].map(|axis| volume[axis] * 100 / sides[axis]);
        shares[0].min(shares[1]).min(shares[2])
    };
    let (lying, turned) = (most([x, y, z]), most([y, x, z]));
    let fit = match (lying >= 100, turned >= 100) {
        (true, _) => Fit::AsItLies,
        (false, true) => Fit::Turned,
        (false, false) => Fit::TooLarge,
    };
    (fit, u32::try_from(lying.max(turned)).unwrap_or(u32::MAX))
}

/// Twice a triangle's area as a vector along its normal.
fn normal(part: &Placed<'_>, triangle: [u32; 3]) -> [f64; 3] {
    let [a, b, c] = triangle.map(|vertex| part.vertices[vertex as usize].map(f64::from));
    cross(minus(b, a), minus(c, a))
}

fn overhang(part: &Placed<'_>) -> f64 {
    let lies_on_bed =
        |triangle: &[u32; 3]| triangle.iter().all(|vertex| part.vertices[*vertex as usize][2] <= FIRST_LAYER);
    let area = |triangle: &[u32; 3]| {
        let normal = normal(part, *triangle);
        let length = dot(normal, normal).sqrt();
        if normal[2] < -HANGS * length { length / 2.0 } else { 0.0 }
    };
    part.triangles.iter().filter(|triangle| !lies_on_bed(triangle)).map(area).sum()
}

/// Pieces of the part that begin above the bed with nothing below, layer by layer where something begins: a body that
/// stands on another or is sunk into it is held.
fn islands(part: &Placed<'_>) -> u32 {
    let bottoms = bottoms(part);
    let (mut count, mut looked, mut seen) = (0, 0, 0);
    for (n, &height) in bottoms.iter().enumerate() {
        if height < seen {
            continue;
        }
        if looked == LOOKS {
            return count + (bottoms.len() - n) as u32;
        }
        // What began below the last look's upper section was counted there.
        let (below, above) = ((height - FIRST_LAYER / 2).max(seen), height + FIRST_LAYER / 2);
        count += unheld(part, below, above).unwrap_or(1);
        (looked, seen) = (looked + 1, above);
    }
    count
}

/// How many pieces of the section at `above` have nothing under them at `below`; nothing for a tangle.
fn unheld(part: &Placed<'_>, below: i32, above: i32) -> Option<u32> {
    let [below, above] = [below, above].map(|height| unite(&section_at(part, height)).ok());
    let (below, above) = (below?, above?);
    let hangs = |shape: &&Vec<Vec<IntPoint<i32>>>| below.and(&Region::of_shape(shape)).is_empty();
    Some(above.shapes().iter().filter(hangs).count() as u32)
}

/// Heights of the lowest places of the surface that look down, rising. What looks up is the bottom of a hollow, and what
/// hangs by less than a layer is a wavy ceiling.
///
/// The surface is flooded from below, edge by edge: where two pools meet, the one whose bottom is higher ends, and as deep
/// as it is by then so far does its bottom stand out (the persistence of a minimum).
fn bottoms(part: &Placed<'_>) -> Vec<i32> {
    // From here on a vertex goes by its place in the order of heights.
    let mut rising: Vec<u32> = (0..part.vertices.len() as u32).collect();
    rising.par_sort_unstable_by_key(|vertex| (part.vertices[*vertex as usize][2], *vertex));
    let mut place = vec![0; rising.len()];
    rising.iter().zip(0..).for_each(|(vertex, at)| place[*vertex as usize] = at);
    let height = |at: u32| part.vertices[rising[at as usize] as usize][2];
    let mut edges: Vec<u64> = Vec::with_capacity(part.triangles.len() * 3);
    for [a, b, c] in part.triangles.iter().map(|triangle| triangle.map(|vertex| place[vertex as usize])) {
        edges.extend([(a, b), (b, c), (c, a)].map(|(a, b)| u64::from(a.max(b)) << 32 | u64::from(a.min(b))));
    }
    edges.par_sort_unstable();
    let mut pools = Groups::new(rising.len());
    let mut is_bottom = vec![false; rising.len()];
    for edge in edges {
        let (high, low) = ((edge >> 32) as u32, edge as u32);
        // A pool's root is its bottom.
        let (one, other) = (pools.root(low), pools.root(high));
        pools.join(one, other);
        let upper = one.max(other);
        is_bottom[upper as usize] |= one != other && height(high) - height(upper) >= FIRST_LAYER;
    }
    // The pools that are left at the end met no other.
    let mut up = HashMap::<u32, f64>::new();
    for triangle in part.triangles.iter() {
        for at in triangle.map(|vertex| place[vertex as usize]) {
            let is_bottom = is_bottom[at as usize] || pools.root(at) == at;
            if is_bottom && height(at) > FIRST_LAYER {
                *up.entry(at).or_default() += normal(part, *triangle)[2];
            }
        }
    }
    let mut heights: Vec<i32> =
        up.into_iter().filter(|(_, up)| *up < 0.0).map(|(at, _)| height(at)).collect();
    heights.sort_unstable();
    heights
}

fn thin(part: &Placed<'_>) -> [u32; NOZZLES.len()] {
    let measured = sections(part, SECTIONS, |contours| match unite(contours) {
        Ok(whole) => (whole.area(), NOZZLES.map(|nozzle| thinner(&whole, nozzle).area())),
        Err(_) => (0.0, [0.0; NOZZLES.len()]),
    });
    let whole: f64 = measured.iter().map(|(area, _)| area).sum();
    std::array::from_fn(|n| {
        let thin: f64 = measured.iter().map(|(_, thin)| thin[n]).sum();
        if whole > 0.0 { (thin / whole * 1e6) as u32 } else { 0 }
    })
}

/// What of a section no line of this width has room in.
fn thinner(whole: &Region, nozzle: Micrometres) -> Region {
    let half = nozzle.0 / 2;
    whole.minus(&whole.opened(half)).without_specks(TIP)
}
