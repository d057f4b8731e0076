//! The adversary has a public API: each attack here goes through the doors an attacker has.

mod copies;
mod envelopes;
mod trust;

/// The vault's worker, built beside these tests.
const WORKER: &str = env!("CARGO_BIN_EXE_vault-worker");
