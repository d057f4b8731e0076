//! Delivery: one task pours one job's segments from wherever the device wants them, then the manifest.

use std::sync::Arc;

use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::vault_message::Message as Answer;

use super::Outbox;
use crate::Vault;
use crate::desk::Live;
use crate::envelope::{Envelope, Next};
use crate::job::{Event, Job};

/// Pours the envelope from segment `from`, as far and as fast as it grows and the device reads.
pub(super) async fn deliver(
    vault: Arc<Vault>,
    live: Arc<Live>,
    envelope: Arc<Envelope>,
    from: u32,
    outbox: Outbox,
) {
    let mut index = from;
    loop {
        match envelope.clone().follow(index).await {
            Ok(Next::Segment(segment)) => {
                let message = wire::SealedSegment { job: live.id.to_string(), index, segment };
                if outbox.send(Answer::Segment(message)).await.is_err() {
                    return;
                }
                index += 1;
            }
            Ok(Next::End) => return hand_manifest(&vault, &live, &outbox).await,
            // A new offer, or the end of the job, tells the device.
            Ok(Next::Abandoned) => return,
            Err(error) => return tracing::error!(job = %live.id, %error, "a segment can't be read"),
        }
    }
}

async fn hand_manifest(vault: &Arc<Vault>, live: &Arc<Live>, outbox: &Outbox) {
    let job = live.view().job;
    let Some(sealed) = job.sealed() else { return };
    let message =
        wire::JobManifest { job: live.id.to_string(), manifest: sealed.manifest.statement().emit() };
    if outbox.send(Answer::Manifest(message)).await.is_err() {
        return;
    }
    // The device may have answered already, then the job is printing and this is no news.
    if let Job::Sealed(_) = &*live.view().job
        && let Err(refusal) = vault.advance(live, Event::Delivered).await
    {
        tracing::info!(job = %live.id, %refusal, "delivered, but the job went on otherwise");
    }
}
