//! A seller's own G-code for a named machine and material: as a slicer made it for that machine, read as a toolpath and held
//! to what the machine's guard lets through.
//!
//! The format is `docs/custom-gcode.md`. Between the first layer's name and the last plastic every line must have a place
//! in a toolpath ([`gcode`]); before and after lie the machine's own sequences, for which the catalogue has others, and only
//! what the lines in between rest on is learnt from them (`scan`).

use layerlock_gcode::{Comments, GcodeError, Guard, Marlin, guard};
use layerlock_slicer::SinkClosed;
use layerlock_slicer::mesh::{Attachments, Limits, MeshError, PartName};
use layerlock_terms::machine::{Machine, Material, UnknownName};
use layerlock_terms::profile::{Engine, Key, Preset, Profile, settings};
use layerlock_terms::toolpath::{Epilogue, Piece};
use layerlock_terms::units::Millis;

use crate::Unsupported;
use crate::gcode::{self, ReadError};

mod scan;

/// The folder of a 3MF that holds it, as archives name it.
pub const FOLDER: &str = "Metadata/layerlock/";

/// How its files end.
const SUFFIX: &str = ".gcode";

/// G-code of the seller's own, as far as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomGcode {
    /// What it is for.
    pub machine: &'static Machine,
    /// What it is for.
    pub material: Material,
    /// Layers it lays.
    pub layers: u32,
    /// How long it prints.
    pub duration: Millis,
    /// Filament it takes.
    pub filament_um: u64,
}

/// Why a seller's own G-code is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CustomError {
    /// The package can't be read.
    #[error(transparent)]
    Package(#[from] MeshError),
    /// Nobody can tell what it is for.
    #[error("{0} of the 3MF is for nothing: name it {FOLDER}MACHINE/MATERIAL{SUFFIX}")]
    Name(PartName),
    /// It is for something unknown.
    #[error("{part} of the 3MF is for nothing: {why}")]
    Unknown {
        /// The part.
        part: PartName,
        /// What isn't in the catalogue.
        why: UnknownName,
    },
    /// There is none for this.
    #[error("the seller has no G-code of their own for {machine} and {material}: take another engine")]
    None {
        /// The machine.
        machine: &'static str,
        /// The material.
        material: &'static str,
    },
    /// It is no toolpath.
    #[error("the G-code for {machine} and {material}: {why}")]
    Unfit {
        /// The machine.
        machine: &'static str,
        /// The material.
        material: &'static str,
        /// What is wrong with it.
        why: Unfit,
    },
}

/// What is wrong with G-code of a seller's own.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Not text.
    #[error("it is not text")]
    NotText,
    /// A line that ends otherwise than lines do, which machines read otherwise than people.
    #[error("it has a carriage return within line {0}")]
    Return(u32),
    /// Nobody heats the nozzle.
    #[error("nothing before its first layer heats the nozzle: write M104 S and the degrees")]
    Cold,
    /// A line that can't be followed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The machine's guard would stop it.
    #[error("the machine's guard stops {}: {why}", place(*layer))]
    Guard {
        /// Counted from one; the start is zero.
        layer: u32,
        /// Why.
        why: guard::Reason,
    },
    /// The machine can't be told.
    #[error(transparent)]
    Untold(#[from] GcodeError),
}

fn place(layer: u32) -> String {
    if layer == 0 { "the machine's start, so heated".to_owned() } else { format!("layer {layer}") }
}

/// Refuses a profile that asks for anything but the seller's own G-code as it is.
///
/// # Errors
/// [`Unsupported`] names the first setting that says otherwise than its preset.
pub fn check(profile: &Profile) -> Result<(), Unsupported> {
    let preset = Profile::new(profile.machine(), profile.material(), profile.preset());
    let changed = settings().iter().filter(|setting| setting.key != Key::Engine).find_map(|setting| {
        let value = profile.show(setting.name).ok()?;
        (preset.show(setting.name).ok()? != value).then_some((setting.name, value))
    });
    match changed {
        None => Ok(()),
        Some((setting, value)) => Err(Unsupported { engine: Engine::Custom, setting, value }),
    }
}

/// Reads every G-code in a package, and lets go of it: what each is for and what it takes.
///
/// # Errors
/// [`CustomError`] of the first that is not taken.
pub fn inspect(package: &[u8]) -> Result<Vec<CustomGcode>, CustomError> {
    let mut attachments = Attachments::open(package, FOLDER, &Limits::default())?;
    let names = attachments.names().map(str::to_owned).collect::<Vec<_>>();
    names.iter().map(|name| inspect_one(&mut attachments, name)).collect()
}

fn inspect_one(attachments: &mut Attachments<'_>, name: &str) -> Result<CustomGcode, CustomError> {
    let part = || PartName::new(name);
    let (machine, material) = name
        .strip_suffix(SUFFIX)
        .and_then(|name| name.split_once('/'))
        .ok_or_else(|| CustomError::Name(part()))?;
    let unknown = |why| CustomError::Unknown { part: part(), why };
    let machine = Machine::named(machine).map_err(unknown)?;
    let material = Material::named(material).map_err(unknown)?;
    let text = attachments.read(name)?;
    // Of what a preset says nothing is in the G-code but the accelerations that it leaves unsaid.
    let profile = Profile::new(machine, material, Preset::Standard);
    let Epilogue { layers, duration, filament_um, .. } = read_bytes(text, &profile, &mut |_| Ok(()))?;
    Ok(CustomGcode { machine, material, layers, duration, filament_um })
}

/// Reads a package's G-code for the profile's machine and material, and hands each piece to `sink`.
///
/// # Errors
/// [`CustomError`]; pieces handed over before stay valid but incomplete.
pub fn read(
    package: &[u8],
    profile: &Profile,
    sink: &mut dyn FnMut(Piece) -> Result<(), SinkClosed>,
) -> Result<Epilogue, CustomError> {
    let (machine, material) = (profile.machine().name, profile.material().name());
    let mut attachments = Attachments::open(package, FOLDER, &Limits::default())?;
    let name = format!("{machine}/{material}{SUFFIX}");
    if !attachments.names().any(|known| known == name) {
        return Err(CustomError::None { machine, material });
    }
    let text = attachments.read(&name)?;
    read_bytes(text, profile, sink)
}

fn read_bytes(
    text: Vec<u8>,
    profile: &Profile,
    sink: &mut dyn FnMut(Piece) -> Result<(), SinkClosed>,
) -> Result<Epilogue, CustomError> {
    let (machine, material) = (profile.machine().name, profile.material().name());
    let unfit = |why| CustomError::Unfit { machine, material, why };
    let text = String::from_utf8(text).map_err(|_| unfit(Unfit::NotText))?;
    read_text(&text, profile, sink).map_err(unfit)
}

/// Reads G-code that was made for the profile's machine by any slicer.
///
/// # Errors
/// [`Unfit`] names the line or layer and what is wrong with it; pieces handed over before stay valid but incomplete.
pub fn read_text(
    text: &str,
    profile: &Profile,
    sink: &mut dyn FnMut(Piece) -> Result<(), SinkClosed>,
) -> Result<Epilogue, Unfit> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (body, begin) = scan::body(text, profile)?;
    let lines = (1..).zip(text.lines()).skip(body.start).take(body.len());
    let mut watch = Watch::new(profile);
    let mut stopped = None;
    let mut guarded = |piece: Piece| match watch.let_through(&piece) {
        Ok(()) => sink(piece),
        Err(why) => {
            stopped = Some(why);
            Err(SinkClosed)
        }
    };
    let read = gcode::read_from(lines, begin, profile, &mut guarded);
    match stopped {
        Some(why) => Err(why),
        None => Ok(read?),
    }
}

/// What the device will do with each piece, done beforehand.
struct Watch {
    marlin: Marlin,
    guard: Guard,
    layer: u32,
}

impl Watch {
    fn new(profile: &Profile) -> Self {
        Self { marlin: Marlin::new(Comments::Omitted), guard: Guard::new(profile.machine()), layer: 0 }
    }

    fn let_through(&mut self, piece: &Piece) -> Result<(), Unfit> {
        if let Piece::Layer(layer) = piece {
            self.layer = layer.index + 1;
        }
        let lines = self.marlin.lines(piece)?;
        for line in lines.iter().filter_map(|line| guard::stripped(line)) {
            let stopped = |refusal: guard::Refusal| Unfit::Guard { layer: self.layer, why: refusal.reason };
            self.guard.admit(line).map_err(stopped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
