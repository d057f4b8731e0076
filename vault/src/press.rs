//! The press, hops 6 and 7: the only room that opens a design that is kept. Blob → worker → pieces → sealed segments.
//!
//! The mesh passes through in chunks that are wiped behind it, on its way to a worker; what comes back is
//! inspected piece by piece, sealed for one device and appended, so the first layers are under way while the
//! last are being sliced. Before the first segment shows, header and sealed job secret are durable; before the
//! job is called sealed, its file is. A crash in between costs the work: recovery begins anew, with another
//! secret, because nothing is ever sealed twice under one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use layerlock_proto::refusal::Reason;
use layerlock_seal::blob::{self, Part};
use layerlock_seal::sha256;
use layerlock_seal::statement::Statement;
use layerlock_seal::toolpath::{Sealer, header_hash};
use layerlock_terms::envelope::{EnvelopeHeader, SEGMENT_LIMIT};
use layerlock_terms::profile::Profile;
use layerlock_terms::receipt::{JobEvent, JobReport};
use layerlock_terms::units::Millis;
use layerlock_terms::wire::Noun;

use crate::Vault;
use crate::admit::{Order, Permit};
use crate::desk::{Live, Progress};
use crate::envelope::Flush;
use crate::job::{Event, Job};
use crate::records::DesignName;
use crate::refusal::Refusal;
use crate::worker::{Answer, At, Installed, Task, Way, Worker, WorkerError};

mod inspect;
mod line;

use line::Line;

/// Layers that share an epoch's key: with usual layer times some minutes of printing.
const EPOCH_LAYERS: u32 = 8;

impl Vault {
    /// Presses a job; what can't be pressed is withdrawn.
    pub(crate) async fn press_or_give_up(self: &Arc<Self>, live: &Arc<Live>) {
        let Err(refusal) = self.press(live).await else { return };
        // Another process took it over: its envelope is the job's now, and this one's end is no news.
        if self.is_taken_over(live).await {
            tracing::info!(job = %live.id, %refusal, "another process presses it");
        } else {
            self.give_up(live, refusal).await;
        }
    }

    async fn is_taken_over(self: &Arc<Self>, live: &Arc<Live>) -> bool {
        let made = live.envelope().filter(|envelope| envelope.is_made_here());
        // Not knowing is no reason to withdraw: a withdrawal could not be recorded either.
        if self.refresh(live).await.is_err() {
            return true;
        }
        let job = live.view().job;
        match (&*job, made) {
            (Job::Admitted(_), _) | (Job::Slicing(_), None) => false,
            (Job::Slicing(slicing), Some(made)) => made.header() != header_hash(slicing.header.statement()),
            _ => true,
        }
    }

    async fn press(self: &Arc<Self>, live: &Arc<Live>) -> Result<(), Refusal> {
        let begun = Instant::now();
        let order = live.view().job.order().clone();
        let permit = self.with_revocations(|fresh| Permit::grant(order.clone(), fresh)).await?;
        let worker = self.feed_worker(live, &permit).await?;
        let line = self.begin_envelope(live, &permit).await?;
        let line = self.run_line(live, worker, line).await?;
        self.finish_envelope(live, line).await?;
        metrics::histogram!("layerlock_press_seconds").record(begun.elapsed());
        if let Some(first) = live.view().progress.first_segment {
            metrics::histogram!("layerlock_first_segment_seconds").record(Duration::from_millis(first.0));
        }
        Ok(())
    }

    /// A job that can't be pressed ends by the vault's word: no key of it was ever released. Boxed, because a step may
    /// find that an envelope is lost, which ends here again.
    pub(crate) fn give_up<'a>(
        self: &'a Arc<Self>,
        live: &'a Arc<Live>,
        refusal: Refusal,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            tracing::warn!(job = %live.id, reason = refusal.reason.as_str(), "pressing failed, withdrawing");
            live.set_envelope(None);
            let report = self.report(live.view().job.order(), JobEvent::Withdrawn);
            let report = report.verify(self.vault_key()).expect("the vault signed it just now");
            if let Err(error) = self.advance(live, Event::Withdrawn(report, refusal)).await {
                // The store is down or the job has ended otherwise; in the first case it is pressed again.
                tracing::error!(job = %live.id, %error, "the withdrawal is not recorded");
            }
        })
    }

    /// What the vault tells the licensor about a job.
    pub(crate) fn report(&self, order: &Order, event: JobEvent) -> Statement {
        let report = JobReport { job: order.job(), hold: order.hold().id, at: self.clock.now(), event };
        Statement::sign(&report, &self.keys.delivery)
    }

    /// Opens the design a permit allows and hands it to a worker that slices it.
    async fn feed_worker(&self, live: &Live, permit: &Permit) -> Result<Worker, Refusal> {
        let order = permit.order();
        let license = order.license();
        let name = DesignName { seller: license.seller, design: license.design, version: license.version };
        let design = self.records.design(&name, &self.keys.keks).await?;
        let design = design.ok_or_else(|| Refusal::absent(name.design))?;
        let way = self.engines.of(order.profile())?;
        let task = match way {
            Way::Slice => Task::Slice(order.profile().emit()),
            Way::Custom => Task::Custom(order.profile().emit()),
            Way::Engine(_) => Task::Place(order.profile().emit()),
        };
        let mut worker =
            Worker::start(&self.worker, self.limits.bounds(), task, design.manifest.length).await?;
        let damaged = Refusal::new(
            Reason::Stopped,
            format!("{} is damaged in this vault: its seller must upload it again", name.design),
        );
        let mut opened = self.open_sealed(&name.place(Part::Upload), &design.upload, damaged).await?;
        while let Some(chunk) = opened.recv().await {
            worker.feed(&chunk?.0).await?;
        }
        match way {
            Way::Slice | Way::Custom => Ok(worker),
            Way::Engine(installed) => self.run_engine(live, worker, installed, order.profile()).await,
        }
    }

    /// The part goes from the worker that placed it to the engine, the engine's G-code to a worker that reads it: what is
    /// hostile to a parser never meets the program's memory twice, and neither meets a key.
    async fn run_engine(
        &self,
        live: &Live,
        mut placed: Worker,
        installed: &Installed,
        profile: &Profile,
    ) -> Result<Worker, Refusal> {
        let bounds = self.limits.bounds();
        let mut engine = At::profile(&self.worker, bounds, installed, profile).await?;
        loop {
            match placed.answer().await? {
                Answer::Part(bytes) => engine.feed(&bytes).await?,
                Answer::Done => break,
                _ => return Err(WorkerError::Garbled.into()),
            }
        }
        let mut tell = |done| live.show(Progress { engine: Some(done), ..Progress::default() });
        Ok(engine.made(&mut tell).await?.read(&self.worker, bounds, profile).await?)
    }

    /// Signs the header, draws the job secret, and makes both durable before a segment exists.
    async fn begin_envelope(self: &Arc<Self>, live: &Arc<Live>, permit: &Permit) -> Result<Line, Refusal> {
        let order = permit.order();
        // Two envelopes of a job must not share a header, even if the clock stands still or was set back.
        let before = live.view().job.slicing().map(|slicing| slicing.header.created.plus(Millis(1)));
        let created = self.clock.now().max(before.unwrap_or_default());
        let header = EnvelopeHeader {
            job: order.job(),
            hold: order.hold().id,
            license: order.license().id,
            design_version: order.license().version,
            device: order.device(),
            machine: order.profile().machine().name.to_owned(),
            profile: sha256(&order.profile().emit()),
            created,
            segment_limit: SEGMENT_LIMIT,
            epoch_layers: EPOCH_LAYERS,
        };
        let rng = &mut self.randomness.clone();
        let sealer = Sealer::new(header, self.keys.delivery.clone(), rng);
        let place = secret_place(order, sealer.header_hash());
        let secret = sealer.job_secret().seal(&self.keys.keks, &place, rng);
        let header = sealer.header().verify(self.vault_key()).expect("the vault signed it just now");
        let envelope = Arc::new(self.envelopes.begin(live.id, sealer.header_hash()).await?);
        let advanced = self.advance(live, Event::Begun(header, secret)).await?;
        live.set_envelope(Some(envelope.clone()));
        self.desk.note_change(live.device());
        let Job::Slicing(slicing) = &*advanced.job else { unreachable!("`Begun` leads to Slicing") };
        Ok(Line::new(sealer, envelope, order.profile().clone(), slicing.admitted.at, self.clock.clone()))
    }

    /// Takes pieces from the worker as they come and seals each.
    async fn run_line(&self, live: &Live, mut worker: Worker, mut line: Line) -> Result<Line, Refusal> {
        loop {
            match worker.answer().await? {
                Answer::Piece(piece) => {
                    let sealed = tokio::task::spawn_blocking(move || line.take(&piece).map(|()| line));
                    line = sealed.await.expect("sealing does not panic")?;
                    line.envelope().flush(&line.progress(), Flush::Due).await?;
                    live.show(line.progress());
                }
                Answer::Done => return Ok(line),
                Answer::Analysis(_)
                | Answer::Picture(_)
                | Answer::Gcode(_)
                | Answer::Part(_)
                | Answer::Confined(_)
                | Answer::Refused(..) => {
                    return Err(WorkerError::Garbled.into());
                }
            }
        }
    }

    async fn finish_envelope(self: &Arc<Self>, live: &Arc<Live>, line: Line) -> Result<(), Refusal> {
        let envelope = line.envelope().clone();
        self.envelopes.keep(&envelope, &line.progress()).await?;
        let (manifest, figures) = line.finish()?;
        let manifest = manifest.verify(self.vault_key()).expect("the vault signed it just now");
        // If we crash here, the envelope is whole but nobody's: recovery presses anew.
        self.advance(live, Event::Sealed(manifest, figures)).await?;
        envelope.end();
        Ok(())
    }
}

/// Where a job's secret rests: bound to the design it came from and to its envelope's header.
pub(crate) fn secret_place(order: &Order, header: layerlock_terms::digest::Digest) -> blob::Place {
    let license = order.license();
    blob::Place { seller: license.seller, design: license.design, version: header, part: Part::JobSecret }
}
