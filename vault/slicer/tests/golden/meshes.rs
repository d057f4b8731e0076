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
