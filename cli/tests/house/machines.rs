//! Several machines on one computer: one process serves them, each is a device of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use crate::device_keys::copy;
use crate::road::{DESIGN, Ended, Server, attempt, model, program, word};

/// What the agent's page answers there.
pub fn page(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the page is served");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("it takes a question");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn one_process_prints_on_two_machines_and_one_that_ends_stops_no_other() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join(format!("{DESIGN}.stl")), model()).expect("writable");
    let server = Server::start(dir.path());
    let run = |args: &[&str]| server.run(args);
    let seller = run(&["operator", "create-seller"]);
    run(&["seller", "join", "--api-key", word(&seller, "layerlock_"), "--home", "seller"]);
    let design = run(&["seller", "upload", &format!("{DESIGN}.stl"), "--home", "seller"]);
    let offer = run(&["seller", "offer", word(&design, "design-"), "--copies", "3", "--home", "seller"]);
    let buyer = run(&["seller", "create-buyer", "--home", "seller"]);
    let id = word(&buyer, "buyer-");
    let license = run(&["seller", "license", word(&offer, "offer-"), "--buyer", id, "--home", "seller"]);
    run(&["buyer", "join", "--api-key", word(&buyer, "layerlock_"), "--home", "buyer"]);
    let enrolled = ["left", "right"].map(|home| {
        let code = run(&["operator", "enrolment-code"]);
        run(&["device", "enrol", code.trim(), "--machine", "prusa-mk3s", "--home", home])
    });
    let [left, right] = enrolled.each_ref().map(|told| word(told, "device-"));

    let machines = ["--machine", "left=simulated", "--machine", "right=simulated@1000"];
    let agent = program(dir.path())
        .args(["device", "run", "--status", "127.0.0.1:0"])
        .args(machines)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut agent = Ended(agent);
    let mut lines =
        BufReader::new(agent.0.stdout.take().expect("piped")).lines().map_while(Result::ok).inspect(|line| {
            assert!(
                ["left: ", "right: ", "status at "].iter().any(|begin| line.starts_with(begin)),
                "whose is `{line}`?"
            );
        });
    let at =
        lines.find_map(|line| Some(line.strip_prefix("status at http://")?.trim_end_matches('/').to_owned()));
    let at = at.expect("it says where its page is");

    for device in [left, right] {
        run(&["buyer", "print", word(&license, "license-"), "--device", device, "--home", "buyer"]);
    }
    let mut settled = lines.by_ref().filter(|line| line.contains("settled: ledger entry"));
    let both = [settled.next(), settled.next()].map(|line| line.expect("both print"));
    assert!(both.iter().any(|line| line.starts_with("left:")), "{both:?}");
    assert!(both.iter().any(|line| line.starts_with("right:")), "{both:?}");

    let all = page(&at, "/");
    assert!(
        all.contains("2 machines") && all.contains("href=\"/left/\"") && all.contains("href=\"/right/\""),
        "{all}"
    );
    let json = page(&at, "/status.json");
    assert!(json.contains(&format!("\"left\":{{\"device\":\"{left}\"")), "{json}");
    assert!(page(&at, "/right/").contains(right) && !page(&at, "/right/").contains(left));
    assert!(page(&at, "/left/").contains("src=\"picture.png\""));
    assert!(page(&at, "/left/picture.png").starts_with("HTTP/1.1 200"));

    // Each is watched by a token of its own.
    let token = run(&["device", "support", "--for", "5", "--home", "left"]);
    let token = word(&token, "layerlock_").to_owned();
    let watch =
        |name: &str| attempt(dir.path(), &["device", "watch", &format!("{at}/{name}"), "--token", &token]);
    let refused = watch("right").expect_err("the token is the other's");
    assert!(refused.contains("no token, or one that has ended"), "{refused}");

    // A copy of one fences it; it ends, and the other prints on.
    copy(&dir.path().join("right"), &dir.path().join("copy"));
    let copied = program(dir.path())
        .args(["device", "run", "--home", "copy", "--status", "off"])
        .stdout(Stdio::null())
        .spawn();
    let copied = Ended(copied.expect("it starts"));
    let ended = lines.by_ref().find(|line| line.starts_with("right: ended: "));
    assert!(ended.expect("it says so").contains("took over"));
    copied.end();
    run(&["buyer", "print", word(&license, "license-"), "--device", left, "--home", "buyer"]);
    assert!(lines.by_ref().any(|line| line.starts_with("left: settled")));

    // A folder that holds no device, or two of one name, start nothing.
    let run =
        |machines: &[&str]| attempt(dir.path(), &[&["device", "run", "--status", "off"], machines].concat());
    let refused =
        run(&["--machine", "left=simulated", "--machine", "a/left=simulated"]).expect_err("one name");
    assert!(refused.contains("called `left`"), "{refused}");
    let refused = run(&["--machine", "nobody=simulated"]).expect_err("nothing starts");
    assert!(refused.contains("1 of 1 machines ended"), "{refused}");
    let mut errors = agent.0.stderr.take().expect("piped");
    agent.end();
    let mut said = String::new();
    errors.read_to_string(&mut said).expect("text");
    assert!(said.contains("1 of 2 machines ended"), "{said}");
    server.end();
}
