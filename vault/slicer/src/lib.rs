//! Slicing: a mesh and a profile in, a toolpath out, layer by layer.
//!
//! Hop 6 of the road. The stages, one module each, in the order they run: `mesh`, turned as the profile has it → `heal` →
//! `place` and `plate` → `layers` (cut) → `regions` (what is inside) → `modifiers` → `perimeters` → `surfaces` (top, bottom,
//! bridge, sparse) → `filling` by `infill` → `supports` → `raft` → `order` → `moves` → `estimate`; `press` runs them. For another engine `press` places the part, and `tally` sums what comes back. Pure: no
//! files, no clock, no randomness; the same mesh and profile give the same bytes on any number of threads. Floats stay inside
//! this crate; micrometres leave it.

pub mod descriptor;
pub mod heal;
pub mod mesh;
pub mod modifiers;
pub mod picture;
pub mod printability;
pub mod sample;
pub mod tally;

mod error;
mod estimate;
mod filling;
mod flow;
mod geometry;
mod infill;
mod layers;
mod moves;
mod order;
mod perimeters;
mod place;
mod plate;
mod press;
mod raft;
mod regions;
mod sections;
mod skirt;
mod supports;
mod surfaces;
mod trace;
mod vase;

pub use error::{SinkClosed, SliceError};
pub use press::{Summary, place_part, slice, slice_modified};
