//! Lists the vectors a device can be shown, so that the program carries them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    // Asked when it runs: a build that was moved or is shared looks beside its own pages.
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let vectors = Path::new(&package).join("../../proto/vectors");
    let mut list = String::from("&[\n");
    for kind in ["envelope", "statement"] {
        let folder = vectors.join(kind);
        println!("cargo::rerun-if-changed={}", folder.display());
        let entries = fs::read_dir(&folder).expect("the vectors lie beside the pages");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
        files.sort();
        for file in files {
            let name = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            let path = fs::canonicalize(&file).expect("it is there");
            writeln!(list, "({:?}, include_str!({:?})),", format!("{kind}/{name}"), path).expect("memory");
        }
    }
    list.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("vectors.rs"), list).expect("cargo's own folder");
}
