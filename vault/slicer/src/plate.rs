//! The plate: where each of several equal parts stands, and in which order they are printed.
//!
//! A part is sliced once, in the middle of the bed; what is printed of it is moved to where each of the others stands.
//! Together, a layer goes from part to part in rows, there and back, so that the nozzle is always nearest to the next.
//! One after the other, each part is printed whole; the head then needs room beside those that stand already, and
//! they must be low enough to pass under what carries it. Either way layers leave as they are made.

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::{Layer, Path, Point, Step};
use layerlock_terms::units::Micrometres;

use crate::error::SliceError;
use crate::estimate::{Pace, Spent, spend};
use crate::layers::Slab;

/// How far above the finished parts the nozzle passes on its way to the next one.
const PASSING: i32 = 2_000;

/// All places on the bed.
#[derive(Debug)]
pub(crate) struct Plate {
    /// From the middle of the bed to the middle of each part, in the order they are visited.
    offsets: Vec<[i32; 2]>,
    sequence: Sequence,
}

/// Which part is printed when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    /// All of them layer by layer.
    Together,
    /// One after the other; the nozzle passes from part to part at this height.
    OneByOne(Micrometres),
}

impl Plate {
    /// Finds places for the profile's parts. `footprint` is the room one part needs with all that is printed around
    /// it, and `height` the part's own, in whole micrometres.
    pub(crate) fn new(footprint: [i32; 2], height: i32, profile: &Profile) -> Result<Self, SliceError> {
        let parts = profile.count(Key::Parts).max(1);
        let machine = profile.machine();
        let mut spacing = profile.length(Key::PartSpacing).0;
        let mut sequence = Sequence::Together;
        if parts > 1 && profile.on(Key::Sequential) {
            let clearance = machine.clearance();
            if height > clearance.height.0 {
                let height = Micrometres(height);
                return Err(SliceError::NoClearance {
                    height,
                    clearance: clearance.height,
                    machine: machine.name,
                });
            }
            spacing = spacing.max(clearance.radius.0);
            sequence = Sequence::OneByOne(Micrometres((height + PASSING).min(machine.volume[2].0)));
        }
        if parts > 1 && sequence == Sequence::Together && profile.on(Key::SpiralVase) {
            return Err(SliceError::Contradiction { setting: "spiral-vase", with: "parts" });
        }
        let room = [0, 1].map(|axis| Row::new(footprint[axis], spacing, machine.volume[axis].0));
        let most = room[0].most * room[1].most;
        if parts > most {
            return Err(SliceError::TooManyParts { parts, most, machine: machine.name });
        }
        Ok(Self { offsets: grid(parts, room), sequence })
    }

    /// How often the part is sliced.
    pub(crate) fn rounds(&self) -> u32 {
        match self.sequence {
            Sequence::Together => 1,
            Sequence::OneByOne(_) => self.offsets.len() as u32,
        }
    }

    /// The layer as it is printed in this round, and how long that takes.
    pub(crate) fn lay(&self, layer: Layer, spent: Spent, round: u32, profile: &Profile) -> (Layer, Spent) {
        if let [[0, 0]] = self.offsets[..] {
            return (layer, spent);
        }
        let steps = match self.sequence {
            Sequence::Together => self.all_parts(&layer),
            Sequence::OneByOne(passing) => {
                let offset = self.offsets[round as usize];
                if round == 0 {
                    layer.steps.iter().map(|step| moved(step, offset)).collect()
                } else {
                    let mut steps = begun(&layer).map(|step| moved(step, offset)).collect();
                    if layer.index == 0 {
                        pass_over(&mut steps, passing, profile);
                    }
                    steps
                }
            }
        };
        let slab = Slab { index: layer.index, top: layer.z.0, height: layer.height.0 };
        let spent = spend(&steps, slab, &Pace::of(profile));
        (Layer { steps, ..layer }, spent)
    }

    /// The layer once for each part: there on even layers, back on odd ones.
    fn all_parts(&self, layer: &Layer) -> Vec<Step> {
        let mut offsets = self.offsets.clone();
        if !layer.index.is_multiple_of(2) {
            offsets.reverse();
        }
        let mut steps: Vec<Step> = layer.steps.iter().map(|step| moved(step, offsets[0])).collect();
        for offset in &offsets[1..] {
            steps.extend(begun(layer).map(|step| moved(step, *offset)));
        }
        steps
    }
}

/// One direction of the grid.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// From one part's middle to the next one's.
    pitch: i32,
    /// Most parts that fit.
    most: u32,
}

impl Row {
    fn new(side: i32, spacing: i32, bed: i32) -> Self {
        let pitch = side.max(1) + spacing;
        Self { pitch, most: 1 + ((bed - side).max(0) / pitch) as u32 }
    }

    /// Middle of the `nth` of `count`, from the middle of the bed.
    fn at(&self, nth: u32, count: u32) -> i32 {
        (2 * nth as i32 + 1 - count as i32) * self.pitch / 2
    }
}

/// Places in rows that run there and back, in a grid as square as the bed allows, the fullest rows first.
fn grid(parts: u32, [across, along]: [Row; 2]) -> Vec<[i32; 2]> {
    let least = parts.div_ceil(along.most);
    let square = (f64::from(parts) * f64::from(along.pitch) / f64::from(across.pitch)).sqrt().round() as u32;
    let columns = square.clamp(least.max(1), across.most);
    let rows = parts.div_ceil(columns);
    let place = |nth: u32| {
        let (row, column) = (nth / columns, nth % columns);
        let in_row = columns.min(parts - row * columns);
        let column = if row.is_multiple_of(2) { column } else { in_row - 1 - column };
        [across.at(column, in_row), along.at(row, rows)]
    };
    (0..parts).map(place).collect()
}

fn moved(step: &Step, [x, y]: [i32; 2]) -> Step {
    let shift = |p: &Point| Point { x: p.x + x, y: p.y + y };
    match step {
        Step::Travel { to, speed } => Step::Travel { to: to.iter().map(shift).collect(), speed: *speed },
        Step::Extrude(path) => {
            let points = path.points.iter().map(|(to, fed)| (shift(to), *fed)).collect();
            Step::Extrude(Path { points, ..path.clone() })
        }
        Step::Wipe { to, length, speed } => {
            Step::Wipe { to: to.iter().map(shift).collect(), length: *length, speed: *speed }
        }
        Step::Retract { .. }
        | Step::Prime { .. }
        | Step::Lift { .. }
        | Step::Fan(_)
        | Step::Nozzle(_)
        | Step::Bed(_)
        | Step::Acceleration { .. } => step.clone(),
    }
}

/// A layer's steps for a part after the first: what the print's first layer pulls back before it begins was pulled
/// back when the part before it ended.
fn begun(layer: &Layer) -> impl Iterator<Item = &Step> {
    let opening = match layer.index {
        0 => layer.steps.iter().position(|step| matches!(step, Step::Retract { .. })),
        _ => None,
    };
    layer.steps.iter().enumerate().filter(move |(at, _)| Some(*at) != opening).map(|(_, step)| step)
}

/// Lets the nozzle rise over what stands already before it goes to the next part, and come down only there.
fn pass_over(steps: &mut Vec<Step>, passing: Micrometres, profile: &Profile) {
    let first_lift = steps.iter().position(|step| matches!(step, Step::Lift { .. }));
    let start = steps.iter().find_map(|step| match step {
        Step::Travel { to, .. } => to.first().copied(),
        _ => None,
    });
    let (Some(at), Some(start)) = (first_lift, start) else { return };
    let speed = profile.speed(Key::TravelSpeed);
    let over = [Step::Lift { z: passing, speed }, Step::Travel { to: vec![start], speed }];
    steps.splice(at..at, over);
}

#[cfg(test)]
mod tests {
    use super::*;
    use layerlock_terms::machine::{Machine, Material};
    use layerlock_terms::profile::Preset;

    fn plate(side: i32, height: i32, settings: &[(&str, &str)]) -> Result<Plate, SliceError> {
        let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
        let mut profile = Profile::new(machine, Material::Pla, Preset::Standard);
        for (name, value) in settings {
            profile.set(name, value).expect("in range");
        }
        Plate::new([side; 2], height, &profile)
    }

    #[test]
    fn one_part_stands_in_the_middle() {
        assert_eq!(plate(20_000, 10_000, &[]).expect("fits").offsets, [[0, 0]]);
    }

    #[test]
    fn parts_stand_in_a_grid_apart_on_the_bed_and_are_visited_there_and_back() {
        for parts in 1..=30 {
            let plate = plate(30_000, 10_000, &[("parts", &parts.to_string())]).expect("fits");
            assert_eq!(plate.offsets.len(), parts);
            for (nth, a) in plate.offsets.iter().enumerate() {
                assert!(a[0].abs() + 15_000 <= 125_000 && a[1].abs() + 15_000 <= 105_000, "{parts}: {a:?}");
                for b in &plate.offsets[nth + 1..] {
                    let apart = (a[0] - b[0]).abs().max((a[1] - b[1]).abs());
                    assert!(apart >= 30_000 + 5_000, "{parts}: {a:?} {b:?}");
                }
            }
            for pair in plate.offsets.windows(2) {
                let [dx, dy] = [0, 1].map(|axis| (pair[0][axis] - pair[1][axis]).abs());
                assert!(dx.max(dy) <= 2 * 35_000, "{parts}: the next part is a neighbour: {pair:?}");
            }
        }
    }

    #[test]
    fn more_parts_than_fit_are_refused_with_how_many_do() {
        let refused = plate(100_000, 10_000, &[("parts", "5")]).expect_err("a bed of 250 × 210 mm");
        assert_eq!(refused, SliceError::TooManyParts { parts: 5, most: 4, machine: "prusa-mk3s" });
        assert!(plate(100_000, 10_000, &[("parts", "4")]).is_ok());
        assert!(plate(120_000, 10_000, &[("parts", "2")]).is_ok());
    }

    #[test]
    fn one_after_the_other_keeps_the_heads_clearance_and_its_height() {
        let settings = [("parts", "4"), ("sequential", "on")];
        let plate_of = |height| plate(30_000, height, &settings);
        let refused = plate_of(20_001).expect_err("the rods would hit it");
        assert!(matches!(refused, SliceError::NoClearance { .. }), "{refused}");
        let plate = plate_of(20_000).expect("fits");
        assert_eq!(plate.rounds(), 4);
        for (nth, a) in plate.offsets.iter().enumerate() {
            for b in &plate.offsets[nth + 1..] {
                assert!((a[0] - b[0]).abs().max((a[1] - b[1]).abs()) >= 30_000 + 45_000, "{a:?} {b:?}");
            }
        }
    }
}
