//! Machines: the catalogue of printers a profile can name, with the limits a device holds every command to.
//!
//! Also the materials, which decide temperatures and cooling. Everything here is static text and figures:
//! nothing a seller or buyer types can become part of a machine's start or end sequence.

use crate::units::{Celsius, Micrometres, MmPerMinute, MmPerSecond2, Percent};
use alloc::string::String;
use alloc::vec::Vec;

mod catalogue;
mod clearance;
mod material;

pub use catalogue::MACHINES;
pub use clearance::Clearance;
pub use material::{Cooling, MATERIALS, Material};

/// What a machine can do and how it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Catalogue name, as typed on the command line (`prusa-mk3s`).
    pub name: &'static str,
    /// Maker and model, for people.
    pub title: &'static str,
    /// Printable size: x, y, z.
    pub volume: [Micrometres; 3],
    /// Nozzle diameter.
    pub nozzle: Micrometres,
    /// Filament diameter.
    pub filament: Micrometres,
    /// Highest nozzle temperature the device will let through.
    pub max_nozzle: Celsius,
    /// Highest bed temperature the device will let through; zero where the bed is not heated.
    pub max_bed: Celsius,
    /// Fastest travel.
    pub max_speed: MmPerMinute,
    /// Acceleration it is made for; what it does where a toolpath says nothing.
    pub acceleration: MmPerSecond2,
    /// Hardest acceleration the device will let through.
    pub max_acceleration: MmPerSecond2,
    /// How its firmware takes corners.
    pub cornering: Cornering,
    /// By how much the extruder's speed may jump.
    pub feed_jump: MmPerMinute,
    /// Which firmware reads its lines.
    pub dialect: Dialect,
    /// Where the filament is pushed from, which decides how much is pulled back.
    pub drive: Drive,
    /// Serial speed to try first.
    pub baud: u32,
    /// G-code lines sent before the first layer, after temperatures are reached. Static text, never a user's.
    pub start: &'static [&'static str],
    /// G-code lines sent after the last layer.
    pub end: &'static [&'static str],
}

/// Where the filament is pushed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// At the nozzle.
    Direct,
    /// Through a tube.
    Bowden,
}

/// How fast a firmware takes a corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cornering {
    /// As if rounded by an arc that leaves the corner by this much (Marlin's junction deviation).
    Deviation(Micrometres),
    /// No axis's speed jumps by more (Marlin's classic jerk, RepRapFirmware's `M566`).
    Jerk(MmPerMinute),
    /// As a deviation that gives this speed in a right angle (Klipper's `square_corner_velocity`).
    SquareCorner(MmPerMinute),
}

/// Which firmware reads G-code, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Marlin and what descends from it.
    Marlin,
    /// Klipper: one acceleration for everything.
    Klipper,
    /// RepRapFirmware.
    RepRapFirmware,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Marlin, Self::Klipper, Self::RepRapFirmware];

    /// The name typed on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Marlin => "marlin",
            Self::Klipper => "klipper",
            Self::RepRapFirmware => "reprap",
        }
    }

    /// The dialect of this name.
    ///
    /// # Errors
    /// [`UnknownName`], with the nearest name there is.
    pub fn named(name: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|dialect| dialect.name() == name)
            .ok_or_else(|| UnknownName::new("dialect", name, Self::ALL.iter().map(|dialect| dialect.name())))
    }
}

/// A name that is not in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {kind} is called `{name}`; did you mean `{nearest}`?")]
pub struct UnknownName {
    kind: &'static str,
    name: String,
    nearest: &'static str,
}

impl UnknownName {
    pub(crate) fn new(kind: &'static str, name: &str, known: impl Iterator<Item = &'static str>) -> Self {
        let nearest = nearest(name, known).unwrap_or_default();
        Self { kind, name: name.chars().take(64).collect(), nearest }
    }
}

impl Machine {
    /// The machine of this catalogue name.
    ///
    /// # Errors
    /// [`UnknownName`], with the nearest name there is.
    pub fn named(name: &str) -> Result<&'static Self, UnknownName> {
        MACHINES
            .iter()
            .find(|machine| machine.name == name)
            .ok_or_else(|| UnknownName::new("machine", name, MACHINES.iter().map(|machine| machine.name)))
    }
}

/// The known name that takes the fewest edits to type instead.
pub(crate) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let short: String = name.chars().take(64).collect();
    known.min_by_key(|candidate| edits(&short, candidate))
}

/// Levenshtein distance between two short names.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The percentage as a fan's share of 255, as machines take it.
pub const fn fan_share(percent: Percent) -> u16 {
    (percent.0 as u16 * 255 + 50) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_is_found_by_its_name_and_named_once() {
        for machine in MACHINES {
            assert_eq!(Machine::named(machine.name), Ok(machine));
            assert_eq!(MACHINES.iter().filter(|other| other.name == machine.name).count(), 1);
        }
        assert!(MACHINES.len() >= 12);
    }

    #[test]
    fn an_unknown_machine_is_refused_with_the_nearest_name() {
        let refused = Machine::named("prusa-mk3").expect_err("not a catalogue name");
        assert!(refused.to_string().contains("`prusa-mk3s`"), "{refused}");
    }

    #[test]
    fn every_machine_can_melt_pla_and_homes_before_it_prints() {
        for machine in MACHINES {
            assert!(machine.max_nozzle.0 >= 230, "{}", machine.name);
            assert!(machine.start.iter().any(|line| line.starts_with("G28")), "{}", machine.name);
            assert!(machine.end.iter().any(|line| line.starts_with("M104 S0")), "{}", machine.name);
        }
    }

    #[test]
    fn every_machine_bears_its_own_acceleration_and_turns_corners() {
        for machine in MACHINES {
            assert!((200..=machine.max_acceleration.0).contains(&machine.acceleration.0), "{}", machine.name);
            let turns = match machine.cornering {
                Cornering::Deviation(by) => by.0 > 0,
                Cornering::Jerk(speed) | Cornering::SquareCorner(speed) => speed.0 > 0,
            };
            assert!(turns && machine.feed_jump.0 > 0, "{}", machine.name);
        }
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::named(dialect.name()), Ok(dialect));
            assert!(MACHINES.iter().any(|machine| machine.dialect == dialect), "{}", dialect.name());
        }
        assert!(Dialect::named("klippr").is_err_and(|refused| refused.to_string().contains("`klipper`")));
    }

    #[test]
    fn a_full_fan_is_255() {
        assert_eq!((fan_share(Percent(0)), fan_share(Percent(50)), fan_share(Percent(100))), (0, 128, 255));
    }
}
