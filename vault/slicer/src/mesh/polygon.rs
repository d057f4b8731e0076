//! A polygon in space as triangles: a fan where that lies inside it, ears cut off one by one where it does not.
//!
//! The polygon is looked at along the axis nearest to its normal (Newell's), so it may be a little out of plane. Cutting
//! ears takes time with the square of the corners, so a polygon with dents may have [`CORNERS`] of them; without dents
//! it may have any number. Ears: Meisters, "Polygons have ears", 1975.

/// Most corners of a polygon with dents.
const CORNERS: usize = 256;

/// A polygon with dents and too many corners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsplittable;

/// Adds the triangles of a polygon of at least three corners, facing as it does.
///
/// Corners whose vertex is not there yet are taken to lie at the origin: they make a fan.
pub(crate) fn split(
    corners: &[u32],
    vertices: &[[f32; 3]],
    triangles: &mut Vec<[u32; 3]>,
) -> Result<(), Unsplittable> {
    let place = |&corner: &u32| vertices.get(corner as usize).copied().unwrap_or_default().map(f64::from);
    let points: Vec<[f64; 3]> = corners.iter().map(place).collect();
    let flat = flatten(&points);
    if has_dents(&flat) {
        if corners.len() > CORNERS {
            return Err(Unsplittable);
        }
        let ears = ears(&flat);
        triangles.extend(ears.into_iter().map(|ear| ear.map(|at| corners[at])));
    } else {
        triangles.extend(corners[1..].windows(2).map(|pair| [corners[0], pair[0], pair[1]]));
    }
    Ok(())
}

/// The polygon seen along its normal's longest axis, counter-clockwise.
fn flatten(points: &[[f64; 3]]) -> Vec<[f64; 2]> {
    let normal = normal(points);
    let across = (0..3).max_by(|&a, &b| normal[a].abs().total_cmp(&normal[b].abs())).unwrap_or(2);
    let (mut u, mut v) = ((across + 1) % 3, (across + 2) % 3);
    if normal[across] < 0.0 {
        (u, v) = (v, u);
    }
    points.iter().map(|p| [p[u], p[v]]).collect()
}

/// Newell's normal, as long as twice the area.
pub(crate) fn normal(points: &[[f64; 3]]) -> [f64; 3] {
    let mut sum = [0.0; 3];
    for (at, a) in points.iter().enumerate() {
        let b = points[(at + 1) % points.len()];
        for (axis, sum) in sum.iter_mut().enumerate() {
            let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
            *sum += (a[u] - b[u]) * (a[v] + b[v]);
        }
    }
    sum
}

/// Whether a corner turns right, or the polygon winds more than once, so that a fan could leave it.
fn has_dents(points: &[[f64; 2]]) -> bool {
    let count = points.len();
    let turns_right = |at: usize| turn(points[at], points[(at + 1) % count], points[(at + 2) % count]) < 0.0;
    // In a polygon without right turns that winds once, every triangle of the fan turns left too.
    let fan_leaves = |at: usize| turn(points[0], points[at], points[at + 1]) < 0.0;
    (0..count).any(turns_right) || (1..count - 1).any(fan_leaves)
}

/// Twice the signed area of a triangle: positive where it turns left.
fn turn(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// Cuts ears until three corners are left. Where there is none, because the polygon crosses itself, the next corner
/// goes as it is: something must, and the report shows what it makes.
fn ears(points: &[[f64; 2]]) -> Vec<[usize; 3]> {
    let mut left: Vec<usize> = (0..points.len()).collect();
    let mut triangles = Vec::with_capacity(points.len() - 2);
    let (mut at, mut tried) = (0, 0);
    while left.len() > 3 {
        let count = left.len();
        let ear = [left[(at + count - 1) % count], left[at], left[(at + 1) % count]];
        if tried < count && !is_ear(ear, points, &left) {
            at = (at + 1) % count;
            tried += 1;
            continue;
        }
        triangles.push(ear);
        left.remove(at);
        // The corner before may have become an ear; looking there first cuts a comb in one go.
        at = (at + left.len() - 1) % left.len();
        tried = 0;
    }
    triangles.push([left[0], left[1], left[2]]);
    triangles
}

fn is_ear([a, b, c]: [usize; 3], points: &[[f64; 2]], left: &[usize]) -> bool {
    let (p, q, r) = (points[a], points[b], points[c]);
    if turn(p, q, r) <= 0.0 {
        return false;
    }
    let inside = |at: [f64; 2]| turn(p, q, at) >= 0.0 && turn(q, r, at) >= 0.0 && turn(r, p, at) >= 0.0;
    let is_corner = |at: [f64; 2]| at == p || at == q || at == r;
    !left.iter().any(|&other| inside(points[other]) && !is_corner(points[other]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(triangles: &[[u32; 3]], vertices: &[[f32; 3]]) -> (f64, f64) {
        let each = triangles.iter().map(|triangle| {
            let [a, b, c] = triangle.map(|at| vertices[at as usize].map(f64::from));
            turn([a[0], a[1]], [b[0], b[1]], [c[0], c[1]]) / 2.0
        });
        each.fold((0.0, 0.0), |(sum, unsigned), area| (sum + area, unsigned + area.abs()))
    }

    fn split_of(points: &[[f32; 2]]) -> (f64, f64, usize) {
        let vertices: Vec<[f32; 3]> = points.iter().map(|&[x, y]| [x, y, 2.0]).collect();
        let corners: Vec<u32> = (0..points.len() as u32).collect();
        let mut triangles = Vec::new();
        split(&corners, &vertices, &mut triangles).unwrap();
        let (sum, unsigned) = area(&triangles, &vertices);
        (sum, unsigned, triangles.len())
    }

    #[test]
    fn a_dented_polygon_is_covered_once_whichever_way_it_runs() {
        let arrow = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [3.0, 1.0]];
        let comb = [
            [0.0, 0.0],
            [5.0, 0.0],
            [5.0, 3.0],
            [4.0, 3.0],
            [4.0, 1.0],
            [3.0, 1.0],
            [3.0, 3.0],
            [2.0, 3.0],
            [2.0, 1.0],
            [1.0, 1.0],
            [1.0, 3.0],
            [0.0, 3.0],
        ];
        for (polygon, expected) in [(&arrow[..], 4.0), (&comb[..], 11.0)] {
            for first in 0..polygon.len() {
                let mut turned = polygon.to_vec();
                turned.rotate_left(first);
                assert_eq!(split_of(&turned), (expected, expected, polygon.len() - 2), "from corner {first}");
                turned.reverse();
                assert_eq!(split_of(&turned), (-expected, expected, polygon.len() - 2), "reversed, {first}");
            }
        }
    }

    #[test]
    fn a_polygon_in_any_plane_faces_as_it_did() {
        for axis in 0..3 {
            for mirrored in [false, true] {
                let arrow = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [3.0, 1.0]];
                let mut vertices = arrow.map(|[x, y]| {
                    let mut v = [7.0_f32; 3];
                    v[(axis + 1) % 3] = x;
                    v[(axis + 2) % 3] = y;
                    v
                });
                if mirrored {
                    vertices.reverse();
                }
                let mut triangles = Vec::new();
                split(&[0, 1, 2, 3], &vertices, &mut triangles).unwrap();
                let normals =
                    triangles.iter().map(|t| normal(&t.map(|at| vertices[at as usize].map(f64::from))));
                let whole = normal(&vertices.map(|v| v.map(f64::from)));
                let sum = normals.fold([0.0; 3], |sum, n| [0, 1, 2].map(|i| sum[i] + n[i]));
                assert_eq!(sum, whole);
                assert_eq!(sum[axis].abs(), 8.0);
            }
        }
    }

    #[test]
    fn many_corners_are_fine_without_dents_and_refused_with_one() {
        let bowl = |n: u32| [n as f32, (n as f32) * (n as f32), 0.0];
        let mut vertices: Vec<[f32; 3]> = (0..1000).map(bowl).collect();
        let corners: Vec<u32> = (0..1000).collect();
        let mut triangles = Vec::new();
        assert_eq!(split(&corners, &vertices, &mut triangles), Ok(()));
        assert_eq!(triangles.len(), 998);
        vertices[500][1] += 1000.0;
        assert_eq!(split(&corners, &vertices, &mut triangles), Err(Unsplittable));
    }

    #[test]
    fn polygons_that_cross_themselves_or_lie_in_a_line_still_end() {
        split_of(&[[0.0, 0.0], [4.0, 4.0], [4.0, 0.0], [0.0, 4.0], [1.0, 7.0]]);
        split_of(&[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]);
        split_of(&[[1.0, 1.0]; 6]);
        let star: Vec<[f32; 2]> =
            (0..5).map(|n| (n as f32 * 2.0 * std::f32::consts::TAU / 5.0).sin_cos().into()).collect();
        split_of(&star);
    }
}
