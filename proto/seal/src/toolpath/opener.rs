//! Opening, hop 11: a released epoch secret and a checked segment give plaintext, in order, once.
//!
//! A stored envelope is opened against its [`Checked`] evidence; a live one is checked segment by segment
//! and opened as it comes. Either way a secret is taken only if it is the one the signed frames commit to,
//! and the secrets of epochs that are over are erased.

use std::collections::BTreeMap;

use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};

use super::checker::{Checked, Checker};
use super::epoch::{EpochKey, EpochSecret};
use super::segment::{self, Segment, SegmentInfo};
use super::{Reason, Refused};
use crate::primitives::{self, TAG};
use crate::statement::Verified;

/// Opens a checked envelope.
pub struct Opener {
    hash: Digest,
    limit: u32,
    commitments: Vec<[u8; 32]>,
    keys: BTreeMap<u32, EpochKey>,
    next: u32,
}

/// Checks and opens an envelope that is still coming.
pub struct Live {
    checker: Checker,
    keys: BTreeMap<u32, EpochKey>,
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
            commitments: checked.commitments().to_vec(),
            keys: BTreeMap::new(),
            next,
        }
    }

    /// Takes a released secret.
    ///
    /// # Errors
    /// [`Reason::CannotOpen`] at the segment due when the checked frames commit to another secret.
    pub fn add_epoch(&mut self, secret: &EpochSecret) -> Result<(), Refused> {
        let key = secret.key(&self.hash);
        if self.commitments.get(secret.epoch() as usize) != Some(&key.commitment) {
            return Err(Refused { index: self.next, reason: Reason::CannotOpen });
        }
        self.keys.insert(secret.epoch(), key);
        Ok(())
    }

    /// Whether this epoch's secret is here: taken, and not erased yet.
    pub fn holds(&self, epoch: u32) -> bool {
        self.keys.contains_key(&epoch)
    }

    /// Opens the next segment; appends its plaintext to `out`. The secrets of earlier epochs are erased.
    ///
    /// # Errors
    /// [`Refused`] at the index that was due; `out` is as it was.
    pub fn open(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<SegmentInfo, Refused> {
        let refused = |reason| Refused { index: self.next, reason };
        let segment = Segment::parse(bytes, self.limit).map_err(refused)?;
        if segment.info().index != self.next {
            return Err(refused(Reason::OutOfOrder));
        }
        open_segment(&self.hash, &self.keys, &segment, out).map_err(refused)?;
        self.keys = self.keys.split_off(&segment.info().epoch);
        self.next += 1;
        Ok(segment.info())
    }
}

impl Live {
    /// Begins with a verified header.
    pub fn new(header: Verified<EnvelopeHeader>) -> Self {
        Self { checker: Checker::new(header), keys: BTreeMap::new() }
    }

    /// Takes a released secret. Whether it is the right one shows with the epoch's first segment.
    pub fn add_epoch(&mut self, secret: &EpochSecret) {
        self.keys.insert(secret.epoch(), secret.key(self.checker.header_hash()));
    }

    /// Checks the next segment, opens it, appends its plaintext to `out`.
    ///
    /// # Errors
    /// [`Refused`] at the index that was due; `out` is as it was, and the segment counts as not come.
    pub fn open(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<SegmentInfo, Refused> {
        let admitted = self.checker.admit(bytes)?;
        let info = admitted.segment.info();
        open_segment(self.checker.header_hash(), &self.keys, &admitted.segment, out)
            .map_err(|reason| Refused { index: info.index, reason })?;
        self.keys = self.keys.split_off(&info.epoch);
        self.checker.take(&admitted);
        Ok(info)
    }

    /// Ends with the manifest; what was printed is now known to have been whole.
    ///
    /// # Errors
    /// As [`Checker::finish`].
    pub fn finish(self, manifest: &Verified<Manifest>) -> Result<Checked, Refused> {
        self.checker.finish(manifest)
    }
}

fn open_segment(
    header: &Digest,
    keys: &BTreeMap<u32, EpochKey>,
    segment: &Segment<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Reason> {
    let info = segment.info();
    let key = keys.get(&info.epoch).ok_or(Reason::NoEpochSecret)?;
    if key.commitment != *segment.commitment {
        return Err(Reason::CannotOpen);
    }
    let (body, tag) = segment.sealed.split_last_chunk::<TAG>().expect("a parsed segment has its tag");
    let aad = segment::associated_data(header, segment.frame);
    let from = out.len();
    out.extend_from_slice(body);
    primitives::decrypt(&key.key, &segment::nonce(info.index), &aad, &mut out[from..], tag).map_err(|_| {
        out.truncate(from);
        Reason::CannotOpen
    })
}
