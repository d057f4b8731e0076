//! Corners of open edges that are one point but for rounding become one corner.
//!
//! Welding joined what is equal to the bit; a program that computed both sides of a seam by different ways leaves
//! them a rounding apart. Only corners at faulty edges are joined, so bodies that merely touch stay two.

use crate::mesh::Mesh;

/// Corners in one cell of this many to the millimetre are one point: a micrometre, which is all that slicing resolves.
const CELLS_PER_MM: f64 = 1_000.0;

/// Joins; gives how many corners went.
pub(super) fn join(mesh: &mut Mesh, faulty: &[bool]) -> u32 {
    let cell = |at: [f32; 3]| at.map(|mm| (f64::from(mm) * CELLS_PER_MM).round() as i64);
    let at_fault = faulty.iter().enumerate().filter(|(_, is_faulty)| **is_faulty);
    let mut corners: Vec<([i64; 3], u32)> =
        at_fault.map(|(corner, _)| (cell(mesh.vertices[corner]), corner as u32)).collect();
    corners.sort_unstable();
    let mut joined = 0;
    let mut renamed: Vec<u32> = (0..mesh.vertices.len() as u32).collect();
    for same in corners.chunk_by(|a, b| a.0 == b.0) {
        for (_, corner) in &same[1..] {
            renamed[*corner as usize] = same[0].1;
            joined += 1;
        }
    }
    if joined > 0 {
        mesh.triangles.iter_mut().flatten().for_each(|corner| *corner = renamed[*corner as usize]);
        mesh.triangles.retain(|&[a, b, c]| a != b && b != c && c != a);
    }
    joined
}
