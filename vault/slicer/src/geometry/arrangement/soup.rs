//! Contours side by side in one list of points, each with what it adds to the winding numbers.

use super::super::{Bounds, IntPoint};
use super::winding::Winding;

/// Coordinates within this bound keep every cross product within 64 bits.
const FARTHEST: i32 = 1 << 29;

/// Which side of a set operation a contour belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Family {
    Subject,
    Clip,
}

/// Contours without repeated points and without points on a straight way or at the tip of a spike.
#[derive(Debug)]
pub(in super::super) struct Soup {
    points: Vec<IntPoint<i32>>,
    pub(super) rings: Vec<Ring>,
    exact: bool,
}

/// One contour: the points `first..=end`, of which the last repeats the first. Edge `n` leads from point `n` on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ring {
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) weight: Winding,
    pub(super) bounds: Bounds,
}

impl Ring {
    /// The edge after this one.
    pub(super) fn after(&self, edge: u32) -> u32 {
        if edge + 1 == self.end { self.first } else { edge + 1 }
    }

    /// The edge before this one.
    pub(super) fn before(&self, edge: u32) -> u32 {
        if edge == self.first { self.end - 1 } else { edge - 1 }
    }
}

impl Soup {
    pub(in super::super) fn with_room(points: usize) -> Self {
        Self { points: Vec::with_capacity(points), rings: Vec::new(), exact: true }
    }

    /// Adds a contour; one that encloses nothing leaves no trace.
    pub(in super::super) fn add(&mut self, contour: impl Iterator<Item = IntPoint<i32>>, family: Family) {
        let first = self.points.len();
        for p in contour {
            self.push(first, p);
        }
        self.close(first, family);
    }

    /// Makes one contour of those that are the same point by point, and weighs as much as they do together: a body that
    /// is there a thousand times would meet itself a million times.
    pub(in super::super) fn merge_repeated(&mut self) {
        if self.rings.len() < 2 {
            return;
        }
        let points = |ring: &Ring| &self.points[ring.first as usize..ring.end as usize];
        let key =
            |ring: &Ring| (ring.bounds.min.x, ring.bounds.min.y, ring.bounds.max.x, ring.end - ring.first);
        let mut order: Vec<u32> = (0..self.rings.len() as u32).collect();
        order.sort_by_cached_key(|at| (key(&self.rings[*at as usize]), *at));
        let mut weights: Vec<Winding> = self.rings.iter().map(|ring| ring.weight).collect();
        for pair in order.windows(2).map(|pair| [pair[0] as usize, pair[1] as usize]).rev() {
            let [kept, same] = pair.map(|at| &self.rings[at]);
            if key(kept) == key(same) && points(kept) == points(same) {
                // From the last to the first, so that the first of a row has all of it.
                let weight = std::mem::take(&mut weights[pair[1]]);
                weights[pair[0]] = weights[pair[0]].plus(1, weight);
            }
        }
        self.rings.iter_mut().zip(weights).for_each(|(ring, weight)| ring.weight = weight);
        self.rings.retain(|ring| ring.weight != Winding::default());
    }

    /// Whether every coordinate is near enough to nought.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    pub(super) fn point(&self, at: u32) -> IntPoint<i32> {
        self.points[at as usize]
    }

    pub(super) fn points(&self, from: u32, to: u32) -> &[IntPoint<i32>] {
        &self.points[from as usize..to as usize]
    }

    /// Appends a point to the contour begun at `first`, and drops the ones before that shape nothing.
    fn push(&mut self, first: usize, p: IntPoint<i32>) {
        while let [.., before, last] = self.points[first..] {
            if last != p && cross(before, last, p) != 0 {
                break;
            }
            self.points.pop();
        }
        if self.points[first..].last() != Some(&p) {
            self.points.push(p);
        }
    }

    fn close(&mut self, first: usize, family: Family) {
        let mut start = first;
        while let [head, next, .., before, last] = self.points[start..] {
            if last == head || cross(before, last, head) == 0 {
                self.points.pop();
            } else if cross(last, head, next) == 0 {
                start += 1;
            } else {
                break;
            }
        }
        let ring = &self.points[start..];
        let flat = ring.len() < 3 || (ring.len() == 3 && cross(ring[0], ring[1], ring[2]) == 0);
        let Some(bounds) = Bounds::of(ring).filter(|_| !flat) else {
            self.points.truncate(first);
            return;
        };
        let reach = |c: i32| -FARTHEST < c && c < FARTHEST;
        self.exact &= [bounds.min, bounds.max].iter().all(|p| reach(p.x) && reach(p.y));
        let end = self.points.len() as u32;
        self.points.push(self.points[start]);
        self.rings.push(Ring { first: start as u32, end, weight: Winding::once(family), bounds });
    }
}

/// Twice the area of the triangle: positive where the way turns left at `b`.
pub(super) fn cross(a: IntPoint<i32>, b: IntPoint<i32>, c: IntPoint<i32>) -> i64 {
    wedge(way(a, b), way(b, c))
}

/// The way from `a` to `b`.
pub(super) fn way(a: IntPoint<i32>, b: IntPoint<i32>) -> [i64; 2] {
    [i64::from(b.x) - i64::from(a.x), i64::from(b.y) - i64::from(a.y)]
}

/// Positive where `v` turns left of `u`; contours out of bounds are refused before it matters that this wraps.
pub(super) fn wedge(u: [i64; 2], v: [i64; 2]) -> i64 {
    u[0].wrapping_mul(v[1]).wrapping_sub(u[1].wrapping_mul(v[0]))
}
