//! Small files of the program itself: whole, durable and, where they hold a key, for their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes a folder only its owner can enter, and the folders above it.
pub fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(named(path))
}

/// Writes a file anyone may read.
pub fn write_public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, 0o644)
}

/// Writes a file its owner alone may read.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, 0o600)
}

/// Writes a new file its owner alone may read; one that is there stays as it is.
pub fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create(path, bytes, 0o600)
}

/// Writes a new file anyone may read; one that is there stays as it is.
pub fn create_public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create(path, bytes, 0o644)
}

/// Opens a file to be read in pieces, with its length; an error names it.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path).map_err(named(path))?;
    let there = file.metadata().map_err(named(path))?;
    if there.is_dir() {
        let words = format!("{}: is a folder; name the file in it", path.display());
        return Err(io::Error::new(io::ErrorKind::IsADirectory, words));
    }
    Ok((file, there.len()))
}

/// Reads a file; an error names it.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(named(path))
}

/// Made and filled under its own name, which nobody had: a crash leaves at worst a file that is too short.
fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        File::open(folder(path))?.sync_all()
    };
    write().map_err(named(path))
}

/// New bytes beside the old, synced, then put in their place: a crash leaves one or the other, never a half.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder(path))?.sync_all()
    };
    write().map_err(named(path))
}

/// The folder a file is in; a bare name is in the current one.
pub fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Names the file in an error.
pub fn named(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_in_the_current_folder() {
        assert_eq!(folder(Path::new("picture.png")), Path::new("."));
        assert_eq!(folder(Path::new("a/picture.png")), Path::new("a"));
    }

    #[test]
    fn a_folder_is_not_read_and_is_named() {
        let error = open(Path::new("src")).expect_err("a folder");
        assert!(error.to_string().contains("src: is a folder"), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let error = write_public(Path::new("no-such-folder/picture.png"), b"").expect_err("no such folder");
        assert!(error.to_string().contains("no-such-folder/picture.png"), "{error}");
    }
}
