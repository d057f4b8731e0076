//! The ledger: blinded leaf → Merkle tree → signed checkpoint; hop 13.
//!
//! The leaf of a settlement is a commitment under 32 random bytes, so the public log tells nothing, and whoever
//! holds both can show the entry. Leaf and head are stored in the commit that settles the hold; the tree in memory
//! only ever follows what is stored, by the same function at start-up and after a commit, and it follows nothing
//! whose head doesn't carry our signature over the root it computes itself (S1, S4).
//!
//! Deliberately absent: who may see an entry, and when a hold is settled.

use layerlock_seal::commitment::BlindingFactor;
use layerlock_seal::note::{self, NoteSigner};
use layerlock_store::{Commit, CommitError, Expect, Page, PageToken, StoreError};
use layerlock_tlog::{
    Checkpoint, ConsistencyProof, Frontier, Hash, InclusionProof, Note, NoteSignature, OutOfRange, Tree,
    ed25519_key_id, leaf_hash,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::records::shelf::put;
use crate::records::{Head, Leaf, Loaded, Opening, ReadError, Shelf, tables};

/// The tree, as far as it is known here; one writer at a time in this process.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Log>);

/// The log up to a stored head. Held while a settlement is committed, so that settlements of one process queue
/// instead of losing races; processes on one store still race, and the store decides.
#[derive(Default)]
pub(crate) struct Log {
    tree: Tree,
    frontier: Frontier,
}

/// Why the stored ledger isn't believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The stored head isn't a checkpoint this licensor signed.
    #[error("the stored head of {0} leaves is not signed by this licensor's checkpoint key")]
    Head(u64),
    /// Leaves are missing.
    #[error("the ledger has {found} of the {wanted} leaves its signed head covers")]
    Missing {
        /// Leaves found.
        found: u64,
        /// Leaves the head covers.
        wanted: u64,
    },
    /// The leaves aren't those that were signed.
    #[error("the stored leaves do not give the root that was signed for {0} leaves")]
    Root(u64),
    /// The store can't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record of the ledger isn't one.
    #[error("{0}")]
    Malformed(String),
}

impl Ledger {
    /// The log as the store has it now.
    pub(crate) async fn current(
        &self,
        shelf: &Shelf,
        signer: &NoteSigner,
    ) -> Result<(MutexGuard<'_, Log>, Loaded<Head>), LedgerError> {
        let mut log = self.0.lock().await;
        let head = match shelf.load::<Head>(&tables::head()).await? {
            Some(head) => head,
            None => begin(shelf, signer).await?,
        };
        log.follow(shelf, &head.value, signer).await?;
        Ok((log, head))
    }
}

impl Log {
    /// Reads the leaves this log doesn't know yet and holds them to the signed head.
    ///
    /// If we crash anywhere in here nothing is lost: nothing was written.
    async fn follow(&mut self, shelf: &Shelf, head: &Head, signer: &NoteSigner) -> Result<(), LedgerError> {
        let checkpoint = read_checkpoint(head, signer)?;
        while self.tree.size() < head.size {
            let leaves = self.next_leaves(shelf, head.size).await?;
            leaves.into_iter().for_each(|leaf| self.push(leaf));
        }
        // A head below what was known is a store put back to an earlier state.
        let root = self.tree.root_at(head.size).map_err(|_| LedgerError::Root(head.size))?;
        if self.tree.size() == head.size && root == checkpoint.root {
            Ok(())
        } else {
            Err(LedgerError::Root(head.size))
        }
    }

    async fn next_leaves(&self, shelf: &Shelf, wanted: u64) -> Result<Vec<Hash>, LedgerError> {
        let known = self.tree.size();
        let page = Page { after: known.checked_sub(1).map(token_of), limit: Page::MAX_LIMIT };
        let rows = shelf.page::<Leaf>(&tables::leaves(), page).await?.rows;
        let missing = usize::try_from(wanted - known).unwrap_or(usize::MAX);
        let in_order = rows.into_iter().take(missing).zip(known..);
        let leaves: Vec<Hash> = in_order
            .take_while(|((key, _), index)| *key == tables::leaf(*index))
            .map(|((_, leaf), _)| Hash(leaf.0))
            .collect();
        if leaves.is_empty() { Err(LedgerError::Missing { found: known, wanted }) } else { Ok(leaves) }
    }

    fn push(&mut self, leaf: Hash) {
        self.tree.push(leaf);
        self.frontier.push(leaf);
    }

    /// Adds to `commit` what appends `leaf`: the leaf itself and the head that covers it.
    pub(crate) fn append(
        &self,
        commit: Commit,
        head: &Loaded<Head>,
        leaf: Hash,
        signer: &NoteSigner,
    ) -> Commit {
        let mut after = self.frontier.clone();
        after.push(leaf);
        let next = sign_head(&after, signer);
        let commit = put(commit, tables::leaf(self.frontier.size()), &Leaf(leaf.0), Expect::Absent);
        put(commit, tables::head(), &next, head.expected())
    }

    /// Where the next leaf will stand.
    pub(crate) fn next_index(&self) -> u64 {
        self.tree.size()
    }

    pub(crate) fn prove_inclusion(&self, index: u64) -> Result<InclusionProof, OutOfRange> {
        self.tree.prove_inclusion(index, self.tree.size())
    }

    pub(crate) fn prove_consistency(&self, old: u64, new: u64) -> Result<ConsistencyProof, OutOfRange> {
        self.tree.prove_consistency(old, new)
    }
}

/// The leaf hash of an opened entry.
pub(crate) fn leaf_of(settlement: &[u8], blinding: &[u8; 32]) -> Hash {
    leaf_hash(BlindingFactor::from_bytes(blinding).commit(settlement).as_bytes())
}

impl Opening {
    pub(crate) fn leaf(&self) -> Hash {
        leaf_of(&self.settlement.emit(), &self.blinding)
    }
}

/// Signs and stores the head of the empty log, unless someone else just did.
async fn begin(shelf: &Shelf, signer: &NoteSigner) -> Result<Loaded<Head>, LedgerError> {
    let empty = sign_head(&Frontier::default(), signer);
    let commit = put(Commit::new(), tables::head(), &empty, Expect::Absent);
    match shelf.0.commit(commit).await {
        Ok(_) | Err(CommitError::Conflict { .. }) => {}
        Err(CommitError::Store(error)) => return Err(error.into()),
    }
    let stored = shelf.load::<Head>(&tables::head()).await?;
    stored.ok_or(LedgerError::Missing { found: 0, wanted: 0 })
}

fn sign_head(log: &Frontier, signer: &NoteSigner) -> Head {
    let origin = signer.origin().to_owned();
    let text = Checkpoint { origin, size: log.size(), root: log.root() }.to_string();
    let signature = signer.sign(&text).expect("the text was just written for this signer's origin");
    let key_id = ed25519_key_id(signer.origin(), signer.verifying_key().as_bytes());
    let mut note = Note::new(text).expect("an origin was found fit for a note when the licensor opened");
    note.add(NoteSignature { name: signer.origin().to_owned(), key_id, signature: signature.to_vec() })
        .expect("an origin was found fit for a note when the licensor opened");
    Head { size: log.size(), note: note.to_string() }
}

/// Whether an origin can stand in a note: `sign_head` relies on it.
pub(crate) fn is_origin(origin: &str) -> bool {
    let plain = origin.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '+');
    plain && (1..=256).contains(&origin.len())
}

fn read_checkpoint(head: &Head, signer: &NoteSigner) -> Result<Checkpoint, LedgerError> {
    let unsigned = || LedgerError::Head(head.size);
    let note = Note::parse(&head.note).map_err(|_| unsigned())?;
    let key = signer.verifying_key();
    let fits = |text: &str, signature: &[u8]| {
        signature.try_into().is_ok_and(|signature| note::verifies(&key, text, signature))
    };
    note.verify(signer.origin(), ed25519_key_id(signer.origin(), key.as_bytes()), fits)
        .map_err(|_| unsigned())?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|_| unsigned())?;
    let ours = checkpoint.origin == signer.origin() && checkpoint.size == head.size;
    if ours { Ok(checkpoint) } else { Err(unsigned()) }
}

fn token_of(index: u64) -> PageToken {
    PageToken::parse(tables::leaf(index).as_bytes()).expect("a leaf's key is a key")
}

impl From<ReadError> for LedgerError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => Self::Store(error),
            ReadError::Malformed { .. } => Self::Malformed(error.to_string()),
        }
    }
}
