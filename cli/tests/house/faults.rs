//! A house whose disk fails while people use it: what was answered is there after the restart, and nothing is claimed
//! meanwhile that isn't.
//!
//! `strace` lets a call fail that the journal's writer makes, from its nth time on: as a broken disk (EIO), and as a full one
//! (ENOSPC). The real full disk is `full.rs`.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::road::{Server, attempt, model, word};

/// A call, how it fails, and what callers must be told to do.
const FAULTS: [(&str, &str, &str); 3] = [
    ("fdatasync", "EIO", "restart it once mended"),
    ("pwrite64", "EIO", "restart it once mended"),
    ("pwrite64", "ENOSPC", "Free space and restart"),
];

/// The front that lets `call` fail in the thread that makes it for the nth time.
fn failing(call: &str, error: &str, nth: usize) -> Vec<String> {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:error={error}:when={nth}+");
    let words =
        ["strace", "-D", "-f", "-q", "-e", "signal=none", "-e", &trace, "-e", &inject, "-o", "/dev/null"];
    words.map(str::to_owned).into()
}

/// Uses the house until it refuses; answers what it gave before, and its last words.
fn use_up(server: &Server, seller: &str) -> (Vec<String>, Vec<String>, String) {
    let run = |args: &[&str]| attempt(&server.dir, args);
    let (mut buyers, mut designs) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        match run(&["seller", "create-buyer", "--home", seller]) {
            Ok(words) => buyers.push(word(&words, "layerlock_").to_owned()),
            Err(words) => return (buyers, designs, words),
        }
        match run(&["seller", "upload", "part.stl", "--home", seller]) {
            Ok(words) => designs.push(word(&words, "design-").to_owned()),
            Err(words) => return (buyers, designs, words),
        }
    }
    panic!("the disk never failed");
}

#[test]
fn a_disk_that_fails_stops_the_house_with_its_mend_and_costs_nothing_that_was_answered() {
    for (call, error, mend) in FAULTS {
        let dir = tempfile::tempdir().expect("a folder");
        let server = Server::start(dir.path());
        fs::write(dir.path().join("part.stl"), model()).expect("writable");
        let joined = server.run(&["operator", "create-seller"]);
        server.run(&["seller", "join", "--api-key", word(&joined, "layerlock_"), "--home", "seller"]);
        server.end();

        // From another moment on each time.
        let nth = 6 + std::process::id() as usize % 7;
        let server = Server::start_under(dir.path(), &failing(call, error, nth));
        let (buyers, designs, words) = use_up(&server, "seller");
        let at = format!("{error} of {call} number {nth}");
        assert!(words.contains(mend), "{at}: {words}");
        let begun = Instant::now();
        while !server.run(&["operator", "status"]).contains("not serving") {
            assert!(begun.elapsed() < Duration::from_secs(20), "{at}: it still calls itself serving");
            thread::sleep(Duration::from_millis(200));
        }
        assert!(!buyers.is_empty() && !designs.is_empty(), "{at}: nothing was answered before it");
        drop(server);

        let server = Server::start(dir.path());
        for (number, key) in buyers.iter().enumerate() {
            let home = format!("buyer-{number}");
            server.run(&["buyer", "join", "--api-key", key, "--home", &home]);
        }
        let listed = server.run(&["seller", "designs", "--home", "seller"]);
        let times = |design: &String| listed.matches(design.as_str()).count();
        assert!(designs.iter().all(|design| times(design) == 1), "{at}: {designs:?} of {listed}");
        assert!(server.run(&["operator", "verify"]).contains("licensor  sound up to commit"));
    }
}
