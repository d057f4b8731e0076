//! The spool: one job's ciphertext on the device's disk, from the first segment to the final receipt.
//!
//! Segments stand one after another in one file and delimit themselves, so the file is its own record of what
//! is there; whatever a start finds is checked again, and the first segment that doesn't hold is fetched anew.
//! That is why nothing here syncs: losing the tail costs a fetch, never a print. Everything is bounded: each
//! segment by its header's limit, all of them by the check. Deliberately absent: plaintext.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use layerlock_seal::toolpath::{OVERHEAD, Segment};
use layerlock_terms::envelope::SEGMENT_LIMIT;
use layerlock_terms::ids::JobId;
use layerlock_terms::wire::{Reader, Writer};

use crate::check::Offer;
use crate::disk;

/// Longest statement of an offer, in bytes.
const STATEMENT_LIMIT: u32 = 64 * 1024;

/// The stored envelope of one job.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    file: File,
    /// Where each stored segment begins, and where the last one ends.
    marks: Vec<u64>,
}

/// An offer and a manifest found from an earlier run.
pub(crate) struct Found {
    pub spool: Spool,
    pub offer: Offer,
    pub manifest: Option<Vec<u8>>,
}

impl Spool {
    /// Begins a job's spool; what an earlier job left is gone.
    pub(crate) fn begin(home: &Path, job: JobId, offer: &Offer) -> io::Result<Self> {
        clear(home)?;
        let dir = home.join("spool");
        std::fs::create_dir_all(&dir)?;
        disk::sync_parent(&dir)?;
        disk::replace(&dir.join("offer"), &emit_offer(job, offer))?;
        let file = disk::create(&dir.join("segments"))?;
        Ok(Self { dir, file, marks: vec![0] })
    }

    /// Takes up what an earlier run stored for `job`, if its offer is there whole.
    pub(crate) fn find(home: &Path, job: JobId) -> io::Result<Option<Found>> {
        let dir = home.join("spool");
        let Some(offer) = read_if_there(&dir.join("offer"))?.and_then(|bytes| parse_offer(job, &bytes))
        else {
            return Ok(None);
        };
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(dir.join("segments"))?;
        let marks = scan(&mut file)?;
        let manifest = read_if_there(&dir.join("manifest"))?;
        let mut spool = Self { dir, file, marks };
        spool.cut(spool.segments())?;
        Ok(Some(Found { spool, offer, manifest }))
    }

    /// How many segments are stored.
    pub(crate) fn segments(&self) -> u32 {
        u32::try_from(self.marks.len() - 1).expect("a checker counts segments in 32 bits")
    }

    /// Appends a checked segment.
    pub(crate) fn append(&mut self, segment: &[u8]) -> io::Result<()> {
        let end = self.end();
        self.file.write_all_at(segment, end)?;
        self.marks.push(end + segment.len() as u64);
        Ok(())
    }

    /// Keeps the first `segments` and forgets the rest.
    pub(crate) fn cut(&mut self, segments: u32) -> io::Result<()> {
        self.marks.truncate(segments as usize + 1);
        self.file.set_len(self.end())
    }

    /// One stored segment.
    pub(crate) fn segment(&self, index: u32) -> io::Result<Vec<u8>> {
        let index = index as usize;
        let (from, to) = match self.marks.get(index..index + 2) {
            Some(&[from, to]) => (from, to),
            Some(_) | None => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let length = usize::try_from(to - from).expect("a segment is far under 4 GiB");
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, from)?;
        Ok(bytes)
    }

    /// Stores the manifest beside the segments.
    pub(crate) fn keep_manifest(&self, manifest: &[u8]) -> io::Result<()> {
        disk::replace(&self.dir.join("manifest"), manifest)
    }

    fn end(&self) -> u64 {
        self.marks.last().copied().unwrap_or_default()
    }
}

/// Removes whatever a job left in the spool.
pub(crate) fn clear(home: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(home.join("spool")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Where each whole segment begins, one segment in memory at a time.
fn scan(file: &mut File) -> io::Result<Vec<u64>> {
    let mut marks = vec![0];
    let mut window = Vec::new();
    let mut at = 0;
    loop {
        let wanted = (SEGMENT_LIMIT as usize + OVERHEAD).saturating_sub(window.len());
        (&mut *file).take(wanted as u64).read_to_end(&mut window)?;
        let Ok((_, rest)) = Segment::split_first(&window, SEGMENT_LIMIT) else { return Ok(marks) };
        let length = window.len() - rest.len();
        at += length as u64;
        marks.push(at);
        window.drain(..length);
    }
}

fn emit_offer(job: JobId, offer: &Offer) -> Vec<u8> {
    let mut w = Writer::new();
    w.raw(job.as_bytes());
    w.bytes(&offer.header.emit()).bytes(&offer.license.emit()).bytes(&offer.hold.emit());
    w.finish()
}

fn parse_offer(job: JobId, bytes: &[u8]) -> Option<Offer> {
    let mut r = Reader::new(bytes);
    let named = JobId::from_bytes(r.array("job").ok()?);
    let mut next = |field| r.bytes(field, STATEMENT_LIMIT).ok();
    let offer = Offer::parse(next("header")?, next("license")?, next("hold")?).ok()?;
    (named == job).then_some(offer)
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
