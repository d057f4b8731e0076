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
