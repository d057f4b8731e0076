//! The meshes, made by code.

use std::f32::consts::TAU;

use layerlock_slicer::mesh::Mesh;

const SIDES: u32 = 96;

/// An axis-parallel box.
pub(crate) fn block(low: [f32; 3], high: [f32; 3]) -> Mesh {
    let pick = |at: u32, axis: usize| if at >> axis & 1 == 0 { low[axis] } else { high[axis] };
    let vertices = (0..8).map(|at| [pick(at, 0), pick(at, 1), pick(at, 2)]).collect();
    let quads = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]];
    let triangles = quads.iter().flat_map(|[a, b, c, d]| [[*a, *b, *c], [*a, *c, *d]]).collect();
    Mesh { vertices, triangles }
}

/// A cone standing on the bed, its point up.
pub(crate) fn cone(radius: f32, height: f32) -> Mesh {
    let mut vertices = ring(radius, 0.0);
    vertices.extend([[0.0, 0.0, 0.0], [0.0, 0.0, height]]);
    let (foot, tip) = (SIDES, SIDES + 1);
    let triangles =
        (0..SIDES).flat_map(|at| [[at, (at + 1) % SIDES, tip], [(at + 1) % SIDES, at, foot]]).collect();
    Mesh { vertices, triangles }
}

/// A cylinder standing on the bed.
pub(crate) fn cylinder(radius: f32, height: f32) -> Mesh {
    let mut vertices = [ring(radius, 0.0), ring(radius, height)].concat();
    vertices.extend([[0.0, 0.0, 0.0], [0.0, 0.0, height]]);
    let (foot, top) = (2 * SIDES, 2 * SIDES + 1);
    let triangles = (0..SIDES)
        .flat_map(|at| {
            let next = (at + 1) % SIDES;
            let (up, up_next) = (at + SIDES, next + SIDES);
            [[at, next, up_next], [at, up_next, up], [next, at, foot], [up, up_next, top]]
        })
        .collect();
    Mesh { vertices, triangles }
}

/// A tube standing on the bed.
pub(crate) fn tube(outer: f32, inner: f32, height: f32) -> Mesh {
    let vertices = [ring(outer, 0.0), ring(outer, height), ring(inner, 0.0), ring(inner, height)].concat();
    let quad = |a: u32, b: u32, c: u32, d: u32| [[a, b, c], [a, c, d]];
    let triangles = (0..SIDES)
        .flat_map(|at| {
            let next = (at + 1) % SIDES;
            let corner = |circle: u32, at: u32| circle * SIDES + at;
            [
                quad(corner(0, at), corner(0, next), corner(1, next), corner(1, at)),
                quad(corner(2, next), corner(2, at), corner(3, at), corner(3, next)),
                quad(corner(1, at), corner(1, next), corner(3, next), corner(3, at)),
                quad(corner(0, next), corner(0, at), corner(2, at), corner(2, next)),
            ]
        })
        .flatten()
        .collect();
    Mesh { vertices, triangles }
}

/// All bodies in one mesh, nothing united.
pub(crate) fn join(parts: &[Mesh]) -> Mesh {
    let mut whole = Mesh::default();
    for part in parts {
        let base = whole.vertices.len() as u32;
        whole.vertices.extend(&part.vertices);
        whole.triangles.extend(part.triangles.iter().map(|corners| corners.map(|corner| corner + base)));
    }
    whole
}

/// The same body with every face looking the other way.
pub(crate) fn flipped(part: &Mesh) -> Mesh {
    let triangles = part.triangles.iter().map(|[a, b, c]| [*a, *c, *b]).collect();
    Mesh { vertices: part.vertices.clone(), triangles }
}

/// The same body without the faces at its top.
pub(crate) fn open_top(part: &Mesh) -> Mesh {
    let top = part.vertices.iter().map(|corner| corner[2]).fold(f32::MIN, f32::max);
    let flat = |corners: &[u32; 3]| corners.iter().all(|corner| part.vertices[*corner as usize][2] == top);
    let triangles = part.triangles.iter().filter(|corners| !flat(corners)).copied().collect();
    Mesh { vertices: part.vertices.clone(), triangles }
}

/// The same body with no corner shared and each a few micrometres off, as careless exports have it.
pub(crate) fn shaken(part: &Mesh) -> Mesh {
    let mut seed = 1_u32;
    let mut off = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as f32 / 64_000.0
    };
    let vertices =
        part.triangles.iter().flat_map(|corners| part.corners(*corners)).map(|at| at.map(|mm| mm + off()));
    let vertices: Vec<_> = vertices.collect();
    let triangles = (0..part.triangles.len() as u32).map(|at| [3 * at, 3 * at + 1, 3 * at + 2]).collect();
    Mesh { vertices, triangles }
}

fn ring(radius: f32, z: f32) -> Vec<[f32; 3]> {
    (0..SIDES)
        .map(|at| at as f32 / SIDES as f32 * TAU)
        .map(|a| [radius * a.cos(), radius * a.sin(), z])
        .collect()
}

/// A cone without its point, standing on the end of radius `foot`.
pub(crate) fn frustum(foot: f32, top: f32, height: f32) -> Mesh {
    let mut part = cylinder(foot, height);
    let upper = SIDES as usize..2 * SIDES as usize;
    for corner in &mut part.vertices[upper] {
        *corner = [corner[0] * top / foot, corner[1] * top / foot, corner[2]];
    }
    part
}

/// The same body leaning to the right by `slope` of its height.
pub(crate) fn sheared(part: &Mesh, slope: f32) -> Mesh {
    let vertices = part.vertices.iter().map(|[x, y, z]| [x + slope * z, *y, *z]).collect();
    Mesh { vertices, triangles: part.triangles.clone() }
}

/// The same body, one face after the other looking the wrong way in its second half.
pub(crate) fn half_flipped(part: &Mesh) -> Mesh {
    let half = part.triangles.len() / 2;
    let turn = |(at, [a, b, c]): (usize, &[u32; 3])| if at < half { [*a, *b, *c] } else { [*a, *c, *b] };
    Mesh { vertices: part.vertices.clone(), triangles: part.triangles.iter().enumerate().map(turn).collect() }
}

/// A tube of `bands` rings one above the other, the middle one's faces looking the other way.
pub(crate) fn banded_tube(outer: f32, inner: f32, band: f32) -> Mesh {
    let vertices: Vec<[f32; 3]> = (0..4_u8)
        .flat_map(|level| [outer, inner].map(|radius| ring(radius, f32::from(level) * band)))
        .flatten()
        .collect();
    let corner = |level: u32, inside: u32, at: u32| (2 * level + inside) * SIDES + at % SIDES;
    let quad = |[a, b, c, d]: [u32; 4]| [[a, b, c], [a, c, d]];
    let mut triangles = Vec::new();
    for at in 0..SIDES {
        let edge = |level: u32, inside: u32| [corner(level, inside, at), corner(level, inside, at + 1)];
        for level in 0..3 {
            let ([a, b], [d, c]) = (edge(level, 0), edge(level + 1, 0));
            let ([e, f], [h, g]) = (edge(level, 1), edge(level + 1, 1));
            let sides = if level == 1 { [[a, d, c, b], [e, f, g, h]] } else { [[a, b, c, d], [e, h, g, f]] };
            triangles.extend(sides.into_iter().flat_map(quad));
        }
        let ([a, b], [d, c]) = (edge(3, 0), edge(3, 1));
        let ([e, f], [h, g]) = (edge(0, 0), edge(0, 1));
        triangles.extend([[a, b, c, d], [e, h, g, f]].into_iter().flat_map(quad));
    }
    Mesh { vertices, triangles }
}

/// A wall between two rows of points, its right side first when one looks along it.
pub(crate) fn ribbon(left: &[[f32; 2]], right: &[[f32; 2]], height: f32) -> Mesh {
    let count = left.len() as u32;
    let rows = [(left, 0.0), (right, 0.0), (left, height), (right, height)];
    let corners = rows.iter().flat_map(|(row, z)| row.iter().map(move |[x, y]| [*x, *y, *z]));
    let corner = |row: u32, at: u32| row * count + at;
    let quad = |a: u32, b: u32, c: u32, d: u32| [[a, b, c], [a, c, d]];
    let mut triangles = Vec::new();
    for (at, next) in (1..count).map(|next| (next - 1, next)) {
        triangles.extend(quad(corner(0, at), corner(0, next), corner(1, next), corner(1, at)));
        triangles.extend(quad(corner(2, next), corner(2, at), corner(3, at), corner(3, next)));
        triangles.extend(quad(corner(0, next), corner(0, at), corner(2, at), corner(2, next)));
        triangles.extend(quad(corner(1, at), corner(1, next), corner(3, next), corner(3, at)));
    }
    let last = count - 1;
    triangles.extend(quad(corner(0, 0), corner(1, 0), corner(3, 0), corner(2, 0)));
    triangles.extend(quad(corner(1, last), corner(0, last), corner(2, last), corner(3, last)));
    Mesh { vertices: corners.collect(), triangles }
}

/// A box of which one edge has a corner halfway that the face beside it knows nothing of.
pub(crate) fn split_edge(size: [f32; 3]) -> Mesh {
    let mut part = block([0.0; 3], size);
    // The front's triangle [0, 1, 5] becomes two that meet at the middle of its lower edge; the bottom keeps the whole edge.
    part.vertices.push([size[0] / 2.0, 0.0, 0.0]);
    let front = part.triangles.iter().position(|corners| *corners == [0, 1, 5]).expect("a block has a front");
    part.triangles.splice(front..=front, [[0, 8, 5], [8, 1, 5]]);
    part
}
