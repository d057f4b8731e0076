//! The owner's way to a running agent: a socket in the device's folder, by which a print is paused, resumed or cancelled.
//!
//! Whoever may write in that folder may ask, and nobody else: it is reached by no network and no page. One word goes in, one line
//! comes out. The agent answers once it has heard; what it does is seen on its terminal and its page.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use layerlock_device::{Declined, Hand, Wish};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::status_page::StatusPage;

/// The socket in the device's folder.
const FILE: &str = "hand";
/// How long either end waits for the other's line.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who may ask at once.
const ASKERS: usize = 4;
/// Longest line: a status with the last lines said.
const LINE: u64 = 64 << 10;
/// What is said for a status.
const STATUS: &str = "status";

/// Hears wishes for one device until it is dropped.
#[derive(Debug)]
pub struct Ear {
    path: PathBuf,
    task: JoinHandle<()>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// Nobody listens there.
    #[error(
        "no agent runs for the device in {0}: `layerlock-device run` is what prints; name another folder with --home"
    )]
    NoAgent(PathBuf),
    /// It listens and doesn't answer.
    #[error("the agent for {0} does not answer: look at its terminal or its log")]
    Silent(PathBuf),
    /// It said no.
    #[error("{0}")]
    Declined(String),
    /// The system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Ear {
    /// Hears for the device in `home`. Only one process has a device open, so what is left there is nobody's.
    ///
    /// # Errors
    /// The system's.
    pub fn of(home: &Path, hand: Hand, page: StatusPage) -> io::Result<Self> {
        let path = home.join(FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let folder = File::open(home)?;
        let listener = UnixListener::bind(short(&folder))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { path, task: tokio::spawn(hear(listener, hand, page)) })
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
        let _ = fs::remove_file(&self.path);
    }
}

/// Asks the agent of the device in `home`.
///
/// # Errors
/// [`NotDone`].
pub async fn ask(home: &Path, wish: Wish) -> Result<(), NotDone> {
    match &*say(home, word(wish)).await? {
        "done" => Ok(()),
        why => Err(NotDone::Declined(why.to_owned())),
    }
}

/// What the page of the agent of the device in `home` says, as JSON.
///
/// # Errors
/// [`NotDone`].
pub async fn status(home: &Path) -> Result<String, NotDone> {
    say(home, STATUS).await
}

/// Says one line; gives the answer's.
async fn say(home: &Path, line: &str) -> Result<String, NotDone> {
    let no_agent = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => NotDone::NoAgent(home.into()),
        _ => NotDone::Io(error),
    };
    let folder = File::open(home).map_err(no_agent)?;
    let stream = UnixStream::connect(short(&folder)).await.map_err(no_agent)?;
    let answered = tokio::time::timeout(PATIENCE, exchange(stream, line)).await;
    let answer = answered.map_err(|_| NotDone::Silent(home.into()))??;
    match answer.trim_end() {
        "" => Err(NotDone::Silent(home.into())),
        answer => Ok(answer.to_owned()),
    }
}

/// A name for the socket that fits an address of 108 bytes, however deep its folder lies.
fn short(folder: &File) -> PathBuf {
    format!("/proc/self/fd/{}/{FILE}", folder.as_raw_fd()).into()
}

fn word(wish: Wish) -> &'static str {
    match wish {
        Wish::Pause => "pause",
        Wish::Resume => "resume",
        Wish::Cancel => "cancel",
    }
}

fn wish(word: &str) -> Option<Wish> {
    [Wish::Pause, Wish::Resume, Wish::Cancel].into_iter().find(|wish| self::word(*wish) == word)
}

async fn exchange(mut stream: UnixStream, line: &str) -> io::Result<String> {
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    read_line(&mut stream).await
}

async fn read_line(stream: &mut UnixStream) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(LINE)).read_line(&mut line).await?;
    Ok(line)
}

async fn hear(listener: UnixListener, hand: Hand, page: StatusPage) {
    let room = Arc::new(Semaphore::new(ASKERS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (hand, page) = (hand.clone(), page.clone());
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(PATIENCE, answer(stream, hand, &page)).await;
                    drop(place);
                });
            }
            // Too many open files, most likely: a moment later there may be room.
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

async fn answer(mut stream: UnixStream, hand: Hand, page: &StatusPage) -> io::Result<()> {
    let line = read_line(&mut stream).await?;
    let answer = match wish(line.trim_end()) {
        // Whoever has gone was told that nothing answers: it is not done later.
        Some(wish) => tokio::select! {
            biased;
            () = gone(&mut stream) => return Ok(()),
            answer = hand.ask(wish) => said(answer),
        },
        None if line.trim_end() == STATUS => page.json(),
        None => "say pause, resume, cancel or status".to_owned(),
    };
    stream.write_all(format!("{answer}\n").as_bytes()).await
}

/// Ready once the other end has closed, or says more than its line.
async fn gone(stream: &mut UnixStream) {
    let _ = stream.read(&mut [0]).await;
}

fn said(answer: Result<(), Declined>) -> String {
    answer.map_or_else(|why| why.to_string(), |()| "done".to_owned())
}
