//! One segment on the wire: frame and ciphertext with its tag. Parsed and emitted side by side.
//!
//! `index u32 ‖ layer u32 ‖ epoch u32 ‖ flags u8 ‖ length u32 ‖ ciphertext ‖ tag`. A segment read here has its
//! shape and bounds and nothing more; whether it is in order and opens is asked by the checker and the opener.

use alloc::vec::Vec;
use layerlock_terms::digest::Digest;

use super::epoch::EpochKey;
use super::{Ends, Reason};
use crate::CannotOpen;
use crate::primitives::TAG;

/// Bytes of a frame.
pub(super) const FRAME: usize = 17;

/// Bytes a sealed segment is longer than its plaintext.
pub const OVERHEAD: usize = FRAME + TAG;

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
pub struct Segment {
    info: SegmentInfo,
}

impl Segment {
    /// Reads one segment whose plaintext is at most `limit` bytes long.
    ///
    /// # Errors
    /// [`Reason::Truncated`], [`Reason::Trailing`], [`Reason::TooLong`], [`Reason::Empty`] or
    /// [`Reason::UnknownFlags`].
    pub fn parse(bytes: &[u8], limit: u32) -> Result<Self, Reason> {
        match Self::split_first(bytes, limit)? {
            (segment, []) => Ok(segment),
            _ => Err(Reason::Trailing),
        }
    }

    /// Reads the first of segments kept one after another; gives it and the rest.
    ///
    /// # Errors
    /// As [`Segment::parse`], but never [`Reason::Trailing`].
    pub fn split_first(bytes: &[u8], limit: u32) -> Result<(Self, &[u8]), Reason> {
        let info = parse_frame(bytes.first_chunk().ok_or(Reason::Truncated)?, limit)?;
        let rest = bytes.get(info.length as usize + OVERHEAD..).ok_or(Reason::Truncated)?;
        Ok((Self { info }, rest))
    }

    /// What the frame says; believed only once the segment is checked.
    pub fn info(&self) -> SegmentInfo {
        self.info
    }
}

/// Seals the plaintext that follows `frame` in `segment`, and appends the tag.
pub(super) fn seal(header: &Digest, key: &EpochKey, info: &SegmentInfo, segment: &mut Vec<u8>, from: usize) {
    let (frame, text) = segment[from..].split_first_chunk_mut::<FRAME>().expect("a frame was written");
    let tag = key.cipher.encrypt(nonce(info.index), &associated_data(header, frame), text);
    segment.extend_from_slice(&tag);
}

/// Opens a parsed segment where it stands; gives its plaintext.
pub(super) fn open<'b>(
    header: &Digest,
    key: &EpochKey,
    index: u32,
    segment: &'b mut [u8],
) -> Result<&'b [u8], CannotOpen> {
    let (frame, sealed) = segment.split_first_chunk_mut::<FRAME>().ok_or(CannotOpen)?;
    Ok(key.cipher.decrypt(nonce(index), &associated_data(header, frame), sealed)?)
}

/// Whether `layer` may come after `last`: the first is 0; then the same, or the next once a piece ended.
pub(super) fn layer_follows(last: Option<&SegmentInfo>, layer: u32) -> bool {
    match last {
        None => layer == 0,
        Some(last) if layer == last.layer => true,
        Some(last) => last.ends == Ends::Piece && last.layer.checked_add(1) == Some(layer),
    }
}

pub(super) fn emit_frame(info: &SegmentInfo) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[..4].copy_from_slice(&info.index.to_be_bytes());
    frame[4..8].copy_from_slice(&info.layer.to_be_bytes());
    frame[8..12].copy_from_slice(&info.epoch.to_be_bytes());
    frame[12] = info.ends as u8;
    frame[13..].copy_from_slice(&(info.length + TAG as u32).to_be_bytes());
    frame
}

/// What a segment's tag covers beside its ciphertext: `header hash ‖ frame`.
fn associated_data(header: &Digest, frame: &[u8; FRAME]) -> [u8; 32 + FRAME] {
    let mut data = [0; 32 + FRAME];
    data[..32].copy_from_slice(header.as_bytes());
    data[32..].copy_from_slice(frame);
    data
}

/// A segment's nonce: eight zero bytes and its index. An index occurs once in an envelope, and no two
/// envelopes share a key.
fn nonce(index: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&index.to_be_bytes());
    nonce
}

fn parse_frame(frame: &[u8; FRAME], limit: u32) -> Result<SegmentInfo, Reason> {
    let word = |at: usize| u32::from_be_bytes(core::array::from_fn(|byte| frame[at + byte]));
    let ends = parse_flags(frame[12])?;
    let length = match word(13).checked_sub(TAG as u32) {
        None | Some(0) => return Err(Reason::Empty),
        Some(length) if length > limit => return Err(Reason::TooLong),
        Some(length) => length,
    };
    Ok(SegmentInfo { index: word(0), layer: word(4), epoch: word(8), ends, length })
}

fn parse_flags(flags: u8) -> Result<Ends, Reason> {
    match flags {
        0 => Ok(Ends::Nothing),
        1 => Ok(Ends::Piece),
        2 => Ok(Ends::Toolpath),
        _ => Err(Reason::UnknownFlags),
    }
}
