//! A seller's own G-code for a named machine and material: as a slicer made it for that machine, read as a toolpath and held
//! to what the machine's guard lets through.
//!
//! The format is `docs/custom-gcode.md`. Between the first layer's name and the last plastic every line must have a place
//! in a toolpath ([`gcode`]); before and after lie the machine's own sequences, for which the catalogue has others, and only
//! what the lines in between rest on is learnt from them.

use std::ops::Range;

use layerlock_gcode::{Command as Admitted, Comments, GcodeError, Guard, Marlin, guard};
use layerlock_slicer::SinkClosed;
use layerlock_slicer::mesh::{Attachments, Limits, MeshError, PartName};
use layerlock_terms::machine::{Machine, Material, UnknownName};
use layerlock_terms::profile::{Engine, Key, Preset, Profile, settings};
use layerlock_terms::toolpath::{Epilogue, Piece};
use layerlock_terms::units::{Celsius, Millis};

use crate::Unsupported;
use crate::gcode::{self, Begin, Counted, FILAMENT, ReadError, Why};
use crate::words::{Command, Line};

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
    // Heat that the G-code doesn't name is the material's; of presets none differs in that.
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
    let (body, begin) = body(text, profile)?;
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
            let _: Admitted = self
                .guard
                .admit(line)
                .map_err(|refusal| Unfit::Guard { layer: self.layer, why: refusal.reason })?;
        }
        Ok(())
    }
}

/// The lines that print, and what the machine has been told before them.
fn body(text: &str, profile: &Profile) -> Result<(Range<usize>, Begin), Unfit> {
    // What the start doesn't heat stays cold.
    let begin = Begin { nozzle: Celsius(0), bed: Celsius(0), ..Begin::of(profile) };
    let mut scan = Scan { begin, relative: false, unclear: false, custom: false };
    let (mut first, mut last) = (None, None);
    for (at, line) in text.lines().enumerate() {
        let number = at as u32 + 1;
        if line.contains('\r') {
            return Err(Unfit::Return(number));
        }
        let refused = |why| Unfit::Read(ReadError::Line { line: number, why });
        let line = match Line::parse(line) {
            // Numbered lines are a host's and a machine's, no file's.
            Ok(Line::Command(command)) if command.name().0 != b'N' => Line::Command(command),
            Ok(Line::Command(_)) | Err(_) => {
                if scan.matters(line, first.is_none()) {
                    return Err(refused(Why::Garbled));
                }
                continue;
            }
            Ok(line) => line,
        };
        match (&line, first) {
            (Line::Comment("LAYER_CHANGE" | "LAYER", _), None) => {
                scan.is_plain().map_err(refused)?;
                first = Some((at, scan.begin));
            }
            (Line::Command(command), None) => scan.learn(command).map_err(refused)?,
            _ => {}
        }
        if scan.lays(&line).map_err(refused)? {
            last = Some(at);
        }
    }
    match (first, last) {
        (Some((first, begin)), Some(last)) if first < last => match begin.nozzle {
            Celsius(0) => Err(Unfit::Cold),
            _ => Ok((first..last + 1, begin)),
        },
        _ => Err(ReadError::Empty.into()),
    }
}

/// Follows as much of a machine as tells where printing begins and ends.
struct Scan {
    begin: Begin,
    relative: bool,
    /// `G90` came after `M83`: some firmware counts filament from zero then, some doesn't.
    unclear: bool,
    /// In a sequence of the machine's own, as PrusaSlicer marks them.
    custom: bool,
}

impl Scan {
    /// Whether a line that is no command might be one to a machine, and one that must not be passed over: what the lines
    /// after it rest on, or plastic.
    fn matters(&self, line: &str, is_start: bool) -> bool {
        // As firmware strips it: a number, a checksum, what people wrote.
        let line = line.split([';', '*', '(']).next().unwrap_or_default().trim();
        let numbered =
            line.strip_prefix(['N', 'n']).map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        let line = numbered.unwrap_or(line).trim_start();
        let letter = line.chars().next().map_or(' ', |c| c.to_ascii_uppercase());
        let digits: String = line.chars().skip(1).take_while(char::is_ascii_digit).collect();
        match (letter, digits.parse::<u16>()) {
            ('G', Ok(0..=5)) => !self.custom && line.contains(['E', 'e']),
            ('G', Ok(20 | 54..=59 | 90..=92)) => is_start,
            ('M', Ok(82 | 83 | 104 | 109 | 140 | 190 | 200 | 206 | 220 | 221 | 428)) => is_start,
            ('T', Ok(1..)) => is_start,
            _ => false,
        }
    }

    /// Whether the first layer's lines will mean what they say.
    fn is_plain(&self) -> Result<(), Why> {
        match (self.relative, self.unclear) {
            (true, _) => Err(Why::Command("G91 before a layer".to_owned())),
            (false, true) => Err(Why::Command("G90 after M83".to_owned())),
            (false, false) => Ok(()),
        }
    }

    /// Learns from the sequence before the first layer; the rest of it is left out.
    fn learn(&mut self, command: &Command<'_>) -> Result<(), Why> {
        let refused = || Err(Why::Command(command.to_string()));
        let heat = || {
            let said = command.value(b'S', 0)?.or(command.value(b'R', 0)?);
            let celsius = said.and_then(|celsius| u16::try_from(celsius).ok());
            celsius.map(Celsius).ok_or(Why::Beyond('S'))
        };
        match command.name() {
            // Other places, other lengths, another nozzle: what follows would mean something else.
            (b'G', 20 | 54..=59) | (b'M', 200 | 206 | 428) | (b'T', 1..) => return refused(),
            (b'G', 92) if [b'X', b'Y', b'Z'].into_iter().any(|axis| command.has(axis)) => return refused(),
            (b'M', 220) if command.value(b'S', 0)? != Some(100) => return refused(),
            (b'M', 221) => {
                let flow = command.value(b'S', 0)?.and_then(|flow| u32::try_from(flow).ok());
                self.begin.flow = flow.filter(|flow| (50..=200).contains(flow)).ok_or(Why::Beyond('S'))?;
            }
            (b'M', 104 | 109) => self.begin.nozzle = heat()?,
            (b'M', 140 | 190) => self.begin.bed = heat()?,
            (b'G', 0 | 1) => {
                let speed = command.value(b'F', 0)?.and_then(|speed| u32::try_from(speed).ok());
                self.begin.speed = speed.filter(|speed| *speed > 0).unwrap_or(self.begin.speed);
            }
            _ => {}
        }
        Ok(())
    }

    /// Follows how filament is counted; answers whether the line lays plastic that is the part's.
    fn lays(&mut self, line: &Line<'_>) -> Result<bool, Why> {
        let command = match line {
            Line::Empty => return Ok(false),
            Line::Comment("LAYER_CHANGE" | "LAYER", _) => {
                self.custom = false;
                return Ok(false);
            }
            Line::Comment(name, value) => {
                if *name == "TYPE" {
                    self.custom = *value == "Custom";
                }
                return Ok(false);
            }
            Line::Command(command) => command,
        };
        match command.name() {
            (b'M', 82) => (self.begin.counted, self.unclear) = (Counted::FromZero, false),
            (b'M', 83) => (self.begin.counted, self.unclear) = (Counted::FromMove, false),
            (b'G', 90) => {
                (self.relative, self.unclear) = (false, self.begin.counted == Counted::FromMove);
            }
            (b'G', 91) => self.relative = true,
            (b'G', 92) => {
                if let Ok(Some(filament)) = command.value(b'E', FILAMENT) {
                    self.begin.filament = filament;
                }
            }
            (b'G', 0..=3 | 5) => {
                let Some(value) = command.value(b'E', FILAMENT)? else { return Ok(false) };
                let counted = if self.relative { Counted::FromMove } else { self.begin.counted };
                let fed = counted.fed(value, &mut self.begin.filament);
                return Ok(fed > 0 && !self.custom && (command.has(b'X') || command.has(b'Y')));
            }
            _ => {}
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
