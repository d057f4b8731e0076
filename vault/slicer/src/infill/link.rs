//! Joining lines into runs along the shape's edge, so that the nozzle need not lift between them.

use super::hatch::{Hatch, Node, OFF_EDGE};
use crate::geometry::{IntPoint, distance};

/// A stretch of edge between two neighbouring nodes.
#[derive(Debug, Clone, Copy)]
struct Link {
    from: usize,
    to: usize,
    length: f64,
}

type Lines = Vec<Vec<IntPoint<i32>>>;

/// Runs made of the hatch's lines; every line is in exactly one.
pub(super) fn join(shape: &[Vec<IntPoint<i32>>], hatch: &Hatch, longest: f64) -> Lines {
    let joined = choose(links(shape, &hatch.nodes, longest), &hatch.nodes);
    walk_all(shape, hatch, &joined)
}

/// As [`join`], and the stretches of edge between neighbouring lines that no run takes.
pub(super) fn join_leaving(shape: &[Vec<IntPoint<i32>>], hatch: &Hatch, longest: f64) -> (Lines, Lines) {
    let nodes = &hatch.nodes;
    let joined = choose(links(shape, nodes, longest), nodes);
    let mut open = Vec::new();
    for_neighbours(nodes, |from, to| {
        if joined[from] != Some(to) {
            let (first, last) = (&nodes[from], &nodes[to]);
            open.push([first.at].into_iter().chain(corners(shape, first, last)).chain([last.at]).collect());
        }
    });
    (walk_all(shape, hatch, &joined), open)
}

fn walk_all(shape: &[Vec<IntPoint<i32>>], hatch: &Hatch, joined: &[Option<usize>]) -> Lines {
    let mut used = vec![false; joined.len() / 2];
    let mut runs = Vec::new();
    // A run is walked from an end that joins nothing; choose() leaves no ring of lines.
    for start in 0..joined.len() {
        if used[start / 2] || joined[start].is_some() {
            continue;
        }
        runs.push(walk(shape, hatch, joined, &mut used, start));
    }
    runs
}

/// Stretches of edge that may join lines.
fn links(shape: &[Vec<IntPoint<i32>>], nodes: &[Node], longest: f64) -> Vec<Link> {
    let mut links = Vec::new();
    for_neighbours(nodes, |from, to| {
        if from / 2 == to / 2 {
            return;
        }
        if let Some(length) = stretch(shape, &nodes[from], &nodes[to], longest) {
            links.push(Link { from, to, length });
        }
    });
    links
}

/// Calls for each node and the next along the same contour.
fn for_neighbours(nodes: &[Node], mut each: impl FnMut(usize, usize)) {
    let mut round: Vec<usize> = (0..nodes.len()).filter(|at| nodes[*at].contour != OFF_EDGE).collect();
    round.sort_by(|a, b| {
        let (a, b) = (&nodes[*a], &nodes[*b]);
        (a.contour, a.edge).cmp(&(b.contour, b.edge)).then(a.share.total_cmp(&b.share))
    });
    for on_contour in round.chunk_by(|a, b| nodes[*a].contour == nodes[*b].contour) {
        for (at, from) in on_contour.iter().enumerate() {
            each(*from, on_contour[(at + 1) % on_contour.len()]);
        }
    }
}

/// Length of the edge from one node on to the next, if no longer than `longest`.
fn stretch(shape: &[Vec<IntPoint<i32>>], from: &Node, to: &Node, longest: f64) -> Option<f64> {
    let mut length = 0.0;
    let mut last = from.at;
    for corner in corners(shape, from, to) {
        length += distance(last, corner);
        last = corner;
        if length > longest {
            return None;
        }
    }
    length += distance(last, to.at);
    (length <= longest).then_some(length)
}

/// The contour's corners passed on the way from one node on to the next.
fn corners<'a>(
    shape: &'a [Vec<IntPoint<i32>>],
    from: &Node,
    to: &Node,
) -> impl DoubleEndedIterator<Item = IntPoint<i32>> + use<'a> {
    let contour = &shape[from.contour];
    let around = from.edge == to.edge && to.share < from.share;
    let passed =
        (to.edge + contour.len() - from.edge) % contour.len() + if around { contour.len() } else { 0 };
    let first = from.edge + 1;
    (first..first + passed).map(move |at| contour[at % contour.len()])
}

/// For each node the node it is joined to: short links first within a row, no node twice, no ring.
fn choose(mut links: Vec<Link>, nodes: &[Node]) -> Vec<Option<usize>> {
    let row = |link: &Link| nodes[link.from].row.min(nodes[link.to].row);
    links.sort_by(|a, b| row(a).cmp(&row(b)).then(a.length.total_cmp(&b.length)).then(a.from.cmp(&b.from)));
    let mut joined = vec![None; nodes.len()];
    let mut groups = Groups::new(nodes.len() / 2);
    for link in links {
        if joined[link.from].is_none()
            && joined[link.to].is_none()
            && groups.unite(link.from / 2, link.to / 2)
        {
            joined[link.from] = Some(link.to);
            joined[link.to] = Some(link.from);
        }
    }
    joined
}

/// Follows lines and links from `start` to the run's other end.
fn walk(
    shape: &[Vec<IntPoint<i32>>],
    hatch: &Hatch,
    joined: &[Option<usize>],
    used: &mut [bool],
    start: usize,
) -> Vec<IntPoint<i32>> {
    let nodes = &hatch.nodes;
    let mut points = vec![nodes[start].at];
    let mut enter = start;
    loop {
        used[enter / 2] = true;
        let leave = enter ^ 1;
        let body = &hatch.bodies[enter / 2];
        if enter.is_multiple_of(2) {
            points.extend(body)
        } else {
            points.extend(body.iter().rev())
        }
        points.push(nodes[leave].at);
        let Some(next) = joined[leave] else { return points };
        link_points(&mut points, shape, nodes, leave, next);
        points.push(nodes[next].at);
        enter = next;
    }
}

/// The corners between two joined nodes, whichever of them comes first along the contour.
fn link_points(
    points: &mut Vec<IntPoint<i32>>,
    shape: &[Vec<IntPoint<i32>>],
    nodes: &[Node],
    leave: usize,
    next: usize,
) {
    let (a, b) = (&nodes[leave], &nodes[next]);
    let forward: Vec<_> = corners(shape, a, b).collect();
    let backward: Vec<_> = corners(shape, b, a).rev().collect();
    let length = |way: &[IntPoint<i32>]| {
        let mut last = a.at;
        let inner: f64 = way.iter().map(|p| distance(std::mem::replace(&mut last, *p), *p)).sum();
        inner + distance(last, b.at)
    };
    points.extend(if length(&forward) <= length(&backward) { forward } else { backward });
}

/// Which lines are joined already, directly or through others.
struct Groups {
    parents: Vec<usize>,
}

impl Groups {
    fn new(count: usize) -> Self {
        Self { parents: (0..count).collect() }
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parents[at] != at {
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }

    /// Joins two groups; false where they are one already.
    fn unite(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a] = b;
        a != b
    }
}
