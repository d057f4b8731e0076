//! The `layerlock` program: reads the command line, runs one command, says what went wrong in one line.

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use layerlock_cli::args::{Cli, Command};
use layerlock_cli::commands;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("layerlock: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match cli.command {
        Command::Slice(args) => {
            let stats = commands::slice::run(&args)?;
            commands::slice::report(&stats, &args.output, &mut io::stdout())?;
        }
        Command::Catalogue => commands::catalogue::run(&mut io::stdout())?,
        _ => todo!(),
    }
    Ok(ExitCode::SUCCESS)
}
