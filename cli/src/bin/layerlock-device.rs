//! The device's commands alone, as a program of their own: what a small computer beside a printer runs.
//!
//! The same code as `layerlock device …`, and a third of the program: no server, no slicer, no store is in it.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use layerlock_cli::args::Device;
use layerlock_cli::commands::device::{self, DeviceCommandError};
use layerlock_cli::sight::{self, LogFormat};

/// The client beside a printer: enrols once, then prints what is sealed for it.
#[derive(Debug, Parser)]
#[command(name = "layerlock-device", version, about, max_term_width = 110)]
struct Program {
    /// What to do.
    #[command(subcommand)]
    command: Device,
}

fn main() -> ExitCode {
    match run(Program::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("layerlock-device: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Device) -> Result<(), DeviceCommandError> {
    sight::log(LogFormat::Text, tracing::Level::WARN);
    tokio::runtime::Runtime::new()?.block_on(device::run(command, &mut io::stdout()))
}
