//! The line along the middle of a narrow shape, with its breadth.
//!
//! Each point of the shape's edge looks straight across to the opposite edge; halfway lies the middle. Walking
//! along the edge gives the middle as a line; the edge looked at is crossed off as it goes, so that each
//! stretch is laid once. Where the shape is broader than a line could be, nothing faces nearby and the walk
//! breaks. This needs no Voronoi diagram: shapes here are narrow, so across is nearest.

mod meet;

use crate::geometry::{IntPoint, distance, length_along, point, simplify_open, towards};

/// Distance between the points that look across, in micrometres.
const STEP: f64 = 150.0;

/// A line ends and another begins where the breadth is off the line's own by this share: half of what the width
/// changes by from line to line.
const CHANGE: f64 = 0.04;

/// Breadths nearer than this are the same, in micrometres: half of what a nozzle's line varies by anyway.
const ALIKE: f64 = 15.0;

/// How far the middle's points may be from the line laid, in micrometres.
const DETAIL: i32 = 12;

/// A line along the middle of a narrow shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stroke {
    pub(super) points: Vec<IntPoint<i32>>,
    /// How broad the shape is along it, in micrometres.
    pub(super) breadth: i32,
}

/// What lies beyond the shape's tips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tips {
    /// Air: the line's round end must not stick out.
    Free,
    /// Other lines: the line reaches as far as it can.
    Held,
}

/// A place on the shape's edge that looks across.
#[derive(Debug, Clone, Copy)]
struct Lookout {
    at: [f64; 2],
    /// Inward, of length one.
    inward: [f64; 2],
    /// Which contour it is on.
    contour: usize,
}

/// What a lookout sees.
#[derive(Debug, Clone, Copy)]
struct Sight {
    middle: IntPoint<i32>,
    breadth: f64,
    /// The lookout itself.
    from: usize,
    /// The lookout nearest to the place seen.
    opposite: usize,
}

/// The middle lines of `shape`, where it is no broader than `broadest` micrometres.
pub(super) fn strokes(shape: &[Vec<IntPoint<i32>>], broadest: i32, tips: Tips) -> Vec<Stroke> {
    let lookouts = lookouts(shape);
    let edges = Edges::new(shape, &lookouts, f64::from(broadest));
    let mut taken = vec![false; lookouts.len()];
    let mut strokes = Vec::new();
    let mut run: Vec<Sight> = Vec::new();
    for (at, lookout) in lookouts.iter().enumerate() {
        if taken[at] {
            continue;
        }
        let Some(sight) = edges.across(lookout, at) else { continue };
        taken[at] = true;
        if run.last().is_some_and(|last| apart(last, &sight, &lookouts)) {
            finish(&mut strokes, &mut run);
        }
        let before = run.last().map(|last| last.opposite);
        cross_off(&mut taken, &lookouts, before, sight.opposite);
        run.push(sight);
    }
    finish(&mut strokes, &mut run);
    meet::join_ends(&mut strokes, tips);
    strokes
}

/// Whether two middles seen in turn are on different lines: on another edge, around a corner, or far away.
fn apart(a: &Sight, b: &Sight, lookouts: &[Lookout]) -> bool {
    let (from, to) = (&lookouts[a.from], &lookouts[b.from]);
    let cosine = from.inward[0] * to.inward[0] + from.inward[1] * to.inward[1];
    let reach = 4.0 * STEP + a.breadth.max(b.breadth);
    from.contour != to.contour || cosine < 0.9 || distance(a.middle, b.middle) > reach
}

/// Crosses off what lies between two places seen in turn.
fn cross_off(taken: &mut [bool], lookouts: &[Lookout], last: Option<usize>, now: usize) {
    taken[now] = true;
    let Some(last) = last else { return };
    let (low, high) = (last.min(now), last.max(now));
    // A jump to elsewhere on the edge says nothing about what lies between.
    if lookouts[last].contour == lookouts[now].contour && high - low <= 8 {
        taken[low..=high].fill(true);
    }
}

/// Makes strokes of a run, one for each stretch of much the same breadth.
fn finish(strokes: &mut Vec<Stroke>, run: &mut Vec<Sight>) {
    let run = std::mem::take(run);
    let mut from = 0;
    while from < run.len() {
        let (mut to, mut sum) = (from + 1, run[from].breadth);
        while to < run.len()
            && (run[to].breadth - sum / (to - from) as f64).abs() <= (CHANGE * run[from].breadth).max(ALIKE)
        {
            sum += run[to].breadth;
            to += 1;
        }
        let breadth = sum / (to - from) as f64;
        // A stretch begins where the one before it ended.
        let points: Vec<_> = run[from.saturating_sub(1)..to].iter().map(|sight| sight.middle).collect();
        push_stroke(strokes, points, breadth);
        from = to;
    }
}

/// Adds a stroke unless the ones before it cover it.
fn push_stroke(strokes: &mut Vec<Stroke>, points: Vec<IntPoint<i32>>, breadth: f64) {
    let mut points = simplify_open(&points, DETAIL);
    let length = length_along(&points);
    let middle = points[points.len() / 2];
    let near = |stroke: &Stroke| {
        let reach = f64::from(stroke.breadth) / 2.0;
        stroke.points.windows(2).any(|pair| beside(pair[0], pair[1], middle) < reach)
    };
    if length < breadth && strokes.iter().any(near) {
        return;
    }
    if length < 30.0 {
        // A dot: as much line as the machine can be told to draw.
        points = vec![point(middle.x - 25, middle.y), point(middle.x + 25, middle.y)];
    }
    strokes.push(Stroke { points, breadth: breadth.round() as i32 });
}

/// Distance of `p` from the straight line between `a` and `b`.
fn beside(a: IntPoint<i32>, b: IntPoint<i32>, p: IntPoint<i32>) -> f64 {
    let length = distance(a, b);
    if length == 0.0 {
        return distance(a, p);
    }
    let along = ((f64::from(p.x) - f64::from(a.x)) * (f64::from(b.x) - f64::from(a.x))
        + (f64::from(p.y) - f64::from(a.y)) * (f64::from(b.y) - f64::from(a.y)))
        / length;
    distance(towards(a, b, along.clamp(0.0, length)), p)
}

/// Places along every contour, at most a step apart.
fn lookouts(shape: &[Vec<IntPoint<i32>>]) -> Vec<Lookout> {
    let mut lookouts = Vec::new();
    for (contour, points) in shape.iter().enumerate() {
        for (at, a) in points.iter().enumerate() {
            let b = points[(at + 1) % points.len()];
            let length = distance(*a, b);
            if length < 1.0 {
                continue;
            }
            let way =
                [(f64::from(b.x) - f64::from(a.x)) / length, (f64::from(b.y) - f64::from(a.y)) / length];
            let count = (length / STEP).ceil();
            for nth in 0..count as usize {
                let along = (nth as f64 + 0.5) * length / count;
                let at = [f64::from(a.x) + way[0] * along, f64::from(a.y) + way[1] * along];
                lookouts.push(Lookout { at, inward: [-way[1], way[0]], contour });
            }
        }
    }
    lookouts
}

/// The shape's edge as the pieces around each lookout, in buckets to look them up by place.
struct Edges<'a> {
    lookouts: &'a [Lookout],
    pieces: Vec<[f64; 4]>,
    cell: f64,
    origin: [f64; 2],
    columns: usize,
    rows: usize,
    /// Where each bucket's pieces begin in `items`.
    starts: Vec<u32>,
    items: Vec<u32>,
    reach: f64,
}

impl<'a> Edges<'a> {
    fn new(shape: &[Vec<IntPoint<i32>>], lookouts: &'a [Lookout], reach: f64) -> Self {
        let pieces = pieces(shape);
        debug_assert_eq!(pieces.len(), lookouts.len());
        let (mut low, mut high) = ([f64::MAX; 2], [f64::MIN; 2]);
        for piece in &pieces {
            for axis in 0..2 {
                low[axis] = low[axis].min(piece[axis]).min(piece[axis + 2]);
                high[axis] = high[axis].max(piece[axis]).max(piece[axis + 2]);
            }
        }
        let widest = (high[0] - low[0]).max(high[1] - low[1]).max(1.0);
        let cell = reach.max(widest / 256.0);
        let columns = ((high[0] - low[0]) / cell) as usize + 1;
        let rows = ((high[1] - low[1]) / cell) as usize + 1;
        let mut edges = Self {
            lookouts,
            pieces,
            cell,
            origin: low,
            columns,
            rows,
            starts: Vec::new(),
            items: Vec::new(),
            reach,
        };
        edges.fill();
        edges
    }

    /// Sorts the pieces into buckets by their middle; a piece is shorter than a cell.
    fn fill(&mut self) {
        let buckets: Vec<usize> =
            self.pieces.iter().map(|p| self.bucket((p[0] + p[2]) / 2.0, (p[1] + p[3]) / 2.0)).collect();
        let mut starts = vec![0_u32; self.columns * self.rows + 1];
        for bucket in &buckets {
            starts[bucket + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        self.items = vec![0; self.pieces.len()];
        for (piece, bucket) in buckets.into_iter().enumerate() {
            self.items[next[bucket] as usize] = piece as u32;
            next[bucket] += 1;
        }
        self.starts = starts;
    }

    fn column(&self, x: f64) -> usize {
        (((x - self.origin[0]) / self.cell).max(0.0) as usize).min(self.columns - 1)
    }

    fn row(&self, y: f64) -> usize {
        (((y - self.origin[1]) / self.cell).max(0.0) as usize).min(self.rows - 1)
    }

    fn bucket(&self, x: f64, y: f64) -> usize {
        self.row(y) * self.columns + self.column(x)
    }

    /// What this lookout sees straight across, if anything within reach faces it.
    fn across(&self, from: &Lookout, number: usize) -> Option<Sight> {
        let to = [from.at[0] + from.inward[0] * self.reach, from.at[1] + from.inward[1] * self.reach];
        let margin = STEP;
        let columns =
            self.column(from.at[0].min(to[0]) - margin)..=self.column(from.at[0].max(to[0]) + margin);
        let mut nearest: Option<(f64, usize)> = None;
        for row in self.row(from.at[1].min(to[1]) - margin)..=self.row(from.at[1].max(to[1]) + margin) {
            for column in columns.clone() {
                let bucket = row * self.columns + column;
                let items = &self.items[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
                for piece in items {
                    let Some(far) = hit(from, &self.pieces[*piece as usize]) else { continue };
                    if far > 1.0 && far <= self.reach && nearest.is_none_or(|(known, _)| far < known) {
                        nearest = Some((far, *piece as usize));
                    }
                }
            }
        }
        let (far, opposite) = nearest?;
        let facing = self.lookouts[opposite].inward;
        let against = -(facing[0] * from.inward[0] + facing[1] * from.inward[1]);
        // Edges that meet in a corner see each other too; only those that face make a narrow place.
        if against < 0.5 {
            return None;
        }
        let half = far / 2.0;
        let middle = point(
            (from.at[0] + from.inward[0] * half).round() as i32,
            (from.at[1] + from.inward[1] * half).round() as i32,
        );
        Some(Sight { middle, breadth: far * against.sqrt(), from: number, opposite })
    }
}

/// The stretch of edge around each lookout, in the same order.
fn pieces(shape: &[Vec<IntPoint<i32>>]) -> Vec<[f64; 4]> {
    let mut pieces = Vec::new();
    for points in shape {
        for (at, a) in points.iter().enumerate() {
            let b = points[(at + 1) % points.len()];
            let length = distance(*a, b);
            if length < 1.0 {
                continue;
            }
            let count = (length / STEP).ceil();
            let part = |share: f64| {
                [
                    f64::from(a.x) + (f64::from(b.x) - f64::from(a.x)) * share,
                    f64::from(a.y) + (f64::from(b.y) - f64::from(a.y)) * share,
                ]
            };
            for nth in 0..count as usize {
                let (from, to) = (part(nth as f64 / count), part((nth + 1) as f64 / count));
                pieces.push([from[0], from[1], to[0], to[1]]);
            }
        }
    }
    pieces
}

/// How far along its look a lookout meets a piece of edge.
fn hit(from: &Lookout, piece: &[f64; 4]) -> Option<f64> {
    let edge = [piece[2] - piece[0], piece[3] - piece[1]];
    let slant = from.inward[0] * edge[1] - from.inward[1] * edge[0];
    if slant == 0.0 {
        return None;
    }
    let gap = [piece[0] - from.at[0], piece[1] - from.at[1]];
    let far = (gap[0] * edge[1] - gap[1] * edge[0]) / slant;
    let share = (gap[0] * from.inward[1] - gap[1] * from.inward[0]) / slant;
    (far > 0.0 && (0.0..=1.0).contains(&share)).then_some(far)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rectangle(width: i32, height: i32) -> Vec<Vec<IntPoint<i32>>> {
        vec![[(0, 0), (width, 0), (width, height), (0, height)].map(|(x, y)| point(x, y)).to_vec()]
    }

    #[test]
    fn a_narrow_rectangle_has_one_line_along_its_middle() {
        let strokes = strokes(&rectangle(20_000, 400), 900, Tips::Held);
        assert_eq!(strokes.len(), 1, "{strokes:?}");
        assert_eq!(strokes[0].breadth, 400);
        assert!(strokes[0].points.iter().all(|p| (p.y - 200).abs() <= 1));
        assert!(length_along(&strokes[0].points) > 19_000.0);
    }

    #[test]
    fn a_narrow_ring_has_one_line_around_it() {
        let circle = |radius: f64, turn: f64| -> Vec<IntPoint<i32>> {
            (0..200)
                .map(|at| f64::from(at) * turn * std::f64::consts::TAU / 200.0)
                .map(|angle| point((radius * angle.cos()) as i32, (radius * angle.sin()) as i32))
                .collect()
        };
        let strokes = strokes(&[circle(5_300.0, 1.0), circle(5_000.0, -1.0)], 900, Tips::Held);
        let length: f64 = strokes.iter().map(|stroke| length_along(&stroke.points)).sum();
        assert!((length - 5_150.0 * std::f64::consts::TAU).abs() < 1_000.0, "{length}");
        assert!(strokes.iter().all(|stroke| (stroke.breadth - 300).abs() < 15));
    }

    #[test]
    fn the_line_goes_around_a_corner_without_a_break() {
        let arms = [(0, 0), (10_000, 0), (10_000, 500), (500, 500), (500, 10_000), (0, 10_000)];
        let strokes = strokes(&[arms.map(|(x, y)| point(x, y)).to_vec()], 900, Tips::Held);
        assert_eq!(strokes.len(), 2, "{strokes:?}");
        assert!(strokes.iter().all(|stroke| stroke.points.contains(&point(250, 250))), "{strokes:?}");
    }

    #[test]
    fn a_broad_square_has_none() {
        assert!(strokes(&rectangle(5_000, 5_000), 900, Tips::Held).is_empty());
    }

    #[test]
    fn a_speck_becomes_a_dot_and_not_nothing() {
        let strokes = strokes(&rectangle(310, 310), 900, Tips::Held);
        assert!(!strokes.is_empty());
        assert!(strokes.iter().all(|stroke| length_along(&stroke.points) <= 310.0));
    }
}
