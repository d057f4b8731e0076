//! The zoo: tiny meshes of one difficulty each.

use layerlock_slicer::mesh::Mesh;

use super::meshes::{
    block, cone, cylinder, flipped, frustum, half_flipped, join, ribbon, sheared, split_edge, tube,
};

/// Every animal, by name.
pub(crate) fn zoo() -> Vec<(&'static str, Mesh)> {
    vec![
        ("needle", cone(1.0, 8.0)),
        ("comb", comb()),
        ("spiral", spiral()),
        ("growing_fin", growing_fin()),
        ("touching_on_an_edge", touching_on_an_edge()),
        ("nested_shells", nested_shells()),
        (
            "overlapping_shells",
            join(&[block([0.0; 3], [8.0, 8.0, 2.0]), block([5.0, 3.0, 0.0], [13.0, 11.0, 2.0])]),
        ),
        ("t_junction", split_edge([10.0, 8.0, 2.0])),
        ("flipped_band", half_flipped(&tube(6.0, 4.0, 2.0))),
        ("tiny_hole", tube(5.0, 0.15, 2.0)),
        ("huge_flat_plate", block([0.0; 3], [200.0, 180.0, 0.6])),
        ("slanted_thin_wall", sheared(&block([0.0; 3], [0.6, 12.0, 4.0]), 0.5)),
        ("staircase", staircase()),
        ("bridge", bridge()),
        ("overhang_cone", frustum(2.0, 7.0, 4.0)),
        ("disc_on_a_stem", join(&[cylinder(1.5, 2.0), lifted(cylinder(5.0, 1.0), 1.9)])),
    ]
}

/// Six teeth 0.8 mm thick, as far apart, on a back.
fn comb() -> Mesh {
    let teeth = (0..6_u8).map(|n| f32::from(n) * 1.6).map(|x| block([x, 2.5, 0.0], [x + 0.8, 10.0, 2.0]));
    let back = block([0.0, 0.0, 0.0], [8.8, 3.0, 2.0]);
    join(&teeth.chain([back]).collect::<Vec<_>>())
}

/// Two turns of a wall 0.8 mm thick, 2 mm apart.
fn spiral() -> Mesh {
    let at = |n: u8, radius: f32| {
        let turn = f32::from(n) / 24.0;
        let (angle, radius) = (std::f32::consts::TAU * turn, radius + 2.0 * turn);
        [radius * angle.cos(), radius * angle.sin()]
    };
    let sides = |radius: f32| (0..=48).map(|n| at(n, radius)).collect::<Vec<_>>();
    ribbon(&sides(2.0), &sides(2.8), 2.0)
}

/// A wedge seen from above: from a tenth of a millimetre to three.
fn growing_fin() -> Mesh {
    ribbon(&[[0.0, 0.05], [20.0, 1.5]], &[[0.0, -0.05], [20.0, -1.5]], 2.0)
}

fn touching_on_an_edge() -> Mesh {
    join(&[block([0.0; 3], [5.0, 5.0, 2.0]), block([5.0, 5.0, 0.0], [10.0, 10.0, 2.0])])
}

/// A box in a void in a box.
fn nested_shells() -> Mesh {
    let void = flipped(&block([2.0, 2.0, 1.0], [10.0, 10.0, 3.0]));
    join(&[block([0.0; 3], [12.0, 12.0, 4.0]), void, block([4.0, 4.0, 1.0], [8.0, 8.0, 3.0])])
}

fn staircase() -> Mesh {
    let step = |n: u8| (f32::from(n) * 3.0, f32::from(n + 1) * 0.8);
    join(&[0, 1, 2, 3].map(step).map(|(x, top)| block([x, 0.0, 0.0], [x + 3.2, 6.0, top])))
}

fn bridge() -> Mesh {
    join(&[
        block([0.0, 0.0, 0.0], [3.0, 6.0, 2.0]),
        block([13.0, 0.0, 0.0], [16.0, 6.0, 2.0]),
        block([0.0, 0.0, 2.0], [16.0, 6.0, 3.0]),
    ])
}

fn lifted(mut part: Mesh, by: f32) -> Mesh {
    part.vertices.iter_mut().for_each(|corner| corner[2] += by);
    part
}
