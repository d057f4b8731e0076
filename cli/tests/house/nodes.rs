//! One house of several processes on the same records and files: each does its part, and any may die at any moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::bucket;
use crate::cluster;
use crate::killing::{Dice, Nodes, People, settle};
use crate::road::{DESIGN, Server, model, walk};

fn shared(name: &str) -> String {
    format!("records = \"{}\"\nfiles = \"{}\"\n", cluster::database(name), bucket::address(name))
}

/// A folder for a node of the house whose keys lie in `first`; it gets those that `gets` says.
fn node(dir: &Path, name: &str, first: Option<&Path>, gets: impl Fn(&str) -> bool) -> PathBuf {
    let folder = dir.join(name);
    fs::create_dir_all(folder.join("house/keys")).expect("writable");
    for entry in first.into_iter().flat_map(|first| fs::read_dir(first.join("house/keys")).expect("keys")) {
        let file = entry.expect("readable");
        let name = file.file_name().into_string().expect("text");
        if gets(&name) {
            fs::copy(file.path(), folder.join("house/keys").join(name)).expect("writable");
        }
    }
    folder
}

fn everything(_key: &str) -> bool {
    true
}

/// What every node has: the trust files and the TLS identity.
fn is_public(key: &str) -> bool {
    key.ends_with(".trust") || ["ca.pem", "server.pem", "server.key"].contains(&key)
}

fn of_the_licensor(key: &str) -> bool {
    is_public(key) || ["licensor.key", "checkpoint.key", "operator.key"].contains(&key)
}

fn of_the_vault(key: &str) -> bool {
    is_public(key) || ["vault.key", "vault.kek"].contains(&key)
}

#[test]
fn licensor_vault_and_worker_walk_the_road_as_three_processes_with_the_keys_of_their_roles() {
    let dir = tempfile::tempdir().expect("a folder");
    let shared = shared("roles");
    let founded = node(dir.path(), "founded", None, everything);
    drop(Server::start_with(&founded, &shared));
    let one = node(dir.path(), "one", Some(&founded), of_the_licensor);
    let licensor = Server::start_with(&one, &format!("{shared}roles = [\"licensor\"]\n"));
    let at = format!("licensor-at = \"{}\"\n", licensor.connection().licensor);
    let two = node(dir.path(), "two", Some(&founded), of_the_vault);
    let vault = Server::start_with(&two, &format!("{shared}roles = [\"vault\"]\n{at}"));
    let three = node(dir.path(), "three", Some(&founded), of_the_vault);
    let worker = Server::start_with(&three, &format!("{shared}roles = [\"worker\"]\n{at}"));
    fs::write(vault.dir.join(format!("{}.stl", DESIGN)), model()).expect("writable");
    // Whoever walks the road by hand is the operator too, and brings that key.
    fs::copy(one.join("house/keys/operator.key"), two.join("house/keys/operator.key")).expect("writable");
    let secrets = ["licensor.key", "checkpoint.key", "root.key"];
    for (folder, name) in [&two, &three].into_iter().flat_map(|folder| secrets.map(|name| (folder, name))) {
        assert!(!folder.join("house/keys").join(name).exists(), "{name}");
    }
    walk(&vault);
    assert!(vault.run(&["operator", "audit"]).contains("1 leaves"));
    let made_the_step = |server: &Server| {
        let log = server.log();
        log.lines().any(|line| line.contains("\"message\":\"job\"") && line.contains("\"to\":\"sealed\""))
    };
    assert!(made_the_step(&worker), "the worker presses");
    assert!(!made_the_step(&vault), "the vault presses nothing");
    for server in [&licensor, &vault, &worker] {
        assert!(!server.dir.join("house/vault-files").exists(), "files lie in the bucket");
    }
    assert!(!one.join("house/keys/vault.kek").exists(), "the licensor can open no design");
}

const NODES: usize = 3;
const DEVICES: usize = 4;
/// The longest a node lives before it is killed, and the longest it is dead then.
const LIVES: Duration = Duration::from_millis(1_800);
const DEAD: Duration = Duration::from_millis(1_500);

/// How long nodes are killed; more by `LAYERLOCK_KILLING_SECONDS`.
fn killing() -> Duration {
    let seconds = std::env::var("LAYERLOCK_KILLING_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

#[test]
fn over_postgresql_and_a_bucket_designs_are_wrapped_anew_while_a_vault_serves() {
    let dir = tempfile::tempdir().expect("a folder");
    let shared = shared("rotated");
    let folder = node(dir.path(), "one", None, everything);
    let server = Server::start_with(&folder, &shared);
    fs::write(folder.join(format!("{}.stl", DESIGN)), model()).expect("writable");
    walk(&server);
    server.run(&["operator", "kek", "new", "file:second.kek"]);
    server.end();
    let both = format!("{shared}key-encryption-keys = [\"file:second.kek\", \"file:vault.kek\"]\n");
    let server = Server::start_with(&folder, &both);
    let done = server.run(&["operator", "kek", "rewrap", "--config", "serve.toml"]);
    assert!(done.contains("1 wrapped anew") && done.contains("wraps nothing any more"), "{done}");
    assert!(server.run(&["seller", "designs", "--home", "seller"]).contains(DESIGN), "it serves on");
    server.end();
    fs::remove_file(folder.join("house/keys/vault.kek")).expect("it is there");
    let alone = format!("{shared}key-encryption-keys = [\"file:second.kek\"]\n");
    let server = Server::start_with(&folder, &alone);
    assert!(server.run(&["seller", "designs", "--home", "seller"]).contains(DESIGN));
}

#[test]
#[expect(clippy::print_stdout, reason = "a random test says its seed and what it did")]
fn nodes_that_are_killed_at_random_lose_no_job_and_end_each_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let shared = shared("killed");
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let folders: Vec<PathBuf> = (0..NODES).fold(Vec::new(), |mut folders, at| {
        let first = folders.first().map(PathBuf::as_path);
        let folder = node(dir.path(), &format!("node-{at}"), first, everything);
        settle(&folder, &shared, &mut dice);
        // The first start makes the keys.
        drop(Server::start_again(&folder));
        folders.push(folder);
        folders
    });
    let mut nodes = Nodes::start(&folders);
    let people = People::join(dir.path(), &folders, DEVICES);
    let mut kills = 0;
    thread::scope(|scope| {
        let _over = people.until_over();
        scope.spawn(|| people.print_until_over(killing()));
        let begun = Instant::now();
        while begun.elapsed() < killing() {
            nodes.kill_one(&mut dice, LIVES, DEAD);
            kills += 1;
        }
    });
    assert!(kills >= 5, "only {kills} nodes were killed");
    println!("{kills} kills, {} prints", people.printed());
    people.check(kills);
}
