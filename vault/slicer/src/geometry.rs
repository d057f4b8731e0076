//! Flat geometry in whole micrometres: regions, their set operations and offsets, and points.
//!
//! Set operations and offsets are i_overlay's integer engine, which is exact and the same on every machine;
//! this is the only room that names it. A region is clean: outer contours counter-clockwise, holes clockwise,
//! nothing crossing. Coordinates stay within a metre or so of the bed, far inside the engine's range.

mod distance;
mod narrow;
mod region;
mod simplify;

pub(crate) use distance::{distance, length_along, midpoint, towards, turn};
pub(crate) use i_overlay::i_float::int::point::IntPoint;
pub(crate) use narrow::narrow;
pub(crate) use region::{Bounds, Region, encloses, inside};
pub(crate) use simplify::{simplify_closed, simplify_open};

/// A point on the bed, in micrometres.
pub(crate) fn point(x: i32, y: i32) -> IntPoint<i32> {
    IntPoint::new(x, y)
}
