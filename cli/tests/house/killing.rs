//! People who use a house while its processes are killed, and what must be true of it afterwards.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use layerlock_terms::ids::RequestId;

use crate::road::{Ended, Server, attempt, model, program, word};

/// How long a print may take after the last kill.
const PATIENCE: Duration = Duration::from_secs(120);
/// A device whose vault died tries again after half a minute at most, and hears how its print was settled.
const HEARD: Duration = Duration::from_secs(90);
/// Copies there are: more than are ever printed.
const COPIES: usize = 1000;

/// Numbers that look random, from a seed that is printed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Settings with ports of its own, kept over every start, so that who was connected finds the node again. They lie below
/// those that outgoing connections are given, or one of them could have a port while its node is dead.
pub fn settle(folder: &Path, more: &str, dice: &mut Dice) {
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

/// A house's processes, of which any is killed at any moment, and never all of them for long.
pub struct Nodes {
    folders: Vec<PathBuf>,
    servers: Vec<Option<Server>>,
}

impl Nodes {
    /// Starts a server in each of the folders.
    pub fn start(folders: &[PathBuf]) -> Self {
        let servers = folders.iter().map(|folder| Some(Server::start_again(folder))).collect();
        Self { folders: folders.to_owned(), servers }
    }

    /// Kills one with SIGKILL after a while, leaves it dead for a while, starts it again.
    pub fn kill_one(&mut self, dice: &mut Dice, lives: Duration, dead: Duration) {
        let mut up_to = |longest: Duration| Duration::from_millis(dice.below(longest.as_millis() as u64 + 1));
        let (lives, dead) = (up_to(lives), up_to(dead));
        let at = dice.below(self.servers.len() as u64) as usize;
        thread::sleep(lives);
        // Dropping a server kills it with SIGKILL.
        drop(self.servers[at].take());
        thread::sleep(dead);
        self.servers[at] = Some(Server::start_again(&self.folders[at]));
    }
}

/// A seller, a buyer with many copies and devices that print, at a house of these folders.
pub struct People {
    folders: Vec<PathBuf>,
    dir: PathBuf,
    license: String,
    devices: Vec<String>,
    agents: Vec<Ended>,
    /// What the devices said.
    said: Arc<Mutex<Vec<String>>>,
    /// What buyers were told at the end of each print.
    told: Mutex<Vec<String>>,
    request: AtomicUsize,
    /// Nobody kills any more.
    over: AtomicBool,
    /// A node did not come up: nothing is to be waited for.
    given_up: AtomicBool,
}

/// Says that it is over when it is dropped, also by a panic: whoever waits for a dead node would else wait for ever.
pub struct Over<'a>(&'a People);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.given_up.store(thread::panicking(), Ordering::SeqCst);
        self.0.over.store(true, Ordering::SeqCst);
    }
}

impl People {
    /// Joins them to a house that runs in peace.
    pub fn join(dir: &Path, folders: &[PathBuf], devices: usize) -> Self {
        let mut people = Self {
            folders: folders.to_owned(),
            dir: dir.to_owned(),
            license: String::new(),
            devices: Vec::new(),
            agents: Vec::new(),
            said: Arc::default(),
            told: Mutex::default(),
            request: AtomicUsize::new(1),
            over: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
        };
        let run = |node: usize, args: &[&str]| people.run(node, args).expect("nothing is killed yet");
        let (seller, buyer) = (people.home("seller"), people.home("buyer"));
        let joined = run(0, &["operator", "create-seller"]);
        run(1, &["seller", "join", "--api-key", word(&joined, "layerlock_"), "--home", &seller]);
        fs::write(dir.join("part.stl"), model()).expect("writable");
        let design = run(2, &["seller", "upload", &people.home("part.stl"), "--home", &seller]);
        let copies = COPIES.to_string();
        let offer = ["seller", "offer", word(&design, "design-"), "--copies", &copies, "--home", &seller];
        let offer = run(1, &offer);
        let made = run(0, &["seller", "create-buyer", "--home", &seller]);
        let (id, key) = (word(&made, "buyer-"), word(&made, "layerlock_"));
        let license =
            run(2, &["seller", "license", word(&offer, "offer-"), "--buyer", id, "--home", &seller]);
        run(1, &["buyer", "join", "--api-key", key, "--home", &buyer]);
        let (mut ids, mut agents) = (Vec::new(), Vec::new());
        for at in 0..devices {
            let code = run(at, &["operator", "enrolment-code"]);
            let home = people.home(&format!("device-{at}"));
            let enrol = ["device", "enrol", code.trim(), "--machine", "prusa-mk3s", "--home", &home];
            ids.push(word(&run(at, &enrol), "device-").to_owned());
            agents.push(agent(&folders[at % folders.len()], &home, people.said.clone()));
        }
        people.license = word(&license, "license-").to_owned();
        (people.devices, people.agents) = (ids, agents);
        people
    }

    /// To be held while nodes are killed.
    pub fn until_over(&self) -> Over<'_> {
        Over(self)
    }

    /// Whether nobody kills any more.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    pub fn home(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// Runs one command at a node.
    pub fn run(&self, node: usize, args: &[&str]) -> Result<String, String> {
        attempt(&self.folders[node % self.folders.len()], args)
    }

    /// Says the same at one node after another, until one answers.
    pub fn insist(&self, from: usize, args: &[&str], patience: Duration) -> String {
        let begun = Instant::now();
        for node in from.. {
            let words = match self.run(node, args) {
                Ok(words) => return words,
                Err(words) => words,
            };
            assert!(!self.given_up.load(Ordering::SeqCst), "a node did not come up again");
            assert!(begun.elapsed() < patience, "{args:?} is never answered: {words}");
            thread::sleep(Duration::from_millis(300));
        }
        unreachable!("there is always a next node")
    }

    /// Prints at each device, one print after the other, for as long as the house is killed; one more then.
    pub fn print_until_over(&self, longest: Duration) {
        thread::scope(|scope| {
            for (at, device) in self.devices.iter().enumerate() {
                scope.spawn(move || {
                    let mut last = false;
                    while !last {
                        last = self.is_over();
                        self.print(at, device, longest + PATIENCE);
                    }
                });
            }
        });
    }

    /// One buyer's print: the same request at one node after another, until it is settled.
    fn print(&self, from: usize, device: &str, patience: Duration) {
        let number = self.request.fetch_add(1, Ordering::SeqCst) as u128;
        let request = RequestId::from_bytes(number.to_be_bytes()).to_string();
        let buyer = self.home("buyer");
        let print = ["buyer", "print", &self.license, "--device", device, "--request-id", &request];
        let words = self.insist(from, &[&print[..], &["--home", &buyer]].concat(), patience);
        self.told.lock().expect("nobody panics with it").push(words);
    }

    /// Everything is counted once, at every node, and every device knows it.
    pub fn check(self, kills: usize) {
        let told = self.told.lock().expect("nobody panics with it").clone();
        let printed = told.len();
        let wanted = format!("{COPIES} granted = {} free + 0 held + {printed} spent", COPIES - printed);
        let buyer = self.home("buyer");
        for node in 0..self.folders.len() {
            let licenses = self.run(node, &["buyer", "licenses", "--home", &buyer]).expect("all run");
            let others = || told.iter().filter(|words| !words.contains("printed"));
            let others = || others().map(|words| self.told_of(word(words, "job-"))).collect::<String>();
            assert!(
                licenses.contains(&wanted),
                "{kills} kills: {licenses}, not {wanted}{}\n{}",
                others(),
                self.said()
            );
            let audit = self.run(node, &["operator", "audit"]).expect("all run");
            assert!(audit.contains(&format!("{printed} leaves")), "{audit}");
        }
        let begun = Instant::now();
        while self.prints_heard() < printed && begun.elapsed() < HEARD {
            thread::sleep(Duration::from_millis(300));
        }
        let said = self.said();
        let offered = said.lines().filter_map(|line| line.strip_suffix(" offered"));
        let unsettled: Vec<_> = offered.filter(|job| !said.contains(&format!("{job} printed"))).collect();
        let unsettled: Vec<_> = unsettled.into_iter().map(|job| self.told_of(job)).collect();
        assert!(unsettled.is_empty(), "{kills} kills, and devices wait: {unsettled:#?}");
        assert_eq!(self.prints_heard(), printed, "{kills} kills: {said}");
    }

    /// Prints settled so far.
    pub fn printed(&self) -> usize {
        self.told.lock().expect("nobody panics with it").len()
    }

    fn said(&self) -> String {
        self.said.lock().expect("nobody panics with it").join("\n")
    }

    /// Prints of which their device knows how they were settled.
    fn prints_heard(&self) -> usize {
        self.said().lines().filter(|line| line.starts_with("job-") && line.ends_with(" printed")).count()
    }

    /// What the nodes' logs say of a job, above the noise.
    fn told_of(&self, job: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        for folder in &self.folders {
            let log = fs::read_to_string(folder.join("log")).expect("it has one");
            let lines_of_job = log.lines().filter(|line| line.contains(job) && line.contains("layerlock_"));
            lines.extend(lines_of_job.map(|line| format!("{}: {line}\n", folder.display())));
        }
        lines.sort_by_key(|line| line.split("timestamp").nth(1).map(str::to_owned));
        lines.concat()
    }
}

/// A device that says what it does.
fn agent(folder: &Path, home: &str, said: Arc<Mutex<Vec<String>>>) -> Ended {
    let mut child = program(folder)
        .args(["device", "run", "--printer", "simulated", "--status", "off", "--home", home])
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
