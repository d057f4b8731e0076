//! The `layerlock` program: reads the command line, runs one command, says what went wrong in one line.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use layerlock_cli::args::{Cli, Command};
use layerlock_cli::commands;
use layerlock_cli::now;
use layerlock_cli::parties::PartyError;
use layerlock_cli::sight::{self, LogFormat};

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        // Whoever reads the output has closed it, as `| head` does: nothing is left to say.
        Err(error) if closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("layerlock: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    let out = &mut io::stdout();
    match command {
        // The worker comes before anything that makes threads, files or sockets.
        Command::VaultWorker => Ok(layerlock_vault::worker::run(io::stdin().lock(), io::stdout().lock())),
        Command::Slice(args) => {
            let stats = commands::slice::run(&args)?;
            commands::slice::report(&stats, &args.output, out)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Catalogue => {
            commands::catalogue::run(out)?;
            Ok(ExitCode::SUCCESS)
        }
        others => {
            match &others {
                Command::Serve(serve) => sight::log(serve.log_format, tracing::Level::INFO),
                _ => sight::log(LogFormat::Text, tracing::Level::WARN),
            }
            tokio::runtime::Runtime::new()?.block_on(talk(others))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The commands that speak to a service.
async fn talk(command: Command) -> Result<(), Box<dyn Error>> {
    let out = &mut io::stdout();
    match command {
        Command::Demo(args) => drop(commands::demo::run(args, out).await?),
        Command::Serve(args) => commands::serve::run(args, out).await?,
        Command::Seller(args) => commands::seller::run(args, now(), out).await?,
        Command::Buyer(args) => commands::buyer::run(args, now(), out).await?,
        Command::Device(args) => commands::device::run(args, out).await?,
        Command::Operator(args) => commands::operator::run(args, now(), out).await?,
        Command::Slice(_) | Command::Catalogue | Command::VaultWorker => {
            unreachable!("these commands were run before the runtime began")
        }
    }
    Ok(())
}

fn closed_pipe(error: &(dyn Error + 'static)) -> bool {
    let system = |error: &(dyn Error + 'static)| match error.downcast_ref::<PartyError>() {
        Some(PartyError::File(error)) => Some(error.kind()),
        _ => error.downcast_ref::<io::Error>().map(io::Error::kind),
    };
    system(error) == Some(io::ErrorKind::BrokenPipe)
}
