//! The audit at opening: the records of copies held against the signed ledger (S1, V3).
//!
//! Every settled hold must open its leaf, every leaf must be opened by one hold, and what the settlements and the
//! running holds of a license add up to must be what its record says. A count edited in the database shows here,
//! and the licensor doesn't open. Deliberately absent: mending. Which of two accounts is right is for people.

use std::collections::HashMap;

use layerlock_store::{Page, Prefix};
use layerlock_terms::ids::{HoldId, LicenseId};
use layerlock_terms::license as terms;
use layerlock_terms::receipt::{CopyOutcome, Counts, Settlement};

use crate::Licensor;
use crate::ledger::LedgerError;
use crate::records::{Hold, Leaf, License, Opening, ReadError, Stage, Stored, tables};

/// The first contradiction found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The ledger itself.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A statement that isn't ours, or not what its record says it is.
    #[error("the record of {0} holds a statement this licensor did not make for it")]
    Forged(String),
    /// A settled hold that doesn't open the leaf it names.
    #[error("{0} does not open the leaf it names: its settlement was changed")]
    Opening(HoldId),
    /// Leaves without holds, or the reverse.
    #[error("the ledger has {leaves} leaves and {settled} holds are settled: records were removed or added")]
    Entries {
        /// Leaves of the ledger.
        leaves: u64,
        /// Holds that say they are settled.
        settled: u64,
    },
    /// A license's counts aren't what its holds and settlements add up to.
    #[error("{license} says {recorded:?}, its signed holds and settlements say {signed:?}")]
    Counts {
        /// The license.
        license: LicenseId,
        /// What the record says.
        recorded: Counts,
        /// What the statements add up to.
        signed: Counts,
    },
    /// The records can't be read.
    #[error("{0}")]
    Records(String),
}

/// What the holds of one license add up to.
#[derive(Default)]
struct Tally {
    held: u32,
    spent: u32,
}

impl Licensor {
    /// Reads every hold and every license once.
    pub(crate) async fn audit(&self) -> Result<(), AuditError> {
        let leaves = {
            let (log, head) = self.ledger.current(&self.shelf, &self.keys.checkpoint).await?;
            drop(log);
            head.value.size
        };
        let mut tallies: HashMap<LicenseId, Tally> = HashMap::new();
        let mut settled = 0;
        for hold in self.all::<Hold>(&tables::holds()).await? {
            let terms = self.audited::<terms::Hold>(&hold.statement)?;
            let tally = tallies.entry(terms.license).or_default();
            match &hold.stage {
                Stage::Placed | Stage::Admitted(_) => tally.held += 1,
                Stage::Settled(_, opening) => {
                    settled += 1;
                    tally.spent += self.audit_opening(&terms, opening).await?;
                }
            }
        }
        if settled != leaves {
            return Err(AuditError::Entries { leaves, settled });
        }
        self.audit_licenses(&tallies).await
    }

    /// One for a spent copy, zero for a returned one.
    async fn audit_opening(&self, hold: &terms::Hold, opening: &Opening) -> Result<u32, AuditError> {
        let settlement = self.audited::<Settlement>(&opening.settlement)?;
        let leaf = self.shelf.load::<Leaf>(&tables::leaf(opening.index)).await?;
        let opens = leaf.is_some_and(|leaf| leaf.value == Leaf(opening.leaf().0));
        if !opens || settlement.hold != hold.id || settlement.license != hold.license {
            return Err(AuditError::Opening(hold.id));
        }
        Ok(match settlement.copy {
            CopyOutcome::Spent => 1,
            CopyOutcome::Returned => 0,
        })
    }

    async fn audit_licenses(&self, tallies: &HashMap<LicenseId, Tally>) -> Result<(), AuditError> {
        for license in self.all::<License>(&tables::licenses()).await? {
            let granted = self.audited::<terms::License>(&license.statement)?;
            let tally = tallies.get(&granted.id).unwrap_or(&Tally { held: 0, spent: 0 });
            let signed = tally.counts(granted.terms.copies);
            let recorded = license.standing.copies.counts();
            if recorded != signed {
                return Err(AuditError::Counts { license: granted.id, recorded, signed });
            }
        }
        Ok(())
    }

    fn audited<T: layerlock_terms::wire::Noun>(
        &self,
        statement: &layerlock_seal::statement::Statement,
    ) -> Result<T, AuditError> {
        let verified = self.trust.issued::<T>(statement);
        verified.map(|v| v.into_inner()).map_err(|_| AuditError::Forged(statement.digest().to_string()))
    }

    async fn all<T: Stored>(&self, prefix: &Prefix) -> Result<Vec<T>, ReadError> {
        let (mut all, mut page) = (Vec::new(), Page::first(Page::MAX_LIMIT));
        loop {
            let rows = self.shelf.page::<T>(prefix, page).await?;
            all.extend(rows.rows.into_iter().map(|(_, record)| record));
            match rows.next {
                Some(next) => page = Page::after(next, Page::MAX_LIMIT),
                None => return Ok(all),
            }
        }
    }
}

impl Tally {
    /// Saturating: what doesn't add up is shown as it is, and balances with nothing.
    fn counts(&self, granted: u32) -> Counts {
        let free = granted.saturating_sub(self.held).saturating_sub(self.spent);
        Counts { granted, free, held: self.held, spent: self.spent }
    }
}

impl From<ReadError> for AuditError {
    fn from(error: ReadError) -> Self {
        Self::Records(error.to_string())
    }
}
