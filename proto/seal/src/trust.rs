//! The trust chain: root → services and OEM authorities → devices and sellers. Who is believed, and why not.
//!
//! Implements `proto/spec/trust.md`, one rule per function, for every party alike: licensor, vault, device client
//! and the ceremony's commands call this code and no copy of it. Time is an argument; what a check leaves
//! ([`Endorsed`], [`TrustedRoot`], [`Attested`]) only that check can make. Deliberately absent: where roots are
//! kept and fetched.

use alloc::string::String;

mod anchors;
mod endorsement;
mod root;

use layerlock_terms::digest::Digest;
use layerlock_terms::trust::Role;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Malformed;

use crate::keys::{KeyId, UnfitKey};
use crate::statement;

pub use anchors::{Anchors, Attested, STALE, fresh, succeeds};
pub use endorsement::{Endorsed, Endorsement};
pub use root::TrustedRoot;

/// Why something is not believed: the closed list. Nothing secret goes into these checks, so the reasons may be
/// told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Bytes of the wrong form.
    #[error("the trust chain is malformed: {0}; if it is older than this program, make or fetch it anew")]
    Malformed(#[from] Malformed),
    /// A statement that doesn't verify.
    #[error("{0}")]
    Refused(#[from] statement::Refused),
    /// A root lists bytes that are no key.
    #[error("key {place} of root version {version} is no usable public key: leave it out and sign anew")]
    UnfitKey {
        /// Which root.
        version: u32,
        /// Which of its keys, from 1.
        place: usize,
    },
    /// A certificate of bytes that are no key.
    #[error("the certified {0} key is no usable public key: have another certified")]
    UnfitService(Role),
    /// An endorsement of another noun.
    #[error("this endorses a `{found}`, not a `{wanted}`")]
    OtherNoun {
        /// What it says it is.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Signatures that were made under another payload.
    #[error(
        "these two files say different things: only signatures under one and the same draft can be joined"
    )]
    OtherPayload,
    /// Two signatures by one key under one payload.
    #[error(
        "these two files hold different signatures by key {0}: one is damaged or forged; see which file's counts \
         (`layerlock operator root show`), and leave the other out"
    )]
    OtherSignature(KeyId),
    /// More signatures than an endorsement can hold.
    #[error("no more than 32 keys can sign one endorsement: leave out the file whose signers nobody knows")]
    TooManySignatures,
    /// Too few of a root's keys signed it.
    #[error(
        "signed by {signed} of the keys of root version {root}, {threshold} must: collect the missing signatures"
    )]
    BelowThreshold {
        /// Whose keys were counted.
        root: u32,
        /// Distinct keys that signed.
        signed: usize,
        /// How many must.
        threshold: u8,
    },
    /// No root at all.
    #[error("there is no root: fetch it from the licensor, or make one")]
    NoRoot,
    /// No root of the chain is the one the party was told of.
    #[error("the root's digest is {found}, expected {expected}: this is not the service you mean")]
    WrongRoot {
        /// The newest that was offered.
        found: Digest,
        /// What the party was told.
        expected: Digest,
    },
    /// A root older than the pinned one.
    #[error("root version {found} was offered, {pinned} is pinned: older versions are never taken")]
    OlderRoot {
        /// What was offered.
        found: u32,
        /// What is pinned.
        pinned: u32,
    },
    /// Another root of the pinned version.
    #[error(
        "another root of version {0} is pinned already: two of one version mean a stolen key, tell the operator"
    )]
    TwinRoot(u32),
    /// A version was left out.
    #[error("root version {found} was offered where {due} is due: every version in between is needed")]
    SkippedRoot {
        /// What was offered.
        found: u32,
        /// What must come.
        due: u32,
    },
    /// Past its end.
    #[error("the {what} expired at {at} (milliseconds since 1970): fetch a fresh one, or have it renewed", at = .at.0)]
    Expired {
        /// What expired.
        what: &'static str,
        /// When.
        at: Timestamp,
    },
    /// A service key the root has withdrawn.
    #[error("key {0} was withdrawn by the root: have another key certified")]
    Withdrawn(KeyId),
    /// A certificate of a key that is there for something else.
    #[error("key {key} is a {purpose} key already, and a key has one purpose: have another certified")]
    OtherPurpose {
        /// Which key.
        key: KeyId,
        /// What it is there for.
        purpose: &'static str,
    },
    /// The root certifies no such key in this role.
    #[error("the root certifies no {role} key {key}")]
    NotServing {
        /// The role.
        role: Role,
        /// The key asked for.
        key: KeyId,
    },
    /// An older list of revocations than is known from the same key.
    #[error("revocations of version {found} were offered, {known} is known: older lists are never taken")]
    OlderList {
        /// What was offered.
        found: u64,
        /// What is known.
        known: u64,
    },
    /// Another list of the known version.
    #[error("another list of revocations of version {0} is known from the same key: tell the operator")]
    TwinList(u64),
    /// An attestation by a key the root doesn't list.
    #[error("the root lists no OEM authority with key {0}")]
    NoAuthority(KeyId),
    /// An attestation in another maker's name.
    #[error("`{listed}` attests in the name of `{claimed}`: an authority speaks for itself alone")]
    OtherOem {
        /// Whose key it is.
        listed: String,
        /// What the attestation says.
        claimed: String,
    },
    /// An attestation of a machine that isn't the authority's.
    #[error("`{oem}` may not attest a `{machine}`: the root lists it for {listed}")]
    OtherMachine {
        /// Whose key it is.
        oem: String,
        /// What it attests.
        machine: String,
        /// What it may attest.
        listed: String,
    },
    /// An attestation of another device.
    #[error("the attestation names another {0} than this device has")]
    OtherDevice(&'static str),
}

impl TrustError {
    fn unfit(version: u32, index: usize) -> impl Fn(UnfitKey) -> Self {
        move |UnfitKey| Self::UnfitKey { version, place: index + 1 }
    }
}
