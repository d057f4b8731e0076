//! OctoPrint, started and told over its own API (`octoprint.py`), on the same machine.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use layerlock_load::Failed;
use rustix::process::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

use crate::work::{Job, Measured, Watch, idle};

/// How long it may take to start, and to begin.
const PATIENCE: Duration = Duration::from_secs(150);

/// OctoPrint at work.
pub(crate) async fn octoprint(
    python: &Path,
    job: &Job,
    room: &Path,
    watch: Watch,
) -> Result<Measured, Failed> {
    let printer = job.printer()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/printing/octoprint.py");
    let mut child = Command::new(python)
        .arg(script)
        .args([printer.path(), &job.gcode, &room.join("octoprint")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failed::at(python.display(), error))?;
    let none = || Failed("octoprint.py has no streams".into());
    let mut input = child.stdin.take().ok_or_else(none)?;
    let mut said = BufReader::new(child.stdout.take().ok_or_else(none)?).lines();
    let serves = hear(&mut said, "serves").await?;
    let pid = serves.trim().parse().ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Failed("octoprint.py names no process".into()))?;
    let idle = idle(pid).await?;
    input.write_all(b"go\n").await.map_err(|error| Failed::at("octoprint.py", error))?;
    hear(&mut said, "prints").await?;
    let measured = watch.over(&printer, pid, idle).await;
    // Its input's end is its own.
    drop(input);
    child.wait().await.map_err(|error| Failed::at("octoprint.py", error))?;
    measured
}

/// The rest of the line that begins so.
async fn hear(said: &mut Lines<BufReader<ChildStdout>>, begins: &str) -> Result<String, Failed> {
    let heard = async {
        while let Ok(Some(line)) = said.next_line().await {
            if let Some(rest) = line.strip_prefix(begins) {
                return Ok(rest.to_owned());
            }
        }
        Err(Failed(format!("OctoPrint ended before it {begins}: its own words are above")))
    };
    timeout(PATIENCE, heard).await.map_err(|_| Failed(format!("OctoPrint never {begins}")))?
}
