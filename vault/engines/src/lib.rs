//! Foreign slicing engines: our profile in their words, their G-code read back as our toolpath.
//!
//! Hop 6 of the road, where a profile asks for an engine that isn't built in. Pure: nothing here starts a program or
//! touches a file; `layerlock_vault`'s workers do, each in its cage. What comes of it is the same pieces that our slicer
//! makes, so the seal, the device and the receipts know no difference.

pub mod gcode;
pub mod prusa;

mod words;

use layerlock_terms::profile::Engine;

/// A setting an engine has nothing for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}` = {value} is nothing that the engine `{}` can do: set it otherwise, or take the engine `layerlock`", engine.name())]
pub struct Unsupported {
    /// The engine.
    pub engine: Engine,
    /// The setting's name.
    pub setting: &'static str,
    /// What it is set to.
    pub value: String,
}
