//! Uploads and reports as a seller has them on the command line, of the real program.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use layerlock_slicer::mesh::{Mesh, to_binary_stl};

use crate::road::{Server, attempt, word};

/// A plate whose faces are cut into so many squares a side: a file of any length.
fn plate(cuts: u32) -> Vec<u8> {
    let at = |x: u32, y: u32, z: u32| z * (cuts + 1) * (cuts + 1) + y * (cuts + 1) + x;
    let mut mesh = Mesh::default();
    for n in 0..2 * (cuts + 1) * (cuts + 1) {
        let (x, y, z) = (n % (cuts + 1), n / (cuts + 1) % (cuts + 1), n / (cuts + 1) / (cuts + 1));
        mesh.vertices.push([x as f32 * 60.0 / cuts as f32, y as f32 * 60.0 / cuts as f32, z as f32 * 5.0]);
    }
    let mut quad = |[a, b, c, d]: [u32; 4]| mesh.triangles.extend([[a, b, c], [a, c, d]]);
    for n in 0..cuts {
        for m in 0..cuts {
            quad([at(n, m, 1), at(n + 1, m, 1), at(n + 1, m + 1, 1), at(n, m + 1, 1)]);
            quad([at(n, m, 0), at(n, m + 1, 0), at(n + 1, m + 1, 0), at(n + 1, m, 0)]);
        }
        quad([at(n, 0, 0), at(n + 1, 0, 0), at(n + 1, 0, 1), at(n, 0, 1)]);
        quad([at(n + 1, cuts, 0), at(n, cuts, 0), at(n, cuts, 1), at(n + 1, cuts, 1)]);
        quad([at(0, n + 1, 0), at(0, n, 0), at(0, n, 1), at(0, n + 1, 1)]);
        quad([at(cuts, n, 0), at(cuts, n + 1, 0), at(cuts, n + 1, 1), at(cuts, n, 1)]);
    }
    to_binary_stl(&mesh)
}

fn curl(dir: &Path, args: &[&str]) -> Output {
    let authority = ["--silent", "--show-error", "--fail-with-body", "--cacert", "house/keys/ca.pem"];
    Command::new("curl").args(authority).args(args).current_dir(dir).output().expect("curl is installed")
}

fn joined(dir: &Path) -> Server {
    let server = Server::start(dir);
    let seller = server.run(&["operator", "create-seller", "Acme"]);
    server.run(&["seller", "join", "--api-key", word(&seller, "layerlock_"), "--home", "seller"]);
    server
}

#[test]
fn a_stranger_sends_a_file_by_its_ticket_and_no_log_shows_the_ticket() {
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
    assert!(
        server.log().contains("\"method\":\"PUT\",\"service\":\"uploads\"")
            || server.log().contains("uploads")
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
    assert!(absent.is_err_and(|words| words.contains("there is no")));
}
