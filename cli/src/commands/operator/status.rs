//! `layerlock operator status`: how the running server is, on one screen.

use std::io::Write;

use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::connect::{ConnectError, Connection};
use crate::parties::PartyError;
use crate::sight::{CAGE, Page};

/// Asks both services how they are, reads the metrics, and writes what an operator looks for first.
pub async fn run(connection: &Connection, out: &mut impl Write) -> Result<(), PartyError> {
    let page = match connection.metrics {
        Some(address) => Page::fetch(address).await.map_err(|error| error.to_string()),
        None => Err("no figures: the server's `metrics` setting is `off`".to_owned()),
    };
    for (name, address, channel) in [
        ("licensor", &connection.licensor, connection.licensor().await),
        ("vault", &connection.vault, connection.vault().await),
    ] {
        let health = health(channel, "").await;
        writeln!(
            out,
            "{name:<10}{health:<13}{address}{}",
            page.as_ref().map_or_else(|_| String::new(), |page| calls(page, name))
        )?;
    }
    if health(connection.vault().await, CAGE).await == "not serving" {
        writeln!(
            out,
            "{:<10}not whole    this machine lacks guards for workers: the server's log names them",
            "cage"
        )?;
    } else {
        writeln!(out, "{:<10}whole", "cage")?;
    }
    match page {
        Ok(page) => figures(&page, out)?,
        Err(why) => writeln!(out, "{why}")?,
    }
    Ok(())
}

/// A service's own word, or why there is none.
async fn health(channel: Result<Channel, ConnectError>, service: &str) -> String {
    let Ok(channel) = channel else { return "unreachable".to_owned() };
    let request = HealthCheckRequest { service: service.to_owned() };
    let status = match HealthClient::new(channel).check(request).await {
        Ok(answer) => answer.into_inner().status(),
        Err(status) => return format!("{:?}", status.code()).to_lowercase(),
    };
    let words = match status {
        ServingStatus::Serving => "serving",
        ServingStatus::NotServing => "not serving",
        ServingStatus::Unknown | ServingStatus::ServiceUnknown => "unknown",
    };
    words.to_owned()
}

fn calls(page: &Page, service: &str) -> String {
    const ENDED: &str = "grpc_server_handled_total";
    let of = |(name, count): &(String, f64)| {
        let ours = name.starts_with(&format!("layerlock.{service}."));
        ours.then(|| (*count, page.sum(ENDED, &[("grpc_service", name), ("grpc_code", "Ok")])))
    };
    let (all, good) = page
        .by(ENDED, "grpc_service")
        .iter()
        .filter_map(of)
        .fold((0.0, 0.0), |(all, good), (count, ok)| (all + count, good + ok));
    let open = page.sum("layerlock_connections_open", &[("service", service)]);
    format!("  {open} connections, {all} calls ended, {} of them refused", all - good)
}

fn figures(page: &Page, out: &mut impl Write) -> std::io::Result<()> {
    let listed = |values: Vec<(String, f64)>| match values.is_empty() {
        true => "none".to_owned(),
        false => values.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", "),
    };
    let seconds = |mean: Option<f64>| match mean {
        None => "–".to_owned(),
        Some(mean) if mean < 1.0 => format!("{:.1} ms", mean * 1e3),
        Some(mean) => format!("{mean:.1} s"),
    };
    writeln!(out, "{:<10}{} with an open session", "devices", page.sum("layerlock_sessions_open", &[]))?;
    let over = |state: &str| page.sum("layerlock_jobs_total", &[("state", state)]);
    writeln!(
        out,
        "{:<10}{} open; since the start {} settled, {} refused",
        "jobs",
        page.sum("layerlock_jobs_open", &[]),
        over("settled"),
        over("refused"),
    )?;
    writeln!(
        out,
        "{:<10}first segment after {}, whole after {} (means)",
        "pressing",
        seconds(page.mean("layerlock_first_segment_seconds", &[])),
        seconds(page.mean("layerlock_press_seconds", &[])),
    )?;
    let ended = listed(page.by("layerlock_settlements_total", "cause"));
    writeln!(out, "{:<10}since the start: {ended}", "copies")?;
    for (store, commits) in page.by("layerlock_store_commits_total", "store") {
        let sync = seconds(page.mean("layerlock_store_sync_seconds", &[("store", &store)]));
        writeln!(out, "{:<10}{store}: {commits} commits, {sync} a sync", "records")?;
    }
    Ok(())
}
