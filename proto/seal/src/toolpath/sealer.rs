//! Sealing, hop 7: pieces of a toolpath become sealed segments, and at the end a signed manifest.
//!
//! A sealer draws its own job secret and signs its own header, so an index is sealed once under a key
//! whatever the caller does: after a crash a job is pressed anew, with a new sealer and so a new secret.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EPOCH_LIMIT, EnvelopeHeader, Manifest, Summary};
use layerlock_terms::wire::Noun;
use rand_core::CryptoRng;

use super::epoch::{EpochKey, JobSecret};
use super::segment::{self, OVERHEAD, SegmentInfo};
use super::{Ends, header_hash};
use crate::keys::SigningKey;
use crate::primitives::{self, HashList};
use crate::statement::Statement;

/// Seals one toolpath for one device and one job.
pub struct Sealer {
    header: EnvelopeHeader,
    statement: Statement,
    hash: Digest,
    signer: Arc<SigningKey>,
    secret: JobSecret,
    /// The key of the epoch being sealed.
    key: EpochKey,
    /// Of this epoch and those before.
    commitments: Vec<[u8; 32]>,
    last: Option<SegmentInfo>,
    hashes: HashList,
    sealed_bytes: u64,
}

/// A segment a sealer doesn't seal, because every checker would refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// More plaintext than the header allows.
    #[error("a segment of {length} bytes; the header allows {limit}")]
    TooLong {
        /// What was given.
        length: usize,
        /// What the header says.
        limit: u32,
    },
    /// No plaintext.
    #[error("a segment without a byte")]
    Empty,
    /// The first layer is 0, the next is the same or one more, and changes only after a piece ended.
    #[error("layer {0} does not follow here")]
    WrongLayer(u32),
    /// The toolpath had already ended.
    #[error("a segment after the toolpath's end")]
    AfterFinal,
    /// The toolpath hasn't ended.
    #[error("a manifest before the toolpath's end")]
    Incomplete,
    /// All 2³² indices or all epochs are used.
    #[error("more segments or epochs than an envelope may have")]
    TooMany,
}

impl Sealer {
    /// Begins an envelope: signs its header and draws its job secret.
    ///
    /// # Panics
    /// When a field of the header is out of its bounds, so that no reader would take it.
    pub fn new(header: EnvelopeHeader, signer: Arc<SigningKey>, rng: &mut impl CryptoRng) -> Self {
        assert!(EnvelopeHeader::parse(&header.emit()).is_ok(), "a header within its bounds: {header:?}");
        let statement = Statement::sign(&header, &signer);
        let hash = header_hash(&statement);
        let secret = JobSecret::draw(rng);
        let key = secret.key(&hash, 0);
        Self {
            header,
            statement,
            hash,
            signer,
            secret,
            commitments: vec![key.commitment],
            key,
            last: None,
            hashes: HashList::new(),
            sealed_bytes: 0,
        }
    }

    /// The signed header, first thing the device gets.
    pub fn header(&self) -> &Statement {
        &self.statement
    }

    /// The hash all else is bound to.
    pub fn header_hash(&self) -> Digest {
        self.hash
    }

    /// The secret to keep for wrapping epochs. Keep it before the first segment is handed on: segments
    /// whose secret is lost can't be opened by anyone.
    pub fn job_secret(&self) -> &JobSecret {
        &self.secret
    }

    /// Seals the next segment and appends it to `out`.
    ///
    /// # Errors
    /// [`Misplaced`] when a checker would refuse the segment; nothing is appended and nothing is counted.
    pub fn seal(
        &mut self,
        layer: u32,
        ends: Ends,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<SegmentInfo, Misplaced> {
        let info = self.place(layer, ends, plaintext)?;
        self.enter(info.epoch);
        let frame = segment::emit_frame(&info);
        let from = out.len();
        out.reserve(plaintext.len() + OVERHEAD);
        out.extend_from_slice(&frame);
        out.extend_from_slice(plaintext);
        segment::seal(&self.hash, &self.key, &info, out, from);
        self.hashes.push(&primitives::blake3(&out[from..]));
        self.sealed_bytes += (plaintext.len() + OVERHEAD) as u64;
        self.last = Some(info);
        Ok(info)
    }

    /// Ends the envelope: the signed manifest.
    ///
    /// # Errors
    /// [`Misplaced::Incomplete`] unless the last segment ended the toolpath.
    pub fn finish(self, summary: Summary) -> Result<Statement, Misplaced> {
        let last = self.last.filter(|last| last.ends == Ends::Toolpath).ok_or(Misplaced::Incomplete)?;
        let manifest = Manifest {
            header: self.hash,
            segments: last.index + 1,
            sealed_bytes: self.sealed_bytes,
            digest: self.hashes.digest(),
            layers: last.layer + 1,
            commitments: self.commitments,
            summary,
        };
        Ok(Statement::sign(&manifest, &self.signer))
    }

    fn place(&self, layer: u32, ends: Ends, plaintext: &[u8]) -> Result<SegmentInfo, Misplaced> {
        let limit = self.header.segment_limit;
        let length = u32::try_from(plaintext.len()).ok().filter(|length| *length <= limit);
        let length = length.ok_or(Misplaced::TooLong { length: plaintext.len(), limit })?;
        if length == 0 {
            return Err(Misplaced::Empty);
        }
        let index = self.next_index()?;
        if !segment::layer_follows(self.last.as_ref(), layer) {
            return Err(Misplaced::WrongLayer(layer));
        }
        let epoch = layer / self.header.epoch_layers;
        if epoch >= EPOCH_LIMIT {
            return Err(Misplaced::TooMany);
        }
        Ok(SegmentInfo { index, layer, epoch, ends, length })
    }

    fn next_index(&self) -> Result<u32, Misplaced> {
        match &self.last {
            None => Ok(0),
            Some(last) if last.ends == Ends::Toolpath => Err(Misplaced::AfterFinal),
            // One below the maximum, so that the number of segments is a u32 too.
            Some(last) => last.index.checked_add(1).filter(|i| *i < u32::MAX).ok_or(Misplaced::TooMany),
        }
    }

    /// Turns to the next epoch's key, if this is the next epoch: layers, and so epochs, come one by one.
    fn enter(&mut self, epoch: u32) {
        if epoch as usize == self.commitments.len() {
            self.key = self.secret.key(&self.hash, epoch);
            self.commitments.push(self.key.commitment);
        }
    }
}
