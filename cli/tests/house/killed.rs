//! One house on its own folder, killed again and again while sellers upload, buyers print and devices report.
//!
//! What was answered is there afterwards, once: uploads, holds, settlements. Twenty-five kills, or as many as
//! `LAYERLOCK_KILLS` says (`./x bench kill`).

use std::collections::BTreeSet;
use std::fs;
use std::slice;
use std::thread;
use std::time::Duration;

use layerlock_slicer::mesh::{Mesh, to_binary_stl};

use crate::killing::{Dice, Nodes, People, settle};
use crate::road::{Server, word};

const DEVICES: usize = 3;
/// The longest the house lives before it is killed, and the longest it is dead then.
const LIVES: Duration = Duration::from_millis(2_000);
const DEAD: Duration = Duration::from_millis(100);
/// The longest a kill and the start after it may take, for the patience of those who wait.
const ROUND: Duration = Duration::from_secs(10);

fn kills() -> usize {
    std::env::var("LAYERLOCK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(25)
}

/// A wall with a wavy top, large enough that a kill finds its upload under way.
pub fn large() -> Vec<u8> {
    let mut mesh = Mesh::default();
    let columns = 3_000_u32;
    for n in 0..=columns {
        let (x, top) = (n as f32 * 0.02, 8.0 + (n as f32 * 0.05).sin());
        mesh.vertices.extend([[x, 0.0, 0.0], [x, 4.0, 0.0], [x, 4.0, top], [x, 0.0, top]]);
    }
    for n in 0..columns {
        let (here, next) = (n * 4, n * 4 + 4);
        for side in 0..4 {
            let other = (side + 1) % 4;
            mesh.triangles.push([here + side, next + other, next + side]);
            mesh.triangles.push([here + side, here + other, next + other]);
        }
    }
    let last = columns * 4;
    mesh.triangles.extend([[0, 2, 1], [0, 3, 2], [last, last + 1, last + 2], [last, last + 2, last + 3]]);
    to_binary_stl(&mesh)
}

/// Uploads, one after the other, until it is over; answers the designs that were acknowledged.
fn upload_until_over(people: &People) -> Vec<String> {
    let (file, seller) = (people.home("large.stl"), people.home("seller"));
    fs::write(&file, large()).expect("writable");
    let mut designs = Vec::new();
    while !people.is_over() {
        match people.run(0, &["seller", "upload", &file, "--home", &seller]) {
            Ok(words) => designs.push(word(&words, "design-").to_owned()),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
    designs
}

#[test]
#[expect(clippy::print_stdout, reason = "a random test says its seed and what it did")]
fn a_house_that_is_killed_again_and_again_loses_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().expect("a folder");
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let (mut dice, kills) = (Dice(seed), kills());
    let folder = dir.path().join("only");
    fs::create_dir(&folder).expect("writable");
    settle(&folder, "", &mut dice);
    let mut nodes = Nodes::start(slice::from_ref(&folder));
    let people = People::join(dir.path(), slice::from_ref(&folder), DEVICES);
    let designs = thread::scope(|scope| {
        let over = people.until_over();
        scope.spawn(|| people.print_until_over(ROUND * kills as u32));
        let uploading = scope.spawn(|| upload_until_over(&people));
        (0..kills).for_each(|_| nodes.kill_one(&mut dice, LIVES, DEAD));
        drop(over);
        uploading.join().expect("its uploads end")
    });
    println!("{kills} kills, {} prints, {} uploads", people.printed(), designs.len());

    // Each acknowledged upload is there, once, and can be opened.
    let listed = people.run(0, &["seller", "designs", "--home", &people.home("seller")]).expect("it runs");
    let listed: Vec<&str> = listed.split_whitespace().filter(|word| word.starts_with("design-")).collect();
    assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len(), "a design is listed twice");
    for design in &designs {
        assert!(listed.contains(&design.as_str()), "{design} was acknowledged and is gone");
    }
    drop(nodes);
    let verified = people.run(0, &["operator", "verify", "--data-dir", "house"]);
    assert!(verified.is_ok(), "{verified:?}");
    let _server = Server::start_again(&folder);
    // The start has swept what uploads left that were cut off: an upload and a picture stay of each design.
    let files = fs::read_dir(folder.join("house/vault-files/designs")).expect("it is there");
    let files = files.filter(|file| file.as_ref().is_ok_and(|file| file.file_name() != "LOCK")).count();
    assert_eq!(files, 2 * listed.len(), "files of designs");
    people.check(kills);
}
