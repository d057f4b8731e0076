//! The owner's hand on a running agent, of the real program: pause, resume, cancel, and a program told to end.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::machines::page;
use crate::road::{DESIGN, Ended, Server, attempt, model, program, word};

/// An agent, what it says and where its page is.
struct Agent {
    child: Ended,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    at: String,
}

impl Agent {
    fn start(server: &Server, more: &[&str]) -> Self {
        let agent = program(&server.dir)
            .args(["device", "run", "--printer", "simulated@60", "--home", "device"])
            .args(["--status", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut child = Ended(agent);
        let mut lines = BufReader::new(child.0.stdout.take().expect("piped")).lines();
        let at = told(&mut lines, "status at http://");
        let at = at.trim_start_matches("status at http://").trim_end_matches('/').to_owned();
        Self { child, lines, at }
    }

    /// Waits until its page says so.
    fn until(&self, state: &str) -> String {
        let late = Instant::now() + Duration::from_secs(60);
        loop {
            let said = page(&self.at, "/status.json");
            if said.contains(&format!("\"state\":\"{state}\"")) {
                return said;
            }
            assert!(Instant::now() < late, "never {state}: {said}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The next line that begins so.
fn told(lines: &mut std::io::Lines<BufReader<ChildStdout>>, begins: &str) -> String {
    let line = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with(begins));
    line.unwrap_or_else(|| panic!("no line begins with `{begins}`"))
}

fn buy(server: &Server, license: &str, device: &str) -> Ended {
    let print = ["buyer", "print", license, "--device", device, "--home", "buyer"];
    let child: Child = program(&server.dir)
        .args(print)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    Ended(child)
}

#[test]
fn a_print_is_paused_resumed_and_cancelled_and_an_agent_told_to_end_ends_its_only_job() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join(format!("{DESIGN}.stl")), model()).expect("writable");
    let server = Server::start(dir.path());
    let run = |args: &[&str]| server.run(args);
    let seller = run(&["operator", "create-seller"]);
    run(&["seller", "join", "--api-key", word(&seller, "layerlock_"), "--home", "seller"]);
    let design = run(&["seller", "upload", &format!("{DESIGN}.stl"), "--home", "seller"]);
    let offer = run(&["seller", "offer", word(&design, "design-"), "--copies", "5", "--home", "seller"]);
    let buyer = run(&["seller", "create-buyer", "--home", "seller"]);
    let id = word(&buyer, "buyer-");
    let license = run(&["seller", "license", word(&offer, "offer-"), "--buyer", id, "--home", "seller"]);
    let license = word(&license, "license-");
    run(&["buyer", "join", "--api-key", word(&buyer, "layerlock_"), "--home", "buyer"]);
    let code = run(&["operator", "enrolment-code"]);
    // A folder so deep that the name of a socket in it is longer than an address.
    let deep = dir.path().join("d".repeat(120));
    fs::create_dir(&deep).expect("writable");
    let enrol = ["device", "enrol", code.trim(), "--machine", "prusa-mk3s", "--home"];
    let home = deep.join("device");
    let device = run(&[&enrol[..], &[home.to_str().expect("text")]].concat());
    std::os::unix::fs::symlink(&home, dir.path().join("device")).expect("writable");
    let device = word(&device, "device-");
    let ask = |what: &str| attempt(dir.path(), &["device", what, "--home", home.to_str().expect("text")]);

    let nobody = ask("pause").expect_err("nothing runs");
    assert!(nobody.contains("no agent runs"), "{nobody}");
    assert!(ask("status").expect("it is enrolled").contains("no agent runs"));
    for what in [&["pause"][..], &["status"], &["set", "--bed", "clear"], &["support", "--for", "5"]] {
        let elsewhere = attempt(dir.path(), &[&["device"], what, &["--home", "elsewhere"]].concat());
        let elsewhere = elsewhere.expect_err("no device is there");
        assert!(elsewhere.contains("elsewhere holds no enrolled device"), "{what:?}: {elsewhere}");
    }
    assert!(!dir.path().join("elsewhere").exists(), "and none is made");
    let mut agent = Agent::start(&server, &[]);
    let mode = fs::metadata(home.join("hand")).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "its owner's alone");
    agent.until("idle");
    let idle = ask("cancel").expect_err("nothing prints");
    assert!(idle.contains("nothing is being printed"), "{idle}");

    let bought = buy(&server, license, device);
    agent.until("printing");
    assert!(ask("pause").expect("it prints").contains("pauses"));
    let paused = agent.until("paused");
    let status = ask("status").expect("it runs");
    assert!(
        status.starts_with(device) && status.contains("  paused, job-") && status.contains(", layer "),
        "{status}"
    );
    assert!(status.contains("the vault is there") && status.contains("bed clear"), "{status}");
    let twice = ask("pause").expect_err("it is paused");
    assert!(twice.contains("is paused, or about to be"), "{twice}");
    thread::sleep(Duration::from_millis(500));
    let layers = |said: &str| said.split("\"layers_printed\":").nth(1).map(|rest| rest[..3].to_owned());
    assert_eq!(layers(&agent.until("paused")), layers(&paused), "nothing is printed meanwhile");
    assert!(ask("resume").expect("it is paused").contains("goes on"));
    assert!(ask("resume").expect_err("it goes on").contains("not paused"));
    told(&mut agent.lines, "going on");
    told(&mut agent.lines, "settled");
    let over = told(&mut agent.lines, "job-");
    assert!(over.ends_with(" printed"), "{over}");
    drop(bought);

    let bought = buy(&server, license, device);
    agent.until("printing");
    ask("cancel").expect("it prints");
    let offered = told(&mut agent.lines, "job-");
    assert!(offered.ends_with(" offered"), "{offered}");
    let stopping = told(&mut agent.lines, "stopping: ");
    assert!(stopping.contains("the machine is being made safe"), "{stopping}");
    let over = told(&mut agent.lines, "job-");
    assert!(over.contains("cancelled: stopped by whoever runs the device"), "{over}");
    drop(bought);
    agent.child.end();
    assert!(ask("pause").expect_err("it has ended").contains("no agent runs"));

    // Told to end in mid-print it leaves a cold machine, with one job to serve too.
    let agent = Agent::start(&server, &["--once"]);
    let bought = buy(&server, license, device);
    agent.until("printing");
    let pid = Pid::from_raw(i32::try_from(agent.child.0.id()).expect("a number")).expect("it runs");
    kill_process(pid, Signal::INT).expect("it runs");
    let Agent { mut child, mut lines, .. } = agent;
    let ended = told(&mut lines, "cancelled, ");
    assert!(
        ended.contains(" layers: stopped by whoever runs the device; the ledger's entry is awaited"),
        "{ended}"
    );
    assert!(child.0.wait().expect("it ends").success(), "by itself, not by the signal");
    drop((bought, lines));

    // What it left is settled first and is not the one job; that one comes to nothing, and so does the program.
    let mut agent = Agent::start(&server, &["--once"]);
    let left = told(&mut agent.lines, "job-");
    assert!(left.contains("cancelled"), "{left}");
    let bought = buy(&server, license, device);
    agent.until("printing");
    ask("cancel").expect("it prints");
    assert!(!agent.child.0.wait().expect("it ends").success(), "nothing was printed");
    drop(bought);
    server.end();
}
