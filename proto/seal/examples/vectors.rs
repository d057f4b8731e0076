//! Writes the conformance files of `proto/vectors` from their generators.
//!
//! Run it after a rule or a format has changed, and read the difference before you commit it: a vector that
//! changed without its rule is a broken promise to every other implementation.

use std::fs;

#[path = "../tests/vectors/file.rs"]
#[expect(dead_code, reason = "the runner reads, this writes")]
mod file;
#[path = "../tests/vectors/forge.rs"]
mod forge;
#[path = "../tests/vectors/generate/mod.rs"]
mod generate;
#[path = "../tests/vectors/nonce.rs"]
mod nonce;
#[path = "../tests/support/mod.rs"]
mod support;

fn main() -> std::io::Result<()> {
    for vector in generate::all() {
        let path = file::directory().join(format!("{}.txt", vector.name));
        fs::create_dir_all(path.parent().expect("a vector lies in a folder"))?;
        fs::write(path, vector.emit())?;
    }
    Ok(())
}
