//! A disk that promises what POSIX promises and keeps nothing else.
//!
//! Files have what programs see (`now`) and what is on the platter (`durable`); a power cut keeps any subset of the
//! sectors and directory changes that weren't synced, in any order. A sync that fails loses what it should have
//! written and calls it clean, as Linux does. Any operation can be made to fail, done or not, and the power can go at
//! any operation.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::journal::disk::{Appender, Disk};

const SECTOR: usize = 64;

/// Cloning gives another handle on the same disk.
#[derive(Clone)]
pub struct SimDisk {
    place: PathBuf,
    state: Arc<Mutex<State>>,
}

/// What happens to the operation with a given number, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It fails and has done nothing.
    FailsUndone,
    /// It fails half way; what can't be done by halves isn't done.
    FailsHalfDone,
    /// It fails but was done.
    FailsDone,
    /// The power goes: neither it nor anything after it happens.
    PowerCut,
}

#[derive(Default)]
struct State {
    inodes: Vec<Inode>,
    /// The directory as programs see it.
    now: BTreeMap<String, usize>,
    /// The directory on the platter.
    durable: BTreeMap<String, usize>,
    /// Changes to the directory since it was synced.
    pending: Vec<DirChange>,
    operations: u64,
    trouble: Option<(u64, Trouble)>,
    power_is_off: bool,
}

#[derive(Clone, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: BTreeSet<usize>,
}

#[derive(Clone)]
enum DirChange {
    Link(String, usize),
    Rename(String, String, usize),
    Unlink(String),
}

/// What is left to do of an operation.
enum Extent {
    All,
    Half,
    Nothing,
}

/// SplitMix64: small, seeded, the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

impl SimDisk {
    pub fn new(place: &Path) -> SimDisk {
        SimDisk { place: place.to_owned(), state: Arc::default() }
    }

    /// Orders trouble `after` more operations; replaces what was ordered.
    pub fn order(&self, after: u64, trouble: Trouble) {
        let mut state = self.state.lock().unwrap();
        state.trouble = Some((state.operations + after, trouble));
    }

    /// Whether the trouble that was ordered has come.
    pub fn met_trouble(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.trouble.is_some_and(|(at, _)| state.operations > at)
    }

    /// The machine goes on, only the process was killed: what it wrote is in the cache, synced or not.
    pub fn restart_process(&self) {
        let mut state = self.state.lock().unwrap();
        state.trouble = None;
        state.power_is_off = false;
    }

    /// The power goes and comes back: some of what wasn't synced is there, as chance has it.
    pub fn cycle_power(&self, random: &mut Random) {
        // Nothing, anything, or everything of what was in the cache.
        let luck = [0, 50, 50, 90, 100][random.below(5) as usize];
        self.cycle_power_with(luck, random);
    }

    /// As `cycle_power`; `luck` in a hundred unsynced sectors and directory changes survive.
    pub fn cycle_power_with(&self, luck: u64, random: &mut Random) {
        let mut state = self.state.lock().unwrap();
        let mut directory = state.durable.clone();
        for change in std::mem::take(&mut state.pending) {
            if random.below(100) < luck {
                change.apply(&mut directory);
            }
        }
        state.now = directory.clone();
        state.durable = directory;
        for inode in &mut state.inodes {
            inode.survive(luck, random);
        }
        state.trouble = None;
        state.power_is_off = false;
    }

    fn operate(&self, act: impl FnOnce(&mut State, Extent) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.power_is_off {
            return Err(io::Error::other("the power is off"));
        }
        let number = state.operations;
        state.operations += 1;
        let trouble = state.trouble.filter(|(at, _)| *at == number).map(|(_, trouble)| trouble);
        let extent = match trouble {
            None => return act(&mut state, Extent::All),
            Some(Trouble::FailsDone) => Extent::All,
            Some(Trouble::FailsHalfDone) => Extent::Half,
            Some(Trouble::FailsUndone) => Extent::Nothing,
            Some(Trouble::PowerCut) => {
                state.power_is_off = true;
                return Err(io::Error::other("the power went"));
            }
        };
        act(&mut state, extent)?;
        Err(io::Error::new(io::ErrorKind::StorageFull, "an ordered failure"))
    }

    fn change_dir(&self, change: impl FnOnce(&State) -> io::Result<DirChange>) -> io::Result<()> {
        self.operate(|state, extent| {
            let change = change(state)?;
            if matches!(extent, Extent::All) {
                change.apply(&mut state.now);
                state.pending.push(change);
            }
            Ok(())
        })
    }
}

impl DirChange {
    fn apply(&self, directory: &mut BTreeMap<String, usize>) {
        match self {
            DirChange::Link(name, inode) => drop(directory.insert(name.clone(), *inode)),
            DirChange::Unlink(name) => drop(directory.remove(name)),
            DirChange::Rename(from, to, inode) => {
                directory.remove(from);
                directory.insert(to.clone(), *inode);
            }
        }
    }
}

impl State {
    fn inode(&self, name: &str) -> io::Result<usize> {
        self.now.get(name).copied().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Inode {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        self.now[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }

    fn sync(&mut self) {
        self.durable.resize(self.now.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            copy_sector(&self.now, &mut self.durable, sector);
        }
    }

    /// What a power cut leaves: some of the dirty sectors, and some length between the old and the new one.
    fn survive(&mut self, luck: u64, random: &mut Random) {
        if !self.dirty.is_empty() || self.now.len() != self.durable.len() {
            let (short, long) =
                (self.now.len().min(self.durable.len()), self.now.len().max(self.durable.len()));
            let length = match random.below(3) {
                0 => self.durable.len(),
                1 => self.now.len(),
                _ => short + random.below((long - short + 1) as u64) as usize,
            };
            self.durable.resize(length, 0);
            for sector in std::mem::take(&mut self.dirty) {
                if random.below(100) < luck {
                    copy_sector(&self.now, &mut self.durable, sector);
                }
            }
        }
        self.now = self.durable.clone();
    }
}

fn copy_sector(from: &[u8], to: &mut [u8], sector: usize) {
    let start = sector * SECTOR;
    let end = (start + SECTOR).min(from.len()).min(to.len());
    if start < end {
        to[start..end].copy_from_slice(&from[start..end]);
    }
}

impl Disk for SimDisk {
    fn place(&self) -> &Path {
        &self.place
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state.lock().unwrap().now.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let state = self.state.lock().unwrap();
        let inode = state.inode(name)?;
        Ok(Box::new(Cursor::new(state.inodes[inode].now.clone())))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Appender>> {
        let inode = {
            let mut state = self.state.lock().unwrap();
            state.inodes.push(Inode::default());
            state.inodes.len() - 1
        };
        self.change_dir(|_| Ok(DirChange::Link(name.to_owned(), inode)))?;
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn append_to(&self, name: &str) -> io::Result<Box<dyn Appender>> {
        let inode = self.state.lock().unwrap().inode(name)?;
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change_dir(|state| Ok(DirChange::Rename(from.to_owned(), to.to_owned(), state.inode(from)?)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change_dir(|state| state.inode(name).map(|_| DirChange::Unlink(name.to_owned())))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.operate(|state, extent| {
            if matches!(extent, Extent::All) {
                state.pending.clear();
                state.durable = state.now.clone();
            }
            Ok(())
        })
    }
}

struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl SimFile {
    fn operate(&self, act: impl FnOnce(&mut Inode, Extent)) -> io::Result<()> {
        self.disk.operate(|state, extent| {
            act(&mut state.inodes[self.inode], extent);
            Ok(())
        })
    }
}

impl Appender for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.operate(|inode, extent| {
            let end = inode.now.len();
            match extent {
                Extent::All => inode.write(end, bytes),
                Extent::Half => inode.write(end, &bytes[..bytes.len() / 2]),
                Extent::Nothing => {}
            }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.operate(|inode, extent| match extent {
            Extent::All => inode.sync(),
            // The cache keeps the bytes, calls them clean, and the platter never sees them.
            Extent::Half | Extent::Nothing => inode.dirty.clear(),
        })
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.operate(|inode, extent| match extent {
            Extent::All => inode.write(offset as usize, bytes),
            Extent::Half => inode.write(offset as usize, &bytes[..bytes.len() / 2]),
            Extent::Nothing => {}
        })
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.operate(|inode, extent| {
            if matches!(extent, Extent::All) {
                inode.now.truncate(length as usize);
                inode.dirty.insert(length as usize / SECTOR);
            }
        })
    }
}
