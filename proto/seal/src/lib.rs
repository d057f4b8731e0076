//! The only cryptography of Layerlock: signing, sealing and opening, and the evidence that checks leave.
//!
//! No I/O, no clock, no randomness of its own: bytes and random sources are arguments, results are values.
//! Each module implements one page of `proto/spec`; every cipher, KDF, KEM and signature is called in
//! `primitives` alone, and every domain-separation label stands in `labels`. Deliberately absent: a choice
//! of algorithms. There is one suite; another one is another version.

// Not only without `std`: so every build finds out what would not be there without it.
#![cfg_attr(not(test), no_std)]

extern crate alloc;
#[cfg(all(feature = "std", not(test)))]
extern crate std;

pub mod blob;
pub mod commitment;
pub mod enrolment;
pub mod kek_ring;
pub mod keys;
pub mod labels;
pub mod note;
mod primitives;
pub mod statement;
pub mod token;
pub mod toolpath;
pub mod trust;

pub use primitives::{Hasher, sha256};

/// Something sealed can't be opened: another key, another place, or bytes that were changed. Opaque on
/// purpose: which of these it was would tell a forger how far a forgery got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be opened: sealed with another key, for another place, or changed since")]
pub struct CannotOpen;
