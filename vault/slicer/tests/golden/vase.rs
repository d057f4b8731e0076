//! The spiral vase: one wall that rises without an end.

use std::f64::consts::{PI, TAU};

use layerlock_slicer::SliceError;
use layerlock_slicer::mesh::Mesh;
use layerlock_terms::toolpath::{Feature, Path, Piece, Point};
use layerlock_terms::units::Micrometres;

use super::meshes::{block, cone, cylinder, flipped, join, tube};
use super::print::{Laid, Print, profile, refusal, slice_with};

const VASE: (&str, &str) = ("spiral-vase", "on");

fn vase(part: &Mesh) -> Print {
    Print::with(part, &[VASE])
}

/// The layers of the wall: those above the four solid ones of the standard preset.
fn turns(print: &Print) -> &[Laid] {
    &print.layers[4..]
}

fn turn(laid: &Laid) -> (Point, &Path) {
    let (from, path) = &laid.paths()[0];
    (*from, path)
}

fn last(path: &Path) -> Point {
    path.points.last().expect("points").0
}

#[test]
fn above_a_solid_bottom_each_layer_is_one_turn_that_climbs_to_its_top() {
    let print = vase(&cylinder(10.0, 10.0));
    assert_eq!(print.layers.len(), 50);
    for laid in &print.layers[..4] {
        assert!(laid.solid_length() > 600.0 && !laid.has(Feature::SparseInfill));
    }
    for (nth, laid) in turns(&print).iter().enumerate() {
        let paths = laid.paths();
        assert_eq!(paths.len(), if nth == 45 { 2 } else { 1 }, "layer {nth}");
        assert!(paths.iter().all(|(_, path)| path.feature == Feature::OuterPerimeter));
        assert_eq!(paths[0].1.climb, Some(Micrometres(laid.top())));
        let around = laid.length(Feature::OuterPerimeter) / paths.len() as f64;
        assert!((around / (TAU * 9.775) - 1.0).abs() < 0.01, "{around}");
    }
    let (_, rim) = &turns(&print)[45].paths()[1];
    assert_eq!(rim.climb, None, "the rim is level");
}

#[test]
fn every_turn_begins_where_the_last_one_ended_and_nothing_is_pulled_back_between() {
    for part in [cylinder(10.0, 6.0), cone(12.0, 10.0), block([0.0; 3], [20.0, 14.0, 5.0])] {
        let print = vase(&part);
        let turns = &turns(&print)[..turns(&print).len().min(35)];
        for pair in turns.windows(2) {
            let (below, above) = (turn(&pair[0]).1, turn(&pair[1]));
            assert_eq!(last(below), above.0);
            assert_eq!(pair[1].retractions(), 0);
        }
        assert_eq!(turns[0].retractions(), 0, "the solid layer below ended with it");
        assert!(print.layers[3].retractions() >= 1, "on the way to the first");
    }
}

#[test]
fn a_leaning_wall_has_no_step_where_a_turn_begins() {
    // The cone leans in by 0.24 mm a layer. Along a turn its distance from the axis shrinks evenly.
    let print = vase(&cone(12.0, 10.0));
    for laid in &turns(&print)[1..30] {
        let (from, path) = turn(laid);
        let radius = |p: Point| (f64::from(p.x) - 125_000.0).hypot(f64::from(p.y) - 105_000.0);
        let mut before = radius(from);
        for (to, _) in &path.points {
            let now = radius(*to);
            assert!((-15.0..40.0).contains(&(before - now)), "{before} to {now}");
            before = now;
        }
        let shrunk = radius(from) - radius(last(path));
        assert!((200.0..280.0).contains(&shrunk), "{shrunk}");
    }
}

#[test]
fn a_turn_has_its_walls_volume_and_the_ends_are_wedges() {
    let print = vase(&cylinder(10.0, 6.0));
    let line = 0.2 * (0.45 - 0.2 * (1.0 - PI / 4.0));
    let full = TAU * 9.775 * line;
    let turns: Vec<f64> = (4..30).map(|index| print.volume_of_layer(index) / full).collect();
    assert!((turns[0] - 0.5).abs() < 0.02, "{}", turns[0]);
    assert!(turns[1..25].iter().all(|share| (share - 1.0).abs() < 0.01), "{turns:?}");
    assert!((turns[25] - 1.5).abs() < 0.02, "the last turn and the rim: {}", turns[25]);
    let first = &turn(&print.layers[4]).1.points;
    assert!(first[0].1.0 * 20 < first[first.len() - 1].1.0, "it begins at nothing");
}

#[test]
fn holes_and_hollows_do_not_count() {
    let hollow =
        join(&[block([0.0; 3], [20.0, 20.0, 6.0]), flipped(&block([5.0, 5.0, 2.0], [15.0, 15.0, 5.0]))]);
    for part in [tube(10.0, 5.0, 6.0), hollow] {
        assert!(turns(&vase(&part)).iter().all(|laid| laid.paths().len() <= 2));
    }
}

#[test]
fn what_a_vase_can_not_be_is_refused_by_name() {
    let part = cylinder(10.0, 6.0);
    let refused = refusal(&part, &[VASE, ("support", "grid")]);
    assert_eq!(refused.to_string(), "`spiral-vase` can't be printed with `support`: turn one of them off");
    let towers = join(&[
        block([0.0; 3], [30.0, 10.0, 2.0]),
        block([0.0, 0.0, 2.0], [8.0, 10.0, 8.0]),
        block([22.0, 0.0, 2.0], [30.0, 10.0, 8.0]),
    ]);
    let refused = refusal(&towers, &[VASE]);
    assert_eq!(refused, SliceError::VaseIslands { layer: 10, z: Micrometres(2_200), islands: 2 });
    let needle = join(&[block([0.0; 3], [10.0, 10.0, 2.0]), block([4.0, 4.0, 2.0], [4.3, 9.0, 6.0])]);
    assert!(matches!(refusal(&needle, &[VASE]), SliceError::VaseGap { layer: 10, .. }));
}

#[test]
fn a_tip_too_thin_for_a_line_ends_the_wall() {
    let print = vase(&cone(6.0, 14.0));
    let last = print.layers.iter().rposition(|laid| laid.has(Feature::OuterPerimeter)).expect("a wall");
    assert!((64..70).contains(&last), "{last}");
    assert_eq!(print.layers[last].paths().len(), 2, "the rim is closed below the tip");
}

#[test]
fn a_vase_leaves_in_the_same_bytes_on_any_number_of_threads_and_reads_back() {
    let bytes = |threads| -> Vec<Vec<u8>> {
        let profile = profile(&[VASE, ("adaptive-layers", "on"), ("brim-width", "3mm")]);
        let pieces = slice_with(&cone(12.0, 14.0), &profile, threads).expect("sliced");
        assert!(pieces.iter().all(|piece| Piece::parse(&piece.emit()).as_ref() == Ok(piece)));
        pieces.iter().map(Piece::emit).collect()
    };
    assert_eq!(bytes(1), bytes(3));
}
