//! STL, the format everybody has: triangles without a unit, taken as millimetres.
//!
//! Two dialects that share only a name: [`binary`](self::binary) and [`ascii`](self::ascii). Stored normals are
//! ignored in both, because the order of the corners says the same and files where the two disagree are common.

mod ascii;
mod binary;

pub(super) use ascii::{begins_with_solid, parse_ascii};
pub use binary::to_binary_stl;
pub(super) use binary::{HEADER, Records, fits_its_count, parse_binary};

use super::{MeshError, Place, REACH_MM};

/// Lets finite corners within reach pass; `triangle` counts from 0.
fn check_corners(corners: &[[f32; 3]; 3], triangle: u64) -> Result<(), MeshError> {
    let at = Place::Triangle(triangle);
    if corners.iter().flatten().any(|c| !c.is_finite()) {
        return Err(MeshError::NotFinite { at });
    }
    if corners.iter().flatten().any(|c| c.abs() > REACH_MM) {
        return Err(MeshError::OutOfRange { at });
    }
    Ok(())
}
