//! Settlement, hop 12: a closed job's evidence goes to the licensor until it answers with the ledger's entry.
//!
//! The evidence is durable before the first try, so a crash at any line ends in the same entry: recovery starts
//! the same task. The licensor gives the same answer twice, so trying again is always safe.

use std::sync::Arc;
use std::time::Duration;

use layerlock_proto::types::v1::LedgerEntry;
use layerlock_seal::statement::Statement;
use layerlock_terms::ids::HoldId;
use layerlock_terms::receipt::Settlement;
use prost::Message;

use crate::Vault;
use crate::desk::Live;
use crate::job::{Ending, Event, Job};
use crate::licensor_link::Evidence;

/// Time to the second try; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Vault {
    /// Settles a closed job in the background, for as long as it takes.
    pub(crate) fn start_settling(self: &Arc<Self>, live: &Arc<Live>) {
        let (vault, live) = (self.clone(), live.clone());
        tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            while let Err(why) = vault.settle(&live).await {
                tracing::warn!(job = %live.id, %why, "not settled yet, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
    }

    async fn settle(self: &Arc<Self>, live: &Arc<Live>) -> Result<(), String> {
        let job = live.view().job;
        let Job::Closed(closed) = &*job else { return Ok(()) };
        let hold = closed.admitted.order.hold().id;
        let evidence = match &closed.ending {
            Ending::Receipt(receipt) => Evidence::Receipt(receipt.statement().clone()),
            Ending::Withdrawn(report, _) => Evidence::Withdrawal(report.statement().clone()),
        };
        let entry = self.licensor.settle_hold(hold, evidence).await.map_err(|error| error.to_string())?;
        self.check_entry(&entry, hold)?;
        let advanced = self.advance(live, Event::Settled(entry.encode_to_vec())).await;
        advanced.map(drop).map_err(|refusal| refusal.to_string())
    }

    /// The entry must be the licensor's word about this hold. Its proof is for the device and the seller.
    fn check_entry(&self, entry: &LedgerEntry, hold: HoldId) -> Result<(), String> {
        let statement = Statement::parse(&entry.settlement).map_err(|error| error.to_string())?;
        let settlement = statement.verify::<Settlement>(self.trust.licensor_of_record());
        match settlement {
            Ok(settlement) if settlement.hold == hold => Ok(()),
            Ok(_) => Err("the licensor answered with another hold's settlement".to_owned()),
            Err(why) => Err(format!("the settlement is not the licensor's: {why}")),
        }
    }
}
