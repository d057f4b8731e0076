//! The models: every one brought to a bare binary STL in the middle of the bed, which is all the slicers get.
//!
//! CuraEngine reads nothing else, and PrusaSlicer of Debian 12 runs what a 3MF tells it to.

use std::fs;
use std::path::{Path, PathBuf};

use layerlock_slicer::mesh::{Limits, Mesh, parse, to_binary_stl};
use layerlock_slicer::sample::sample;

use crate::{Failed, meshes};

/// Half the bed all three slicers are told of, in millimetres.
const MIDDLE: f32 = 125.0;

/// One model.
pub struct Model {
    /// Its file's, without the ending.
    pub name: String,
    /// How many.
    pub triangles: usize,
    /// The bare STL.
    pub stl: PathBuf,
}

/// Every model of a folder, by name.
pub fn of_folder(folder: &Path, room: &Path) -> Result<Vec<Model>, Failed> {
    let entries = fs::read_dir(folder).map_err(|error| Failed::at(folder.display(), error))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| {
        file.extension().is_some_and(|kind| ["stl", "3mf", "obj"].iter().any(|it| kind == *it))
    });
    files.sort();
    if files.is_empty() {
        return Err(Failed::at(folder.display(), "no .stl, .3mf or .obj in it"));
    }
    files.iter().map(|file| read(file, room)).collect()
}

fn read(file: &Path, room: &Path) -> Result<Model, Failed> {
    let bytes = fs::read(file).map_err(|error| Failed::at(file.display(), error))?;
    let parsed = parse(&bytes, &Limits::default()).map_err(|error| Failed::at(file.display(), error))?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    write(&name, parsed.mesh, room)
}

/// Parts made by code, for a checkout that has no models: a vase, a big organic body, many islands, a plate with holes.
pub fn made_by_code(room: &Path) -> Result<Vec<Model>, Failed> {
    let parts = [
        ("vase", sample()),
        ("bumps", meshes::bumpy_ball(300_000)),
        ("pins", meshes::pins(6, 4.0)),
        ("frame", meshes::frame(140.0, 8.0, 6.0)),
    ];
    parts.into_iter().map(|(name, mesh)| write(name, mesh, room)).collect()
}

/// Writes `mesh`, standing in the middle of the bed, as an STL in `room`.
pub fn write(name: &str, mut mesh: Mesh, room: &Path) -> Result<Model, Failed> {
    stand(&mut mesh);
    let stl = room.join(format!("{name}.stl"));
    fs::write(&stl, to_binary_stl(&mesh)).map_err(|error| Failed::at(stl.display(), error))?;
    Ok(Model { name: name.to_owned(), triangles: mesh.triangles.len(), stl })
}

fn stand(mesh: &mut Mesh) {
    let (mut low, mut high) = ([f32::MAX; 3], [f32::MIN; 3]);
    for vertex in &mesh.vertices {
        for axis in 0..3 {
            low[axis] = low[axis].min(vertex[axis]);
            high[axis] = high[axis].max(vertex[axis]);
        }
    }
    let shift = [MIDDLE - (low[0] + high[0]) / 2.0, MIDDLE - (low[1] + high[1]) / 2.0, -low[2]];
    for vertex in &mut mesh.vertices {
        for axis in 0..3 {
            vertex[axis] += shift[axis];
        }
    }
}
