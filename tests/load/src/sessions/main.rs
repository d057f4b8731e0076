//! `./x bench sessions [N]`: N device sessions over TLS 1.3 to one real server on loopback, and what they cost it.
//!
//! The server is `layerlock serve`, a process of its own, so that its memory and its CPU time are its own; this process holds
//! the devices. Each device has its own id and signing key, proves itself, and holds its own TCP connection, TLS session and
//! HTTP/2 connection, as a printer would. Certificates are signed here with the key of the house that was made for this run;
//! the devices that are offered a job are enrolled by the API, because the licensor has to know them. All is bounded:
//! sessions by the open files this machine allows, the run by [`LONGEST`].

#![allow(clippy::print_stdout, reason = "a bench's result is what it prints")]

mod fleet;
mod result;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use layerlock_load::{Failed, open_files};

/// No run takes longer.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// Without a number.
const USUAL: usize = 10_000;
/// Without a number, jobs offered.
const JOBS: usize = 200;

/// What a run is told.
struct Options {
    server: PathBuf,
    sessions: usize,
    jobs: usize,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failed> {
        let mut options = Self { server: "layerlock".into(), sessions: USUAL, jobs: JOBS };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| Failed(format!("`{argument}` needs a value")));
            let number = |text: &str| {
                text.parse().map_err(|_| {
                    Failed(format!("`{text}` is not a number: ./x bench sessions [N] [--jobs N]"))
                })
            };
            match argument.as_str() {
                "--server" => options.server = value()?.into(),
                "--jobs" => options.jobs = number(&value()?)?,
                count => options.sessions = number(count)?,
            }
        }
        if options.sessions == 0 || options.jobs == 0 || options.jobs > options.sessions {
            return Err(Failed("there must be a session for every job, and one of each at least".into()));
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    layerlock_load::run("sessions-bench", LONGEST, async {
        let options = Options::parse(std::env::args().skip(1))?;
        open_files::allow(options.sessions)?;
        fleet::run(&options).await
    })
}
