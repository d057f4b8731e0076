//! Verifying what the licensor says it did: an entry by its proof, the whole log by its checkpoint.
//!
//! A [`Witness`] holds the checkpoint key and the licensor key as the root certifies them; it believes signatures
//! and hashes, never the connection.

use std::fmt;

use layerlock_device::trust::{self, Anchors};
use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::licensor::v1::ledger_client::LedgerClient;
use layerlock_proto::types::v1::LedgerEntry;
use layerlock_seal::commitment::BlindingFactor;
use layerlock_seal::note;
use layerlock_seal::statement::Statement;
use layerlock_terms::digest::Digest;
use layerlock_terms::receipt::Settlement;
use layerlock_terms::trust::Role;
use layerlock_terms::units::Timestamp;
use layerlock_tlog::{Checkpoint, Hash, InclusionProof, Note, Tree, ed25519_key_id, leaf_hash};
use tonic::transport::Channel;

use crate::connect::with_key;
use crate::parties::PartyError;

/// What signed entries and checkpoints are held against.
pub struct Witness {
    anchors: Anchors,
    now: Timestamp,
}

/// An entry that verified.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What was settled.
    pub settlement: Settlement,
    /// Its leaf's index.
    pub index: u64,
    /// Leaves the checkpoint covers.
    pub size: u64,
}

/// A log that verified.
#[derive(Debug, Clone)]
pub struct Audited {
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

impl fmt::Display for Audited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "root {}", self.root)
    }
}

impl Witness {
    /// Fetches the trust chain and checks it, from the root of this digest on where one is known.
    pub async fn of(licensor: Channel, root: Option<Digest>, now: Timestamp) -> Result<Self, PartyError> {
        let chain = trust::fetch(licensor, 0).await.map_err(|error| no(&error.to_string()))?;
        let anchors = chain.begun(root, now).map_err(|error| no(&error.to_string()))?;
        Ok(Self { anchors, now })
    }

    /// Checks an entry: the settlement's signature, the leaf, its proof, the checkpoint's signature.
    pub fn check(&self, entry: &LedgerEntry) -> Result<Entry, PartyError> {
        let statement = Statement::parse(&entry.settlement).map_err(|_| no("the settlement is malformed"))?;
        let settlement = self
            .anchors
            .verify::<Settlement>(Role::Licensor, &statement, self.now)
            .map_err(|error| no(&format!("settlement: {error}")))?;
        let blinding = <[u8; 32]>::try_from(entry.blinding.as_slice())
            .map_err(|_| no("the blinding is not 32 bytes"))?;
        let leaf = leaf_hash(BlindingFactor::from_bytes(&blinding).commit(&entry.settlement).as_bytes());
        let checkpoint = self.checkpoint(&entry.checkpoint)?;
        let path: Option<Vec<Hash>> =
            entry.inclusion.iter().map(|hash| hash.as_slice().try_into().ok().map(Hash)).collect();
        let path = path.ok_or_else(|| no("a hash of the proof is not 32 bytes"))?;
        InclusionProof { index: entry.index, size: checkpoint.size, path }
            .verify(&leaf, &checkpoint.root)
            .map_err(|_| no("the entry is not in the ledger its checkpoint signs"))?;
        Ok(Entry { settlement: settlement.into_inner(), index: entry.index, size: checkpoint.size })
    }

    /// Checks a checkpoint's signature.
    pub fn checkpoint(&self, signed: &[u8]) -> Result<Checkpoint, PartyError> {
        let text = std::str::from_utf8(signed).map_err(|_| no("the checkpoint is not text"))?;
        let note = Note::parse(text).map_err(|error| no(&format!("checkpoint: {error}")))?;
        let checkpoint =
            Checkpoint::parse(note.text()).map_err(|error| no(&format!("checkpoint: {error}")))?;
        let by_one = self.anchors.keys(Role::Checkpoint, self.now).any(|key| {
            let fits = |text: &str, signature: &[u8]| {
                signature.try_into().is_ok_and(|signature| note::verifies(&key, text, signature))
            };
            note.verify(&checkpoint.origin, ed25519_key_id(&checkpoint.origin, key.as_bytes()), fits).is_ok()
        });
        if by_one {
            Ok(checkpoint)
        } else {
            Err(no("the checkpoint is not signed by a certified checkpoint key"))
        }
    }
}

/// The opened entry of a hold.
pub async fn entry(licensor: Channel, api_key: &str, hold: &str) -> Result<LedgerEntry, PartyError> {
    let call = with_key(wire::GetEntryRequest { hold: hold.to_owned() }, api_key)?;
    let answer = LedgerClient::new(licensor).get_entry(call).await?.into_inner();
    answer.entry.ok_or_else(|| no("the licensor answered without an entry"))
}

/// Reads every leaf and computes the root anew.
pub async fn audit(licensor: Channel, witness: &Witness) -> Result<Audited, PartyError> {
    let mut client = LedgerClient::new(licensor);
    let signed = client.get_checkpoint(wire::GetCheckpointRequest {}).await?.into_inner().checkpoint;
    let checkpoint = witness.checkpoint(&signed)?;
    let mut tree = Tree::default();
    while tree.size() < checkpoint.size {
        let message = wire::ListLeavesRequest { start: tree.size(), page_size: 1000 };
        let page = client.list_leaves(message).await?.into_inner().leaf_hashes;
        let wanted = usize::try_from(checkpoint.size - tree.size()).unwrap_or(usize::MAX);
        if page.is_empty() {
            return Err(no(&format!(
                "the ledger has {} of the {} leaves signed for",
                tree.size(),
                checkpoint.size
            )));
        }
        for leaf in page.iter().take(wanted) {
            tree.push(Hash(leaf.as_slice().try_into().map_err(|_| no("a leaf hash is not 32 bytes"))?));
        }
    }
    if tree.root() == checkpoint.root {
        Ok(Audited { size: tree.size(), root: tree.root() })
    } else {
        Err(no("the leaves do not give the root that was signed"))
    }
}

fn no(why: &str) -> PartyError {
    PartyError::NotTrusted(why.to_owned())
}
