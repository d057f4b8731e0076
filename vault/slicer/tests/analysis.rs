//! What the analysis says of bodies whose figures are known by formula, and of each defect alone.

#[path = "../../../tests/src/meshes.rs"]
#[allow(dead_code)]
mod meshes;

use layerlock_slicer::descriptor::Descriptor;
use layerlock_slicer::heal::Healing;
use layerlock_slicer::mesh::Mesh;
use layerlock_slicer::mesh::analysis::{Analysis, analyse};
use layerlock_slicer::printability::Printability;
use layerlock_terms::toolpath::Point3;
use meshes::*;

/// Shells, open, non-manifold, flipped, degenerate, duplicate.
fn defects(mesh: &Mesh) -> [u32; 6] {
    let a = analyse(mesh);
    [a.shells, a.open_edges, a.non_manifold_edges, a.flipped_edges, a.degenerate_faces, a.duplicate_faces]
}

#[test]
fn a_cube_is_measured_exactly() {
    let expected = Analysis {
        triangles: 12,
        vertices: 8,
        min: Point3 { x: -1500, y: 0, z: 250 },
        max: Point3 { x: 8500, y: 10_000, z: 10_250 },
        volume_nl: 1_000_000,
        area_um2: 600_000_000,
        shells: 1,
        open_edges: 0,
        non_manifold_edges: 0,
        flipped_edges: 0,
        degenerate_faces: 0,
        duplicate_faces: 0,
        healing: Healing::default(),
        printability: Printability { foot_um2: 100_000_000, ..Printability::default() },
        descriptor: Descriptor::of(&cube(20.0)),
    };
    let analysis = analyse(&cuboid([-1.5, 0.0, 0.25], [8.5, 10.0, 10.25]));
    assert_eq!(analysis, expected);
    assert_eq!(analysis.size(), Point3 { x: 10_000, y: 10_000, z: 10_000 });
}

#[test]
fn round_bodies_come_close_to_their_formulas() {
    let pi = std::f64::consts::PI;
    let near = |found: f64, formula: f64| (found / formula - 1.0).abs() < 0.005;
    let ball = analyse(&sphere(10.0, 64));
    assert!(near(ball.volume_nl as f64 / 1e3, 4.0 / 3.0 * pi * 1e3), "{ball:?}");
    assert!(near(ball.area_um2 as f64 / 1e6, 4.0 * pi * 100.0), "{ball:?}");
    let ring = analyse(&torus(20.0, 5.0, 96));
    assert!(near(ring.volume_nl as f64 / 1e3, 2.0 * pi * pi * 20.0 * 25.0), "{ring:?}");
    assert!(ball.is_watertight() && ring.is_watertight());
}

#[test]
fn each_defect_is_counted_as_what_it_is() {
    assert_eq!(defects(&cube(10.0)), [1, 0, 0, 0, 0, 0]);
    assert_eq!(defects(&open_box(10.0)), [1, 4, 0, 0, 0, 0]);
    assert_eq!(defects(&one_flipped(cube(10.0))), [1, 0, 0, 3, 0, 0]);
    assert_eq!(defects(&together(&[cube(10.0), sphere(3.0, 8), torus(9.0, 2.0, 12)])), [3, 0, 0, 0, 0, 0]);

    let mut doubled = cube(10.0);
    doubled.triangles.push([3, 0, 2]);
    assert_eq!(defects(&doubled), [1, 0, 3, 0, 0, 1]);

    let mut collapsed = cube(10.0);
    collapsed.triangles.push([1, 1, 2]);
    assert_eq!(defects(&collapsed), [1, 0, 0, 0, 1, 0]);

    let mut sliver = cube(10.0);
    sliver.vertices.push([5.0, 5.0, 0.0]);
    sliver.triangles[0] = [0, 2, 8];
    sliver.triangles.extend([[2, 3, 8], [0, 8, 3]]);
    assert_eq!(defects(&sliver), [1, 0, 0, 0, 1, 0], "a T-junction closed by a sliver is watertight");
}

#[test]
fn two_cubes_sharing_an_edge_are_not_manifold_there() {
    let mut pair = cube(10.0);
    let other = cuboid([10.0, 10.0, 0.0], [20.0, 20.0, 10.0]);
    let shared = |index: u32| match index {
        0 => 3,
        4 => 7,
        _ => index + 8,
    };
    pair.vertices.extend_from_slice(&other.vertices);
    pair.triangles.extend(other.triangles.iter().map(|triangle| triangle.map(shared)));
    assert_eq!(defects(&pair), [1, 0, 1, 0, 0, 0]);
}

#[test]
fn a_body_inside_out_has_a_negative_volume() {
    assert_eq!(analyse(&flipped(cube(10.0))).volume_nl, -1_000_000);
    let hollow = together(&[cube(10.0), flipped(cuboid([2.0; 3], [4.0; 3]))]);
    assert_eq!(analyse(&hollow).volume_nl, 992_000);
}

#[test]
fn figures_do_not_lose_digits_far_from_the_origin() {
    let far = cuboid([9_000.0, -9_000.0, 0.0], [9_001.0, -8_999.0, 1.0]);
    assert_eq!(analyse(&far).volume_nl, 1000);
}
