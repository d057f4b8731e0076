//! Ends of middle lines that stop short of each other, brought together: at corners, and where a ring closes.
//!
//! Near a corner an edge looks past the other arm, so both arms' lines stop before it. Each is drawn on to where
//! the two would meet, or halfway where they face each other.

use super::{STEP, Stroke, Tips};
use crate::geometry::{IntPoint, distance, midpoint, point, towards};

/// Shapes with more lines than this are lace; their ends lie close enough as they are.
const MANY: usize = 400;

/// How far a line's round end may stick out, so that a square tip is still mostly filled, in micrometres.
const OVERHANG: f64 = 40.0;

/// An end of a stroke, and which way the line would go on.
#[derive(Clone, Copy)]
struct End {
    stroke: usize,
    last: bool,
    at: IntPoint<i32>,
    way: [f64; 2],
    reach: f64,
}

/// Draws the strokes on to where their ends meet; each end meets at most one other. Ends that meet none are
/// drawn back where they are `Tips::Free`.
pub(super) fn join_ends(strokes: &mut [Stroke], tips: Tips) {
    if strokes.len() > MANY {
        return;
    }
    let ends: Vec<End> = (0..strokes.len()).flat_map(|at| ends_of(strokes, at)).collect();
    let mut met = vec![false; ends.len()];
    for a in 0..ends.len() {
        let partner = (a + 1..ends.len())
            .filter(|b| !met[a] && !met[*b])
            .filter_map(|b| Some((distance(ends[a].at, ends[b].at), b, meeting(&ends[a], &ends[b])?)))
            .min_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
        if let Some((_, b, place)) = partner {
            met[a] = true;
            met[b] = true;
            extend(strokes, &ends[a], place);
            extend(strokes, &ends[b], place);
        }
    }
    if tips == Tips::Free {
        let alone = ends.iter().zip(&met).filter(|(_, met)| !**met);
        alone.for_each(|(end, _)| draw_back(&mut strokes[end.stroke], end.last));
    }
}

/// Shortens a line whose round end would stick out of the part; what it adjoins elsewhere it still touches.
fn draw_back(stroke: &mut Stroke, last: bool) {
    let excess = f64::from(stroke.breadth) / 2.0 - STEP / 2.0 - OVERHANG;
    let count = stroke.points.len();
    let (tip, before) = if last { (count - 1, count - 2) } else { (0, 1) };
    let room = distance(stroke.points[tip], stroke.points[before]);
    if excess > 0.0 && room > 2.0 * excess {
        stroke.points[tip] = towards(stroke.points[tip], stroke.points[before], excess);
    }
}

fn ends_of(strokes: &[Stroke], stroke: usize) -> Vec<End> {
    let Stroke { points, breadth } = &strokes[stroke];
    let reach = 1.5 * f64::from(*breadth) + STEP;
    let end = |last: bool, at: IntPoint<i32>, before: IntPoint<i32>| {
        let length = distance(before, at).max(1.0);
        let way = [f64::from(at.x - before.x) / length, f64::from(at.y - before.y) / length];
        End { stroke, last, at, way, reach }
    };
    match points.as_slice() {
        [first, second, ..] => {
            let (tail, before) = (points[points.len() - 1], points[points.len() - 2]);
            vec![end(false, *first, *second), end(true, tail, before)]
        }
        _ => Vec::new(),
    }
}

/// Where two ends meet, if they do: ahead of both and near both.
fn meeting(a: &End, b: &End) -> Option<IntPoint<i32>> {
    let reach = a.reach.max(b.reach);
    let apart = distance(a.at, b.at);
    if apart > 2.0 * reach || apart == 0.0 {
        return None;
    }
    let cosine = a.way[0] * b.way[0] + a.way[1] * b.way[1];
    let gap = [f64::from(b.at.x) - f64::from(a.at.x), f64::from(b.at.y) - f64::from(a.at.y)];
    if cosine < -0.9 {
        // Facing each other: one line with a break, if the gap lies straight ahead.
        let straight = (a.way[0] * gap[0] + a.way[1] * gap[1]) / apart;
        return (straight > 0.7).then(|| midpoint(a.at, b.at));
    }
    let slant = a.way[0] * b.way[1] - a.way[1] * b.way[0];
    if slant.abs() < 0.2 {
        return None;
    }
    let ahead_a = (gap[0] * b.way[1] - gap[1] * b.way[0]) / slant;
    let ahead_b = (gap[0] * a.way[1] - gap[1] * a.way[0]) / slant;
    let fits = |length: f64| (0.0..=reach).contains(&length);
    (fits(ahead_a) && fits(ahead_b)).then(|| {
        let along = |from: i32, way: f64| (f64::from(from) + way * ahead_a).round() as i32;
        point(along(a.at.x, a.way[0]), along(a.at.y, a.way[1]))
    })
}

fn extend(strokes: &mut [Stroke], end: &End, place: IntPoint<i32>) {
    let points = &mut strokes[end.stroke].points;
    if end.last { points.push(place) } else { points.insert(0, place) }
}
