//! Which edges meet: contours as chains that run one way on both axes, and a sweep over the chains' boxes.
//!
//! A chain that only rises or only falls on each axis cannot meet itself, and its box is that of its two ends.

use super::contacts::{Contacts, meet};
use super::soup::Soup;
use crate::geometry::bands::Bands;
use crate::geometry::{Bounds, IntPoint};

/// Most edges in a chain: longer ones would have boxes mostly empty.
const LONGEST: u32 = 8;

/// Pairs of chains compared for each meeting that is allowed: slivers side by side are near each other and never meet.
const PAIRS: usize = 100;

/// A run of edges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    pub(super) ring: u32,
    /// Its edges.
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) bounds: Bounds,
}

/// Every contour as chains, one contour after the other.
pub(super) fn chains(soup: &Soup) -> Vec<Chain> {
    let edges: u32 = soup.rings.iter().map(|ring| ring.end - ring.first).sum();
    let mut chains = Vec::with_capacity(edges as usize / 2);
    for (number, ring) in soup.rings.iter().enumerate() {
        let points = soup.points(ring.first, ring.end + 1);
        let (mut from, edges) = (0, points.len() - 1);
        while from < edges {
            let to = run(&points[from..]) + from;
            let bounds = spanned(points[from], points[to]);
            let (first, end) = (ring.first + from as u32, ring.first + to as u32);
            chains.push(Chain { ring: number as u32, first, end, bounds });
            from = to;
        }
    }
    chains
}

/// How many edges from the start run the same way.
fn run(points: &[IntPoint<i32>]) -> usize {
    let [mut across, mut up] = signs(points[0], points[1]);
    let mut to = 1;
    while to + 1 < points.len() && to < LONGEST as usize {
        let [x, y] = signs(points[to], points[to + 1]);
        if x * across < 0 || y * up < 0 {
            break;
        }
        // An edge along an axis fits both ways of it.
        (across, up) = (across | x, up | y);
        to += 1;
    }
    to
}

fn signs(a: IntPoint<i32>, b: IntPoint<i32>) -> [i32; 2] {
    let sign = |a: i32, b: i32| i32::from(b > a) - i32::from(b < a);
    [sign(a.x, b.x), sign(a.y, b.y)]
}

fn spanned(a: IntPoint<i32>, b: IntPoint<i32>) -> Bounds {
    Bounds { min: IntPoint::new(a.x.min(b.x), a.y.min(b.y)), max: IntPoint::new(a.x.max(b.x), a.y.max(b.y)) }
}

/// Where the contours meet themselves and each other; nothing if that is more than `most` times.
pub(super) fn contacts(soup: &Soup, chains: &[Chain], most: usize) -> Option<Contacts> {
    let mut order: Vec<u64> =
        chains.iter().enumerate().map(|(at, chain)| rank(chain.bounds.min.x) << 32 | at as u64).collect();
    order.sort_unstable();
    let mut contacts = Contacts::default();
    let mut pairs = 0_usize;
    let bands = Bands::over(chains.iter().map(|chain| chain.bounds));
    let mut open: Vec<Vec<(Bounds, u32)>> = vec![Vec::new(); bands.count];
    for at in order.into_iter().map(|key| key as u32) {
        let chain = &chains[at as usize];
        let reached = bands.of(&chain.bounds);
        let first = *reached.start();
        for (band, open) in reached.clone().zip(&mut open[reached]) {
            let mut nth = 0;
            while let Some((bounds, other)) = open.get(nth) {
                if bounds.max.x < chain.bounds.min.x {
                    open.swap_remove(nth);
                    continue;
                }
                // Two chains that share several bands are compared in the lowest.
                let shared = first.max(bands.at(bounds.min.y));
                if bounds.min.y <= chain.bounds.max.y && chain.bounds.min.y <= bounds.max.y && shared == band
                {
                    compare(soup, &chains[*other as usize], chain, &mut contacts);
                    pairs += 1;
                }
                nth += 1;
            }
            open.push((chain.bounds, at));
        }
        if contacts.places.len() > most || pairs / PAIRS > most {
            return None;
        }
    }
    Some(contacts)
}

/// Whole numbers in order, from nought up.
fn rank(x: i32) -> u64 {
    u64::from((x as u32) ^ (1 << 31))
}

/// Compares the edges of two chains that lie where the chains' boxes overlap.
fn compare(soup: &Soup, one: &Chain, other: &Chain, contacts: &mut Contacts) {
    let shared = Bounds {
        min: IntPoint::new(
            one.bounds.min.x.max(other.bounds.min.x),
            one.bounds.min.y.max(other.bounds.min.y),
        ),
        max: IntPoint::new(
            one.bounds.max.x.min(other.bounds.max.x),
            one.bounds.max.y.min(other.bounds.max.y),
        ),
    };
    let theirs = within(soup, other, &shared);
    if theirs.is_empty() {
        return;
    }
    for e in within(soup, one, &shared) {
        let bounds = edge_bounds(soup, e);
        for f in theirs.clone() {
            if bounds.meets(&edge_bounds(soup, f)) && !adjoin(soup, one, e, other, f) {
                meet(soup, (one.ring, e), (other.ring, f), contacts);
            }
        }
    }
}

/// The chain's edges that reach into the box: they follow each other, since the chain runs one way.
fn within(soup: &Soup, chain: &Chain, shared: &Bounds) -> std::ops::Range<u32> {
    let reaches = |edge: &u32| edge_bounds(soup, *edge).meets(shared);
    let Some(from) = (chain.first..chain.end).find(reaches) else { return 0..0 };
    let to = (from + 1..chain.end).find(|edge| !reaches(edge)).unwrap_or(chain.end);
    from..to
}

fn edge_bounds(soup: &Soup, edge: u32) -> Bounds {
    spanned(soup.point(edge), soup.point(edge + 1))
}

/// Whether one edge follows the other: they share that corner and, spikes being gone, nothing else.
fn adjoin(soup: &Soup, one: &Chain, e: u32, other: &Chain, f: u32) -> bool {
    if one.ring != other.ring {
        return false;
    }
    let ring = &soup.rings[one.ring as usize];
    ring.after(e) == f || ring.after(f) == e
}
