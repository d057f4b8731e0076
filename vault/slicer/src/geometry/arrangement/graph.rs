//! Nodes where contours meet, and arcs: the stretches of contour between them.

use std::cmp::Ordering;

use super::contacts::{Contacts, Stop};
use super::soup::{Soup, way, wedge};
use crate::geometry::IntPoint;

/// The contours cut up where they meet. Contours that meet nothing are not in it.
#[derive(Debug)]
pub(super) struct Graph {
    /// In the order of their edges and places on them; arc `n` leads from stop `n` to the contour's next.
    pub(super) stops: Vec<Stop>,
    /// Around each node, counter-clockwise from the left: what leaves it, either way along an arc.
    pub(super) rays: Vec<Ray>,
    /// Where each arc's two rays are: the one at its start and the one at its end.
    pub(super) ends: Vec<[u32; 2]>,
    /// Where each stop's contour has its next stop.
    pub(super) next: Vec<u32>,
    /// Where each node's rays begin in `rays`, and one more.
    pub(super) starts: Vec<u32>,
    places: Vec<IntPoint<i32>>,
}

/// An arc as seen from a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ray {
    pub(super) node: u32,
    pub(super) arc: u32,
    pub(super) end: End,
    way: [i64; 2],
}

/// Which end of its arc a ray is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Start,
    Finish,
}

impl Graph {
    pub(super) fn new(soup: &Soup, contacts: Contacts) -> Self {
        let Contacts { mut stops, places, corners } = contacts;
        let mut same = Same::new(places.len());
        same.join_corners(&places, corners);
        stops.sort_unstable_by(|a, b| a.edge.cmp(&b.edge).then_with(|| a.along.compare(b.along)));
        // Stops at one place of an edge are one: there more than two edges meet.
        stops.dedup_by(|next, kept| {
            let one = next.edge == kept.edge && next.along.compare(kept.along) == Ordering::Equal;
            if one {
                same.join(kept.node, next.node);
            }
            one
        });
        let nodes = same.number(&mut stops);
        let places = nodes.into_iter().map(|node| places[node as usize]).collect();
        let next = next_stops(&stops);
        let mut graph = Self { stops, rays: Vec::new(), ends: Vec::new(), next, starts: Vec::new(), places };
        graph.find_rays(soup);
        graph
    }

    pub(super) fn place(&self, node: u32) -> IntPoint<i32> {
        self.places[node as usize]
    }

    /// The rays around a node.
    pub(super) fn around(&self, node: u32) -> std::ops::Range<u32> {
        self.starts[node as usize]..self.starts[node as usize + 1]
    }

    /// The ray at the other end of this one's arc.
    pub(super) fn opposite(&self, ray: u32) -> u32 {
        let Ray { arc, end, .. } = self.rays[ray as usize];
        let [start, finish] = self.ends[arc as usize];
        if end == End::Start { finish } else { start }
    }

    /// The rays that lie on this one, itself included: their arcs do as a whole.
    pub(super) fn bundle(&self, ray: u32) -> std::ops::Range<u32> {
        let around = self.around(self.rays[ray as usize].node);
        let same = |other: &u32| {
            by_angle(self.rays[*other as usize].way, self.rays[ray as usize].way) == Ordering::Equal
        };
        let start = (around.start..ray).rev().take_while(same).last().unwrap_or(ray);
        let end = (ray + 1..around.end).take_while(same).last().unwrap_or(ray) + 1;
        start..end
    }

    fn find_rays(&mut self, soup: &Soup) {
        self.rays.reserve(self.stops.len() * 2);
        for (arc, stop) in self.stops.iter().enumerate() {
            let ring = &soup.rings[stop.ring as usize];
            let to = &self.stops[self.next[arc] as usize];
            let arrives = if to.along.is_start() { ring.before(to.edge) } else { to.edge };
            let edge = |edge: u32| way(soup.point(edge), soup.point(edge + 1));
            let (leaving, [x, y]) = (edge(stop.edge), edge(arrives));
            let arc = arc as u32;
            self.rays.push(Ray { node: stop.node, arc, end: End::Start, way: leaving });
            self.rays.push(Ray { node: to.node, arc, end: End::Finish, way: [-x, -y] });
        }
        self.rays.sort_unstable_by(|a, b| {
            let angle = a.node.cmp(&b.node).then_with(|| by_angle(a.way, b.way));
            angle.then_with(|| (a.arc, a.end as u8).cmp(&(b.arc, b.end as u8)))
        });
        self.ends = vec![[0; 2]; self.stops.len()];
        self.starts = vec![0; self.places.len() + 1];
        for (at, ray) in self.rays.iter().enumerate() {
            self.ends[ray.arc as usize][ray.end as usize] = at as u32;
            self.starts[ray.node as usize + 1] = at as u32 + 1;
        }
    }
}

/// For each stop the next on the same contour, the first after the last.
fn next_stops(stops: &[Stop]) -> Vec<u32> {
    let mut next: Vec<u32> = (1..=stops.len() as u32).collect();
    let mut first = 0;
    for at in 0..stops.len() {
        if stops.get(at + 1).is_none_or(|after| after.ring != stops[at].ring) {
            next[at] = first;
            first = at as u32 + 1;
        }
    }
    next
}

/// Order of directions: counter-clockwise from just past straight left.
fn by_angle(a: [i64; 2], b: [i64; 2]) -> Ordering {
    let quarter = |[x, y]: [i64; 2]| match (x.signum(), y.signum()) {
        (_, -1) => 0,
        (1, 0) => 1,
        (_, 1) => 2,
        _ => 3,
    };
    quarter(a).cmp(&quarter(b)).then_with(|| 0.cmp(&wedge(a, b)))
}

/// Which nodes are the same place: a forest in which each tree's root is its lowest number.
struct Same {
    parents: Vec<u32>,
}

impl Same {
    fn new(count: usize) -> Self {
        Self { parents: (0..count as u32).collect() }
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while self.parents[node as usize] != node {
            let above = self.parents[self.parents[node as usize] as usize];
            self.parents[node as usize] = above;
            node = above;
        }
        node
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    /// Joins the corners that are the same point.
    fn join_corners(&mut self, places: &[IntPoint<i32>], mut corners: Vec<u32>) {
        let key = |corner: &u32| {
            let p = places[*corner as usize];
            (p.x, p.y)
        };
        corners.sort_unstable_by_key(key);
        for pair in corners.windows(2) {
            if key(&pair[0]) == key(&pair[1]) {
                self.join(pair[0], pair[1]);
            }
        }
    }

    /// Numbers the nodes that are left, without gaps; returns the old number of each.
    fn number(&mut self, stops: &mut [Stop]) -> Vec<u32> {
        let mut numbers = vec![u32::MAX; self.parents.len()];
        let mut old = Vec::new();
        for stop in stops {
            let root = self.root(stop.node);
            if numbers[root as usize] == u32::MAX {
                numbers[root as usize] = old.len() as u32;
                old.push(root);
            }
            stop.node = numbers[root as usize];
        }
        old
    }
}
