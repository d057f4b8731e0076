//! What is inside: a layer's contours united, whatever way they wind and however bodies overlap; then moved by the
//! profile's compensation.

mod compensate;

use crate::geometry::{IntPoint, Region, simplify_closed};

pub(crate) use compensate::Compensation;

/// Detail finer than this is dropped, in micrometres: well under what a nozzle can show.
const DETAIL: i32 = 12;

/// Islands smaller than this can't hold a line, in square micrometres.
const SPECK: f64 = 0.01e6;

/// Most places where one layer's contours may meet: a design that needs more has surfaces in a tangle, and the work on it
/// grows with the square of the file.
const MOST_MEETINGS: usize = 500_000;

/// A layer's contours meet themselves and each other too often to be united.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tangled;

/// The region all contours wind around together.
///
/// Non-zero winding: bodies that pass through each other unite, a body inside a body stays solid, and a void
/// whose faces look inward stays empty.
pub(crate) fn unite(contours: &[Vec<IntPoint<i32>>]) -> Result<Region, Tangled> {
    let simpler: Vec<_> = contours.iter().map(|contour| simplify_closed(contour, DETAIL)).collect();
    Ok(Region::wound_within(&simpler, MOST_MEETINGS).ok_or(Tangled)?.without_specks(SPECK))
}
