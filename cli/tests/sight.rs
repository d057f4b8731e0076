//! What an operator sees of a print, and that it shows no secret: the real program, the whole road by hand, everything
//! logged there is.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use layerlock_cli::connect::Connection;
use layerlock_cli::sight::{CAGE, METRICS, Page};
use layerlock_slicer::mesh::{Mesh, to_binary_stl};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Names that stand nowhere in a log.
const NAMES: [&str; 3] = ["Acme-Designs-of-Ulm", "secret-vase", "Order-66-for-Ada"];

/// A server, everything it logs going to a file.
struct Server {
    child: Child,
    dir: PathBuf,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let settings = "licensor = \"127.0.0.1:0\"\nvault = \"127.0.0.1:0\"\nmetrics = \"127.0.0.1:0\"\n";
        fs::write(dir.join("serve.toml"), settings).expect("writable");
        let log = fs::File::create(dir.join("log")).expect("writable");
        let mut child = program(dir)
            .args(["serve", "--data-dir", "house", "--config", "serve.toml", "--log-format", "json"])
            .env("RUST_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.as_mut().expect("piped")).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.starts_with("clients")), "the server is up");
        Self { child, dir: dir.to_owned() }
    }

    fn connection(&self) -> Connection {
        Connection::read(&self.dir.join("house/connect.toml")).expect("the server wrote it")
    }

    /// Runs one command; answers what it printed.
    fn run(&self, args: &[&str]) -> String {
        let output = program(&self.dir).args(args).output().expect("it runs");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {words}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The lines logged so far.
    fn log(&self) -> String {
        let mut text = String::new();
        fs::File::open(self.dir.join("log")).expect("there").read_to_string(&mut text).expect("text");
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(dir: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_layerlock"));
    program.current_dir(dir).env("LAYERLOCK_DATA", "house").env("LAYERLOCK_CONNECT", "house/connect.toml");
    program
}

/// The last word of a command's first line that has the form wanted.
fn word<'a>(text: &'a str, begins: &str) -> &'a str {
    let found = text.split_whitespace().find(|word| word.starts_with(begins));
    found.unwrap_or_else(|| panic!("no word begins with `{begins}` in: {text}"))
}

fn model() -> Vec<u8> {
    let vertices = vec![[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 10.0]];
    let triangles = vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];
    to_binary_stl(&Mesh { vertices, triangles })
}

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
    fs::write(dir.path().join(format!("{}.stl", NAMES[1])), model()).expect("writable");

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
    for name in NAMES {
        assert!(!log.contains(name), "a log names `{name}`");
    }
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

/// The road of the README, by hand; answers whose secret is what.
fn walk(server: &Server) -> Vec<(&'static str, Vec<u8>)> {
    let seller = server.run(&["operator", "create-seller", NAMES[0]]);
    let seller_key = word(&seller, "layerlock_").to_owned();
    server.run(&["seller", "join", "--api-key", &seller_key, "--home", "seller"]);
    let model = format!("{}.stl", NAMES[1]);
    let design = server.run(&["seller", "upload", &model, "--home", "seller"]);
    let offer =
        server.run(&["seller", "offer", word(&design, "design-"), "--copies", "2", "--home", "seller"]);
    let buyer = server.run(&["seller", "create-buyer", "--home", "seller"]);
    let (id, buyer_key) = (word(&buyer, "buyer-"), word(&buyer, "layerlock_").to_owned());
    let license =
        server.run(&["seller", "license", word(&offer, "offer-"), "--buyer", id, "--home", "seller"]);
    let code = server.run(&["operator", "enrolment-code"]);
    let enrol = ["device", "enrol", code.trim(), "--machine", "prusa-mk3s", "--home", "device"];
    let device = server.run(&enrol);
    server.run(&["buyer", "join", "--api-key", &buyer_key, "--home", "buyer"]);

    let agent = program(&server.dir)
        .args(["device", "run", "--printer", "simulated", "--home", "device"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let _agent = Ended(agent);
    let device = word(&device, "device-");
    server.run(&["buyer", "print", word(&license, "license-"), "--device", device, "--home", "buyer"]);
    let key = |file: &str| fs::read(server.dir.join("house/keys").join(file)).expect("the house has it");
    let operator = String::from_utf8(key("operator.key")).expect("text").trim().as_bytes().to_vec();
    vec![
        ("the seller's API key", seller_key.into_bytes()),
        ("the buyer's API key", buyer_key.into_bytes()),
        ("the operator's API key", operator),
        ("the key of all designs", key("vault.kek")),
        ("the vault's signing key", key("vault.key")),
        ("the enrolment code", code.trim().as_bytes().to_vec()),
        ("geometry", server_model()),
    ]
}

/// A corner of the model as it lies in the upload.
fn server_model() -> Vec<u8> {
    model()[84..134].to_vec()
}

/// A child that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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
