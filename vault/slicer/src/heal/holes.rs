//! Holes of few edges are filled; the slit a T-junction leaves is such a hole, only without area.
//!
//! A hole's rim is followed from open edge to open edge. Where two rims meet in a corner the way on is not sure, and
//! the hole is left to the cut, which closes it straight in each layer, as it does with holes of many edges. The rim of a
//! patch that hangs on nothing is no hole: to fill it would be to give it a back. So what fills a hole must be little
//! against the shell it is in.

use super::facing::Shells;
use crate::mesh::Mesh;
use crate::mesh::polygon;

/// Most edges of a hole that is filled: more is a part of the body that is missing, not a fault in it.
const EDGES: usize = 64;

/// A hole whose area is less than this share of its rim's length squared is a slit.
pub(super) const SLIT: f64 = 1e-4;

/// Fills; gives how many holes and how many slits.
pub(super) fn fill(mesh: &mut Mesh, faulty: &[bool]) -> (u32, u32) {
    let shells = Shells::of(mesh);
    let faces = shells.faces(mesh);
    let is_hole = |rim: &Vec<u32>| 2 * (rim.len() - 2) <= faces[shells.number(rim[0])] as usize;
    let rims: Vec<Vec<u32>> = rims(&open_sides(mesh, faulty)).into_iter().filter(is_hole).collect();
    let (mut holes, mut slits) = (0, 0);
    for rim in rims {
        let Mesh { vertices, triangles } = &mut *mesh;
        if polygon::split(&rim, vertices, triangles).is_ok() {
            if is_slit(&rim, vertices) { slits += 1 } else { holes += 1 }
        }
    }
    (holes, slits)
}

/// Edges with no face on their other side, each as (from, to) the way the missing face would run, by `from`.
pub(super) fn open_sides(mesh: &Mesh, faulty: &[bool]) -> Vec<(u32, u32)> {
    let at_fault = |corner: u32| faulty.get(corner as usize) == Some(&true);
    let mut sides: Vec<(u32, u32, bool)> = Vec::new();
    for &[a, b, c] in &mesh.triangles {
        let edges =
            [(a, b), (b, c), (c, a)].into_iter().filter(|(from, to)| at_fault(*from) && at_fault(*to));
        sides.extend(edges.map(|(from, to)| (from.min(to), from.max(to), from < to)));
    }
    sides.sort_unstable();
    let mut open = Vec::new();
    for same in sides.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (low, high, _) = same[0];
        let upwards = same.iter().filter(|(.., is_upwards)| *is_upwards).count();
        let downwards = same.len() - upwards;
        open.extend(std::iter::repeat_n((high, low), upwards.saturating_sub(downwards)));
        open.extend(std::iter::repeat_n((low, high), downwards.saturating_sub(upwards)));
    }
    open.sort_unstable();
    open
}

/// The closed rims of at most [`EDGES`] edges, each corner of which has one way on.
fn rims(open: &[(u32, u32)]) -> Vec<Vec<u32>> {
    let next = |from: u32| {
        let first = open.partition_point(|(at, _)| *at < from);
        let ways = open[first..].iter().take_while(|(at, _)| *at == from).count();
        (ways == 1).then(|| open[first].1)
    };
    let mut rims = Vec::new();
    for (start, _) in open {
        let mut rim = vec![*start];
        let mut at = next(*start);
        // A rim is taken once: from its lowest corner.
        while let Some(corner) = at.filter(|corner| *corner > *start && rim.len() <= EDGES) {
            rim.push(corner);
            at = next(corner);
        }
        if at == Some(*start) && (3..=EDGES).contains(&rim.len()) {
            rims.push(rim);
        }
    }
    rims
}

fn is_slit(rim: &[u32], vertices: &[[f32; 3]]) -> bool {
    let points: Vec<[f64; 3]> = rim.iter().map(|&at| vertices[at as usize].map(f64::from)).collect();
    let length = |p: [f64; 3]| p.iter().map(|c| c * c).sum::<f64>().sqrt();
    let along = points.iter().zip(points.iter().cycle().skip(1));
    let around: f64 = along.map(|(a, b)| length([0, 1, 2].map(|axis| b[axis] - a[axis]))).sum();
    length(polygon::normal(&points)) / 2.0 < SLIT * around * around
}
