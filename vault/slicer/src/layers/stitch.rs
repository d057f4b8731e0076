//! Closing what the mesh left open: strands joined end to end by nearness, then closed on themselves.
//!
//! Open strands come from holes in the mesh and from faces that look the wrong way, where the next cut runs
//! against us: so any end may join any end, and a strand may be turned round. Nearest ends join first. What
//! is still open after all ends within reach are joined is closed by a straight line: the mouth of a tube that
//! ends inside a body closes so.

use std::collections::BTreeMap;

use crate::geometry::{IntPoint, distance, length_along};

/// Ends nearer than this are the same corner, written twice with rounding between, in micrometres.
const SAME: i32 = 50;

/// Most free ends whose distances are all compared; a layer with more is debris, not a surface with holes.
const ENDS: usize = 1_024;

/// A contour that does not close.
#[derive(Debug, Clone)]
pub(super) struct Strand {
    points: Vec<IntPoint<i32>>,
}

impl Strand {
    pub(super) fn new(points: Vec<IntPoint<i32>>) -> Self {
        Self { points }
    }

    fn end(&self, tail: usize) -> IntPoint<i32> {
        let at = if tail == 0 { 0 } else { self.points.len() - 1 };
        self.points[at]
    }
}

/// Contours made of the strands.
pub(super) fn stitch(strands: Vec<Strand>) -> Vec<Vec<IntPoint<i32>>> {
    if strands.is_empty() {
        return Vec::new();
    }
    let joins = joins(&strands);
    follow(&strands, &joins)
}

/// For each end (strand × 2, plus one for its tail) the end it joins.
fn joins(strands: &[Strand]) -> Vec<Option<usize>> {
    let mut joins = vec![None; strands.len() * 2];
    // A file whose triangles share no corners is all ends: those that touch are joined first, by place.
    join_nearest(strands, same_place(strands), &mut joins);
    let free: Vec<usize> = (0..joins.len()).filter(|end| joins[*end].is_none()).collect();
    if free.len() <= ENDS {
        let pairs = free.iter().enumerate().flat_map(|(at, a)| free[at + 1..].iter().map(|b| (*a, *b)));
        join_nearest(strands, pairs.collect(), &mut joins);
    }
    joins
}

fn place(strands: &[Strand], end: usize) -> IntPoint<i32> {
    strands[end / 2].end(end % 2)
}

/// Pairs of ends that may be the same corner.
fn same_place(strands: &[Strand]) -> Vec<(usize, usize)> {
    let cell = |end: usize| {
        let p = place(strands, end);
        (p.x.div_euclid(SAME), p.y.div_euclid(SAME))
    };
    let mut cells: BTreeMap<(i32, i32), Vec<usize>> = BTreeMap::new();
    for end in 0..strands.len() * 2 {
        cells.entry(cell(end)).or_default().push(end);
    }
    let mut pairs = Vec::new();
    for a in 0..strands.len() * 2 {
        let (column, row) = cell(a);
        let around = (column - 1..=column + 1).flat_map(|x| (row - 1..=row + 1).map(move |y| (x, y)));
        // A corner where hundreds meet is a needle's point; any few of them join it.
        let near = around.filter_map(|at| cells.get(&at)).flat_map(|ends| ends.iter().take(64));
        pairs.extend(near.filter(|b| **b > a && **b != a ^ 1).map(|b| (a, *b)));
    }
    pairs
}

/// Joins free ends, the nearest first, and of equally near those whose faces look the same way.
fn join_nearest(strands: &[Strand], pairs: Vec<(usize, usize)>, joins: &mut [Option<usize>]) {
    let mut ranked: Vec<_> = pairs
        .into_iter()
        .map(|(a, b)| {
            let gap = distance(place(strands, a), place(strands, b));
            ((gap * 1024.0) as u64, a % 2 == b % 2, a, b)
        })
        .collect();
    ranked.sort_unstable();
    for (_, _, a, b) in ranked {
        if joins[a].is_none() && joins[b].is_none() {
            joins[a] = Some(b);
            joins[b] = Some(a);
        }
    }
}

/// Walks the joins; each contour runs the way most of its length does.
fn follow(strands: &[Strand], joins: &[Option<usize>]) -> Vec<Vec<IntPoint<i32>>> {
    let mut used = vec![false; strands.len()];
    let mut contours = Vec::new();
    for start in 0..strands.len() {
        if used[start] {
            continue;
        }
        let mut entry = first_entry(joins, start * 2);
        let (mut points, mut forward) = (Vec::new(), 0.0);
        while !used[entry / 2] {
            used[entry / 2] = true;
            let strand = &strands[entry / 2].points;
            let length = length_along(strand);
            if entry.is_multiple_of(2) {
                points.extend_from_slice(strand);
                forward += length;
            } else {
                points.extend(strand.iter().rev());
                forward -= length;
            }
            match joins[entry ^ 1] {
                Some(next) => entry = next,
                None => break,
            }
        }
        if forward < 0.0 {
            points.reverse();
        }
        contours.push(points);
    }
    contours
}

/// The end at which a walk through the joins begins, so that an open row of strands is walked whole.
fn first_entry(joins: &[Option<usize>], from: usize) -> usize {
    let mut entry = from;
    for _ in 0..joins.len() {
        match joins[entry] {
            Some(before) if before ^ 1 != from => entry = before ^ 1,
            _ => break,
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Region, point};

    fn strand(points: &[(i32, i32)]) -> Strand {
        Strand::new(points.iter().map(|(x, y)| point(*x, *y)).collect())
    }

    #[test]
    fn two_halves_with_hairline_gaps_make_one_contour() {
        let halves = vec![
            strand(&[(0, 0), (10_000, 0), (10_000, 4_990)]),
            strand(&[(10_000, 5_000), (10_000, 10_000), (0, 10_000), (0, 10)]),
        ];
        let contours = stitch(halves);
        assert_eq!(contours.len(), 1);
        assert!((Region::wound(&contours).area() - 100e6).abs() < 0.1e6);
    }

    #[test]
    fn a_half_whose_faces_look_the_wrong_way_is_turned_round() {
        let halves = vec![
            strand(&[(0, 0), (10_000, 0), (10_000, 5_000)]),
            strand(&[(0, 0), (0, 10_000), (10_000, 10_000), (10_000, 5_000)]),
        ];
        let contours = stitch(halves);
        assert_eq!(contours.len(), 1);
        assert_eq!(Region::wound(&contours).area(), 100e6);
    }

    #[test]
    fn the_mouth_of_an_open_tube_closes_straight() {
        let contours = stitch(vec![strand(&[(0, 0), (10_000, 0), (10_000, 3_000), (0, 3_000)])]);
        assert_eq!(Region::wound(&contours).area(), 30e6);
    }
}
