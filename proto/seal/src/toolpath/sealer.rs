//! Sealing, hop 7: pieces of a toolpath become signed segments, and at the end a manifest.
//!
//! A sealer draws its own job secret and signs its own header, so an index is sealed once under a key
//! whatever the caller does: after a crash a job is pressed anew, with a new sealer and so a new secret.

use std::sync::Arc;

use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest, Summary};
use rand_core::CryptoRng;

use super::epoch::{EpochKey, JobSecret};
use super::segment::{self, OVERHEAD, SegmentInfo};
use super::{Ends, header_hash};
use crate::keys::SigningKey;
use crate::merkle::Frontier;
use crate::primitives;
use crate::statement::Statement;

/// Seals one toolpath for one device and one job.
pub struct Sealer {
    header: EnvelopeHeader,
    statement: Statement,
    hash: Digest,
    signer: Arc<SigningKey>,
    secret: JobSecret,
    /// The key of the epoch being sealed, and its number.
    epoch: Option<(u32, EpochKey)>,
    last: Option<SegmentInfo>,
    tree: Frontier,
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
    /// All 2³² indices are used.
    #[error("more segments than can be numbered")]
    TooMany,
}

impl Sealer {
    /// Begins an envelope: signs its header and draws its job secret.
    pub fn new(header: EnvelopeHeader, signer: Arc<SigningKey>, rng: &mut impl CryptoRng) -> Self {
        let statement = Statement::sign(&header, &signer);
        let hash = header_hash(&statement);
        Self {
            header,
            statement,
            hash,
            signer,
            secret: JobSecret::draw(rng),
            epoch: None,
            last: None,
            tree: Frontier::default(),
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
        let hash = self.hash;
        let key = self.epoch_key(info.epoch);
        let frame = segment::emit_frame(&info, &key.commitment);
        out.reserve(plaintext.len() + OVERHEAD);
        out.extend_from_slice(&frame);
        let from = out.len();
        out.extend_from_slice(plaintext);
        let aad = segment::associated_data(&hash, &frame);
        let tag = primitives::encrypt(&key.key, &segment::nonce(info.index), &aad, &mut out[from..]);
        out.extend_from_slice(&tag);
        let sealed = primitives::sha256(&out[from..]);
        let signature = self.signer.sign(&segment::signed_bytes(&hash, &frame, &sealed));
        out.extend_from_slice(&signature);
        self.tree.push(&[&frame, sealed.as_bytes(), &signature]);
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
            root: self.tree.root(),
            layers: last.layer + 1,
            epochs: last.epoch + 1,
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
        Ok(SegmentInfo { index, layer, epoch: layer / self.header.epoch_layers, ends, length })
    }

    fn next_index(&self) -> Result<u32, Misplaced> {
        match &self.last {
            None => Ok(0),
            Some(last) if last.ends == Ends::Toolpath => Err(Misplaced::AfterFinal),
            // One below the maximum, so that the number of segments is a u32 too.
            Some(last) => last.index.checked_add(1).filter(|i| *i < u32::MAX).ok_or(Misplaced::TooMany),
        }
    }

    fn epoch_key(&mut self, epoch: u32) -> &EpochKey {
        let current = self.epoch.take().filter(|(number, _)| *number == epoch);
        let key = current.unwrap_or_else(|| (epoch, self.secret.epoch(&self.hash, epoch).key(&self.hash)));
        &self.epoch.insert(key).1
    }
}
