//! A small mesh and any settings: slicing refuses, or leaves a toolpath on the bed that reads back.
#![no_main]

use std::num::NonZero;

use layerlock_slicer::mesh::Mesh;
use layerlock_slicer::{SinkClosed, slice};
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Preset, Profile, settings};
use layerlock_terms::toolpath::{Piece, Step};

/// Most corners and triangles: difficulty comes from how few of them lie, and a case stays quick.
const CORNERS: usize = 16;
const TRIANGLES: usize = 48;

/// Layers after which a case is long enough.
const LAYERS: u32 = 40;

/// Bytes as choices; zero when they have run out.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn next(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, count: usize) -> usize {
        usize::from(self.next()) % count.max(1)
    }

    /// A quarter millimetre a step, now and then a few micrometres beside it.
    fn length(&mut self) -> f32 {
        let steps = f32::from(self.next()) / 8.0;
        match self.next() {
            byte @ 0..32 => steps + f32::from(byte) / 4_000.0,
            _ => steps,
        }
    }

    fn mesh(&mut self) -> Mesh {
        let (corners, triangles) = (3 + self.below(CORNERS - 2), 1 + self.below(TRIANGLES));
        let vertices = (0..corners).map(|_| [self.length(), self.length(), self.length() / 2.0]).collect();
        let triangles = (0..triangles).map(|_| [(); 3].map(|()| self.below(corners) as u32)).collect();
        Mesh { vertices, triangles }
    }

    /// A few settings, each anywhere in its range; what they refuse together stays as it was.
    fn profile(&mut self) -> Profile {
        let machine = Machine::named("prusa-mini").expect("in the catalogue");
        let mut profile = Profile::new(machine, Material::Petg, Preset::ALL[self.below(4)]);
        for _ in 0..self.below(9) {
            let setting = &settings()[self.below(settings().len())];
            let (low, high) = setting.range(machine);
            let share = i64::from(self.next());
            let value = i64::from(low) + i64::from(high - low) * share / 255;
            let _ = profile.set(setting.name, &setting.display(value as i32));
        }
        profile
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices(bytes);
    let profile = choices.profile();
    let mesh = choices.mesh();
    let [width, depth, _] = profile.machine().volume;
    let _ = slice(&mesh, &profile, NonZero::<usize>::MIN, &mut |piece| {
        if let Piece::Layer(layer) = &piece {
            for step in &layer.steps {
                let Step::Extrude(path) = step else { continue };
                for (p, fed) in &path.points {
                    assert!((0..=width.0).contains(&p.x) && (0..=depth.0).contains(&p.y), "{p:?}");
                    assert!(fed.0 >= 0, "plastic is pulled back on a line");
                }
            }
            if layer.index >= LAYERS {
                return Err(SinkClosed);
            }
        }
        assert_eq!(Piece::parse(&piece.emit()).as_ref(), Ok(&piece));
        Ok(())
    });
});
