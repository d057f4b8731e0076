//! Rings within rings: the region's edge again and again, a line's distance further in.

use crate::geometry::{IntPoint, Region};

/// Rings that fill `region`, `distance` micrometres apart and the first this far from its edge.
pub(crate) fn rings(region: &Region, distance: f64, first: f64) -> Vec<Vec<IntPoint<i32>>> {
    let mut rings = Vec::new();
    let mut room = region.shrunk(first.round() as i32);
    while !room.is_empty() {
        rings.extend(room.contours().cloned());
        room = room.shrunk(distance.round() as i32);
    }
    rings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Bounds, point};

    #[test]
    fn rings_lie_at_even_distances_and_around_holes_too() {
        let square = |low: i32, high: i32| {
            Region::wound(&[[(low, low), (high, low), (high, high), (low, high)]
                .map(|(x, y)| point(x, y))
                .to_vec()])
        };
        let rings = rings(&square(0, 40_000).minus(&square(18_000, 22_000)), 4_000.0, 2_000.0);
        let mut widths: Vec<i32> = rings
            .iter()
            .map(|ring| Bounds::of(ring).expect("has points"))
            .map(|bounds| bounds.max.x - bounds.min.x)
            .collect();
        widths.sort_unstable();
        assert_eq!(widths, [8_000, 16_000, 28_000, 36_000]);
    }
}
