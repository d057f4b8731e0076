//! The plane in bands along x, so that a search looks among things of about the same height only.

use super::Bounds;

/// Things for which a band more is worth its while.
const PER_BAND: usize = 64;

/// Most bands.
const MOST: usize = 128;

/// How many times as high as its things a band is at least, so that few lie in more than two.
const RISES: i64 = 2;

/// Bands of one height, from the lowest thing up.
pub(super) struct Bands {
    lowest: i32,
    height: i32,
    pub(super) count: usize,
}

impl Bands {
    /// Bands a few times as high as the things in these boxes are on average.
    pub(super) fn over(things: impl ExactSizeIterator<Item = Bounds>) -> Self {
        let count = things.len();
        let (mut lowest, mut highest, mut rises) = (i32::MAX, i32::MIN, 0);
        for bounds in things {
            (lowest, highest) = (lowest.min(bounds.min.y), highest.max(bounds.max.y));
            rises += i64::from(bounds.max.y) - i64::from(bounds.min.y);
        }
        let whole = (i64::from(highest) - i64::from(lowest)).max(0);
        let most = (count / PER_BAND).clamp(1, MOST) as i64;
        let height = (rises / count.max(1) as i64 * RISES).max(whole / most + 1);
        Self { lowest, height: height as i32, count: (whole / height) as usize + 1 }
    }

    /// The band of a height between the lowest thing's and the highest's.
    pub(super) fn at(&self, y: i32) -> usize {
        ((y - self.lowest) / self.height) as usize
    }

    /// The bands a box reaches into.
    pub(super) fn of(&self, bounds: &Bounds) -> std::ops::RangeInclusive<usize> {
        self.at(bounds.min.y)..=self.at(bounds.max.y)
    }
}

/// Boxes by the bands they reach into, each by its number.
pub(crate) struct Rows {
    bands: Bands,
    rows: Vec<Vec<u32>>,
}

impl Rows {
    pub(crate) fn over(boxes: impl ExactSizeIterator<Item = Bounds> + Clone) -> Self {
        let bands = Bands::over(boxes.clone());
        let mut rows = vec![Vec::new(); bands.count];
        for (number, bounds) in boxes.enumerate() {
            rows[bands.of(&bounds)].iter_mut().for_each(|row| row.push(number as u32));
        }
        Self { bands, rows }
    }

    /// The boxes that may reach this height, in order.
    pub(crate) fn at(&self, y: i32) -> &[u32] {
        let inside = y >= self.bands.lowest;
        let row = if inside { self.rows.get(self.bands.at(y)) } else { None };
        row.map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Region, point};

    fn boxed(x: i32, y: i32, wide: i32, high: i32) -> Bounds {
        Bounds { min: point(x, y), max: point(x + wide, y + high) }
    }

    #[test]
    fn every_box_that_reaches_a_height_is_found_there_in_order_and_none_is_kept_often() {
        let small = (0..2_000).map(|at| boxed(at, (at * 7_919) % 90_000, 10, 40));
        let boxes: Vec<Bounds> = small.chain([boxed(0, 0, 10, 90_000), boxed(0, 300, 5, 20_000)]).collect();
        let rows = Rows::over(boxes.iter().copied());
        for y in (0..=90_000).step_by(111) {
            let reaches = |at: &u32| (boxes[*at as usize].min.y..=boxes[*at as usize].max.y).contains(&y);
            let all: Vec<u32> = (0..boxes.len() as u32).filter(reaches).collect();
            let found: Vec<u32> = rows.at(y).iter().copied().filter(reaches).collect();
            assert_eq!(found, all, "at {y}");
        }
        assert!(rows.at(-1).is_empty() && rows.at(200_000).is_empty());
        assert!(rows.rows.iter().map(Vec::len).sum::<usize>() < 4 * boxes.len());
        assert!(rows.rows.iter().map(Vec::len).max() < Some(boxes.len() / 20));
    }

    #[test]
    fn holes_and_islands_find_their_places_among_hundreds() {
        let square = |x: i32, y: i32, side: i32| {
            [(x, y), (x + side, y), (x + side, y + side), (x, y + side)].map(|(x, y)| point(x, y)).to_vec()
        };
        let hole = |x: i32, y: i32, side: i32| square(x, y, side).into_iter().rev().collect::<Vec<_>>();
        let mut contours = vec![square(-5_000, -5_000, 90_000), hole(-4_000, -4_000, 88_000)];
        for at in 0..400 {
            let (x, y) = (at % 20 * 4_000, at / 20 * 4_000);
            contours.extend([
                square(x, y, 3_000),
                hole(x + 500, y + 500, 2_000),
                square(x + 1_000, y + 1_000, 700),
            ]);
        }
        let region = Region::wound(&contours);
        assert_eq!(region.shapes().len(), 801);
        assert_eq!(region.shapes().iter().filter(|shape| shape.len() == 2).count(), 401);
        assert_eq!(region.area(), 90e3 * 90e3 - 88e3 * 88e3 + 400.0 * (9e6 - 4e6 + 0.49e6));
    }
}
