//! `./x bench printing`: the device agent at work beside OctoPrint, the same moves to the same machine, in one run.
//!
//! The machine is the device library's simulated Marlin behind a pseudo-terminal, as many times faster than a real one as
//! makes a thousand moves a second of this part. Ours is `layerlock-device run`, enrolled at a served house, which fetches,
//! checks, opens and streams a sealed envelope; OctoPrint streams the plain G-code of the same toolpath. What each process
//! uses is read from outside; the house, the slicing and the machine are in neither.

#![allow(clippy::print_stdout, reason = "a bench's result is what it prints")]

mod peer;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use layerlock_bench::models;
use layerlock_load::Failed;
use layerlock_load::house::House;
use layerlock_load::shop::Shop;

use crate::work::{Job, Measured, Watch};

/// No run takes longer.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// What the issue of its cost asks of an agent: bytes idle and at work, and the share of a core at a thousand moves a second.
const BARS: (u64, u64, f64) = (12 << 20, 20 << 20, 0.05);

/// What a run is told.
struct Options {
    server: PathBuf,
    device: PathBuf,
    octoprint: Option<PathBuf>,
    seconds: u64,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failed> {
        let mut options = Self {
            server: "layerlock".into(),
            device: "layerlock-device".into(),
            octoprint: None,
            seconds: 20,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| Failed(format!("`{argument}` needs a value")));
            match argument.as_str() {
                "--server" => options.server = value()?.into(),
                "--device" => options.device = value()?.into(),
                "--octoprint" => options.octoprint = Some(value()?.into()),
                "--seconds" => {
                    let seconds = value()?.parse().ok().filter(|seconds| (1..=120).contains(seconds));
                    options.seconds = seconds.ok_or_else(|| Failed("--seconds takes 1 to 120".into()))?;
                }
                other => {
                    return Err(Failed(format!(
                        "no such option: {other} (./x bench printing [--seconds N])"
                    )));
                }
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    layerlock_load::run("printing-bench", LONGEST, async {
        bench(&Options::parse(std::env::args().skip(1))?).await
    })
}

async fn bench(options: &Options) -> Result<(), Failed> {
    let room = tempfile::tempdir().map_err(|error| Failed::at("a temporary folder", error))?;
    let models = models::made_by_code(room.path()).map_err(|error| Failed::at("models", error))?;
    let model = models.iter().find(|model| model.name == "bumps").ok_or_else(|| Failed("no model".into()))?;
    let job = Job::of(&model.stl, room.path())?;
    println!(
        "{}: a machine {} times as fast as a real one makes a thousand moves of it a second",
        model.name, job.times
    );
    let watch = Watch { seconds: options.seconds };
    let house = House::start(&options.server, room.path(), 0).await?;
    let shop = Shop::open(&house.connection()?, room.path()).await?;
    let ours = work::ours(&options.device, &shop, &job, room.path(), watch).await?;
    house.stop().await?;
    let theirs = match &options.octoprint {
        Some(python) => Some(peer::octoprint(python, &job, room.path(), watch).await?),
        None => None,
    };
    println!("| | idle MiB | printing MiB | moves/s | stood still | % of a core | % at 1,000 moves/s |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    print("layerlock-device run", &ours);
    if let Some(theirs) = &theirs {
        print("OctoPrint", theirs);
        println!(
            "of OctoPrint's: idle {:.3}, printing {:.3}, processor a move {:.3}",
            ours.idle as f64 / theirs.idle as f64,
            ours.printing as f64 / theirs.printing as f64,
            ours.at_a_thousand() / theirs.at_a_thousand(),
        );
    }
    let (idle, printing, share) = BARS;
    let held = |held: bool| if held { "met" } else { "MISSED" };
    println!(
        "bars: idle {} MiB {}, printing {} MiB {}, {} % of a core {}",
        idle >> 20,
        held(ours.idle <= idle),
        printing >> 20,
        held(ours.printing <= printing),
        share * 100.0,
        held(ours.at_a_thousand() <= share),
    );
    Ok(())
}

fn print(who: &str, measured: &Measured) {
    println!(
        "| {who} | {:.1} | {:.1} | {:.0} | {:.2} % of moves | {:.2} | {:.2} |",
        measured.idle as f64 / f64::from(1 << 20),
        measured.printing as f64 / f64::from(1 << 20),
        measured.moves_a_second(),
        measured.starved_share() * 100.0,
        measured.share() * 100.0,
        measured.at_a_thousand() * 100.0,
    );
}
