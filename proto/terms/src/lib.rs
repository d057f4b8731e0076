//! The nouns every party shares: ids, units, terms, licenses, profiles, toolpaths, receipts.
//!
//! Nouns only. Nothing here decides, waits, reads a clock or touches a file; every type that is signed has
//! one canonical byte form, parsed and emitted side by side (`wire`), and the rules for those bytes are in
//! `proto/spec/statement.md`. What needs floating-point functions, which is slicing and arcs, is behind `std`.

// Not only without `std`: so every build finds out what would not be there without it.
#![cfg_attr(not(test), no_std)]

extern crate alloc;
#[cfg(all(feature = "std", not(test)))]
extern crate std;

pub mod digest;
pub mod envelope;
pub mod ids;
pub mod license;
pub mod machine;
pub mod profile;
pub mod receipt;
pub mod release;
pub mod toolpath;
pub mod trust;
pub mod units;
pub mod wire;
