//! A device whose keys come from a token: it prints, and who copies its disk is nobody.

use std::fs;
use std::path::Path;

use crate::road::{DESIGN, Server, attempt, attempt_behind, model, walk_by_token};
use crate::rotation::token;

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("writable");
    for file in fs::read_dir(from).expect("a folder").map(|file| file.expect("readable")) {
        // A running agent has a socket there.
        if !file.file_type().expect("readable").is_file() {
            continue;
        }
        fs::copy(file.path(), to.join(file.file_name())).expect("readable");
    }
}

#[test]
fn a_device_whose_keys_come_from_a_token_prints_and_a_copy_of_its_disk_is_nobody() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join(format!("{DESIGN}.stl")), model()).expect("writable");
    let (front, uri) = token(dir.path());
    let uri = uri.replace("kek-one", "device-one");
    let server = Server::start(dir.path());
    walk_by_token(&server, &front, &uri);

    let kept = fs::read_to_string(dir.path().join("device/keys")).expect("text");
    assert!(kept.lines().count() == 3 && kept.lines().any(|line| line == uri), "{kept}");
    let status = |home: &str, front: &[String]| {
        attempt_behind(dir.path(), front, &["device", "status", "--home", home])
    };
    let told = status("device", &front).expect("its token is there");

    // The whole disk, without the token.
    copy(&dir.path().join("device"), &dir.path().join("stolen"));
    let refused = status("stolen", &[]).expect_err("there is no token");
    assert!(refused.contains("the device's keys lie in a token"), "{refused}");

    // With a token of the same name that holds another secret of the same name.
    let other = dir.path().join("other");
    fs::create_dir(&other).expect("writable");
    let (others, _) = token(&other);
    let refused = status("stolen", &others).expect_err("the secret is not there");
    assert!(refused.contains("no secret key of that label is there"), "{refused}");
    let keys = ["device", "keys", "--home", "fresh", "--keys", &uri];
    let made = attempt_behind(dir.path(), &others, &keys).expect("the token makes it");
    let refused = status("stolen", &others).expect_err("it is another secret");
    assert!(refused.contains("another signing key"), "{refused}");

    // One secret serves a second enrolment, whose keys are others.
    let again = ["device", "keys", "--home", "second", "--keys", &uri];
    let second = attempt_behind(dir.path(), &front, &again).expect("the secret is there");
    assert_eq!(second, attempt_behind(dir.path(), &front, &again).expect("they are made once"));
    assert_ne!(second, made);
    let elsewhere =
        attempt(dir.path(), &["device", "keys", "--home", "second"]).expect_err("not in the file");
    assert!(elsewhere.contains("from elsewhere"), "{elsewhere}");
    assert_eq!(status("device", &front).expect("it is as it was"), told);
    server.end();
}
