//! What a far light sees of the mesh, to ask later whether a point is in its shadow.

use super::raster::Raster;
use super::vector::{Vec3, vec3};
use crate::mesh::Mesh;
use crate::mesh::analysis::Extent;

/// Samples along each side of a light's view.
const SIDE: usize = 1024;

/// Points of a disc, spread evenly by the golden angle (Vogel, 1979); shadows are the mean over them.
const TAPS: usize = 24;

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
        Self { towards, across, along, middle, scale, seen, disc: disc() }
    }

    /// How much of the light reaches a point, from 0 to 1. `blur` is the radius of the shadow's soft edge in
    /// millimetres, `slack` how far above the point something must be to count.
    pub(super) fn reaches(&self, point: Vec3, blur: f32, slack: f32) -> f32 {
        let at = view(point - self.middle, [self.across, self.along, self.towards], self.scale);
        let blur = blur * self.scale;
        let blocked = self
            .disc
            .iter()
            .filter(|tap| self.nearness(at.x + tap[0] * blur, at.y + tap[1] * blur) > at.z + slack);
        1.0 - blocked.count() as f32 / TAPS as f32
    }

    fn nearness(&self, x: f32, y: f32) -> f32 {
        let inside = x >= 0.0 && y >= 0.0 && x < SIDE as f32 && y < SIDE as f32;
        if inside { self.seen.nearness_at(x as usize, y as usize) } else { f32::NEG_INFINITY }
    }
}

/// A point relative to the middle, in samples of a light's view; its nearness stays in millimetres.
fn view(point: Vec3, [across, along, towards]: [Vec3; 3], scale: f32) -> Vec3 {
    let half = SIDE as f32 / 2.0;
    vec3(half + point.dot(across) * scale, half + point.dot(along) * scale, point.dot(towards))
}

fn disc() -> [[f32; 2]; TAPS] {
    let golden = std::f32::consts::PI * (3.0 - 5.0_f32.sqrt());
    std::array::from_fn(|n| {
        let (radius, turn) = (((n as f32 + 0.5) / TAPS as f32).sqrt(), golden * n as f32);
        [radius * turn.cos(), radius * turn.sin()]
    })
}
