//! The colour of one sample: a warm key light with shadows, a cool fill, light from the sky, and a pale floor.
//!
//! Colours are linear light; [`to_screen`] turns them into sRGB bytes. Corners are darkened by how much of a point's
//! surroundings the z-buffer shows to be in the way (ambient occlusion, after McGuire et al., "The Alchemy
//! Screen-Space Ambient Obscurance Algorithm", 2011).

use std::sync::{LazyLock, OnceLock};

use rayon::prelude::*;

use super::camera::{Camera, View};
use super::light::Light;
use super::normals;
use super::raster::{NONE, Raster};
use super::vector::{Vec3, vec3};
use crate::mesh::Mesh;
use crate::mesh::analysis::Extent;

/// The plastic.
const PLASTIC: Vec3 = vec3(0.88, 0.215, 0.06);
/// The key light: from the right, above, in front.
const KEY: Vec3 = vec3(0.62, -0.45, 0.95);
const KEY_COLOUR: Vec3 = vec3(1.12, 1.05, 0.94);
/// The fill light: from the left.
const FILL: Vec3 = vec3(-0.9, -0.25, 0.25);
const FILL_COLOUR: Vec3 = vec3(0.20, 0.26, 0.34);
/// Light from all sides above, and thrown back by the floor.
const SKY: Vec3 = vec3(0.30, 0.33, 0.38);
const BOUNCE: Vec3 = vec3(0.17, 0.14, 0.13);
/// The floor near the part, and far from it.
const FLOOR: Vec3 = vec3(0.90, 0.905, 0.92);
const FAR: Vec3 = vec3(0.62, 0.66, 0.72);
/// Cosine of the angle between normals that are taken for one, and how far apart, of their distance, samples of it lie.
const ALIKE: f32 = 0.995;
const CLOSE: f32 = 0.002;
/// Taps of the ambient occlusion.
const TAPS: usize = 12;

/// A mesh with all that its pictures from any side need.
pub(super) struct Studio<'m> {
    mesh: &'m Mesh,
    corners: Vec<[Vec3; 3]>,
    key: Light,
    /// The key light of who looks from behind; made only then.
    key_behind: OnceLock<Light>,
    above: Light,
    /// Height of the floor, the part's middle, and half the diagonal of its box.
    floor: f32,
    middle: Vec3,
    radius: f32,
    /// Where around a point is looked whether it is open, within a circle of one.
    taps: [[f32; 2]; TAPS],
}

/// One side of it, to colour any sample of its picture.
pub(super) struct Scene<'s> {
    studio: &'s Studio<'s>,
    camera: Camera,
    seen: Raster,
    key: &'s Light,
    fill: Vec3,
    dimness: Dimness,
}

impl<'m> Studio<'m> {
    pub(super) fn new(mesh: &'m Mesh) -> Self {
        let extent = Extent::of(mesh);
        let (min, max) = (Vec3::from(extent.min), Vec3::from(extent.max));
        let corners = || normals::of_corners(mesh, &normals::of_faces(mesh));
        let (key, above) = (|| Light::new(mesh, KEY), || Light::new(mesh, vec3(0.0, 0.0, 1.0)));
        let (corners, (key, above)) = rayon::join(corners, || rayon::join(key, above));
        Self {
            mesh,
            corners,
            key,
            key_behind: OnceLock::new(),
            above,
            floor: min.z,
            middle: (min + max) * 0.5,
            radius: ((max - min).length() / 2.0).max(1.0),
            taps: taps(),
        }
    }

    /// How much of the light reaches a point of the floor.
    fn left_on_floor(&self, key: &Light, point: Vec3) -> f32 {
        let shadow = 1.0 - key.reaches(point, self.radius * 0.06, self.radius * 0.004);
        let contact = 1.0 - self.above.reaches(point, self.radius * 0.30, 0.0);
        (1.0 - 0.34 * shadow) * (1.0 - 0.42 * contact)
    }

    /// The light that stands to the right of who looks from this side.
    fn key(&self, view: View) -> &Light {
        match view {
            View::Back => self.key_behind.get_or_init(|| Light::new(self.mesh, view.light(KEY))),
            View::Corner | View::Front | View::Top => &self.key,
        }
    }
}

impl<'s> Scene<'s> {
    /// The side seen in a picture of `size` samples.
    pub(super) fn new(studio: &'s Studio<'s>, view: View, size: [usize; 2]) -> Self {
        let camera = Camera::facing(studio.mesh, view, size);
        let seen = Raster::draw(studio.mesh, size, |point| camera.project(point));
        let key = studio.key(view);
        let dimness = Dimness::of(studio, key, &camera);
        Self { studio, seen, key, fill: view.light(FILL).unit(), dimness, camera }
    }

    /// Whether two samples show one smooth place: nothing but floor, or faces of the part that lie in one plane or nearly.
    pub(super) fn is_smooth(&self, one: [usize; 2], other: [usize; 2]) -> bool {
        let [here, there] = [one, other].map(|[x, y]| self.seen.triangle_at(x, y));
        if here == there || here == NONE || there == NONE {
            return here == there;
        }
        let [here, there] = [here, there].map(|triangle| self.studio.corners[triangle as usize][0]);
        let [near, far] = [one, other].map(|[x, y]| self.seen.nearness_at(x, y));
        here.dot(there) > ALIKE && (far / near - 1.0).abs() < CLOSE
    }

    /// The colour at a sample, in linear light.
    pub(super) fn colour(&self, [x, y]: [usize; 2]) -> Vec3 {
        match self.seen.triangle_at(x, y) {
            NONE => self.ground(x, y),
            triangle => self.plastic(x, y, triangle as usize),
        }
    }

    fn plastic(&self, x: usize, y: usize, triangle: usize) -> Vec3 {
        let nearness = self.seen.nearness_at(x, y);
        let point = self.camera.point(x, y, nearness);
        let towards_eye = (self.camera.eye - point).unit();
        let normal = self.normal(triangle, point, towards_eye);
        let open = self.openness(x, y, point, normal);
        let slack = self.studio.radius * 0.012;
        let turned = normal.dot(self.key.towards);
        // What is turned away is dark by itself, whoever stands in the light.
        let lit = if turned > 0.0 {
            self.key.reaches(point + normal * slack, self.studio.radius * 0.02, slack)
        } else {
            0.0
        };
        let key = turned.max(0.0) * lit;
        let fill = normal.dot(self.fill).max(0.0);
        let sky = BOUNCE.mix(SKY, 0.5 + 0.5 * normal.z) * open;
        let diffuse = KEY_COLOUR * key + FILL_COLOUR * (fill * open) + sky;
        let gloss = (normal.dot((self.key.towards + towards_eye).unit())).max(0.0).powi(48) * lit * 0.16;
        let edge = (1.0 - normal.dot(towards_eye).max(0.0)).powi(4) * 0.10 * open;
        PLASTIC.times(diffuse) + KEY_COLOUR * gloss + SKY * edge
    }

    /// The surface normal at a point of a triangle, turned towards the eye where the mesh is inside out.
    fn normal(&self, triangle: usize, point: Vec3, towards_eye: Vec3) -> Vec3 {
        let [a, b, c] = self.studio.mesh.corners(self.studio.mesh.triangles[triangle]).map(Vec3::from);
        let face = (b - a).cross(c - a);
        let doubled = face.dot(face);
        let for_a = face.dot((b - point).cross(c - point)) / doubled;
        let for_b = face.dot((c - point).cross(a - point)) / doubled;
        let [at_a, at_b, at_c] = self.studio.corners[triangle];
        let normal = (at_a * for_a + at_b * for_b + at_c * (1.0 - for_a - for_b)).unit();
        if face.dot(towards_eye) < 0.0 { -normal } else { normal }
    }

    /// How open the surroundings are, from 0 (a deep corner) to 1.
    fn openness(&self, x: usize, y: usize, point: Vec3, normal: Vec3) -> f32 {
        let reach = self.studio.radius * 0.22;
        let samples = reach * self.camera.samples_per_mm(self.seen.nearness_at(x, y));
        let (sin, cos) = (grain(x, y) * std::f32::consts::TAU).sin_cos();
        let mut hidden = 0.0;
        for [across, down] in self.studio.taps {
            let (dx, dy) = (samples * (across * cos - down * sin), samples * (across * sin + down * cos));
            let (tx, ty) = (x as f32 + dx, y as f32 + dy);
            let [width, height] = self.camera.size;
            if tx < 0.0 || ty < 0.0 || tx >= width as f32 || ty >= height as f32 {
                continue;
            }
            let nearness = self.seen.nearness_at(tx as usize, ty as usize);
            if nearness > 0.0 {
                let to = self.camera.point(tx as usize, ty as usize, nearness) - point;
                let above = (to.dot(normal) - self.studio.radius * 0.004).max(0.0);
                hidden += above * reach / (to.dot(to) + reach * reach * 0.02).max(1e-9) * 0.16;
            }
        }
        (1.0 - hidden / TAPS as f32 * 4.0).clamp(0.15, 1.0)
    }

    /// The floor with the part's shadow on it, fading into the distance.
    fn ground(&self, x: usize, y: usize) -> Vec3 {
        let Some(point) = self.camera.on_level(x, y, self.studio.floor) else { return FAR };
        let middle = self.studio.middle;
        let away = vec3(point.x - middle.x, point.y - middle.y, 0.0).length() / self.studio.radius;
        let share = (away / 5.0).clamp(0.0, 1.0);
        // Hardly other than the power of 1.2, and no power.
        let faded = share * (0.8 + 0.2 * share);
        FLOOR.mix(FAR, faded) * self.dimness.at(x, y)
    }
}

/// How much of the light is left on the floor, on a grid over the picture: its shadows are soft, so that between the
/// grid's points nothing is lost.
struct Dimness {
    /// Samples from point to point, and points across.
    step: usize,
    across: usize,
    left: Vec<f32>,
}

/// Points of the grid across a picture, about.
const GRID: usize = 160;

impl Dimness {
    fn of(studio: &Studio<'_>, key: &Light, camera: &Camera) -> Self {
        let [width, height] = camera.size;
        let step = (width / GRID).max(1);
        let (across, down) = (width / step + 2, height / step + 2);
        let left = |n: usize| {
            let place = camera.on_level(n % across * step, n / across * step, studio.floor);
            place.map_or(1.0, |point| studio.left_on_floor(key, point))
        };
        Self { step, across, left: (0..across * down).into_par_iter().map(left).collect() }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        let corner = y / self.step * self.across + x / self.step;
        let share = |at: usize| (at % self.step) as f32 / self.step as f32;
        let mix = |a: f32, b: f32, share: f32| a + (b - a) * share;
        let row = |corner: usize| mix(self.left[corner], self.left[corner + 1], share(x));
        mix(row(corner), row(corner + self.across), share(y))
    }
}

/// Points of a disc, further and further out, each turned by the golden angle (Vogel, 1979).
fn taps() -> [[f32; 2]; TAPS] {
    std::array::from_fn(|n| {
        let (share, angle) = ((n as f32 + 0.5) / TAPS as f32, n as f32 * 2.399_963);
        [share * angle.cos(), share * angle.sin()]
    })
}

/// A fixed, even-looking scatter over the samples (interleaved gradient noise, Jimenez 2014), from 0 to 1.
fn grain(x: usize, y: usize) -> f32 {
    (52.982_918 * (0.067_110_56 * x as f32 + 0.005_837_15 * y as f32).fract()).fract()
}

/// Linear light as sRGB bytes, opaque; the brightest tones are bent, not clipped.
pub(super) fn to_screen(colour: Vec3) -> [u8; 4] {
    static TONES: LazyLock<[u8; STEPS + 1]> =
        LazyLock::new(|| std::array::from_fn(|n| tone(n as f32 / SCALE)));
    let channel = |light: f32| TONES[((light.max(0.0) * SCALE + 0.5) as usize).min(STEPS)];
    [channel(colour.x), channel(colour.y), channel(colour.z), 255]
}

/// Steps of the table of tones, and how many of them make one of light: past its end all is white.
const STEPS: usize = 1 << 15;
const SCALE: f32 = (STEPS / 2) as f32;

fn tone(light: f32) -> u8 {
    let bent = if light > 0.8 { 0.8 + 0.2 * (1.0 - (-(light - 0.8) / 0.2).exp()) } else { light };
    let encoded = if bent <= 0.003_130_8 { bent * 12.92 } else { 1.055 * bent.powf(1.0 / 2.4) - 0.055 };
    (encoded * 255.0).round() as u8
}
