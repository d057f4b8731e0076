//! Which triangle is seen where: a z-buffer that keeps triangle numbers, so colouring happens once per sample.

use super::vector::Vec3;
use crate::mesh::Mesh;

/// No triangle.
pub(super) const NONE: u32 = u32::MAX;

/// The nearest triangle at each sample.
pub(super) struct Raster {
    /// Samples across and down.
    pub(super) size: [usize; 2],
    /// Larger is nearer; negative infinity where nothing is.
    pub(super) nearness: Vec<f32>,
    /// Index of the triangle, or [`NONE`].
    pub(super) triangle: Vec<u32>,
}

impl Raster {
    /// Draws every triangle of `mesh` after `project` has turned its corners into sample x, sample y and nearness.
    /// Triangles are drawn from both sides, because meshes arrive inside out.
    pub(super) fn draw(mesh: &Mesh, size: [usize; 2], project: impl Fn(Vec3) -> Vec3) -> Self {
        let samples = size[0] * size[1];
        let mut raster =
            Self { size, nearness: vec![f32::NEG_INFINITY; samples], triangle: vec![NONE; samples] };
        let projected: Vec<Vec3> = mesh.vertices.iter().map(|&vertex| project(vertex.into())).collect();
        for (n, triangle) in mesh.triangles.iter().enumerate() {
            raster.fill(n as u32, triangle.map(|index| projected[index as usize]));
        }
        raster
    }

    /// Nearness at a sample.
    pub(super) fn nearness_at(&self, x: usize, y: usize) -> f32 {
        self.nearness[y * self.size[0] + x]
    }

    /// Triangle at a sample, or [`NONE`].
    pub(super) fn triangle_at(&self, x: usize, y: usize) -> u32 {
        self.triangle[y * self.size[0] + x]
    }

    /// Fills one triangle by its edge functions, which are also the weights its corners have at a sample.
    fn fill(&mut self, number: u32, [a, b, c]: [Vec3; 3]) {
        let doubled = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        if !doubled.is_normal() {
            return;
        }
        let columns = span([a.x, b.x, c.x], self.size[0]);
        if columns.is_empty() {
            return;
        }
        let shrunk = 1.0 / doubled;
        let (ab, bc) =
            ([(b.x - a.x) * shrunk, (b.y - a.y) * shrunk], [(c.x - b.x) * shrunk, (c.y - b.y) * shrunk]);
        for y in span([a.y, b.y, c.y], self.size[1]) {
            let py = y as f32 + 0.5;
            let (row_c, row_a) = (ab[0] * (py - a.y), bc[0] * (py - b.y));
            let row = y * self.size[0];
            let cells = self.nearness[row..][columns.clone()]
                .iter_mut()
                .zip(&mut self.triangle[row..][columns.clone()]);
            for (x, (nearest, triangle)) in columns.clone().zip(cells) {
                let px = x as f32 + 0.5;
                let for_c = row_c - ab[1] * (px - a.x);
                let for_a = row_a - bc[1] * (px - b.x);
                let for_b = 1.0 - for_a - for_c;
                if for_a < 0.0 || for_b < 0.0 || for_c < 0.0 {
                    continue;
                }
                let nearness = for_a * a.z + for_b * b.z + for_c * c.z;
                if nearness > *nearest {
                    (*nearest, *triangle) = (nearness, number);
                }
            }
        }
    }
}

/// The samples whose middles lie between the lowest and highest of three coordinates: of most triangles of a fine mesh none.
fn span([a, b, c]: [f32; 3], samples: usize) -> std::ops::Range<usize> {
    let (low, high) = (a.min(b).min(c) - 0.5, a.max(b).max(c) - 0.5);
    if high < 0.0 {
        return 0..0;
    }
    // A cast saturates, so a corner far outside gives an empty range instead of a wrong one; it rounds towards zero, which
    // is cheaper than the functions that round.
    let first = low as usize;
    first + usize::from(low > first as f32)..(high as usize).saturating_add(1).min(samples)
}
