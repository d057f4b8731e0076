//! Binary STL, parsed and emitted: 80 bytes of anything, a little-endian triangle count, 50 bytes a triangle
//! (normal, three corners as `f32` x y z, two attribute bytes).
//!
//! The count is a claim: it is compared with the file's size before it sizes any allocation (SECURITY-CASES U6).

use super::check_corners;
use crate::mesh::{Limits, Mesh, MeshError, weld::Welder};

/// Bytes before the first triangle.
pub(in crate::mesh) const HEADER: usize = 84;

/// Bytes a triangle.
const RECORD: usize = 50;

/// Whether the file is exactly as long as its triangle count says.
pub(in crate::mesh) fn fits_its_count(bytes: &[u8]) -> bool {
    announced(bytes).is_some_and(|count| bytes.len() as u64 == HEADER as u64 + count * RECORD as u64)
}

/// Parses a binary STL.
pub(in crate::mesh) fn parse_binary(bytes: &[u8], limits: &Limits) -> Result<Mesh, MeshError> {
    let count = check_count(bytes, limits)?;
    let mut welder = Welder::new(count, limits);
    for (n, record) in bytes[HEADER..].chunks_exact(RECORD).take(count).enumerate() {
        let corners = [corner(record, 12), corner(record, 24), corner(record, 36)];
        check_corners(&corners, n as u64)?;
        welder.triangle(corners)?;
    }
    Ok(welder.finish())
}

/// The triangle count, once size and limit agree with it. A tail shorter than one record is let through:
/// some programs pad, and there is nothing in it to misread.
fn check_count(bytes: &[u8], limits: &Limits) -> Result<usize, MeshError> {
    let announced = announced(bytes).ok_or(MeshError::Truncated { announced: 0, found: 0 })?;
    let room = ((bytes.len() - HEADER) / RECORD) as u64;
    let limit = u64::from(limits.triangles);
    if announced > room {
        return Err(if announced > limit {
            MeshError::AbsurdCount { announced, room }
        } else {
            MeshError::Truncated { announced, found: room }
        });
    }
    if announced < room {
        return Err(MeshError::Surplus { announced, room });
    }
    if announced > limit {
        return Err(MeshError::TooManyTriangles { found: announced, limit });
    }
    Ok(announced as usize)
}

fn announced(bytes: &[u8]) -> Option<u64> {
    let count = bytes.get(80..HEADER)?;
    Some(u64::from(u32::from_le_bytes(count.try_into().expect("the range is four bytes long"))))
}

fn corner(record: &[u8], at: usize) -> [f32; 3] {
    [at, at + 4, at + 8]
        .map(|i| f32::from_le_bytes(record[i..i + 4].try_into().expect("the range is four bytes long")))
}

/// Emits a binary STL: an empty header, normals computed from the corners, attributes zero.
///
/// This is also what foreign engines are handed (SECURITY-CASES U5): geometry and nothing else.
pub fn to_binary_stl(mesh: &Mesh) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + mesh.triangles.len() * RECORD);
    out.extend_from_slice(&[0; 80]);
    out.extend_from_slice(&(mesh.triangles.len() as u32).to_le_bytes());
    for &triangle in &mesh.triangles {
        let corners = mesh.corners(triangle);
        let facet = [normal(&corners), corners[0], corners[1], corners[2]];
        out.extend(facet.iter().flatten().flat_map(|c| c.to_le_bytes()));
        out.extend_from_slice(&[0, 0]);
    }
    out
}

/// Unit normal by the right-hand rule; zero for a degenerate facet, as the format has it.
fn normal(&[a, b, c]: &[[f32; 3]; 3]) -> [f32; 3] {
    let along = |to: [f32; 3]| [0, 1, 2].map(|i| f64::from(to[i]) - f64::from(a[i]));
    let (u, v) = (along(b), along(c));
    let cross = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    let length = cross.iter().map(|c| c * c).sum::<f64>().sqrt();
    cross.map(|c| if length > 0.0 { (c / length) as f32 } else { 0.0 })
}
