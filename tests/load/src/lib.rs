//! What the benches of a served house share: the house, the parties around it, and devices as light as can be.

pub mod device;
pub mod house;
pub mod open_files;
pub mod shop;

use std::process::ExitCode;
use std::time::Duration;

/// Runs a bench to its end, or to `longest`; what ended it otherwise is said under its name.
pub fn run(name: &str, longest: Duration, bench: impl Future<Output = Result<(), Failed>>) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failed::at("runtime", error));
    let outcome = runtime.and_then(|runtime| {
        let run = runtime.block_on(async { tokio::time::timeout(longest, bench).await });
        run.unwrap_or_else(|_| Err(Failed(format!("not done within {longest:?}"))))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whatever ends a run; a person reads it, nothing decides by it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

impl Failed {
    /// What failed, and why.
    pub fn at(what: impl std::fmt::Display, error: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}
