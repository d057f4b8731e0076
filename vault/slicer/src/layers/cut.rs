//! Triangles against planes, and the chaining of what is cut.

use super::schedule::Schedule;
use super::stitch::{Strand, stitch};
use crate::geometry::{IntPoint, point};
use crate::place::Placed;

/// Where a triangle meets a plane, walked with the inside to the left.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// The mesh edge the cut begins on, and the one it ends on.
    edges: [u64; 2],
    ends: [IntPoint<i32>; 2],
}

/// The triangles in the order in which an upward sweep meets them.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    part: &'a Placed<'a>,
    /// For each vertex how many planes lie below it.
    ranks: Vec<u32>,
    /// Triangles by the first layer they reach; those that reach none are left out.
    order: Vec<u32>,
    /// Where each layer's triangles end in `order`.
    ends: Vec<u32>,
    /// The next of `order` to be met.
    next: usize,
    /// Triangles met that reach on.
    active: Vec<u32>,
}

impl<'a> Sweep<'a> {
    pub(crate) fn new(part: &'a Placed<'a>, schedule: &Schedule) -> Self {
        let ranks = part.vertices.iter().map(|at| schedule.planes_below(2 * i64::from(at[2]))).collect();
        let mut sweep =
            Self { part, ranks, order: Vec::new(), ends: Vec::new(), next: 0, active: Vec::new() };
        sweep.sort(schedule.count());
        sweep
    }

    /// Sorts by first layer, counting; within a layer the order stays.
    fn sort(&mut self, layers: u32) {
        let triangles = || 0..self.part.triangles.len() as u32;
        let mut ends = vec![0_u32; layers as usize + 1];
        let firsts = || triangles().filter_map(|triangle| Some((self.reach(triangle)?.0, triangle)));
        firsts().for_each(|(first, _)| ends[first as usize + 1] += 1);
        for layer in 1..ends.len() {
            ends[layer] += ends[layer - 1];
        }
        let mut order = vec![0; ends[layers as usize] as usize];
        for (first, triangle) in firsts() {
            // Each layer's start moves on to its end.
            let slot = &mut ends[first as usize];
            order[*slot as usize] = triangle;
            *slot += 1;
        }
        (self.order, self.ends) = (order, ends);
    }

    /// The triangles that layers `from..to` meet, one list each. Batches must be asked for upwards.
    pub(crate) fn batch(&mut self, from: u32, to: u32) -> Vec<Vec<u32>> {
        let met = to.checked_sub(1).map_or(0, |last| self.ends[last as usize] as usize);
        self.active.extend(self.order.get(self.next..met).unwrap_or_default());
        self.next = self.next.max(met);
        let mut lists = vec![Vec::new(); (to - from) as usize];
        let mut active = std::mem::take(&mut self.active);
        active.retain(|triangle| {
            let Some((first, after)) = self.reach(*triangle) else { return false };
            for layer in first.max(from)..after.min(to) {
                lists[(layer - from) as usize].push(*triangle);
            }
            after > to
        });
        self.active = active;
        lists
    }

    /// The first layer whose plane the triangle crosses, and the one after the last.
    fn reach(&self, triangle: u32) -> Option<(u32, u32)> {
        let [a, b, c] = self.part.triangles[triangle as usize].map(|vertex| self.ranks[vertex as usize]);
        let (first, after) = (a.min(b).min(c), a.max(b).max(c));
        (first < after).then_some((first, after))
    }
}

/// The closed contours in which a plane, at half of height `plane`, meets these triangles.
pub(crate) fn contours(
    part: &Placed<'_>,
    plane: i64,
    triangles: impl Iterator<Item = u32>,
) -> Vec<Vec<IntPoint<i32>>> {
    let mut cuts: Vec<Cut> = triangles.filter_map(|triangle| cut(part, plane, triangle)).collect();
    cuts.sort_unstable_by_key(|cut| cut.edges);
    let (mut closed, open) = chain(&cuts);
    closed.extend(stitch(open));
    closed
}

fn cut(part: &Placed<'_>, plane: i64, triangle: u32) -> Option<Cut> {
    let corners = part.triangles[triangle as usize];
    let up = corners.map(|vertex| 2 * i64::from(part.vertices[vertex as usize][2]) > plane);
    // The corner alone on its side; the cut runs between the two edges that meet there.
    let alone = match up {
        [a, b, c] if a == b && b == c => return None,
        [a, b, c] if b == c && a != b => 0,
        [a, b, c] if a == c && a != b => 1,
        _ => 2,
    };
    let (a, b, c) = (corners[alone], corners[(alone + 1) % 3], corners[(alone + 2) % 3]);
    let (out, back) = (crossing(part, plane, a, b), crossing(part, plane, c, a));
    let (from, to) = if up[alone] { (out, back) } else { (back, out) };
    Some(Cut { edges: [from.0, to.0], ends: [from.1, to.1] })
}

/// The edge's name and the point where it crosses the plane; the same whichever end comes first.
fn crossing(part: &Placed<'_>, plane: i64, a: u32, b: u32) -> (u64, IntPoint<i32>) {
    let (low, high) = (a.min(b), a.max(b));
    let (p, q) = (part.vertices[low as usize], part.vertices[high as usize]);
    let rise = 2 * (i64::from(q[2]) - i64::from(p[2]));
    let part_way = plane - 2 * i64::from(p[2]);
    let along = |axis: usize| {
        let run = i64::from(q[axis]) - i64::from(p[axis]);
        p[axis] + rounded(run * part_way, rise) as i32
    };
    (u64::from(low) << 32 | u64::from(high), point(along(0), along(1)))
}

/// The nearest whole quotient.
fn rounded(numerator: i64, denominator: i64) -> i64 {
    let (numerator, denominator) =
        if denominator < 0 { (-numerator, -denominator) } else { (numerator, denominator) };
    (2 * numerator + denominator).div_euclid(2 * denominator)
}

/// Follows cuts from edge to edge: the contours that close, and the strands that don't.
///
/// `cuts` are sorted by the edge they begin on.
fn chain(cuts: &[Cut]) -> (Vec<Vec<IntPoint<i32>>>, Vec<Strand>) {
    let mut used = vec![false; cuts.len()];
    let (mut closed, mut open) = (Vec::new(), Vec::new());
    for start in 0..cuts.len() {
        if used[start] {
            continue;
        }
        used[start] = true;
        let mut points = vec![cuts[start].ends[0]];
        let mut at = start;
        let end = loop {
            let [_, leaves] = cuts[at].edges;
            if leaves == cuts[start].edges[0] {
                break None;
            }
            points.push(cuts[at].ends[1]);
            match following(cuts, &used, leaves) {
                Some(next) => {
                    used[next] = true;
                    at = next;
                }
                None => break Some(leaves),
            }
        };
        match end {
            None => closed.push(points),
            Some(_) => open.push(Strand::new(points)),
        }
    }
    (closed, open)
}

/// A cut that begins on this edge and is not taken yet.
fn following(cuts: &[Cut], used: &[bool], edge: u64) -> Option<usize> {
    let first = cuts.partition_point(|cut| cut.edges[0] < edge);
    (first..cuts.len()).take_while(|at| cuts[*at].edges[0] == edge).find(|at| !used[*at])
}
