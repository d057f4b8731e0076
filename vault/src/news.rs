//! News of what other processes did to what is at hand here.
//!
//! Everything told is looked up in the records before anything is made of it, so news that is late, doubled or our own
//! does no harm; news that was missed costs time only, until the next look at everything. Deliberately absent: news of
//! revocations. Nobody keeps those at hand.

use std::sync::{Arc, Weak};
use std::time::Duration;

use layerlock_store::{Key, Listener, News, Revision};
use layerlock_terms::ids::DeviceId;

use crate::Vault;
use crate::records::{Changed, Work};
use crate::refusal::Refusal;

impl Vault {
    /// Follows the news for as long as the vault lives.
    pub(crate) fn start_following(self: &Arc<Self>) {
        let pause = Duration::from_millis(self.limits.look_over.0);
        tokio::spawn(follow(Arc::downgrade(self), self.records.listen(), pause));
    }

    async fn hear(self: &Arc<Self>, revision: Revision, key: &Key) -> Result<(), Refusal> {
        match Changed::of(key) {
            Some(Changed::Job(job)) => match self.desk.find(job) {
                Some(live) => self.refresh_to(&live, revision).await,
                None => Ok(()),
            },
            Some(Changed::OpenJob(device, job)) => {
                if self.desk.serves(device) && self.take_up(job).await.is_some() {
                    self.desk.note_change(device);
                }
                Ok(())
            }
            Some(Changed::Work(work)) => {
                self.desk.ask(work);
                Ok(())
            }
            Some(Changed::Envelope(job)) => {
                if let Some(live) = self.desk.find(job) {
                    self.find_envelope(&live).await;
                }
                Ok(())
            }
            Some(Changed::Device(device)) => self.fence_behind(device).await,
            Some(Changed::Design(name)) => {
                self.gallery.note(name);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Takes up what a device here waits for and nobody told of, looks at what is at hand, and puts away what nobody needs.
    async fn look_over(self: &Arc<Self>) -> Result<(), Refusal> {
        self.desk.put_away();
        for live in self.desk.all() {
            self.refresh(&live).await?;
        }
        for (device, job) in self.records.open_jobs_by_device().await? {
            if self.desk.serves(device) && self.desk.find(job).is_none() {
                self.take_up(job).await;
                self.desk.note_change(device);
            }
        }
        Ok(())
    }

    /// What is at hand may have changed without a word: looks at all of it.
    async fn look_again(self: &Arc<Self>) -> Result<(), Refusal> {
        self.gallery.note_any();
        Work::ALL.into_iter().for_each(|work| self.desk.ask(work));
        for live in self.desk.all() {
            self.refresh(&live).await?;
        }
        for device in self.desk.devices() {
            self.fence_behind(device).await?;
            self.take_up_jobs_of(device).await?;
            self.desk.note_change(device);
        }
        Ok(())
    }

    /// Ends a session here if the device has opened a newer one anywhere.
    async fn fence_behind(&self, device: DeviceId) -> Result<(), Refusal> {
        if self.sessions.seats(device)
            && let Some(newest) = self.records.counter(device).await?
        {
            self.sessions.fence_below(device, newest.value);
        }
        Ok(())
    }
}

async fn follow(vault: Weak<Vault>, mut listener: Listener, pause: Duration) {
    let mut over = tokio::time::interval(pause);
    over.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let news = tokio::select! {
            news = listener.next() => news,
            _ = over.tick() => {
                let Some(vault) = vault.upgrade() else { return };
                if let Err(refusal) = vault.look_over().await {
                    tracing::warn!(%refusal, "what is at hand could not be looked over");
                }
                continue;
            }
        };
        let (Some(vault), Some(news)) = (vault.upgrade(), news) else { return };
        if let Err(refusal) = learn(&vault, news).await {
            tracing::warn!(%refusal, "news could not be looked up");
        }
    }
}

async fn learn(vault: &Arc<Vault>, news: News) -> Result<(), Refusal> {
    match news {
        News::Missed => vault.look_again().await,
        News::Changed { revision, keys } => {
            for key in keys {
                vault.hear(revision, &key).await?;
            }
            Ok(())
        }
    }
}
