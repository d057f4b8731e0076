//! Writes the first inputs of the fuzzer that reads meshes: the files that the reader's own tests begin with, none kept twice.

#[path = "../../../tests/hostile_bytes/files.rs"]
mod files;
#[path = "../../../../../tests/src/meshes.rs"]
#[allow(dead_code)]
mod meshes;

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/parse");
    fs::create_dir_all(&folder)?;
    for (number, bytes) in files::good_files().iter().enumerate() {
        fs::write(folder.join(format!("good-{number:02}")), bytes)?;
    }
    Ok(())
}
