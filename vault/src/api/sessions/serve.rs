//! A living session: what the device says, what has changed, what has not been said yet.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use layerlock_proto::refusal::Reason;
use layerlock_proto::types::v1::LedgerEntry;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as Said;
use layerlock_proto::vault::v1::vault_message::Message as Answer;
use layerlock_seal::statement::Statement;
use layerlock_seal::toolpath::{JobSecret, header_hash};
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::JobId;
use layerlock_terms::license::Release;
use layerlock_terms::receipt::{Event as Told, Receipt};
use layerlock_terms::release::{Grounds, RELEASE_LIMIT};
use layerlock_terms::wire::Noun as _;
use prost::Message;
use tokio::task::{AbortHandle, JoinSet};
use tonic::Streaming;

use super::deliver::deliver;
use super::{Gone, Outbox, id, parse};
use crate::Vault;
use crate::desk::{Advanced, Live};
use crate::envelope::Envelope;
use crate::job::{Ending, Event, Job, Settled, Slicing};
use crate::press::secret_place;
use crate::refusal::Refusal;
use crate::release::{Window, release};
use crate::session::{ComeBack, Entered};

/// One device's session.
pub(super) struct Session {
    vault: Arc<Vault>,
    entered: Entered,
    outbox: Outbox,
    known: HashMap<JobId, Known>,
    deliveries: Deliveries,
}

type Deliveries = JoinSet<Result<(), Gone>>;

/// What one device's stream has said and sent about a job.
struct Known {
    live: Arc<Live>,
    /// The header that was offered.
    offered: Option<Digest>,
    delivery: Option<AbortHandle>,
    /// The first epoch whose key was not sent.
    next_epoch: u32,
    said: Final,
}

/// The last word about a job.
#[derive(PartialEq, Eq)]
enum Final {
    /// Nobody waits for it.
    Unasked,
    /// The device has sent its final receipt.
    Due,
    /// It was said.
    Said,
}

/// Why a session ends.
enum End {
    Gone,
    Refused(Refusal),
}

impl From<Gone> for End {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Session {
    pub(super) fn new(vault: Arc<Vault>, entered: Entered, outbox: Outbox) -> Self {
        Self { vault, entered, outbox, known: HashMap::new(), deliveries: JoinSet::new() }
    }

    /// Serves until the device goes, is fenced, or says what it must not.
    pub(super) async fn serve(mut self, inbox: Streaming<wire::DeviceMessage>) -> Result<(), Refusal> {
        match self.converse(inbox).await {
            Ok(()) | Err(End::Gone) => Ok(()),
            Err(End::Refused(refusal)) => Err(refusal),
        }
    }

    async fn converse(&mut self, mut inbox: Streaming<wire::DeviceMessage>) -> Result<(), End> {
        let mut changes = self.vault.desk.changes(self.entered.device);
        self.vault.take_up_jobs_of(self.entered.device).await?;
        loop {
            // Boxed, as what is heard: between two changes a session is to be small.
            Box::pin(self.catch_up()).await?;
            tokio::select! {
                word = &mut self.entered.fenced => return Err(match word {
                    Ok(ComeBack) => come_back(),
                    Err(_) => fenced(),
                }.into()),
                _ = changes.changed() => {}
                // Otherwise it was delivered, or replaced by a newer fetch.
                Some(ended) = self.deliveries.join_next() => if let Ok(Err(Gone)) = ended {
                    return Err(End::Gone);
                },
                heard = inbox.message() => match heard {
                    Ok(Some(message)) => Box::pin(self.hear(message)).await?,
                    Ok(None) | Err(_) => return Ok(()),
                },
            }
        }
    }

    async fn hear(&mut self, message: wire::DeviceMessage) -> Result<(), End> {
        match message.message {
            Some(Said::Fetch(fetch)) => self.fetch(&fetch).await,
            Some(Said::Receipt(receipt)) => self.receipt(&receipt).await,
            Some(Said::Hello(_)) => Err(Refusal::new(Reason::InvalidField, "`hello` comes once").into()),
            None => Err(Refusal::new(Reason::InvalidField, "`message` is missing").into()),
        }
    }

    /// Says whatever has not been said about the device's jobs.
    async fn catch_up(&mut self) -> Result<(), End> {
        for live in self.vault.desk.of_device(self.entered.device) {
            self.known.entry(live.id).or_insert_with(|| Known::new(live));
        }
        let mut over = Vec::new();
        for (job, known) in &mut self.known {
            known.offer(&mut self.deliveries, &self.outbox).await?;
            known.last_word(&self.outbox).await?;
            if known.said == Final::Said {
                over.push(*job);
            }
        }
        over.iter().for_each(|job| drop(self.known.remove(job)));
        Ok(())
    }

    /// Has the job of this id at hand if it is this device's; to any other it is absent.
    async fn own(&mut self, job: JobId) -> Result<Option<&mut Known>, Refusal> {
        if !self.known.contains_key(&job) {
            let found = self.vault.find_job(job).await?;
            let Some(live) = found.filter(|live| live.device() == self.entered.device) else {
                return Ok(None);
            };
            self.known.insert(job, Known::new(live));
        }
        Ok(self.known.get_mut(&job))
    }

    async fn fetch(&mut self, fetch: &wire::Fetch) -> Result<(), End> {
        let job = id(&fetch.job)?;
        let (vault, outbox) = (self.vault.clone(), self.outbox.clone());
        if self.own(job).await?.is_none() {
            return self.say_ended(job, "there is no such job").await;
        }
        let Some(known) = self.known.get_mut(&job) else { return Ok(()) };
        // Begun anew since: what it asks for is no more, and the newer envelope is offered as soon as it is here.
        let Some(envelope) = known.envelope_of(&fetch.header) else { return Ok(()) };
        let (live, from) = (known.live.clone(), fetch.from_segment);
        known.stop_delivery(&mut self.deliveries).await?;
        known.delivery = Some(self.deliveries.spawn(deliver(vault, live, envelope, from, outbox)));
        Ok(())
    }

    async fn receipt(&mut self, bytes: &[u8]) -> Result<(), End> {
        let receipt = parse(bytes, "receipt")?.verify::<Receipt>(&self.entered.key).map_err(|why| {
            Refusal::new(Reason::NotTrusted, format!("the receipt is not this device's: {why}"))
        })?;
        let (job, event, sequence) = (receipt.job, receipt.event, receipt.sequence);
        let vault = self.vault.clone();
        let Some(known) = self.own(job).await? else {
            return self.say_ended(job, "there is no such job").await;
        };
        match event {
            Told::Ended(..) => known.said = Final::Due,
            // It proves itself anew, so it may have lost what it was sent.
            Told::Checked(_) => known.next_epoch = 0,
            Told::Progress(_) => {}
        }
        let live = known.live.clone();
        match vault.advance(&live, Event::Received(receipt.clone())).await {
            Ok(Advanced { job: now, release: Some((window, layers)) }) => {
                self.send_keys(&now, window, layers).await
            }
            Ok(Advanced { release: None, .. }) => Ok(()),
            Err(refusal) if refusal.reason == Reason::DeviceCloned => {
                vault.note_fork(&live.view().job, &receipt).await?;
                Err(refusal.into())
            }
            // It lost the answer and says all of it again, from the beginning: its last word follows.
            Err(_) if live.view().job.ended_after(sequence) => Ok(()),
            Err(refusal)
                if matches!(&*live.view().job, Job::Closed(_) | Job::Settled(_) | Job::Refused(_)) =>
            {
                self.say_ended(job, &refusal.words).await
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Wraps and sends the keys of the window that were not sent on this stream.
    async fn send_keys(&mut self, job: &Job, window: Window, layers: u32) -> Result<(), End> {
        let (vault, order) = (self.vault.clone(), job.order());
        let Some(slicing) = job.slicing() else { return Ok(()) };
        let now = vault.clock.now();
        let released =
            vault.with_revocations(|fresh| release(window, layers, order.hold(), fresh, now)).await?;
        let Some(known) = self.known.get_mut(&order.job()) else { return Ok(()) };
        let (from, to) = (known.next_epoch.max(*released.epochs().start()), *released.epochs().end());
        if from > to {
            return Ok(());
        }
        let grounds = match window.release {
            Release::Window(_) => Grounds::Receipts,
            Release::Offline => {
                let hold = order.hold();
                Grounds::Offline(vault.records.offline_number(hold.device, hold.job).await?)
            }
        };
        for first in (from..=to).step_by(RELEASE_LIMIT as usize) {
            let last = to.min(first.saturating_add(RELEASE_LIMIT - 1));
            // Another session may have closed the job in the meantime: no key leaves a closed job (RC-21).
            if !matches!(&*known.live.view().job, Job::Printing(_)) {
                return Ok(());
            }
            self.outbox.send(Answer::Keys(keys(&vault, slicing, grounds, first..=last)?)).await?;
        }
        known.next_epoch = to + 1;
        Ok(())
    }

    async fn say_ended(&mut self, job: JobId, reason: &str) -> Result<(), End> {
        let ended = wire::JobEnded { job: job.to_string(), reason: reason.to_owned() };
        Ok(self.outbox.send(Answer::Ended(ended)).await?)
    }
}

impl Known {
    fn new(live: Arc<Live>) -> Self {
        Self { live, offered: None, delivery: None, next_epoch: 0, said: Final::Unasked }
    }

    /// The envelope this fetch asks for, if the job still has it and it was offered here.
    fn envelope_of(&self, header: &[u8]) -> Option<Arc<Envelope>> {
        let (job, envelope) = (self.live.view().job, self.live.envelope()?);
        let statement = job.slicing()?.header.statement();
        let digest = Some(statement.digest()).filter(|digest| digest.as_bytes()[..] == *header);
        (digest.is_some() && digest == self.offered && envelope.header() == header_hash(statement))
            .then_some(envelope)
    }

    /// Ends what is being delivered. Nothing of it is queued after this: the device hears what is queued next, and then
    /// nothing from before.
    async fn stop_delivery(&mut self, deliveries: &mut Deliveries) -> Result<(), Gone> {
        let Some(delivery) = self.delivery.take() else { return Ok(()) };
        delivery.abort();
        while !delivery.is_finished() {
            if let Some(Ok(Err(Gone))) = deliveries.join_next().await {
                return Err(Gone);
            }
        }
        Ok(())
    }

    /// Offers the job once per envelope: one that was begun anew is another envelope.
    async fn offer(&mut self, deliveries: &mut Deliveries, outbox: &Outbox) -> Result<(), Gone> {
        let job = self.live.view().job;
        let (Some(slicing), Some(envelope)) = (job.slicing(), self.live.envelope()) else { return Ok(()) };
        let header = slicing.header.statement();
        // Begun anew, and the new envelope is not here yet: its coming is a change too.
        if envelope.header() != header_hash(header) {
            return Ok(());
        }
        if self.offered == Some(header.digest()) {
            return Ok(());
        }
        // A segment of the one before, after this offer, would be taken for a forged one of this.
        self.stop_delivery(deliveries).await?;
        self.offered = Some(header.digest());
        let order = job.order();
        let offer = wire::JobOffer {
            job: self.live.id.to_string(),
            header: header.emit(),
            license: order.license().statement().emit(),
            hold: order.hold().statement().emit(),
            profile: order.profile().emit(),
        };
        outbox.send(Answer::Offer(offer)).await
    }

    /// Tells how it ended, once that is known: a withdrawal to a device that was offered it, the ledger's entry
    /// to the device that sent its final receipt.
    async fn last_word(&mut self, outbox: &Outbox) -> Result<(), Gone> {
        let job = self.live.view().job;
        let (closed, entry) = match &*job {
            Job::Closed(closed) => (closed, None),
            Job::Settled(Settled { closed, entry }) => (closed, Some(entry)),
            _ => return Ok(()),
        };
        let id = self.live.id.to_string();
        let message = match (&closed.ending, entry) {
            (Ending::Withdrawn(_, refusal), _) if self.offered.is_some() || self.said == Final::Due => {
                Answer::Ended(wire::JobEnded { job: id, reason: refusal.words.clone() })
            }
            (Ending::Receipt(_), Some(entry)) if self.said == Final::Due => {
                let entry = LedgerEntry::decode(&entry[..]).ok();
                Answer::Settled(wire::Settled { job: id, entry })
            }
            (Ending::Withdrawn(..) | Ending::Receipt(_), _) => return Ok(()),
        };
        self.said = Final::Said;
        outbox.send(message).await
    }
}

/// The secrets of these epochs, wrapped to the job's device and signed.
fn keys(
    vault: &Vault,
    slicing: &Slicing,
    grounds: Grounds,
    epochs: RangeInclusive<u32>,
) -> Result<wire::JobKeys, Refusal> {
    let order = &slicing.admitted.order;
    let header = header_hash(slicing.header.statement());
    let secret = JobSecret::open(&vault.keys.keks, &secret_place(order, header), &slicing.secret);
    let secret = secret.map_err(|why| {
        tracing::error!(job = %order.job(), %why, "a job secret does not open");
        Refusal::new(Reason::Stopped, "this job's keys are damaged in the vault: place a new hold")
    })?;
    let release = secret.release(&header, grounds, epochs, order.wrapping(), &mut vault.randomness.clone());
    let release = Statement::sign(&release, &vault.keys.delivery).emit();
    Ok(wire::JobKeys { job: order.job().to_string(), release })
}

fn fenced() -> Refusal {
    Refusal::new(Reason::SessionFenced, "a newer session of this device took over: was it cloned?")
}

fn come_back() -> Refusal {
    Refusal::new(Reason::Stopped, "the vault is being restarted: come back in a moment")
}
