//! A PostgreSQL of the test's own: made in a temporary folder, reached by a socket in it alone, gone with the process.
//!
//! Settings are the packages' own, durability included: what is tested is what people run.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for the server to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It ends when the pipe to its keeper closes, however this process ends.
struct Cluster {
    dir: TempDir,
    _keeper: Child,
}

/// The address of the one server of this process, started when first asked for.
pub fn address() -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(start);
    format!("postgresql:///postgres?host={}&user=postgres", cluster.dir.path().display())
}

/// The address of a database of its own on that server.
#[allow(dead_code, reason = "not every test needs one")]
pub fn database(name: &str) -> String {
    let address = address();
    let host = address.split("host=").nth(1).and_then(|rest| rest.split('&').next()).expect("we wrote it");
    let created =
        Command::new(programs().join("createdb")).args(["-h", host, "-U", "postgres", name]).output();
    let created = created.expect("createdb runs");
    assert!(created.status.success(), "createdb: {}", String::from_utf8_lossy(&created.stderr));
    format!("postgresql:///{name}?host={host}&user=postgres")
}

fn start() -> Cluster {
    let programs = programs();
    let dir = tempfile::tempdir().expect("a temporary folder");
    // PostgreSQL refuses to run as root: then it runs as the user its package made.
    let user = rustix::process::geteuid().is_root().then(package_user);
    if let Some((uid, gid)) = user {
        chown(dir.path(), Some(uid), Some(gid)).expect("root may");
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).expect("our own");
    let data = dir.path().join("data");
    let initdb = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
    let made =
        as_user(Command::new(programs.join("initdb")), user).args(initdb).arg("-D").arg(&data).output();
    let made = made.expect("initdb runs");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    // The keeper waits for the end of its input, which comes when this process ends, and then ends the server.
    let script = r#""$0" -D "$1" -k "$2" -c listen_addresses= -c logging_collector=off >"$2/log" 2>&1 & \
        server=$!; cat >/dev/null; kill -INT $server; wait $server; rm -rf "$2""#;
    let keeper = as_user(Command::new("sh"), user)
        .arg("-c")
        .arg(script)
        .arg(programs.join("postgres"))
        .args([&data, dir.path()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell runs");
    await_ready(&programs, dir.path());
    Cluster { dir, _keeper: keeper }
}

fn await_ready(programs: &Path, dir: &Path) {
    let begun = Instant::now();
    let ready = || {
        let asked = Command::new(programs.join("pg_isready")).arg("-q").arg("-h").arg(dir).status();
        asked.is_ok_and(|status| status.success())
    };
    while !ready() {
        let log = || fs::read_to_string(dir.join("log")).unwrap_or_default();
        assert!(begun.elapsed() < PATIENCE, "the database did not come up: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn as_user(mut command: Command, user: Option<(u32, u32)>) -> Command {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/");
    command
}

/// Debian keeps a version's programs off the path.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let found = folders.into_iter().find(|folder| folder.join("initdb").exists());
    found.expect("no PostgreSQL here: install the package `postgresql`, as `./x test` does")
}

fn package_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("every system has it");
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("the package made a user");
    let mut fields = line.split(':').skip(2).map(|field| field.parse().expect("numbers"));
    (fields.next().expect("a user"), fields.next().expect("a group"))
}
