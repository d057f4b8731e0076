//! A house on a disk that is really full: a small one, mounted for this by `./x bench full-disk`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::killed::large;
use crate::road::{Server, attempt, word};

/// The small disk.
fn disk() -> PathBuf {
    std::env::var_os("LAYERLOCK_SMALL_DISK")
        .expect("`./x bench full-disk` mounts one and names it here")
        .into()
}

#[test]
#[ignore = "takes a disk of its own, which `./x test` mounts for it at its end, and `./x bench full-disk`"]
fn a_full_disk_is_named_with_its_mend_and_costs_nothing_that_was_answered() {
    let dir = tempfile::tempdir().expect("a folder");
    symlink(disk(), dir.path().join("house")).expect("writable");
    let server = Server::start(dir.path());
    let joined = server.run(&["operator", "create-seller"]);
    server.run(&["seller", "join", "--api-key", word(&joined, "layerlock_"), "--home", "seller"]);
    fs::write(dir.path().join("large.stl"), large()).expect("writable");

    // What an operator will find to remove.
    fs::write(disk().join("ballast"), vec![7; 3 << 20]).expect("there is room");
    // Uploads fill it. The one that doesn't fit leaves nothing and hurts nobody.
    let upload = ["seller", "upload", "large.stl", "--home", "seller"];
    let mut designs = Vec::new();
    let words = loop {
        match attempt(&server.dir, &upload) {
            Ok(words) => designs.push(word(&words, "design-").to_owned()),
            Err(words) => break words,
        }
        assert!(designs.len() < 1000, "the disk is not small");
    };
    assert!(words.contains("disk is full") && words.contains("nothing was stored"), "{words}");
    assert!(!designs.is_empty(), "nothing fits on this disk");
    let mut buyers = Vec::new();
    let more = |server: &Server| attempt(&server.dir, &["seller", "create-buyer", "--home", "seller"]);
    buyers.push(word(&more(&server).expect("small things still fit"), "layerlock_").to_owned());

    // Then the last byte is taken, and no record fits any more.
    let mut filler = fs::File::create(disk().join("filler")).expect("there is an inode");
    while filler.write_all(&[7; 4096]).is_ok() {}
    while filler.write_all(&[7]).is_ok() {}
    let words = loop {
        match more(&server) {
            Ok(words) => buyers.push(word(&words, "layerlock_").to_owned()),
            Err(words) => break words,
        }
        assert!(buyers.len() < 10_000, "records still fit");
    };
    assert!(words.contains("Free space and restart"), "{words}");
    let begun = Instant::now();
    while !server.run(&["operator", "status"]).contains("not serving") {
        assert!(begun.elapsed() < Duration::from_secs(20), "it still calls itself serving");
        thread::sleep(Duration::from_millis(200));
    }
    server.end();

    // Space, a start, and all is there, once.
    for name in ["filler", "ballast"] {
        fs::remove_file(disk().join(name)).expect("it is there");
    }
    let server = Server::start(dir.path());
    for (number, key) in buyers.iter().enumerate() {
        server.run(&["buyer", "join", "--api-key", key, "--home", &format!("buyer-{number}")]);
    }
    let listed = server.run(&["seller", "designs", "--home", "seller"]);
    assert!(
        designs.iter().all(|design| listed.matches(design.as_str()).count() == 1),
        "{designs:?}: {listed}"
    );
    let files = fs::read_dir(disk().join("vault-files/designs")).expect("there");
    let files = files.filter(|file| file.as_ref().is_ok_and(|file| file.file_name() != "LOCK")).count();
    assert_eq!(files, 2 * designs.len(), "files of designs that were never answered");
    more(&server).expect("it serves again");
}
