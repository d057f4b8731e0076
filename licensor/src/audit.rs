//! The audit at opening: the records of copies held against the signed ledger (S1, V3).
//!
//! Every settled hold must open its leaf, every leaf must be opened by one hold, and what the settlements and the
//! running holds of a license add up to must be what its record says. A count edited in the database shows here,
//! and the licensor doesn't open.
//!
//! All of it is read at one moment, so other licensors on the same store may serve meanwhile. Deliberately absent: mending. Which of two accounts is right is for people.

use std::collections::HashMap;

use layerlock_seal::statement::Statement;
use layerlock_terms::ids::{HoldId, LicenseId};
use layerlock_terms::license as terms;
use layerlock_terms::receipt::{CopyOutcome, Counts, Settlement};
use layerlock_terms::wire::Noun;

use crate::Licensor;
use crate::ledger::LedgerError;
use crate::records::shelf::Walk;
use crate::records::{Hold, Leaf, License, Opening, ReadError, Shelf, Stage, tables};

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
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    held: u32,
    spent: u32,
}

impl Licensor {
    /// Reads every hold and every license once, before anything is served here.
    pub(crate) async fn audit(&self) -> Result<(), AuditError> {
        // A ledger that is not begun yet is begun now: the moment shows it.
        drop(self.ledger.current(&self.shelf, &self.keys.checkpoint).await?);
        let moment = match self.shelf.0.snapshot().await.map_err(ReadError::from)? {
            Some(moment) => Shelf(moment),
            None => Shelf(self.shelf.0.clone()),
        };
        let (log, head) = self.ledger.current(&moment, &self.keys.checkpoint).await?;
        drop(log);
        let leaves = head.value.size;
        let (mut tallies, mut settled) = (HashMap::new(), 0);
        let mut holds = Walk::<Hold>::over(tables::holds());
        while let Some(page) = holds.next(&moment).await? {
            for hold in page {
                settled += self.audit_hold(&moment, &hold, &mut tallies).await?;
            }
        }
        if settled != leaves {
            return Err(AuditError::Entries { leaves, settled });
        }
        self.audit_licenses(&moment, &tallies).await
    }

    /// Adds a hold to its license's tally; answers how many leaves it opens.
    async fn audit_hold(
        &self,
        shelf: &Shelf,
        hold: &Hold,
        tallies: &mut HashMap<LicenseId, Tally>,
    ) -> Result<u64, AuditError> {
        let terms = self.audited::<terms::Hold>(&hold.statement)?;
        let tally = tallies.entry(terms.license).or_default();
        match &hold.stage {
            Stage::Placed | Stage::Admitted(_) => {
                tally.held += 1;
                Ok(0)
            }
            Stage::Settled(_, opening) => {
                tally.spent += self.audit_opening(shelf, &terms, opening).await?;
                Ok(1)
            }
        }
    }

    /// One for a spent copy, zero for a returned one.
    async fn audit_opening(
        &self,
        shelf: &Shelf,
        hold: &terms::Hold,
        opening: &Opening,
    ) -> Result<u32, AuditError> {
        let settlement = self.audited::<Settlement>(&opening.settlement)?;
        let leaf = shelf.load::<Leaf>(&tables::leaf(opening.index)).await?;
        let opens = leaf.is_some_and(|leaf| leaf.value == Leaf(opening.leaf().0));
        if !opens || settlement.hold != hold.id || settlement.license != hold.license {
            return Err(AuditError::Opening(hold.id));
        }
        Ok(match settlement.copy {
            CopyOutcome::Spent => 1,
            CopyOutcome::Returned => 0,
        })
    }

    async fn audit_licenses(
        &self,
        shelf: &Shelf,
        tallies: &HashMap<LicenseId, Tally>,
    ) -> Result<(), AuditError> {
        let mut licenses = Walk::<License>::over(tables::licenses());
        while let Some(page) = licenses.next(shelf).await? {
            page.iter().try_for_each(|license| self.audit_license(license, tallies))?;
        }
        Ok(())
    }

    fn audit_license(
        &self,
        license: &License,
        tallies: &HashMap<LicenseId, Tally>,
    ) -> Result<(), AuditError> {
        let granted = self.audited::<terms::License>(&license.statement)?;
        let tally = tallies.get(&granted.id).copied().unwrap_or_default();
        let signed = tally.counts(granted.terms.copies);
        let recorded = license.standing.copies.counts();
        if recorded == signed {
            Ok(())
        } else {
            Err(AuditError::Counts { license: granted.id, recorded, signed })
        }
    }

    fn audited<T: Noun>(&self, statement: &Statement) -> Result<T, AuditError> {
        let verified = self.trust.issued::<T>(statement);
        verified.map(|v| v.into_inner()).map_err(|_| AuditError::Forged(statement.digest().to_string()))
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
