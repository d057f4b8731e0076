//! Checking without keys, hop 9: is this the whole envelope, as signed, in order, for this header?
//!
//! Reads ciphertext only, so a device checks everything before it asks for the first secret, and anyone who
//! stores envelopes can check them too. Shape and order show segment by segment; that every byte is the one the
//! vault sealed shows with the manifest. Every refusal names the segment and one reason of a closed list.

use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};

use super::segment::{OVERHEAD, Segment, SegmentInfo, layer_follows};
use super::{Ends, Reason, Refused, header_hash};
use crate::primitives::{self, HashList};
use crate::statement::Verified;

/// Takes an envelope's segments in order.
pub struct Checker {
    header: Verified<EnvelopeHeader>,
    hash: Digest,
    last: Option<SegmentInfo>,
    hashes: HashList,
    sealed_bytes: u64,
}

/// A whole envelope that was checked. Made by [`Checker::finish`] alone.
#[derive(Debug, Clone)]
pub struct Checked {
    header: Verified<EnvelopeHeader>,
    hash: Digest,
    manifest: Manifest,
}

impl Checker {
    /// Begins with a verified header; the manifest must be signed by the header's signer.
    pub fn new(header: Verified<EnvelopeHeader>) -> Self {
        let hash = header_hash(header.statement());
        Self { header, hash, last: None, hashes: HashList::new(), sealed_bytes: 0 }
    }

    /// Checks the next segment.
    ///
    /// # Errors
    /// [`Refused`] at the index that was due. The checker stays where it was: the right segment may follow.
    pub fn segment(&mut self, bytes: &[u8]) -> Result<SegmentInfo, Refused> {
        let info = self.admit(bytes)?;
        self.take(info, &primitives::blake3(bytes));
        Ok(info)
    }

    /// Checks the manifest against what came.
    ///
    /// # Errors
    /// [`Refused`] with the number of segments that came and what the manifest has otherwise.
    pub fn finish(self, manifest: &Verified<Manifest>) -> Result<Checked, Refused> {
        match self.compare(manifest) {
            Some(reason) => Err(Refused { index: self.next_index(), reason }),
            None => Ok(Checked { header: self.header, hash: self.hash, manifest: Manifest::clone(manifest) }),
        }
    }

    /// Checks the next segment without counting it as come.
    pub(super) fn admit(&self, bytes: &[u8]) -> Result<SegmentInfo, Refused> {
        let index = self.next_index();
        self.examine(bytes, index).map_err(|reason| Refused { index, reason })
    }

    /// Counts an admitted segment, whose bytes have this hash, as come.
    pub(super) fn take(&mut self, info: SegmentInfo, hash: &Digest) {
        self.hashes.push(hash);
        self.sealed_bytes += u64::from(info.length) + OVERHEAD as u64;
        self.last = Some(info);
    }

    pub(super) fn header_hash(&self) -> &Digest {
        &self.hash
    }

    pub(super) fn next_index(&self) -> u32 {
        self.last.map_or(0, |last| last.index + 1)
    }

    fn examine(&self, bytes: &[u8], index: u32) -> Result<SegmentInfo, Reason> {
        if self.last.is_some_and(|last| last.ends == Ends::Toolpath) {
            return Err(Reason::AfterFinal);
        }
        let info = Segment::parse(bytes, self.header.segment_limit)?.info();
        self.check_place(&info, index)?;
        Ok(info)
    }

    fn check_place(&self, info: &SegmentInfo, index: u32) -> Result<(), Reason> {
        if info.index != index || index == u32::MAX {
            return Err(Reason::OutOfOrder);
        }
        if !layer_follows(self.last.as_ref(), info.layer) {
            return Err(Reason::WrongLayer);
        }
        if info.epoch != info.layer / self.header.epoch_layers {
            return Err(Reason::WrongEpoch);
        }
        Ok(())
    }

    fn compare(&self, manifest: &Verified<Manifest>) -> Option<Reason> {
        let Some(last) = self.last.filter(|last| last.ends == Ends::Toolpath) else {
            return Some(Reason::Incomplete);
        };
        if manifest.signer() != self.header.signer() {
            return Some(Reason::WrongSigner);
        }
        if manifest.header != self.hash {
            return Some(Reason::WrongHeader);
        }
        let counted = [
            // MAN-4, MAN-5, MAN-6, MAN-7, MAN-8, in this order.
            ("segments", manifest.segments == last.index + 1),
            ("sealed_bytes", manifest.sealed_bytes == self.sealed_bytes),
            ("layers", manifest.layers == last.layer + 1),
            ("commitments", manifest.epochs() == last.epoch + 1),
            ("digest", manifest.digest == self.hashes.digest()),
        ];
        counted.iter().find(|(_, equal)| !equal).map(|(field, _)| Reason::BadManifest(field))
    }
}

impl Checked {
    /// The header: job, hold, license, device, machine.
    pub fn header(&self) -> &Verified<EnvelopeHeader> {
        &self.header
    }

    /// The hash that names the envelope.
    pub fn header_hash(&self) -> &Digest {
        &self.hash
    }

    /// The manifest: counts and what the print takes.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}
