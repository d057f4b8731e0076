//! Opening, hop 11: a released epoch secret and a segment give plaintext, in order, once, where it stands.
//!
//! A stored envelope is opened against its [`Checked`] evidence, with secrets its manifest commits to; a live one
//! is opened as it comes, with secrets the vault's signed release commits to, and compared with the manifest at
//! its end. The secrets of epochs that are over are erased.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};

use super::checker::{Checked, Checker};
use super::epoch::{EpochKey, EpochSecret};
use super::segment::{self, Segment, SegmentInfo};
use super::{Reason, Refused};
use crate::primitives;
use crate::statement::Verified;

/// Opens a checked envelope.
pub struct Opener {
    hash: Digest,
    limit: u32,
    commitments: Vec<[u8; 32]>,
    keys: BTreeMap<u32, EpochKey>,
    next: u32,
}

/// Opens an envelope that is still coming.
pub struct Live {
    checker: Checker,
    keys: BTreeMap<u32, EpochKey>,
    /// What the secrets taken so far commit to, by epoch.
    commitments: BTreeMap<u32, [u8; 32]>,
}

impl Opener {
    /// Opens from the first segment.
    pub fn new(checked: &Checked) -> Self {
        Self::resume(checked, 0)
    }

    /// Opens from segment `next`, after a stop.
    pub fn resume(checked: &Checked, next: u32) -> Self {
        Self {
            hash: *checked.header_hash(),
            limit: checked.header().segment_limit,
            commitments: checked.manifest().commitments.clone(),
            keys: BTreeMap::new(),
            next,
        }
    }

    /// Takes a released secret.
    ///
    /// # Errors
    /// [`Reason::CannotOpen`] when it isn't the one the manifest commits to (EP-3), or is of another envelope.
    pub fn add_epoch(&mut self, secret: EpochSecret) -> Result<(), Refused> {
        let refused = Refused { index: self.next, reason: Reason::CannotOpen };
        let (epoch, key) = secret.into_key(&self.hash).ok_or(refused)?;
        if self.commitments.get(epoch as usize) != Some(&key.commitment) {
            return Err(refused);
        }
        self.keys.insert(epoch, key);
        Ok(())
    }

    /// Whether this epoch's secret is here: taken, and not erased yet.
    pub fn holds(&self, epoch: u32) -> bool {
        self.keys.contains_key(&epoch)
    }

    /// Opens the next segment in place; gives what its frame says, and its plaintext. The secrets of earlier
    /// epochs are erased.
    ///
    /// # Errors
    /// [`Refused`] at the index that was due. A segment that doesn't open is destroyed: none of its bytes, right
    /// or wrong, is there any more.
    pub fn open<'b>(&mut self, bytes: &'b mut [u8]) -> Result<(SegmentInfo, &'b [u8]), Refused> {
        let index = self.next;
        let refused = |reason| Refused { index, reason };
        let info = Segment::parse(bytes, self.limit).map_err(refused)?.info();
        if info.index != index {
            return Err(refused(Reason::OutOfOrder));
        }
        let text = open(&self.hash, &self.keys, &info, bytes).map_err(refused)?;
        forget_before(&mut self.keys, info.epoch);
        self.next += 1;
        Ok((info, text))
    }
}

impl Live {
    /// Begins with a verified header.
    pub fn new(header: Verified<EnvelopeHeader>) -> Self {
        Self { checker: Checker::new(header), keys: BTreeMap::new(), commitments: BTreeMap::new() }
    }

    /// Takes a released secret.
    ///
    /// # Errors
    /// [`Reason::CannotOpen`] when another secret was taken for this epoch before (EP-4), or it is of another
    /// envelope.
    pub fn add_epoch(&mut self, secret: EpochSecret) -> Result<(), Refused> {
        let refused = Refused { index: self.checker.next_index(), reason: Reason::CannotOpen };
        let (epoch, key) = secret.into_key(self.checker.header_hash()).ok_or(refused)?;
        if *self.commitments.entry(epoch).or_insert(key.commitment) != key.commitment {
            return Err(refused);
        }
        self.keys.insert(epoch, key);
        Ok(())
    }

    /// Checks and opens the next segment in place; gives what its frame says, and its plaintext.
    ///
    /// # Errors
    /// As [`Opener::open`]; the segment counts as not come, and may come again.
    pub fn open<'b>(&mut self, bytes: &'b mut [u8]) -> Result<(SegmentInfo, &'b [u8]), Refused> {
        let info = self.checker.admit(bytes)?;
        // Of the ciphertext, which opening overwrites.
        let hash = primitives::blake3(bytes);
        let text = open(self.checker.header_hash(), &self.keys, &info, bytes)
            .map_err(|reason| Refused { index: info.index, reason })?;
        forget_before(&mut self.keys, info.epoch);
        self.checker.take(info, &hash);
        Ok((info, text))
    }

    /// Ends with the manifest; what was printed is now known to have been whole.
    ///
    /// # Errors
    /// As [`Checker::finish`], and when the manifest commits to other secrets than those taken (EP-4).
    pub fn finish(self, manifest: &Verified<Manifest>) -> Result<Checked, Refused> {
        let index = self.checker.next_index();
        let checked = self.checker.finish(manifest)?;
        let committed = |(epoch, taken): (&u32, _)| manifest.commitments.get(*epoch as usize) == Some(taken);
        match self.commitments.iter().all(committed) {
            true => Ok(checked),
            false => Err(Refused { index, reason: Reason::BadManifest("commitments") }),
        }
    }
}

fn open<'b>(
    header: &Digest,
    keys: &BTreeMap<u32, EpochKey>,
    info: &SegmentInfo,
    segment: &'b mut [u8],
) -> Result<&'b [u8], Reason> {
    let key = keys.get(&info.epoch).ok_or(Reason::NoEpochSecret)?;
    segment::open(header, key, info.index, segment).map_err(|_| Reason::CannotOpen)
}

fn forget_before(keys: &mut BTreeMap<u32, EpochKey>, epoch: u32) {
    while keys.first_key_value().is_some_and(|(first, _)| *first < epoch) {
        keys.pop_first();
    }
}
