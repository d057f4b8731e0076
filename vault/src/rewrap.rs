//! Rotation, second half: what former key-encryption keys wrap is wrapped by the current one.
//!
//! The order is the design: retiring is durable before the first look, so that no process wraps by a former key behind
//! it; a design's record and the headers of its blobs change in one commit; a key's row goes when nothing is left under
//! it. Killed anywhere, the next run finds what is done by its headers and goes on. No blob is touched, no key removed:
//! a key whose row is gone may be. Deliberately absent: running jobs' secrets, which end with their jobs and are counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use layerlock_seal::kek_ring::{KekRing, front};
use layerlock_seal::keys::{KekId, VerifyingKey};
use layerlock_seal::trust::Anchors;
use layerlock_store::{CommitError, Page, Store};
use layerlock_terms::ids::{DesignId, JobId};

use crate::records::{DesignName, DesignRecord, KekInUse, Records, Signers};
use crate::refusal::Refusal;
use crate::source::Randomness;

/// Design versions that change in one commit.
const PAGE: usize = 16;

/// What is wrapped anew, and by what.
pub struct Rewrap {
    records: Records,
    keks: KekRing,
    trust: Anchors,
    vault: VerifyingKey,
    randomness: Randomness,
}

/// How a run ended.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rewrapped {
    /// Design versions looked at.
    pub looked_at: u64,
    /// Those that were under a former key and are no more.
    pub rewrapped: u64,
    /// Those that don't open, each left as it is.
    pub damaged: Vec<DesignId>,
    /// Jobs that are not over and whose secret is under a former key.
    pub jobs: Vec<JobId>,
    /// Former keys that wrap nothing any more.
    pub retired: Vec<KekId>,
    /// Former keys that still wrap something.
    pub needed: BTreeSet<KekId>,
}

impl Rewrap {
    /// Makes ready; `vault` is the key that signs the vault's part of a job's record.
    pub fn new(
        store: Arc<dyn Store>,
        keks: KekRing,
        trust: Anchors,
        vault: VerifyingKey,
        randomness: Randomness,
    ) -> Self {
        Self { records: Records::new(store), keks, trust, vault, randomness }
    }

    /// Wraps anew; `tell` hears after each commit how far it is.
    ///
    /// # Errors
    /// A store that doesn't answer. What was done stays done.
    pub async fn run(&self, mut tell: impl FnMut(&Rewrapped)) -> Result<Rewrapped, Refusal> {
        let former = self.begin().await?;
        let mut done = Rewrapped::default();
        let mut page = Page::first(PAGE);
        loop {
            let (names, next) = self.records.design_names(page).await?;
            self.designs(&names, &mut done).await?;
            tell(&done);
            match next {
                Some(token) => page = Page::after(token, PAGE),
                None => break,
            }
        }
        self.look_at_jobs(&mut done).await?;
        for kek in former {
            self.end(kek, &mut done).await?;
        }
        Ok(done)
    }

    /// The current key wraps, the others are being retired; from here on.
    async fn begin(&self) -> Result<Vec<KekInUse>, Refusal> {
        let current = self.records.use_kek(self.keks.current().key_id()).await?;
        let mut former = Vec::new();
        for kek in self.records.keks_in_use().await? {
            if kek.id != current.id {
                former.push(self.records.begin_retiring(kek).await?);
            }
        }
        Ok(former)
    }

    /// One page of designs, in one commit; anew if another process changed one of them meanwhile.
    async fn designs(&self, names: &[DesignName], done: &mut Rewrapped) -> Result<(), Refusal> {
        loop {
            let mut damaged = Vec::new();
            let mut anew = Vec::new();
            for name in names {
                match self.design(name).await? {
                    Seen::Current => {}
                    Seen::Anew(record, sealed) => anew.push((record, sealed)),
                    Seen::Damaged(kek) => damaged.push((name.design, kek)),
                }
            }
            let count = anew.len() as u64;
            match self.records.keep_rewrapped(anew).await {
                Ok(()) => {
                    done.looked_at += names.len() as u64;
                    done.rewrapped += count;
                    done.note_damaged(damaged, &self.keks);
                    return Ok(());
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error @ CommitError::Store(_)) => return Err(error.into()),
            }
        }
    }

    async fn design(&self, name: &DesignName) -> Result<Seen, Refusal> {
        let Some(record) = self.records.design_record(name).await? else { return Ok(Seen::Current) };
        let kek = record.kek();
        if kek == Some(self.keks.current().key_id()) {
            return Ok(Seen::Current);
        }
        Ok(match record.rewrap(name, &self.keks, &mut self.randomness.clone()) {
            Ok(sealed) => Seen::Anew(record, sealed),
            Err(_) => Seen::Damaged(kek),
        })
    }

    /// Counts the jobs that hold a former key in use.
    async fn look_at_jobs(&self, done: &mut Rewrapped) -> Result<(), Refusal> {
        let current = self.keks.current().key_id();
        let signers = Signers { licensor: &self.trust, vault: &self.vault };
        for id in self.records.open_jobs().await? {
            let Ok(Some(kept)) = self.records.job(id, signers).await else { continue };
            let secret = kept.value.slicing().and_then(|slicing| front(&slicing.secret).ok());
            if let Some(kek) = secret.map(|header| header.key_id()).filter(|kek| *kek != current) {
                done.jobs.push(id);
                done.needed.insert(kek);
            }
        }
        Ok(())
    }

    async fn end(&self, kek: KekInUse, done: &mut Rewrapped) -> Result<(), Refusal> {
        if done.needed.contains(&kek.id) {
            return Ok(());
        }
        match self.records.retire(kek).await {
            Ok(()) => done.retired.push(kek.id),
            // A vault was started anew that wraps by it.
            Err(CommitError::Conflict { .. }) => {
                done.needed.insert(kek.id);
            }
            Err(error @ CommitError::Store(_)) => return Err(error.into()),
        }
        Ok(())
    }
}

/// A design's record, looked at.
enum Seen {
    /// Nothing to do.
    Current,
    /// To be put in its place.
    Anew(DesignRecord, Vec<u8>),
    /// It doesn't open; the key its header names, if it has one.
    Damaged(Option<KekId>),
}

impl Rewrapped {
    /// A damaged record may be mended from a backup, so its key is still needed; which one it is, if its header is gone,
    /// nobody knows.
    fn note_damaged(&mut self, damaged: Vec<(DesignId, Option<KekId>)>, keks: &KekRing) {
        for (design, kek) in damaged {
            self.damaged.push(design);
            match kek {
                Some(kek) => self.needed.extend([kek]),
                None => self.needed.extend(keks.ids().skip(1)),
            }
        }
    }
}
