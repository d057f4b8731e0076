//! Meshes made by code, of any number of triangles.

use std::f32::consts::{PI, TAU};

use layerlock_slicer::mesh::Mesh;

/// A ball of 80 mm with waves all over it, of about `triangles` triangles: each layer's outline winds, as of a scan.
pub fn bumpy_ball(triangles: usize) -> Mesh {
    let rings = ((triangles / 4) as f32).sqrt().round().max(3.0) as u32;
    let around = 2 * rings;
    let mut mesh = Mesh::default();
    for ring in 1..rings {
        let polar = PI * ring as f32 / rings as f32;
        mesh.vertices.extend((0..around).map(|n| bumpy(polar, TAU * n as f32 / around as f32)));
    }
    for ring in 0..rings - 2 {
        band(&mut mesh, (ring + 1) * around, ring * around, around);
    }
    cap(&mut mesh, 0, around, bumpy(0.0, 0.0));
    let last = (rings - 2) * around;
    cap(&mut mesh, last, around, bumpy(PI, 0.0));
    let foot = mesh.triangles.len() - around as usize;
    mesh.triangles[foot..].iter_mut().for_each(|triangle| triangle.swap(1, 2));
    mesh
}

fn bumpy(polar: f32, angle: f32) -> [f32; 3] {
    let radius = 40.0 + 1.5 * polar.sin() * (11.0 * angle).sin() * (13.0 * polar).cos();
    [radius * polar.sin() * angle.cos(), radius * polar.sin() * angle.sin(), radius * polar.cos()]
}

/// Joins two rings of `around` corners by triangles that face outwards when `upper` lies above `lower`.
fn band(mesh: &mut Mesh, lower: u32, upper: u32, around: u32) {
    for n in 0..around {
        let next = (n + 1) % around;
        let (a, b, c, d) = (lower + n, lower + next, upper + next, upper + n);
        mesh.triangles.extend([[a, b, c], [a, c, d]]);
    }
}

/// Closes a ring from above with a fan around `tip`.
fn cap(mesh: &mut Mesh, ring: u32, around: u32, tip: [f32; 3]) {
    let middle = mesh.vertices.len() as u32;
    mesh.vertices.push(tip);
    mesh.triangles.extend((0..around).map(|n| [middle, ring + n, ring + (n + 1) % around]));
}

/// `side` by `side` round pins of 10 mm, each of a diameter of half of `pitch`, on a plate.
pub fn pins(side: u32, pitch: f32) -> Mesh {
    let mut mesh = prism(&rectangle([-pitch / 2.0; 2], [(side as f32 - 0.5) * pitch; 2]), 0.0, 1.0);
    for n in 0..side * side {
        let middle = [(n % side) as f32 * pitch, (n / side) as f32 * pitch];
        let ring: Vec<[f32; 2]> = (0..48)
            .map(|k| TAU * k as f32 / 48.0)
            .map(|at| [middle[0] + pitch / 4.0 * at.cos(), middle[1] + pitch / 4.0 * at.sin()])
            .collect();
        add(&mut mesh, prism(&ring, 0.5, 10.0));
    }
    mesh
}

/// A square frame of four bars that overlap at its corners.
pub fn frame(side: f32, bar: f32, height: f32) -> Mesh {
    let mut mesh = Mesh::default();
    for at in [0.0, side - bar] {
        add(&mut mesh, prism(&rectangle([at, 0.0], [at + bar, side]), 0.0, height));
        add(&mut mesh, prism(&rectangle([0.0, at], [side, at + bar]), 0.0, height));
    }
    mesh
}

fn rectangle(low: [f32; 2], high: [f32; 2]) -> [[f32; 2]; 4] {
    [low, [high[0], low[1]], high, [low[0], high[1]]]
}

/// A convex outline, counter-clockwise, drawn out from one height to another.
fn prism(outline: &[[f32; 2]], foot: f32, top: f32) -> Mesh {
    let mut mesh = Mesh::default();
    let count = outline.len() as u32;
    for z in [foot, top] {
        mesh.vertices.extend(outline.iter().map(|[x, y]| [*x, *y, z]));
    }
    band(&mut mesh, 0, count, count);
    mesh.triangles.extend((2..count).map(|n| [0, n, n - 1]));
    mesh.triangles.extend((2..count).map(|n| [count, count + n - 1, count + n]));
    mesh
}

fn add(mesh: &mut Mesh, other: Mesh) {
    let first = mesh.vertices.len() as u32;
    mesh.vertices.extend(other.vertices);
    mesh.triangles.extend(other.triangles.iter().map(|triangle| triangle.map(|corner| corner + first)));
}

#[cfg(test)]
mod tests {
    use layerlock_slicer::mesh::analysis::analyse;

    use super::*;

    #[test]
    fn every_mesh_made_here_is_closed_and_faces_outwards() {
        for (mesh, shells) in [(bumpy_ball(3_000), 1), (pins(3, 4.0), 10), (frame(40.0, 4.0, 3.0), 4)] {
            let analysis = analyse(&mesh);
            assert!(analysis.is_watertight(), "{analysis:?}");
            assert_eq!(analysis.shells, shells);
            assert!(analysis.volume_nl > 0, "{analysis:?}");
        }
    }

    #[test]
    fn a_ball_has_about_as_many_triangles_as_asked() {
        for asked in [1_000, 30_000, 300_000] {
            let made = bumpy_ball(asked).triangles.len();
            assert!(made.abs_diff(asked) * 10 < asked, "{made} of {asked}");
        }
    }
}
