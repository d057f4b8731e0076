//! The device's look at the ledger, hop 13: is this job's settlement in the log, and is it the same log?
//!
//! The settlement must be the licensor's and about this job; its blinded leaf must be in the tree whose head
//! the checkpoint key signed; and that head may never be smaller than one seen before, nor another root of the
//! same size (attack S4). Deliberately absent: a consistency proof between two heads. The message has none;
//! whoever keeps both heads, which the journal does, can ask the ledger for one.

use layerlock_proto::types::v1::LedgerEntry;
use layerlock_seal::commitment::BlindingFactor;
use layerlock_seal::note;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_terms::digest::Digest;
use layerlock_terms::receipt::Settlement;
use layerlock_terms::trust::Role;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Malformed;
use layerlock_tlog::{Checkpoint, Hash, InclusionProof, Note, ed25519_key_id, leaf_hash};

use crate::journal::TreeHead;
use crate::session::Job;
use crate::trust::{Anchors, TrustError};

/// Most hashes of a proof that are read: a tree of 2⁶⁴ leaves needs no more.
const PATH_LIMIT: usize = 64;

/// A settlement that was found in the ledger. Made by the check in this file alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// How the hold ended, by the licensor.
    pub settlement: Verified<Settlement>,
    /// The leaf's place, from zero.
    pub index: u64,
    /// The log's name.
    pub origin: String,
    /// The signed head it was found under.
    pub head: TreeHead,
}

/// Why an entry isn't believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Bytes of the wrong form.
    #[error("the ledger entry can't be read: its {0} is malformed")]
    Malformed(&'static str),
    /// The settlement isn't a statement.
    #[error("the settlement can't be read: {0}")]
    Settlement(#[from] Malformed),
    /// The settlement isn't the licensor's.
    #[error("the settlement is not believed: {0}")]
    NotTrusted(#[from] TrustError),
    /// It is about another job.
    #[error("the settlement is about another job's hold; ask the vault again")]
    OtherJob,
    /// No checkpoint key signed the head.
    #[error(
        "the checkpoint is not signed by a checkpoint key of the pinned root; the ledger may be a fork: tell the seller"
    )]
    Unsigned,
    /// The leaf isn't in the tree.
    #[error(
        "the settlement is not in the tree the checkpoint signs; the ledger may be a fork: tell the seller"
    )]
    NotIncluded,
    /// A head that goes back, or another root of the same size.
    #[error(
        "the ledger shows {offered} leaves, this device has seen {seen}: it was rewritten or withheld, tell the seller"
    )]
    WentBack {
        /// Leaves of the head offered.
        offered: u64,
        /// Leaves of the largest head seen.
        seen: u64,
    },
}

/// Verifies the entry that answers a job's final receipt.
///
/// # Errors
/// [`LedgerError`] at the first thing that doesn't hold.
pub(crate) fn verify(
    entry: &LedgerEntry,
    job: Job,
    anchors: &Anchors,
    seen: Option<TreeHead>,
    now: Timestamp,
) -> Result<Entered, LedgerError> {
    let statement = Statement::parse(&entry.settlement)?;
    let settlement: Verified<Settlement> = anchors.verify(Role::Licensor, &statement, now)?;
    if settlement.job != job.id || settlement.hold != job.hold {
        return Err(LedgerError::OtherJob);
    }
    let checkpoint = signed_checkpoint(&entry.checkpoint, anchors, now)?;
    let head = TreeHead { size: checkpoint.size, root: Digest(checkpoint.root.0) };
    included(entry, head)?;
    not_before(seen, head)?;
    Ok(Entered { settlement, index: entry.index, origin: checkpoint.origin, head })
}

fn signed_checkpoint(bytes: &[u8], anchors: &Anchors, now: Timestamp) -> Result<Checkpoint, LedgerError> {
    let text = std::str::from_utf8(bytes).map_err(|_| LedgerError::Malformed("checkpoint"))?;
    let signed = Note::parse(text).map_err(|_| LedgerError::Malformed("checkpoint"))?;
    let checkpoint = Checkpoint::parse(signed.text()).map_err(|_| LedgerError::Malformed("checkpoint"))?;
    let by_one = anchors.keys(Role::Checkpoint, now).any(|key| {
        let id = ed25519_key_id(&checkpoint.origin, key.as_bytes());
        let fits = |text: &str, signature: &[u8]| {
            signature.try_into().is_ok_and(|signature| note::verifies(&key, text, signature))
        };
        signed.verify(&checkpoint.origin, id, fits).is_ok()
    });
    if by_one { Ok(checkpoint) } else { Err(LedgerError::Unsigned) }
}

fn included(entry: &LedgerEntry, head: TreeHead) -> Result<(), LedgerError> {
    let blinding = entry.blinding[..].try_into().map_err(|_| LedgerError::Malformed("blinding"))?;
    if entry.inclusion.len() > PATH_LIMIT {
        return Err(LedgerError::Malformed("inclusion proof"));
    }
    let hash = |bytes: &Vec<u8>| bytes[..].try_into().map(Hash);
    let path = entry.inclusion.iter().map(hash).collect::<Result<_, _>>();
    let path = path.map_err(|_| LedgerError::Malformed("inclusion proof"))?;
    let commitment = BlindingFactor::from_bytes(blinding).commit(&entry.settlement);
    let proof = InclusionProof { index: entry.index, size: head.size, path };
    let verified = proof.verify(&leaf_hash(commitment.as_bytes()), &Hash(*head.root.as_bytes()));
    verified.map_err(|_| LedgerError::NotIncluded)
}

fn not_before(seen: Option<TreeHead>, head: TreeHead) -> Result<(), LedgerError> {
    match seen {
        Some(seen) if head.size < seen.size || (head.size == seen.size && head.root != seen.root) => {
            Err(LedgerError::WentBack { offered: head.size, seen: seen.size })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
