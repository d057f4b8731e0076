//! `layerlock serve`: both services on this machine, until interrupted.

use std::io::Write;
use std::sync::Arc;

use layerlock_vault::worker::WorkerCommand;

use crate::args::Serve;
use crate::connect::Connection;
use crate::embedded::{Embedded, EmbeddedError, Outside};
use crate::now;
use crate::parties::home::{CONNECT, server_dir};
use crate::settings::{Settings, SettingsError};
use crate::sight;

/// Why the server stops.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Its start.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The terminal or a signal.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Serves until SIGINT or SIGTERM.
pub async fn run(args: Serve, out: &mut impl Write) -> Result<(), ServeError> {
    let dir = server_dir(args.data_dir.as_deref());
    let settings = Settings::read(args.config.as_deref())?;
    let metrics = match settings.metrics.0 {
        Some(address) => Some(sight::serve_metrics(address).await?),
        None => None,
    };
    let outside =
        Outside { dir: dir.clone(), settings, worker: own_worker()?, metrics, clock: Arc::new(now) };
    let house = Embedded::start(outside).await?;
    let Connection { licensor, vault, .. } = &house.connection;
    for (name, address) in [("licensor", licensor), ("vault", vault)] {
        if !address.is_empty() {
            writeln!(out, "{name:<9} {address}")?;
        }
    }
    if let Some(address) = metrics {
        writeln!(out, "metrics   http://{address}/metrics")?;
    }
    let engines = house.engines();
    if !engines.is_empty() {
        writeln!(out, "engines   {}", engines.join(", "))?;
    }
    writeln!(out, "root      {}", house.root)?;
    writeln!(out, "clients   --connect {}", dir.join(CONNECT).display())?;
    out.flush()?;
    interrupted().await?;
    writeln!(out, "stopping")?;
    house.stop().await;
    Ok(())
}

/// This very program, as a worker.
pub fn own_worker() -> std::io::Result<WorkerCommand> {
    Ok(WorkerCommand { program: std::env::current_exe()?, args: vec!["vault-worker".into()] })
}

/// Waits for a person or a service manager to say stop.
pub async fn interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt,
        _ = terminate.recv() => Ok(()),
    }
}
