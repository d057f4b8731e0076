//! Our own run, in a process of its own: an STL in, G-code or a sealed envelope out.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use layerlock_device::gcode::{Comments, Marlin};
use layerlock_seal::keys::SigningKey;
use layerlock_seal::sha256;
use layerlock_seal::toolpath::{Ends, Sealer};
use layerlock_slicer::mesh::{Limits, Mesh, read};
use layerlock_slicer::{SinkClosed, slice};
use layerlock_terms::envelope::{EnvelopeHeader, SEGMENT_LIMIT, Summary};
use layerlock_terms::ids::{DeviceId, HoldId, JobId, LicenseId};
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Preset, Profile};
use layerlock_terms::toolpath::Piece;
use layerlock_terms::units::Timestamp;
use rand_core::{TryCryptoRng, TryRng};

use crate::{Failed, asked};

/// The first argument of our own run.
pub const COMMAND: &str = "ours";

/// Layers of one key, as the vault has it.
const EPOCH_LAYERS: u32 = 8;

/// What a run makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// A G-code file, as the peers make.
    Gcode,
    /// A sealed envelope.
    Envelope,
}

impl Product {
    fn name(self) -> &'static str {
        match self {
            Self::Gcode => "gcode",
            Self::Envelope => "envelope",
        }
    }
}

/// The arguments of one run.
pub fn arguments(
    product: Product,
    threads: usize,
    stl: &Path,
    out: &Path,
    extra: &[(&str, String)],
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        vec![COMMAND.into(), product.name().into(), threads.to_string().into(), stl.into(), out.into()];
    arguments.extend(extra.iter().map(|(name, value)| format!("{name}={value}").into()));
    arguments
}

/// One run; says on its standard output when the first layer was out, in microseconds from its start.
pub fn run(arguments: &[OsString]) -> Result<(), Failed> {
    let begun = Instant::now();
    let [product, threads, stl, out, settings @ ..] = arguments else {
        return Err(Failed::at(COMMAND, "takes what to make, threads, an STL, a file to write and settings"));
    };
    let threads = threads.to_str().and_then(|text| text.parse().ok()).unwrap_or(NonZeroUsize::MIN);
    let profile = profile(settings)?;
    let mesh = mesh(stl)?;
    let file = File::create(out).map_err(|error| Failed::at(out.display(), error))?;
    let mut maker = Maker::new(product == Product::Envelope.name(), BufWriter::new(file));
    let mut first = None;
    let sliced = slice(mesh, &profile, threads, &mut |piece| {
        maker.take(&piece)?;
        if matches!(piece, Piece::Layer(_)) {
            first.get_or_insert_with(|| begun.elapsed());
        }
        Ok(())
    });
    sliced.map_err(|error| Failed::at(stl.display(), error))?;
    maker.finish().map_err(|error| Failed::at(out.display(), error))?;
    println!("{}", first.unwrap_or_default().as_micros());
    Ok(())
}

/// The file's mesh, read piece by piece as the vault's worker does.
fn mesh(stl: &OsString) -> Result<Mesh, Failed> {
    let io = |error| Failed::at(stl.display(), error);
    let mut file = File::open(stl).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let parsed = read(&mut file, length, &Limits::default()).map_err(io)?;
    Ok(parsed.map_err(|error| Failed::at(stl.display(), error))?.mesh)
}

fn profile(extra: &[OsString]) -> Result<Profile, Failed> {
    let machine = Machine::named(asked::MACHINE).map_err(|error| Failed::at("the machine", error))?;
    let material = Material::named(asked::MATERIAL).map_err(|error| Failed::at("the material", error))?;
    let mut profile = Profile::new(machine, material, Preset::Standard);
    let extra = extra.iter().filter_map(|pair| pair.to_str()?.split_once('='));
    for (name, value) in asked::SETTINGS.iter().copied().chain(extra) {
        profile.set(name, value).map_err(|error| Failed::at(name, error))?;
    }
    Ok(profile)
}

/// What pieces become.
enum Maker {
    Gcode(Marlin, BufWriter<File>),
    Envelope(Box<Line>),
}

impl Maker {
    fn new(sealed: bool, file: BufWriter<File>) -> Self {
        match sealed {
            true => Self::Envelope(Box::new(Line::new(file))),
            false => Self::Gcode(Marlin::new(Comments::Kept), file),
        }
    }

    fn take(&mut self, piece: &Piece) -> Result<(), SinkClosed> {
        match self {
            Self::Gcode(marlin, file) => {
                let text = marlin.text(piece).map_err(|_| SinkClosed)?;
                file.write_all(text).map_err(|_| SinkClosed)
            }
            Self::Envelope(line) => line.take(piece),
        }
    }

    fn finish(self) -> Result<(), Failed> {
        let flush = |mut file: BufWriter<File>| file.flush().map_err(|error| Failed::at("writing", error));
        match self {
            Self::Gcode(_, file) => flush(file),
            Self::Envelope(line) => flush(line.finish()?),
        }
    }
}

/// Pieces cut into segments and sealed, as the vault's press does it (`vault/src/press/line.rs`).
struct Line {
    sealer: Sealer,
    layer: u32,
    summary: Option<Summary>,
    sealed: Vec<u8>,
    file: BufWriter<File>,
}

impl Line {
    fn new(mut file: BufWriter<File>) -> Self {
        let header = EnvelopeHeader {
            job: JobId::from_bytes([1; 16]),
            hold: HoldId::from_bytes([2; 16]),
            license: LicenseId::from_bytes([3; 16]),
            design_version: sha256(b"bench"),
            device: DeviceId::from_bytes([4; 16]),
            machine: "voron-2.4-250".to_owned(),
            profile: sha256(b"bench"),
            created: Timestamp(1_700_000_000_000),
            segment_limit: SEGMENT_LIMIT,
            epoch_layers: EPOCH_LAYERS,
        };
        let sealer = Sealer::new(header, Arc::new(SigningKey::generate(&mut Random)), &mut Random);
        // Fails with the segments that follow it if it fails at all.
        let _ = file.write_all(&sealer.header().emit());
        Self { sealer, layer: 0, summary: None, sealed: Vec::new(), file }
    }

    fn take(&mut self, piece: &Piece) -> Result<(), SinkClosed> {
        let ends = match piece {
            Piece::Prologue(_) => Ends::Piece,
            Piece::Layer(layer) => {
                self.layer = layer.index;
                Ends::Piece
            }
            Piece::Epilogue(end) => {
                let (duration, filament_um) = (end.duration, end.filament_um);
                self.summary = Some(Summary { duration, filament_um, min: end.min, max: end.max });
                Ends::Toolpath
            }
        };
        let bytes = piece.emit();
        let mut parts = bytes.chunks(SEGMENT_LIMIT as usize).peekable();
        self.sealed.clear();
        while let Some(part) = parts.next() {
            let ends = if parts.peek().is_some() { Ends::Nothing } else { ends };
            self.sealer.seal(self.layer, ends, part, &mut self.sealed).map_err(|_| SinkClosed)?;
        }
        self.file.write_all(&self.sealed).map_err(|_| SinkClosed)
    }

    fn finish(mut self) -> Result<BufWriter<File>, Failed> {
        let summary = self.summary.ok_or_else(|| Failed::at("the toolpath", "it has no end"))?;
        let manifest = self.sealer.finish(summary).map_err(|error| Failed::at("the manifest", error))?;
        self.file.write_all(&manifest.emit()).map_err(|error| Failed::at("the manifest", error))?;
        Ok(self.file)
    }
}

/// The operating system's randomness.
struct Random;

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
        Ok(())
    }
}

impl TryCryptoRng for Random {}
