//! `layerlock slice`: one's own model into G-code, by the very code that the vault and the device run.

mod picture;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use layerlock_device::gcode::{Comments, Extrusion, GcodeError, Marlin, Retraction, Style};
use layerlock_slicer::mesh::{Limits, Mesh, MeshError, read};
use layerlock_slicer::modifiers::Modifier;
use layerlock_slicer::{SinkClosed, SliceError, slice_modified};
use layerlock_terms::machine::{Dialect, UnknownName};
use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::{Epilogue, Piece};
use layerlock_terms::units::Micrometres;
use serde::Serialize;

use self::picture::Picture;
use crate::args::changes::Changes;
use crate::args::{Lines, Slice};
use crate::commands::show;
use crate::files;
use crate::people;
use crate::printing::PrintingError;

/// Why there is no G-code.
#[derive(Debug, thiserror::Error)]
pub enum SliceCommandError {
    /// A name, setting or value.
    #[error(transparent)]
    Printing(#[from] PrintingError),
    /// A firmware nobody knows.
    #[error(transparent)]
    Dialect(#[from] UnknownName),
    /// The file is no mesh.
    #[error("{file}: {error}")]
    Mesh {
        /// The file.
        file: String,
        /// What is wrong with it.
        error: MeshError,
    },
    /// The mesh can't be sliced so.
    #[error(transparent)]
    Slice(#[from] SliceError),
    /// The toolpath has no G-code.
    #[error(transparent)]
    Gcode(#[from] GcodeError),
    /// A file.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// What slicing gave and took; `--stats` writes it.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// Layers.
    pub layers: u32,
    /// Estimated printing time.
    pub print_seconds: f64,
    /// Filament, metres.
    pub filament_m: f64,
    /// Filament, grams.
    pub filament_g: f64,
    /// Printing time by what it is spent on; what is left is moves in between.
    pub feature_seconds: BTreeMap<String, f64>,
    /// Triangles in the model.
    pub triangles: usize,
    /// What was wrong with the model and what was done about it, a sentence for each kind.
    pub healing: Vec<String>,
    /// Lines of G-code.
    pub lines: u64,
    /// Bytes of G-code.
    pub gcode_bytes: u64,
    /// Bytes of the same toolpath as it is sealed.
    pub toolpath_bytes: u64,
    /// Reading and parsing the model.
    pub parse_ms: u128,
    /// From the parsed mesh to its first layer.
    pub first_layer_ms: u128,
    /// From the parsed mesh to its last layer.
    pub slice_ms: u128,
}

/// Slices and writes; the output appears under its name only when it is whole.
pub fn run(args: &Slice) -> Result<Stats, SliceCommandError> {
    let profile = args.printing.profile(&args.printer_model)?;
    let begun = Instant::now();
    let mesh = mesh(&args.model)?;
    let others = Others::read(&args.changes)?;
    let (triangles, about) = (mesh.triangles.len(), layers_about(&mesh, &profile));
    let parse_ms = begun.elapsed().as_millis();
    let threads =
        args.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);

    let beside = beside(&args.model, &args.output)?;
    let mut writer = Writer::new(&beside, style(&args.lines)?)?;
    let bar = show::layer_count("slicing");
    show::now_of(&bar, "slicing", about);
    let mut picture = args.picture.clone().map(|file| Picture::new(file, args.layer));
    let sliced = slice_modified(mesh, &others.modifiers(&args.changes), &profile, threads, &mut |piece| {
        bar.inc(u64::from(matches!(piece, Piece::Layer(_))));
        if let (Some(picture), Piece::Layer(layer)) = (&mut picture, &piece) {
            picture.add(layer);
        }
        writer.take(&piece)
    });
    bar.finish_and_clear();
    let outcome = sliced
        .map_err(SliceCommandError::from)
        .and_then(|summary| Ok((writer.finish()?, summary.healing.lines())));
    let (written, healing) = match outcome {
        Ok(written) => written,
        Err(error) => {
            drop(fs::remove_file(&beside));
            return Err(error);
        }
    };
    fs::rename(&beside, &args.output)?;
    if let Some(picture) = &picture {
        picture.write(profile.machine(), &written.epilogue)?;
    }
    let stats = written.stats(triangles, healing, parse_ms);
    if let Some(file) = &args.stats {
        files::write_public(file, &serde_json::to_vec_pretty(&stats).expect("stats are plain numbers"))?;
    }
    Ok(stats)
}

fn mesh(file: &Path) -> Result<Mesh, SliceCommandError> {
    let (mut opened, length) = files::open(file)?;
    let parsed = read(&mut opened, length, &Limits::default())?;
    Ok(parsed.map_err(|error| SliceCommandError::Mesh { file: file.display().to_string(), error })?.mesh)
}

/// The meshes that change the model.
struct Others {
    added: Vec<Mesh>,
    taken: Vec<Mesh>,
    common: Vec<Mesh>,
}

impl Others {
    fn read(changes: &Changes) -> Result<Self, SliceCommandError> {
        let all = |files: &[PathBuf]| files.iter().map(|file| mesh(file)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            added: all(&changes.add)?,
            taken: all(&changes.subtract)?,
            common: all(&changes.intersect)?,
        })
    }

    fn modifiers(&self, changes: &Changes) -> Vec<Modifier<'_>> {
        let meshes = self.added.iter().map(Modifier::Add).chain(self.taken.iter().map(Modifier::Subtract));
        let meshes = meshes.chain(self.common.iter().map(Modifier::Intersect));
        meshes.chain(changes.lettering().map(Modifier::Text)).collect()
    }
}

/// How the lines are written.
fn style(lines: &Lines) -> Result<Style, UnknownName> {
    Ok(Style {
        comments: Comments::Kept,
        dialect: lines.dialect.as_deref().map(Dialect::named).transpose()?,
        extrusion: if lines.absolute_extrusion { Extrusion::Absolute } else { Extrusion::Relative },
        retraction: if lines.firmware_retraction { Retraction::Firmware } else { Retraction::Moves },
        arcs: lines.arcs.map(Micrometres),
    })
}

/// Where the output grows before it gets its name. The model itself, a folder and a device are no outputs: a
/// rename would put a file in their place.
fn beside(model: &Path, output: &Path) -> io::Result<PathBuf> {
    let refused = |why: &str| {
        let words = format!("{}: {why}; name a file that may be written", output.display());
        Err(io::Error::new(io::ErrorKind::InvalidInput, words))
    };
    match (fs::metadata(output), fs::canonicalize(output)) {
        (Ok(there), _) if !there.is_file() => return refused("is no regular file"),
        (Ok(_), Ok(path)) if fs::canonicalize(model).is_ok_and(|model| model == path) => {
            return refused("is the model itself");
        }
        _ => {}
    }
    if output.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return refused("its folder is not there");
    }
    Ok(output.with_extension("gcode.part"))
}

/// How many layers there will be, give or take the first one's height: for the progress bar.
fn layers_about(mesh: &Mesh, profile: &Profile) -> u64 {
    let heights = mesh.vertices.iter().map(|vertex| f64::from(vertex[2]));
    let (low, high) = heights.fold((f64::MAX, f64::MIN), |(low, high), z| (low.min(z), high.max(z)));
    ((high - low) / profile.length(Key::LayerHeight).to_mm()).ceil().max(1.0) as u64
}

/// Says what came of it, in a person's words.
pub fn report(stats: &Stats, output: &Path, out: &mut impl io::Write) -> io::Result<()> {
    writeln!(out, "{}", output.display())?;
    writeln!(out, "  {} layers, {} lines of G-code", stats.layers, stats.lines)?;
    writeln!(out, "  printing time about {}", people::span(stats.print_seconds))?;
    writeln!(out, "  filament {:.2} m, {:.1} g", stats.filament_m, stats.filament_g)?;
    stats.healing.iter().try_for_each(|line| writeln!(out, "  mended: {line}"))?;
    writeln!(out, "  sliced in {} ms, first layer after {} ms", stats.slice_ms, stats.first_layer_ms)
}

/// Turns pieces into lines as they come; keeps the first failure for the end.
struct Writer {
    marlin: Marlin,
    file: BufWriter<File>,
    begun: Instant,
    first_layer_ms: Option<u128>,
    lines: u64,
    gcode_bytes: u64,
    toolpath_bytes: u64,
    epilogue: Option<Epilogue>,
    failed: Option<SliceCommandError>,
}

impl Writer {
    fn new(path: &Path, style: Style) -> io::Result<Self> {
        let file = File::create(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        Ok(Self {
            marlin: Marlin::with(style),
            file: BufWriter::new(file),
            begun: Instant::now(),
            first_layer_ms: None,
            lines: 0,
            gcode_bytes: 0,
            toolpath_bytes: 0,
            epilogue: None,
            failed: None,
        })
    }

    fn take(&mut self, piece: &Piece) -> Result<(), SinkClosed> {
        self.write(piece).map_err(|error| {
            self.failed = Some(error);
            SinkClosed
        })
    }

    fn write(&mut self, piece: &Piece) -> Result<(), SliceCommandError> {
        match piece {
            Piece::Prologue(_) => {}
            Piece::Layer(_) if self.first_layer_ms.is_none() => {
                self.first_layer_ms = Some(self.begun.elapsed().as_millis());
            }
            Piece::Layer(_) => {}
            Piece::Epilogue(epilogue) => self.epilogue = Some(*epilogue),
        }
        self.toolpath_bytes += piece.emit().len() as u64;
        let text = self.marlin.text(piece)?;
        self.file.write_all(text)?;
        self.lines += text.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.gcode_bytes += text.len() as u64;
        Ok(())
    }

    fn finish(mut self) -> Result<Written, SliceCommandError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(Written {
            epilogue: self.epilogue.expect("slicing that succeeds ends with an epilogue"),
            lines: self.lines,
            gcode_bytes: self.gcode_bytes,
            toolpath_bytes: self.toolpath_bytes,
            first_layer_ms: self.first_layer_ms.unwrap_or_default(),
            slice_ms: self.begun.elapsed().as_millis(),
        })
    }
}

struct Written {
    epilogue: Epilogue,
    lines: u64,
    gcode_bytes: u64,
    toolpath_bytes: u64,
    first_layer_ms: u128,
    slice_ms: u128,
}

impl Written {
    fn stats(self, triangles: usize, healing: Vec<String>, parse_ms: u128) -> Stats {
        let filament_m = self.epilogue.filament_um as f64 / 1e6;
        Stats {
            layers: self.epilogue.layers,
            print_seconds: self.epilogue.duration.0 as f64 / 1000.0,
            filament_m,
            filament_g: self.epilogue.mass.0 as f64 / 1000.0,
            feature_seconds: feature_seconds(&self.epilogue),
            triangles,
            healing,
            lines: self.lines,
            gcode_bytes: self.gcode_bytes,
            toolpath_bytes: self.toolpath_bytes,
            parse_ms,
            first_layer_ms: self.first_layer_ms,
            slice_ms: self.slice_ms,
        }
    }
}

fn feature_seconds(epilogue: &Epilogue) -> BTreeMap<String, f64> {
    let seconds = |time: u64| time as f64 / 1000.0;
    epilogue.times.iter().map(|(feature, time)| (format!("{feature:?}"), seconds(time.0))).collect()
}
