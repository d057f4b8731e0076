//! `./x bench vault`: a served house beside what people would script today, on the same models, in one run.
//!
//! The script is `prusa-slicer` to G-code and `age` over that; it licenses nothing and leaves the G-code on the disk. Ours is
//! `layerlock serve`, a process of its own, met over TLS as its users meet it: a seller uploads the model, a buyer places a
//! hold and makes a job, a device takes the envelope. Both are asked for the same layers and speeds (`tests/bench`), have all
//! cores, and run in turn, round after round; what is printed is the median. What both need once and not each time (starting
//! the house, making keys) is in neither.

#![allow(clippy::print_stdout, reason = "a bench's result is what it prints")]

mod ours;
mod script;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use layerlock_bench::models::{self, Model};
use layerlock_load::Failed;

use crate::ours::{Ours, Shop};
use crate::script::Script;
use crate::table::Row;

/// No run takes longer.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Runs of which a figure is the median.
const RUNS: usize = 5;

/// What a run is told.
struct Options {
    server: PathBuf,
    runs: usize,
    folder: Option<PathBuf>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failed> {
        let mut options = Self { server: "layerlock".into(), runs: RUNS, folder: None };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| Failed(format!("`{argument}` needs a value")));
            match argument.as_str() {
                "--server" => options.server = value()?.into(),
                "--runs" => {
                    let runs = value()?.parse().ok().filter(|runs| *runs > 0);
                    options.runs =
                        runs.ok_or_else(|| Failed("--runs takes a whole number from 1 on".into()))?;
                }
                flag if flag.starts_with('-') => {
                    return Err(Failed(format!(
                        "no such option: {flag} (./x bench vault [--runs N] [FOLDER])"
                    )));
                }
                folder => options.folder = Some(folder.into()),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    layerlock_load::run("vault-bench", LONGEST, async {
        bench(&Options::parse(std::env::args().skip(1))?).await
    })
}

async fn bench(options: &Options) -> Result<(), Failed> {
    let room = tempfile::tempdir().map_err(|error| Failed::at("a temporary folder", error))?;
    let script = Script::find(room.path())?;
    println!("{}", script.versions);
    let models = match &options.folder {
        Some(folder) => models::of_folder(folder, room.path()),
        None => models::made_by_code(room.path()),
    };
    let models = models.map_err(|error| Failed::at("models", error))?;
    let mut shop = Shop::open(&options.server, room.path()).await?;
    let mut rows = Vec::new();
    for model in &models {
        let row = measure(model, &script, &mut shop, options.runs).await?;
        eprintln!("{} measured", row.name);
        rows.push(row);
    }
    table::print(&rows, options.runs);
    shop.close().await
}

async fn measure(model: &Model, script: &Script, shop: &mut Shop, runs: usize) -> Result<Row, Failed> {
    let bytes = std::fs::read(&model.stl).map_err(|error| Failed::at(model.stl.display(), error))?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        theirs.push(script.run(&model.stl)?);
        ours.push(shop.run(&model.name, &bytes).await?);
    }
    Ok(Row {
        name: model.name.clone(),
        triangles: model.triangles,
        sliced: median(theirs.iter().map(|run| run.as_ref().map(|run| run.sliced))),
        script: median(theirs.iter().map(|run| run.as_ref().map(|run| run.whole))),
        ready: known(median(ours.iter().map(|run: &Ours| Some(run.ready)))),
        first: known(median(ours.iter().map(|run| Some(run.first)))),
        whole: known(median(ours.iter().map(|run| Some(run.whole)))),
        each_of_many: known(median(ours.iter().map(|run| Some(run.each_of_many)))),
    })
}

fn known(median: Option<Duration>) -> Duration {
    median.expect("ours fails as a whole or not at all")
}

/// None if any run came to nothing.
fn median(figures: impl Iterator<Item = Option<Duration>>) -> Option<Duration> {
    let mut figures = figures.collect::<Option<Vec<_>>>()?;
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied()
}
