//! Which triangle is seen where: a z-buffer that keeps triangle numbers, so colouring happens once per sample.

use std::ops::Range;

use super::vector::Vec3;
use crate::mesh::Mesh;

/// No triangle.
pub(super) const NONE: u32 = u32::MAX;

/// Columns from which on it pays to find those of them that a row of a triangle covers.
const WIDE: usize = 8;

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
            let columns = if columns.len() < WIDE {
                columns.clone()
            } else {
                let edges = [(row_c + ab[1] * a.x, -ab[1]), (row_a + bc[1] * b.x, -bc[1])];
                let [(c, c_step), (a, a_step)] = edges;
                within(columns.clone(), [edges[0], edges[1], (1.0 - a - c, -a_step - c_step)])
            };
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

/// The columns among these in which none of three edge functions, each a value at nought and a step, is below nought; at most
/// one more on either side.
fn within(columns: Range<usize>, edges: [(f32, f32); 3]) -> Range<usize> {
    let (mut first, mut end) = (columns.start, columns.end);
    for (value, step) in edges {
        // Where the function is nought, in columns; a cast saturates.
        let nought = -value / step - 0.5;
        if step > 0.0 {
            first = first.max(nought as usize);
        } else if step < 0.0 {
            end = end.min((nought as usize).saturating_add(2));
        }
    }
    first.min(end)..end
}

/// The samples whose middles lie between the lowest and highest of three coordinates: of most triangles of a fine mesh none.
fn span([a, b, c]: [f32; 3], samples: usize) -> Range<usize> {
    let (low, high) = (a.min(b).min(c) - 0.5, a.max(b).max(c) - 0.5);
    if high < 0.0 {
        return 0..0;
    }
    // A cast saturates, so a corner far outside gives an empty range instead of a wrong one; it rounds towards zero, which
    // is cheaper than the functions that round.
    let first = low as usize;
    first + usize::from(low > first as f32)..(high as usize).saturating_add(1).min(samples)
}

#[cfg(test)]
mod tests {
    use super::super::vector::vec3;
    use super::*;

    #[test]
    fn a_row_of_a_wide_triangle_is_cut_short_and_loses_no_sample() {
        let size = [96, 64];
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut draw = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 40) as f32 / (1 << 24) as f32 * 160.0 - 32.0
        };
        let mut seen = 0;
        for _ in 0..500 {
            let [a, b, c] = std::array::from_fn(|_| vec3(draw(), draw(), 1.0));
            let corners = vec![[a.x, a.y, 1.0], [b.x, b.y, 1.0], [c.x, c.y, 1.0]];
            let mesh = Mesh { vertices: corners, triangles: vec![[0, 1, 2]] };
            let raster = Raster::draw(&mesh, size, |point| point);
            let side = |p: Vec3, q: Vec3, x: f32, y: f32| (q.x - p.x) * (y - p.y) - (q.y - p.y) * (x - p.x);
            for (y, x) in (0..size[1]).flat_map(|y| (0..size[0]).map(move |x| (y, x))) {
                let sides = [(a, b), (b, c), (c, a)].map(|(p, q)| side(p, q, x as f32 + 0.5, y as f32 + 0.5));
                let inside = sides.iter().all(|side| *side > 0.5) || sides.iter().all(|side| *side < -0.5);
                let outside = sides.iter().any(|side| *side > 0.5) && sides.iter().any(|side| *side < -0.5);
                let drawn = raster.triangle_at(x, y) == 0;
                assert!(!(inside && !drawn || outside && drawn), "{sides:?} at {x} {y}");
                seen += u32::from(drawn);
            }
        }
        assert!(seen > 100_000, "{seen}");
    }
}
