//! A worker that was taken over by what it read, in the cage it put on before: it does its worst, and the vault goes on.
//!
//! The same of another engine's program, which has a cage of its own.
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
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use house::{House, Order, Printer, SELLER, as_seller, designs, mesh, reason, upload};
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1::ListDesignsRequest;
use layerlock_terms::profile::Engine;
use layerlock_terms::units::Millis;
use layerlock_vault::Vault;
use layerlock_vault::worker::{self, EnginePrograms, WorkerCommand};
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, kill_process, prlimit};

/// The first argument of a worker that was taken over; then its deed, a port of the test's and a file of the vault's.
const TAKEN_OVER: &str = "taken-over";
/// The longest the service may take to answer somebody else meanwhile.
const PROMPT: Duration = Duration::from_secs(10);

/// Each by itself, in the order of what it needs.
const TESTS: [(&str, fn()); 5] = [
    ("what_a_worker_reaches_without_its_cage_is_reached", what_a_worker_reaches_without_its_cage_is_reached),
    ("a_worker_that_was_taken_over_reaches_nothing", a_worker_that_was_taken_over_reaches_nothing),
    (
        "a_worker_that_was_taken_over_ends_by_its_bounds_and_the_service_answers_meanwhile",
        a_worker_that_was_taken_over_ends_by_its_bounds_and_the_service_answers_meanwhile,
    ),
    ("a_malicious_engine_reaches_nothing_but_its_room", a_malicious_engine_reaches_nothing_but_its_room),
    (
        "a_malicious_engine_ends_by_its_bounds_and_the_service_answers_meanwhile",
        a_malicious_engine_ends_by_its_bounds_and_the_service_answers_meanwhile,
    ),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // An engine gets the vault's arguments: what it shall do stands in the name of its folder.
    let own = std::env::args().next().unwrap_or_default();
    let own = Path::new(&own);
    if own.file_name().is_some_and(|name| name == "prusa-slicer") {
        let folder = own.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap();
        return be_an_engine(folder, &words);
    }
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

/// Says what it is when asked; else does as its folder is called: deed, port, file of the vault's with commas for slashes,
/// process of the vault.
fn be_an_engine(folder: &str, words: &[String]) -> ExitCode {
    if words == ["--help"] {
        println!("PrusaSlicer-6.6.6 based on Slic3r");
        return ExitCode::SUCCESS;
    }
    let told: Vec<String> = folder.split(' ').map(|word| word.replace(',', "/")).collect();
    let vault = Pid::from_raw(told[3].parse().unwrap()).unwrap();
    match told[0].as_str() {
        "reach" => {
            eprintln!("reached {:?}", [reached(&told[..3], vault), reached_by_a_program(vault)].concat());
            return ExitCode::FAILURE;
        }
        "fill" => {
            let mut names = 0_u64..;
            while names.next().is_some_and(|name| fs::write(name.to_string(), vec![7; 1 << 20]).is_ok()) {}
            thread::sleep(Duration::from_secs(3600));
        }
        "names" => {
            let mut names = 0_u64..;
            while names.next().is_some_and(|name| File::create(name.to_string()).is_ok()) {}
            thread::sleep(Duration::from_secs(3600));
        }
        "lie" => {
            let lines = "M83\n;LAYER_CHANGE\n;TYPE:Perimeter\nG1 Z0.2 F600\nG1 X1 Y1\nG1 X9 E1\nM500\n";
            fs::write("out.gcode", lines).unwrap();
        }
        _ => do_worst(&told[..3], vault),
    }
    ExitCode::SUCCESS
}

/// What else a program might reach, which may read more than a worker.
fn reached_by_a_program(vault: Pid) -> Vec<&'static str> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let deeds: [(&str, Deed<'_>); 4] = [
        ("the rooms of others", Box::new(|| fs::read_dir("/dev/shm").is_ok())),
        ("other files in memory", Box::new(|| File::create("/dev/shm/layerlock-test-left").is_ok())),
        ("the vault's limits", Box::new(move || prlimit(Some(vault), Resource::Core, none).is_ok())),
        (
            "the vault's memory",
            Box::new(move || File::open(format!("/proc/{}/mem", vault.as_raw_nonzero())).is_ok()),
        ),
    ];
    deeds.iter().filter(|(_, deed)| deed()).map(|(what, _)| *what).collect()
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
    let also = reached_by_a_program(rustix::process::getpid());
    fs::remove_file("/dev/shm/layerlock-test-left").unwrap();
    assert_eq!(also.len(), 4, "{also:?}");
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

/// A house whose other engine does this, and an order for it.
async fn with_an_engine_that(deed: &str, port: u16) -> (House, Arc<Vault>, Order) {
    let mut house = House::new();
    let secret = house.dir.path().join("secret");
    fs::write(&secret, "the vault's").unwrap();
    let secret = secret.to_str().unwrap().replace('/', ",");
    let folder = house.dir.path().join(format!("{deed} {port} {secret} {}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let program = folder.join("prusa-slicer");
    symlink(std::env::current_exe().unwrap(), &program).unwrap();
    house.engines = EnginePrograms::default().with(Engine::PrusaSlicer, program);
    house.limits.worker_time = Millis(3_000);
    house.limits.worker_memory = 512 << 20;
    house.limits.output_bytes = 64 << 20;
    let vault = house.open().await;
    assert_eq!(vault.engines().iter().count(), 1, "it is offered");
    upload(&vault, &mesh()).await.unwrap();
    let order = Order::new(21, &mesh(), &Printer::new(40));
    (house, vault, Order { settings: vec![("engine", "prusaslicer")], ..order })
}

fn a_malicious_engine_reaches_nothing_but_its_room() {
    run(async {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let (house, vault, order) = with_an_engine_that("reach", port).await;
        order.create(&vault).await.unwrap();
        let words = order.settled(&vault).await.reason;
        assert!(words.ends_with("the engine gave up: reached []"), "{words}");
        assert_eq!(fs::read_dir(house.dir.path()).unwrap().filter(is_new).count(), 0);
    });
}

fn a_malicious_engine_ends_by_its_bounds_and_the_service_answers_meanwhile() {
    let ends = [
        ("write", "larger than this vault allows"),
        ("fill", "larger than this vault allows"),
        ("names", "larger than this vault allows"),
        ("eat", ""),
        ("spin", "longer"),
        ("bomb", ""),
        ("lie", "line 7 of the G-code: `M500` has no place in a toolpath"),
    ];
    for (deed, said) in ends {
        run(async {
            let (_house, vault, order) = with_an_engine_that(deed, 1).await;
            order.create(&vault).await.unwrap();
            let (settled, begun) = (order.settled(&vault), Instant::now());
            tokio::pin!(settled);
            let job = loop {
                tokio::select! {
                    job = &mut settled => break job,
                    () = tokio::time::sleep(Duration::from_millis(20)) => {
                        let asked = Instant::now();
                        let list = as_seller(SELLER, ListDesignsRequest::default());
                        designs(&vault).list_designs(list).await.unwrap();
                        assert!(asked.elapsed() < PROMPT, "{deed}: nobody else was answered");
                        assert!(begun.elapsed() < Duration::from_secs(60), "{deed}: it does not end");
                    }
                }
            };
            assert!(!job.reason.is_empty() && job.reason.contains(said), "{deed}: {}", job.reason);
        });
    }
}
