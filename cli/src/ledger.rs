//! Verifying what the licensor says it did: an entry by its proof, the whole log by its checkpoint.
//!
//! A [`Witness`] holds the checkpoint key and the licensor key as the root certifies them; it believes signatures
//! and hashes, never the connection.

use std::fmt;

use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::licensor::v1::ledger_client::LedgerClient;
use layerlock_proto::licensor::v1::trust_client::TrustClient;
use layerlock_proto::types::v1::LedgerEntry;
use layerlock_seal::commitment::BlindingFactor;
use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::Statement;
use layerlock_seal::{note, sha256};
use layerlock_terms::digest::Digest;
use layerlock_terms::receipt::Settlement;
use layerlock_terms::trust::{Role, Root, ServiceCertificate};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun as _;
use layerlock_tlog::{Checkpoint, Hash, InclusionProof, Note, Tree, ed25519_key_id, leaf_hash};
use tonic::transport::Channel;

use crate::connect::with_key;
use crate::parties::PartyError;

/// What signed entries and checkpoints are held against.
pub struct Witness {
    licensor: VerifyingKey,
    checkpoint: VerifyingKey,
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
    /// Fetches the trust chain and checks it against the root's digest, where one is known.
    pub async fn of(licensor: Channel, root: Option<Digest>, now: Timestamp) -> Result<Self, PartyError> {
        let trust = TrustClient::new(licensor).get_trust(wire::GetTrustRequest {}).await?.into_inner();
        Self::check_trust(&trust, root, now)
    }

    /// Checks a trust chain: the root signs itself by its threshold, and the root signs the certificates.
    pub fn check_trust(
        trust: &wire::GetTrustResponse,
        digest: Option<Digest>,
        now: Timestamp,
    ) -> Result<Self, PartyError> {
        let statements = parse_all(&trust.root)?;
        let first = statements.first().ok_or_else(|| no("there is no root"))?;
        if digest.is_some_and(|digest| sha256(first.payload()) != digest) {
            return Err(no("the root is another than this connection was made for"));
        }
        let root = Root::parse(first.payload()).map_err(|_| no("the root is malformed"))?;
        let keys: Vec<_> = root.keys.iter().filter_map(|key| VerifyingKey::try_from(*key).ok()).collect();
        let signs = |key: &&VerifyingKey| {
            statements.iter().any(|s| s.payload() == first.payload() && s.verify::<Root>(key).is_ok())
        };
        if keys.iter().filter(signs).count() < usize::from(root.threshold) || now >= root.expires {
            return Err(no("the root is expired, or too few of its keys signed it"));
        }
        let certificates = parse_all(&trust.service_certificates)?;
        let key_of = |role| service_key(&certificates, &keys, role, now);
        Ok(Self { licensor: key_of(Role::Licensor)?, checkpoint: key_of(Role::Checkpoint)? })
    }

    /// Checks an entry: the settlement's signature, the leaf, its proof, the checkpoint's signature.
    pub fn check(&self, entry: &LedgerEntry) -> Result<Entry, PartyError> {
        let statement = Statement::parse(&entry.settlement).map_err(|_| no("the settlement is malformed"))?;
        let settlement = statement
            .verify::<Settlement>(&self.licensor)
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
        let fits = |text: &str, signature: &[u8]| {
            signature.try_into().is_ok_and(|signature| note::verifies(&self.checkpoint, text, signature))
        };
        note.verify(&checkpoint.origin, ed25519_key_id(&checkpoint.origin, self.checkpoint.as_bytes()), fits)
            .map_err(|_| no("the checkpoint is not signed by the certified checkpoint key"))?;
        Ok(checkpoint)
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

fn service_key(
    certificates: &[Statement],
    root: &[VerifyingKey],
    role: Role,
    now: Timestamp,
) -> Result<VerifyingKey, PartyError> {
    let verified = certificates
        .iter()
        .filter_map(|statement| root.iter().find_map(|key| statement.verify::<ServiceCertificate>(key).ok()));
    verified
        .filter(|certificate| certificate.role == role && now < certificate.expires)
        .find_map(|certificate| VerifyingKey::try_from(certificate.key).ok())
        .ok_or_else(|| no(&format!("the root certifies no {role:?} key for now")))
}

fn parse_all(statements: &[Vec<u8>]) -> Result<Vec<Statement>, PartyError> {
    statements
        .iter()
        .map(|bytes| Statement::parse(bytes).map_err(|_| no("a statement is malformed")))
        .collect()
}

fn no(why: &str) -> PartyError {
    PartyError::NotTrusted(why.to_owned())
}
