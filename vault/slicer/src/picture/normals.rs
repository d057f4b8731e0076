//! Which way the surface faces at each corner: averaged over neighbours, but not across a sharp edge.

use super::vector::{Vec3, ZERO};
use crate::mesh::Mesh;

/// Cosine of the angle between faces from which on an edge stays sharp (about 35°).
const SHARP: f32 = 0.82;

/// The normal of every triangle; its length is twice the triangle's area, so sums weigh large faces more.
pub(super) fn of_faces(mesh: &Mesh) -> Vec<Vec3> {
    let normal = |&triangle: &[u32; 3]| {
        let [a, b, c] = mesh.corners(triangle).map(Vec3::from);
        (b - a).cross(c - a)
    };
    mesh.triangles.iter().map(normal).collect()
}

/// The unit normal of every corner of every triangle.
pub(super) fn of_corners(mesh: &Mesh, faces: &[Vec3]) -> Vec<[Vec3; 3]> {
    let around = Around::new(mesh);
    let units: Vec<Vec3> = faces.iter().map(|face| face.unit()).collect();
    let corner = |face: usize, vertex: u32| {
        let smooth =
            around.faces(vertex).iter().filter(|&&other| units[other as usize].dot(units[face]) > SHARP);
        smooth.fold(ZERO, |sum, &other| sum + faces[other as usize]).unit()
    };
    mesh.triangles.iter().enumerate().map(|(face, triangle)| triangle.map(|v| corner(face, v))).collect()
}

/// Which triangles meet at each vertex, as one list cut into runs.
struct Around {
    starts: Vec<u32>,
    faces: Vec<u32>,
}

impl Around {
    fn new(mesh: &Mesh) -> Self {
        let mut starts = vec![0_u32; mesh.vertices.len() + 1];
        mesh.triangles.iter().flatten().for_each(|&vertex| starts[vertex as usize + 1] += 1);
        for n in 1..starts.len() {
            starts[n] += starts[n - 1];
        }
        let mut next = starts.clone();
        let mut faces = vec![0; mesh.triangles.len() * 3];
        for (face, triangle) in mesh.triangles.iter().enumerate() {
            for &vertex in triangle {
                faces[next[vertex as usize] as usize] = face as u32;
                next[vertex as usize] += 1;
            }
        }
        Self { starts, faces }
    }

    fn faces(&self, vertex: u32) -> &[u32] {
        let run = self.starts[vertex as usize] as usize..self.starts[vertex as usize + 1] as usize;
        &self.faces[run]
    }
}
