//! A zoo of tiny meshes made by code, one difficulty each, sliced through the public door.

mod golden {
    mod adaptive;
    pub(crate) mod meshes;
    mod modifiers;
    pub(crate) mod print;
    mod properties;
    mod rafts;
    mod snapshots;
    mod supports;
    mod vase;
    mod zoo;
}

use golden::meshes::{
    banded_tube, block, cone, cylinder, flipped, half_flipped, join, open_top, ribbon, shaken, tube,
};
use golden::print::{Print, profile, refusal, slice_with};
use layerlock_slicer::SliceError;
use layerlock_terms::toolpath::{Feature, Piece};

#[test]
fn a_cube_is_printed_whole_with_walls_skins_and_infill() {
    let print = Print::of(&block([0.0; 3], [20.0, 20.0, 10.0]));
    assert_eq!(print.layers.len(), 50);
    assert_eq!(print.loops_per_layer(Feature::OuterPerimeter), vec![1; 50]);
    for (index, layer) in print.layers.iter().enumerate() {
        let solid = !(4..45).contains(&index);
        assert_eq!(layer.has(Feature::SparseInfill), !solid, "layer {index}");
        let top = layer.has(Feature::TopSurface);
        assert_eq!(top, index == 49, "layer {index}");
    }
    let volume = print.volume_of_layer(0) / (20.0 * 20.0 * 0.2);
    assert!((0.96..1.04).contains(&volume), "a solid layer holds its own volume: {volume}");
}

#[test]
fn the_outer_wall_lies_half_a_line_inside_the_part() {
    let print = Print::of(&block([0.0; 3], [20.0, 20.0, 2.0]));
    let (low, high) = print.layers[5].extent(Feature::OuterPerimeter);
    // The part is centred on a bed of 250 by 210.
    assert_eq!((low, high), ([115_225, 95_225], [134_775, 114_775]));
}

#[test]
fn a_wall_half_a_millimetre_thick_is_one_line_as_wide() {
    let print = Print::of(&block([0.0; 3], [30.0, 0.5, 5.0]));
    for layer in &print.layers {
        assert!(layer.length(Feature::ThinWall) > 28.0, "{}", layer.length(Feature::ThinWall));
        assert!(!layer.has(Feature::OuterPerimeter));
        assert!(layer.widths(Feature::ThinWall).all(|width| (450..=550).contains(&width)));
        // With its round end, half its width, the line ends where the part does: 15 mm from the bed's middle.
        let (low, high) = layer.extent(Feature::ThinWall);
        assert!(
            (110_175..110_300).contains(&low[0]) && (139_700..139_825).contains(&high[0]),
            "{low:?} {high:?}"
        );
    }
}

#[test]
fn a_wall_of_any_thickness_gets_its_own_volume_of_plastic() {
    for tenths in 4..=20_u8 {
        let thickness = f32::from(tenths) / 10.0;
        let print = Print::with(&block([0.0; 3], [30.0, thickness, 3.0]), &[("infill-density", "100%")]);
        let filled = print.volume_of_layer(7) / (30.0 * f64::from(thickness) * 0.2);
        assert!((0.85..1.1).contains(&filled), "{thickness} mm: {filled}");
    }
}

#[test]
fn a_thin_rod_keeps_every_layer() {
    let print = Print::of(&block([0.0; 3], [5.0, 5.0, 61.0]));
    assert_eq!(print.layers.len(), 305);
    assert!(print.layers.iter().all(|layer| layer.has(Feature::OuterPerimeter)));
}

#[test]
fn a_tube_thinner_than_the_nozzle_is_printed_and_never_an_empty_file() {
    let print = Print::of(&tube(5.0, 5.0 - 0.31, 3.0));
    assert_eq!(print.layers.len(), 15);
    for layer in &print.layers {
        let around = std::f64::consts::TAU * 4.845;
        assert!(
            (layer.length(Feature::ThinWall) / around - 1.0).abs() < 0.1,
            "{}",
            layer.length(Feature::ThinWall)
        );
    }
}

#[test]
fn a_wire_too_thin_to_print_is_refused_by_name_of_the_nozzle() {
    let refused = refusal(&block([0.0; 3], [0.05, 0.05, 20.0]), &[]);
    assert!(
        refused.to_string().contains("0.4 mm nozzle") || refused.to_string().contains("first"),
        "{refused}"
    );
}

#[test]
fn a_cone_has_solid_skin_on_its_slope_and_loses_no_layer() {
    let print = Print::of(&cone(20.0, 12.0));
    assert!(print.layers.len() >= 58, "{}", print.layers.len());
    assert!(print.layers[1..55].iter().all(|layer| layer.has(Feature::OuterPerimeter)));
    let skinned = print.layers[8..40].iter().filter(|layer| layer.solid_length() > 10.0).count();
    assert_eq!(skinned, 32, "a slope is seen from above in every layer");
}

#[test]
fn a_slope_that_its_walls_cover_gets_no_slivers_beside_them() {
    // Each layer is 0.17 mm smaller than the one below: what five layers leave open is under the two walls.
    let print = Print::of(&cone(10.0, 12.0));
    for layer in &print.layers[8..40] {
        assert_eq!(layer.solid_length(), 0.0);
        assert!(layer.has(Feature::SparseInfill));
    }
}

#[test]
fn a_solid_layer_leaves_no_notch_along_its_walls() {
    let print = Print::of(&block([0.0; 3], [20.0, 20.0, 4.0]));
    // Lines at 45° that turn back at the wall 0.86 mm inside the part; their turns lie along all of it.
    let wall = 125.0 - 10.0 + 0.86;
    let covered: f64 = print.layers[19]
        .lines(Feature::TopSurface)
        .iter()
        .filter(|(a, b, _)| (a[0] - wall).abs() < 0.2 && (b[0] - wall).abs() < 0.2)
        .map(|(a, b, width)| (a[1] - b[1]).abs() + width)
        .sum();
    assert!(covered > 0.97 * (20.0 - 2.0 * 0.86), "{covered} mm");
}

#[test]
fn a_wall_that_tapers_changes_its_width_little_by_little() {
    let wedge = ribbon(&[[0.0, 0.175], [40.0, 0.35]], &[[0.0, -0.175], [40.0, -0.35]], 2.0);
    let print = Print::of(&wedge);
    let mut lines = print.layers[5].lines(Feature::ThinWall);
    lines.sort_by(|a, b| a.0[0].min(a.1[0]).total_cmp(&b.0[0].min(b.1[0])));
    let widths: Vec<f64> = lines.iter().map(|(_, _, width)| *width).collect();
    assert!(widths.windows(2).all(|pair| (pair[1] / pair[0] - 1.0).abs() < 0.12), "{widths:?}");
    assert!(widths[0] < 0.4 && widths[widths.len() - 1] > 0.65, "{widths:?}");
    // A line's round sides lack 0.043 mm of its width.
    let volume = print.volume_of_layer(5) / (40.0 * (0.525 - 0.043) * 0.2);
    assert!((0.9..1.02).contains(&volume), "{volume}");
}

#[test]
fn each_kind_of_line_has_its_own_width_flow_and_angle() {
    let part = block([0.0; 3], [30.0, 30.0, 4.0]);
    let changed = [
        ("inner-line-width", "0.6mm"),
        ("sparse-line-width", "0.5mm"),
        ("top-line-width", "0.35mm"),
        ("infill-angle", "0°"),
    ];
    let print = Print::with(&part, &changed);
    let widths = |layer: usize, feature| print.layers[layer].widths(feature).collect::<Vec<_>>();
    assert!(widths(10, Feature::OuterPerimeter).iter().all(|width| *width == 450));
    assert!(widths(10, Feature::InnerPerimeter).iter().all(|width| *width == 600));
    assert!(widths(10, Feature::SparseInfill).iter().all(|width| *width == 500));
    assert!(widths(19, Feature::TopSurface).iter().all(|width| (330..=370).contains(width)));
    let (along, across) = print.layers[18].directions(Feature::SolidInfill);
    assert!(along > 5.0 * across, "{along} {across}");
    let (along, across) = print.layers[17].directions(Feature::SolidInfill);
    assert!(across > 5.0 * along, "{along} {across}");
    let laid = |flow| Print::with(&part, &[("top-flow", flow)]).volume_of_layer(19);
    let top = |share: f64| 0.2 * share * (30.0 - 4.0 * 0.43) * (30.0 - 4.0 * 0.43);
    assert!((laid("100%") - laid("50%") - top(0.5)).abs() < 0.05 * top(1.0));
}

#[test]
fn a_small_solid_place_gets_its_own_volume_though_it_is_all_turns() {
    let print = Print::with(&block([0.0; 3], [8.0, 8.0, 2.0]), &[("infill-density", "100%")]);
    for layer in 1..9 {
        let filled = print.volume_of_layer(layer) / (8.0 * 8.0 * 0.2);
        assert!((0.97..1.04).contains(&filled), "{layer}: {filled}");
    }
}

#[test]
fn overlapping_bodies_are_one_part() {
    let crossed = join(&[block([0.0; 3], [20.0, 8.0, 4.0]), block([6.0, -6.0, 0.0], [14.0, 14.0, 4.0])]);
    let print = Print::of(&crossed);
    assert!(print.loops_per_layer(Feature::OuterPerimeter).iter().all(|loops| *loops == 1));
}

#[test]
fn a_body_inside_a_body_of_the_same_facing_stays_solid() {
    let nested = join(&[block([0.0; 3], [20.0, 20.0, 6.0]), block([5.0, 5.0, 1.0], [15.0, 15.0, 5.0])]);
    assert!(Print::of(&nested).loops_per_layer(Feature::OuterPerimeter).iter().all(|loops| *loops == 1));
}

#[test]
fn a_void_inside_a_body_stays_empty_and_its_roof_is_bridged() {
    let hollow =
        join(&[block([0.0; 3], [20.0, 20.0, 10.0]), flipped(&block([5.0, 5.0, 3.0], [15.0, 15.0, 7.0]))]);
    let print = Print::of(&hollow);
    let loops = print.loops_per_layer(Feature::OuterPerimeter);
    assert_eq!((loops[5], loops[25], loops[45]), (1, 2, 1));
    assert!(print.layers[35].has(Feature::Bridge), "the first layer over the void");
    assert!(!print.layers[37].has(Feature::Bridge));
}

#[test]
fn a_bridge_runs_from_pillar_to_pillar() {
    let gate = join(&[
        block([0.0, 0.0, 0.0], [5.0, 10.0, 8.0]),
        block([20.0, 0.0, 0.0], [25.0, 10.0, 8.0]),
        block([0.0, 0.0, 8.0], [25.0, 10.0, 10.0]),
    ]);
    let print = Print::of(&gate);
    let (along, across) = print.layers[40].directions(Feature::Bridge);
    assert!(along > 10.0 * across, "along the gap {along}, across {across}");
}

#[test]
fn a_cylinder_is_round_and_its_volume_right() {
    let print = Print::with(&cylinder(10.0, 4.0), &[("infill-density", "100%")]);
    let volume: f64 = (0..print.layers.len()).map(|index| print.volume_of_layer(index)).sum();
    let asked = std::f64::consts::PI * 100.0 * 4.0;
    assert!((volume / asked - 1.0).abs() < 0.05, "{volume} of {asked}");
}

#[test]
fn faces_that_look_the_wrong_way_and_a_missing_lid_are_made_good() {
    for broken in
        [flipped(&block([0.0; 3], [20.0, 20.0, 4.0])), open_top(&block([0.0; 3], [20.0, 20.0, 4.0]))]
    {
        let print = Print::of(&broken);
        assert_eq!(print.layers.len(), 20);
        assert!(print.loops_per_layer(Feature::OuterPerimeter).iter().all(|loops| *loops == 1));
        let volume = print.volume_of_layer(19) / (20.0 * 20.0 * 0.2);
        assert!((0.96..1.04).contains(&volume), "{volume}");
    }
}

#[test]
fn a_band_of_faces_that_look_the_wrong_way_is_as_hollow_as_the_rest() {
    let sound = Print::of(&tube(6.0, 4.0, 3.0));
    for broken in
        [half_flipped(&tube(6.0, 4.0, 3.0)), banded_tube(6.0, 4.0, 1.0), shaken(&banded_tube(6.0, 4.0, 1.0))]
    {
        let print = Print::of(&broken);
        assert_eq!(print.layers.len(), sound.layers.len());
        for (layer, asked) in print.layers.iter().zip(&sound.layers) {
            let wall = layer.length(Feature::OuterPerimeter) / asked.length(Feature::OuterPerimeter);
            assert!((0.99..1.01).contains(&wall), "layer {}: {wall}", layer.index());
        }
    }
}

#[test]
fn a_body_whose_triangles_share_no_corner_is_printed_as_if_they_did() {
    let part = cylinder(10.0, 4.0);
    let (sound, loose) = (Print::of(&part), Print::of(&shaken(&part)));
    assert_eq!(sound.layers.len(), loose.layers.len());
    for (sound, loose) in sound.layers.iter().zip(&loose.layers) {
        let wall = loose.length(Feature::OuterPerimeter) / sound.length(Feature::OuterPerimeter);
        assert!((0.99..1.01).contains(&wall), "{wall}");
    }
}

#[test]
fn a_missing_triangle_in_a_side_is_closed_over() {
    let mut holed = cylinder(10.0, 4.0);
    holed.triangles.remove(100);
    let (sound, holed) = (Print::of(&cylinder(10.0, 4.0)), Print::of(&holed));
    for (sound, holed) in sound.layers.iter().zip(&holed.layers) {
        let wall = holed.length(Feature::OuterPerimeter) / sound.length(Feature::OuterPerimeter);
        assert!((0.97..1.03).contains(&wall), "{wall}");
    }
}

#[test]
fn the_same_bytes_leave_on_any_number_of_threads() {
    let part = join(&[cone(10.0, 8.0), block([-4.0, -4.0, 0.0], [4.0, 14.0, 5.0])]);
    let bytes = |threads| -> Vec<Vec<u8>> {
        slice_with(&part, &profile(&[]), threads).expect("sliced").iter().map(Piece::emit).collect()
    };
    let one = bytes(1);
    assert!(one.len() > 40);
    assert_eq!(one, bytes(2));
    assert_eq!(one, bytes(3));
}

#[test]
fn a_layer_leaves_before_the_part_is_cut_to_its_top() {
    let tall = block([0.0; 3], [5.0, 5.0, 100.0]);
    let mut taken = 0;
    let stopped = layerlock_slicer::slice(&tall, &profile(&[]), std::num::NonZero::<usize>::MIN, &mut |_| {
        taken += 1;
        if taken < 3 { Ok(()) } else { Err(layerlock_slicer::SinkClosed) }
    });
    assert_eq!(stopped, Err(SliceError::Closed(layerlock_slicer::SinkClosed)));
    assert_eq!(taken, 3, "a prologue, a layer, and the one refused");
}

#[test]
fn every_piece_reads_back_from_its_bytes() {
    let pieces = slice_with(&cone(6.0, 5.0), &profile(&[]), 1).expect("sliced");
    for piece in &pieces {
        assert_eq!(Piece::parse(&piece.emit()).as_ref(), Ok(piece));
    }
    assert!(matches!(pieces.first(), Some(Piece::Prologue(_))));
    assert!(matches!(pieces.last(), Some(Piece::Epilogue(_))));
}

#[test]
fn the_epilogue_sums_what_was_laid() {
    let print = Print::of(&block([0.0; 3], [20.0, 20.0, 5.0]));
    let end = print.epilogue;
    assert_eq!(end.layers as usize, print.layers.len());
    assert!((end.filament_um as f64 / 1000.0 - print.filament_mm()).abs() < 0.01);
    assert_eq!((end.min.z, end.max.z), (200, 5_000));
    assert!((115_000..116_000).contains(&end.min.x) && (134_000..135_000).contains(&end.max.x));
    assert!((120_000..1_200_000).contains(&end.duration.0), "{} ms", end.duration.0);
}

#[test]
fn a_part_that_does_not_fit_is_refused_with_both_sizes() {
    let refused = refusal(&block([0.0; 3], [260.0, 20.0, 20.0]), &[("skirt-loops", "0")]);
    assert!(matches!(refused, SliceError::TooLarge { .. }));
    for said in ["260 mm", "250 mm", "prusa-mk3s"] {
        assert!(refused.to_string().contains(said), "{refused}");
    }
    let scaled = refusal(&block([0.0; 3], [26.0, 20.0, 20.0]), &[("scale", "1000%")]);
    assert!(matches!(scaled, SliceError::TooLarge { .. }));
    assert!(!refused.to_string().contains("every side"), "nothing is laid around it: {refused}");
    let brimmed =
        refusal(&block([0.0; 3], [246.0, 20.0, 20.0]), &[("skirt-loops", "0"), ("brim-width", "8mm")]);
    let brimmed = brimmed.to_string();
    assert!(brimmed.starts_with("the part is 246 mm × 20 mm × 20 mm, with 8 mm of"), "{brimmed}");
}

#[test]
fn a_design_in_another_place_and_scale_is_dropped_to_the_bed() {
    let far = block([500.0, -300.0, 70.0], [510.0, -290.0, 75.0]);
    let print = Print::with(&far, &[("scale", "200%")]);
    assert_eq!(print.layers.len(), 50);
    assert_eq!((print.epilogue.min.x + print.epilogue.max.x) / 2, 125_000);
}

#[test]
fn damaged_meshes_are_refused_by_name() {
    let mut missing = block([0.0; 3], [5.0; 3]);
    missing.triangles[3][1] = 99;
    assert_eq!(refusal(&missing, &[]), SliceError::MissingVertex { triangle: 3, vertex: 99, vertices: 8 });
    let mut wild = block([0.0; 3], [5.0; 3]);
    wild.vertices[2][0] = f32::NAN;
    assert_eq!(refusal(&wild, &[]), SliceError::Unbounded { vertex: 2 });
    let empty = layerlock_slicer::mesh::Mesh::default();
    assert_eq!(refusal(&empty, &[]), SliceError::Empty);
}

#[test]
fn travels_inside_the_part_do_not_retract_and_those_between_parts_do() {
    let apart = join(&[block([0.0; 3], [10.0, 10.0, 2.0]), block([30.0, 0.0, 0.0], [40.0, 10.0, 2.0])]);
    let together = block([0.0; 3], [40.0, 10.0, 2.0]);
    let (apart, together) = (Print::of(&apart), Print::of(&together));
    assert!(
        together.layers[1..].iter().all(|layer| layer.retractions() == 1),
        "only on the way to the next layer"
    );
    assert!(apart.layers.iter().all(|layer| layer.retractions() >= 2));
}

#[test]
fn travels_go_around_holes_and_never_across_them() {
    // Three bars each way, 4 mm wide and 18 mm apart: a window of four panes, 40 mm wide around (125, 105).
    let bars = [0.0, 18.0, 36.0].map(|at| {
        [block([at, 0.0, 0.0], [at + 4.0, 40.0, 3.0]), block([0.0, at, 0.0], [40.0, at + 4.0, 3.0])]
    });
    let window = join(&bars.concat());
    let on_bar = |at: f64| [0.0, 18.0, 36.0].iter().any(|bar| (bar - 0.1..bar + 4.1).contains(&at));
    let crossing = |print: &Print| {
        let legs = print.layers.iter().flat_map(|layer| layer.travels());
        let pane = |at: [f64; 2]| !on_bar(at[0] - 105.0) && !on_bar(at[1] - 85.0);
        let along = |a: [f64; 2], b: [f64; 2], n: u32| {
            [0, 1].map(|axis| a[axis] + (b[axis] - a[axis]) * f64::from(n) / 16.0)
        };
        legs.filter(|(a, b)| (0..=16).any(|n| pane(along(*a, *b, n)))).count()
    };
    let straight = Print::with(&window, &[("avoid-crossing", "off")]);
    let around = Print::of(&window);
    assert!(crossing(&straight) > 10, "{}", crossing(&straight));
    assert_eq!(crossing(&around), 0);
    assert!(
        around.layers[1..].iter().all(|layer| layer.retractions() == 1),
        "only on the way to the next layer"
    );
    assert_eq!(around.epilogue.filament_um, straight.epilogue.filament_um);
}

#[test]
fn holes_widen_and_a_thin_fin_is_not_swallowed_by_a_smaller_part() {
    // A plate with a hole of 10 mm and a fin half a millimetre thick, around (125, 105).
    let plate = join(&[tube(20.0, 5.0, 2.0), block([19.5, -0.25, 0.0], [28.0, 0.25, 2.0])]);
    let plain = Print::of(&plate);
    let moved = Print::with(&plate, &[("hole-compensation", "0.2mm"), ("xy-compensation", "-0.3mm")]);
    let fin = |laid: &golden::print::Laid| {
        let lines = laid.lines(Feature::ThinWall);
        lines.iter().map(|(a, b, _)| (b[0] - a[0]).abs()).fold(0.0, f64::max)
    };
    for (plain, moved) in plain.layers.iter().zip(&moved.layers) {
        assert!(fin(plain) > 7.5 && (fin(moved) / fin(plain) - 1.0).abs() < 0.01, "{}", fin(moved));
        let around = moved.length(Feature::OuterPerimeter) - plain.length(Feature::OuterPerimeter);
        let asked = std::f64::consts::TAU * (0.2 - 0.3);
        assert!((around - asked).abs() < 1.0, "{around} for {asked}");
    }
    let volume = |print: &Print| print.volume_of_layer(5) / 0.2;
    assert!(volume(&moved) < volume(&plain));
}

#[test]
fn settings_change_what_they_name() {
    let part = block([0.0; 3], [30.0, 30.0, 4.0]);
    let walls = Print::with(&part, &[("perimeters", "4")]);
    assert_eq!(walls.loops_per_layer(Feature::InnerPerimeter), vec![3; 20]);
    let hollow = Print::with(&part, &[("infill-density", "0%")]);
    assert!(hollow.layers.iter().all(|layer| !layer.has(Feature::SparseInfill)));
    let brim = Print::with(&part, &[("brim-width", "4mm")]);
    assert!(brim.layers[0].has(Feature::Skirt) && !brim.layers[1].has(Feature::Skirt));
    let foot = Print::with(&part, &[("elephant-foot", "0.2mm")]);
    let (low, _) = foot.layers[0].extent(Feature::OuterPerimeter);
    assert_eq!(low[0], 110_425);
    let wide = Print::with(&part, &[("xy-compensation", "0.1mm")]);
    assert!(wide.layers.iter().all(|layer| layer.extent(Feature::OuterPerimeter).0[0] == 110_125));
    for pattern in ["rectilinear", "grid", "gyroid", "triangles", "cubic", "concentric", "adaptive-cubic"] {
        let sparse = Print::with(&part, &[("infill-pattern", pattern)]);
        assert!(sparse.layers[10].length(Feature::SparseInfill) > 200.0, "{pattern}");
    }
}
