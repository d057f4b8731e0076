//! `./x bench slicer`: our slicer beside CuraEngine and PrusaSlicer, same models, same settings, one run.
//!
//! Each model is brought to one bare STL that all three read. They run in turn, round after round, so that a machine that is
//! busy for a while is busy for all; what is printed is the median. Ours is measured twice: mesh to G-code, as the peers
//! work, and mesh to sealed envelope, which is what a vault does; the first sealed layer is timed there. The program starts
//! itself again for every run (`measure`, `ours`): memory peaks are of one process, and a process has but one.

#![allow(clippy::print_stdout, reason = "a bench's result is what it prints")]

mod options;
mod ours;
mod peers;
mod plot;
mod round;
mod scaling;
mod table;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use layerlock_bench::{Failed, asked, meshes, models, prusa};
use options::Options;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == usage::COMMAND => usage::run(rest),
        Some((first, rest)) if first == ours::COMMAND => ours::run(rest),
        _ => Options::parse(&arguments).and_then(|options| bench(&options)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("slicer-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<(), Failed> {
    let room = tempfile::tempdir().map_err(|error| Failed::at("a temporary folder", error))?;
    if let Some(picture) = &options.scaling {
        return scaling::run(picture, options.most, room.path());
    }
    let peers = peers::Peers::find(&options.cura_settings, &options.cura_definition)?;
    let models = match &options.folder {
        Some(folder) => models::of_folder(folder, room.path())?,
        None => models::made_by_code(room.path())?,
    };
    println!("{}", peers.versions());
    for cores in &options.cores {
        let rows = round::all(&models, &peers, *cores, options.runs, room.path())?;
        table::print(&rows, *cores, options.runs);
        table::refuse_dead_peers(&rows)?;
    }
    Ok(())
}
