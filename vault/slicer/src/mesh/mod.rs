//! Meshes: what a seller uploads, recognised from its bytes and made safe to slice.
//!
//! Serves hop 1 (upload) and SECURITY-CASES U1–U6. [`parse`] takes the whole file as bytes, [`read`] piece by
//! piece, and neither believes anything in it: every count is checked against the file's size and the [`Limits`] before
//! anything is allocated, names never become paths, and of a 3MF only geometry is read; settings, scripts, thumbnails and
//! attachments are counted and dropped, so they can't be handed on. Deliberately absent: file access, file names (a name
//! says nothing about content), healing (`heal`), and colours.

pub mod analysis;
mod error;
mod indexed;
mod intake;
mod number;
mod obj;
pub(crate) mod polygon;
mod sniff;
mod stl;
mod threemf;
mod weld;

pub use error::{Lookalike, MeshError, PartName, Place};
pub(crate) use indexed::compact;
pub use intake::{Intake, read};
pub use sniff::is_zip;
pub use stl::to_binary_stl;
pub use threemf::Attachments;

use std::borrow::Cow;

use layerlock_terms::units::Micrometres;
use sniff::Kind;

/// Furthest a coordinate may lie from the origin, in millimetres (10 m).
pub const REACH_MM: f32 = 10_000.0;

/// A mesh smaller than this in every direction was drawn in another unit, in millimetres.
pub const SMALLEST_MM: f32 = 1.0;

/// Triangles in millimetres, counter-clockwise seen from outside, indexing into shared vertices.
///
/// From [`parse`]: coordinates are finite and within [`REACH_MM`], indices are in range, every vertex is used.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mesh {
    /// Corners, x y z.
    pub vertices: Vec<[f32; 3]>,
    /// Three indices into `vertices` each.
    pub triangles: Vec<[u32; 3]>,
}

impl<'a> From<&'a Mesh> for Cow<'a, Mesh> {
    fn from(mesh: &'a Mesh) -> Self {
        Self::Borrowed(mesh)
    }
}

impl From<Mesh> for Cow<'_, Mesh> {
    fn from(mesh: Mesh) -> Self {
        Self::Owned(mesh)
    }
}

impl Mesh {
    /// The corners of one triangle, in order.
    pub fn corners(&self, triangle: [u32; 3]) -> [[f32; 3]; 3] {
        triangle.map(|index| self.vertices[index as usize])
    }
}

/// A mesh and what it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The geometry.
    pub mesh: Mesh,
    /// The format it was recognised as.
    pub format: Format,
    /// What the file held besides.
    pub left_out: LeftOut,
}

/// A format we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// STL, 50 bytes a triangle.
    BinaryStl,
    /// STL as text.
    AsciiStl,
    /// Wavefront OBJ, its polygons.
    Obj,
    /// 3D Manufacturing Format (core specification 1.3, production extension 1.1).
    ThreeMf,
}

/// What was in the file and is deliberately not in the mesh; for the intake report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Parts of a 3MF that are not geometry: settings, scripts, pictures, attachments.
    pub parts: u32,
    /// Build items marked not printable, and objects that are not solid (support, surface, other).
    pub objects: u32,
}

/// Bounds on what one upload may make this process do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most triangles, after all components are placed.
    pub triangles: u32,
    /// Most vertices, likewise.
    pub vertices: u32,
    /// Most bytes of a file that has to be held until it is complete, which is any but a binary STL.
    pub held_bytes: u64,
    /// Most bytes all parts of a 3MF may expand to together.
    pub expanded_bytes: u64,
    /// Most times a part may expand, once past 1 MiB.
    pub ratio: u32,
    /// Most entries in a 3MF archive.
    pub parts: u32,
    /// Most placements of objects, counting nested ones.
    pub instances: u32,
    /// Deepest nesting of components.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            triangles: 10_000_000,
            vertices: 10_000_000,
            held_bytes: 2 << 30,
            expanded_bytes: 1 << 30,
            ratio: 200,
            parts: 2_048,
            instances: 10_000,
            depth: 16,
        }
    }
}

/// Reads a mesh of any known format, recognised from `bytes` alone.
///
/// # Errors
/// One [`MeshError`] for the first fault met; never panics, whatever the bytes.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, MeshError> {
    checked(match sniff::recognise(bytes)? {
        Kind::BinaryStl => plain(stl::parse_binary(bytes, limits)?, Format::BinaryStl),
        Kind::AsciiStl => plain(stl::parse_ascii(bytes, limits)?, Format::AsciiStl),
        Kind::Obj => plain(obj::parse(bytes, limits)?, Format::Obj),
        Kind::Zip => threemf::parse(bytes, limits)?,
    })
}

fn checked(parsed: Parsed) -> Result<Parsed, MeshError> {
    refuse_nothing_to_print(&parsed.mesh)?;
    Ok(parsed)
}

fn plain(mesh: Mesh, format: Format) -> Parsed {
    Parsed { mesh, format, left_out: LeftOut::default() }
}

/// Refuses meshes no slicer can make a part of: none, flat, or tiny beyond doubt.
fn refuse_nothing_to_print(mesh: &Mesh) -> Result<(), MeshError> {
    if mesh.triangles.is_empty() {
        return Err(MeshError::NoTriangles);
    }
    let extent = analysis::Extent::of(mesh);
    let largest = extent.size_mm().into_iter().fold(0.0, f64::max);
    if largest < f64::from(SMALLEST_MM) {
        return Err(MeshError::TooSmall { largest: Micrometres::from_mm(largest) });
    }
    match analysis::bulk(mesh) {
        analysis::Bulk::NoArea => Err(MeshError::AllDegenerate { triangles: mesh.triangles.len() as u64 }),
        analysis::Bulk::NoVolume => Err(MeshError::Flat),
        analysis::Bulk::Solid => Ok(()),
    }
}
