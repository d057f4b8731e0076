//! Turned parts and plates of several, as they leave the slicer.

#[path = "../../../tests/src/meshes.rs"]
#[allow(dead_code)]
mod meshes;

use std::num::NonZero;

use layerlock_slicer::mesh::Mesh;
use layerlock_slicer::{SliceError, slice};
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Preset, Profile};
use layerlock_terms::toolpath::{Epilogue, Layer, Piece, Step};
use meshes::*;

fn pieces(mesh: &Mesh, threads: usize, settings: &[(&str, &str)]) -> Result<Vec<Piece>, SliceError> {
    let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
    let mut profile = Profile::new(machine, Material::Pla, Preset::Draft);
    for (name, value) in settings {
        profile.set(name, value).expect("in range");
    }
    let mut pieces = Vec::new();
    slice(mesh, &profile, NonZero::new(threads).expect("some"), &mut |piece| {
        pieces.push(piece);
        Ok(())
    })?;
    Ok(pieces)
}

fn printed(mesh: &Mesh, settings: &[(&str, &str)]) -> (Vec<Layer>, Epilogue) {
    let mut pieces = pieces(mesh, 2, settings).expect("can be sliced");
    let Some(Piece::Epilogue(epilogue)) = pieces.pop() else { panic!("ends with an epilogue") };
    let layers = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Layer(layer) => Some(layer),
        _ => None,
    });
    (layers.collect(), epilogue)
}

/// The box around everything extruded: width, depth, height, to the nearest millimetre.
fn size(epilogue: &Epilogue) -> [i32; 3] {
    let (low, high) = (epilogue.min, epilogue.max);
    [high.x - low.x, high.y - low.y, high.z].map(|um| (um + 700) / 1000)
}

#[test]
fn a_part_is_turned_before_it_is_laid_down() {
    let brick = cuboid([3.0, 4.0, 5.0], [13.0, 24.0, 35.0]);
    for (settings, expected) in [
        (&[][..], [10, 20, 30]),
        (&[("rotate-x", "90")], [10, 30, 20]),
        (&[("rotate-y", "-90°")], [30, 20, 10]),
        (&[("rotate-z", "270")], [20, 10, 30]),
        (&[("rotate-x", "90"), ("rotate-z", "90")], [30, 10, 20]),
        (&[("rotate-x", "90"), ("scale", "50")], [5, 15, 10]),
        (&[("rotate-z", "45")], [21, 21, 30]),
    ] {
        assert_eq!(size(&printed(&brick, settings).1), expected, "{settings:?}");
    }
}

#[test]
fn turning_in_the_profile_is_turning_the_mesh() {
    let wedge = Mesh {
        vertices: vec![[0.0, 0.0, 0.0], [30.0, 0.0, 0.0], [0.0, 20.0, 0.0], [5.0, 5.0, 15.0]],
        triangles: vec![[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]],
    };
    let quarter = |[x, y, z]: [f32; 3]| [-y, x, z];
    let turned = Mesh { vertices: wedge.vertices.iter().map(|&at| quarter(at)).collect(), ..wedge.clone() };
    assert!(pieces(&turned, 1, &[]).unwrap() == pieces(&wedge, 2, &[("rotate-z", "90")]).unwrap());
    let tipped = |[x, y, z]: [f32; 3]| [x, -z, y];
    let turned = Mesh { vertices: wedge.vertices.iter().map(|&at| tipped(at)).collect(), ..wedge.clone() };
    assert!(pieces(&turned, 1, &[]).unwrap() == pieces(&wedge, 2, &[("rotate-x", "-270")]).unwrap());
}

#[test]
fn a_turned_part_that_leaves_the_machine_is_refused() {
    let pole = cuboid([0.0; 3], [5.0, 5.0, 209.0]);
    assert!(pieces(&pole, 1, &[]).is_ok());
    assert!(pieces(&pole, 1, &[("rotate-y", "90")]).is_ok(), "250 mm wide");
    assert!(pieces(&pole, 1, &[("rotate-x", "90"), ("brim-width", "5mm")]).is_err(), "210 mm deep");
}

#[test]
fn a_plate_of_parts_is_each_layer_of_one_as_often_as_there_are_parts() {
    let part = cuboid([0.0; 3], [20.0, 10.0, 3.0]);
    let (one, single) = printed(&part, &[]);
    let (all, plate) = printed(&part, &[("parts", "5"), ("part-spacing", "7mm")]);
    assert_eq!(all.len(), one.len());
    assert!(plate.filament_um.abs_diff(5 * single.filament_um) <= 5);
    let drawn = |layer: &Layer| layer.steps.iter().filter(|step| matches!(step, Step::Extrude(_))).count();
    for (layer, of_one) in all.iter().zip(&one) {
        assert_eq!((layer.index, layer.z, drawn(layer)), (of_one.index, of_one.z, 5 * drawn(of_one)));
    }
    // Two columns of 20 and 7 between, three rows of 10.
    assert_eq!(size(&plate), [47, 44, 3]);
    assert!(pieces(&part, 1, &[("parts", "5")]).unwrap() == pieces(&part, 3, &[("parts", "5")]).unwrap());
}

#[test]
fn one_after_the_other_the_nozzle_passes_over_what_stands() {
    let part = cuboid([0.0; 3], [20.0, 10.0, 3.0]);
    let (one, single) = printed(&part, &[]);
    let (all, plate) = printed(&part, &[("parts", "3"), ("sequential", "on")]);
    assert_eq!(all.len(), 3 * one.len());
    assert_eq!(plate.layers as usize, all.len());
    assert!(plate.filament_um.abs_diff(3 * single.filament_um) <= 3);
    for (nth, layer) in all.iter().enumerate() {
        assert_eq!((layer.index as usize, layer.z), (nth, one[nth % one.len()].z));
    }
    for first in [one.len(), 2 * one.len()] {
        let moves: Vec<&Step> = all[first]
            .steps
            .iter()
            .filter(|step| {
                !matches!(step, Step::Fan(_) | Step::Nozzle(_) | Step::Bed(_) | Step::Acceleration { .. })
            })
            .collect();
        // Nothing is pulled back: the part before ended so.
        let [Step::Lift { z: over, .. }, Step::Travel { .. }, Step::Lift { z: down, .. }, ..] = moves[..]
        else {
            panic!("{:?}", &moves[..5]);
        };
        assert!(over.0 >= 4_000, "over a part of 3 mm: {over}");
        assert_eq!(*down, one[0].z);
    }
    let high = cuboid([0.0; 3], [20.0, 10.0, 21.0]);
    let refused = pieces(&high, 1, &[("parts", "2"), ("sequential", "on")]).unwrap_err();
    assert!(refused.to_string().contains("`sequential`"), "{refused}");
    assert!(pieces(&high, 1, &[("sequential", "on")]).is_ok(), "one part has nothing beside it");
}

#[test]
fn a_mesh_of_which_healing_leaves_nothing_is_refused() {
    let vertices = vec![[0.0; 3], [10.0, 0.0, 0.0], [20.0, 0.0, 0.0]];
    let needles = Mesh { vertices, triangles: vec![[0, 0, 1], [1, 2, 2]] };
    assert_eq!(pieces(&needles, 1, &[("parts", "2")]).expect_err("no area"), SliceError::Empty);
}
