//! A foreign engine at work: a part in, G-code out, neither ever on a disk.
//!
//! The engine is a program of others in a cage of its own. What it is given and what it makes lie in a room: a folder in
//! memory that this process made and locked, that the engine alone may write in, and that is gone when the room is dropped.
//! What the cage can't bound is bounded here: time, words, and all that lies in the room together. What it says reaches
//! nobody but as the reason of a refusal, and no log.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use layerlock_engines::custom;
use layerlock_engines::{Program, Unsupported, program};
use layerlock_terms::profile::{Engine, Profile};
use layerlock_terms::wire::Noun;
use rustix::fs::{FlockOperation, flock, statfs};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::time::{interval, timeout_at};

use super::super::protocol::{Answer, CONFIG, OUTPUT, Order, PART, Task};
use super::{Bounds, Confinement, PROBE_TIME, Worker, WorkerCommand, WorkerError};

/// Where memory is a file system.
const MEMORY: &str = "/dev/shm";

/// What rooms are called.
const ROOM: &str = "layerlock-engine-";

/// A file system in memory, to `statfs`.
const TMPFS: u64 = 0x0102_1994;

/// Bytes of an engine's first and of its last words that are kept, and of those that a refusal shows.
const KEPT: usize = 4096;
const SHOWN: usize = 240;

/// What a file counts for beside its bytes.
const LEAST: u64 = 4096;

/// Pause between two looks at how much lies in a room.
const LOOK: Duration = Duration::from_millis(200);

/// Bytes of G-code read at once.
const CHUNK: usize = 64 * 1024;

/// Programs that may be engines, as they were found.
#[derive(Debug, Clone, Default)]
pub struct EnginePrograms(Vec<(Engine, PathBuf)>);

/// An engine that runs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Which.
    pub engine: Engine,
    /// What it calls itself.
    pub version: String,
    /// Which guards of an engine's cage this machine has.
    pub confinement: Confinement,
    program: PathBuf,
}

/// The foreign engines that run here.
#[derive(Debug, Clone, Default)]
pub struct Engines(Vec<Installed>);

/// How a profile becomes a toolpath.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way<'a> {
    /// The built-in engine slices.
    Slice,
    /// Nothing does: it is the seller's own.
    Custom,
    /// Another engine does.
    Engine(&'a Installed),
}

/// Why a profile's engine can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoEngine {
    /// It isn't here.
    #[error("the engine `{}` is not installed beside this vault: take `layerlock`, or ask its operator", .0.name())]
    NotInstalled(Engine),
    /// It can't do what a setting asks for.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

impl EnginePrograms {
    /// Engines there may be.
    const KNOWN: [Engine; 2] = [Engine::PrusaSlicer, Engine::CuraEngine];

    /// Those that lie in the folders of this search path.
    pub fn found_in(path: &std::ffi::OsStr) -> Self {
        let find = |engine: Engine| {
            let name = program(engine)?.name;
            let file = std::env::split_paths(path).map(|dir| dir.join(name)).find(|file| file.is_file())?;
            Some((engine, file))
        };
        Self(Self::KNOWN.into_iter().filter_map(find).collect())
    }

    /// This program is this engine.
    #[must_use]
    pub fn with(mut self, engine: Engine, program: PathBuf) -> Self {
        self.0.push((engine, program));
        self
    }
}

impl Engines {
    /// Starts each program once, in its cage, and keeps those that say what they are.
    pub(crate) async fn probe(command: &WorkerCommand, programs: &EnginePrograms, memory: u64) -> Self {
        let mut engines = Vec::new();
        for (engine, file) in &programs.0 {
            match probe(command, *engine, file, memory).await {
                Ok(installed) => engines.push(installed),
                Err(error) => {
                    tracing::warn!(program = %file.display(), %error, "an engine doesn't run and is not offered");
                }
            }
        }
        Self(engines)
    }

    /// Every one.
    pub fn iter(&self) -> impl Iterator<Item = &Installed> {
        self.0.iter()
    }

    /// What makes a toolpath of this profile.
    pub(crate) fn of(&self, profile: &Profile) -> Result<Way<'_>, NoEngine> {
        let engine = profile.engine();
        match program(engine) {
            None if engine == Engine::Custom => {
                custom::check(profile)?;
                Ok(Way::Custom)
            }
            None => Ok(Way::Slice),
            Some(program) => {
                (program.config)(profile)?;
                let installed = self.0.iter().find(|installed| installed.engine == engine);
                installed.map(Way::Engine).ok_or(NoEngine::NotInstalled(engine))
            }
        }
    }
}

async fn probe(
    command: &WorkerCommand,
    engine: Engine,
    file: &Path,
    memory: u64,
) -> Result<Installed, WorkerError> {
    let program = program(engine).ok_or(WorkerError::Garbled)?;
    let bounds = Bounds { memory, time: PROBE_TIME, output: 1 << 20, threads: 4 };
    let order = order(file, &program, vec![program.asks_version.to_owned()], String::new(), 1 << 20);
    let (confinement, said, _) = At::work(command, bounds, order, program).await?.finish(&mut |_| ()).await?;
    let text = String::from_utf8_lossy(&said);
    let (begins, words) = program.version;
    let version = text.lines().find(|line| line.starts_with(begins)).ok_or(WorkerError::Garbled)?;
    let version: Vec<&str> = version.split_whitespace().take(words).collect();
    Ok(Installed { engine, version: version.join(" "), confinement, program: file.to_owned() })
}

fn order(file: &Path, program: &Program, arguments: Vec<String>, config: String, limit: u64) -> Order {
    Order {
        program: file.to_string_lossy().into_owned(),
        arguments,
        folder: String::new(),
        config,
        file: limit,
        says_beside: program.says_beside,
    }
}

/// An engine at work, in its room.
pub(crate) struct At {
    program: Program,
    worker: Worker,
    room: Room,
    limit: u64,
}

/// The G-code an engine made, in its room.
pub(crate) struct Made(Room);

impl At {
    /// Starts an engine on a profile; the part must be fed next.
    ///
    /// # Errors
    /// [`WorkerError`] when there is no room or no process.
    pub(crate) async fn profile(
        command: &WorkerCommand,
        bounds: Bounds,
        installed: &Installed,
        profile: &Profile,
    ) -> Result<Self, WorkerError> {
        let program = program(installed.engine).ok_or(WorkerError::Garbled)?;
        let config = (program.config)(profile).map_err(|why| WorkerError::NotPrintable(why.to_string()))?;
        let arguments = (program.arguments)(CONFIG, PART, OUTPUT);
        let order = order(&installed.program, &program, arguments, config, bounds.output);
        Self::work(command, bounds, order, program).await
    }

    async fn work(
        command: &WorkerCommand,
        bounds: Bounds,
        order: Order,
        program: Program,
    ) -> Result<Self, WorkerError> {
        let room = tokio::task::spawn_blocking(Room::make).await.expect("making a folder does not panic");
        let room = room.map_err(|why| WorkerError::NoRoom(why.to_string()))?;
        let order = Order { folder: room.folder().to_string_lossy().into_owned(), ..order };
        // The part ends where its stream ends.
        let worker = Worker::start(command, bounds, Task::Engine(order), u64::MAX).await?;
        Ok(Self { program, worker, room, limit: bounds.output })
    }

    /// Hands over the next bytes of the part.
    ///
    /// # Errors
    /// [`WorkerError`], as [`Worker::feed`].
    pub(crate) async fn feed(&mut self, part: &[u8]) -> Result<(), WorkerError> {
        self.worker.feed(part).await
    }

    /// Ends the part and waits for the G-code; `tell` hears how many percent the program says it has done.
    ///
    /// # Errors
    /// [`WorkerError`]; a program that fails gives its own last words.
    pub(crate) async fn made(self, tell: &mut (dyn FnMut(u8) + Send)) -> Result<Made, WorkerError> {
        let (_, _, room) = self.finish(tell).await?;
        Ok(Made(room))
    }

    /// Waits for the program's end; answers how it was confined, its last words, and its room.
    async fn finish(
        mut self,
        tell: &mut (dyn FnMut(u8) + Send),
    ) -> Result<(Confinement, Vec<u8>, Room), WorkerError> {
        self.worker.input = None;
        let Answer::Confined(confinement) = self.worker.hear().await? else {
            return Err(WorkerError::Garbled);
        };
        let said = self.listen(tell).await?;
        let Worker { child, deadline, last_words, .. } = &mut self.worker;
        let status = timeout_at(*deadline, child.wait()).await.map_err(|_| WorkerError::Time)?;
        let complaints = last_words.await.unwrap_or_default();
        match status {
            Ok(status) if status.success() => Ok((confinement, said, self.room)),
            Ok(status) if status.code().is_none() => Err(super::died(status)),
            _ => Err(WorkerError::Engine(words(if complaints.is_empty() { &said } else { &complaints }))),
        }
    }

    /// Hears the program out, and ends it when it fills its room.
    async fn listen(&mut self, tell: &mut (dyn FnMut(u8) + Send)) -> Result<Vec<u8>, WorkerError> {
        let mut percent = Percent { of: self.program.progress, line: Vec::new() };
        let (mut said, mut piece) = (Vec::new(), [0; 4096]);
        let mut look = interval(LOOK);
        loop {
            tokio::select! {
                read = timeout_at(self.worker.deadline, self.worker.output.read(&mut piece)) => {
                    let read = read.map_err(|_| WorkerError::Time)?.unwrap_or(0);
                    if read == 0 {
                        return Ok(said);
                    }
                    let left = self.worker.output_left.checked_sub(read as u64);
                    self.worker.output_left = left.ok_or(WorkerError::Output)?;
                    percent.hear(&piece[..read], tell);
                    said.extend_from_slice(&piece[..read]);
                    // Its first words say what it is, its last ones why it gave up.
                    if said.len() > 2 * KEPT {
                        said.drain(KEPT..said.len() - KEPT);
                    }
                }
                _ = look.tick() => {
                    if self.room.size() > self.limit {
                        return Err(WorkerError::Output);
                    }
                }
            }
        }
    }
}

/// Finds lines that say how far a program is, and takes nothing of them but the number.
struct Percent {
    of: fn(&str) -> Option<u8>,
    /// As much as is kept of the line that is being said.
    line: Vec<u8>,
}

/// Longest line that says how far a program is.
const PROGRESS_LINE: usize = 160;

impl Percent {
    fn hear(&mut self, said: &[u8], tell: &mut (dyn FnMut(u8) + Send)) {
        for byte in said {
            if *byte == b'\n' {
                if let Some(done) = std::str::from_utf8(&self.line).ok().and_then(self.of) {
                    tell(done);
                }
                self.line.clear();
            } else if self.line.len() < PROGRESS_LINE {
                self.line.push(*byte);
            }
        }
    }
}

impl Made {
    /// Has a worker read it as a toolpath for the profile; its answers are pieces.
    ///
    /// # Errors
    /// [`WorkerError`] when there is no G-code or no worker.
    pub(crate) async fn read(
        self,
        command: &WorkerCommand,
        bounds: Bounds,
        profile: &Profile,
    ) -> Result<Worker, WorkerError> {
        let gone = |_| WorkerError::Engine("it ended well and left no G-code".to_owned());
        // What the engine left is followed nowhere.
        let mut options = tokio::fs::OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW);
        let mut file = options.open(self.0.folder().join(OUTPUT)).await.map_err(gone)?;
        let length = file.metadata().await.map_err(gone)?.len();
        let mut worker = Worker::start(command, bounds, Task::Read(profile.emit()), length).await?;
        let mut chunk = vec![0; CHUNK];
        let mut left = length;
        while left > 0 {
            let read = file.read(&mut chunk).await.map_err(gone)?;
            let read = read.min(usize::try_from(left).unwrap_or(usize::MAX));
            if read == 0 {
                return Err(WorkerError::Garbled);
            }
            worker.feed(&chunk[..read]).await?;
            left -= read as u64;
        }
        Ok(worker)
    }
}

/// A folder in memory, for one engine; removed when dropped. Locked as long as it is in use, so that what a killed process
/// left is known from what another one is using.
struct Room {
    folder: TempDir,
    _lock: File,
}

impl Room {
    fn make() -> io::Result<Self> {
        if statfs(MEMORY)?.f_type as u64 != TMPFS {
            return Err(io::Error::other(format!("{MEMORY} is not in memory: mount a tmpfs there")));
        }
        let folder = tempfile::Builder::new().prefix(ROOM).tempdir_in(MEMORY)?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
        let lock = File::open(folder.path())?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { folder, _lock: lock })
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Bytes of memory that all files in it take.
    fn size(&self) -> u64 {
        files(self.folder()).unwrap_or(u64::MAX)
    }
}

fn files(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // An empty file takes memory too.
        bytes += LEAST
            + match entry.metadata() {
                Ok(what) if what.is_dir() => files(&entry.path())?,
                Ok(what) => what.len(),
                // Renamed or removed meanwhile.
                Err(_) => 0,
            };
    }
    Ok(bytes)
}

/// Removes the rooms of processes that were killed.
pub(crate) fn sweep_rooms() {
    let Ok(entries) = fs::read_dir(MEMORY) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(ROOM)) {
        let free = File::open(entry.path())
            .is_ok_and(|room| flock(&room, FlockOperation::NonBlockingLockExclusive).is_ok());
        if free && let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::warn!(%error, room = %entry.path().display(), "what a killed engine left can't be removed");
        }
    }
}

/// What a refusal shows: the last of it, without what could be more than words.
fn words(said: &[u8]) -> String {
    let text: String = said
        .iter()
        .map(|byte| char::from(*byte))
        .map(|c| if c.is_ascii_graphic() { c } else { ' ' })
        .collect();
    let words: Vec<&str> = text.split_ascii_whitespace().filter(|word| !word.contains(MEMORY)).collect();
    let text = words.join(" ");
    text[text.len().saturating_sub(SHOWN)..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_in_memory_its_owners_alone_and_gone_when_dropped() {
        let room = Room::make().unwrap();
        let folder = room.folder().to_owned();
        fs::write(folder.join("a"), [0; 10]).unwrap();
        fs::create_dir(folder.join("b")).unwrap();
        fs::write(folder.join("b/c"), [0; 5]).unwrap();
        let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        assert_eq!((room.size(), mode), (15 + 3 * LEAST, 0o700));
        sweep_rooms();
        assert!(folder.exists(), "it is in use");
        drop(room);
        assert!(!folder.exists());
    }

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let Room { folder, _lock } = Room::make().unwrap();
        let left = folder.keep();
        drop(_lock);
        sweep_rooms();
        assert!(!left.exists());
    }

    #[test]
    fn of_what_an_engine_says_about_its_progress_the_number_is_taken_and_nothing_else() {
        let prusa = program(Engine::PrusaSlicer).unwrap();
        let (mut percent, mut told) = (Percent { of: prusa.progress, line: Vec::new() }, Vec::new());
        let mut tell = |done| told.push(done);
        for said in [
            "10 => Processing\n7",
            "0 => Infilling => 3\nabout 5 => no\n101 => no\n",
            " => no\n100 =",
            "> done\n",
        ] {
            percent.hear(said.as_bytes(), &mut tell);
        }
        assert_eq!(told, [10, 70, 100]);
    }

    #[test]
    fn last_words_are_words() {
        assert_eq!(words(b"bad \x1b[2J\n/dev/shm/layerlock-engine-x/part.stl mesh\n"), "bad [2J mesh");
        assert_eq!(words(&[b'x'; 1000]).len(), SHOWN);
    }
}
