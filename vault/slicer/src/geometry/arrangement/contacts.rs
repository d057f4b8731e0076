//! Where two edges meet, exactly: at a corner, or at a fraction of each.

use std::cmp::Ordering;

use super::soup::{Soup, way, wedge};
use crate::geometry::{IntPoint, point};

/// A place on an edge where something else meets it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    pub(super) edge: u32,
    pub(super) ring: u32,
    pub(super) node: u32,
    pub(super) along: Fraction,
}

/// How far along an edge: at least nought and less than one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fraction {
    numerator: i64,
    denominator: i64,
}

impl Fraction {
    const START: Self = Self { numerator: 0, denominator: 1 };

    fn new(numerator: i64, denominator: i64) -> Self {
        if denominator < 0 {
            Self { numerator: -numerator, denominator: -denominator }
        } else {
            Self { numerator, denominator }
        }
    }

    pub(super) fn is_start(self) -> bool {
        self.numerator == 0
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        let left = i128::from(self.numerator) * i128::from(other.denominator);
        left.cmp(&(i128::from(other.numerator) * i128::from(self.denominator)))
    }

    fn of(self, a: IntPoint<i32>, b: IntPoint<i32>) -> IntPoint<i32> {
        let share = self.numerator as f64 / self.denominator as f64;
        let [x, y] = way(a, b);
        point(a.x + (x as f64 * share).round() as i32, a.y + (y as f64 * share).round() as i32)
    }
}

/// All meetings found.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    pub(super) stops: Vec<Stop>,
    /// Where each node is: crossings rounded, corners as they are. One place may have several nodes yet.
    pub(super) places: Vec<IntPoint<i32>>,
    /// The nodes that are corners.
    pub(super) corners: Vec<u32>,
}

/// Notes where two edges, each given with its contour, meet.
pub(super) fn meet(soup: &Soup, (ring, e): (u32, u32), (other, f): (u32, u32), contacts: &mut Contacts) {
    let (a, b, c, d) = (soup.point(e), soup.point(e + 1), soup.point(f), soup.point(f + 1));
    let (ab, cd) = (way(a, b), way(c, d));
    let (c_off, d_off) = (wedge(ab, way(a, c)), wedge(ab, way(a, d)));
    if (c_off > 0 && d_off > 0) || (c_off < 0 && d_off < 0) {
        return;
    }
    let (a_off, b_off) = (wedge(cd, way(c, a)), wedge(cd, way(c, b)));
    if (a_off > 0 && b_off > 0) || (a_off < 0 && b_off < 0) {
        return;
    }
    if c_off != 0 && d_off != 0 && a_off != 0 && b_off != 0 {
        let along_e = Fraction::new(a_off, a_off - b_off);
        let along_f = Fraction::new(c_off, c_off - d_off);
        let node = contacts.places.len() as u32;
        contacts.places.push(along_e.of(a, b));
        contacts.stops.push(Stop { edge: e, ring, node, along: along_e });
        contacts.stops.push(Stop { edge: f, ring: other, node, along: along_f });
        return;
    }
    let mut touch = |off: i64, corner: IntPoint<i32>| {
        if off == 0 {
            contacts.corner(soup, (ring, e), (other, f), corner);
        }
    };
    touch(c_off, c);
    touch(d_off, d);
    touch(a_off, a);
    touch(b_off, b);
}

impl Contacts {
    /// Notes that `corner`, an end of one of the edges, lies on both, if it does; it is known to be on both lines.
    fn corner(&mut self, soup: &Soup, one: (u32, u32), other: (u32, u32), corner: IntPoint<i32>) {
        let (Some(first), Some(second)) = (on(soup, one, corner), on(soup, other, corner)) else { return };
        let node = self.places.len() as u32;
        self.places.push(corner);
        self.corners.push(node);
        for (ring, edge, along) in [first, second] {
            self.stops.push(Stop { edge, ring, node, along });
        }
    }
}

/// Where on this edge the point is, which is on its line; the edge's far end is the start of the next edge.
fn on(soup: &Soup, (ring, edge): (u32, u32), p: IntPoint<i32>) -> Option<(u32, u32, Fraction)> {
    let (a, b) = (soup.point(edge), soup.point(edge + 1));
    if p == a {
        return Some((ring, edge, Fraction::START));
    }
    if p == b {
        return Some((ring, soup.rings[ring as usize].after(edge), Fraction::START));
    }
    let ([x, y], [px, py]) = (way(a, b), way(a, p));
    let along = if x.abs() >= y.abs() { Fraction::new(px, x) } else { Fraction::new(py, y) };
    (along.numerator > 0 && along.numerator < along.denominator).then_some((ring, edge, along))
}
