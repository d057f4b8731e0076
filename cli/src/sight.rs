//! What an operator sees of a running house: health, metrics, logs with the ids of what they belong to.
//!
//! The services count with the `metrics` facade and know nothing of who reads; this program reads for Prometheus, on
//! an address of its own that no client needs. Deliberately absent: pushing anything anywhere.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use metrics::Unit;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

mod calls;
mod health;
mod page;

pub use calls::Calls;
pub use health::{CAGE, Health};
pub use page::{Page, PageError};

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Begins the log on standard error. `RUST_LOG` says what is in it; without it, `usual` and all above.
pub fn log(format: LogFormat, usual: tracing::Level) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual.to_string()));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

/// What is counted: name, unit, and what it says. `docs/operating.md` has the same table, and a test compares them.
pub const METRICS: &[(&str, Kind, Unit, &str)] = &[
    (
        "grpc_server_handled_total",
        Kind::Counter,
        Unit::Count,
        "Calls that ended, by service, method and code.",
    ),
    ("grpc_server_handling_seconds", Kind::Histogram, Unit::Seconds, "From a call's begin to its end."),
    (
        "layerlock_connections_open",
        Kind::Gauge,
        Unit::Count,
        "Connections past the TLS handshake, by service.",
    ),
    (
        "layerlock_connections_refused_total",
        Kind::Counter,
        Unit::Count,
        "Connections closed because too many are open.",
    ),
    (
        "layerlock_designs_alike_total",
        Kind::Counter,
        Unit::Count,
        "Uploads that look like a design of another seller; the log names both.",
    ),
    (
        "layerlock_devices_forked_total",
        Kind::Counter,
        Unit::Count,
        "Devices found to have signed two receipts that contradict each other; the log names device and job. Revoke them.",
    ),
    ("layerlock_jobs_total", Kind::Counter, Unit::Count, "Steps of jobs, by the state they led to."),
    (
        "layerlock_jobs_open",
        Kind::Gauge,
        Unit::Count,
        "Jobs at hand: pressed, watched or waited for by a device here.",
    ),
    (
        "layerlock_first_segment_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "From a job's admission to its first sealed segment.",
    ),
    (
        "layerlock_press_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "From the begin of slicing to a whole sealed envelope.",
    ),
    ("layerlock_sessions_open", Kind::Gauge, Unit::Count, "Devices with an open session."),
    (
        "layerlock_worker_guards_lacking",
        Kind::Gauge,
        Unit::Count,
        "Guards of the workers' cage this machine lacks; the log names them.",
    ),
    ("layerlock_settlements_total", Kind::Counter, Unit::Count, "Holds that ended, by cause."),
    (
        "layerlock_ledger_leaves",
        Kind::Gauge,
        Unit::Count,
        "Entries in the ledger, as of the last settlement.",
    ),
    ("layerlock_store_commits_total", Kind::Counter, Unit::Count, "Commits made durable, by store."),
    (
        "layerlock_store_sync_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "One append to the journal, synced to the disk, by store.",
    ),
];

/// How a figure behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Spread over buckets.
    Histogram,
}

impl Kind {
    /// As Prometheus has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Upper ends of the buckets, seconds: from a call in memory to a long print's session.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// Pause between two times measurements are put into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves the metrics of this process at `address`, for as long as it runs, and answers where that is. Once in a process.
///
/// # Errors
/// When nothing can listen there; it names the address and the mend.
pub async fn serve_metrics(address: SocketAddr) -> io::Result<SocketAddr> {
    let failed = |why: &dyn fmt::Display| {
        io::Error::other(format!("{address}: {why}; set another `metrics` address in the settings file"))
    };
    let listener = TcpListener::bind(address).await.map_err(|error| failed(&error))?;
    let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).map_err(|error| failed(&error))?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| failed(&error))?;
    for (name, kind, unit, says) in METRICS.iter().copied() {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, unit, says),
            Kind::Gauge => metrics::describe_gauge!(name, unit, says),
            Kind::Histogram => metrics::describe_histogram!(name, unit, says),
        }
    }
    let bound = listener.local_addr()?;
    let kept = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            kept.run_upkeep();
        }
    });
    let page = Router::new().route("/metrics", get(move || std::future::ready(handle.render())));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, page).await {
            tracing::error!(%bound, %error, "the metrics are no longer served: restart to have them again");
        }
    });
    Ok(bound)
}

/// Where a page of this program is served, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageAt(pub Option<SocketAddr>);

impl FromStr for PageAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        let address =
            text.parse().map_err(|_| format!("`{text}` is neither an address with a port nor `off`"))?;
        Ok(Self(Some(address)))
    }
}

impl<'de> serde::Deserialize<'de> for PageAt {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
