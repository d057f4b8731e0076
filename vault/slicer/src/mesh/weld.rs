//! Welding: corners with the same coordinates become one vertex.
//!
//! STL repeats every corner; slicing and analysis need to know which triangles share an edge. Corners are the same
//! when their bits are, with -0 taken for 0: no tolerance, so nothing that is apart is ever joined.
//!
//! The table is a chained one of four bytes a slot, which finds vertices in the mesh itself: the standard map would
//! hold every corner a second time. Its hash is vector multiply-shift with factors drawn at random (Thorup, "High
//! Speed Hashing for Integers and Strings", arXiv 1504.06804, 3.5): any two corners chosen without knowing the
//! factors collide with a probability of one in the number of slots, so an upload can't choose colliding ones and
//! chains stay short whatever it holds. Because vertices are numbered by first appearance, the factors never show in
//! the result.

use std::hash::{BuildHasher, RandomState};

use super::{Limits, Mesh, MeshError};

/// Builds a mesh corner by corner.
pub(super) struct Welder {
    seen: Table,
    mesh: Mesh,
    limits: Limits,
}

impl Welder {
    /// A welder with room for about `triangles`, which the caller has checked against the file's size.
    pub(super) fn new(triangles: usize, limits: &Limits) -> Self {
        let vertices = triangles / 2 + 8;
        let mesh = Mesh { vertices: Vec::with_capacity(vertices), triangles: Vec::with_capacity(triangles) };
        Self { seen: Table::new(vertices), mesh, limits: *limits }
    }

    /// Adds one triangle of finite corners.
    #[inline]
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

    #[inline]
    fn vertex(&mut self, corner: [f32; 3]) -> Result<u32, MeshError> {
        // Adding zero turns -0 into 0 and leaves every other value as it is.
        let corner = corner.map(|c| c + 0.0);
        let next = self.mesh.vertices.len() as u32;
        let index = self.seen.find_or_add(corner, &self.mesh.vertices);
        if index == next {
            if next >= self.limits.vertices {
                return Err(MeshError::TooManyVertices { limit: u64::from(self.limits.vertices) });
            }
            self.mesh.vertices.push(corner);
        }
        Ok(index)
    }
}

/// Ends a chain.
const NOBODY: u32 = u32::MAX;

/// Finds a vertex by its coordinates.
struct Table {
    factors: [u64; 3],
    /// The newest vertex of each chain; a power of two of them.
    heads: Vec<u32>,
    /// For each vertex the next older one of its chain.
    older: Vec<u32>,
}

impl Table {
    fn new(vertices: usize) -> Self {
        let random = RandomState::new();
        let factors = [0_u8, 1, 2].map(|axis| random.hash_one(axis));
        let slots = vertices.next_power_of_two();
        Self { factors, heads: vec![NOBODY; slots], older: Vec::with_capacity(vertices) }
    }

    /// The number of the vertex at `corner`; one past the last of `vertices` if it is new, and then it is theirs.
    #[inline]
    fn find_or_add(&mut self, corner: [f32; 3], vertices: &[[f32; 3]]) -> u32 {
        let slot = self.slot(corner);
        let mut at = self.heads[slot];
        while at != NOBODY {
            // Bits and values agree here: there is neither NaN nor -0.
            if vertices[at as usize] == corner {
                return at;
            }
            at = self.older[at as usize];
        }
        self.add(slot, corner, vertices)
    }

    fn add(&mut self, mut slot: usize, corner: [f32; 3], vertices: &[[f32; 3]]) -> u32 {
        if vertices.len() >= self.heads.len() {
            self.grow(vertices);
            slot = self.slot(corner);
        }
        let number = vertices.len() as u32;
        self.older.push(self.heads[slot]);
        self.heads[slot] = number;
        number
    }

    /// Twice as many chains, made anew.
    fn grow(&mut self, vertices: &[[f32; 3]]) {
        let slots = self.heads.len() * 2;
        self.heads.clear();
        self.heads.resize(slots, NOBODY);
        for (number, &corner) in vertices.iter().enumerate() {
            let slot = self.slot(corner);
            self.older[number] = self.heads[slot];
            self.heads[slot] = number as u32;
        }
    }

    #[inline]
    fn slot(&self, corner: [f32; 3]) -> usize {
        let products =
            [0, 1, 2].map(|axis| self.factors[axis].wrapping_mul(u64::from(corner[axis].to_bits())));
        let sum = products[0].wrapping_add(products[1]).wrapping_add(products[2]);
        // Bits below the 32nd are not as good: nothing carries into them from above.
        (sum >> 32) as usize & (self.heads.len() - 1)
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
