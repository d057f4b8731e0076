//! The Merkle log behind the ledger: tree, proofs, checkpoints, notes and the audit anyone can run.
//!
//! Implements the formats of `proto/spec/ledger.md`: RFC 6962 hashing and proofs, C2SP signed-note,
//! tlog-checkpoint and tlog-proof. No I/O, no clock, no keys: text to be signed goes out, a caller's closure
//! says whether a signature fits. Deliberately absent: what a leaf stands for, and who signs.

mod checkpoint;
mod frontier;
mod hash;
mod note;
mod proof;
mod proof_file;
mod tree;

pub use checkpoint::{Checkpoint, NotACheckpoint};
pub use frontier::{Frontier, audit};
pub use hash::{Hash, leaf_hash};
pub use note::{NotANote, Note, NoteSignature, Unsigned, ed25519_key_id, vkey};
pub use proof::{ConsistencyProof, InclusionProof, Unproven};
pub use proof_file::{NotAProofFile, ProofFile, Refused};
pub use tree::{OutOfRange, Tree};
