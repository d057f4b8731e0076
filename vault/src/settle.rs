//! Settlement, hop 12: a closed job's evidence goes to the licensor until it answers with the ledger's entry.
//!
//! The evidence is durable before the first try, so a crash at any line ends in the same entry: whoever claims the job
//! next does the same. The licensor gives the same answer twice, so trying again is always safe. A receipt goes out with
//! the vault's countersignature, which is made here and nowhere else: only of the receipt that closed the job,
//! after which no key of it leaves.

use std::sync::Arc;
use std::time::Duration;

use layerlock_proto::types::v1::LedgerEntry;
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::Anchors;
use layerlock_terms::ids::HoldId;
use layerlock_terms::receipt::{Cause, Countersignature, Event as Said, Settlement};
use layerlock_terms::trust::Role;
use prost::Message;

use crate::Vault;
use crate::desk::Live;
use crate::job::{Closed, Ending, Event, Job};
use crate::licensor_link::Evidence;

/// Time to the second try; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Tries before the job is left to the next claim.
const TRIES: u32 = 4;

impl Vault {
    /// Tries to settle a closed job; what does not come about is tried again by whoever claims it next.
    pub(crate) async fn settle_or_leave(self: &Arc<Self>, live: &Arc<Live>) {
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            let Err(why) = self.settle(live).await else { return };
            tracing::warn!(job = %live.id, %why, "not settled yet, trying again");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn settle(self: &Arc<Self>, live: &Arc<Live>) -> Result<(), String> {
        let job = live.view().job;
        let Job::Closed(closed) = &*job else { return Ok(()) };
        let hold = closed.admitted.order.hold().id;
        let evidence = self.evidence(closed);
        let entry = self.licensor.settle_hold(hold, evidence).await.map_err(|error| error.to_string())?;
        let settlement = check_entry(&entry, &self.trust, hold)?;
        note_other_cause(live, &closed.ending, settlement.cause);
        let advanced = self.advance(live, Event::Settled(entry.encode_to_vec())).await;
        advanced.map(drop).map_err(|refusal| refusal.to_string())
    }

    /// What proves to the licensor how a closed job ended.
    fn evidence(&self, closed: &Closed) -> Evidence {
        match &closed.ending {
            Ending::Receipt(receipt) => {
                let countersignature = Countersignature {
                    job: receipt.job,
                    hold: receipt.hold,
                    receipt: receipt.statement().digest(),
                    at: self.clock.now(),
                };
                Evidence::Receipt {
                    receipt: receipt.statement().clone(),
                    countersignature: Statement::sign(&countersignature, &self.keys.delivery),
                }
            }
            Ending::Withdrawn(report, _) => Evidence::Withdrawal(report.statement().clone()),
        }
    }
}

/// The entry must be the licensor's word about this hold. Its proof is for the device and the seller.
pub(crate) fn check_entry(entry: &LedgerEntry, trust: &Anchors, hold: HoldId) -> Result<Settlement, String> {
    let statement = Statement::parse(&entry.settlement).map_err(|error| error.to_string())?;
    match trust.verify_of_record::<Settlement>(Role::Licensor, &statement) {
        Ok(settlement) if settlement.hold == hold => Ok(settlement.into_inner()),
        Ok(_) => Err("the licensor answered with another hold's settlement".to_owned()),
        Err(why) => Err(format!("the settlement is not the licensor's: {why}")),
    }
}

/// A hold that ended by another cause stays settled so, and asking again would change nothing: the operator hears
/// of it. Its deadline can have come first; anything else was settled behind this vault's back.
fn note_other_cause(live: &Live, ending: &Ending, settled: Cause) {
    let ours = match ending {
        Ending::Withdrawn(..) => Some(Cause::Withdrawn),
        Ending::Receipt(receipt) => match receipt.event {
            Said::Ended(outcome, _) => Some(outcome.into()),
            Said::Checked(_) | Said::Progress(_) => None,
        },
    };
    if ours != Some(settled) {
        tracing::error!(job = %live.id, ?ours, ?settled, "the ledger states another cause than this job's end");
    }
}
