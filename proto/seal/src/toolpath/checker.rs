//! Checking without keys, hop 9: is this the whole envelope, as signed, in order, for this header?
//!
//! Reads ciphertext only, so a device checks everything before it asks for the first secret, and anyone who
//! stores envelopes can check them too. Every refusal names the segment and one reason of a closed list.

use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};

use super::segment::{Segment, SegmentInfo, layer_follows, signed_bytes};
use super::{Ends, Reason, Refused, header_hash};
use crate::merkle::Frontier;
use crate::statement::Verified;

/// Takes an envelope's segments in order.
pub struct Checker {
    header: Verified<EnvelopeHeader>,
    hash: Digest,
    commitments: Vec<[u8; 32]>,
    last: Option<SegmentInfo>,
    tree: Frontier,
    sealed_bytes: u64,
}

/// A whole envelope that was checked. Made by [`Checker::finish`] alone.
#[derive(Debug, Clone)]
pub struct Checked {
    header: Verified<EnvelopeHeader>,
    hash: Digest,
    manifest: Manifest,
    commitments: Vec<[u8; 32]>,
}

/// The next segment of one checker's envelope, found to be in order and signed.
pub(super) struct Admitted<'a> {
    pub(super) segment: Segment<'a>,
    /// SHA-256 of its ciphertext and tag.
    sealed: Digest,
}

impl Checker {
    /// Begins with a verified header; segments and manifest must be signed by the header's signer.
    pub fn new(header: Verified<EnvelopeHeader>) -> Self {
        let hash = header_hash(header.statement());
        Self { header, hash, commitments: Vec::new(), last: None, tree: Frontier::default(), sealed_bytes: 0 }
    }

    /// Checks the next segment.
    ///
    /// # Errors
    /// [`Refused`] at the index that was due. The checker stays where it was: the right segment may follow.
    pub fn segment(&mut self, bytes: &[u8]) -> Result<SegmentInfo, Refused> {
        let admitted = self.admit(bytes)?;
        let info = admitted.segment.info();
        self.take(&admitted);
        Ok(info)
    }

    /// Checks the manifest against what came.
    ///
    /// # Errors
    /// [`Refused`] with the number of segments that came and what the manifest has otherwise.
    pub fn finish(self, manifest: &Verified<Manifest>) -> Result<Checked, Refused> {
        match self.compare(manifest) {
            Some(reason) => Err(Refused { index: self.next_index(), reason }),
            None => Ok(Checked {
                header: self.header,
                hash: self.hash,
                manifest: Manifest::clone(manifest),
                commitments: self.commitments,
            }),
        }
    }

    /// Checks the next segment without counting it as come.
    pub(super) fn admit<'a>(&self, bytes: &'a [u8]) -> Result<Admitted<'a>, Refused> {
        let index = self.next_index();
        self.examine(bytes, index).map_err(|reason| Refused { index, reason })
    }

    /// Counts an admitted segment as come.
    pub(super) fn take(&mut self, admitted: &Admitted<'_>) {
        let Admitted { segment, sealed } = admitted;
        if segment.info().epoch as usize == self.commitments.len() {
            self.commitments.push(*segment.commitment);
        }
        self.tree.push(&[segment.frame, sealed.as_bytes(), segment.signature]);
        self.sealed_bytes += segment.wire_length();
        self.last = Some(segment.info());
    }

    pub(super) fn header_hash(&self) -> &Digest {
        &self.hash
    }

    fn next_index(&self) -> u32 {
        self.last.map_or(0, |last| last.index + 1)
    }

    fn examine<'a>(&self, bytes: &'a [u8], index: u32) -> Result<Admitted<'a>, Reason> {
        if self.last.is_some_and(|last| last.ends == Ends::Toolpath) {
            return Err(Reason::AfterFinal);
        }
        let segment = Segment::parse(bytes, self.header.segment_limit)?;
        self.check_place(&segment.info(), index)?;
        self.check_commitment(&segment)?;
        // The public-key work comes last: what is out of place is refused before it costs anything.
        let sealed = segment.sealed_hash();
        let signed = signed_bytes(&self.hash, segment.frame, &sealed);
        if !self.header.signer().verifies(&signed, segment.signature) {
            return Err(Reason::BadSignature);
        }
        Ok(Admitted { segment, sealed })
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

    /// An epoch's first segment commits to its secret; the others must commit to the same.
    fn check_commitment(&self, segment: &Segment<'_>) -> Result<(), Reason> {
        match self.commitments.get(segment.info().epoch as usize) {
            Some(known) if known != segment.commitment => Err(Reason::WrongCommitment),
            Some(_) | None => Ok(()),
        }
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
            ("epochs", manifest.epochs == last.epoch + 1),
            ("root", manifest.root == self.tree.root()),
        ];
        counted.iter().find(|(_, equal)| !equal).map(|(field, _)| Reason::BadManifest(field))
    }
}

impl Checked {
    /// The header: job, hold, license, device, machine.
    pub fn header(&self) -> &EnvelopeHeader {
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

    pub(super) fn commitments(&self) -> &[[u8; 32]] {
        &self.commitments
    }
}
