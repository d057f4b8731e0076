//! A worker that was taken over by what it read, in the cage it put on before: it does its worst, and the vault goes on.
//!
//! No harness of the usual kind: the program is started again as that worker, which has to be its process's only thread. The
//! deeds are tried without the cage first, because one that never works shows nothing.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is its own harness")]

mod house;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use house::{House, SELLER, as_seller, designs, mesh, reason, upload};
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1::ListDesignsRequest;
use layerlock_terms::units::Millis;
use layerlock_vault::worker::{self, WorkerCommand};
use rustix::process::{Pid, Signal, getppid, kill_process};

/// The first argument of a worker that was taken over; then its deed, a port of the test's and a file of the vault's.
const TAKEN_OVER: &str = "taken-over";
/// The longest the service may take to answer somebody else meanwhile.
const PROMPT: Duration = Duration::from_secs(10);

/// Each by itself, in the order of what it needs.
const TESTS: [(&str, fn()); 3] = [
    ("what_a_worker_reaches_without_its_cage_is_reached", what_a_worker_reaches_without_its_cage_is_reached),
    ("a_worker_that_was_taken_over_reaches_nothing", a_worker_that_was_taken_over_reaches_nothing),
    (
        "a_worker_that_was_taken_over_ends_by_its_bounds_and_the_service_answers_meanwhile",
        a_worker_that_was_taken_over_ends_by_its_bounds_and_the_service_answers_meanwhile,
    ),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some(TAKEN_OVER) => return be_taken_over(&words[1..]),
        Some("--list") => {
            TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let wanted = words.iter().find(|word| !word.starts_with('-'));
    for (name, test) in
        TESTS.iter().filter(|(name, _)| wanted.is_none_or(|part| name.contains(part.as_str())))
    {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

// The worker's side.

/// The worker's input, which takes over whoever reads it after the first answer: that the cage is on, or what it lacks.
struct Hostile<R> {
    input: R,
    words: Vec<String>,
    /// Who started it, asked before the cage was on.
    parent: Pid,
    has_answered: Rc<Cell<bool>>,
}

/// The worker's output, which notes that something was answered.
struct Answers<W> {
    output: W,
    has_answered: Rc<Cell<bool>>,
}

impl<W: Write> Write for Answers<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.has_answered.set(true);
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

impl<R: Read> Read for Hostile<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_answered.take() {
            do_worst(&self.words, self.parent);
        }
        self.input.read(buffer)
    }
}

fn be_taken_over(words: &[String]) -> ExitCode {
    let parent = getppid().expect("somebody started it");
    if words.first().is_some_and(|deed| deed == "reach-uncaged") {
        reached(words, parent).iter().for_each(|what| println!("{what}"));
        return ExitCode::SUCCESS;
    }
    let has_answered = Rc::new(Cell::new(false));
    let answers = Answers { output: io::stdout().lock(), has_answered: has_answered.clone() };
    worker::run(Hostile { input: io::stdin().lock(), words: words.to_owned(), parent, has_answered }, answers)
}

fn do_worst(words: &[String], parent: Pid) {
    match words[0].as_str() {
        // A worker that reached something ends; one that didn't goes on honestly.
        "reach" => {
            let reached = reached(words, parent);
            assert!(reached.is_empty(), "{reached:?}");
        }
        "write" => loop {
            let _ = io::stdout().write_all(&[b'x'; 4096]);
        },
        "eat" => {
            let mut eaten = Vec::new();
            loop {
                eaten.push(vec![1_u8; 1 << 20]);
            }
        }
        "spin" => loop {
            std::hint::spin_loop();
        },
        "bomb" => loop {
            let sleeps = || thread::sleep(Duration::from_secs(3600));
            let thread = thread::Builder::new().stack_size(64 << 10).spawn(sleeps);
            let _ = (thread, Command::new("/bin/sleep").arg("3600").spawn());
        },
        deed => panic!("no such deed: {deed}"),
    }
}

/// Tries something; whether it worked.
type Deed<'a> = Box<dyn Fn() -> bool + 'a>;

/// Everything a worker must not reach, by name, as far as it is reached.
fn reached(words: &[String], parent: Pid) -> Vec<&'static str> {
    let [_, port, secret] = words else { panic!("a port and a file") };
    let port: u16 = port.parse().unwrap();
    let proc = |what: &str| format!("/proc/{}/{what}", parent.as_raw_nonzero());
    let deeds: [(&str, Deed<'_>); 12] = [
        ("the vault's file", Box::new(|| fs::read(secret).is_ok())),
        ("a file of the system", Box::new(|| fs::read("/etc/passwd").is_ok())),
        ("a folder", Box::new(|| fs::read_dir("/tmp").is_ok())),
        ("a new file", Box::new(|| File::create(format!("{secret}.new")).is_ok())),
        ("a link", Box::new(|| symlink("/etc/passwd", format!("{secret}.link")).is_ok())),
        ("the vault's environment", Box::new(move || fs::read(proc("environ")).is_ok())),
        ("its own memory as a file", Box::new(|| File::open("/proc/self/mem").is_ok())),
        ("a server", Box::new(move || TcpStream::connect(("127.0.0.1", port)).is_ok())),
        ("a datagram socket", Box::new(|| UdpSocket::bind("127.0.0.1:0").is_ok())),
        ("a socket of this machine", Box::new(|| UnixStream::pair().is_ok())),
        ("another program", Box::new(|| Command::new("/bin/true").status().is_ok())),
        // The signal that hurts nobody who looks for it; sent, it is a reach.
        ("the vault by a signal", Box::new(move || kill_process(parent, Signal::CONT).is_ok())),
    ];
    deeds.iter().filter(|(_, deed)| deed()).map(|(what, _)| *what).collect()
}

// The tests.

fn run<F: Future<Output = ()>>(test: F) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

fn worker_that(deed: &str, port: u16, secret: &Path) -> WorkerCommand {
    let words = [TAKEN_OVER.to_owned(), deed.to_owned(), port.to_string(), secret.display().to_string()];
    WorkerCommand { program: std::env::current_exe().unwrap(), args: words.map(Into::into).into() }
}

fn what_a_worker_reaches_without_its_cage_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let (server, secret) = (TcpListener::bind("127.0.0.1:0").unwrap(), dir.path().join("secret"));
    fs::write(&secret, "the vault's").unwrap();
    let command = worker_that("reach-uncaged", server.local_addr().unwrap().port(), &secret);
    let output = Command::new(&command.program).args(&command.args).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert_eq!(words.lines().count(), 12, "a deed that never works shows nothing: {words}");
}

fn a_worker_that_was_taken_over_reaches_nothing() {
    run(async {
        let mut house = House::new();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let secret = house.dir.path().join("secret");
        fs::write(&secret, "the vault's").unwrap();
        house.worker = worker_that("reach", server.local_addr().unwrap().port(), &secret);
        let vault = house.open().await;
        let answer = upload(&vault, &mesh()).await;
        assert!(answer.is_ok(), "it reached something: {answer:?}");
        assert_eq!(fs::read_dir(house.dir.path()).unwrap().filter(is_new).count(), 0);
    });
}

fn is_new(file: &io::Result<fs::DirEntry>) -> bool {
    file.as_ref().is_ok_and(|file| file.file_name().to_string_lossy().starts_with("secret."))
}

fn a_worker_that_was_taken_over_ends_by_its_bounds_and_the_service_answers_meanwhile() {
    // What it does, and what is said of it.
    let ends = [
        ("write", Reason::NotPrintable, "larger than this vault allows"),
        ("eat", Reason::BadMesh, "memory"),
        ("spin", Reason::BadMesh, "longer"),
        ("bomb", Reason::BadMesh, ""),
    ];
    for (deed, why, said) in ends {
        run(async {
            let mut house = House::new();
            let secret = house.dir.path().join("secret");
            house.worker = worker_that(deed, 1, &secret);
            house.limits.worker_time = Millis(3_000);
            house.limits.worker_memory = 512 << 20;
            let vault = house.open().await;
            let uploading = {
                let vault = vault.clone();
                tokio::spawn(async move { upload(&vault, &mesh()).await })
            };
            let begun = Instant::now();
            while !uploading.is_finished() {
                let asked = Instant::now();
                designs(&vault).list_designs(as_seller(SELLER, ListDesignsRequest::default())).await.unwrap();
                assert!(asked.elapsed() < PROMPT, "{deed}: nobody else was answered");
                assert!(begun.elapsed() < Duration::from_secs(60), "{deed}: it does not end");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let refused = uploading.await.unwrap().map(drop).unwrap_err();
            assert_eq!(reason(&refused), why, "{deed}: {refused:?}");
            assert!(refused.message().contains(said), "{deed}: {refused:?}");
            let listed = designs(&vault).list_designs(as_seller(SELLER, ListDesignsRequest::default())).await;
            assert_eq!(listed.unwrap().into_inner().designs, [], "{deed}");
        });
    }
}
