//! From what was typed to a profile: machine, material, preset, settings; a wrong name is refused by name.

use layerlock_terms::machine::{Machine, Material, UnknownName};
use layerlock_terms::profile::{Preset, Profile, SettingError};

use crate::args::Printing;

/// Why there is no such profile.
#[derive(Debug, thiserror::Error)]
pub enum PrintingError {
    /// No such machine, material or preset.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// No such setting, or not such a value.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A setting without a value.
    #[error("`--set {0}`: expected KEY=VALUE, like `--set layer-height=0.2mm`")]
    NoValue(String),
}

impl Printing {
    /// Settings as name and value.
    pub fn pairs<'a>(&'a self) -> Result<Vec<(&'a str, &'a str)>, PrintingError> {
        let pair =
            |text: &'a String| text.split_once('=').ok_or_else(|| PrintingError::NoValue(text.clone()));
        self.settings.iter().map(pair).collect()
    }

    /// The profile for `machine`.
    pub fn profile(&self, machine: &str) -> Result<Profile, PrintingError> {
        let machine = Machine::named(machine)?;
        let mut profile =
            Profile::new(machine, Material::named(&self.material)?, Preset::named(&self.preset)?);
        for (name, value) in self.pairs()? {
            profile.set(name.trim(), value.trim())?;
        }
        Ok(profile)
    }
}
