//! The link to the vault, hop 8: one stream at a time, opened again when it is lost.
//!
//! A task owns the stream and does nothing but the handshake and the carrying; what messages mean is decided
//! by `serve`. Both ends prove themselves: the device signs the vault's challenge with a counter that only
//! grows (D2, D4), the vault signs the device's nonce with a key the pinned root vouches for. Everything is
//! bounded: message sizes, queues, waits, and the pauses between attempts. Deliberately absent: TLS and
//! addresses; the channel is passed in.

use std::time::Duration;

use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as Outgoing;
use layerlock_proto::vault::v1::sessions_client::SessionsClient;
use layerlock_proto::vault::v1::vault_message::Message as Incoming;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::trust::{Endorsement, TrustError, fresh};
use layerlock_terms::trust::{Role, SessionProof, SessionWelcome};
use layerlock_terms::units::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use crate::clock::TrustedTime;
use crate::identity::Identity;
use crate::session::Why;
use crate::trust::Anchors;

/// Largest message taken: a segment, or an offer with three statements.
const MESSAGE_LIMIT: usize = 256 * 1024;
/// Messages queued in each direction.
const QUEUE: usize = 4;
/// How long each answer of the handshake, and the vault's taking of a message, may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// A stream that lasted so long ends a row of failed attempts.
const LASTING: Duration = Duration::from_secs(60);
/// First and longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// What the link tells.
pub(crate) enum LinkEvent {
    /// A session is about to be asked for: record the next counter, then answer with it.
    Asks(oneshot::Sender<u64>),
    /// The vault has proved itself and says this is the time. The certificate is the one it proved itself by.
    Up {
        /// Which session this is: messages of an older one are not sent into it.
        session: u64,
        /// The vault's clock.
        now: Timestamp,
        /// The vault's service certificate.
        certificate: Endorsement,
    },
    /// The stream is lost; another attempt follows.
    Down {
        /// Attempts in a row that failed.
        attempts: u32,
        /// Why.
        status: Status,
    },
    /// A message of the running session.
    Message(Incoming),
    /// No further attempt makes sense.
    Fatal(LinkError),
}

/// Why the link is over for good.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LinkError {
    /// Another session with this device's keys took over.
    #[error(
        "another session with this device's keys took over: stop the other program, or revoke the device if it is not yours"
    )]
    Fenced,
    /// The vault has seen a higher counter.
    #[error(
        "the vault has seen later sessions of this device: it was restored from an older image or cloned; enrol anew"
    )]
    Behind,
    /// Two receipts of this device contradict each other.
    #[error(
        "the vault holds two receipts of this device that contradict each other: its key or its journal was copied; enrol anew, and have this one revoked"
    )]
    Cloned,
    /// The device is revoked.
    #[error("this device was revoked; ask the operator")]
    Revoked,
    /// The vault doesn't believe the device.
    #[error("the vault does not accept this device: {0}; enrol it with the licensor this vault serves")]
    NotAccepted(String),
    /// The vault didn't prove itself.
    #[error(
        "what answered is not the vault: {0}; it got this device's certificate and its answer to one challenge"
    )]
    NotTheVault(String),
}

impl LinkError {
    /// The state it leaves the device in.
    pub(crate) fn why(&self) -> Why {
        match self {
            Self::Fenced => Why::Fenced,
            Self::Behind => Why::Behind,
            Self::Cloned => Why::Cloned,
            Self::Revoked | Self::NotAccepted(_) => Why::Revoked,
            Self::NotTheVault(_) => Why::Distrust,
        }
    }
}

/// The serving side's end of the link; the task ends when it is dropped.
pub(crate) struct Link {
    events: mpsc::Receiver<LinkEvent>,
    outgoing: mpsc::UnboundedSender<(u64, Outgoing)>,
    /// The newest session that was seen up.
    session: u64,
    task: JoinHandle<()>,
}

impl Link {
    /// Starts the task.
    pub(crate) fn open(vault: Channel, identity: Identity, time: TrustedTime) -> Self {
        let (tell, events) = mpsc::channel(QUEUE);
        let (outgoing, taken) = mpsc::unbounded_channel();
        let carrier = Carrier { vault, identity, time, tell, taken, session: 0 };
        Self { events, outgoing, session: 0, task: tokio::spawn(carrier.run()) }
    }

    /// What happens next. Cancel-safe.
    pub(crate) async fn next(&mut self) -> LinkEvent {
        let event = self.events.recv().await;
        let event =
            event.unwrap_or(LinkEvent::Down { attempts: u32::MAX, status: Status::cancelled("link") });
        if let LinkEvent::Up { session, .. } = event {
            self.session = session;
        }
        event
    }

    /// Sends into the newest session; lost if that is over, since everything is sent again in the next. Never waits: while a
    /// session is being opened its task waits for the serving side, and two that wait for each other would stop a print for
    /// good. What lies here meanwhile is a receipt for each layer at most.
    pub(crate) fn send(&self, message: Outgoing) {
        // An error means the task is gone, which `next` tells.
        let _ = self.outgoing.send((self.session, message));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Carrier {
    vault: Channel,
    identity: Identity,
    /// What every vault that answers is held against; it hears the moments the serving side hears.
    time: TrustedTime,
    tell: mpsc::Sender<LinkEvent>,
    taken: mpsc::UnboundedReceiver<(u64, Outgoing)>,
    session: u64,
}

/// The device's answer to a vault's challenge.
pub(crate) fn hello(identity: &Identity, challenge: [u8; 32], nonce: [u8; 32], counter: u64) -> wire::Hello {
    let proof = SessionProof { device: identity.device(), challenge, nonce, counter };
    wire::Hello {
        certificate: identity.certificate().statement().emit(),
        proof: Statement::sign(&proof, &identity.keys().sign).emit(),
    }
}

/// The vault's certificate by the pinned root, then our nonce by the vault's key: the moment it names, and the
/// certificate it proved itself by, or why it is not the vault.
pub(crate) fn believe(
    identity: &Identity,
    welcome: &wire::Welcome,
    nonce: [u8; 32],
    now: Timestamp,
) -> Result<(Timestamp, Endorsement), String> {
    let certificate = Endorsement::parse(&welcome.vault_certificate).map_err(|why| why.to_string())?;
    let answer = Statement::parse(&welcome.welcome).map_err(|why| why.to_string())?;
    let mut anchors = identity.anchors().clone();
    anchors.certify(&certificate).map_err(|why| why.to_string())?;
    let answer: Verified<SessionWelcome> =
        anchors.verify(Role::Vault, &answer, now).map_err(|why| why.to_string())?;
    if answer.nonce != nonce {
        return Err("its answer is to another device or another session".into());
    }
    outlast(identity, &anchors, &answer, &certificate).map_err(|why| why.to_string())?;
    Ok((answer.now, certificate))
}

/// A vault's word about the time goes into the journal for good, so it may not name a moment at which root,
/// vault or device had ended: whoever has stolen a vault's key can put this device's time ahead no further.
fn outlast(
    identity: &Identity,
    anchors: &Anchors,
    answer: &Verified<SessionWelcome>,
    certificate: &Endorsement,
) -> Result<(), TrustError> {
    let now = answer.now;
    anchors.root().current(now)?;
    fresh("service certificate", anchors.certified(certificate)?.expires, now)?;
    fresh("device certificate", identity.certificate().expires, now)
}

/// Why one stream is over.
enum Over {
    Lost(Status),
    Fatal(LinkError),
    /// The serving side is gone.
    Unwatched,
}

struct Stream {
    inbound: Streaming<wire::VaultMessage>,
    outbound: mpsc::Sender<wire::DeviceMessage>,
}

impl Carrier {
    async fn run(mut self) {
        let mut attempts = 0;
        loop {
            let begun = Instant::now();
            let event = match self.one_session().await {
                Over::Unwatched => return,
                Over::Fatal(error) => LinkEvent::Fatal(error),
                Over::Lost(status) => {
                    // A stream that breaks as soon as it stands is no better than none.
                    attempts = if begun.elapsed() > LASTING { 1 } else { attempts + 1 };
                    LinkEvent::Down { attempts, status }
                }
            };
            let fatal = matches!(event, LinkEvent::Fatal(_));
            if self.tell.send(event).await.is_err() || fatal {
                return;
            }
            self.pause(attempts).await;
        }
    }

    /// Waits before the next attempt, and lets go of what was meant for the last session.
    async fn pause(&mut self, attempts: u32) {
        let over = sleep(pause(attempts, u64::from_le_bytes(draw())));
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                taken = self.taken.recv() => if taken.is_none() { return },
            }
        }
    }

    async fn one_session(&mut self) -> Over {
        match self.handshake().await {
            Ok(mut stream) => self.carry(&mut stream).await,
            Err(over) => over,
        }
    }

    async fn handshake(&mut self) -> Result<Stream, Over> {
        let mut client = SessionsClient::new(self.vault.clone()).max_decoding_message_size(MESSAGE_LIMIT);
        let (outbound, queued) = mpsc::channel(QUEUE);
        let opened = patiently(client.open_session(ReceiverStream::new(queued))).await?;
        let mut stream = Stream { inbound: opened.map_err(refused)?.into_inner(), outbound };
        let Incoming::Challenge(challenge) = stream.next().await? else {
            return Err(out_of_turn("the challenge"));
        };
        let challenge = challenge.try_into().map_err(|_| out_of_turn("32 bytes of challenge"))?;
        let nonce = draw::<32>();
        let hello = self.hello(challenge, nonce).await?;
        stream.send(Outgoing::Hello(hello)).await?;
        let Incoming::Welcome(welcome) = stream.next().await? else { return Err(out_of_turn("the welcome")) };
        self.believe(&welcome, nonce).await?;
        Ok(stream)
    }

    async fn hello(&self, challenge: [u8; 32], nonce: [u8; 32]) -> Result<wire::Hello, Over> {
        let (answer, counter) = oneshot::channel();
        self.tell.send(LinkEvent::Asks(answer)).await.map_err(|_| Over::Unwatched)?;
        let counter = counter.await.map_err(|_| Over::Unwatched)?;
        Ok(hello(&self.identity, challenge, nonce, counter))
    }

    async fn believe(&mut self, welcome: &wire::Welcome, nonce: [u8; 32]) -> Result<(), Over> {
        let believed = believe(&self.identity, welcome, nonce, self.time.now());
        let (now, certificate) = believed.map_err(|why| Over::Fatal(LinkError::NotTheVault(why)))?;
        self.time.hear(now);
        self.session += 1;
        let up = LinkEvent::Up { session: self.session, now, certificate };
        self.tell.send(up).await.map_err(|_| Over::Unwatched)
    }

    /// Carries both ways until the stream or the serving side is gone. A message that came in is held until
    /// there is room for it: that, and HTTP/2's windows, is the back-pressure.
    async fn carry(&mut self, stream: &mut Stream) -> Over {
        let mut held = None;
        loop {
            tokio::select! {
                taken = self.taken.recv() => match taken {
                    Some((session, message)) if session == self.session => {
                        if let Err(over) = stream.send(message).await { return over }
                    }
                    Some(_) => {}
                    None => return Over::Unwatched,
                },
                room = self.tell.reserve(), if held.is_some() => match (room, held.take()) {
                    (Ok(room), Some(message)) => room.send(LinkEvent::Message(message)),
                    (Ok(_), None) => {}
                    (Err(_), _) => return Over::Unwatched,
                },
                message = stream.inbound.message(), if held.is_none() => match message {
                    Ok(Some(wire::VaultMessage { message })) => held = message,
                    Ok(None) => return Over::Lost(Status::unavailable("the vault ended the stream")),
                    Err(status) => return refused(status),
                },
            }
        }
    }
}

impl Stream {
    async fn next(&mut self) -> Result<Incoming, Over> {
        let message = patiently(self.inbound.message()).await?.map_err(refused)?;
        let message = message.and_then(|message| message.message);
        message.ok_or_else(|| Over::Lost(Status::unavailable("the vault ended the handshake")))
    }

    async fn send(&self, message: Outgoing) -> Result<(), Over> {
        let sent = patiently(self.outbound.send(wire::DeviceMessage { message: Some(message) })).await?;
        sent.map_err(|_| Over::Lost(Status::unavailable("the stream is closed")))
    }
}

/// The pause before the next attempt: anywhere between half of the first pause and one that doubles with each attempt, by
/// `chance`, because all devices of a vault lose it in the same moment.
fn pause(attempts: u32, chance: u64) -> Duration {
    let (first, longest) = PAUSES;
    let most = first.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(longest);
    let least = first / 2;
    least + (most - least).mul_f64(chance as f64 / u64::MAX as f64)
}

async fn patiently<T>(answer: impl Future<Output = T>) -> Result<T, Over> {
    timeout(PATIENCE, answer).await.map_err(|_| Over::Lost(Status::deadline_exceeded("the vault is silent")))
}

fn out_of_turn(wanted: &str) -> Over {
    Over::Lost(Status::internal(format!("the vault did not send {wanted}")))
}

/// A status of the vault: a lost stream, or the end of the link.
fn refused(status: Status) -> Over {
    match Reason::of(&status) {
        Some(Reason::SessionFenced) => Over::Fatal(LinkError::Fenced),
        Some(Reason::SessionBehind) => Over::Fatal(LinkError::Behind),
        Some(Reason::DeviceCloned) => Over::Fatal(LinkError::Cloned),
        Some(Reason::DeviceRevoked) => Over::Fatal(LinkError::Revoked),
        Some(Reason::NotTrusted) => Over::Fatal(LinkError::NotAccepted(status.message().to_owned())),
        Some(_) | None if status.code() == Code::Unimplemented => {
            Over::Fatal(LinkError::NotTheVault(status.message().to_owned()))
        }
        Some(_) | None => Over::Lost(status),
    }
}

/// Bytes from the system.
fn draw<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_no_two_devices_need_wait_alike() {
        let (first, longest) = PAUSES;
        for attempts in [1, 2, 8, 40, u32::MAX] {
            let (short, long) = (pause(attempts, 0), pause(attempts, u64::MAX));
            assert!(short >= first / 2 && long <= longest, "{attempts} attempts: {short:?} to {long:?}");
            assert!(long >= short * 2, "{attempts} attempts leave no room to spread: {short:?} to {long:?}");
        }
        assert_eq!(pause(40, u64::MAX), longest);
    }
}
