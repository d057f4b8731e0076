//! Blobs as files of one directory, for one process.
//!
//! A blob is written to a temporary file, synced, renamed to its name, and the directory is synced; only then does
//! [`FileWriter::commit`] return. A writer that fails or is dropped leaves nothing, and what a crash leaves is swept
//! on open. A blob never changes under its name: a taken name is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{BlobError, BlobName};
use crate::lock::DirLock;

/// A directory of blobs, locked for this process.
#[derive(Clone, Debug)]
pub struct BlobDir {
    shared: Arc<Shared>,
}

/// A file in the making. Dropped without [`FileWriter::commit`], it leaves nothing.
#[derive(Debug)]
pub struct FileWriter {
    shared: Arc<Shared>,
    name: BlobName,
    /// `None` once the bytes have their name.
    temporary: Option<PathBuf>,
    file: File,
    bytes: u64,
}

/// A blob opened for reading, from the start.
#[derive(Debug)]
pub struct FileReader {
    file: File,
    bytes: u64,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    /// Makes temporary names of one process distinct; a name's writers may be many.
    writers: AtomicU64,
    _lock: DirLock,
}

const TEMPORARY: &str = ".writing";

impl BlobDir {
    /// Opens `dir`, made if needed, and removes what a crash left half written.
    ///
    /// # Errors
    /// [`BlobError::Lock`] when another process has it, [`BlobError::Io`] otherwise.
    pub fn open(dir: &Path) -> Result<BlobDir, BlobError> {
        let lock = DirLock::take(dir)?;
        for entry in fs::read_dir(dir).map_err(|source| io_error(dir, source))? {
            let path = entry.map_err(|source| io_error(dir, source))?.path();
            if path.to_string_lossy().ends_with(TEMPORARY) {
                fs::remove_file(&path).map_err(|source| io_error(&path, source))?;
            }
        }
        let shared = Shared { dir: dir.to_owned(), writers: AtomicU64::new(0), _lock: lock };
        Ok(BlobDir { shared: Arc::new(shared) })
    }

    /// Begins a blob. Nothing is under `name` until the writer commits.
    ///
    /// # Errors
    /// [`BlobError::Taken`], [`BlobError::Full`], [`BlobError::Io`].
    pub fn create(&self, name: &BlobName) -> Result<FileWriter, BlobError> {
        if self.contains(name) {
            return Err(BlobError::Taken { name: name.clone() });
        }
        let writer = self.shared.writers.fetch_add(1, Ordering::Relaxed);
        let temporary = self.shared.dir.join(format!("{name}.{writer}{TEMPORARY}"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(|source| self.shared.failed(&temporary, source))?;
        Ok(FileWriter {
            shared: self.shared.clone(),
            name: name.clone(),
            temporary: Some(temporary),
            file,
            bytes: 0,
        })
    }

    /// Opens a blob for reading.
    ///
    /// # Errors
    /// [`BlobError::Absent`], [`BlobError::Io`].
    pub fn read(&self, name: &BlobName) -> Result<FileReader, BlobError> {
        let path = self.shared.path(name);
        let open = || File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) = open().map_err(|source| absent_or_io(name, &path, source))?;
        Ok(FileReader { file, bytes })
    }

    /// Whether there is a blob of this name.
    pub fn contains(&self, name: &BlobName) -> bool {
        self.shared.path(name).exists()
    }

    /// Removes a blob, durably. Readers that have it open may finish.
    ///
    /// # Errors
    /// [`BlobError::Absent`], [`BlobError::Io`].
    pub fn delete(&self, name: &BlobName) -> Result<(), BlobError> {
        let path = self.shared.path(name);
        fs::remove_file(&path).map_err(|source| absent_or_io(name, &path, source))?;
        self.shared.sync()
    }

    /// The names of all blobs, in order: for finding those no record names.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn names(&self) -> Result<Vec<BlobName>, BlobError> {
        let dir = &self.shared.dir;
        let entries = fs::read_dir(dir).map_err(|source| io_error(dir, source))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| io_error(dir, source))?;
            names.extend(BlobName::parse(&entry.file_name().to_string_lossy()).ok());
        }
        names.sort();
        Ok(names)
    }
}

impl FileWriter {
    /// Makes the blob durable under its name; answers its size in bytes.
    ///
    /// # Errors
    /// [`BlobError::Taken`], [`BlobError::Full`], [`BlobError::Io`]; whichever, nothing is left behind.
    pub fn commit(mut self) -> Result<u64, BlobError> {
        let temporary =
            self.temporary.take().expect("only commit takes the temporary name, and it consumes the writer");
        let named = self.file.sync_all().map_err(|source| self.shared.failed(&temporary, source));
        let named = named.and_then(|()| self.shared.name(&temporary, &self.name));
        // If we crash before this line, the temporary file is swept on the next open.
        let removed = fs::remove_file(&temporary).map_err(|source| io_error(&temporary, source));
        named?;
        if let Err(error) = removed.and_then(|()| self.shared.sync()) {
            // Whether the name is durable is unknown now, so it's taken back.
            let _ = fs::remove_file(self.shared.path(&self.name));
            return Err(error);
        }
        Ok(self.bytes)
    }
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes).map_err(|source| {
            let kind = source.kind();
            io::Error::new(kind, self.shared.failed(&self.shared.path(&self.name), source))
        })?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // A failure here costs space only: the next open sweeps the file.
            let _ = fs::remove_file(temporary);
        }
    }
}

impl FileReader {
    /// The blob's size in bytes.
    pub fn size(&self) -> u64 {
        self.bytes
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Shared {
    fn path(&self, name: &BlobName) -> PathBuf {
        self.dir.join(&name.0)
    }

    /// Gives written bytes their name. A link, not a rename: a link never replaces what has the name already.
    fn name(&self, temporary: &Path, name: &BlobName) -> Result<(), BlobError> {
        match fs::hard_link(temporary, self.path(name)) {
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                Err(BlobError::Taken { name: name.clone() })
            }
            Err(source) => Err(self.failed(temporary, source)),
            Ok(()) => Ok(()),
        }
    }

    fn sync(&self) -> Result<(), BlobError> {
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(|source| io_error(&self.dir, source))
    }

    fn failed(&self, path: &Path, source: io::Error) -> BlobError {
        match source.kind() {
            io::ErrorKind::StorageFull => BlobError::Full { dir: self.dir.clone() },
            _ => io_error(path, source),
        }
    }
}

fn io_error(path: &Path, source: io::Error) -> BlobError {
    BlobError::Io { path: path.to_owned(), source }
}

fn absent_or_io(name: &BlobName, path: &Path, source: io::Error) -> BlobError {
    match source.kind() {
        io::ErrorKind::NotFound => BlobError::Absent { name: name.clone() },
        _ => io_error(path, source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> BlobName {
        BlobName::parse(text).unwrap()
    }

    fn store(dir: &BlobDir, text: &str, bytes: &[u8]) {
        let mut writer = dir.create(&name(text)).unwrap();
        writer.write_all(bytes).unwrap();
        assert_eq!(writer.commit().unwrap(), bytes.len() as u64);
    }

    fn content(dir: &BlobDir, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        dir.read(&name(text)).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn files(dir: &Path) -> Vec<String> {
        let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut all: Vec<_> = all.filter(|file| file != "LOCK").collect();
        all.sort();
        all
    }

    #[test]
    fn a_blob_is_there_after_commit_and_after_opening_again() {
        let at = tempfile::tempdir().unwrap();
        let dir = BlobDir::open(at.path()).unwrap();
        store(&dir, "0a", b"sealed");
        drop(dir);
        let dir = BlobDir::open(at.path()).unwrap();
        assert_eq!(content(&dir, "0a"), b"sealed");
        assert_eq!(dir.read(&name("0a")).unwrap().size(), 6);
        assert_eq!(dir.names().unwrap(), [name("0a")]);
    }

    #[test]
    fn a_writer_that_is_dropped_leaves_nothing() {
        let at = tempfile::tempdir().unwrap();
        let dir = BlobDir::open(at.path()).unwrap();
        let mut writer = dir.create(&name("0a")).unwrap();
        writer.write_all(b"half").unwrap();
        assert!(!dir.contains(&name("0a")));
        drop(writer);
        assert_eq!(files(at.path()), Vec::<String>::new());
    }

    #[test]
    fn what_a_crash_left_half_written_is_swept_on_open() {
        let at = tempfile::tempdir().unwrap();
        fs::write(at.path().join(format!("0a.7{TEMPORARY}")), b"half").unwrap();
        fs::write(at.path().join("0b"), b"whole").unwrap();
        let dir = BlobDir::open(at.path()).unwrap();
        assert_eq!(files(at.path()), ["0b"]);
        assert_eq!(content(&dir, "0b"), b"whole");
    }

    #[test]
    fn of_two_writers_of_one_name_the_second_is_refused_and_leaves_nothing() {
        let at = tempfile::tempdir().unwrap();
        let dir = BlobDir::open(at.path()).unwrap();
        let mut late = dir.create(&name("0a")).unwrap();
        late.write_all(b"second").unwrap();
        store(&dir, "0a", b"first");
        assert!(matches!(late.commit(), Err(BlobError::Taken { .. })));
        assert!(matches!(dir.create(&name("0a")), Err(BlobError::Taken { .. })));
        assert_eq!(content(&dir, "0a"), b"first");
        assert_eq!(files(at.path()), ["0a"]);
    }

    #[test]
    fn a_deleted_blob_is_absent_by_name() {
        let at = tempfile::tempdir().unwrap();
        let dir = BlobDir::open(at.path()).unwrap();
        store(&dir, "0a", b"x");
        dir.delete(&name("0a")).unwrap();
        assert_eq!(dir.read(&name("0a")).unwrap_err().to_string(), "there is no blob 0a");
        assert!(matches!(dir.delete(&name("0a")), Err(BlobError::Absent { .. })));
    }

    #[test]
    fn names_are_never_paths() {
        for given in ["", "..", "a/b", "/", "A0", "g", "0a.0.writing", "LOCK", "a\0", &"a".repeat(129)] {
            assert!(matches!(BlobName::parse(given), Err(BlobError::Name { .. })), "{given:?}");
        }
        assert_eq!(BlobName::from_bytes(&[0, 0xAF]).unwrap(), name("00af"));
    }

    #[test]
    fn a_second_owner_of_the_directory_is_refused_by_name() {
        let at = tempfile::tempdir().unwrap();
        let _first = BlobDir::open(at.path()).unwrap();
        let refusal = BlobDir::open(at.path()).unwrap_err().to_string();
        assert!(refusal.contains(&at.path().display().to_string()), "{refusal}");
    }
}
