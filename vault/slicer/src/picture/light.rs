//! What a far light sees of the mesh, to ask later whether a point is in its shadow.

use super::raster::Raster;
use super::vector::{Vec3, vec3};
use crate::mesh::Mesh;
use crate::mesh::analysis::Extent;

/// Samples along each side of a light's view.
const SIDE: usize = 512;

/// Tiles along each side of the finest level of what is nearest; each further level has half as many.
const TILES: usize = 64;

/// Points of a disc, spread evenly by the golden angle (Vogel, 1979); shadows are the mean over them. The first of them are
/// spread evenly as well.
const TAPS: usize = 24;
const FIRST: usize = 8;

/// A shadow's edge that is narrower than so many samples.
const NARROW: f32 = 8.0;

/// A light infinitely far away.
pub(super) struct Light {
    /// Unit vector from the part towards the light.
    pub(super) towards: Vec3,
    across: Vec3,
    along: Vec3,
    middle: Vec3,
    /// Samples a millimetre.
    scale: f32,
    seen: Raster,
    /// The nearest there is in each tile, level by level: most points are in nobody's shadow, and this says so at once.
    nearest: Vec<Vec<f32>>,
    disc: [[f32; 2]; TAPS],
}

impl Light {
    /// A light in this direction, having looked at the mesh.
    pub(super) fn new(mesh: &Mesh, towards: Vec3) -> Self {
        let towards = towards.unit();
        let across =
            if towards.z < 0.99 { vec3(0.0, 0.0, 1.0).cross(towards).unit() } else { vec3(1.0, 0.0, 0.0) };
        let along = towards.cross(across);
        let extent = Extent::of(mesh);
        let (min, max) = (Vec3::from(extent.min), Vec3::from(extent.max));
        let (middle, reach) = ((min + max) * 0.5, (max - min).length().max(1.0));
        // A little narrower than the picture, so that taps at the rim stay inside.
        let scale = SIDE as f32 * 0.96 / reach;
        let view = |point: Vec3| view(point - middle, [across, along, towards], scale);
        let seen = Raster::draw(mesh, [SIDE, SIDE], view);
        let nearest = nearest(&seen);
        Self { towards, across, along, middle, scale, seen, nearest, disc: disc() }
    }

    /// How much of the light reaches a point, from 0 to 1. `blur` is the radius of the shadow's soft edge in
    /// millimetres, `slack` how far above the point something must be to count.
    pub(super) fn reaches(&self, point: Vec3, blur: f32, slack: f32) -> f32 {
        let at = view(point - self.middle, [self.across, self.along, self.towards], self.scale);
        let blur = blur * self.scale;
        if !self.may_block(at, blur, at.z + slack) {
            return 1.0;
        }
        let limit = at.z + slack;
        let blocks = |tap: &&[f32; 2]| self.nearness(at.x + tap[0] * blur, at.y + tap[1] * blur) > limit;
        let (some, others) = self.disc.split_at(FIRST);
        let blocking = |taps: &[[f32; 2]]| taps.iter().filter(blocks).count();
        // Where those that are looked at first agree the others do: away from the edges of narrow shadows.
        let blocked = match blocking(some) {
            0 if blur < NARROW => 0,
            FIRST if blur < NARROW => TAPS,
            of_some => of_some + blocking(others),
        };
        1.0 - blocked as f32 / TAPS as f32
    }

    /// Whether anything within `blur` of a place is nearer than `limit`.
    fn may_block(&self, at: Vec3, blur: f32, limit: f32) -> bool {
        // The level whose tiles are as wide as the blur: a few of them cover it.
        let mut level = 0;
        while level + 1 < self.nearest.len() && blur > ((SIDE / TILES) << level) as f32 {
            level += 1;
        }
        let (tile, tiles) = ((SIDE / TILES) << level, TILES >> level);
        // A float cast saturates: what lies outside gives an empty range.
        let covered = |middle: f32| {
            let (low, high) = ((middle - blur).max(0.0) as usize, (middle + blur + 1.0).max(0.0) as usize);
            low / tile..high.div_ceil(tile).min(tiles)
        };
        covered(at.y).any(|row| covered(at.x).any(|column| self.nearest[level][row * tiles + column] > limit))
    }

    fn nearness(&self, x: f32, y: f32) -> f32 {
        let inside = x >= 0.0 && y >= 0.0 && x < SIDE as f32 && y < SIDE as f32;
        if inside { self.seen.nearness_at(x as usize, y as usize) } else { f32::NEG_INFINITY }
    }
}

/// The nearest of each tile, level by level.
fn nearest(seen: &Raster) -> Vec<Vec<f32>> {
    let mut levels = vec![coarser(&seen.nearness, SIDE, SIDE / TILES)];
    let mut side = TILES;
    while side > 1 {
        let next = coarser(levels.last().expect("there is a first"), side, 2);
        levels.push(next);
        side /= 2;
    }
    levels
}

/// The largest of each `by` by `by` of a square.
fn coarser(square: &[f32], side: usize, by: usize) -> Vec<f32> {
    let mut largest = vec![f32::NEG_INFINITY; (side / by) * (side / by)];
    for (y, row) in square.chunks_exact(side).enumerate() {
        for (x, cells) in row.chunks_exact(by).enumerate() {
            let tile = &mut largest[y / by * (side / by) + x];
            *tile = cells.iter().copied().fold(*tile, f32::max);
        }
    }
    largest
}

/// A point relative to the middle, in samples of a light's view; its nearness stays in millimetres.
fn view(point: Vec3, [across, along, towards]: [Vec3; 3], scale: f32) -> Vec3 {
    let half = SIDE as f32 / 2.0;
    vec3(half + point.dot(across) * scale, half + point.dot(along) * scale, point.dot(towards))
}

fn disc() -> [[f32; 2]; TAPS] {
    let golden = std::f32::consts::PI * (3.0 - 5.0_f32.sqrt());
    std::array::from_fn(|n| {
        // Every third of them first.
        let n = (n % FIRST * (TAPS / FIRST) + n / FIRST) as f32;
        let (radius, turn) = (((n + 0.5) / TAPS as f32).sqrt(), golden * n);
        [radius * turn.cos(), radius * turn.sin()]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_plate_it_is_dark_beside_it_light_and_at_its_rim_in_between() {
        let corners = [[-10.0, -10.0], [10.0, -10.0], [10.0, 10.0], [-10.0, 10.0]].map(|[x, y]| [x, y, 20.0]);
        let floor = [[-50.0, -50.0, 0.0], [50.0, -50.0, 0.0], [0.0, 50.0, 0.0]];
        let vertices = [&corners[..], &floor[..]].concat();
        let mesh = Mesh { vertices, triangles: vec![[0, 1, 2], [0, 2, 3], [4, 5, 6]] };
        let light = Light::new(&mesh, vec3(0.0, 0.0, 1.0));
        for blur in [1.0, 4.0] {
            let at = |x: f32| light.reaches(vec3(x, 0.0, 0.1), blur, 0.5);
            assert_eq!((at(0.0), at(20.0)), (0.0, 1.0), "{blur}");
            assert!((0.25..0.75).contains(&at(10.0)), "{blur}: {}", at(10.0));
        }
        assert!(
            light.scale * 1.0 < NARROW && light.scale * 4.0 > NARROW,
            "both kinds of edge were looked at"
        );
    }
}
