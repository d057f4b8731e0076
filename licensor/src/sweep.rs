//! Holds that end by rule: nobody admitted them in time, or nobody reported in time (L11).
//!
//! A row of the due index says when; the sweep settles every row that is due by the same write path as a receipt
//! would, so it may run anywhere, any number of times, and beside itself. Deliberately absent: the clock that wakes
//! it. `run` is a loop over `sweep` and nothing else.

use std::time::Duration;

use layerlock_proto::refusal::Reason;
use layerlock_store::Page;
use layerlock_terms::ids::HoldId;
use layerlock_terms::units::Timestamp;
use tonic::Status;

use crate::Licensor;
use crate::records::{Pointer, tables};
use crate::settle::Claim;

/// What one sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Holds ended by rule.
    pub settled: u64,
    /// Holds that were due and couldn't be ended; they stay due and our log names them.
    pub failed: u64,
}

impl Licensor {
    /// Ends every hold that is due at `now`.
    ///
    /// # Errors
    /// When the list of what is due can't be read. One hold that fails doesn't keep the others.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept, Status> {
        let mut swept = Swept::default();
        let mut page = Page::first(100);
        loop {
            let rows = self.shelf.page::<Pointer>(&tables::holds_due(), page).await?;
            let listed = rows.rows.len();
            let due: Vec<HoldId> = rows
                .rows
                .iter()
                .take_while(|(row, _)| tables::due_of(row).is_some_and(|due| due <= now))
                .map(|(_, hold)| HoldId::from_bytes(hold.0))
                .collect();
            for hold in &due {
                self.sweep_one(*hold, now, &mut swept).await;
            }
            match rows.next {
                Some(next) if due.len() == listed => page = Page::after(next, 100),
                Some(_) | None => return Ok(swept),
            }
        }
    }

    /// Sweeps every `period`, for as long as the task that runs it.
    pub async fn run(&self, period: Duration) {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.sweep(self.clock.now()).await {
                Ok(Swept { settled: 0, failed: 0 }) => {}
                Ok(Swept { settled, failed }) => tracing::info!(settled, failed, "holds ended by rule"),
                Err(status) => tracing::error!(reason = ?Reason::of(&status), "the sweep could not list"),
            }
        }
    }

    async fn sweep_one(&self, id: HoldId, now: Timestamp, swept: &mut Swept) {
        match self.settle(id, Claim::Deadline(now)).await {
            Ok(_) => swept.settled += 1,
            Err(status) => {
                swept.failed += 1;
                tracing::error!(hold = %id, reason = ?Reason::of(&status), "a due hold could not be ended");
            }
        }
    }
}
