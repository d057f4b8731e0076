//! Copies of a license: held for a job, then spent or free again. Pure; hop 12, `settle`.
//!
//! Always: granted = free + held + spent. A count moves only by the consuming steps here, and a settlement can
//! only be written with the evidence a step leaves ([`Settled`]). What a failed print costs is decided here too,
//! by the license's failure policy and the device's signed receipt (L8, L11).
//!
//! Deliberately absent: licenses, devices, time, storage.

use layerlock_terms::license::FailurePolicy;
use layerlock_terms::receipt::{Cause, CopyOutcome, Counts, Extent, Outcome};
use layerlock_terms::units::Percent;

/// A license's copies; balanced by construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copies(Counts);

/// Evidence: a held copy was spent, and these are the counts after it. Made by [`Copies::spend`] alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent(Counts);

/// Evidence: a held copy is free again. Made by [`Copies::release`] alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Returned(Counts);

/// What became of a held copy, with the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is used.
    Spent(Spent),
    /// It may be held again.
    Returned(Returned),
}

/// How a hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The device's final receipt.
    Reported(Outcome, Extent),
    /// The vault ended the job before it released any key.
    Withdrawn,
    /// No vault admitted the job in time.
    NotAdmitted,
    /// Admitted, and no final receipt came in time.
    Overdue,
}

/// Why a copy doesn't move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCopy {
    /// None is free.
    #[error(
        "no copy is free: {held} held, {spent} spent of {granted}; wait for a hold to end or buy more copies"
    )]
    Free {
        /// All copies.
        granted: u32,
        /// Reserved for running jobs.
        held: u32,
        /// Used.
        spent: u32,
    },
    /// None is held: the records of the license and its holds contradict each other.
    #[error("no copy is held")]
    Held,
}

impl Copies {
    /// All copies free.
    pub const fn granted(copies: u32) -> Self {
        Self(Counts::granted(copies))
    }

    /// The copies these counts say, unless they don't balance (L4).
    pub fn of(counts: Counts) -> Option<Self> {
        counts.balanced().then_some(Self(counts))
    }

    /// The counts.
    pub fn counts(self) -> Counts {
        self.0
    }

    /// Free → held.
    ///
    /// # Errors
    /// [`NoCopy::Free`].
    pub fn hold(self) -> Result<Self, NoCopy> {
        let Counts { granted, free, held, spent } = self.0;
        let free = free.checked_sub(1).ok_or(NoCopy::Free { granted, held, spent })?;
        Ok(Self(Counts { granted, free, held: held + 1, spent }))
    }

    /// Held → spent.
    ///
    /// # Errors
    /// [`NoCopy::Held`].
    pub fn spend(self) -> Result<(Self, Spent), NoCopy> {
        let held = self.0.held.checked_sub(1).ok_or(NoCopy::Held)?;
        let counts = Counts { held, spent: self.0.spent + 1, ..self.0 };
        Ok((Self(counts), Spent(counts)))
    }

    /// Held → free.
    ///
    /// # Errors
    /// [`NoCopy::Held`].
    pub fn release(self) -> Result<(Self, Returned), NoCopy> {
        let held = self.0.held.checked_sub(1).ok_or(NoCopy::Held)?;
        let counts = Counts { held, free: self.0.free + 1, ..self.0 };
        Ok((Self(counts), Returned(counts)))
    }

    /// Held → spent or free, as the ending and the policy say.
    ///
    /// # Errors
    /// [`NoCopy::Held`].
    pub fn settle(self, ending: Ending, policy: FailurePolicy) -> Result<(Self, Settled), NoCopy> {
        match ending.verdict(policy) {
            CopyOutcome::Spent => self.spend().map(|(copies, spent)| (copies, Settled::Spent(spent))),
            CopyOutcome::Returned => {
                self.release().map(|(copies, returned)| (copies, Settled::Returned(returned)))
            }
        }
    }
}

impl Settled {
    /// What became of the copy.
    pub fn outcome(&self) -> CopyOutcome {
        match self {
            Self::Spent(_) => CopyOutcome::Spent,
            Self::Returned(_) => CopyOutcome::Returned,
        }
    }

    /// The license's copies after it.
    pub fn counts(&self) -> Counts {
        match self {
            Self::Spent(Spent(counts)) | Self::Returned(Returned(counts)) => *counts,
        }
    }
}

impl Ending {
    /// As the settlement states it.
    pub fn cause(self) -> Cause {
        match self {
            Self::Reported(outcome, _) => outcome.into(),
            Self::Withdrawn => Cause::Withdrawn,
            Self::NotAdmitted => Cause::NotAdmitted,
            Self::Overdue => Cause::Overdue,
        }
    }

    /// What becomes of the copy.
    ///
    /// An admitted job without a receipt is spent under every policy: else withholding the receipt would be the
    /// free print (L11). A print whose every layer was acknowledged is a print, whatever the receipt calls it.
    pub fn verdict(self, policy: FailurePolicy) -> CopyOutcome {
        match self {
            Self::Reported(Outcome::Printed, _) | Self::Overdue => CopyOutcome::Spent,
            Self::Reported(Outcome::Failed | Outcome::Cancelled, extent) => failed(extent, policy),
            Self::Withdrawn | Self::NotAdmitted => CopyOutcome::Returned,
        }
    }
}

fn failed(extent: Extent, policy: FailurePolicy) -> CopyOutcome {
    let threshold = match policy {
        FailurePolicy::Return => Percent(100),
        FailurePolicy::SpendFrom(share) => share,
    };
    if share_printed(extent) >= threshold { CopyOutcome::Spent } else { CopyOutcome::Returned }
}

/// Whole percent of the layers that were printed, rounded down.
///
/// A device that printed without having seen the whole (live mode) or states more layers than there are can't
/// show that little was printed, so the share counts as whole.
fn share_printed(extent: Extent) -> Percent {
    match (extent.layers, extent.total_layers) {
        (0, _) => Percent(0),
        (layers, total) if layers < total => {
            let share = u64::from(layers) * 100 / u64::from(total);
            Percent(u8::try_from(share).expect("fewer layers than the whole are under 100 percent"))
        }
        (_, _) => Percent(100),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn extent(layers: u32, total_layers: u32) -> Extent {
        Extent { layers, total_layers, ..Extent::default() }
    }

    fn cancelled(layers: u32, total: u32, policy: FailurePolicy) -> CopyOutcome {
        Ending::Reported(Outcome::Cancelled, extent(layers, total)).verdict(policy)
    }

    #[test]
    fn cancelling_at_99_percent_is_decided_by_the_policy() {
        let from = |share| FailurePolicy::SpendFrom(Percent(share));
        assert_eq!(cancelled(99, 100, from(50)), CopyOutcome::Spent);
        assert_eq!(cancelled(49, 100, from(50)), CopyOutcome::Returned);
        assert_eq!(cancelled(99, 100, FailurePolicy::Return), CopyOutcome::Returned);
        assert_eq!(cancelled(0, 100, from(0)), CopyOutcome::Spent);
    }

    #[test]
    fn every_layer_printed_is_a_print_whatever_it_is_called() {
        assert_eq!(cancelled(100, 100, FailurePolicy::Return), CopyOutcome::Spent);
    }

    #[test]
    fn layers_of_an_unknown_or_impossible_whole_count_as_all_of_it() {
        for (layers, total) in [(1, 0), (8, 7), (u32::MAX, 1)] {
            assert_eq!(cancelled(layers, total, FailurePolicy::SpendFrom(Percent(100))), CopyOutcome::Spent);
        }
        assert_eq!(cancelled(0, 0, FailurePolicy::SpendFrom(Percent(1))), CopyOutcome::Returned);
    }

    #[test]
    fn a_withheld_receipt_spends_the_copy_under_every_policy() {
        for policy in [FailurePolicy::Return, FailurePolicy::SpendFrom(Percent(100))] {
            assert_eq!(Ending::Overdue.verdict(policy), CopyOutcome::Spent);
            assert_eq!(Ending::NotAdmitted.verdict(policy), CopyOutcome::Returned);
            assert_eq!(Ending::Withdrawn.verdict(policy), CopyOutcome::Returned);
        }
    }

    #[test]
    fn counts_that_do_not_balance_are_no_copies() {
        for free in [0, 2, u32::MAX] {
            assert_eq!(Copies::of(Counts { granted: 1, free, held: 0, spent: 0 }), None);
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Hold,
        Spend,
        Release,
    }

    fn take(copies: Copies, step: Step) -> Result<Copies, NoCopy> {
        match step {
            Step::Hold => copies.hold(),
            Step::Spend => copies.spend().map(|(copies, _)| copies),
            Step::Release => copies.release().map(|(copies, _)| copies),
        }
    }

    proptest! {
        #[test]
        fn granted_is_always_free_plus_held_plus_spent(
            granted in 0u32..6,
            steps in prop::collection::vec(
                prop_oneof![Just(Step::Hold), Just(Step::Spend), Just(Step::Release)], 0..40),
        ) {
            let mut copies = Copies::granted(granted);
            let mut spent = 0;
            for step in steps {
                let before = copies;
                copies = take(copies, step).unwrap_or(before);
                spent += u32::from(matches!(step, Step::Spend) && copies != before);
                prop_assert!(copies.counts().balanced());
                prop_assert_eq!(copies.counts().granted, granted);
                prop_assert_eq!(copies.counts().spent, spent);
            }
        }

        #[test]
        fn the_more_was_printed_the_less_is_given_back(
            total in 1u32..500, a in 0u32..600, b in 0u32..600, share in 0u8..=100,
        ) {
            let policy = FailurePolicy::SpendFrom(Percent(share));
            let (less, more) = (a.min(b), a.max(b));
            if cancelled(less, total, policy) == CopyOutcome::Spent {
                prop_assert_eq!(cancelled(more, total, policy), CopyOutcome::Spent);
            }
        }
    }
}
