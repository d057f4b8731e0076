//! The jobs service: create, look at, watch.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, stream};
use layerlock_proto::convert;
use layerlock_proto::types::v1::LedgerEntry;
use layerlock_proto::vault::v1 as wire;
use layerlock_terms::ids::JobId;
use layerlock_terms::receipt::{Event as Said, Outcome};
use prost::Message;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::statement;
use crate::Vault;
use crate::admit;
use crate::desk::{Live, View};
use crate::job::{Ending, Figures, Job, Pressed};
use crate::refusal::Refusal;

/// The service.
pub(super) struct Jobs(pub(super) Arc<Vault>);

impl Jobs {
    async fn find(&self, text: &str) -> Result<Arc<Live>, Status> {
        let id: JobId = convert::id(text)?;
        let found = self.0.find_job(id).await?;
        Ok(found.ok_or_else(|| Refusal::absent(id))?)
    }
}

#[tonic::async_trait]
impl wire::jobs_server::Jobs for Jobs {
    type WatchJobStream = Pin<Box<dyn Stream<Item = Result<wire::Job, Status>> + Send>>;

    async fn create_job(
        &self,
        request: Request<wire::CreateJobRequest>,
    ) -> Result<Response<wire::Job>, Status> {
        let request = request.into_inner();
        let settings = request.settings.into_iter().map(|setting| (setting.name, setting.value)).collect();
        let request = admit::Request {
            license: statement(&request.license, "license")?,
            hold: statement(&request.hold, "hold")?,
            certificate: statement(&request.device_certificate, "device_certificate")?,
            preset: request.preset,
            material: request.material,
            settings,
        };
        let live = self.0.create_job(&request).await?;
        Ok(Response::new(message(&live.view())))
    }

    async fn get_job(&self, request: Request<wire::GetJobRequest>) -> Result<Response<wire::Job>, Status> {
        let live = self.find(&request.into_inner().job).await?;
        Ok(Response::new(message(&live.view())))
    }

    async fn watch_job(
        &self,
        request: Request<wire::WatchJobRequest>,
    ) -> Result<Response<Self::WatchJobStream>, Status> {
        let live = self.find(&request.into_inner().job).await?;
        let mut view = live.watch();
        view.mark_changed();
        Ok(Response::new(Box::pin(stream::unfold(Watched { live, view, over: false }, Watched::next))))
    }
}

/// A job being watched. Changes that come faster than they are read are passed over, the last never.
struct Watched {
    /// Keeps the job's sender alive.
    live: Arc<Live>,
    view: watch::Receiver<View>,
    over: bool,
}

impl Watched {
    async fn next(mut self) -> Option<(Result<wire::Job, Status>, Self)> {
        if self.over || self.view.changed().await.is_err() {
            return None;
        }
        let view = self.view.borrow_and_update().clone();
        self.over = view.job.is_over();
        debug_assert_eq!(view.job.order().job(), self.live.id, "a job is kept under its own id");
        Some((Ok(message(&view)), self))
    }
}

fn message(view: &View) -> wire::Job {
    let mut message = wire::Job {
        job: view.job.order().job().to_string(),
        state: state(&view.job).into(),
        layers_sealed: view.progress.layers,
        segments_sealed: view.progress.segments,
        sealed_bytes: view.progress.sealed_bytes,
        plain_bytes: view.progress.plain_bytes,
        first_segment_ms: view.progress.first_segment.map(|span| span.0),
        ..wire::Job::default()
    };
    match &*view.job {
        Job::Requested(_) | Job::Admitted(_) | Job::Slicing(_) => {
            message.engine_percent = view.progress.engine.map(u32::from);
        }
        Job::Refused(refused) => message.reason = refused.refusal.words.clone(),
        Job::Sealed(sealed) => show_pressed(&mut message, &sealed.pressed()),
        Job::Delivering(delivering) => show_pressed(&mut message, &delivering.sealed.pressed()),
        Job::Printing(printing) => {
            show_pressed(&mut message, &printing.sealed().pressed());
            message.layers_printed = printing.extent().layers;
        }
        Job::Closed(closed) => show_closed(&mut message, closed),
        Job::Settled(settled) => {
            show_closed(&mut message, &settled.closed);
            message.entry = LedgerEntry::decode(&settled.entry[..]).ok();
        }
    }
    message
}

fn show_pressed(message: &mut wire::Job, Pressed { manifest, figures, .. }: &Pressed) {
    let Figures { plain_bytes, first_segment, last_segment } = *figures;
    message.layers_sealed = manifest.layers;
    message.segments_sealed = manifest.segments;
    message.sealed_bytes = manifest.sealed_bytes;
    message.plain_bytes = plain_bytes;
    message.first_segment_ms = Some(first_segment.0);
    message.last_segment_ms = Some(last_segment.0);
    message.estimate = Some(wire::Estimate {
        layers: manifest.layers,
        duration_ms: manifest.summary.duration.0,
        filament_um: manifest.summary.filament_um,
    });
}

fn show_closed(message: &mut wire::Job, closed: &crate::job::Closed) {
    if let Some(pressed) = &closed.pressed {
        show_pressed(message, pressed);
    }
    match &closed.ending {
        Ending::Receipt(receipt) => {
            if let Said::Ended(outcome, extent) = receipt.event {
                message.layers_printed = extent.layers;
                message.outcome = outcome_name(outcome).to_owned();
            }
        }
        Ending::Withdrawn(_, refusal) => {
            message.outcome = "withdrawn".to_owned();
            message.reason = refusal.words.clone();
        }
    }
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Printed => "printed",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
    }
}

const fn state(job: &Job) -> wire::JobState {
    match job {
        Job::Requested(_) => wire::JobState::Requested,
        Job::Admitted(_) => wire::JobState::Admitted,
        Job::Slicing(_) => wire::JobState::Slicing,
        Job::Sealed(_) => wire::JobState::Sealed,
        Job::Delivering(_) => wire::JobState::Delivering,
        Job::Printing(_) => wire::JobState::Printing,
        Job::Closed(_) => wire::JobState::Closed,
        Job::Settled(_) => wire::JobState::Settled,
        Job::Refused(_) => wire::JobState::Refused,
    }
}
