//! What a program takes: CPU, wall time and memory's peak, as the kernel counts them.
//!
//! A process that has ended leaves its figures to whoever waited for it, summed with those of all its siblings and the peak
//! of the largest; so each program is started by a process of its own that starts nothing else: this one, again.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;

use crate::Failed;

/// The first argument of the process in between.
pub const COMMAND: &str = "measure";

/// How many cores a program gets. PrusaSlicer takes no number of threads, so all are held by the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    One,
    All,
}

impl Cores {
    /// How many that is here.
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::All => available_parallelism().map_or(1, usize::from),
        }
    }
}

/// What one run took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// User and system time, all threads.
    pub cpu: Duration,
    /// From start to end.
    pub wall: Duration,
    /// Most memory resident at once, in KiB.
    pub peak_kib: u64,
}

/// What one run took and left.
pub struct Run {
    pub usage: Usage,
    /// Its standard output.
    pub said: String,
    /// Whether it ended with status 0.
    pub ended_well: bool,
}

/// Runs `program` on `cores` and measures it; files are made in `room`.
pub fn measure(cores: Cores, program: &Path, arguments: &[OsString], room: &Path) -> Result<Run, Failed> {
    let me = std::env::current_exe().map_err(|error| Failed::at("this program's own file", error))?;
    let (report, log) = (room.join("usage"), room.join("log"));
    let log = File::create(&log).map_err(|error| Failed::at(log.display(), error))?;
    let mut command = Command::new(me);
    command.arg(COMMAND).arg(cores.count().to_string()).arg(&report).arg(program).args(arguments);
    let output = command.stderr(log).output().map_err(|error| Failed::at(program.display(), error))?;
    let figures = fs::read_to_string(&report).map_err(|error| Failed::at(program.display(), error))?;
    fs::remove_file(&report).map_err(|error| Failed::at(report.display(), error))?;
    let figures: Vec<u64> = figures.split_whitespace().map_while(|figure| figure.parse().ok()).collect();
    let [cpu, wall, peak_kib, failures] = figures[..] else {
        return Err(Failed::at(program.display(), "its figures are missing"));
    };
    let usage = Usage { cpu: Duration::from_micros(cpu), wall: Duration::from_micros(wall), peak_kib };
    Ok(Run { usage, said: String::from_utf8_lossy(&output.stdout).into_owned(), ended_well: failures == 0 })
}

/// The process in between: runs one program to its end and writes down what it took.
pub fn run(arguments: &[OsString]) -> Result<(), Failed> {
    let [cores, report, program, arguments @ ..] = arguments else {
        return Err(Failed::at(COMMAND, "takes a number of cores, a file, a program and its arguments"));
    };
    hold_to(cores)?;
    let begun = Instant::now();
    let status = Command::new(program).args(arguments).status();
    let status = status.map_err(|error| Failed::at(program.display(), error))?;
    let wall = begun.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| Failed::at("getrusage", error))?;
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let failures = u8::from(!status.success());
    let figures = format!("{cpu} {} {} {failures}\n", wall.as_micros(), usage.max_rss());
    fs::write(report, figures).map_err(|error| Failed::at(report.display(), error))
}

/// Holds this process, and so what it starts, to the first `count` of the cores it may use.
fn hold_to(count: &OsStr) -> Result<(), Failed> {
    let mut count: usize = count.to_str().and_then(|text| text.parse().ok()).unwrap_or(1);
    let failed = |error| Failed::at("choosing cores", error);
    let (may, mut held) = (sched_getaffinity(Pid::from_raw(0)).map_err(failed)?, CpuSet::new());
    for core in 0..CpuSet::count() {
        if count > 0 && may.is_set(core).map_err(failed)? {
            held.set(core).map_err(failed)?;
            count -= 1;
        }
    }
    sched_setaffinity(Pid::from_raw(0), &held).map_err(failed)
}
