//! `layerlock slice`: one's own model into G-code, by the very code that the vault and the device run.

mod outputs;
mod picture;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use layerlock_device::gcode::{Comments, Extrusion, GcodeError, Marlin, Retraction, Style};
use layerlock_slicer::mesh::{Limits, Mesh, MeshError, read};
use layerlock_slicer::modifiers::Modifier;
use layerlock_slicer::{SinkClosed, SliceError, Summary, slice_modified};
use layerlock_terms::machine::{Dialect, UnknownName};
use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::{Epilogue, Piece, Step};
use layerlock_terms::units::Micrometres;
use serde::Serialize;

use self::outputs::Outputs;
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
    /// Layers in which nothing is printed: all of the part there is too thin, or there is none of it.
    pub empty_layers: u32,
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
    let threads = args
        .threads
        .and_then(|threads| NonZeroUsize::new(threads.into()))
        .or_else(|| std::thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN);

    let mut outputs = Outputs::begin(args)?;
    let mut writer = Writer::new(outputs.gcode()?, style(&args.lines)?);
    let bar = show::layer_count("slicing");
    show::now_of(&bar, "slicing", about);
    let mut picture = args.picture.as_ref().map(|_| Picture::new(args.layer));
    let sliced = slice_modified(mesh, &others.modifiers(&args.changes), &profile, threads, &mut |piece| {
        bar.inc(u64::from(matches!(piece, Piece::Layer(_))));
        if let (Some(picture), Piece::Layer(layer)) = (&mut picture, &piece) {
            picture.add(layer);
        }
        writer.take(&piece)
    });
    bar.finish_and_clear();
    let written = writer.finish(sliced)?;
    if let Some(picture) = &picture {
        outputs.fill_picture(|| picture.png(profile.machine(), &written.epilogue))?;
    }
    let stats = written.stats(triangles, parse_ms);
    outputs.fill_stats(|| serde_json::to_vec_pretty(&stats).expect("stats are plain numbers"))?;
    outputs.place()?;
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
    if stats.empty_layers > 0 {
        writeln!(out, "  layers in which nothing is printed: {}", stats.empty_layers)?;
    }
    writeln!(out, "  sliced in {} ms, first layer after {} ms", stats.slice_ms, stats.first_layer_ms)
}

/// Turns pieces into lines as they come; keeps the first failure for the end.
struct Writer {
    marlin: Marlin,
    file: BufWriter<File>,
    begun: Instant,
    first_layer_ms: Option<u128>,
    empty_layers: u32,
    lines: u64,
    gcode_bytes: u64,
    toolpath_bytes: u64,
    epilogue: Option<Epilogue>,
    failed: Option<SliceCommandError>,
}

impl Writer {
    fn new(file: File, style: Style) -> Self {
        Self {
            marlin: Marlin::with(style),
            file: BufWriter::new(file),
            begun: Instant::now(),
            first_layer_ms: None,
            empty_layers: 0,
            lines: 0,
            gcode_bytes: 0,
            toolpath_bytes: 0,
            epilogue: None,
            failed: None,
        }
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
            Piece::Layer(layer) => {
                self.first_layer_ms.get_or_insert_with(|| self.begun.elapsed().as_millis());
                let drawn = layer.steps.iter().any(|step| matches!(step, Step::Extrude(_)));
                self.empty_layers += u32::from(!drawn);
            }
            Piece::Epilogue(epilogue) => self.epilogue = Some(*epilogue),
        }
        self.toolpath_bytes += piece.emit().len() as u64;
        let text = self.marlin.text(piece)?;
        self.file.write_all(text)?;
        self.lines += text.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.gcode_bytes += text.len() as u64;
        Ok(())
    }

    fn finish(mut self, sliced: Result<Summary, SliceError>) -> Result<Written, SliceCommandError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let healing = sliced?.healing.lines();
        self.file.flush()?;
        Ok(Written {
            healing,
            empty_layers: self.empty_layers,
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
    healing: Vec<String>,
    empty_layers: u32,
    epilogue: Epilogue,
    lines: u64,
    gcode_bytes: u64,
    toolpath_bytes: u64,
    first_layer_ms: u128,
    slice_ms: u128,
}

impl Written {
    fn stats(self, triangles: usize, parse_ms: u128) -> Stats {
        let filament_m = self.epilogue.filament_um as f64 / 1e6;
        Stats {
            layers: self.epilogue.layers,
            print_seconds: self.epilogue.duration.0 as f64 / 1000.0,
            filament_m,
            filament_g: self.epilogue.mass.0 as f64 / 1000.0,
            feature_seconds: feature_seconds(&self.epilogue),
            triangles,
            healing: self.healing,
            empty_layers: self.empty_layers,
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
