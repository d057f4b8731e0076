//! What is inside: a layer's contours united, whatever way they wind and however bodies overlap; then moved by the
//! profile's compensation.

mod compensate;

use crate::geometry::{IntPoint, Region, simplify_closed};

pub(crate) use compensate::Compensation;

/// Detail finer than this is dropped, in micrometres: well under what a nozzle can show.
const DETAIL: i32 = 12;

/// Islands smaller than this can't hold a line, in square micrometres.
const SPECK: f64 = 0.01e6;

/// The region all contours wind around together.
///
/// Non-zero winding: bodies that pass through each other unite, a body inside a body stays solid, and a void
/// whose faces look inward stays empty.
pub(crate) fn unite(contours: &[Vec<IntPoint<i32>>]) -> Region {
    let simpler: Vec<_> = contours.iter().map(|contour| simplify_closed(contour, DETAIL)).collect();
    Region::wound(&simpler).without_specks(SPECK)
}
