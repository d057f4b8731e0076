//! The pull: what jobs ask for is taken from the records by whoever is free, under a lease.
//!
//! The records say which jobs ask for which work (`records::index`), a claim keeps two from doing one thing twice at
//! once, and a lease that is renewed while the work goes on lets another process take over when this one dies. A claim
//! protects nothing: what the work leads to is a step of the job, and of two that step it the store lets one. Work that
//! did not come about keeps its claim, so that it is tried again when the lease is over and not before.
//!
//! Deliberately absent: the work itself (`hold`, `press`, `settle`).

use std::sync::{Arc, Weak};
use std::time::Duration;

use layerlock_store::{Claim, Standing, StoreError};
use tokio::task::JoinHandle;

use crate::Vault;
use crate::desk::Live;
use crate::records::{Work, claimed_job};

/// Pause between two looks if nothing says that there is work.
const LOOK: Duration = Duration::from_secs(5);

/// Jobs settled at once.
const SETTLING: u16 = 16;

impl Vault {
    /// Works, for as long as the vault lives, on what jobs ask for.
    pub(crate) fn start_pulling(self: &Arc<Self>) {
        let each = [(Work::Admit, 1), (Work::Press, self.limits.concurrent_jobs), (Work::Settle, SETTLING)];
        for (work, hands) in each {
            (0..hands).for_each(|_| drop(tokio::spawn(pull(Arc::downgrade(self), work))));
        }
    }

    /// The lease of a claim: so long after the end of this process another one takes over.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.limits.lease.0)
    }

    async fn work_on(self: &Arc<Self>, work: Work, claim: Claim) {
        let Some(id) = claimed_job(&claim) else {
            return tracing::error!(key = ?claim.key, "a row asks for work in no job's name");
        };
        let Some(live) = self.take_up(id).await else { return };
        let (vault, worked) = (self.clone(), live.clone());
        let task = tokio::spawn(live.heritage().around(async move { vault.do_work(work, &worked).await }));
        if work == Work::Press {
            live.set_pressing(Some(task.abort_handle()));
        }
        self.keep_claimed(&live, &claim, task).await;
        live.set_pressing(None);
        if Work::of(&live.view().job) != Some(work)
            && let Err(error) = self.records.release(claim).await
        {
            tracing::warn!(job = %id, %error, "a claim ends with its lease");
        }
    }

    async fn do_work(self: &Arc<Self>, work: Work, live: &Arc<Live>) {
        match work {
            Work::Admit => self.admit_late(live).await,
            Work::Press => self.press_or_give_up(live).await,
            Work::Settle => self.settle_or_leave(live).await,
        }
    }

    /// Renews the claim until the work is over, and ends the work if another process has taken it over.
    async fn keep_claimed(&self, live: &Live, claim: &Claim, mut task: JoinHandle<()>) {
        let lease = self.lease();
        loop {
            let ended = tokio::time::timeout(lease / 3, &mut task).await;
            if ended.is_ok() {
                return;
            }
            match self.records.renew(claim, lease).await {
                Ok(Standing::Held) => {}
                Ok(Standing::Lost) => {
                    tracing::warn!(job = %live.id, "the claim was lost: another process may work on it");
                    return task.abort();
                }
                // Whether it is still ours is unknown; going on costs work, never a job.
                Err(error) => tracing::warn!(job = %live.id, %error, "a claim could not be renewed"),
            }
        }
    }
}

/// Takes one kind of work, one job after the other.
async fn pull(vault: Weak<Vault>, work: Work) {
    loop {
        let Some(vault) = vault.upgrade() else { return };
        let mut asked = vault.desk.asked(work);
        match vault.records.claim(work, vault.lease()).await {
            Ok(Some(claim)) => {
                vault.work_on(work, claim).await;
                continue;
            }
            Ok(None) => {}
            Err(StoreError::Stopped { .. }) => tracing::debug!(work = work.name(), "the store has stopped"),
            Err(error) => tracing::warn!(work = work.name(), %error, "no work can be had"),
        }
        // The request that made a job asks the licensor itself: here comes only what it left behind.
        let told = work != Work::Admit;
        drop(vault);
        tokio::select! {
            _ = asked.changed(), if told => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
