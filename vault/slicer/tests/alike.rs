//! Which designs look alike: the same one however it was moved, turned, scaled or cut into triangles, and no other.

#[path = "../../../tests/src/meshes.rs"]
#[allow(dead_code)]
mod meshes;

use std::collections::HashMap;

use layerlock_slicer::descriptor::Descriptor;
use layerlock_slicer::mesh::Mesh;
use layerlock_slicer::sample::sample;
use meshes::*;

/// What the vault calls alike, in percent.
const ALIKE: u32 = 95;

fn changed(mesh: &Mesh, to: impl Fn([f32; 3]) -> [f32; 3]) -> Mesh {
    let vertices = mesh.vertices.iter().map(|corner| to(*corner)).collect();
    Mesh { vertices, triangles: mesh.triangles.clone() }
}

fn turned(mesh: &Mesh) -> Mesh {
    let (sin, cos) = 0.7_f32.sin_cos();
    changed(mesh, |[x, y, z]| {
        [x * cos - y * sin, (x * sin + y * cos) * cos - z * sin, (x * sin + y * cos) * sin + z * cos]
    })
}

/// Corners within a cell of a grid become one.
fn coarser(mesh: &Mesh, cell: f32) -> Mesh {
    let (mut cells, mut vertices) = (HashMap::new(), Vec::new());
    let mut corner_of = |corner: &[f32; 3]| {
        *cells.entry(corner.map(|side| (side / cell).round() as i32)).or_insert_with(|| {
            vertices.push(*corner);
            vertices.len() as u32 - 1
        })
    };
    let corners: Vec<u32> = mesh.vertices.iter().map(&mut corner_of).collect();
    let triangles = mesh.triangles.iter().map(|triangle| triangle.map(|vertex| corners[vertex as usize]));
    let triangles = triangles.filter(|[a, b, c]| a != b && b != c && c != a).collect();
    Mesh { vertices, triangles }
}

fn shapes() -> Vec<(&'static str, Mesh)> {
    vec![
        ("vase", sample()),
        ("ball", sphere(10.0, 48)),
        ("ring", torus(20.0, 5.0, 64)),
        ("cube", cube(10.0)),
        ("wall", thin_wall(2.0)),
        ("bar", cuboid([0.0; 3], [100.0, 4.0, 4.0])),
        ("tile", cuboid([0.0; 3], [60.0, 60.0, 4.0])),
        (
            "two balls",
            together(&[sphere(10.0, 48), changed(&sphere(10.0, 48), |[x, y, z]| [x + 30.0, y, z])]),
        ),
    ]
}

#[test]
fn a_copy_that_was_moved_turned_mirrored_scaled_or_cut_anew_looks_like_its_original() {
    for (name, mesh) in shapes() {
        let original = Descriptor::of(&mesh);
        assert!(original.likeness(&original) >= 99, "{name}");
        let mut copies = vec![
            ("moved", changed(&mesh, |[x, y, z]| [x + 500.0, y - 90.0, z + 3.0])),
            ("turned", turned(&mesh)),
            ("mirrored", flipped(changed(&mesh, |[x, y, z]| [-x, y, z]))),
            ("scaled", changed(&mesh, |corner| corner.map(|side| side * 0.31))),
        ];
        if mesh.triangles.len() > 1000 {
            copies.push(("coarser", coarser(&mesh, 1.0)));
        }
        for (how, copy) in copies {
            let likeness = original.likeness(&Descriptor::of(&copy));
            assert!(likeness >= ALIKE, "{name}, {how}: {likeness} %");
        }
    }
}

#[test]
fn different_designs_do_not_look_alike_and_a_stretched_one_less_the_more_it_was() {
    let shapes = shapes();
    for (n, (name, mesh)) in shapes.iter().enumerate() {
        for (other_name, other) in &shapes[n + 1..] {
            let likeness = Descriptor::of(mesh).likeness(&Descriptor::of(other));
            assert!(likeness < ALIKE, "{name} and {other_name}: {likeness} %");
        }
    }
    let vase = Descriptor::of(&sample());
    let stretched = |by: f32| vase.likeness(&Descriptor::of(&changed(&sample(), |[x, y, z]| [x, y, z * by])));
    let (little, much) = (stretched(1.1), stretched(1.5));
    assert!(ALIKE > little && little > much, "{little} {much}");
}

#[test]
fn a_descriptor_reads_back_and_a_mesh_without_surface_has_none() {
    let vase = Descriptor::of(&sample());
    assert_eq!(Descriptor::from_bytes(vase.to_bytes()), vase);
    let nothing = Descriptor::of(&Mesh::default());
    assert_eq!((nothing.likeness(&vase), nothing.likeness(&nothing)), (0, 0));
    assert_eq!(Descriptor::of(&cube_with(f32::NAN)), nothing);
}
