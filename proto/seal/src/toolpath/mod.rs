//! Envelopes: a toolpath sealed for one device and one job, hops 7 to 11 of the road.
//!
//! Implements `proto/spec/sealed-toolpath.md`. The vault seals ([`Sealer`]) and hands out epoch secrets
//! ([`JobSecret`]); a device first checks the whole envelope without any key ([`Checker`], which leaves
//! [`Checked`]), then opens segment by segment as secrets are released ([`Opener`]), or does both at once
//! ([`Live`]). Deliberately absent: what a segment's plaintext means, and when an epoch may be released.

mod checker;
mod epoch;
mod opener;
mod sealer;
mod segment;

use core::fmt;

use layerlock_terms::digest::Digest;

pub use checker::{Checked, Checker};
pub use epoch::{EpochSecret, JobSecret};
pub use opener::{Live, Opener};
pub use sealer::{Misplaced, Sealer};
pub use segment::{OVERHEAD, Segment, SegmentInfo};

use crate::labels;
use crate::primitives;
use crate::statement::Statement;

/// What ends with a segment. A piece is one encoded part of the toolpath (prologue, layer, epilogue).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ends {
    /// The piece goes on in the next segment.
    Nothing = 0,
    /// A piece.
    Piece = 1,
    /// The last piece and with it the toolpath.
    Toolpath = 2,
}

/// A segment or manifest that isn't taken, and which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Index of the refused segment; for a manifest the number of segments before it.
    pub index: u32,
    /// Why.
    pub reason: Reason,
}

/// Why a segment or manifest isn't taken, with the rule of the page it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The bytes end inside the segment (SEG-1).
    Truncated,
    /// Bytes follow the segment (SEG-2).
    Trailing,
    /// The sealed part is longer than the header allows (SEG-3).
    TooLong,
    /// The sealed part holds nothing (SEG-4).
    Empty,
    /// The flags are none of the closed list (SEG-5).
    UnknownFlags,
    /// Another index was due (SEG-6, SEG-11).
    OutOfOrder,
    /// The layer skips, goes back, or changes inside a piece (SEG-7).
    WrongLayer,
    /// The epoch isn't the layer's (SEG-8).
    WrongEpoch,
    /// The toolpath had already ended (SEG-9).
    AfterFinal,
    /// The final segment hasn't come (MAN-3).
    Incomplete,
    /// The manifest is of another header (MAN-2).
    WrongHeader,
    /// The manifest was signed by another key than the header (MAN-1).
    WrongSigner,
    /// The manifest's named field isn't what was counted (MAN-4 to MAN-8).
    BadManifest(&'static str),
    /// The epoch's secret isn't here, or not any more.
    NoEpochSecret,
    /// The secret isn't the one committed to (EP-3, EP-4), or doesn't open the segment (SEG-10).
    CannotOpen,
}

impl core::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, reason } = self;
        match reason {
            Reason::Incomplete | Reason::WrongHeader | Reason::WrongSigner | Reason::BadManifest(_) => {
                write!(f, "the envelope of {index} segments: {reason}")
            }
            Reason::Truncated
            | Reason::Trailing
            | Reason::TooLong
            | Reason::Empty
            | Reason::UnknownFlags
            | Reason::OutOfOrder
            | Reason::WrongLayer
            | Reason::WrongEpoch
            | Reason::AfterFinal
            | Reason::NoEpochSecret
            | Reason::CannotOpen => write!(f, "segment {index}: {reason}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end inside it",
            Self::Trailing => "bytes follow it",
            Self::TooLong => "it is longer than the header allows",
            Self::Empty => "it holds nothing",
            Self::UnknownFlags => "its flags are not known",
            Self::OutOfOrder => "another segment was due here",
            Self::WrongLayer => "its layer skips, goes back or changes inside a piece",
            Self::WrongEpoch => "its epoch is not its layer's",
            Self::AfterFinal => "the toolpath had already ended",
            Self::Incomplete => "the final segment is missing",
            Self::WrongHeader => "the manifest belongs to another header",
            Self::WrongSigner => "the manifest's signer is not the header's",
            Self::BadManifest("digest") => {
                "a segment is not the one that was sealed: the manifest's `digest` differs"
            }
            Self::BadManifest(field) => return write!(f, "the manifest's `{field}` is not what was counted"),
            Self::NoEpochSecret => "its epoch's secret has not been released, or was dropped",
            Self::CannotOpen => "it cannot be opened",
        })
    }
}

/// The hash that names an envelope: of its header's statement, signature included. Every segment, epoch
/// secret and manifest is bound to it, and through it to job, hold, license, device and profile.
pub fn header_hash(header: &Statement) -> Digest {
    primitives::sha256_parts(&[labels::HEADER_HASH.as_bytes(), &header.emit()])
}
