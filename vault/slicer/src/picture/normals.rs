//! Which way the surface faces at each corner: averaged over neighbours, but not across a sharp edge.

use super::vector::{Vec3, ZERO};
use crate::mesh::Mesh;

/// Cosine of the angle between faces from which on an edge stays sharp (about 35°).
const SHARP: f32 = 0.82;

/// Most triangles at one vertex that are averaged over: the tip of a fan of millions would otherwise cost their square.
const NEIGHBOURS: usize = 64;

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
            around.some_faces(vertex).filter(|&other| units[other as usize].dot(units[face]) > SHARP);
        let sum = smooth.fold(ZERO, |sum, other| sum + faces[other as usize]);
        // Of a crowded vertex, the triangles looked at may all face elsewhere.
        if sum == ZERO { units[face] } else { sum.unit() }
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

    /// The triangles at a vertex; of a crowd, at most [`NEIGHBOURS`], spread evenly.
    fn some_faces(&self, vertex: u32) -> impl Iterator<Item = u32> + '_ {
        let run = self.starts[vertex as usize] as usize..self.starts[vertex as usize + 1] as usize;
        let step = run.len().div_ceil(NEIGHBOURS).max(1);
        self.faces[run].iter().copied().step_by(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowded_vertex_costs_no_more_than_its_bound() {
        let vertices = vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
        for crowd in [1, 64, 65, 10_000] {
            let mesh = Mesh { vertices: vertices.clone(), triangles: vec![[0, 1, 2]; crowd] };
            let looked_at = Around::new(&mesh).some_faces(0).count();
            assert!((1..=NEIGHBOURS).contains(&looked_at), "{looked_at} of {crowd} triangles");
            let corners = of_corners(&mesh, &of_faces(&mesh));
            assert!(corners.iter().flatten().all(|normal| (normal.z - 1.0).abs() < 1e-5));
        }
    }
}
