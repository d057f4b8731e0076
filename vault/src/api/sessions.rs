//! The sessions service, hop 8: challenge, hello, welcome; then offers, segments, keys and answers as they come.
//!
//! A session is level-triggered: after every change it looks at all jobs of its device and says what it has not
//! said yet, so a session that was just opened and one that was open all along do the same. Segments of each
//! fetched job are poured by a task of its own into one queue of [`QUEUE`] messages, which is all that is ever
//! in flight (Q4); a device that takes nothing for too long is left.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use layerlock_proto::convert;
use layerlock_proto::refusal::Reason;
use layerlock_proto::trace::inherited;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as Said;
use layerlock_proto::vault::v1::vault_message::Message as Answer;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::statement;
use crate::Vault;
use crate::refusal::Refusal;
use crate::session::Entered;

mod deliver;
mod serve;

use serve::Session;

/// The service.
pub(super) struct Sessions(pub(super) Arc<Vault>);

/// Messages in flight to one device.
const QUEUE: usize = 4;

/// What waits to be sent. Boxed: a channel keeps room for 32 at a time, which whole would be 5 KiB for each idle session.
type Waiting = Box<Result<wire::VaultMessage, Status>>;

/// The way to one device.
#[derive(Clone)]
struct Outbox {
    queue: mpsc::Sender<Waiting>,
    stall: Duration,
}

/// The device is gone, or takes nothing.
struct Gone;

impl Outbox {
    async fn send(&self, message: Answer) -> Result<(), Gone> {
        let message = Box::new(Ok(wire::VaultMessage { message: Some(message) }));
        match timeout(self.stall, self.queue.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    async fn end(&self, refusal: Refusal) {
        // A device that takes nothing does not learn why it was left.
        let _ = timeout(self.stall, self.queue.send(Box::new(Err(refusal.into())))).await;
    }
}

#[tonic::async_trait]
impl wire::sessions_server::Sessions for Sessions {
    type OpenSessionStream = Pin<Box<dyn Stream<Item = Result<wire::VaultMessage, Status>> + Send>>;

    async fn open_session(
        &self,
        request: Request<Streaming<wire::DeviceMessage>>,
    ) -> Result<Response<Self::OpenSessionStream>, Status> {
        let (queue, messages) = mpsc::channel(QUEUE);
        let outbox = Outbox { queue, stall: Duration::from_millis(self.0.limits.stall.0) };
        tokio::spawn(inherited(run(self.0.clone(), request.into_inner(), outbox)));
        Ok(Response::new(Box::pin(ReceiverStream::new(messages).map(|waiting| *waiting))))
    }
}

/// One session from challenge to end. What is done once or seldom is boxed: an idle session holds no room for it.
async fn run(vault: Arc<Vault>, mut inbox: Streaming<wire::DeviceMessage>, outbox: Outbox) {
    let entered = match Box::pin(welcome(&vault, &mut inbox, &outbox)).await {
        Ok(Some(entered)) => entered,
        Ok(None) => return,
        Err(refusal) => return outbox.end(refusal).await,
    };
    let (device, counter) = (entered.device, entered.counter);
    let served = Session::new(vault.clone(), entered, outbox.clone()).serve(inbox).await;
    vault.sessions.leave(device, counter);
    if let Err(refusal) = served {
        tracing::info!(%device, reason = refusal.reason.as_str(), "a session ended");
        outbox.end(refusal).await;
    }
}

/// Challenge, hello, welcome. `None` when the device went away.
async fn welcome(
    vault: &Vault,
    inbox: &mut Streaming<wire::DeviceMessage>,
    outbox: &Outbox,
) -> Result<Option<Entered>, Refusal> {
    let challenge = vault.randomness.draw::<32>();
    if outbox.send(Answer::Challenge(challenge.to_vec())).await.is_err() {
        return Ok(None);
    }
    let Ok(heard) = timeout(outbox.stall, inbox.message()).await else {
        return Err(Refusal::new(Reason::NotTrusted, "no hello came: answer the challenge sooner"));
    };
    let Ok(Some(wire::DeviceMessage { message: Some(Said::Hello(hello)) })) = heard else {
        return Err(Refusal::new(Reason::InvalidField, "`hello` must come first"));
    };
    let certificate = parse(&hello.certificate, "certificate")?;
    let proof = parse(&hello.proof, "proof")?;
    let entered = vault.admit_session(&challenge, &certificate, &proof).await?;
    let welcome =
        wire::Welcome { welcome: entered.welcome.emit(), vault_certificate: vault.keys.certificate.emit() };
    match outbox.send(Answer::Welcome(welcome)).await {
        Ok(()) => Ok(Some(entered)),
        Err(Gone) => {
            vault.sessions.leave(entered.device, entered.counter);
            Ok(None)
        }
    }
}

fn parse(bytes: &[u8], field: &'static str) -> Result<layerlock_seal::statement::Statement, Refusal> {
    statement(bytes, field).map_err(|status| Refusal::new(Reason::InvalidField, status.message()))
}

fn id<T: std::str::FromStr<Err = layerlock_terms::ids::IdError>>(text: &str) -> Result<T, Refusal> {
    convert::id(text).map_err(|error| Refusal::new(Reason::InvalidField, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_device_that_takes_nothing_is_left_with_a_full_queue_and_no_more() {
        let (queue, mut taken) = mpsc::channel(QUEUE);
        let outbox = Outbox { queue, stall: Duration::from_millis(20) };
        for _ in 0..QUEUE {
            assert!(outbox.send(Answer::Challenge(vec![1])).await.is_ok());
        }
        assert!(outbox.send(Answer::Challenge(vec![2])).await.is_err(), "it waits for ever, or queues more");
        drop(outbox);
        let mut waiting = 0;
        while taken.recv().await.is_some() {
            waiting += 1;
        }
        assert_eq!(waiting, QUEUE);
    }
}
