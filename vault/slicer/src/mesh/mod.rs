//! Mesh: a design's geometry, in memory only.

/// Indexed triangles.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mesh {
    /// Corners in millimetres.
    pub vertices: Vec<[f32; 3]>,
    /// Three vertex indices each, counter-clockwise seen from outside.
    pub triangles: Vec<[u32; 3]>,
}
