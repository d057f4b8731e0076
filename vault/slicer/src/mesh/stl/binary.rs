//! Binary STL, parsed and emitted: 80 bytes of anything, a little-endian triangle count, 50 bytes a triangle
//! (normal, three corners as `f32` x y z, two attribute bytes).
//!
//! The count is a claim: it is compared with the file's size before it sizes any allocation (SECURITY-CASES U6).

use std::cmp::Ordering;

use super::check_corners;
use crate::mesh::{Limits, Mesh, MeshError, weld::Welder};

/// Bytes before the first triangle.
pub(in crate::mesh) const HEADER: usize = 84;

/// Bytes a triangle.
const RECORD: usize = 50;

/// Whether a file that begins with `bytes` is exactly as long as its triangle count says.
pub(in crate::mesh) fn fits_its_count(bytes: &[u8], length: u64) -> bool {
    announced(bytes).is_some_and(|count| length == HEADER as u64 + count * RECORD as u64)
}

/// Parses a binary STL.
pub(in crate::mesh) fn parse_binary(bytes: &[u8], limits: &Limits) -> Result<Mesh, MeshError> {
    let room = bytes.len().saturating_sub(HEADER) / RECORD;
    check_count(announced(bytes), room as u64, limits)?;
    let mut records = Records::new(bytes, limits)?;
    // A tail shorter than one record is let through: some programs pad, and there is nothing in it to misread.
    records.take(&bytes[HEADER..HEADER + room * RECORD])?;
    records.finish()
}

/// Lets a triangle count pass that size and limit agree with.
fn check_count(announced: Option<u64>, room: u64, limits: &Limits) -> Result<(), MeshError> {
    let announced = announced.ok_or(MeshError::Truncated { announced: 0, found: 0 })?;
    match (announced.cmp(&room), announced > u64::from(limits.triangles)) {
        (Ordering::Greater, true) => Err(MeshError::AbsurdCount { announced, room }),
        (Ordering::Greater, false) => Err(MeshError::Truncated { announced, found: room }),
        (Ordering::Less, _) => Err(MeshError::Surplus { announced, room }),
        (Ordering::Equal, _) => Ok(()),
    }
}

/// The triangles behind a header, welded as they come in.
pub(in crate::mesh) struct Records {
    announced: u64,
    /// The beginning of a record whose rest is still to come.
    begun: Vec<u8>,
    welder: Welder,
}

impl Records {
    /// For as many triangles as the file's beginning says, which the caller has compared with the file's size.
    pub(in crate::mesh) fn new(beginning: &[u8], limits: &Limits) -> Result<Self, MeshError> {
        let announced = announced(beginning).ok_or(MeshError::Truncated { announced: 0, found: 0 })?;
        let limit = u64::from(limits.triangles);
        if announced > limit {
            return Err(MeshError::TooManyTriangles { found: announced, limit });
        }
        Ok(Self { announced, begun: Vec::new(), welder: Welder::new(announced as usize, limits) })
    }

    pub(in crate::mesh) fn take(&mut self, bytes: &[u8]) -> Result<(), MeshError> {
        let lacking = (RECORD - self.begun.len()) % RECORD;
        let (rest_of_begun, bytes) = bytes.split_at(lacking.min(bytes.len()));
        self.begun.extend_from_slice(rest_of_begun);
        if self.begun.len() == RECORD {
            let record = std::mem::take(&mut self.begun);
            self.triangle(&record)?;
        }
        let records = bytes.chunks_exact(RECORD);
        self.begun.extend_from_slice(records.remainder());
        records.into_iter().try_for_each(|record| self.triangle(record))
    }

    fn triangle(&mut self, record: &[u8]) -> Result<(), MeshError> {
        let number = self.welder.len() as u64;
        if number == self.announced {
            return Err(MeshError::Surplus { announced: number, room: number + 1 });
        }
        let corners = [corner(record, 12), corner(record, 24), corner(record, 36)];
        check_corners(&corners, number)?;
        self.welder.triangle(corners)
    }

    pub(in crate::mesh) fn finish(self) -> Result<Mesh, MeshError> {
        let (announced, found) = (self.announced, self.welder.len() as u64);
        if found < announced {
            return Err(MeshError::Truncated { announced, found });
        }
        Ok(self.welder.finish())
    }
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
