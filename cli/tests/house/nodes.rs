//! One house of several processes on the same records and files: each does its part, and any may die at any moment.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use layerlock_terms::ids::RequestId;

use crate::bucket;
use crate::cluster;
use crate::road::{Ended, NAMES, Server, model, program, walk, word};

fn shared(name: &str) -> String {
    format!("records = \"{}\"\nfiles = \"{}\"\n", cluster::database(name), bucket::address(name))
}

/// A folder for a node of the house whose keys lie in `first`; it gets those that `gets` says.
fn node(dir: &Path, name: &str, first: Option<&Path>, gets: impl Fn(&str) -> bool) -> PathBuf {
    let folder = dir.join(name);
    fs::create_dir_all(folder.join("house/keys")).expect("writable");
    for entry in first.into_iter().flat_map(|first| fs::read_dir(first.join("house/keys")).expect("keys")) {
        let file = entry.expect("readable");
        let name = file.file_name().into_string().expect("text");
        if gets(&name) {
            fs::copy(file.path(), folder.join("house/keys").join(name)).expect("writable");
        }
    }
    folder
}

fn everything(_key: &str) -> bool {
    true
}

/// What every node has: the trust files and the TLS identity.
fn is_public(key: &str) -> bool {
    key.ends_with(".trust") || ["ca.pem", "server.pem", "server.key"].contains(&key)
}

fn of_the_licensor(key: &str) -> bool {
    is_public(key) || ["licensor.key", "checkpoint.key", "operator.key"].contains(&key)
}

fn of_the_vault(key: &str) -> bool {
    is_public(key) || ["vault.key", "vault.kek"].contains(&key)
}

#[test]
fn licensor_vault_and_worker_walk_the_road_as_three_processes_with_the_keys_of_their_roles() {
    let dir = tempfile::tempdir().expect("a folder");
    let shared = shared("roles");
    let founded = node(dir.path(), "founded", None, everything);
    drop(Server::start_with(&founded, &shared));
    let one = node(dir.path(), "one", Some(&founded), of_the_licensor);
    let licensor = Server::start_with(&one, &format!("{shared}roles = [\"licensor\"]\n"));
    let at = format!("licensor-at = \"{}\"\n", licensor.connection().licensor);
    let two = node(dir.path(), "two", Some(&founded), of_the_vault);
    let vault = Server::start_with(&two, &format!("{shared}roles = [\"vault\"]\n{at}"));
    let three = node(dir.path(), "three", Some(&founded), of_the_vault);
    let worker = Server::start_with(&three, &format!("{shared}roles = [\"worker\"]\n{at}"));
    fs::write(vault.dir.join(format!("{}.stl", NAMES[1])), model()).expect("writable");
    // Whoever walks the road by hand is the operator too, and brings that key.
    fs::copy(one.join("house/keys/operator.key"), two.join("house/keys/operator.key")).expect("writable");
    let secrets = ["licensor.key", "checkpoint.key", "root.key"];
    for (folder, name) in [&two, &three].into_iter().flat_map(|folder| secrets.map(|name| (folder, name))) {
        assert!(!folder.join("house/keys").join(name).exists(), "{name}");
    }
    walk(&vault);
    assert!(vault.run(&["operator", "audit"]).contains("1 leaves"));
    let made_the_step = |server: &Server| {
        let log = server.log();
        log.lines().any(|line| line.contains("\"message\":\"job\"") && line.contains("\"to\":\"sealed\""))
    };
    assert!(made_the_step(&worker), "the worker presses");
    assert!(!made_the_step(&vault), "the vault presses nothing");
    for server in [&licensor, &vault, &worker] {
        assert!(!server.dir.join("house/vault-files").exists(), "files lie in the bucket");
    }
    assert!(!one.join("house/keys/vault.kek").exists(), "the licensor can open no design");
}

const NODES: usize = 3;
const JOBS: usize = 24;
const DEVICES: usize = 4;

/// How long nodes are killed; more by `LAYERLOCK_KILLING_SECONDS`.
fn killing() -> Duration {
    let seconds = std::env::var("LAYERLOCK_KILLING_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// Numbers that look random, from a seed that is printed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a random test says its seed and what it did")]
fn nodes_that_are_killed_at_random_lose_no_job_and_end_each_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let shared = shared("killed");
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let folders: Vec<PathBuf> = (0..NODES).fold(Vec::new(), |mut folders, at| {
        let first = folders.first().map(PathBuf::as_path);
        let folder = node(dir.path(), &format!("node-{at}"), first, everything);
        settle(&folder, &shared, &mut dice);
        // The first start makes the keys.
        drop(Server::start_again(&folder));
        folders.push(folder);
        folders
    });
    let nodes: Vec<_> = folders.iter().map(|folder| Mutex::new(Some(Server::start_again(folder)))).collect();
    let nodes = Arc::new(nodes);

    // The house is set up in peace.
    let run = |folder: &Path, args: &[&str]| ran(folder, args).expect("nothing is killed yet");
    let home = |name: &str| dir.path().join(name).display().to_string();
    let (seller, buyer) = (home("seller"), home("buyer"));
    let joined = run(&folders[0], &["operator", "create-seller", "Acme"]);
    run(&folders[1], &["seller", "join", "--api-key", word(&joined, "layerlock_"), "--home", &seller]);
    fs::write(dir.path().join("part.stl"), model()).expect("writable");
    let part = home("part.stl");
    let design = run(&folders[2], &["seller", "upload", &part, "--home", &seller]);
    let copies = JOBS.to_string();
    let offer = ["seller", "offer", word(&design, "design-"), "--copies", &copies, "--home", &seller];
    let offer = run(&folders[1], &offer);
    let made = run(&folders[0], &["seller", "create-buyer", "--home", &seller]);
    let (id, key) = (word(&made, "buyer-"), word(&made, "layerlock_"));
    let license = ["seller", "license", word(&offer, "offer-"), "--buyer", id, "--home", &seller];
    let license = run(&folders[2], &license);
    let license = word(&license, "license-").to_owned();
    run(&folders[1], &["buyer", "join", "--api-key", key, "--home", &buyer]);
    let mut devices = Vec::new();
    let mut agents = Vec::new();
    let prints: Arc<Mutex<Vec<String>>> = Arc::default();
    for at in 0..DEVICES {
        let folder = &folders[at % NODES];
        let code = run(folder, &["operator", "enrolment-code"]);
        let own = home(&format!("device-{at}"));
        let enrol = ["device", "enrol", code.trim(), "--machine", "prusa-mk3s", "--home", &own];
        devices.push(word(&run(folder, &enrol), "device-").to_owned());
        agents.push(agent(folder, &own, prints.clone()));
    }

    // Then nodes die while jobs are ordered, pressed, printed and settled.
    let over = Arc::new(AtomicBool::new(false));
    let killer = {
        let (nodes, folders, over) = (nodes.clone(), folders.clone(), over.clone());
        thread::spawn(move || kill_at_random(&nodes, &folders, &over, dice))
    };
    let buyers: Vec<_> = (0..JOBS)
        .map(|at| {
            let (folders, license, buyer) = (folders.clone(), license.clone(), buyer.clone());
            let device = devices[at % DEVICES].clone();
            // As many at once as there are devices, each as soon as the one before it is over.
            let pause = killing() * (at / DEVICES) as u32 / (JOBS / DEVICES) as u32;
            thread::spawn(move || {
                thread::sleep(pause);
                print(&folders, at, &license, &device, &buyer)
            })
        })
        .collect();
    let told: Vec<String> = buyers.into_iter().map(|buyer| buyer.join().expect("its print ends")).collect();
    over.store(true, Ordering::SeqCst);
    let kills = killer.join().expect("the killer ends");
    assert!(kills >= 5, "only {kills} nodes were killed");

    // Everything is counted once, at every node.
    let wanted = format!("{JOBS} granted = 0 free + 0 held + {JOBS} spent");
    for folder in &folders {
        let licenses = run(folder, &["buyer", "licenses", "--home", &buyer]);
        assert!(
            licenses.contains(&wanted),
            "{kills} kills: {licenses}{}\n{}",
            unprinted(&folders, &told),
            prints.lock().expect("nobody panics with it").join("\n")
        );
        let audit = run(folder, &["operator", "audit"]);
        assert!(audit.contains(&format!("{JOBS} leaves")), "{audit}");
    }
    // A device whose vault died tries again after half a minute at most, and hears how its print was settled.
    let printed =
        || prints.lock().expect("nobody panics with it").iter().filter(|line| is_print(line)).count();
    let begun = Instant::now();
    while printed() < JOBS && begun.elapsed() < Duration::from_secs(90) {
        thread::sleep(Duration::from_millis(300));
    }
    drop(agents);
    let said = prints.lock().expect("nobody panics with it").join("\n");
    let unsettled: Vec<_> = said
        .lines()
        .filter_map(|line| line.strip_suffix(" offered"))
        .filter(|job| !said.contains(&format!("{job} printed")))
        .map(|job| told_of(&folders, job))
        .collect();
    assert!(unsettled.is_empty(), "{kills} kills, and devices wait: {unsettled:#?}");
    assert_eq!(said.lines().filter(|line| is_print(line)).count(), JOBS, "{kills} kills: {said}");
    println!("{kills} kills, {JOBS} jobs");
}

/// Which prints ended as something else, and what the nodes' logs say of them.
fn unprinted(folders: &[PathBuf], told: &[String]) -> String {
    let others = told.iter().filter(|words| !words.contains("printed"));
    others.map(|words| format!("{words}\n{}\n", told_of(folders, word(words, "job-")))).collect()
}

/// What the nodes' logs say of a job, above the noise.
fn told_of(folders: &[PathBuf], job: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for folder in folders {
        let log = fs::read_to_string(folder.join("log")).expect("it has one");
        let lines_of_job = log.lines().filter(|line| line.contains(job) && line.contains("layerlock_"));
        lines.extend(lines_of_job.map(|line| format!("{}: {line}", folder.display())));
    }
    lines.sort_by_key(|line| line.split("timestamp").nth(1).map(str::to_owned));
    lines.join("\n")
}

/// Whether a device says that it has printed a job and knows how that was settled.
fn is_print(line: &str) -> bool {
    line.starts_with("job-") && line.ends_with(" printed")
}

/// Settings with ports of its own, kept over every start, so that who was connected finds the node again. They lie below
/// those that outgoing connections are given, or one of them could have a port while its node is dead.
fn settle(folder: &Path, more: &str, dice: &mut Dice) {
    let mut port = || loop {
        let port = 10_000 + dice.below(20_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    };
    let (licensor, vault) = (port(), port());
    let settings = format!(
        "licensor = \"127.0.0.1:{licensor}\"\nvault = \"127.0.0.1:{vault}\"\nmetrics = \"off\"\n{more}"
    );
    fs::write(folder.join("serve.toml"), settings).expect("writable");
}

fn ran(folder: &Path, args: &[&str]) -> Result<String, String> {
    let output = program(folder).args(args).output().expect("it runs");
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).expect("text")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// A device that says what it does.
fn agent(folder: &Path, home: &str, said: Arc<Mutex<Vec<String>>>) -> Ended {
    let mut child = program(folder)
        .args(["device", "run", "--printer", "simulated", "--home", home])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            said.lock().expect("nobody panics with it").push(line);
        }
    });
    Ended(child)
}

/// One buyer's print: the same request at one node after another, until it is settled.
fn print(folders: &[PathBuf], at: usize, license: &str, device: &str, home: &str) -> String {
    let request = RequestId::from_bytes([at as u8 + 1; 16]).to_string();
    let begun = Instant::now();
    for node in at.. {
        let args = ["buyer", "print", license, "--device", device, "--request-id", &request, "--home", home];
        let words = match ran(&folders[node % NODES], &args) {
            Ok(words) => return words,
            Err(words) => words,
        };
        let patience = killing() + Duration::from_secs(120);
        assert!(begun.elapsed() < patience, "job {at} does not end: {words}");
        thread::sleep(Duration::from_millis(300));
    }
    unreachable!("there is always a next node")
}

/// Kills a node, leaves it dead for a while, starts it again, and so on; never all of them.
fn kill_at_random(
    nodes: &[Mutex<Option<Server>>],
    folders: &[PathBuf],
    over: &AtomicBool,
    mut dice: Dice,
) -> usize {
    let (begun, mut kills) = (Instant::now(), 0);
    while begun.elapsed() < killing() && !over.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(300 + dice.below(1_500)));
        let at = dice.below(NODES as u64) as usize;
        let mut node = nodes[at].lock().expect("nobody panics with it");
        // Dropping a server kills it with SIGKILL.
        drop(node.take());
        thread::sleep(Duration::from_millis(dice.below(1_500)));
        *node = Some(Server::start_again(&folders[at]));
        kills += 1;
    }
    kills
}
