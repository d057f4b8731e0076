//! The few things the journal asks of a disk, so that tests can cut the power between any two of them.
//!
//! What each promises is what POSIX and Linux promise and no more: appended bytes are durable after `sync`, a name
//! after `sync_dir`. The journal must not rely on anything else; the simulated disk of the tests sees to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// One directory of files.
pub trait Disk: Send + Sync + 'static {
    /// Where it is, for messages.
    fn place(&self) -> &Path;
    /// The names of all files.
    fn names(&self) -> io::Result<Vec<String>>;
    /// A file from its start.
    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;
    /// A new, empty file; durable by name only after `sync_dir`.
    fn create(&self, name: &str) -> io::Result<Box<dyn Appender>>;
    /// An existing file, to be appended to.
    fn append_to(&self, name: &str) -> io::Result<Box<dyn Appender>>;
    /// Replaces `to` if it exists.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals so far durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// A file that grows at its end.
pub trait Appender: Send {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything appended, rewritten and cut so far durable, with the length needed to read it.
    fn sync(&mut self) -> io::Result<()>;
    /// As `sync`, and all there is to know about the file: for one that was just created.
    fn sync_all(&mut self) -> io::Result<()>;
    /// Writes bytes again where they already stand.
    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Takes everything from `length` on away.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// A directory of the file system.
#[derive(Debug)]
pub struct DirDisk {
    dir: PathBuf,
}

impl DirDisk {
    pub fn new(dir: &Path) -> DirDisk {
        DirDisk { dir: dir.to_owned() }
    }
}

impl Disk for DirDisk {
    fn place(&self) -> &Path {
        &self.dir
    }

    fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::BufReader::with_capacity(1 << 16, File::open(self.dir.join(name))?)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Appender>> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(self.dir.join(name))?;
        Ok(Box::new(file))
    }

    fn append_to(&self, name: &str) -> io::Result<Box<dyn Appender>> {
        let mut file = OpenOptions::new().write(true).open(self.dir.join(name))?;
        file.seek(SeekFrom::End(0))?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

impl Appender for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // fdatasync: it leaves out the times, never the length.
        self.sync_data()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        File::sync_all(self)
    }

    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.write_all(bytes)?;
        self.seek(SeekFrom::End(0)).map(drop)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::End(0)).map(drop)
    }
}
