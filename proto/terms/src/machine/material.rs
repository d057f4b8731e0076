//! Materials: what a machine melts, with the temperatures and cooling each wants.

use super::UnknownName;
use crate::units::{Celsius, Percent};

/// A kind of filament.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Material {
    /// Polylactic acid.
    Pla = 0,
    /// Glycol-modified polyethylene terephthalate.
    Petg = 1,
    /// Acrylonitrile butadiene styrene.
    Abs = 2,
    /// Acrylonitrile styrene acrylate.
    Asa = 3,
    /// Thermoplastic polyurethane.
    Tpu = 4,
}

/// Every material, in the order of its number.
pub const MATERIALS: [Material; 5] =
    [Material::Pla, Material::Petg, Material::Abs, Material::Asa, Material::Tpu];

/// How a material wants to be blown at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooling {
    /// Fan on layers that take long enough.
    pub least: Percent,
    /// Fan on layers that would be too hot.
    pub most: Percent,
    /// Fan over bridges.
    pub bridge: Percent,
}

impl Material {
    /// The name typed on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pla => "pla",
            Self::Petg => "petg",
            Self::Abs => "abs",
            Self::Asa => "asa",
            Self::Tpu => "tpu",
        }
    }

    /// The material of this name, whatever its case.
    ///
    /// # Errors
    /// [`UnknownName`], with the nearest name there is.
    pub fn named(name: &str) -> Result<Self, UnknownName> {
        MATERIALS
            .into_iter()
            .find(|material| material.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownName::new("material", name, MATERIALS.iter().map(|m| m.name())))
    }

    /// The material of this number.
    pub fn from_u8(number: u8) -> Option<Self> {
        MATERIALS.get(usize::from(number)).copied()
    }

    /// Nozzle temperature.
    pub const fn nozzle(self) -> Celsius {
        match self {
            Self::Pla => Celsius(210),
            Self::Petg => Celsius(235),
            Self::Abs => Celsius(245),
            Self::Asa => Celsius(250),
            Self::Tpu => Celsius(225),
        }
    }

    /// Bed temperature.
    pub const fn bed(self) -> Celsius {
        match self {
            Self::Pla => Celsius(60),
            Self::Petg => Celsius(80),
            Self::Abs | Self::Asa => Celsius(100),
            Self::Tpu => Celsius(45),
        }
    }

    /// How it wants to be blown at.
    pub const fn cooling(self) -> Cooling {
        let (least, most, bridge) = match self {
            Self::Pla => (100, 100, 100),
            Self::Petg => (30, 60, 70),
            Self::Abs | Self::Asa => (0, 25, 30),
            Self::Tpu => (50, 100, 100),
        };
        Cooling { least: Percent(least), most: Percent(most), bridge: Percent(bridge) }
    }

    /// Grams per cubic centimetre, in hundredths.
    pub const fn density_centigrams(self) -> u32 {
        match self {
            Self::Pla => 124,
            Self::Petg => 127,
            Self::Abs => 104,
            Self::Asa => 107,
            Self::Tpu => 121,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_material_is_found_by_name_and_number() {
        for material in MATERIALS {
            assert_eq!(Material::named(material.name()), Ok(material));
            assert_eq!(Material::from_u8(material as u8), Some(material));
        }
    }

    #[test]
    fn an_unknown_material_is_refused_by_name() {
        assert!(Material::named("wood").is_err_and(|refused| refused.to_string().contains("`wood`")));
    }
}
