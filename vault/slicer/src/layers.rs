//! The mesh cut into layers: at each layer's mid-height, the closed contours where it meets the mesh.
//!
//! Planes lie half a micrometre between whole heights, so no vertex is ever on one, and a cut edge gives the
//! same point from either of its triangles. Contours are chained by the edges they cross, not by nearness;
//! only where the mesh is open does `stitch` close gaps by distance. Triangles are swept upwards in batches:
//! what is held at once is the batch's share, however tall the part is.

mod adaptive;
mod cut;
mod schedule;
mod stitch;

pub(crate) use cut::{Sweep, contours};
pub(crate) use schedule::{Schedule, Slab};
