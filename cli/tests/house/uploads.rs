//! Uploads and reports as a seller has them on the command line, of the real program.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use layerlock_cli::sight::Page;
use layerlock_slicer::mesh::to_binary_stl;

use crate::meshes;
use crate::road::{Server, attempt, program, word};

fn plate(cuts: u32) -> Vec<u8> {
    to_binary_stl(&meshes::plate(cuts))
}

fn curl(dir: &Path, args: &[&str]) -> Output {
    let authority = ["--silent", "--show-error", "--fail-with-body", "--cacert", "house/keys/ca.pem"];
    Command::new("curl").args(authority).args(args).current_dir(dir).output().expect("curl is installed")
}

fn joined(dir: &Path) -> Server {
    let server = Server::start(dir);
    let seller = server.run(&["operator", "create-seller"]);
    server.run(&["seller", "join", "--api-key", word(&seller, "layerlock_"), "--home", "seller"]);
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_sends_a_file_by_its_ticket_and_no_log_shows_the_ticket() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = joined(dir.path());
    fs::write(dir.path().join("vase.stl"), plate(20)).expect("writable");
    fs::write(dir.path().join("other.stl"), plate(21)).expect("writable");
    let said = server.run(&["seller", "ticket", "vase.stl", "--home", "seller"]);
    let (ticket, design) = (word(&said, "https://"), word(&said, "design-"));
    let sent = curl(dir.path(), &["--upload-file", "other.stl", ticket]);
    assert!(String::from_utf8_lossy(&sent.stdout).contains("UPLOAD_MISMATCH"), "{sent:?}");
    let sent = curl(dir.path(), &["--upload-file", "vase.stl", ticket]);
    assert!(sent.status.success(), "{sent:?}");
    let report = server.run(&["seller", "design", design, "--snapshots", "views", "--home", "seller"]);
    for says in ["version 1  vase", "60.0 × 60.0 × 5.0 mm", "fits ", "stands on "] {
        assert!(report.contains(says), "{says} is not in: {report}");
    }
    for view in ["corner", "back", "front", "top"] {
        let picture = fs::read(dir.path().join(format!("views/{view}.png"))).expect("it was drawn");
        assert!(picture.starts_with(b"\x89PNG"));
    }
    let secret = ticket.rsplit_once('/').expect("a path").1;
    assert!(secret.len() > 100 && !server.log().contains(&secret[..60]));
    let page = Page::fetch(server.connection().metrics.expect("it serves metrics")).await.expect("a page");
    for code in ["Ok", "InvalidArgument"] {
        let labels = [("grpc_service", "uploads"), ("grpc_method", "PUT"), ("grpc_code", code)];
        assert_eq!(page.sum("grpc_server_handled_total", &labels), 1.0, "{code}");
    }
}

#[test]
fn a_refusal_reaches_who_is_still_sending() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = joined(dir.path());
    fs::write(dir.path().join("vase.stl"), plate(200)).expect("writable");
    fs::write(dir.path().join("other.stl"), plate(190)).expect("writable");
    let said = server.run(&["seller", "ticket", "vase.stl", "--home", "seller"]);
    let ticket = word(&said, "https://");
    let piece = ["-H", "Content-Type: application/offset+octet-stream", "-H", "Upload-Offset: 5"];
    for _ in 0..4 {
        let sent = curl(dir.path(), &["--upload-file", "other.stl", ticket]);
        assert!(String::from_utf8_lossy(&sent.stdout).contains("UPLOAD_MISMATCH"), "{sent:?}");
        let sent =
            curl(dir.path(), &[&["-X", "PATCH", "--data-binary", "@vase.stl", ticket], &piece[..]].concat());
        assert!(String::from_utf8_lossy(&sent.stdout).contains("UPLOAD_OFFSET"), "{sent:?}");
    }
}

#[test]
fn whoever_closes_the_output_early_is_told_of_no_error_and_whoever_asks_for_too_much_of_which() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = joined(dir.path());
    fs::write(dir.path().join("vase.stl"), plate(4)).expect("writable");
    let mut ticket = program(dir.path());
    ticket.args(["seller", "ticket", "vase.stl", "--home", "seller"]);
    let mut ticket = ticket.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(ticket.stdout.take());
    let output = ticket.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let design = server.run(&["seller", "upload", "vase.stl", "--home", "seller"]);
    let version = ["seller", "design", word(&design, "design-"), "--version", "9", "--home", "seller"];
    let refused = attempt(dir.path(), &version).expect_err("there is one version");
    assert!(refused.contains("has no version 9 here"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sellers_with_one_shape_the_first_is_told_and_the_log_names_both_designs_to_the_operator() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = joined(dir.path());
    let second = server.run(&["operator", "create-seller"]);
    server.run(&["seller", "join", "--api-key", word(&second, "layerlock_"), "--home", "second"]);
    fs::write(dir.path().join("vase.stl"), plate(20)).expect("writable");
    let first = server.run(&["seller", "upload", "vase.stl", "--home", "seller"]);
    let copy = server.run(&["seller", "upload", "vase.stl", "--home", "second"]);
    let (first, copy) = (word(&first, "design-"), (word(&copy, "design-"), &copy));
    assert!(!copy.1.contains("looks like") && !copy.1.contains("look like"), "{}", copy.1);
    let report = server.run(&["seller", "design", first, "--home", "seller"]);
    assert!(report.contains("a design that another seller uploaded later looks like this one"), "{report}");
    assert!(!report.contains(copy.0), "{report}");
    let log = server.log();
    let line =
        log.lines().find(|line| line.contains("looks like another seller's")).expect("the operator is told");
    assert!(line.contains(first) && line.contains(copy.0), "{line}");
    let page = Page::fetch(server.connection().metrics.expect("it serves metrics")).await.expect("a page");
    assert_eq!(page.sum("layerlock_designs_alike_total", &[]), 1.0);
}

/// A line to `to` that breaks the first time so many bytes have gone there; answers its port, and how many bytes went in all.
fn line_that_breaks(to: u16, after: usize) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (port, gone) = (listener.local_addr().expect("bound").port(), Arc::new(AtomicUsize::new(0)));
    let (counted, has_broken) = (gone.clone(), Arc::new(AtomicBool::new(false)));
    thread::spawn(move || {
        for mut guest in listener.incoming().map_while(Result::ok) {
            let mut server = TcpStream::connect(("127.0.0.1", to)).expect("it listens");
            let (mut from, mut back) =
                (guest.try_clone().expect("a line"), server.try_clone().expect("a line"));
            thread::spawn(move || std::io::copy(&mut back, &mut guest).map(drop));
            let (gone, has_broken) = (counted.clone(), has_broken.clone());
            thread::spawn(move || {
                let mut piece = [0; 16 * 1024];
                while let Ok(read @ 1..) = from.read(&mut piece) {
                    let all = gone.fetch_add(read, Ordering::SeqCst) + read;
                    let breaks = all > after && !has_broken.swap(true, Ordering::SeqCst);
                    if breaks || server.write_all(&piece[..read]).is_err() {
                        break;
                    }
                }
                let _ = (server.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
            });
        }
    });
    (port, gone)
}

#[test]
fn an_upload_goes_on_by_itself_where_the_line_broke() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = joined(dir.path());
    let bytes = plate(220);
    fs::write(dir.path().join("large.stl"), &bytes).expect("writable");
    let vault = server.connection().vault;
    let port = vault.rsplit_once(':').expect("a port").1;
    let (broken, gone) = line_that_breaks(port.parse().expect("a port"), 7 << 20);
    let text = fs::read_to_string(dir.path().join("house/connect.toml")).expect("the server wrote it");
    let text = text.replace(&format!(":{port}\""), &format!(":{broken}\""));
    fs::write(dir.path().join("house/broken.toml"), text).expect("writable");
    let upload = ["seller", "upload", "large.stl", "--home", "seller", "--connect", "house/broken.toml"];
    let said = server.run(&upload);
    assert!(said.contains("195360 triangles"), "{said}");
    let (gone, all) = (gone.load(Ordering::SeqCst), bytes.len());
    assert!(
        gone > all && gone < all + (5 << 20),
        "{gone} bytes went for {all}: a piece and no more is sent again"
    );
}

#[test]
fn an_upload_that_broke_off_goes_on_as_the_same_design_after_the_server_was_killed() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = joined(dir.path());
    let bytes = plate(220);
    assert!(bytes.len() > 9 << 20);
    fs::write(dir.path().join("large.stl"), &bytes).expect("writable");
    fs::write(dir.path().join("half"), &bytes[..6 << 20]).expect("writable");
    let said = server.run(&["seller", "ticket", "large.stl", "--home", "seller"]);
    let (ticket, design) = (word(&said, "https://"), word(&said, "design-"));
    let piece = ["--header", "Content-Type: application/offset+octet-stream", "--header", "Upload-Offset: 0"];
    let sent = curl(
        dir.path(),
        &[&["--request", "PATCH", "--data-binary", "@half"], &piece[..], &[ticket]].concat(),
    );
    assert!(sent.status.success(), "{sent:?}");
    drop(server);
    let refused = attempt(dir.path(), &["seller", "upload", "large.stl", "--home", "seller"]);
    assert!(refused.is_err(), "nobody is there");
    let server = Server::start_again(dir.path());
    let said = server.run(&["seller", "upload", "large.stl", "--home", "seller"]);
    assert_eq!(word(&said, "design-"), design, "it went on: {said}");
    assert!(said.contains("195360 triangles"), "{said}");
    // A second upload of the same bytes is another design; a version of this one is its second.
    fs::write(dir.path().join("second.stl"), plate(19)).expect("writable");
    server.run(&["seller", "upload", "second.stl", "--design", design, "--home", "seller"]);
    let versions = server.run(&["seller", "designs", "--design", design, "--home", "seller"]);
    assert!(versions.contains("version 1  large") && versions.contains("version 2  second"), "{versions}");
    for version in ["1", "2"] {
        let offer = ["seller", "offer", design, "--version", version, "--home", "seller"];
        assert!(server.run(&offer).starts_with("offer-"));
    }
    let absent = attempt(dir.path(), &["seller", "offer", design, "--version", "3", "--home", "seller"]);
    assert!(absent.is_err_and(|words| words.contains("has no version")));
}
