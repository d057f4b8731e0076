//! Level sections of a part, evenly spaced over its height: a look at all of it for the price of a few layers.

use rayon::prelude::*;

use crate::geometry::IntPoint;
use crate::layers::contours;
use crate::place::Placed;

/// What `each` makes of the contours of `count` sections, from the foot up.
pub(crate) fn sections<T: Send>(
    part: &Placed<'_>,
    count: i32,
    each: impl Fn(&[Vec<IntPoint<i32>>]) -> T + Sync,
) -> Vec<T> {
    let height =
        |section: i32| (i64::from(part.height) * i64::from(2 * section + 1) / i64::from(2 * count)) as i32;
    (0..count).into_par_iter().map(|section| each(&section_at(part, height(section)))).collect()
}

/// The contours at a height, in micrometres.
pub(crate) fn section_at(part: &Placed<'_>, height: i32) -> Vec<Vec<IntPoint<i32>>> {
    // Half a micrometre up, where no corner is.
    contours(part, (2 * i64::from(height)) | 1, 0..part.triangles.len() as u32)
}
