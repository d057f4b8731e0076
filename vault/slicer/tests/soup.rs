//! Meshes nobody would export: slicing them may refuse, and never panics.

use std::num::NonZero;

use layerlock_slicer::mesh::Mesh;
use layerlock_slicer::{SliceError, slice};
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Key, Preset, Profile};
use layerlock_terms::toolpath::{Piece, Step};
use proptest::prelude::*;

/// Triangles between random corners, some of them equal, flat or needle-thin.
fn soups() -> impl Strategy<Value = Mesh> {
    let length =
        prop_oneof![3 => 0.0_f32..30.0, 1 => Just(0.0_f32), 1 => (0_u8..60).prop_map(|n| f32::from(n) / 2.0)];
    let corner = [length.clone(), length.clone(), length];
    (
        proptest::collection::vec(corner, 3..12),
        proptest::collection::vec(any::<[prop::sample::Index; 3]>(), 1..40),
    )
        .prop_map(|(vertices, picks)| {
            let count = vertices.len();
            let triangles = picks.iter().map(|pick| pick.map(|index| index.index(count) as u32)).collect();
            Mesh { vertices, triangles }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_soup_of_triangles_is_sliced_or_refused_and_stays_on_the_bed(
        soup in soups(),
        preset in 0_usize..4,
        support in prop_oneof![Just("off"), Just("grid")],
    ) {
        let machine = Machine::named("prusa-mini").expect("in the catalogue");
        let mut profile = Profile::new(machine, Material::Petg, Preset::ALL[preset]);
        profile.set("support", support).expect("a name");
        let bed = machine.volume;
        let _ = slice(&soup, &profile, NonZero::<usize>::MIN, &mut |piece| {
            if let Piece::Layer(layer) = &piece {
                for step in &layer.steps {
                    let Step::Extrude(path) = step else { continue };
                    for (p, fed) in &path.points {
                        assert!((0..=bed[0].0).contains(&p.x) && (0..=bed[1].0).contains(&p.y), "{p:?}");
                        assert!(fed.0 >= 0);
                    }
                }
            }
            assert_eq!(Piece::parse(&piece.emit()), Ok(piece));
            Ok(())
        });
    }
}

/// The sides of a star whose every edge leads almost straight across, so that each meets nearly all others; no lids.
fn star(corners: u32) -> Mesh {
    let at = |corner: u32, z: f32| {
        let turn = f64::from(corner) * f64::from(corners / 2) / f64::from(corners) * std::f64::consts::TAU;
        [turn.cos() as f32 * 40.0, turn.sin() as f32 * 40.0, z]
    };
    let vertices = (0..corners).flat_map(|corner| [at(corner, 0.0), at(corner, 0.6)]).collect();
    let side = |corner: u32| {
        let (low, next) = (2 * corner, 2 * ((corner + 1) % corners));
        [[low, next, next + 1], [low, next + 1, low + 1]]
    };
    Mesh { vertices, triangles: (0..corners).flat_map(side).collect() }
}

#[test]
fn a_tangle_is_refused_before_the_work_on_it_grows_with_the_square_of_the_file() {
    let machine = Machine::named("prusa-mk4").expect("in the catalogue");
    let profile = Profile::new(machine, Material::Pla, Preset::Standard);
    let run = |corners| slice(star(corners), &profile, NonZero::<usize>::MIN, &mut |_| Ok(()));
    assert!(run(101).is_ok(), "five thousand meetings a layer are no tangle");
    match run(2_001) {
        Err(error @ SliceError::Tangled { z }) => {
            assert_eq!(z, profile.length(Key::FirstLayerHeight));
            assert!(error.to_string().contains("0.2"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}
