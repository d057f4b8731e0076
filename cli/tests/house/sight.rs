//! What an operator sees of a print, and that it shows no secret: the real program, the whole road by hand, everything
//! logged there is.

use std::fs;
use std::net::SocketAddr;

use crate::road::{DESIGN, Server, model, walk};
use layerlock_cli::sight::{CAGE, METRICS, Page};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Every way a secret might be written down.
fn spellings(secret: &[u8]) -> Vec<String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = |from: usize| {
        let numbers: Vec<String> = secret[from..from + 6].iter().map(u8::to_string).collect();
        numbers.join(", ")
    };
    let mut all = vec![hex.to_uppercase(), hex, list(0), list(secret.len() - 6)];
    all.extend(std::str::from_utf8(secret).ok().map(str::to_owned));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_print_is_seen_in_metrics_health_status_and_logs_and_no_log_shows_a_secret() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path());
    fs::write(dir.path().join(format!("{}.stl", DESIGN)), model()).expect("writable");

    let keys = walk(&server);
    let connection = server.connection();
    let page = Page::fetch(connection.metrics.expect("it serves metrics")).await.expect("a page");
    assert_eq!(page.sum("layerlock_jobs_total", &[("state", "settled")]), 1.0);
    assert_eq!(page.sum("layerlock_settlements_total", &[("cause", "printed")]), 1.0);
    assert_eq!(page.sum("layerlock_jobs_open", &[]), 0.0);
    assert_eq!(page.sum("layerlock_ledger_leaves", &[]), 1.0);
    assert!(page.mean("layerlock_press_seconds", &[]).is_some_and(|seconds| seconds > 0.0));
    let held = [("grpc_method", "PlaceHold"), ("grpc_code", "Ok")];
    assert_eq!(page.sum("grpc_server_handled_total", &held), 1.0);
    let refused = [("grpc_method", "CreateSeller"), ("grpc_code", "Unauthenticated")];
    assert_eq!(page.sum("grpc_server_handled_total", &refused), 0.0);

    let vault = connection.vault().await.expect("it answers");
    for service in ["", "layerlock.vault.v1.Jobs", CAGE] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = HealthClient::new(vault.clone()).check(request).await.expect("it is known");
        assert!(service == CAGE || answer.into_inner().status == 1, "`{service}` serves");
    }
    let status = server.run(&["operator", "status"]);
    for said in ["licensor  serving", "vault     serving", "0 open; since the start 1 settled", "1 printed"] {
        assert!(status.contains(said), "{status}");
    }

    let log = server.log();
    assert!(log.lines().count() > 100, "everything there is was logged");
    assert!(!log.contains(DESIGN), "a log names `{DESIGN}`");
    for (whose, secret) in keys {
        for spelling in spellings(&secret) {
            assert!(!log.contains(&spelling), "a log shows {whose}");
        }
    }
    let traces = |method: &str| -> Vec<String> {
        let of = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).expect("each line is one JSON object");
            let span = line.get("span").filter(|span| span["method"] == method)?;
            Some(span["trace"].as_str().expect("a call has a trace").to_owned())
        };
        let mut traces: Vec<String> = log.lines().filter_map(of).collect();
        traces.dedup();
        traces
    };
    let (created, admitted) = (traces("CreateJob"), traces("AdmitHold"));
    assert_eq!(created.len(), 1, "{created:?}");
    assert_eq!(created, admitted, "the licensor's log names the call to the vault that it belongs to");
}

#[test]
fn the_page_on_operating_lists_what_is_counted() {
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating.md")).expect("there");
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `layerlock_") || line.starts_with("| `grpc_"))
        .collect();
    let expected: Vec<String> = METRICS
        .iter()
        .map(|(name, kind, _, says)| format!("| `{name}` | {} | {says} |", kind.name()))
        .collect();
    assert_eq!(rows, expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test]
async fn where_nothing_serves_metrics_the_answer_names_the_address() {
    let nowhere = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let address = nowhere.local_addr().expect("bound");
    drop(nowhere);
    let error = Page::fetch(address).await.expect_err("nobody is there").to_string();
    assert!(error.contains(&address.to_string()) && error.contains("layerlock serve"), "{error}");
}
