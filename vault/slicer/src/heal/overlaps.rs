//! Shells that overlap and surfaces that cross themselves, told by a cut: its contours wind around some place twice,
//! or backwards, so their areas do not add up to the area they cover together.
//!
//! The cut is made anyway when slicing, so this is nearly free there. For an upload's report a few sections are cut.

use crate::geometry::{IntPoint, signed_area};
use crate::mesh::Mesh;
use crate::place::Placed;
use crate::regions::unite;
use crate::sections::sections;

/// Sections cut for a report.
const SECTIONS: i32 = 16;

/// Areas may differ by this, in square micrometres: what dropping specks and fine detail takes away.
const SPECKS: f64 = 0.2e6;

/// And by this share of the area.
const SHARE: f64 = 0.002;

/// Whether contours that cover `covered`, in square micrometres, do so more than once somewhere.
pub(crate) fn overlaps(contours: &[Vec<IntPoint<i32>>], covered: f64) -> bool {
    let wound: f64 = contours.iter().map(|contour| signed_area(contour)).sum();
    wound - covered > SPECKS + SHARE * covered
}

/// In how many of sixteen sections of the mesh, evenly spaced over its height, bodies overlap; none where the mesh is
/// larger than any machine.
pub(super) fn overlapping_sections(mesh: &Mesh) -> u32 {
    let Some(part) = Placed::as_it_is(mesh) else { return 0 };
    let overlap = |contours: &[Vec<IntPoint<i32>>]| {
        u32::from(unite(contours).map_or(true, |united| overlaps(contours, united.area())))
    };
    sections(&part, SECTIONS, overlap).into_iter().sum()
}
