//! Welding: corners with the same coordinates become one vertex.
//!
//! STL repeats every corner; slicing and analysis need to know which triangles share an edge. Corners are the same
//! when their bits are, with -0 taken for 0: no tolerance, so nothing that is apart is ever joined.
//! The map is the standard one with its keyed hash on purpose: an upload can't choose coordinates that collide, and
//! because vertices are numbered by first appearance the keys never show in the result.

use std::collections::HashMap;

use super::{Limits, Mesh, MeshError};

/// Builds a mesh corner by corner.
pub(super) struct Welder {
    seen: HashMap<[u32; 3], u32>,
    mesh: Mesh,
    limits: Limits,
}

impl Welder {
    /// A welder with room for about `triangles`, which the caller has checked against the file's size.
    pub(super) fn new(triangles: usize, limits: &Limits) -> Self {
        let vertices = triangles / 2 + 8;
        let mesh = Mesh { vertices: Vec::with_capacity(vertices), triangles: Vec::with_capacity(triangles) };
        Self { seen: HashMap::with_capacity(vertices), mesh, limits: *limits }
    }

    /// Adds one triangle of finite corners.
    pub(super) fn triangle(&mut self, corners: [[f32; 3]; 3]) -> Result<(), MeshError> {
        if self.mesh.triangles.len() >= self.limits.triangles as usize {
            let limit = u64::from(self.limits.triangles);
            return Err(MeshError::TooManyTriangles { found: limit + 1, limit });
        }
        let [a, b, c] = corners;
        let triangle = [self.vertex(a)?, self.vertex(b)?, self.vertex(c)?];
        self.mesh.triangles.push(triangle);
        Ok(())
    }

    /// Triangles added so far.
    pub(super) fn len(&self) -> usize {
        self.mesh.triangles.len()
    }

    /// The welded mesh.
    pub(super) fn finish(self) -> Mesh {
        self.mesh
    }

    fn vertex(&mut self, corner: [f32; 3]) -> Result<u32, MeshError> {
        // Adding zero turns -0 into 0 and leaves every other value as it is.
        let corner = corner.map(|c| c + 0.0);
        let next = self.mesh.vertices.len() as u32;
        let index = *self.seen.entry(corner.map(f32::to_bits)).or_insert(next);
        if index == next {
            if next >= self.limits.vertices {
                return Err(MeshError::TooManyVertices { limit: u64::from(self.limits.vertices) });
            }
            self.mesh.vertices.push(corner);
        }
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_zero_and_zero_are_one_vertex() {
        let mut welder = Welder::new(2, &Limits::default());
        welder.triangle([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).unwrap();
        welder.triangle([[-0.0, 0.0, -0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]).unwrap();
        let mesh = welder.finish();
        assert_eq!(mesh.vertices.len(), 4);
        assert_eq!(mesh.triangles, [[0, 1, 2], [0, 2, 3]]);
    }

    #[test]
    fn corners_a_hair_apart_stay_apart() {
        let mut welder = Welder::new(1, &Limits::default());
        let hair = f32::from_bits(1.0_f32.to_bits() + 1);
        welder.triangle([[1.0, 0.0, 0.0], [hair, 0.0, 0.0], [0.0, 1.0, 0.0]]).unwrap();
        assert_eq!(welder.finish().vertices.len(), 3);
    }

    #[test]
    fn the_limits_hold_while_welding() {
        let corners = |n: f32| [[n, 0.0, 0.0], [n, 1.0, 0.0], [n, 0.0, 1.0]];
        let mut few = Welder::new(1, &Limits { triangles: 1, ..Limits::default() });
        few.triangle(corners(0.0)).unwrap();
        assert_eq!(few.triangle(corners(1.0)), Err(MeshError::TooManyTriangles { found: 2, limit: 1 }));
        let mut bare = Welder::new(1, &Limits { vertices: 3, ..Limits::default() });
        bare.triangle(corners(0.0)).unwrap();
        assert_eq!(bare.triangle(corners(1.0)), Err(MeshError::TooManyVertices { limit: 3 }));
    }
}
