//! Profile: all slicing settings for a machine. Preset: a named choice of them.
//!
//! Settings are typed, ranged and set by name (`Profile::set`), so that an unknown or out-of-range setting is
//! refused by name. The byte form (`emit`/`parse`) is what a license's terms and a job's hash are bound to.
//! What the settings do is the slicer's business; nothing here slices.

use crate::machine::{Drive, Machine, Material, UnknownName, nearest};
#[cfg(feature = "std")]
use crate::units::Milligrams;
use crate::units::{Celsius, Feed, Micrometres, Millis, MmPerMinute, MmPerSecond2, Percent};
use crate::wire::{Malformed, Noun, Reader, Writer};
use alloc::string::String;
use alloc::vec::Vec;

mod defaults;
mod settings;
mod value;

pub use settings::{
    Bound, Brim, Engine, Infill, Key, Order, SETTINGS, Seam, Setting, Support, Unit, settings,
};

/// A named choice of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Preset {
    /// Thick layers, little infill: to see the shape soon.
    Draft = 0,
    /// What most prints want.
    Standard = 1,
    /// Thin layers, slower: to look at.
    Fine = 2,
    /// More walls and infill: to bear a load.
    Strong = 3,
}

impl Preset {
    /// Every preset, in the order of its number.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Standard, Self::Fine, Self::Strong];

    /// The name typed on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Standard => "standard",
            Self::Fine => "fine",
            Self::Strong => "strong",
        }
    }

    /// The preset of this name.
    ///
    /// # Errors
    /// [`UnknownName`], with the nearest name there is.
    pub fn named(name: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|preset| preset.name() == name)
            .ok_or_else(|| UnknownName::new("preset", name, Self::ALL.iter().map(|preset| preset.name())))
    }

    fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// Why a setting was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No setting has this name.
    #[error("no setting is called `{name}`; did you mean `{nearest}`?")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The nearest name there is.
        nearest: &'static str,
    },
    /// The text is not a value of the setting's unit.
    #[error("`{text}` is not a value of `{setting}`: give {expected}")]
    Unreadable {
        /// The setting.
        setting: &'static str,
        /// What was given.
        text: String,
        /// What would be taken.
        expected: String,
    },
    /// The value is outside the setting's range on this machine.
    #[error("`{setting}` = {value} is out of range: {low} to {high}")]
    OutOfRange {
        /// The setting.
        setting: &'static str,
        /// What was given.
        value: String,
        /// The lowest value taken.
        low: String,
        /// The highest value taken.
        high: String,
    },
}

/// All settings for one machine and material; every value is within its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    machine: &'static Machine,
    material: Material,
    preset: Preset,
    /// One value per setting, in the table's order and each in its unit's integer form.
    values: [i32; SETTINGS.len()],
}

impl Profile {
    /// The preset's settings for this machine and material.
    pub fn new(machine: &'static Machine, material: Material, preset: Preset) -> Self {
        let values = SETTINGS.map(|setting| {
            let (low, high) = setting.range(machine);
            defaults::of(setting.key, machine, material, preset).clamp(low, high)
        });
        Self { machine, material, preset, values }
    }

    /// Sets one setting from text: `set("layer-height", "0.2mm")`. A missing unit is the setting's own.
    ///
    /// # Errors
    /// [`SettingError`] names the setting and what would be taken; the profile is left as it was.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SettingError> {
        let setting = settings::named(name)?;
        let value = value::parse(setting, text)?;
        let (low, high) = setting.range(self.machine);
        if !(low..=high).contains(&value) {
            return Err(SettingError::OutOfRange {
                setting: setting.name,
                value: setting.display(value),
                low: setting.display(low),
                high: setting.display(high),
            });
        }
        self.values[setting.key as usize] = value;
        Ok(())
    }

    /// The value of a setting as text, in its unit.
    ///
    /// # Errors
    /// [`SettingError::Unknown`].
    pub fn show(&self, name: &str) -> Result<String, SettingError> {
        let setting = settings::named(name)?;
        Ok(setting.display(self.values[setting.key as usize]))
    }

    /// The machine this profile is for.
    pub fn machine(&self) -> &'static Machine {
        self.machine
    }

    /// The material this profile is for.
    pub fn material(&self) -> Material {
        self.material
    }

    /// What this much filament weighs, by the material's density.
    #[cfg(feature = "std")]
    pub fn mass(&self, filament_um: u64) -> Milligrams {
        let radius = self.machine.filament.to_mm() / 2.0;
        let cubic_mm = core::f64::consts::PI * radius * radius * filament_um as f64 / 1000.0;
        Milligrams((cubic_mm * f64::from(self.material.density_centigrams()) / 100.0).round() as u64)
    }

    /// The preset this profile began as.
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// A length.
    pub fn length(&self, key: Key) -> Micrometres {
        Micrometres(self.value(key))
    }

    /// A speed.
    pub fn speed(&self, key: Key) -> MmPerMinute {
        MmPerMinute(self.value(key).unsigned_abs() * 60)
    }

    /// An acceleration.
    pub fn acceleration(&self, key: Key) -> MmPerSecond2 {
        MmPerSecond2(self.value(key).unsigned_abs())
    }

    /// A temperature.
    pub fn celsius(&self, key: Key) -> Celsius {
        Celsius(u16::try_from(self.value(key)).expect("temperatures are ranged below 65536"))
    }

    /// A share.
    pub fn percent(&self, key: Key) -> u32 {
        self.value(key).unsigned_abs()
    }

    /// A fan's share.
    pub fn fan(&self, key: Key) -> Percent {
        Percent(u8::try_from(self.value(key)).expect("fan shares are ranged to 100"))
    }

    /// A count.
    pub fn count(&self, key: Key) -> u32 {
        self.value(key).unsigned_abs()
    }

    /// A time span.
    pub fn span(&self, key: Key) -> Millis {
        Millis(u64::from(self.value(key).unsigned_abs()) * 1000)
    }

    /// A length of filament.
    pub fn filament(&self, key: Key) -> Feed {
        Feed(self.value(key) * 100)
    }

    /// Whether a switch is on.
    pub fn on(&self, key: Key) -> bool {
        self.value(key) == 1
    }

    /// The infill's pattern.
    pub fn infill(&self) -> Infill {
        match self.value(Key::InfillPattern) {
            0 => Infill::Rectilinear,
            1 => Infill::Grid,
            2 => Infill::Gyroid,
            3 => Infill::Triangles,
            4 => Infill::Cubic,
            5 => Infill::Concentric,
            _ => Infill::AdaptiveCubic,
        }
    }

    /// An angle in whole degrees.
    pub fn degrees(&self, key: Key) -> u32 {
        self.value(key).unsigned_abs()
    }

    /// Degrees of a turn, below zero for one the other way.
    pub fn turn(&self, key: Key) -> i32 {
        self.value(key)
    }

    /// What holds up places that hang over.
    pub fn support(&self) -> Support {
        match self.value(Key::Support) {
            0 => Support::Off,
            1 => Support::Grid,
            _ => Support::Tree,
        }
    }

    /// Where each loop begins.
    pub fn seam(&self) -> Seam {
        match self.value(Key::Seam) {
            0 => Seam::Rear,
            1 => Seam::Nearest,
            2 => Seam::Corner,
            3 => Seam::Aligned,
            _ => Seam::Random,
        }
    }

    /// Where a brim is laid.
    pub fn brim(&self) -> Brim {
        match self.value(Key::BrimShape) {
            0 => Brim::Around,
            1 => Brim::Ears,
            _ => Brim::Everywhere,
        }
    }

    /// Which wall comes first.
    pub fn order(&self) -> Order {
        match self.value(Key::PerimeterOrder) {
            0 => Order::InnerFirst,
            _ => Order::OuterFirst,
        }
    }

    /// What slices.
    pub fn engine(&self) -> Engine {
        match self.value(Key::Engine) {
            0 => Engine::Layerlock,
            1 => Engine::PrusaSlicer,
            2 => Engine::CuraEngine,
            _ => Engine::Custom,
        }
    }

    fn value(&self, key: Key) -> i32 {
        self.values[key as usize]
    }
}

/// Longest machine name, in bytes.
const NAME_BOUND: u32 = 64;

impl Noun for Profile {
    const TYPE: &'static str = "layerlock/profile/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let machine = reader.text("machine", NAME_BOUND)?;
        let machine = Machine::named(&machine).map_err(|_| Malformed::Value("machine"))?;
        let material = Material::from_u8(reader.u8("material")?).ok_or(Malformed::Value("material"))?;
        let preset = Preset::from_u8(reader.u8("preset")?).ok_or(Malformed::Value("preset"))?;
        let mut values = [0; SETTINGS.len()];
        for (setting, value) in SETTINGS.iter().zip(&mut values) {
            *value = reader.i32(setting.name)?;
            let (low, high) = setting.range(machine);
            if !(low..=high).contains(value) {
                return Err(Malformed::Value(setting.name));
            }
        }
        reader.finish()?;
        Ok(Self { machine, material, preset, values })
    }

    fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(self.machine.name.as_bytes()).u8(self.material as u8).u8(self.preset as u8);
        for value in self.values {
            writer.i32(value);
        }
        writer.finish()
    }
}

#[cfg(test)]
mod tests;
