//! Winding numbers on both sides of every arc.
//!
//! A connected piece of the arrangement has a leftmost corner; left of it lies only what other pieces wind around,
//! which one ray tells. From there on each arc crossed adds what its contour weighs.

use super::chains::Chain;
use super::contacts::Stop;
use super::graph::{End, Graph};
use super::soup::{Family, Soup, cross};
use crate::geometry::{IntPoint, Rows};

/// How often the contours of each family wind around a place, counter-clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Winding {
    pub(in super::super) subject: i32,
    pub(in super::super) clip: i32,
}

impl Winding {
    pub(super) fn once(family: Family) -> Self {
        match family {
            Family::Subject => Self { subject: 1, clip: 0 },
            Family::Clip => Self { subject: 0, clip: 1 },
        }
    }

    pub(super) fn plus(self, times: i32, other: Self) -> Self {
        Self { subject: self.subject + times * other.subject, clip: self.clip + times * other.clip }
    }
}

/// What is on either side of arcs and whole contours.
#[derive(Debug)]
pub(super) struct Windings {
    /// For each ray of the graph, seen outward from its node.
    pub(super) rays: Vec<Sides>,
    /// For each contour that meets nothing, seen along it.
    pub(super) alone: Vec<(u32, Sides)>,
}

/// What is to the right and to the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sides {
    pub(super) right: Winding,
    pub(super) left: Winding,
}

/// Winds through the whole arrangement; nothing if the numbers contradict each other.
pub(super) fn wind(soup: &Soup, chains: &[Chain], graph: &Graph) -> Option<Windings> {
    let pieces = Pieces::new(soup, graph);
    let rows = Rows::over(soup.rings.iter().map(|ring| ring.bounds));
    let mut walk = Walk::new(graph, soup);
    let mut alone = Vec::new();
    for (piece, corner) in pieces.leftmost.iter().enumerate() {
        let Some((ring, corner)) = *corner else { continue };
        let outside = pieces.around(soup, chains, &rows, piece as u32, soup.point(corner));
        let sides = beside(soup, ring, corner, outside);
        match stop_before(&graph.stops, ring, corner) {
            None => alone.push((ring, sides)),
            Some(stop) if stop_at(&graph.stops[stop], corner) => {
                // All that leaves the leftmost corner goes right, so the first ray has the outside to its right.
                walk.enter(graph.around(graph.stops[stop].node).start, outside)?;
            }
            Some(stop) => walk.enter(graph.ends[stop][0], sides.right)?,
        }
        walk.finish()?;
    }
    Some(Windings { rays: walk.rays, alone })
}

/// The sides of a contour at its leftmost corner, where it meets nothing.
fn beside(soup: &Soup, ring: u32, corner: u32, outside: Winding) -> Sides {
    let ring = &soup.rings[ring as usize];
    let before = soup.point(ring.before(corner));
    let turn = cross(before, soup.point(corner), soup.point(corner + 1));
    if turn > 0 {
        Sides { right: outside, left: outside.plus(1, ring.weight) }
    } else {
        Sides { right: outside.plus(-1, ring.weight), left: outside }
    }
}

/// The contour's last stop at or before this corner, or else its very last; nothing if it has none.
fn stop_before(stops: &[Stop], ring: u32, corner: u32) -> Option<usize> {
    let passed =
        stops.partition_point(|stop| stop.edge < corner || (stop.edge == corner && stop.along.is_start()));
    let before = passed.checked_sub(1).filter(|at| stops[*at].ring == ring);
    before.or_else(|| {
        let last = stops.partition_point(|stop| stop.ring <= ring).checked_sub(1)?;
        (stops[last].ring == ring).then_some(last)
    })
}

fn stop_at(stop: &Stop, corner: u32) -> bool {
    stop.edge == corner && stop.along.is_start()
}

/// A walk from node to node that leaves the winding numbers behind.
struct Walk<'a> {
    graph: &'a Graph,
    weights: Vec<Winding>,
    rays: Vec<Sides>,
    known: Vec<bool>,
    /// Nodes whose rays' other ends are yet to be entered.
    open: Vec<u32>,
}

impl<'a> Walk<'a> {
    fn new(graph: &'a Graph, soup: &Soup) -> Self {
        let weight = |stop: &Stop| soup.rings[stop.ring as usize].weight;
        Self {
            graph,
            weights: graph.stops.iter().map(weight).collect(),
            rays: vec![Sides::default(); graph.rays.len()],
            known: vec![false; graph.starts.len()],
            open: Vec::new(),
        }
    }

    /// Sets what is around the ray's node, given what is right of the ray and of all that lie on it.
    fn enter(&mut self, ray: u32, right: Winding) -> Option<()> {
        let node = self.graph.rays[ray as usize].node;
        if std::mem::replace(&mut self.known[node as usize], true) {
            return (self.rays[ray as usize].right == right).then_some(());
        }
        let around = self.graph.around(node);
        let first = self.graph.bundle(ray).start;
        let (mut at, mut sum) = (first, right);
        loop {
            let bundle = self.graph.bundle(at);
            let sides = Sides { right: sum, left: self.across(sum, bundle.clone()) };
            self.rays[bundle.start as usize..bundle.end as usize].fill(sides);
            sum = sides.left;
            at = if bundle.end == around.end { around.start } else { bundle.end };
            if at == first {
                break;
            }
        }
        self.open.push(node);
        (sum == right).then_some(())
    }

    /// What is left of some rays that lie on each other.
    fn across(&self, right: Winding, bundle: std::ops::Range<u32>) -> Winding {
        self.graph.rays[bundle.start as usize..bundle.end as usize].iter().fold(right, |sum, ray| {
            let times = if ray.end == End::Start { 1 } else { -1 };
            sum.plus(times, self.weights[ray.arc as usize])
        })
    }

    /// Goes on until every node that can be reached is known.
    fn finish(&mut self) -> Option<()> {
        while let Some(node) = self.open.pop() {
            for ray in self.graph.around(node) {
                self.enter(self.graph.opposite(ray), self.rays[ray as usize].left)?;
            }
        }
        Some(())
    }
}

/// The contours by what they hang together with.
struct Pieces {
    /// Each contour's piece: the number of one of its contours.
    of: Vec<u32>,
    /// For each piece its leftmost, then lowest corner, and the contour that is on; nothing for other contours.
    leftmost: Vec<Option<(u32, u32)>>,
}

impl Pieces {
    fn new(soup: &Soup, graph: &Graph) -> Self {
        let of = connected(soup, graph);
        let mut leftmost: Vec<Option<(u32, u32)>> = vec![None; soup.rings.len()];
        let key = |corner: u32| {
            let p = soup.point(corner);
            (p.x, p.y)
        };
        for (number, ring) in soup.rings.iter().enumerate() {
            let corner = (ring.first..ring.end).min_by_key(|corner| key(*corner)).unwrap_or(ring.first);
            let best = &mut leftmost[of[number] as usize];
            if best.is_none_or(|(_, known)| key(corner) < key(known)) {
                *best = Some((number as u32, corner));
            }
        }
        Self { of, leftmost }
    }

    /// What the contours of all other pieces wind around `p`, a corner of this one.
    fn around(&self, soup: &Soup, chains: &[Chain], rows: &Rows, piece: u32, p: IntPoint<i32>) -> Winding {
        let mut sum = Winding::default();
        for number in rows.at(p.y) {
            let ring = &soup.rings[*number as usize];
            if self.of[*number as usize] != piece && ring.bounds.holds(p) {
                sum = sum.plus(turns(soup, chains, *number, p), ring.weight);
            }
        }
        sum
    }
}

/// For each contour the lowest number of those it hangs together with.
fn connected(soup: &Soup, graph: &Graph) -> Vec<u32> {
    let mut of: Vec<u32> = (0..soup.rings.len() as u32).collect();
    fn root(of: &mut [u32], mut at: u32) -> u32 {
        while of[at as usize] != at {
            of[at as usize] = of[of[at as usize] as usize];
            at = of[at as usize];
        }
        at
    }
    let mut first_at = vec![u32::MAX; graph.starts.len()];
    for stop in &graph.stops {
        let first = &mut first_at[stop.node as usize];
        if *first == u32::MAX {
            *first = stop.ring;
        }
        let (a, b) = (root(&mut of, *first), root(&mut of, stop.ring));
        of[a.max(b) as usize] = a.min(b);
    }
    for at in 0..of.len() as u32 {
        of[at as usize] = root(&mut of, at);
    }
    of
}

/// How often a contour winds around a point that is not on it.
fn turns(soup: &Soup, chains: &[Chain], ring: u32, p: IntPoint<i32>) -> i32 {
    let from = chains.partition_point(|chain| chain.ring < ring);
    let mut turns = 0;
    for chain in chains[from..].iter().take_while(|chain| chain.ring == ring) {
        if chain.bounds.max.x <= p.x || chain.bounds.min.y > p.y || chain.bounds.max.y <= p.y {
            continue;
        }
        for edge in chain.first..chain.end {
            turns += crossed(p, soup.point(edge), soup.point(edge + 1));
        }
    }
    turns
}

/// Whether the ray from `p` to the right crosses the edge, upward counting one and downward minus one.
fn crossed(p: IntPoint<i32>, a: IntPoint<i32>, b: IntPoint<i32>) -> i32 {
    if (a.y > p.y) == (b.y > p.y) {
        return 0;
    }
    let side = cross(a, b, p);
    match (b.y > a.y, side > 0) {
        (true, true) => 1,
        (false, false) => -1,
        _ => 0,
    }
}
