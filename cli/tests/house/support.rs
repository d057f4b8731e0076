//! Support by token, of the real program: what is watched while a licensed part is printed, and by whom.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::road::{DESIGN, Server, attempt, model, program, walk_after, word};

/// A port that was free a moment ago.
fn free_place() -> String {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port").to_string()
}

fn watch(server: &Server, place: &str, token: &str) -> Child {
    let seen = File::create(server.dir.join("seen")).expect("writable");
    let mut watch: Command = program(&server.dir);
    watch.args(["device", "watch", place]).stdin(Stdio::piped());
    let mut watch = watch.stdout(seen).stderr(Stdio::inherit()).spawn().expect("it starts");
    // As somebody types it: the line ends, the terminal stays.
    let typed = watch.stdin.as_mut().expect("piped").write_all(format!("{token}\n").as_bytes());
    typed.expect("it reads");
    watch
}

#[test]
fn support_sees_a_print_by_its_owners_token_and_no_movement_of_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path());
    fs::write(dir.path().join(format!("{}.stl", DESIGN)), model()).expect("writable");
    let (place, watcher) = (free_place(), RefCell::new(None));
    let seen = || fs::read_to_string(dir.path().join("seen")).unwrap_or_default();
    walk_after(&server, &place, &|server| {
        let late = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(&place).is_err() {
            assert!(Instant::now() < late, "the device shows no page");
            thread::sleep(Duration::from_millis(20));
        }
        let said = server.run(&["device", "support", "--for", "5", "--home", "device"]);
        let listed = server.run(&["device", "support", "--home", "device"]);
        assert!(listed.starts_with("1 support token") && listed.contains("good for "), "{listed}");
        let wrong = attempt(&server.dir, &["device", "watch", &place, "--token", "layerlock_00"]);
        assert!(wrong.expect_err("that is no token").contains("401"));
        watcher.replace(Some(watch(server, &place, word(&said, "layerlock_"))));
        while !seen().contains("idle") {
            assert!(Instant::now() < late, "support sees nothing: {}", seen());
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut watcher = watcher.into_inner().expect("it watched");
    watcher.wait().expect("it ends with the device");
    let seen = seen();
    for wanted in [" G1 …", "← ok", "→ N"] {
        assert!(seen.contains(wanted), "{wanted} is not in: {seen}");
    }
    let sent = seen.lines().filter(|line| line.starts_with("  → "));
    for line in sent {
        assert!(!line.contains(" X") && !line.contains(" E") && !line.contains(" F"), "{line}");
    }
    let back = server.run(&["device", "support", "--revoke", "--home", "device"]);
    assert!(back.contains("1 support token taken back"), "{back}");
}
