//! Delivery: one task pours one job's segments from wherever the device wants them, then the manifest.
//!
//! It waits twice: for the press, as long as that takes, and for the device, no longer than a stall. A segment that
//! can't be read ends the task with a word in the log; the device asks again or its hold runs out.

use std::sync::Arc;

use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::vault_message::Message as Answer;

use super::{Gone, Outbox};
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
) -> Result<(), Gone> {
    let mut index = from;
    loop {
        match envelope.clone().follow(index).await {
            Ok(Next::Segment(segment)) => {
                let message = wire::SealedSegment { job: live.id.to_string(), index, segment };
                outbox.send(Answer::Segment(message)).await?;
                index += 1;
            }
            Ok(Next::End) => return hand_manifest(&vault, &live, &outbox).await,
            // A new offer, or the end of the job, tells the device.
            Ok(Next::Abandoned) => return Ok(()),
            Err(refusal) => {
                tracing::error!(job = %live.id, %refusal, "a segment can't be read");
                return Ok(());
            }
        }
    }
}

async fn hand_manifest(vault: &Arc<Vault>, live: &Arc<Live>, outbox: &Outbox) -> Result<(), Gone> {
    let job = live.view().job;
    let Some(sealed) = job.sealed() else { return Ok(()) };
    let manifest = sealed.manifest.statement().emit();
    outbox.send(Answer::Manifest(wire::JobManifest { job: live.id.to_string(), manifest })).await?;
    // The device may have answered already, then the job is printing and this is no news.
    if let Job::Sealed(_) = &*live.view().job
        && let Err(refusal) = vault.advance(live, Event::Delivered).await
    {
        tracing::info!(job = %live.id, %refusal, "delivered, but the job went on otherwise");
    }
    Ok(())
}
