//! Openings in the underside are closed down to the floor: a scan of what stood on a table has no bottom, and ends
//! above it in a ragged rim.
//!
//! The rim is carried straight down to the height of the mesh's lowest corner and closed there. To span it instead, as a
//! hole elsewhere is, would make a bottom as ragged as the rim, which touches the bed in spots. Such a rim reaches the
//! floor and lies near it all around; a ceiling that lacks its faces does not, and is left to [`super::holes`].

use std::collections::BTreeMap;

use super::facing::{Groups, Shells};
use super::holes::{SLIT, open_sides};
use crate::mesh::Mesh;

/// Highest above the floor that a rim may reach, in millimetres.
const RAGGED_MM: f32 = 2.0;

/// And at most this share of its shell's height: a wavy sheet is all rim, and has no underside.
const RAGGED: f32 = 0.1;

/// A rim reaches the floor where it comes as near as this, in millimetres.
const REACHED_MM: f32 = 0.1;

/// The least share of an opening's area that must look down.
const DOWN: f64 = 0.9;

/// Closes; gives how many openings. They face down as the mesh lies.
pub(super) fn close(mesh: &mut Mesh, faulty: &[bool]) -> u32 {
    let corners = mesh.triangles.iter().flatten();
    let floor = corners.map(|&corner| mesh.vertices[corner as usize][2]).fold(f32::MAX, f32::min);
    let ragged = ragged(mesh, floor);
    let openings = openings(mesh, &open_sides(mesh, faulty));
    let mut closed = 0;
    for sides in openings {
        let heights = || sides.iter().map(|(from, _)| mesh.vertices[*from as usize][2] - floor);
        let reaches = heights().any(|height| height <= REACHED_MM);
        if reaches && heights().all(|height| height <= ragged(sides[0].0)) && looks_down(mesh, &sides) {
            carry_down(mesh, &sides, floor);
            closed += 1;
        }
    }
    closed
}

/// How far above the floor a rim may reach, for a corner of its shell.
fn ragged(mesh: &Mesh, floor: f32) -> impl Fn(u32) -> f32 + use<> {
    let shells = Shells::of(mesh);
    let mut heights = vec![0.0_f32; shells.count()];
    for (corner, at) in mesh.vertices.iter().enumerate() {
        let height = &mut heights[shells.number(corner as u32)];
        *height = height.max(at[2] - floor);
    }
    move |corner| RAGGED_MM.min(RAGGED * heights[shells.number(corner)])
}

/// The open sides, those that hang together in one list.
fn openings(mesh: &Mesh, open: &[(u32, u32)]) -> Vec<Vec<(u32, u32)>> {
    let mut groups = Groups::new(mesh.vertices.len());
    open.iter().for_each(|(from, to)| groups.join(*from, *to, false));
    let mut openings: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
    for side in open {
        openings.entry(groups.root(side.0).0).or_default().push(*side);
    }
    openings.into_values().collect()
}

/// Whether what is missing looks down. Its area is known from its rim alone, which ends nowhere (Stokes).
fn looks_down(mesh: &Mesh, sides: &[(u32, u32)]) -> bool {
    let at = |corner: u32| mesh.vertices[corner as usize].map(f64::from);
    let apex = at(sides[0].0);
    let (mut area, mut around) = ([0.0; 3], 0.0);
    for (from, to) in sides {
        let (a, b) = (at(*from), at(*to));
        let [p, q] = [a, b].map(|end| [0, 1, 2].map(|axis| end[axis] - apex[axis]));
        area = [0, 1, 2].map(|axis| {
            let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
            area[axis] + (p[u] * q[v] - p[v] * q[u]) / 2.0
        });
        around += [0, 1, 2].map(|axis| (a[axis] - b[axis]).powi(2)).iter().sum::<f64>().sqrt();
    }
    let size = area.iter().map(|share| share * share).sum::<f64>().sqrt();
    size > SLIT * around * around && -area[2] >= DOWN * size
}

/// Walls from the rim to the floor, and a fan on it: laid flat, it may fold over itself and still covers each place once.
fn carry_down(mesh: &mut Mesh, sides: &[(u32, u32)], floor: f32) {
    let mut feet = BTreeMap::new();
    let Mesh { vertices, triangles } = mesh;
    let mut foot = |corner: u32| {
        *feet.entry(corner).or_insert_with(|| {
            let [x, y, z] = vertices[corner as usize];
            if z == floor {
                return corner;
            }
            vertices.push([x, y, floor]);
            vertices.len() as u32 - 1
        })
    };
    let hub = foot(sides[0].0);
    for &(from, to) in sides {
        let (below_from, below_to) = (foot(from), foot(to));
        let faces = [[from, to, below_to], [from, below_to, below_from], [below_from, below_to, hub]];
        triangles.extend(faces.into_iter().filter(|&[a, b, c]| a != b && b != c && c != a));
    }
}
