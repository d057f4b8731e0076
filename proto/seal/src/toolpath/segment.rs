//! One segment on the wire: frame, ciphertext with its tag, signature. Parsed and emitted side by side.
//!
//! `index u32 ‖ layer u32 ‖ epoch u32 ‖ flags u8 ‖ length u32 ‖ commitment [32] ‖ ciphertext ‖ signature [64]`.
//! A segment read here has its shape and bounds and nothing more; whether it is signed, in order and opens
//! is asked by the checker and the opener.

use layerlock_terms::digest::Digest;
use layerlock_terms::wire::{Malformed, Reader, Writer};

use super::{Ends, Reason};
use crate::labels;
use crate::primitives::{self, SIGNATURE, TAG};

/// Bytes of a frame.
pub(super) const FRAME: usize = 49;

/// Bytes a sealed segment is longer than its plaintext.
pub const OVERHEAD: usize = FRAME + TAG + SIGNATURE;

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Counted from zero over the whole envelope.
    pub index: u32,
    /// The layer it belongs to; the prologue goes with the first, the epilogue with the last.
    pub layer: u32,
    /// The epoch whose secret opens it.
    pub epoch: u32,
    /// What ends with it.
    pub ends: Ends,
    /// Length of its plaintext in bytes.
    pub length: u32,
}

/// A segment as received.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    pub(super) info: SegmentInfo,
    pub(super) commitment: &'a [u8; 32],
    pub(super) frame: &'a [u8],
    /// Ciphertext and tag.
    pub(super) sealed: &'a [u8],
    pub(super) signature: &'a [u8; SIGNATURE],
}

impl<'a> Segment<'a> {
    /// Reads one segment whose plaintext is at most `limit` bytes long.
    ///
    /// # Errors
    /// [`Reason::Truncated`], [`Reason::Trailing`], [`Reason::TooLong`], [`Reason::Empty`] or
    /// [`Reason::UnknownFlags`].
    pub fn parse(bytes: &'a [u8], limit: u32) -> Result<Self, Reason> {
        match Self::split_first(bytes, limit)? {
            (segment, []) => Ok(segment),
            _ => Err(Reason::Trailing),
        }
    }

    /// Reads the first of segments kept one after another; gives it and the rest.
    ///
    /// # Errors
    /// As [`Segment::parse`], but never [`Reason::Trailing`].
    pub fn split_first(bytes: &'a [u8], limit: u32) -> Result<(Self, &'a [u8]), Reason> {
        let (frame, rest) = bytes.split_at_checked(FRAME).ok_or(Reason::Truncated)?;
        let info = parse_frame(frame, limit)?;
        let length = info.length as usize + TAG;
        let (sealed, rest) = rest.split_at_checked(length).ok_or(Reason::Truncated)?;
        let (signature, rest) = rest.split_first_chunk().ok_or(Reason::Truncated)?;
        let commitment = frame.last_chunk().expect("a frame ends with its commitment");
        Ok((Self { info, commitment, frame, sealed, signature }, rest))
    }

    /// What the frame says; believed only once the segment is checked.
    pub fn info(&self) -> SegmentInfo {
        self.info
    }

    pub(super) fn wire_length(&self) -> u64 {
        u64::from(self.info.length) + OVERHEAD as u64
    }

    /// SHA-256 of ciphertext and tag: computed once, used for the signature and for the Merkle leaf.
    pub(super) fn sealed_hash(&self) -> Digest {
        primitives::sha256(self.sealed)
    }
}

/// Whether `layer` may come after `last`: the first is 0; then the same, or the next once a piece ended.
pub(super) fn layer_follows(last: Option<&SegmentInfo>, layer: u32) -> bool {
    match last {
        None => layer == 0,
        Some(last) if layer == last.layer => true,
        Some(last) => last.ends == Ends::Piece && last.layer.checked_add(1) == Some(layer),
    }
}

/// What a segment's signature covers: `label ‖ header hash ‖ frame ‖ SHA-256(ciphertext ‖ tag)`.
pub(super) fn signed_bytes(header: &Digest, frame: &[u8], sealed: &Digest) -> Vec<u8> {
    [labels::SEGMENT.as_bytes(), header.as_bytes(), frame, sealed.as_bytes()].concat()
}

/// What a segment's tag covers beside its ciphertext: `header hash ‖ frame`.
pub(super) fn associated_data(header: &Digest, frame: &[u8]) -> Vec<u8> {
    [header.as_bytes(), frame].concat()
}

/// A segment's nonce: eight zero bytes and its index. An index occurs once in an envelope, and no two
/// envelopes share a key.
pub(super) fn nonce(index: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&index.to_be_bytes());
    nonce
}

pub(super) fn emit_frame(info: &SegmentInfo, commitment: &[u8; 32]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u32(info.index).u32(info.layer).u32(info.epoch).u8(info.ends as u8);
    writer.u32(info.length + TAG as u32).raw(commitment);
    writer.finish()
}

fn parse_frame(frame: &[u8], limit: u32) -> Result<SegmentInfo, Reason> {
    let whole = |_: Malformed| Reason::Truncated;
    let mut reader = Reader::new(frame);
    let index = reader.u32("index").map_err(whole)?;
    let layer = reader.u32("layer").map_err(whole)?;
    let epoch = reader.u32("epoch").map_err(whole)?;
    let ends = parse_flags(reader.u8("flags").map_err(whole)?)?;
    let length = reader.u32("length").map_err(whole)?;
    match length.checked_sub(TAG as u32) {
        None | Some(0) => Err(Reason::Empty),
        Some(length) if length > limit => Err(Reason::TooLong),
        Some(length) => Ok(SegmentInfo { index, layer, epoch, ends, length }),
    }
}

fn parse_flags(flags: u8) -> Result<Ends, Reason> {
    match flags {
        0 => Ok(Ends::Nothing),
        1 => Ok(Ends::Piece),
        2 => Ok(Ends::Toolpath),
        _ => Err(Reason::UnknownFlags),
    }
}
