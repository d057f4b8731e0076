//! The nearest of many things again and again, each taken once: what makes an order of traces.
//!
//! Places lie in a grid of buckets, searched in rings around where the nozzle is; when three quarters are taken
//! the rest gets a new grid, so that no search wades through emptiness. All together near-linear.

use crate::geometry::{Bounds, IntPoint};

/// Places per bucket, about.
const SHARE: usize = 2;

/// A place where a thing can be begun.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: IntPoint<i32>,
    thing: u32,
}

/// Things that are still to be taken, each by any of its places.
#[derive(Debug)]
pub(super) struct Near {
    /// How many places each thing has; none once it is taken.
    counts: Vec<u32>,
    left: usize,
    grid: Grid,
}

impl Near {
    /// Things numbered from 0, each with at least one place.
    pub(super) fn new(places: impl Iterator<Item = (u32, IntPoint<i32>)>) -> Self {
        let places: Vec<Place> = places.map(|(thing, at)| Place { at, thing }).collect();
        let mut counts = Vec::new();
        for place in &places {
            let thing = place.thing as usize;
            counts.resize(counts.len().max(thing + 1), 0);
            counts[thing] += 1;
        }
        Self { counts, left: places.len(), grid: Grid::new(&places) }
    }

    /// The thing with the nearest place; the lower number where two are as near.
    pub(super) fn take(&mut self, at: IntPoint<i32>) -> Option<usize> {
        if self.left * 4 < self.grid.places.len() {
            let counts = &self.counts;
            let rest: Vec<Place> =
                self.grid.places.iter().filter(|place| counts[place.thing as usize] > 0).copied().collect();
            self.grid = Grid::new(&rest);
        }
        let thing = self.grid.nearest(at, &self.counts)? as usize;
        self.left -= std::mem::take(&mut self.counts[thing]) as usize;
        Some(thing)
    }
}

/// Places by bucket.
#[derive(Debug)]
struct Grid {
    min: IntPoint<i32>,
    cell: i64,
    columns: i64,
    rows: i64,
    /// Where each bucket's places begin.
    starts: Vec<u32>,
    places: Vec<Place>,
}

impl Grid {
    fn new(places: &[Place]) -> Self {
        let zero = IntPoint::new(0, 0);
        let bounds = places.iter().map(|p| Bounds { min: p.at, max: p.at }).reduce(Bounds::with);
        let bounds = bounds.unwrap_or(Bounds { min: zero, max: zero });
        let (wide, deep) = (span(bounds.min.x, bounds.max.x), span(bounds.min.y, bounds.max.y));
        let buckets = (places.len() / SHARE).max(1);
        let even = (wide as f64 * deep as f64 / buckets as f64).sqrt() as i64;
        // Places in line would make rows of next to nothing.
        let cell = even.max(wide.max(deep) / buckets.min(1_000) as i64).max(1);
        let (columns, rows) = (wide / cell + 1, deep / cell + 1);
        let mut grid = Self { min: bounds.min, cell, columns, rows, starts: Vec::new(), places: Vec::new() };
        grid.fill(places);
        grid
    }

    /// Sorts by bucket; within a bucket the order stays.
    fn fill(&mut self, places: &[Place]) {
        let mut starts = vec![0; (self.columns * self.rows) as usize + 1];
        let bucket = |place: &Place| {
            let (column, row) = self.home(place.at);
            (row * self.columns + column) as usize
        };
        for place in places {
            starts[bucket(place) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let (mut next, mut sorted) = (starts.clone(), places.to_vec());
        for place in places {
            let slot = &mut next[bucket(place)];
            sorted[*slot as usize] = *place;
            *slot += 1;
        }
        (self.starts, self.places) = (starts, sorted);
    }

    /// The bucket a place lies in, or the nearest.
    fn home(&self, at: IntPoint<i32>) -> (i64, i64) {
        let along = |from: i32, to: i32, most: i64| {
            ((i64::from(to) - i64::from(from)) / self.cell).clamp(0, most - 1)
        };
        (along(self.min.x, at.x, self.columns), along(self.min.y, at.y, self.rows))
    }

    fn nearest(&self, at: IntPoint<i32>, counts: &[u32]) -> Option<u32> {
        let home = self.home(at);
        let mut best: Option<(i64, u32)> = None;
        for ring in 0..self.columns.max(self.rows) {
            // Every bucket of this ring is at least so far away.
            let least = (ring - 1).max(0) * self.cell;
            if best.is_some_and(|(square, _)| square <= least * least) {
                break;
            }
            self.ring(home, ring, |place| {
                if counts[place.thing as usize] > 0 {
                    let found = (square(at, place.at), place.thing);
                    best = Some(best.map_or(found, |best| best.min(found)));
                }
            });
        }
        best.map(|(_, thing)| thing)
    }

    /// Visits the places in the buckets that lie `ring` buckets from `home`.
    fn ring(&self, home: (i64, i64), ring: i64, mut each: impl FnMut(&Place)) {
        let (left, right) = (home.0 - ring, home.0 + ring);
        for row in (home.1 - ring).max(0)..=(home.1 + ring).min(self.rows - 1) {
            if (row - home.1).abs() == ring {
                self.visit(row, left.max(0), right.min(self.columns - 1), &mut each);
                continue;
            }
            for column in [left, right].into_iter().filter(|column| (0..self.columns).contains(column)) {
                self.visit(row, column, column, &mut each);
            }
        }
    }

    /// Visits the places in a row's buckets from one column to another, which lie side by side.
    fn visit(&self, row: i64, from: i64, to: i64, each: &mut impl FnMut(&Place)) {
        let bucket = |column: i64| (row * self.columns + column) as usize;
        let range = self.starts[bucket(from)] as usize..self.starts[bucket(to) + 1] as usize;
        self.places[range].iter().for_each(each);
    }
}

fn span(low: i32, high: i32) -> i64 {
    i64::from(high) - i64::from(low)
}

fn square(a: IntPoint<i32>, b: IntPoint<i32>) -> i64 {
    span(a.x, b.x).pow(2) + span(a.y, b.y).pow(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::point;

    /// Scattered the same way each time.
    fn scattered(count: u32) -> Vec<(u32, IntPoint<i32>)> {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 12) as i32 % 90_000
        };
        (0..count)
            .flat_map(|thing| [(thing, point(next(), next())), (thing, point(next(), next()))])
            .collect()
    }

    #[test]
    fn the_nearest_is_what_looking_at_all_finds() {
        let mut places = scattered(300);
        let mut near = Near::new(places.iter().copied());
        let mut at = point(-400_000, 45_000);
        while let Some(taken) = near.take(at) {
            let found =
                places.iter().min_by_key(|(thing, p)| (square(at, *p), *thing)).expect("some are left");
            assert_eq!(taken, found.0 as usize);
            at = found.1;
            places.retain(|(thing, _)| *thing as usize != taken);
        }
        assert!(places.is_empty());
    }

    #[test]
    fn few_places_have_few_buckets_however_they_lie() {
        let bent = |n: u32| (n, point(i32::from(n == 3), n as i32 * 300));
        for places in [(0..6).map(bent).collect::<Vec<_>>(), scattered(3)] {
            let count = places.len() as i64;
            let grid = Near::new(places.into_iter()).grid;
            assert!(grid.columns * grid.rows <= 2 * count, "{} by {}", grid.columns, grid.rows);
        }
    }

    #[test]
    fn places_in_line_or_in_one_spot_are_all_taken() {
        for places in
            [vec![(0, point(5, 5)), (1, point(5, 5))], (0..50).map(|n| (n, point(0, n as i32))).collect()]
        {
            let things = places.len();
            let mut near = Near::new(places.into_iter());
            let mut taken: Vec<_> = std::iter::from_fn(|| near.take(point(0, 0))).collect();
            taken.sort_unstable();
            assert_eq!(taken, (0..things).collect::<Vec<_>>());
        }
        assert_eq!(Near::new(std::iter::empty()).take(point(0, 0)), None);
    }
}
