//! A server of the real program and the road of the README, walked by hand: for the tests that look at what it leaves.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use layerlock_cli::connect::Connection;
use layerlock_slicer::mesh::{Mesh, to_binary_stl};
use rustix::process::{Pid, Signal, kill_process};

use crate::bucket;

/// The name of a design that belongs to nothing else.
pub const DESIGN: &str = "secret-vase";

/// Any free ports.
const USUAL: &str = "licensor = \"127.0.0.1:0\"\nvault = \"127.0.0.1:0\"\nmetrics = \"127.0.0.1:0\"\n";

/// A server, everything it logs going to a file.
pub struct Server {
    child: Child,
    /// Where it and its clients keep what they have.
    pub dir: PathBuf,
}

impl Server {
    /// A server of the usual settings on any free ports.
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, "")
    }

    /// A server of these settings beside.
    pub fn start_with(dir: &Path, more: &str) -> Self {
        fs::write(dir.join("serve.toml"), USUAL.to_owned() + more).expect("writable");
        Self::start_again(dir)
    }

    /// A server of the settings that lie there.
    pub fn start_again(dir: &Path) -> Self {
        Self::of(program(dir), dir)
    }

    /// A server of the usual settings, with another program in front.
    pub fn start_under(dir: &Path, front: &[String]) -> Self {
        Self::start_behind(dir, "", front)
    }

    /// A server of these settings beside, with another program in front.
    pub fn start_behind(dir: &Path, more: &str, front: &[String]) -> Self {
        fs::write(dir.join("serve.toml"), USUAL.to_owned() + more).expect("writable");
        Self::of(under(front, dir), dir)
    }

    fn of(mut program: Command, dir: &Path) -> Self {
        let log = OpenOptions::new().append(true).create(true).open(dir.join("log")).expect("writable");
        let mut child = program
            .args(["serve", "--data-dir", "house", "--config", "serve.toml", "--log-format", "json"])
            .env("RUST_LOG", "trace")
            .env("AWS_ACCESS_KEY_ID", bucket::KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", bucket::SECRET)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.as_mut().expect("piped")).lines();
        let up = lines.map_while(Result::ok).any(|line| line.starts_with("clients"));
        assert!(
            up,
            "the server does not come up: {}",
            fs::read_to_string(dir.join("log")).unwrap_or_default()
        );
        Self { child, dir: dir.to_owned() }
    }

    /// Asks it to end and waits, also for what stands in front of it.
    pub fn end(mut self) {
        end(&mut self.child);
    }

    pub fn connection(&self) -> Connection {
        Connection::read(&self.dir.join("house/connect.toml")).expect("the server wrote it")
    }

    /// Runs one command; answers what it printed.
    pub fn run(&self, args: &[&str]) -> String {
        attempt(&self.dir, args).unwrap_or_else(|words| panic!("{args:?}: {words}"))
    }

    /// The lines logged so far.
    pub fn log(&self) -> String {
        let mut text = String::new();
        fs::File::open(self.dir.join("log")).expect("there").read_to_string(&mut text).expect("text");
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

pub fn program(dir: &Path) -> Command {
    under(&[], dir)
}

/// Runs one command; answers what it printed, or why it was refused.
pub fn attempt(dir: &Path, args: &[&str]) -> Result<String, String> {
    attempt_behind(dir, &[], args)
}

/// The same with another program in front.
pub fn attempt_behind(dir: &Path, front: &[String], args: &[&str]) -> Result<String, String> {
    let output = under(front, dir).args(args).output().expect("it runs");
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).expect("text")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The program, with another and its arguments in front.
pub fn under(front: &[String], dir: &Path) -> Command {
    let ours = env!("CARGO_BIN_EXE_layerlock").to_owned();
    let words: Vec<String> = front.iter().cloned().chain([ours]).collect();
    let mut program = Command::new(&words[0]);
    program.args(&words[1..]);
    program.current_dir(dir).env("LAYERLOCK_DATA", "house").env("LAYERLOCK_CONNECT", "house/connect.toml");
    program
}

/// The last word of a command's first line that has the form wanted.
pub fn word<'a>(text: &'a str, begins: &str) -> &'a str {
    let found = text.split_whitespace().find(|word| word.starts_with(begins));
    found.unwrap_or_else(|| panic!("no word begins with `{begins}` in: {text}"))
}

pub fn model() -> Vec<u8> {
    let vertices = vec![[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 10.0]];
    let triangles = vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];
    to_binary_stl(&Mesh { vertices, triangles })
}

/// The road of the README, by hand; answers whose secret is what.
pub fn walk(server: &Server) -> Vec<(&'static str, Vec<u8>)> {
    let keys = go(server, Beside::default()).0;
    let at = |file: &str| server.dir.join("house/keys").join(file);
    let key = |file: &str| fs::read(at(file)).expect("the house has it");
    let operator = String::from_utf8(key("operator.key")).expect("text").trim().as_bytes().to_vec();
    let mut secrets = vec![
        ("the seller's API key", keys.seller.into_bytes()),
        ("the buyer's API key", keys.buyer.into_bytes()),
        ("the operator's API key", operator),
        ("the vault's signing key", key("vault.key")),
        ("the enrolment code", keys.code.into_bytes()),
        ("geometry", model()[84..134].to_vec()),
    ];
    // Elsewhere, if the settings say so.
    if at("vault.kek").exists() {
        secrets.push(("the key of all designs", key("vault.kek")));
    }
    secrets
}

/// The same with another program in front of the device, which has ended then.
pub fn walk_under(server: &Server, front: &[String]) {
    go(server, Beside { front, ..Beside::default() }).1.end();
}

/// The same with a device that draws what it has printed, and ends.
pub fn walk_drawing(server: &Server, picture: &str) {
    let device = &["--once", "--picture", picture];
    end_well(go(server, Beside { device, ..Beside::default() }).1);
}

/// The same with these words beside the upload's and the print's, and a device that ends.
pub fn walk_with(server: &Server, upload: &[&str], print: &[&str]) {
    end_well(go(server, Beside { upload, print, device: &["--once"], ..Beside::default() }).1);
}

/// The same with a device that ends and shows its page there, and something to do between its start and the print.
pub fn walk_after(server: &Server, page: &str, before_print: &dyn Fn(&Server)) {
    let (page, before_print) = (Some(page), Some(before_print));
    end_well(go(server, Beside { page, before_print, device: &["--once"], ..Beside::default() }).1);
}

/// The same with a device whose keys come from this secret of a token, which `front` makes known; it ends.
pub fn walk_by_token(server: &Server, front: &[String], uri: &str) {
    let enrol = (front, &["--keys", uri][..]);
    end_well(go(server, Beside { front, enrol, device: &["--once"], ..Beside::default() }).1);
}

fn end_well(mut device: Ended) {
    assert!(device.0.wait().expect("it ends").success());
}

/// What stands beside the words of the usual commands.
#[derive(Default)]
struct Beside<'a> {
    /// In front of the device.
    front: &'a [String],
    /// In front of its enrolment, and what stands beside its words.
    enrol: (&'a [String], &'a [&'a str]),
    device: &'a [&'a str],
    upload: &'a [&'a str],
    print: &'a [&'a str],
    /// Where the device's page is; anywhere without it.
    page: Option<&'a str>,
    before_print: Option<&'a dyn Fn(&Server)>,
}

/// What people were given on the road.
struct Given {
    seller: String,
    buyer: String,
    code: String,
}

fn go(server: &Server, beside: Beside<'_>) -> (Given, Ended) {
    let seller = server.run(&["operator", "create-seller"]);
    let seller_key = word(&seller, "layerlock_").to_owned();
    server.run(&["seller", "join", "--api-key", &seller_key, "--home", "seller"]);
    let file = format!("{}.stl", DESIGN);
    let upload = ["seller", "upload", &file, "--home", "seller"];
    let design = server.run(&[&upload, beside.upload].concat());
    let offer =
        server.run(&["seller", "offer", word(&design, "design-"), "--copies", "2", "--home", "seller"]);
    let buyer = server.run(&["seller", "create-buyer", "--home", "seller"]);
    let (id, buyer_key) = (word(&buyer, "buyer-"), word(&buyer, "layerlock_").to_owned());
    let license =
        server.run(&["seller", "license", word(&offer, "offer-"), "--buyer", id, "--home", "seller"]);
    let code = server.run(&["operator", "enrolment-code"]);
    let enrol = ["device", "enrol", code.trim(), "--machine", "prusa-mk3s", "--home", "device"];
    let device = attempt_behind(&server.dir, beside.enrol.0, &[&enrol, beside.enrol.1].concat());
    let device = device.expect("it enrols");
    server.run(&["buyer", "join", "--api-key", &buyer_key, "--home", "buyer"]);

    let agent = under(beside.front, &server.dir)
        .args(["device", "run", "--printer", "simulated", "--home", "device"])
        .args(["--status", beside.page.unwrap_or("127.0.0.1:0")])
        .args(beside.device)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let agent = Ended(agent);
    let device = word(&device, "device-");
    if let Some(before_print) = beside.before_print {
        before_print(server);
    }
    let print = ["buyer", "print", word(&license, "license-"), "--device", device, "--home", "buyer"];
    server.run(&[&print, beside.print].concat());
    (Given { seller: seller_key, buyer: buyer_key, code: code.trim().to_owned() }, agent)
}

/// Asks our program to end, as a service manager does, and waits, also for what stands in front of it.
fn end(child: &mut Child) {
    kill_process(ours(child), Signal::TERM).expect("it runs");
    child.wait().expect("it ends");
}

/// Kills our program, and with it what stands in front of it.
fn kill(child: &mut Child) {
    // Of one that has ended already the number may be another's by now.
    if let Ok(Some(_)) = child.try_wait() {
        return;
    }
    let _ = kill_process(ours(child), Signal::KILL);
    let _ = child.wait();
}

/// The process of our program: the child itself, or the child of the `strace` in front of it.
fn ours(child: &Child) -> Pid {
    let pid = child.id();
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let children = read(&format!("task/{pid}/children"));
    let behind = children.split_whitespace().next().filter(|_| read("comm").trim() == "strace");
    let number = behind.map_or(pid, |number| number.parse().expect("a process's number"));
    Pid::from_raw(i32::try_from(number).expect("a process's number")).expect("it runs")
}

/// A child that ends with the test.
pub struct Ended(pub Child);

impl Ended {
    /// Asks it to end and waits, also for what stands in front of it.
    pub fn end(mut self) {
        end(&mut self.0);
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        kill(&mut self.0);
    }
}
