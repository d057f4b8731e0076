//! The server under load: started, measured and stopped from outside, through /proc and a signal.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use layerlock_cli::connect::Connection;
use layerlock_cli::parties::home::CONNECT;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Failed;

/// How long the server may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running server.
pub struct House {
    child: Child,
    pid: Pid,
    dir: PathBuf,
}

/// The server's own folder in the run's.
pub fn server_dir(folder: &Path) -> PathBuf {
    folder.join("server")
}

/// What a process has used.
#[derive(Clone, Copy)]
pub struct Used {
    /// Bytes in memory.
    pub resident: u64,
    /// CPU time, user and system.
    pub cpu: Duration,
}

impl Used {
    /// What a process has used until now.
    pub fn by(pid: Pid) -> Result<Self, Failed> {
        let read = |name: &str| {
            let path = format!("/proc/{}/{name}", pid.as_raw_nonzero());
            std::fs::read_to_string(&path).map_err(|error| Failed::at(path, error))
        };
        let status = read("status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        let resident: u64 = resident.and_then(|kib| kib.parse().ok()).unwrap_or_default();
        let stat = read("stat")?;
        // The fields after the name in brackets, which may hold anything.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        let cpu = Duration::from_secs(ticks)
            / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100);
        Ok(Self { resident: resident * 1024, cpu })
    }
}

impl House {
    /// Starts `program` on a house in `folder`, with room for so many connections.
    pub async fn start(program: &Path, folder: &Path, connections: usize) -> Result<Self, Failed> {
        let (config, dir) = (folder.join("serve.toml"), server_dir(folder));
        let mut text = "licensor = \"127.0.0.1:0\"\nvault = \"127.0.0.1:0\"\nmetrics = \"off\"\n".to_owned();
        // The usual cap is good for the rest.
        if connections > 4000 {
            text += &format!("connections = {}\n", connections + 100);
        }
        std::fs::write(&config, text).map_err(|error| Failed::at(config.display(), error))?;
        let failed = |error| Failed::at(program.display(), error);
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--data-dir")
            .arg(&dir)
            .arg("--config")
            .arg(&config)
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let pid = pid.ok_or_else(|| Failed("the server ended at once".into()))?;
        let out = child.stdout.take().ok_or_else(|| Failed("the server has no output".into()))?;
        let mut lines = BufReader::new(out).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if line.starts_with("clients") {
                    return Ok(true);
                }
            }
            Ok::<_, std::io::Error>(false)
        };
        match timeout(PATIENCE, ready).await {
            Ok(Ok(true)) => {}
            _ => return Err(Failed("the server did not start: its own words are above".into())),
        }
        // What it says later must find a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, pid, dir })
    }

    /// Where it is.
    pub fn connection(&self) -> Result<Connection, Failed> {
        Connection::read(&self.dir.join(CONNECT)).map_err(|error| Failed::at("connection", error))
    }

    /// What it has used until now.
    pub fn used(&self) -> Result<Used, Failed> {
        Used::by(self.pid)
    }

    /// Says stop, as a service manager does, and waits until it has ended.
    pub async fn stop(mut self) -> Result<Duration, Failed> {
        let begun = Instant::now();
        kill_process(self.pid, Signal::TERM).map_err(|error| Failed::at("SIGTERM", error))?;
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(begun.elapsed()),
            Ok(Ok(status)) => Err(Failed(format!("the server ended with {status}"))),
            Ok(Err(error)) => Err(Failed::at("the server", error)),
            Err(_) => Err(Failed(format!("the server was not done {PATIENCE:?} after SIGTERM"))),
        }
    }
}
