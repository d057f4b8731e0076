//! Rafts: where they lie, how they are filled, and what they leave as it was.

use layerlock_slicer::SliceError;
use layerlock_slicer::mesh::Mesh;
use layerlock_terms::toolpath::{Feature, Piece};

use super::meshes::{block, join};
use super::print::{Print, profile, refusal, slice_with};

const RAFT: (&str, &str) = ("raft-layers", "4");

/// A bar on a stem that reaches out 9 mm on either side.
fn tee() -> Mesh {
    join(&[block([0.0; 3], [6.0, 20.0, 15.0]), block([-9.0, 0.0, 12.0], [15.0, 20.0, 15.0])])
}

/// Millimetres of any support line.
fn laid(print: &Print, layer: usize) -> f64 {
    print.layers[layer].length(Feature::Support) + print.layers[layer].length(Feature::SupportInterface)
}

#[test]
fn a_raft_lies_under_the_part_and_its_supports_with_a_margin() {
    let print = Print::with(&tee(), &[RAFT, ("support", "grid"), ("raft-margin", "5mm")]);
    let (low, high) = (0..4).fold(([i32::MIN; 2], [i32::MAX; 2]), |(low, high), layer| {
        let features = [Feature::Support, Feature::SupportInterface].map(|f| print.layers[layer].extent(f));
        let (l, h) = features.into_iter().find(|(l, _)| l[0] < i32::MAX).expect("the raft is laid");
        ([low[0].max(l[0]), low[1].max(l[1])], [high[0].min(h[0]), high[1].min(h[1])])
    });
    for feature in [Feature::OuterPerimeter, Feature::Support] {
        let (l, h) = print.layers[4].extent(feature);
        for axis in 0..2 {
            assert!(low[axis] <= l[axis] - 4_900 && high[axis] >= h[axis] + 4_900, "{feature:?}");
        }
    }
}

#[test]
fn everything_above_a_raft_is_as_without_and_higher_by_raft_and_gap() {
    let bare = Print::with(&tee(), &[]);
    let raised = Print::with(&tee(), &[RAFT, ("raft-gap", "0.3mm")]);
    assert_eq!(raised.layers.len(), bare.layers.len() + 4);
    assert_eq!(raised.epilogue.max.z, bare.epilogue.max.z + 800 + 300);
    assert_eq!(raised.epilogue.min.z, 200);
    assert_eq!(raised.epilogue.layers, bare.epilogue.layers + 4);
    for (index, layer) in bare.layers.iter().enumerate() {
        for feature in Feature::ALL {
            let (bare, raised) = (layer.length(feature), raised.layers[index + 4].length(feature));
            assert!((bare - raised).abs() < 1e-6, "layer {index} {feature:?}: {bare} and {raised}");
        }
    }
}

#[test]
fn a_raft_is_nearly_closed_on_the_bed_open_within_and_closed_under_the_part() {
    let print = Print::with(&block([0.0; 3], [40.0, 40.0, 2.0]), &[RAFT]);
    // 46 mm wide with its rounded corners; a millimetre of line covers 0.407 mm².
    let area = 46.0 * 46.0 - (4.0 - std::f64::consts::PI) * 9.0;
    for (layer, asked) in [0.8, 0.5, 1.0, 1.0].into_iter().enumerate() {
        let full = laid(&print, layer) * 0.407 / area;
        assert!((full - asked).abs() < 0.06, "layer {layer}: {full}");
    }
    let (along, _) = print.layers[2].extent(Feature::SupportInterface);
    assert!(print.layers[2].has(Feature::SupportInterface) && along[0] < 125_000);
}

#[test]
fn a_single_layer_is_a_raft_too_and_no_layers_are_none() {
    let part = block([0.0; 3], [10.0, 10.0, 2.0]);
    let (none, one) = (Print::of(&part), Print::with(&part, &[("raft-layers", "1")]));
    assert_eq!((none.layers.len(), one.layers.len()), (10, 11));
    assert!(laid(&none, 0) == 0.0 && laid(&one, 0) > 300.0 && laid(&one, 1) == 0.0);
}

#[test]
fn a_skirt_goes_around_the_raft() {
    let print = Print::with(&tee(), &[RAFT, ("skirt-loops", "1")]);
    let (skirt, raft) = (print.layers[0].extent(Feature::Skirt), print.layers[0].extent(Feature::Support));
    for axis in 0..2 {
        assert!(skirt.0[axis] + 3_000 <= raft.0[axis] && skirt.1[axis] - 3_000 >= raft.1[axis]);
    }
    assert!(!print.layers[4].has(Feature::Skirt));
}

#[test]
fn a_part_whose_raft_does_not_fit_is_refused() {
    let (wide, tall) = (block([0.0; 3], [246.0, 20.0, 4.0]), block([0.0; 3], [20.0, 20.0, 209.8]));
    for part in [wide, tall] {
        assert!(!Print::of(&part).layers.is_empty());
        assert!(matches!(refusal(&part, &[RAFT]), SliceError::TooLarge { .. }));
    }
}

#[test]
fn a_raft_is_the_same_bytes_on_any_number_of_threads() {
    let bytes = |threads| -> Vec<Vec<u8>> {
        let pieces = slice_with(&tee(), &profile(&[RAFT, ("support", "grid")]), threads).expect("sliced");
        pieces.iter().map(Piece::emit).collect()
    };
    assert_eq!(bytes(1), bytes(3));
}

#[test]
fn each_part_has_its_raft_whether_printed_together_or_one_after_the_other() {
    let part = block([0.0; 3], [10.0, 10.0, 2.0]);
    let one = Print::with(&part, &[RAFT]);
    let together = Print::with(&part, &[RAFT, ("parts", "2")]);
    let in_turn = Print::with(&part, &[RAFT, ("parts", "2"), ("sequential", "on")]);
    assert_eq!((together.layers.len(), in_turn.layers.len()), (14, 28));
    assert_eq!((together.epilogue.layers, in_turn.epilogue.layers), (14, 28));
    for index in 0..14 {
        let length = laid(&one, index);
        assert!((laid(&together, index) - 2.0 * length).abs() < 1e-3, "layer {index}");
        assert!((laid(&in_turn, index) - length).abs() < 1e-3, "layer {index}");
        assert!((laid(&in_turn, 14 + index) - length).abs() < 1e-3, "layer {index} of the second");
    }
}
