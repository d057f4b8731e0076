//! The vault's side of a worker: start it with nothing but its streams, bound it, hear it, say how it ended.
//!
//! What the cage can't bound is bounded here: wall-clock time, bytes of output, bytes of last words. A worker is
//! killed when its `Worker` is dropped, so whoever gives up needs to do nothing more (SECURITY-CASES X3, X4).

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use layerlock_terms::units::Millis;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::Confinement;
use super::protocol::{ANSWER_LIMIT, Answer, FRAME, Fault, Request, Task};

pub(super) mod engine;

/// How a worker is started.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The program; its `main` calls [`run`](super::run).
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

/// What one worker may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Address space, in bytes.
    pub(crate) memory: u64,
    /// Wall-clock time; processor time is bounded to this on every thread.
    pub(crate) time: Millis,
    /// Bytes of answers.
    pub(crate) output: u64,
    /// Threads.
    pub(crate) threads: u16,
}

/// Why a worker did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It can't be started.
    #[error("the worker {} does not start ({source}): check the path in the configuration", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It parsed the mesh and refused it.
    #[error("{0}")]
    BadMesh(String),
    /// It could not slice the mesh.
    #[error("{0}")]
    NotPrintable(String),
    /// It used more memory than it may.
    #[error("working on this mesh took more memory than this vault allows: reduce its resolution")]
    Memory,
    /// It used more time than it may.
    #[error("working on this mesh took longer than this vault allows: reduce its resolution")]
    Time,
    /// It said more than it may.
    #[error("the toolpath is larger than this vault allows: take thicker layers or a smaller scale")]
    Output,
    /// A foreign engine ended with these words.
    #[error("the engine gave up: {0}")]
    Engine(String),
    /// Nowhere in memory for a foreign engine to work.
    #[error("there is no room in memory for an engine: {0}")]
    NoRoom(String),
    /// It ended before it was done.
    #[error("the worker ended before it was done ({0}): the mesh may be damaged, export it again")]
    Died(&'static str),
    /// What it said makes no sense.
    #[error("the worker said something it must not say: the mesh may be hostile")]
    Garbled,
}

/// A running worker.
pub(crate) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last_words: JoinHandle<Vec<u8>>,
    time: Duration,
    deadline: Instant,
    output_left: u64,
}

/// Bytes of standard error that are kept.
const LAST_WORDS: u64 = 4096;

/// How long a worker may take to come up and put on its cage.
const PROBE_TIME: Millis = Millis(10_000);

/// Starts a worker that only puts on its cage: says at start-up whether workers run at all, and how confined.
///
/// # Errors
/// [`WorkerError`] when no worker comes up.
pub async fn probe(command: &WorkerCommand, memory: u64) -> Result<Confinement, WorkerError> {
    let bounds = Bounds { memory, time: PROBE_TIME, output: FRAME as u64 * 16, threads: 1 };
    let mut worker = Worker::start(command, bounds, Task::Probe, 0).await?;
    match worker.hear().await? {
        Answer::Confined(confinement) => Ok(confinement),
        _ => Err(WorkerError::Garbled),
    }
}

impl Worker {
    /// Starts a worker and tells it what to do; `mesh` bytes must be fed next.
    pub(crate) async fn start(
        command: &WorkerCommand,
        bounds: Bounds,
        task: Task,
        mesh: u64,
    ) -> Result<Self, WorkerError> {
        let started = |source| WorkerError::Start { program: command.program.clone(), source };
        let mut child = spawn(command).map_err(started)?;
        let output = child.stdout.take().expect("the child was spawned with its output piped");
        let words = child.stderr.take().expect("the child was spawned with its errors piped");
        let time = Duration::from_millis(bounds.time.0);
        let mut worker = Self {
            input: child.stdin.take(),
            output: BufReader::new(output),
            last_words: tokio::spawn(async move {
                let mut kept = Vec::new();
                // What comes after is not read: a worker that floods its errors blocks until its deadline.
                let _ = words.take(LAST_WORDS).read_to_end(&mut kept).await;
                kept
            }),
            child,
            time,
            deadline: Instant::now() + time,
            output_left: bounds.output,
        };
        let seconds = bounds.time.0.div_ceil(1000).saturating_mul(bounds.threads.max(1).into());
        let request = Request { task, memory: bounds.memory, seconds, threads: bounds.threads, mesh };
        worker.feed(&request.emit()).await?;
        Ok(worker)
    }

    /// Hands over the next bytes of the mesh. Its time begins anew: a slow upload is not the worker's fault.
    pub(crate) async fn feed(&mut self, bytes: &[u8]) -> Result<(), WorkerError> {
        self.deadline = Instant::now() + self.time;
        let input = self.input.as_mut().expect("feeding ends with the first answer wanted");
        match timeout_at(self.deadline, input.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.autopsy().await),
            Err(_) => Err(WorkerError::Time),
        }
    }

    /// The next answer; a refusal becomes an error. The first call ends the feeding.
    pub(crate) async fn answer(&mut self) -> Result<Answer, WorkerError> {
        self.input = None;
        loop {
            match self.hear().await? {
                Answer::Confined(_) => {}
                Answer::Refused(Fault::Mesh, words) => return Err(WorkerError::BadMesh(words)),
                Answer::Refused(Fault::Slicing, words) => return Err(WorkerError::NotPrintable(words)),
                answer => return Ok(answer),
            }
        }
    }

    async fn hear(&mut self) -> Result<Answer, WorkerError> {
        match timeout_at(self.deadline, self.read_frame()).await {
            Ok(heard) => heard,
            Err(_) => Err(WorkerError::Time),
        }
    }

    async fn read_frame(&mut self) -> Result<Answer, WorkerError> {
        let mut frame = [0; FRAME];
        if self.output.read_exact(&mut frame).await.is_err() {
            return Err(self.autopsy().await);
        }
        let [kind, length @ ..] = frame;
        let length = u32::from_be_bytes(length);
        let counted = FRAME as u64 + u64::from(length);
        self.output_left = self.output_left.checked_sub(counted).ok_or(WorkerError::Output)?;
        if length > ANSWER_LIMIT {
            return Err(WorkerError::Output);
        }
        let mut payload = vec![0; length as usize];
        if self.output.read_exact(&mut payload).await.is_err() {
            return Err(self.autopsy().await);
        }
        Answer::parse(kind, payload).map_err(|_| WorkerError::Garbled)
    }

    /// Why a worker whose stream ended did so. Its last words go to the log: places in the code, no geometry.
    async fn autopsy(&mut self) -> WorkerError {
        let Ok(Ok(status)) = timeout_at(self.deadline, self.child.wait()).await else {
            return WorkerError::Time;
        };
        let words = (&mut self.last_words).await.unwrap_or_default();
        let words: String = words.iter().map(|b| *b as char).filter(|c| !c.is_control()).take(300).collect();
        tracing::warn!(%status, words, "a worker ended before it was done");
        if OUT_OF_MEMORY.iter().any(|said| words.contains(said)) { WorkerError::Memory } else { died(status) }
    }
}

/// What Rust says when the allocator gives up: where it must go on, and where it may fail.
const OUT_OF_MEMORY: [&str; 2] = ["memory allocation of", "out of memory"];

/// An empty environment and no directory of ours: what a worker must know it is told.
fn spawn(command: &WorkerCommand) -> std::io::Result<Child> {
    Command::new(&command.program)
        .args(&command.args)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

fn died(status: ExitStatus) -> WorkerError {
    match status.signal() {
        Some(libc::SIGXCPU | libc::SIGKILL) => WorkerError::Time,
        Some(libc::SIGABRT) => WorkerError::Died("aborted"),
        Some(_) => WorkerError::Died("a fault in its memory"),
        None => WorkerError::Died("gave up"),
    }
}
