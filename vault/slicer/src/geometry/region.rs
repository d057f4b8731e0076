//! A region: clean shapes, each an outer contour and its holes.

use super::arrangement::{Family, Soup, Unarranged, Winding, shapes};
use super::offset::{Corners, offset};
use super::{IntPoint, engine, narrow, simplify_closed};

/// Nothing finer than this survives an offset, in micrometres: what a stepper hardly resolves.
const GRAIN: i32 = 6;

/// Less than this in a whole layer holds no line, in square micrometres.
const CRUMB: f64 = 0.02e6;

/// Shapes that don't touch each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Region {
    shapes: Vec<Vec<Vec<IntPoint<i32>>>>,
}

impl Region {
    /// Everything that any of the contours winds around, whichever way.
    pub(crate) fn wound(contours: &[Vec<IntPoint<i32>>]) -> Self {
        Self::wound_within(contours, usize::MAX).expect("no contours meet so often")
    }

    /// The same of contours from outside; nothing if they meet more than `most` times.
    pub(crate) fn wound_within(contours: &[Vec<IntPoint<i32>>], most: usize) -> Option<Self> {
        let soup = soup(contours, &[]);
        match shapes(&soup, most, |at| at.subject != 0) {
            Ok(shapes) => Some(Self { shapes }),
            Err(Unarranged::Inexact) => Some(Self { shapes: engine::wound(contours) }),
            Err(Unarranged::Tangled) => None,
        }
    }

    /// One clean shape as a region.
    pub(crate) fn of_shape(shape: &[Vec<IntPoint<i32>>]) -> Self {
        Self { shapes: vec![shape.to_vec()] }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// Each shape: its outer contour, then its holes.
    pub(crate) fn shapes(&self) -> &[Vec<Vec<IntPoint<i32>>>] {
        &self.shapes
    }

    pub(crate) fn contours(&self) -> impl Iterator<Item = &Vec<IntPoint<i32>>> + Clone {
        self.shapes.iter().flatten()
    }

    /// Area in square micrometres.
    pub(crate) fn area(&self) -> f64 {
        self.contours().map(|contour| signed_area(contour)).sum()
    }

    pub(crate) fn bounds(&self) -> Option<Bounds> {
        self.shapes.iter().filter_map(|shape| Bounds::of(shape.first()?)).reduce(Bounds::with)
    }

    /// What any of `parts` covers.
    pub(crate) fn united(parts: &[&Self]) -> Self {
        Self::left(parts, &[])
    }

    /// What any of `parts` covers and none of `taken` does.
    pub(crate) fn left(parts: &[&Self], taken: &[&Self]) -> Self {
        let parts: Vec<&Self> = parts.iter().filter(|part| !part.is_empty()).copied().collect();
        let whole = taken.iter().all(|other| other.is_empty());
        match parts[..] {
            [] => return Self::default(),
            [only] if whole => return only.clone(),
            _ => {}
        }
        let subject = parts.iter().flat_map(|part| part.contours());
        let clip = taken.iter().flat_map(|other| other.contours());
        Self::combined(subject, clip, Rule::Without)
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        if self.is_empty() || self == other {
            return Self::default();
        }
        if other.is_empty() {
            self.clone()
        } else {
            Self::combined(self.contours(), other.contours(), Rule::Without)
        }
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        if self.is_empty() || other.is_empty() {
            return Self::default();
        }
        if self == other {
            self.clone()
        } else {
            Self::combined(self.contours(), other.contours(), Rule::Within)
        }
    }

    /// What `part`, which lies within, leaves of this; nothing where the areas say so, which is far quicker.
    pub(crate) fn beyond(&self, part: &Self) -> Self {
        if self.area() - part.area() < CRUMB { Self::default() } else { self.minus(part) }
    }

    /// Grown by `by` micrometres on every side; shrunk where `by` is negative. Corners stay sharp.
    pub(crate) fn grown(&self, by: i32) -> Self {
        if self.is_empty() || by == 0 {
            return self.clone();
        }
        Self { shapes: offset(self, by, Corners::Sharp) }.thinned()
    }

    /// Grown so that no point outside is nearer than `by` micrometres, sharp corners included: they are rounded.
    pub(crate) fn surrounded(&self, by: i32) -> Self {
        if self.is_empty() || by == 0 {
            return self.clone();
        }
        // Thinning takes up to a grain.
        Self { shapes: offset(self, by + GRAIN, Corners::Round) }.thinned()
    }

    pub(crate) fn shrunk(&self, by: i32) -> Self {
        self.grown(-by)
    }

    /// Without the parts narrower than twice `radius`.
    pub(crate) fn opened(&self, radius: i32) -> Self {
        self.shrunk(radius).grown(radius)
    }

    /// Without the shapes that are smaller than `area` square micrometres.
    pub(crate) fn without_specks(mut self, area: f64) -> Self {
        self.shapes.retain(|shape| shape.iter().map(|contour| signed_area(contour)).sum::<f64>() >= area);
        self
    }

    /// Without the shapes for which `unwanted` says so.
    pub(crate) fn without(mut self, unwanted: impl Fn(&Self) -> bool) -> Self {
        self.shapes.retain(|shape| !unwanted(&Self::of_shape(shape)));
        self
    }

    /// The same region elsewhere.
    pub(crate) fn moved(mut self, by: IntPoint<i32>) -> Self {
        for p in self.shapes.iter_mut().flatten().flatten() {
            *p = IntPoint::new(p.x + by.x, p.y + by.y);
        }
        self
    }

    /// Where the line along x at half of `doubled`, which is odd, runs inside: from and to, in order.
    pub(crate) fn spans(&self, doubled: i64) -> Vec<[i32; 2]> {
        let mut crossings = Vec::new();
        for contour in self.contours() {
            let Some(last) = contour.last() else { continue };
            let mut from = *last;
            for to in contour {
                let [low, high] = [from, *to].map(|p| 2 * i64::from(p.y) - doubled);
                if (low < 0) != (high < 0) {
                    let share = low as f64 / (low - high) as f64;
                    let run = f64::from(to.x) - f64::from(from.x);
                    crossings.push((f64::from(from.x) + run * share).round() as i32);
                }
                from = *to;
            }
        }
        crossings.sort_unstable();
        crossings.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
    }

    /// The shapes with a place narrower than `width` micrometres, and the others.
    pub(crate) fn parted(&self, width: i32) -> (Self, Self) {
        let (narrow, broad) = self.shapes.iter().cloned().partition(|shape| narrow(shape, width));
        (Self { shapes: narrow }, Self { shapes: broad })
    }

    /// Both, where no shape of one touches any of the other.
    pub(crate) fn beside(mut self, mut apart: Self) -> Self {
        self.shapes.append(&mut apart.shapes);
        self
    }

    /// Without points that shape nothing: offsets leave many, and every later stage pays for each.
    fn thinned(self) -> Self {
        self.simplified(GRAIN)
    }

    /// With fewer points; the edge moves by at most `tolerance` micrometres.
    pub(crate) fn simplified(mut self, tolerance: i32) -> Self {
        for shape in &mut self.shapes {
            for contour in shape.iter_mut() {
                if contour.len() > 8 {
                    let simpler = simplify_closed(contour, tolerance);
                    if simpler.len() > 2 {
                        *contour = simpler;
                    }
                }
            }
        }
        self
    }

    fn combined<'a>(
        subject: impl Iterator<Item = &'a Vec<IntPoint<i32>>> + Clone,
        clip: impl Iterator<Item = &'a Vec<IntPoint<i32>>> + Clone,
        rule: Rule,
    ) -> Self {
        let soup = soup(subject.clone(), clip.clone());
        let shapes = shapes(&soup, usize::MAX, |at| rule.holds(at));
        Self { shapes: shapes.unwrap_or_else(|_| engine::combined(subject, clip, rule)) }
    }
}

/// What a set operation keeps of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// What no clip covers.
    Without,
    /// What a clip covers.
    Within,
}

impl Rule {
    fn holds(self, at: Winding) -> bool {
        at.subject != 0 && (at.clip != 0) == (self == Self::Within)
    }
}

/// Contours of both families side by side.
fn soup<'a>(
    subject: impl IntoIterator<Item = &'a Vec<IntPoint<i32>>, IntoIter: Clone>,
    clip: impl IntoIterator<Item = &'a Vec<IntPoint<i32>>, IntoIter: Clone>,
) -> Soup {
    let (subject, clip) = (subject.into_iter(), clip.into_iter());
    let points = subject.clone().chain(clip.clone()).map(|contour| contour.len() + 1).sum();
    let mut soup = Soup::with_room(points);
    for contour in subject {
        soup.add(contour.iter().copied(), Family::Subject);
    }
    for contour in clip {
        soup.add(contour.iter().copied(), Family::Clip);
    }
    soup.merge_repeated();
    soup
}

/// Twice-signed area halved: positive for counter-clockwise contours.
pub(crate) fn signed_area(contour: &[IntPoint<i32>]) -> f64 {
    let Some(last) = contour.last() else { return 0.0 };
    let mut from = *last;
    let mut double = 0_i64;
    for to in contour {
        double += i64::from(from.x) * i64::from(to.y) - i64::from(to.x) * i64::from(from.y);
        from = *to;
    }
    double as f64 / 2.0
}

/// Whether `p` lies within the shape; on its edge either answer may come.
pub(crate) fn inside(shape: &[Vec<IntPoint<i32>>], p: IntPoint<i32>) -> bool {
    shape.iter().fold(false, |within, contour| within ^ encloses(contour, p))
}

/// Whether `p` lies within one contour, whichever way it winds; on its edge either answer may come.
pub(crate) fn encloses(contour: &[IntPoint<i32>], p: IntPoint<i32>) -> bool {
    let Some(last) = contour.last() else { return false };
    let (mut a, mut within) = (*last, false);
    for b in contour {
        if (a.y > p.y) != (b.y > p.y) {
            let (ax, ay) = (i64::from(a.x) - i64::from(p.x), i64::from(a.y) - i64::from(p.y));
            let (bx, by) = (i64::from(b.x) - i64::from(p.x), i64::from(b.y) - i64::from(p.y));
            let cross = ax * by - bx * ay;
            within ^= (cross > 0) == (by > ay);
        }
        a = *b;
    }
    within
}

/// A box around points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) min: IntPoint<i32>,
    pub(crate) max: IntPoint<i32>,
}

impl Bounds {
    pub(crate) fn of(points: &[IntPoint<i32>]) -> Option<Self> {
        points.iter().map(|p| Self { min: *p, max: *p }).reduce(Self::with)
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            min: IntPoint::new(self.min.x.min(other.min.x), self.min.y.min(other.min.y)),
            max: IntPoint::new(self.max.x.max(other.max.x), self.max.y.max(other.max.y)),
        }
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        let apart = other.min.x > self.max.x
            || other.max.x < self.min.x
            || other.min.y > self.max.y
            || other.max.y < self.min.y;
        !apart
    }

    /// The stretch of the line from `a` to `b` that lies within; none where it passes by.
    pub(crate) fn clipped(&self, a: IntPoint<i32>, b: IntPoint<i32>) -> Option<[IntPoint<i32>; 2]> {
        let (mut from, mut to) = (0.0_f64, 1.0_f64);
        for (start, end, low, high) in
            [(a.x, b.x, self.min.x, self.max.x), (a.y, b.y, self.min.y, self.max.y)]
        {
            let way = f64::from(end) - f64::from(start);
            let share = |at: i32| (f64::from(at) - f64::from(start)) / way;
            if start == end {
                if !(low..=high).contains(&start) {
                    return None;
                }
            } else {
                let (enters, leaves) = (share(low).min(share(high)), share(low).max(share(high)));
                (from, to) = (from.max(enters), to.min(leaves));
            }
        }
        let along = |start: i32, end: i32, share: f64| {
            (f64::from(start) + (f64::from(end) - f64::from(start)) * share).round() as i32
        };
        let at = |share: f64| IntPoint::new(along(a.x, b.x, share), along(a.y, b.y, share));
        (from <= to).then(|| [at(from), at(to)])
    }

    pub(crate) fn holds(&self, p: IntPoint<i32>) -> bool {
        (self.min.x..=self.max.x).contains(&p.x) && (self.min.y..=self.max.y).contains(&p.y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::point;

    fn square(side: i32) -> Vec<IntPoint<i32>> {
        [(0, 0), (side, 0), (side, side), (0, side)].map(|(x, y)| point(x, y)).to_vec()
    }

    #[test]
    fn a_body_inside_a_body_of_the_same_facing_stays_solid() {
        let inner = square(2_000).iter().map(|p| point(p.x + 1_000, p.y + 1_000)).collect();
        assert_eq!(Region::wound(&[square(5_000), inner]).area(), 25e6);
    }

    #[test]
    fn a_body_that_is_there_often_is_one_body_and_its_void_stays_empty() {
        let void: Vec<_> = square(2_000).iter().rev().map(|p| point(p.x + 1_000, p.y + 1_000)).collect();
        let often: Vec<_> = (0..2_000).flat_map(|_| [square(5_000), void.clone()]).collect();
        assert_eq!(Region::wound(&often).area(), 21e6);
        assert_eq!(Region::wound(&[square(5_000), square(5_000), void]).area(), 25e6);
        let (one, two) = (Region::wound(&often[..2]), Region::wound(&[square(5_000)]));
        assert_eq!(two.minus(&one).area(), 4e6);
    }

    #[test]
    fn a_void_that_faces_inward_stays_empty() {
        let void = square(2_000).iter().rev().map(|p| point(p.x + 1_000, p.y + 1_000)).collect();
        let region = Region::wound(&[square(5_000), void]);
        assert_eq!(region.area(), 21e6);
        assert!(!inside(&region.shapes()[0], point(2_000, 2_000)));
        assert!(inside(&region.shapes()[0], point(500, 2_000)));
    }

    #[test]
    fn what_is_left_is_in_any_part_and_in_nothing_taken() {
        let shifted =
            |by: i32| Region::wound(&[square(5_000).iter().map(|p| point(p.x + by, p.y)).collect()]);
        let (a, b) = (shifted(0), shifted(3_000));
        assert_eq!(Region::united(&[&a, &b]).area(), 40e6);
        assert_eq!(Region::left(&[&a, &b], &[&shifted(-3_000), &shifted(7_000)]).area(), 25e6);
        assert!(Region::left(&[&Region::default()], &[&a]).is_empty());
    }

    #[test]
    fn surroundings_keep_their_distance_from_a_needles_point_too() {
        let needle = [(0, 0), (10_000, 300), (0, 600)].map(|(x, y)| point(x, y)).to_vec();
        let around = Region::wound(std::slice::from_ref(&needle)).surrounded(500);
        let tip = needle[1];
        let nearest = around.contours().flatten().map(|p| crate::geometry::distance(*p, tip));
        assert!(nearest.fold(f64::MAX, f64::min) >= 500.0);
        assert!(around.bounds().expect("not empty").max.x < 10_540);
    }

    #[test]
    fn a_line_runs_inside_between_the_edges_it_crosses() {
        let hole = square(2_000).iter().rev().map(|p| point(p.x + 1_000, p.y + 1_000)).collect();
        let region = Region::wound(&[square(5_000), hole]).moved(point(100, 0));
        assert_eq!(region.spans(2 * 500 + 1), [[100, 5_100]]);
        assert_eq!(region.spans(2 * 2_000 + 1), [[100, 1_100], [3_100, 5_100]]);
        assert!(region.spans(-1).is_empty() && region.spans(2 * 5_000 + 1).is_empty());
    }

    #[test]
    fn shrinking_and_growing_keeps_a_squares_corners() {
        let region = Region::wound(&[square(5_000)]);
        assert_eq!(region.opened(500), region);
        assert_eq!(region.shrunk(500).area(), 16e6);
        assert!(region.shrunk(2_600).is_empty());
    }
}
