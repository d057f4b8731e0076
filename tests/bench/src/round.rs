//! Rounds: on each model, all slicers in turn, so many times, and the medians.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Failed;
use crate::models::Model;
use crate::ours::{self, Product};
use crate::peers::{Peer, Peers};
use crate::usage::{Cores, Run, Usage, measure};

/// What one slicer took on one model.
#[derive(Debug, Clone, Copy)]
pub enum Cell {
    /// The medians, and the bytes of the last file.
    Sliced { usage: Usage, bytes: u64 },
    /// It ended with an error or left no toolpath.
    Refused,
}

impl Cell {
    pub fn usage(self) -> Option<Usage> {
        match self {
            Self::Sliced { usage, .. } => Some(usage),
            Self::Refused => None,
        }
    }
}

/// One model's figures.
pub struct Row {
    pub name: String,
    pub triangles: usize,
    /// Mesh to G-code.
    pub ours: Cell,
    /// Mesh to sealed envelope.
    pub sealed: Cell,
    /// From our start to the first layer sealed and written.
    pub first_sealed: Duration,
    /// In the order of [`Peer::ALL`].
    pub peers: [Cell; 2],
}

/// Measures every model.
pub fn all(
    models: &[Model],
    peers: &Peers,
    cores: Cores,
    runs: usize,
    room: &Path,
) -> Result<Vec<Row>, Failed> {
    models.iter().map(|model| one(model, peers, cores, runs, room)).collect()
}

fn one(model: &Model, peers: &Peers, cores: Cores, runs: usize, room: &Path) -> Result<Row, Failed> {
    let mut rounds = Rounds::default();
    for _ in 0..runs {
        rounds.go(model, peers, cores, room)?;
    }
    Ok(Row {
        name: model.name.clone(),
        triangles: model.triangles,
        ours: median_cell(&rounds.ours),
        sealed: median_cell(&rounds.sealed),
        first_sealed: median(&rounds.first_sealed),
        peers: [median_cell(&rounds.cura), median_cell(&rounds.prusa)],
    })
}

#[derive(Default)]
struct Rounds {
    ours: Vec<Cell>,
    sealed: Vec<Cell>,
    first_sealed: Vec<Duration>,
    cura: Vec<Cell>,
    prusa: Vec<Cell>,
}

impl Rounds {
    fn go(&mut self, model: &Model, peers: &Peers, cores: Cores, room: &Path) -> Result<(), Failed> {
        let me = std::env::current_exe().map_err(|error| Failed::at("this program's own file", error))?;
        let out = room.join("out.gcode");
        let our = |product| ours::arguments(product, cores.count(), &model.stl, &out, &[]);
        self.ours.push(cell(&measure(cores, &me, &our(Product::Gcode), room)?, &out)?);
        let sealed = measure(cores, &me, &our(Product::Envelope), room)?;
        self.first_sealed.push(first_layer(&sealed));
        self.sealed.push(cell(&sealed, &out)?);
        for (peer, cells) in Peer::ALL.into_iter().zip([&mut self.cura, &mut self.prusa]) {
            let run = measure(cores, peer.program(), &peers.arguments(peer, cores, &model.stl, &out), room)?;
            cells.push(cell(&run, &out)?);
        }
        Ok(())
    }
}

/// When the first layer was out, as our own run says.
pub fn first_layer(run: &Run) -> Duration {
    Duration::from_micros(run.said.trim().parse().unwrap_or_default())
}

/// What a run took, if it left a toolpath. A peer that loses a part ends well and leaves a file without a move.
pub fn cell(run: &Run, out: &PathBuf) -> Result<Cell, Failed> {
    let bytes = fs::read(out).unwrap_or_default();
    let _ = fs::remove_file(out);
    let is_text = bytes.is_ascii();
    let moves = bytes.windows(4).filter(|at| at.starts_with(b"\nG1 ")).count();
    if !run.ended_well || bytes.is_empty() || (is_text && moves < 10) {
        return Ok(Cell::Refused);
    }
    Ok(Cell::Sliced { usage: run.usage, bytes: bytes.len() as u64 })
}

/// The median of each figure; refused if any run was.
pub fn median_cell(cells: &[Cell]) -> Cell {
    let usages: Option<Vec<Usage>> = cells.iter().map(|cell| cell.usage()).collect();
    match (usages, cells.last()) {
        (Some(usages), Some(Cell::Sliced { bytes, .. })) => Cell::Sliced {
            usage: Usage {
                cpu: median(&usages.iter().map(|usage| usage.cpu).collect::<Vec<_>>()),
                wall: median(&usages.iter().map(|usage| usage.wall).collect::<Vec<_>>()),
                peak_kib: median(&usages.iter().map(|usage| usage.peak_kib).collect::<Vec<_>>()),
            },
            bytes: *bytes,
        },
        _ => Cell::Refused,
    }
}

fn median<T: Ord + Copy>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
