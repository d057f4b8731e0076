//! Foreign slicing engines: our profile in their words, their G-code read back as our toolpath.
//!
//! Hop 6 of the road, where a profile asks for an engine that isn't built in. Pure: nothing here starts a program or
//! touches a file; `layerlock_vault`'s workers do, each in its cage. What comes of it is the same pieces that our slicer
//! makes, so the seal, the device and the receipts know no difference. A seller's own G-code ([`custom`]) goes the same way
//! without a program.

pub mod cura;
pub mod custom;
pub mod gcode;
pub mod prusa;

mod words;

use layerlock_terms::profile::{Engine, Key, Profile, settings};

/// A setting an engine has nothing for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}` = {value} is nothing that the engine `{}` can do: {}", engine.name(), mend(*engine))]
pub struct Unsupported {
    /// The engine.
    pub engine: Engine,
    /// The setting's name.
    pub setting: &'static str,
    /// What it is set to.
    pub value: String,
}

/// What to do instead; a seller's own G-code is given up for no setting.
const fn mend(engine: Engine) -> &'static str {
    match engine {
        Engine::Custom => "leave it as it is, what the seller made is printed as it is",
        _ => "set it otherwise, or take the engine `layerlock`",
    }
}

/// A foreign engine's program, as far as it differs from the others.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// What it is called.
    pub name: &'static str,
    /// What makes it say its version.
    pub asks_version: &'static str,
    /// What it is started with: settings, part, output.
    pub arguments: fn(&str, &str, &str) -> Vec<String>,
    /// A profile in its words.
    pub config: fn(&Profile) -> Result<String, Unsupported>,
    /// How the line begins that says its version, and how many words of it are that.
    pub version: (&'static str, usize),
    /// How many percent a line says it has done.
    pub progress: fn(&str) -> Option<u8>,
    /// Whether it says all it says where its complaints go.
    pub says_beside: bool,
}

/// The program of an engine; none for the built-in one and for a seller's own G-code.
pub fn program(engine: Engine) -> Option<Program> {
    match engine {
        Engine::Layerlock | Engine::Custom => None,
        Engine::PrusaSlicer => Some(Program {
            name: prusa::PROGRAM,
            asks_version: "--help",
            arguments: prusa::arguments,
            config: prusa::config,
            version: ("PrusaSlicer-", 1),
            progress: prusa::progress,
            says_beside: false,
        }),
        Engine::CuraEngine => Some(Program {
            name: cura::PROGRAM,
            asks_version: "help",
            arguments: cura::arguments,
            config: cura::config,
            version: ("Cura_SteamEngine", 3),
            progress: cura::progress,
            says_beside: true,
        }),
    }
}

/// Refuses the first setting that an engine lacks.
fn refuse(engine: Engine, profile: &Profile, lacks: &[(Key, bool)]) -> Result<(), Unsupported> {
    let Some((key, _)) = lacks.iter().find(|(_, lack)| *lack) else { return Ok(()) };
    let setting = settings()[*key as usize].name;
    Err(Unsupported { engine, setting, value: profile.show(setting).unwrap_or_default() })
}
