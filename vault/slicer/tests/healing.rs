//! Each defect alone: what healing says of it, and that the mended body is the one that was meant.

#[path = "../../../tests/src/meshes.rs"]
#[allow(dead_code)]
mod meshes;

use std::borrow::Cow;
use std::num::NonZero;

use layerlock_slicer::heal::{Healing, examine, heal};
use layerlock_slicer::mesh::Mesh;
use layerlock_slicer::mesh::analysis::analyse;
use layerlock_slicer::slice;
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Preset, Profile};
use layerlock_terms::toolpath::Piece;
use meshes::*;
use proptest::prelude::*;

/// Heals and gives the report; the outcome must be watertight and of this volume in mm³.
fn mended(mesh: &Mesh, volume: i64) -> Healing {
    let healed = heal(mesh);
    let after = analyse(&healed.mesh);
    assert!(after.is_watertight(), "{:?} {after:?}", healed.report);
    assert_eq!(after.volume_nl / 1000, volume, "{:?}", healed.report);
    healed.report
}

fn hollow() -> Mesh {
    together(&[cube(10.0), flipped(cuboid([2.0; 3], [4.0; 3]))])
}

#[test]
fn a_sound_mesh_is_neither_touched_nor_copied() {
    for mesh in [cube(10.0), torus(20.0, 6.0, 24), together(&[cube(10.0), cuboid([10.0; 3], [12.0; 3])])] {
        let healed = heal(&mesh);
        assert!(healed.report.is_clean(), "{:?}", healed.report);
        assert!(matches!(healed.mesh, Cow::Borrowed(_)));
    }
}

#[test]
fn faces_that_add_nothing_are_dropped() {
    let mut collapsed = cube(10.0);
    collapsed.triangles.push([1, 1, 2]);
    assert_eq!(mended(&collapsed, 1000), Healing { collapsed_faces: 1, ..Healing::default() });

    let mut doubled = cube(10.0);
    doubled.triangles.extend([[3, 0, 2], [2, 3, 0]]);
    assert_eq!(mended(&doubled, 1000), Healing { twin_faces: 2, ..Healing::default() });

    let mut against = cube(10.0);
    against.triangles.extend([[0, 2, 3], [0, 3, 2], [0, 3, 2]]);
    // Two each way cancel out, and what they leave is a hole.
    assert_eq!(mended(&against, 1000), Healing { twin_faces: 4, filled_holes: 1, ..Healing::default() });
}

#[test]
fn what_is_dropped_does_not_stretch_the_box_around_the_part() {
    let mut far = cube(10.0);
    far.vertices.extend([[500.0; 3], [510.0, 500.0, 500.0]]);
    far.triangles.push([8, 9, 9]);
    assert_eq!(mended(&far, 1000).collapsed_faces, 1);
    assert_eq!(heal(&far).mesh.vertices, cube(10.0).vertices);
}

#[test]
fn faces_that_look_the_wrong_way_are_turned() {
    assert_eq!(mended(&one_flipped(cube(10.0)), 1000), Healing { turned_faces: 1, ..Healing::default() });
    let mut half = torus(20.0, 6.0, 24);
    half.triangles[..200].iter_mut().for_each(|triangle| triangle.swap(1, 2));
    let report = heal(&half).report;
    assert_eq!(report, Healing { turned_faces: 200, ..Healing::default() });
}

#[test]
fn shells_that_are_inside_out_are_turned_and_voids_stay() {
    let turned = |shells| Healing { turned_shells: shells, ..Healing::default() };
    assert_eq!(mended(&flipped(cube(10.0)), 1000), turned(1));
    let beside = flipped(cuboid([20.0; 3], [25.0; 3]));
    assert_eq!(mended(&together(&[cube(10.0), beside.clone()]), 1125), turned(1));
    assert_eq!(mended(&hollow(), 992), turned(0));
    assert_eq!(mended(&flipped(hollow()), 992), turned(2));
    assert_eq!(mended(&together(&[hollow(), beside]), 992 + 125), turned(1));
}

#[test]
fn small_holes_are_filled_and_slits_closed() {
    assert_eq!(mended(&open_box(10.0), 1000), Healing { filled_holes: 1, ..Healing::default() });
    let mut slit = cube(10.0);
    slit.vertices.push([5.0, 5.0, 0.0]);
    slit.triangles[0] = [0, 2, 8];
    slit.triangles.push([2, 3, 8]);
    assert_eq!(mended(&slit, 1000), Healing { t_junctions: 1, ..Healing::default() });
}

#[test]
fn a_hole_of_many_edges_is_left_to_the_cut_and_said() {
    let mut bowl = sphere(10.0, 40);
    bowl.triangles.retain(|triangle| triangle.iter().all(|&at| bowl.vertices[at as usize][2] < 1.0));
    let report = heal(&bowl).report;
    assert_eq!(report, Healing { open_edges: 80, ..Healing::default() });
    assert!(report.lines()[0].contains("look at the preview"), "{:?}", report.lines());
}

#[test]
fn an_underside_that_is_missing_is_closed_on_the_floor_however_ragged_its_rim() {
    // A ball cut off at three quarters of its depth, whose rim rises and falls by half a millimetre.
    let mut scan = sphere(20.0, 60);
    let at = scan.vertices.clone();
    scan.triangles.retain(|corners| corners.iter().all(|corner| at[*corner as usize][2] > -15.0));
    let rim = at.iter().map(|at| at[2]).filter(|z| *z > -15.0).fold(f32::MAX, f32::min);
    for [x, y, z] in scan.vertices.iter_mut().filter(|at| (at[2] - rim).abs() < 1e-3) {
        *z += 0.5 * (3.0 * y.atan2(*x)).sin();
    }
    let healed = heal(&scan);
    assert_eq!(healed.report, Healing { filled_holes: 1, ..Healing::default() });
    let report = analyse(&healed.mesh);
    assert!(report.is_watertight(), "{report:?}");
    let lowest = |mesh: &Mesh| {
        let corners = mesh.triangles.iter().flatten();
        corners.map(|corner| mesh.vertices[*corner as usize][2]).fold(f32::MAX, f32::min)
    };
    assert_eq!(lowest(&healed.mesh), lowest(&scan), "nothing lies below what was there");

    // The same opening looking up is a bowl, and one that ends above another body's foot is no underside.
    let bowl = flipped(Mesh {
        vertices: scan.vertices.iter().map(|[x, y, z]| [*x, *y, -z]).collect(),
        ..scan.clone()
    });
    assert_eq!(heal(&bowl).report.filled_holes, 0);
    let on_a_leg = together(&[cuboid([0.0, 0.0, -18.0], [1.0, 1.0, -10.0]), scan]);
    assert_eq!(heal(&on_a_leg).report.filled_holes, 0);
}

#[test]
fn a_void_in_a_body_without_a_lid_stays_a_void() {
    let skin = |radius: f32| {
        let mut skin = sphere(radius, 40);
        skin.triangles.retain(|corners| corners.iter().all(|&at| skin.vertices[at as usize][2] < 5.0));
        skin
    };
    let cup = together(&[skin(10.0), flipped(skin(8.0))]);
    assert_eq!(heal(&cup).report.turned_shells, 0);
    assert_eq!(heal(flipped(cup)).report.turned_shells, 2);
}

#[test]
fn a_hole_through_a_body_drawn_as_a_void_stays_a_hole() {
    for first in [0, 2, 5, 8] {
        let mut hole = flipped(cuboid([3.0, 3.0, 0.0], [7.0, 7.0, 10.0]));
        hole.triangles.rotate_left(first);
        assert_eq!(mended(&together(&[cube(10.0), hole]), 840), Healing::default());
    }
}

#[test]
fn corners_a_rounding_apart_are_joined() {
    let mut loose = cube(10.0);
    // The lid gets corners of its own, off by the least a float can say.
    let lid: Vec<u32> = (0..loose.triangles.len() as u32)
        .filter(|&n| loose.triangles[n as usize].iter().all(|v| *v >= 4))
        .collect();
    for at in 4..8 {
        let [x, y, z] = loose.vertices[at];
        loose.vertices.push([x, y, f32::from_bits(z.to_bits() - 1)]);
    }
    for &n in &lid {
        loose.triangles[n as usize].iter_mut().for_each(|corner| *corner += 4);
    }
    assert_eq!(mended(&loose, 1000), Healing { joined_corners: 4, ..Healing::default() });
}

#[test]
fn bodies_that_overlap_are_told_from_those_that_touch_or_hold_a_void() {
    let sections = |mesh: &Mesh| examine(mesh).report.overlapping_layers;
    assert_eq!(sections(&together(&[cube(10.0), cuboid([5.0, 5.0, 0.0], [15.0, 15.0, 10.0])])), 16);
    assert_eq!(sections(&together(&[cube(10.0), cuboid([5.0; 3], [15.0; 3])])), 6);
    assert_eq!(sections(&together(&[cube(10.0), cuboid([10.0, 0.0, 0.0], [20.0, 10.0, 10.0])])), 0);
    assert_eq!(sections(&hollow()), 0);
    assert_eq!(sections(&torus(20.0, 6.0, 48)), 0);
}

fn pieces(mesh: &Mesh) -> (Vec<Piece>, Healing) {
    let machine = Machine::named("prusa-mini").expect("in the catalogue");
    let profile = Profile::new(machine, Material::Pla, Preset::Draft);
    let mut pieces = Vec::new();
    let summary = slice(mesh, &profile, NonZero::<usize>::MIN, &mut |piece| {
        pieces.push(piece);
        Ok(())
    });
    (pieces, summary.expect("can be sliced").healing)
}

#[test]
fn what_is_mended_is_sliced_as_if_it_had_been_sound() {
    let other = cuboid([5.0, 5.0, 0.0], [15.0, 15.0, 10.0]);
    let (sound, report) = pieces(&together(&[cube(10.0), other.clone()]));
    assert!(report.overlapping_layers > 30, "{report:?}");
    let (turned, report) = pieces(&together(&[cube(10.0), flipped(other)]));
    assert_eq!(report.turned_shells, 1);
    assert!(turned == sound, "a shell inside out does not take its share away");

    let (sound, report) = pieces(&cube(10.0));
    assert!(report.is_clean(), "{report:?}");
    for broken in [open_box(10.0), one_flipped(cube(10.0)), flipped(cube(10.0))] {
        let (mended, report) = pieces(&broken);
        assert!(mended == sound && !report.is_clean(), "{report:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_triangles_are_healed_the_same_way_twice_and_nothing_is_invented(
        corners in proptest::collection::vec(proptest::array::uniform3(-9_i8..9), 3..20),
        picks in proptest::collection::vec(any::<[prop::sample::Index; 3]>(), 1..60),
    ) {
        let vertices: Vec<[f32; 3]> = corners.iter().map(|c| c.map(f32::from)).collect();
        let triangles = picks.iter().map(|pick| pick.map(|at| at.index(vertices.len()) as u32)).collect();
        let mesh = Mesh { vertices, triangles };
        let healed = heal(&mesh);
        prop_assert_eq!(heal(&mesh).report, healed.report);
        let vertices = &healed.mesh.vertices;
        let floor = mesh.vertices.iter().map(|at| at[2]).fold(f32::MAX, f32::min);
        let stood = |[x, y, z]: &[f32; 3]| *z == floor && mesh.vertices.iter().any(|at| at[..2] == [*x, *y]);
        prop_assert!(vertices.iter().all(|at| mesh.vertices.contains(at) || stood(at)));
        prop_assert!(healed.mesh.triangles.iter().flatten().all(|&at| (at as usize) < vertices.len()));
        let again = heal(&*healed.mesh).report;
        prop_assert_eq!(again.collapsed_faces, 0);
        prop_assert_eq!(Healing::of_counts(healed.report.counts()), healed.report);
    }
}
