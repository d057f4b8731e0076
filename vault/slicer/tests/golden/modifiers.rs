//! Text on faces, and meshes added, taken away and intersected.

use std::num::NonZero;

use layerlock_slicer::mesh::Mesh;
use layerlock_slicer::modifiers::{Face, Modifier, Text, TextError, TextStyle};
use layerlock_slicer::{SliceError, slice_modified};
use layerlock_terms::toolpath::{Feature, Piece};
use layerlock_terms::units::Micrometres;

use super::meshes::{block, cylinder, flipped, join};
use super::print::{Print, profile, slice_modified_with};

const SOLID: (&str, &str) = ("infill-density", "100%");

/// A block of 30 × 20 × 10 mm.
fn plate() -> Mesh {
    block([0.0; 3], [30.0, 20.0, 10.0])
}

fn text(words: &str, face: Face, at: [i32; 2], style: TextStyle) -> Text {
    Text {
        words: words.to_owned(),
        face,
        at: at.map(Micrometres),
        size: Micrometres(6_000),
        depth: Micrometres(800),
        style,
    }
}

fn lettered(text: Text) -> Print {
    Print::modified(&plate(), &[Modifier::Text(text)], &[SOLID])
}

fn refused(part: &Mesh, modifier: Modifier<'_>) -> SliceError {
    slice_modified_with(part, &[modifier], &profile(&[]), 1).expect_err("refused")
}

/// Square millimetres of plastic in a layer of 0.2 mm.
fn area(print: &Print, layer: usize) -> f64 {
    print.volume_of_layer(layer) / 0.2
}

#[test]
fn a_mesh_is_added_taken_away_or_intersected_layer_by_layer() {
    // A rod of 8 mm through the plate's middle, from 4 mm above the bed to 2 mm above the plate.
    let rod = block([11.0, 6.0, 4.0], [19.0, 14.0, 12.0]);
    let layers = |modifier| Print::modified(&plate(), &[modifier], &[SOLID]);
    let (added, drilled, common) = (
        layers(Modifier::Add(&rod)),
        layers(Modifier::Subtract(&rod)),
        layers(Modifier::Intersect(&block([11.0, 6.0, -5.0], [19.0, 14.0, 30.0]))),
    );
    assert_eq!((added.layers.len(), drilled.layers.len(), common.layers.len()), (60, 50, 50));
    let close = |print: &Print, layer, asked: f64| {
        let share = area(print, layer) / asked;
        assert!((0.96..1.04).contains(&share), "layer {layer}: {share} of {asked}");
    };
    for layer in [1, 10, 30, 48] {
        close(&added, layer, 600.0);
        close(&drilled, layer, if layer < 20 { 600.0 } else { 600.0 - 64.0 });
        close(&common, layer, 64.0);
    }
    close(&added, 55, 64.0);
    assert_eq!(drilled.loops_per_layer(Feature::OuterPerimeter)[19..21], [1, 2]);
}

#[test]
fn a_part_beside_the_design_makes_room_on_the_bed_and_below_it() {
    let beside = block([40.0, 0.0, -2.0], [50.0, 20.0, 10.0]);
    let print = Print::modified(&plate(), &[Modifier::Add(&beside)], &[]);
    assert_eq!(print.layers.len(), 60, "the whole stands on the bed");
    assert_eq!(print.loops_per_layer(Feature::OuterPerimeter)[5..15], [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
    assert!((print.epilogue.min.x + print.epilogue.max.x - 250_000).abs() <= 2, "{:?}", print.epilogue);
}

#[test]
fn a_modifier_whose_faces_look_the_wrong_way_counts_the_same() {
    let rod = block([11.0, 6.0, -1.0], [19.0, 14.0, 12.0]);
    let whole = Print::modified(&plate(), &[Modifier::Subtract(&rod)], &[]);
    let turned = Print::modified(&plate(), &[Modifier::Subtract(&flipped(&rod))], &[]);
    assert_eq!(whole.epilogue, turned.epilogue);
}

#[test]
fn raised_letters_stand_on_the_top_by_their_depth() {
    let print = lettered(text("HI", Face::Top, [15_000, 10_000], TextStyle::Raised));
    assert_eq!(print.layers.len(), 54, "four layers of 0.2 mm are 0.8 mm");
    for layer in 50..54 {
        assert_eq!(print.loops_per_layer(Feature::OuterPerimeter)[layer], 2, "an H and an I");
        let (low, high) = print.layers[layer].extent(Feature::OuterPerimeter);
        // The walls' middles lie half a line inside: capitals of 6 mm around (125, 105).
        assert!((low[1] - 102_225).abs() <= 2 && (high[1] - 107_775).abs() <= 2, "{low:?} {high:?}");
        assert!((low[0] + high[0] - 250_000).abs() <= 10, "{low:?} {high:?}");
    }
    assert_eq!(print.loops_per_layer(Feature::OuterPerimeter)[49], 1);
}

#[test]
fn what_engraving_takes_is_what_raising_adds() {
    let at = [15_000, 10_000];
    let raised = lettered(text("HELP", Face::Top, at, TextStyle::Raised));
    let engraved = lettered(text("HELP", Face::Top, at, TextStyle::Engraved));
    assert_eq!(engraved.layers.len(), 50);
    let letters = area(&raised, 51);
    for layer in 46..50 {
        let left = area(&engraved, layer);
        assert!(((left + letters) / 600.0 - 1.0).abs() < 0.03, "{left} and {letters} of 600");
    }
    assert!((area(&engraved, 45) / 600.0 - 1.0).abs() < 0.03, "deeper it is whole");
    assert!((30.0..60.0).contains(&letters), "{letters}");
}

#[test]
fn letters_on_a_side_are_cut_at_every_layer_and_read_from_outside() {
    // An L: its stem, which is left as one reads it, is 6 mm high, its foot a millimetre.
    for (face, at, axis, sign) in [
        (Face::Front, [15_000, 5_000], 1, -1),
        (Face::Back, [15_000, 5_000], 1, 1),
        (Face::Left, [10_000, 5_000], 0, -1),
        (Face::Right, [10_000, 5_000], 0, 1),
    ] {
        let print = lettered(text("L", face, at, TextStyle::Raised));
        let half = [15_000, 10_000][axis];
        let beyond = |layer: usize| {
            let (low, high) = print.layers[layer].extent(Feature::OuterPerimeter);
            let edge = if sign < 0 { low } else { high }[axis];
            // The part's box is centred with its letters.
            let middle = [125_000, 105_000][axis] - sign * 400;
            (edge - middle) * sign - half + 225
        };
        for (layer, out) in [(5, 0), (12, 800), (20, 800), (37, 800), (41, 0)] {
            assert!((beyond(layer) - out).abs() <= 3, "{face:?} layer {layer}: {}", beyond(layer));
        }
        // What stands out at mid-height is the stem: to the left of the foot, seen from outside.
        let across = 1 - axis;
        let out = |layer: usize| -> Vec<f64> {
            let lines = print.layers[layer].lines(Feature::OuterPerimeter);
            let edge =
                ([125.0, 105.0][axis] - f64::from(sign) * 0.4) + f64::from(sign) * f64::from(half) / 1000.0;
            let far = |at: &[f64; 2]| (at[axis] - edge) * f64::from(sign) > 0.1;
            lines.iter().flat_map(|(a, b, _)| [*a, *b]).filter(far).map(|at| at[across]).collect()
        };
        let mean = |of: Vec<f64>| of.iter().sum::<f64>() / of.len() as f64;
        let (stem, foot) = (mean(out(25)), mean(out(12)));
        let right = if matches!(face, Face::Front | Face::Right) { 1.0 } else { -1.0 };
        assert!((foot - stem) * right > 0.3, "{face:?}: stem {stem}, foot {foot}");
    }
}

#[test]
fn letters_engraved_in_a_side_take_their_depth_and_the_other_side_stays() {
    let plain = Print::with(&plate(), &[SOLID]);
    let print = lettered(text("I", Face::Front, [15_000, 5_000], TextStyle::Engraved));
    assert_eq!(print.epilogue.min.y, plain.epilogue.min.y);
    let taken: Vec<f64> = (0..50).map(|layer| area(&plain, layer) - area(&print, layer)).collect();
    assert!(taken[..9].iter().chain(&taken[41..]).all(|area| area.abs() < 2.0), "{taken:?}");
    let middle = taken[15..35].iter().sum::<f64>() / 20.0;
    // The stem of an I of 6 mm is 1.6 mm wide in this font.
    assert!((0.6..2.4).contains(&middle), "{middle}");
}

#[test]
fn letters_follow_the_designs_place_and_scale() {
    let far = block([500.0, 300.0, 50.0], [530.0, 320.0, 60.0]);
    let words = text("HI", Face::Top, [515_000, 310_000], TextStyle::Raised);
    let near = Modifier::Text(text("HI", Face::Top, [15_000, 10_000], TextStyle::Raised));
    let (moved, at_home) = (
        Print::modified(&far, &[Modifier::Text(words)], &[("scale", "150%")]),
        Print::modified(&plate(), &[near], &[("scale", "150%")]),
    );
    assert_eq!(moved.epilogue, at_home.epilogue);
    let (low, high) = moved.layers[77].extent(Feature::OuterPerimeter);
    assert!((high[1] - low[1] - 8_550).abs() <= 3, "9 mm less a line: {low:?} {high:?}");
}

#[test]
fn text_that_can_not_be_laid_is_refused_with_the_mend() {
    let on =
        |at, words: &str| refused(&plate(), Modifier::Text(text(words, Face::Top, at, TextStyle::Raised)));
    let said = on([40_000, 10_000], "A").to_string();
    assert_eq!(said, "there is no part at 40 mm 10 mm seen from the top: move the text onto it");
    assert!(matches!(on([15_000, 10_000], "PERSONALISED"), SliceError::Text(TextError::HangsOver { .. })));
    assert!(matches!(on([15_000, 18_000], "A"), SliceError::Text(TextError::HangsOver { .. })));
    assert!(matches!(on([15_000, 10_000], ""), SliceError::Text(TextError::Empty)));
    assert_eq!(on([15_000, 10_000], "A☃"), SliceError::Text(TextError::UnknownLetter { letter: '☃' }));
    let fine =
        Text { size: Micrometres(1_500), ..text("ab", Face::Top, [15_000, 10_000], TextStyle::Raised) };
    assert!(matches!(refused(&plate(), Modifier::Text(fine)), SliceError::Text(TextError::TooFine { .. })));
    let flat = Text { depth: Micrometres(150), ..text("ab", Face::Top, [15_000, 10_000], TextStyle::Raised) };
    assert!(matches!(
        refused(&plate(), Modifier::Text(flat)),
        SliceError::Text(TextError::TooShallow { .. })
    ));
    let round = text("AB", Face::Front, [0, 5_000], TextStyle::Engraved);
    let uneven = refused(&cylinder(11.0, 10.0), Modifier::Text(round));
    assert!(matches!(uneven, SliceError::Text(TextError::Uneven { .. })), "{uneven}");
    let mut torn = plate();
    torn.triangles[2][0] = 99;
    let said = refused(&plate(), Modifier::Subtract(&torn)).to_string();
    assert_eq!(said, "modifier 1: triangle 2 names vertex 99, there are 8: the file is damaged");
}

#[test]
fn a_modifier_is_mended_like_any_part_and_said() {
    // A hollow die, some of whose faces look the wrong way, inside and out: its void would be taken for its wall.
    let mut broken = join(&[
        block([11.0, 6.0, -5.0], [19.0, 14.0, 30.0]),
        flipped(&block([13.0, 8.0, -3.0], [17.0, 12.0, 28.0])),
    ]);
    let sound = broken.clone();
    for at in [4, 5, 6, 7, 16, 17] {
        broken.triangles[at].swap(1, 2);
    }
    let sliced = |other: &Mesh| {
        let mut pieces = Vec::new();
        let modifiers = [Modifier::Subtract(other)];
        let summary =
            slice_modified(plate(), &modifiers, &profile(&[]), NonZero::<usize>::MIN, &mut |piece| {
                pieces.push(piece.emit());
                Ok(())
            });
        (pieces, summary.expect("sliced").healing)
    };
    let ((asked, clean), (mended, said)) = (sliced(&sound), sliced(&broken));
    assert!(asked == mended);
    assert!(clean.is_clean(), "{clean:?}");
    assert_eq!(said.turned_faces, 6);
}

#[test]
fn modified_parts_leave_in_the_same_bytes_on_any_number_of_threads() {
    let (rod, common) = (cylinder(4.0, 9.0), block([-9.0, -9.0, -9.0], [40.0, 40.0, 40.0]));
    let modifiers = [
        Modifier::Subtract(&rod),
        Modifier::Intersect(&common),
        Modifier::Text(text("Ab", Face::Top, [15_000, 10_000], TextStyle::Raised)),
        Modifier::Text(text("8", Face::Right, [10_000, 5_000], TextStyle::Engraved)),
    ];
    for settings in [&[("adaptive-layers", "on")][..], &[("support", "grid")][..]] {
        let bytes = |threads| -> Vec<Vec<u8>> {
            let pieces = slice_modified_with(&plate(), &modifiers, &profile(settings), threads);
            pieces.expect("sliced").iter().map(Piece::emit).collect()
        };
        assert_eq!(bytes(1), bytes(3));
    }
}
