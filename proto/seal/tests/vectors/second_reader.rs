//! The second reader, `tests/interop`: Python, written from the pages, sharing no line with this crate. Both readers
//! must end alike on every vector, and on thousands of vectors with one byte changed.
//!
//! A machine without Python fails here and is told what to install: a comparison that didn't run proves nothing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::file::Vector;
use crate::outcome;

/// How many mutations are compared where `LAYERLOCK_MUTATIONS` doesn't say.
const MUTATIONS: usize = 3000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop")
}

/// What the second reader printed; the test fails with its words if it ended otherwise than well.
fn second_reader(arguments: &[&str]) -> String {
    let target =
        Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's own folder is in the target's");
    let python = text(Command::new(folder().join("venv")).arg(target.join("interop-venv")).output());
    text(Command::new(python.trim()).arg("-B").args(arguments).current_dir(folder()).output())
}

fn text(output: std::io::Result<Output>) -> String {
    let output = output.expect("the second reader's programs start");
    let printed = String::from_utf8(output.stdout).expect("they print text");
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// The seed in `LAYERLOCK_SEED`, or a new one: each run compares other mutations and prints how to repeat them.
fn seed() -> String {
    env::var("LAYERLOCK_SEED").unwrap_or_else(|_| {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
        now.as_micros().to_string()
    })
}

#[test]
fn the_second_reader_passes_its_own_tests() {
    second_reader(&["-m", "unittest", "discover", "--start-directory", "unit", "--top-level-directory", "."]);
}

#[test]
fn the_second_reader_ends_as_every_vector_says() {
    let table = second_reader(&["read_vectors.py"]);
    let files = crate::read_all().len();
    assert!(
        table.contains(&format!("{files} vectors, 0 ended otherwise")),
        "{files} vectors are here:\n{table}"
    );
}

fn count() -> usize {
    env::var("LAYERLOCK_MUTATIONS").map_or(MUTATIONS, |count| count.parse().expect("a number of mutations"))
}

#[test]
fn both_readers_end_alike_on_every_mutation() {
    let (seed, count) = (seed(), count());
    let mutated = second_reader(&["read_vectors.py", "--mutate", &count.to_string(), "--seed", &seed]);
    let vectors: Vec<_> = mutated
        .split_terminator("\n\n")
        .map(|file| Vector::parse(format!("LAYERLOCK_SEED={seed}"), file))
        .collect();
    assert_eq!(vectors.len(), count);
    let differing: Vec<_> = vectors.iter().filter_map(difference).collect();
    assert!(differing.is_empty(), "with LAYERLOCK_SEED={seed}:\n{}", differing.join("\n"));
}

/// The mutation and both outcomes, where they are two.
fn difference(vector: &Vector) -> Option<String> {
    let (here, there) = (outcome(vector), vector.field("expect"));
    (here != there).then(|| format!("{}: here `{here}`, there `{there}`", vector.field("comment")))
}
