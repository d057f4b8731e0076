//! Flat geometry in whole micrometres: regions, their set operations and offsets, and points.
//!
//! Set operations and offsets are decided in whole numbers by `arrangement`, which is exact and the same on every
//! machine; `engine` is i_overlay, which takes over where coordinates are too large for that and against which the
//! tests compare. A region is clean: outer contours counter-clockwise, holes clockwise, nothing crossing by more
//! than rounding. Coordinates stay within a metre or so of the bed, far inside the exact range.

mod arrangement;
mod bands;
mod distance;
mod engine;
mod narrow;
mod offset;
mod region;
mod simplify;
#[cfg(test)]
mod wild;

pub(crate) use bands::Rows;
pub(crate) use distance::{distance, length_along, midpoint, towards, turn};
pub(crate) use i_overlay::i_float::int::point::IntPoint;
pub(crate) use narrow::narrow;
pub(crate) use region::{Bounds, Region, encloses, inside, signed_area};
pub(crate) use simplify::{simplify_closed, simplify_open};

/// A point on the bed, in micrometres.
pub(crate) fn point(x: i32, y: i32) -> IntPoint<i32> {
    IntPoint::new(x, y)
}
