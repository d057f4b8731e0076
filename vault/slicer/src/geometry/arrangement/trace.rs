//! The edge of the inside, walked with the inside to the left, and the shapes it makes.

use super::graph::{End, Graph};
use super::soup::{Soup, cross};
use super::winding::{Sides, Winding, Windings};
use crate::geometry::{Bounds, IntPoint, Rows, encloses};

/// Shapes of the arrangement in which `inside` holds.
pub(super) fn shapes(
    soup: &Soup,
    graph: &Graph,
    windings: &Windings,
    inside: impl Fn(Winding) -> bool,
) -> Vec<Vec<Vec<IntPoint<i32>>>> {
    let edge = |sides: &Sides| match (inside(sides.left), inside(sides.right)) {
        (true, false) => Some(Way::Along),
        (false, true) => Some(Way::Back),
        _ => None,
    };
    let mut loops = Vec::new();
    for (ring, sides) in &windings.alone {
        let ring = &soup.rings[*ring as usize];
        let points = soup.points(ring.first, ring.end);
        match edge(sides) {
            Some(Way::Along) => loops.push(points.to_vec()),
            Some(Way::Back) => loops.push(points.iter().rev().copied().collect()),
            None => {}
        }
    }
    let leaves: Vec<bool> = windings.rays.iter().map(|sides| edge(sides) == Some(Way::Along)).collect();
    let taken = vec![false; leaves.len()];
    loops.extend(Walk { soup, graph, leaves, taken }.loops());
    nest(loops)
}

/// Which way along an arc the inside is to the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Along,
    Back,
}

/// A walk along the edge of the inside.
struct Walk<'a> {
    soup: &'a Soup,
    graph: &'a Graph,
    /// Rays along which the edge leaves their node.
    leaves: Vec<bool>,
    taken: Vec<bool>,
}

impl Walk<'_> {
    fn loops(&mut self) -> Vec<Vec<IntPoint<i32>>> {
        let mut loops = Vec::new();
        for start in 0..self.leaves.len() as u32 {
            if self.leaves[start as usize] && !self.taken[start as usize] {
                let mut points = Vec::new();
                let mut ray = start;
                while !self.taken[ray as usize] {
                    self.take(ray);
                    self.draw(ray, &mut points);
                    ray = self.next(self.graph.opposite(ray));
                }
                tidy(&mut points);
                if points.len() > 2 {
                    loops.push(points);
                }
            }
        }
        loops
    }

    /// Takes the ray and all that lie on it: their arcs are the same stretch.
    fn take(&mut self, ray: u32) {
        for other in self.graph.bundle(ray) {
            self.taken[other as usize] = true;
        }
    }

    /// The ray on which the edge goes on that has come in along `came`: the first clockwise, which keeps shapes
    /// that touch in one point apart.
    fn next(&self, came: u32) -> u32 {
        let around = self.graph.around(self.graph.rays[came as usize].node);
        let before = (around.start..came).rev().chain((came..around.end).rev());
        let next = before.into_iter().find(|ray| self.leaves[*ray as usize]);
        self.graph.bundle(next.unwrap_or(came)).start
    }

    /// Appends the arc's points as seen from this ray: its node and all up to the next.
    fn draw(&self, ray: u32, points: &mut Vec<IntPoint<i32>>) {
        let ray = &self.graph.rays[ray as usize];
        points.push(self.graph.place(ray.node));
        let (from, to) = (
            &self.graph.stops[ray.arc as usize],
            &self.graph.stops[self.graph.next[ray.arc as usize] as usize],
        );
        let ring = &self.soup.rings[from.ring as usize];
        let begun = points.len();
        let last = if to.along.is_start() { ring.before(to.edge) } else { to.edge };
        let onward = from.edge == last && (to.along.is_start() || from.along.compare(to.along).is_lt());
        if !onward {
            let corner = ring.after(from.edge);
            if corner <= last {
                points.extend_from_slice(self.soup.points(corner, last + 1));
            } else {
                points.extend_from_slice(self.soup.points(corner, ring.end));
                points.extend_from_slice(self.soup.points(ring.first, last + 1));
            }
        }
        if ray.end == End::Finish {
            points[begun..].reverse();
        }
    }
}

/// Drops repeated points, points on a straight way and spikes.
fn tidy(points: &mut Vec<IntPoint<i32>>) {
    let mut kept = 0;
    for at in 0..points.len() {
        let p = points[at];
        while kept > 0
            && (points[kept - 1] == p || kept > 1 && cross(points[kept - 2], points[kept - 1], p) == 0)
        {
            kept -= 1;
        }
        points[kept] = p;
        kept += 1;
    }
    points.truncate(kept);
    let mut start = 0;
    while let [head, next, .., before, last] = points[start..] {
        if last == head || cross(before, last, head) == 0 {
            points.pop();
        } else if cross(last, head, next) == 0 {
            start += 1;
        } else {
            break;
        }
    }
    points.drain(..start);
}

/// Sorts loops into shapes: each hole goes to the smallest outer contour around it.
fn nest(loops: Vec<Vec<IntPoint<i32>>>) -> Vec<Vec<Vec<IntPoint<i32>>>> {
    let mut outers = Vec::new();
    let mut holes = Vec::new();
    for mut points in loops {
        begin_left(&mut points);
        let Some(bounds) = Bounds::of(&points) else { continue };
        let area = super::super::region::signed_area(&points);
        if area > 0.0 {
            outers.push((area, bounds, vec![points]));
        } else if area < 0.0 {
            holes.push((bounds, points));
        }
    }
    let rows = Rows::over(outers.iter().map(|(_, bounds, _)| *bounds));
    for (bounds, hole) in holes {
        let holds = |outer: &u32| {
            let (_, outer, _) = &outers[*outer as usize];
            outer.holds(bounds.min) && outer.holds(bounds.max)
        };
        let mut around: Vec<u32> = rows.at(bounds.min.y).iter().copied().filter(holds).collect();
        if around.len() > 1 {
            around.sort_by(|a, b| outers[*a as usize].0.total_cmp(&outers[*b as usize].0));
            around.sort_by_key(|outer| !mostly_within(&outers[*outer as usize].2[0], &hole));
        }
        // A hole in nothing is a rounding of nothing.
        if let Some(outer) = around.first() {
            outers[*outer as usize].2.push(hole);
        }
    }
    let mut shapes: Vec<_> = outers.into_iter().map(|(_, _, shape)| shape).collect();
    for shape in &mut shapes {
        shape[1..].sort_unstable_by_key(|hole| key(hole[0]));
    }
    shapes.sort_by_key(|shape| key(shape[0][0]));
    shapes
}

/// Whether the hole lies within the contour. Rounding may have put some of its corners on the contour or across, so
/// several are asked.
fn mostly_within(contour: &[IntPoint<i32>], hole: &[IntPoint<i32>]) -> bool {
    let asked = hole.iter().step_by(hole.len().div_ceil(9));
    let within = asked.clone().filter(|p| encloses(contour, **p)).count();
    within * 2 > asked.count()
}

/// Lets the loop begin at its leftmost, then lowest point, so that equal regions are so point by point.
fn begin_left(points: &mut [IntPoint<i32>]) {
    let first = (0..points.len()).min_by_key(|at| key(points[*at])).unwrap_or(0);
    points.rotate_left(first);
}

fn key(p: IntPoint<i32>) -> (i32, i32) {
    (p.x, p.y)
}
