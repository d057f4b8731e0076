//! Meshes nobody would export: slicing them may refuse, and never panics.

use std::num::NonZero;

use layerlock_slicer::mesh::Mesh;
use layerlock_slicer::slice;
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Preset, Profile};
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
