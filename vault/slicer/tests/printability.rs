//! What a design's report says is hard to print, of bodies that have one difficulty each.

#[path = "../../../tests/src/meshes.rs"]
#[allow(dead_code)]
mod meshes;

use layerlock_slicer::mesh::Mesh;
use layerlock_slicer::mesh::analysis::analyse;
use layerlock_slicer::printability::{Fit, NOZZLES, Printability, fit};
use layerlock_terms::machine::{MACHINES, Machine};
use layerlock_terms::toolpath::Point3;
use layerlock_terms::units::Micrometres;
use meshes::*;

fn judge(mesh: &Mesh) -> Printability {
    analyse(mesh).printability
}

/// A box of these sides with its lowest corner at `at`.
fn at(at: [f32; 3], sides: [f32; 3]) -> Mesh {
    cuboid(at, [0, 1, 2].map(|axis| at[axis] + sides[axis]))
}

/// An upright prism over a triangle whose tip leans out by this much over its height.
fn leaning(height: f32, out: f32) -> Mesh {
    let mut mesh = at([0.0; 3], [10.0, 10.0, height]);
    mesh.vertices.iter_mut().filter(|corner| corner[2] > 0.0).for_each(|corner| corner[0] += out);
    mesh
}

#[test]
fn a_block_on_the_bed_is_nothing_to_speak_of() {
    let foot_um2 = 80_000_000;
    assert_eq!(
        judge(&at([3.0, 3.0, 7.0], [8.0, 10.0, 12.0])),
        Printability { foot_um2, ..Default::default() }
    );
}

#[test]
fn what_leans_out_by_more_than_half_a_right_angle_hangs_and_what_lies_on_the_bed_does_not() {
    assert_eq!(judge(&leaning(10.0, 9.9)).overhang_um2, 0);
    let hanging = judge(&leaning(10.0, 10.2)).overhang_um2 as f64;
    let side = 10.0 * (10.0_f64.powi(2) + 10.2_f64.powi(2)).sqrt() * 1e6;
    assert!((hanging / side - 1.0).abs() < 1e-6, "{hanging} of {side}");
}

#[test]
fn a_table_hangs_by_its_top_alone_and_begins_nowhere_in_the_air() {
    let leg = |x: f32| at([x, 0.0, 0.0], [4.0, 4.0, 20.0]);
    let table = judge(&together(&[leg(0.0), leg(26.0), at([0.0, 0.0, 20.0], [30.0, 4.0, 3.0])]));
    // Its top's underside is one face, over the legs as well.
    assert_eq!((table.overhang_um2, table.islands), (120_000_000, 0));
    assert_eq!(table.foot_um2, 32_000_000);
}

#[test]
fn each_place_that_begins_above_the_bed_is_counted_and_a_hollow_is_none() {
    let floating = together(&[cube(10.0), at([20.0, 0.0, 5.0], [3.0; 3]), at([30.0, 0.0, 9.0], [3.0; 3])]);
    assert_eq!(judge(&floating).islands, 2);
    let ball = |height: f32| {
        let mut ball = sphere(5.0, 16);
        ball.vertices.iter_mut().for_each(|corner| corner[2] += height);
        ball
    };
    // A ball hanging in a hollow one: the hollow's bottom looks up.
    assert_eq!(judge(&together(&[cuboid([-20.0; 3], [20.0; 3]), flipped(ball(0.0))])).islands, 0);
    assert_eq!(judge(&together(&[cuboid([-20.0, -20.0, -30.0], [20.0, 20.0, -25.0]), ball(0.0)])).islands, 1);
    assert_eq!(judge(&ball(0.0)).islands, 0, "it begins on the bed");
    let letters = [at([2.0, 2.0, 9.5], [2.0, 2.0, 3.0]), at([5.0, 2.0, 9.5], [2.0, 2.0, 3.0])];
    assert_eq!(judge(&together(&[&[cube(10.0)][..], &letters].concat())).islands, 0, "sunk into the block");
}

#[test]
fn pieces_that_begin_close_to_each_other_are_counted_once_each_and_so_are_hundreds() {
    let high = |heights: &[f32]| {
        let piece = |(n, height): (usize, &f32)| at([n as f32 * 4.0 + 20.0, 0.0, *height], [3.0; 3]);
        let pieces: Vec<Mesh> = heights.iter().enumerate().map(piece).collect();
        judge(&together(&[&[cube(10.0)][..], &pieces].concat())).islands
    };
    assert_eq!(high(&[5.0, 5.0, 5.0]), 3);
    assert_eq!(high(&[5.0, 5.05, 5.15, 5.25, 5.3]), 5);
    let stairs: Vec<f32> = (0..150).map(|n| 1.0 + n as f32).collect();
    assert_eq!(high(&stairs), 150);
}

#[test]
fn a_wavy_ceiling_begins_nowhere_and_a_drop_that_hangs_from_it_does() {
    let drop = |depth: f32| {
        // A slab at height ten on a wall, its underside a fan around one corner that hangs lower.
        let mut mesh = at([0.0; 3], [40.0, 10.0, 10.0]);
        let (a, b, c, d) = (8, 9, 10, 11);
        mesh.vertices = vec![
            [0.0, 0.0, 0.0],
            [10.0, 0.0, 0.0],
            [10.0, 10.0, 0.0],
            [0.0, 10.0, 0.0],
            [0.0, 0.0, 20.0],
            [40.0, 0.0, 20.0],
            [40.0, 10.0, 20.0],
            [0.0, 10.0, 20.0],
            [10.0, 0.0, 15.0],
            [40.0, 0.0, 15.0],
            [40.0, 10.0, 15.0],
            [10.0, 10.0, 15.0],
            [25.0, 5.0, 15.0 - depth],
        ];
        mesh.triangles = vec![
            [0, 2, 1],
            [0, 3, 2],
            [4, 5, 6],
            [4, 6, 7],
            [0, 7, 3],
            [0, 4, 7],
            [1, 2, d],
            [1, d, a],
            [b, c, 6],
            [b, 6, 5],
            [0, 1, a],
            [0, a, 4],
            [a, 5, 4],
            [a, b, 5],
            [3, d, 2],
            [3, 7, d],
            [d, 7, 6],
            [d, 6, c],
            [a, d, 12],
            [d, c, 12],
            [c, b, 12],
            [b, a, 12],
        ];
        mesh
    };
    assert!(analyse(&drop(1.0)).is_watertight());
    assert_eq!([0.0, 0.1, 0.19].map(|depth| judge(&drop(depth)).islands), [0; 3]);
    assert_eq!([0.21, 1.0].map(|depth| judge(&drop(depth)).islands), [1; 2]);
}

#[test]
fn a_wall_is_thin_for_the_nozzles_it_has_no_room_for() {
    assert_eq!(NOZZLES, [Micrometres(400), Micrometres(500)]);
    let whole = 1_000_000;
    for (thickness, thin) in [(0.3, [whole, whole]), (0.45, [0, whole]), (0.6, [0, 0])] {
        assert_eq!(judge(&thin_wall(thickness)).thin_ppm, thin, "{thickness} mm");
    }
    for solid in [sphere(10.0, 48), torus(20.0, 5.0, 64), layerlock_slicer::sample::sample()] {
        assert_eq!(judge(&solid).thin_ppm, [0, 0], "the roundest body is nowhere thin");
    }
    // A fin on a block is a share of both; the block's corners are none.
    let fin = together(&[cube(20.0), at([0.0, -10.0, 0.0], [0.3, 10.01, 20.0])]);
    let share = judge(&fin).thin_ppm[0];
    assert!((6_000..8_500).contains(&share), "3 of 403 mm² are {share} of a million");
}

#[test]
fn the_report_knows_the_nozzle_of_every_machine() {
    for machine in MACHINES {
        assert!(NOZZLES.contains(&machine.nozzle), "{}", machine.name);
    }
    let found = Printability { thin_ppm: [1, 2], ..Default::default() };
    assert_eq!([300, 400, 450, 500, 800].map(|nozzle| found.thin_for(Micrometres(nozzle))), [1, 1, 1, 2, 2]);
}

#[test]
fn a_part_fits_as_it_lies_or_turned_or_says_at_which_scale() {
    let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
    let size = |x: i32, y: i32, z: i32| fit(Point3 { x: x * 1000, y: y * 1000, z: z * 1000 }, machine);
    assert_eq!(size(250, 210, 210), (Fit::AsItLies, 100));
    assert_eq!(size(50, 50, 50), (Fit::AsItLies, 420));
    assert_eq!(size(210, 250, 210), (Fit::Turned, 100));
    assert_eq!(size(240, 240, 10), (Fit::TooLarge, 87));
    assert_eq!(size(10, 10, 211), (Fit::TooLarge, 99));
    assert_eq!(size(2_000_000, 1, 1), (Fit::TooLarge, 0));
}
