//! An S3-compatible store of the test's own: one node of Garage in a temporary folder, on ports of its own, gone with the
//! process.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The access key of its one bucket.
pub const KEY_ID: &str = "GK31c2f218a2e44f485b94239e";
pub const SECRET: &str = "b892c0665f0ada8a4755dae98baa3b133590e11dae3bcc1f9d769d67f16c3835";

/// Longest wait for the server to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It ends when the pipe to its keeper closes, however this process ends.
struct Server {
    _dir: TempDir,
    endpoint: String,
    _keeper: Child,
}

/// The address of a folder in the one bucket of this process's server, started when first asked for.
pub fn address(folder: &str) -> String {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(start);
    format!("s3://test/{folder}?endpoint={}&region=garage", server.endpoint)
}

fn start() -> Server {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let at = dir.path().display();
    let (api, rpc) = (free_port(), free_port());
    let secret = "1799bccfd7411eddcf9ebd316bc1f5287ad12a68094e1c6ac6abde7e6feae1ec";
    let config = format!(
        "metadata_dir = \"{at}/meta\"\ndata_dir = \"{at}/data\"\ndb_engine = \"sqlite\"\nreplication_factor = 1\n\
         rpc_bind_addr = \"127.0.0.1:{rpc}\"\nrpc_public_addr = \"127.0.0.1:{rpc}\"\nrpc_secret = \"{secret}\"\n\
         [s3_api]\ns3_region = \"garage\"\napi_bind_addr = \"127.0.0.1:{api}\"\n"
    );
    fs::write(dir.path().join("garage.toml"), config).expect("writable");
    // The keeper waits for the end of its input, which comes when this process ends, and then ends the server.
    let script = r#""$0" -c "$1/garage.toml" server --single-node --default-bucket >"$1/log" 2>&1 & \
        server=$!; cat >/dev/null; kill -KILL $server; wait $server; rm -rf "$1""#;
    let keeper = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(program())
        .arg(dir.path())
        .env("GARAGE_DEFAULT_ACCESS_KEY", KEY_ID)
        .env("GARAGE_DEFAULT_SECRET_KEY", SECRET)
        .env("GARAGE_DEFAULT_BUCKET", "test")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell runs");
    let begun = Instant::now();
    let ready = || fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    while !ready().contains("S3 API server listening") {
        assert!(begun.elapsed() < PATIENCE, "the bucket did not come up: {}", ready());
        std::thread::sleep(Duration::from_millis(50));
    }
    Server { _dir: dir, endpoint: format!("http://127.0.0.1:{api}"), _keeper: keeper }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    listener.local_addr().expect("it is bound").port()
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(std::env::var_os("CARGO_HOME").map(|home| PathBuf::from(home).join("bin")));
    folders.extend(std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo/bin")));
    let found = folders.into_iter().map(|folder| folder.join("garage")).find(|file| file.exists());
    found.expect("no S3-compatible store here: `./x test` builds the crate `garage`")
}
