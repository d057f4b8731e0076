//! The sample part: a twisted, fluted vase made by formula, so a demonstration needs no file from anybody.
//!
//! 64 mm tall and watertight, with a solid floor, walls of four nozzle widths and a rippled rim. It leans out by
//! less than 45° everywhere, so it prints without supports. Its shape is drawn by `outline`: radius over height,
//! flutes over the angle, a twist that turns the flutes as they climb.

use std::f32::consts::{PI, TAU};

use crate::mesh::Mesh;

/// Height of the rim, without its ripple, in millimetres.
const HEIGHT: f32 = 64.0;
/// Thickness of the floor.
const FLOOR: f32 = 2.4;
/// Thickness of the wall, measured level.
const WALL: f32 = 1.8;
/// Flutes around the body.
const FLUTES: f32 = 12.0;
/// How far the flutes turn from floor to rim, in radians.
const TWIST: f32 = 1.2;
/// How far the rim swings up and down.
const RIPPLE: f32 = 1.1;
/// Corners of one ring; sixteen to a flute keep the facets under a layer line.
const AROUND: u32 = 192;
/// Rings of the outside.
const RINGS: u32 = 96;

/// Radius of the body at some heights (both relative: height 0 is the floor, 1 the rim), joined by half cosines.
const PROFILE: [(f32, f32); 4] = [(0.0, 17.0), (0.42, 25.5), (0.78, 19.0), (1.0, 22.5)];

/// The sample part, standing on the bed around the z axis.
pub fn sample() -> Mesh {
    let mut mesh = Mesh::default();
    let outside: Vec<u32> = (0..=RINGS).map(|n| ring(&mut mesh, n as f32 / RINGS as f32, 0.0)).collect();
    let bottom = FLOOR / HEIGHT;
    let inside: Vec<u32> = (0..=RINGS)
        .map(|n| ring(&mut mesh, bottom + (1.0 - bottom) * n as f32 / RINGS as f32, WALL))
        .collect();
    outside.windows(2).for_each(|pair| band(&mut mesh, pair[0], pair[1]));
    inside.windows(2).for_each(|pair| band(&mut mesh, pair[1], pair[0]));
    band(&mut mesh, outside[RINGS as usize], inside[RINGS as usize]);
    disc(&mut mesh, outside[0], Side::Below);
    disc(&mut mesh, inside[0], Side::Above);
    mesh
}

/// Where the outside is at a relative height and an angle.
fn outline(height: f32, angle: f32) -> [f32; 3] {
    let climbed = smooth(height);
    let wave = (FLUTES * (angle - TWIST * height)).cos();
    let radius = radius(height) + (0.7 + 1.0 * climbed) * wave;
    let z = height * HEIGHT + RIPPLE * climbed.powi(4) * wave;
    [radius * angle.cos(), radius * angle.sin(), z]
}

fn radius(height: f32) -> f32 {
    let span = PROFILE.windows(2).find(|span| height <= span[1].0).unwrap_or(&PROFILE[2..]);
    let (low, high) = (span[0], span[1]);
    let share = (height - low.0) / (high.0 - low.0);
    low.1 + (high.1 - low.1) * (1.0 - (PI * share).cos()) / 2.0
}

/// From 0 to 1 without a kink at either end.
fn smooth(x: f32) -> f32 {
    x * x * (3.0 - 2.0 * x)
}

/// Adds a ring of corners, moved inwards by `inset` at right angles to the outline seen from above; gives its
/// first index.
fn ring(mesh: &mut Mesh, height: f32, inset: f32) -> u32 {
    let first = mesh.vertices.len() as u32;
    let step = TAU / AROUND as f32;
    for n in 0..AROUND {
        let angle = step * n as f32;
        let [x, y, z] = outline(height, angle);
        let (before, after) = (outline(height, angle - step / 4.0), outline(height, angle + step / 4.0));
        let (along_x, along_y) = (after[0] - before[0], after[1] - before[1]);
        let length = along_x.hypot(along_y);
        mesh.vertices.push([x - inset * along_y / length, y + inset * along_x / length, z]);
    }
    first
}

/// Joins two rings by triangles that face outwards when `upper` lies above `lower`.
fn band(mesh: &mut Mesh, lower: u32, upper: u32) {
    for n in 0..AROUND {
        let next = (n + 1) % AROUND;
        let (a, b, c, d) = (lower + n, lower + next, upper + next, upper + n);
        mesh.triangles.extend([[a, b, c], [a, c, d]]);
    }
}

/// Which side of a disc is outside the body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Below,
    Above,
}

/// Closes a ring with a fan around its middle.
fn disc(mesh: &mut Mesh, ring: u32, outside: Side) {
    let centre = mesh.vertices.len() as u32;
    mesh.vertices.push([0.0, 0.0, mesh.vertices[ring as usize][2]]);
    for n in 0..AROUND {
        let (a, b) = (ring + n, ring + (n + 1) % AROUND);
        mesh.triangles.push(match outside {
            Side::Above => [centre, a, b],
            Side::Below => [centre, b, a],
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::analysis::analyse;
    use crate::mesh::{Limits, parse, to_binary_stl};

    #[test]
    fn the_sample_is_one_closed_body_of_about_sixty_millimetres() {
        let analysis = analyse(&sample());
        assert_eq!(analysis.shells, 1);
        assert!(analysis.is_watertight(), "{analysis:?}");
        assert_eq!(analysis.degenerate_faces + analysis.duplicate_faces, 0);
        assert!(analysis.volume_nl > 10_000_000, "more than 10 cm³ and the right way out: {analysis:?}");
        assert!((64_000..=66_000).contains(&analysis.size().z), "{analysis:?}");
        assert_eq!(analysis.min.z, 0);
    }

    #[test]
    fn the_sample_leans_out_by_less_than_45_degrees() {
        let mesh = sample();
        let steepest = mesh
            .triangles
            .iter()
            .map(|&t| mesh.corners(t))
            .filter(|corners| corners.iter().any(|c| c[2] > 0.01))
            .map(|corners| downward(&corners))
            .fold(0.0, f32::max);
        assert!(steepest < (PI / 4.0).sin(), "a facet hangs over by {steepest}");
        assert!(steepest > 0.3, "the test looks at walls that lean at all");
    }

    /// Sine of the angle by which a facet hangs over; zero for one that faces up.
    fn downward(&[a, b, c]: &[[f32; 3]; 3]) -> f32 {
        let u = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
        let v = [c[0] - a[0], c[1] - a[1], c[2] - a[2]];
        let n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        (-n[2] / n.iter().map(|c| c * c).sum::<f32>().sqrt()).max(0.0)
    }

    #[test]
    fn the_sample_survives_its_own_upload() {
        let mesh = sample();
        let parsed = parse(&to_binary_stl(&mesh), &Limits::default()).unwrap();
        assert_eq!(analyse(&parsed.mesh), analyse(&mesh));
    }
}
