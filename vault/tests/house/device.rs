//! A device that does by the book what a real one does: checks, proves, opens, reports.

use std::collections::VecDeque;
use std::sync::Arc;

use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as Said;
use layerlock_proto::vault::v1::sessions_client::SessionsClient;
use layerlock_proto::vault::v1::vault_message::Message as Answer;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::{Checked, Checker, EpochSecret, Opener, Segment};
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::receipt::{Event, Extent, Outcome};
use layerlock_terms::release::{KeyRelease, WrappedEpoch};
use layerlock_terms::trust::{SessionProof, SessionWelcome};
use layerlock_vault::Vault;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Order, Printer, VAULT, key};

/// An open session.
pub struct Session {
    printer: Printer,
    say: mpsc::Sender<wire::DeviceMessage>,
    hear: Streaming<wire::VaultMessage>,
    /// Digest of the header that was offered last.
    pub offered: Vec<u8>,
    /// Released and not asked for yet.
    secrets: VecDeque<EpochSecret>,
}

/// An envelope as delivered.
pub struct Delivered {
    pub header: Verified<EnvelopeHeader>,
    pub segments: Vec<Vec<u8>>,
    pub manifest: Verified<Manifest>,
}

impl Session {
    /// Challenge, hello, welcome.
    pub async fn open(vault: &Arc<Vault>, printer: &Printer, counter: u64) -> Result<Self, Status> {
        Self::open_with(vault, printer, counter, |_| {}).await
    }

    /// The same, with a proof that was changed before it was signed.
    pub async fn open_with(
        vault: &Arc<Vault>,
        printer: &Printer,
        counter: u64,
        change: impl FnOnce(&mut SessionProof),
    ) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(16);
        let hear = SessionsClient::new(vault.routes()).open_session(ReceiverStream::new(said)).await?;
        let (hear, offered, secrets) = (hear.into_inner(), Vec::new(), VecDeque::new());
        let mut session = Self { printer: printer.clone(), say, hear, offered, secrets };
        let Answer::Challenge(challenge) = session.next().await? else { panic!("no challenge") };
        let mut proof = SessionProof {
            device: printer.id,
            challenge: challenge.try_into().unwrap(),
            nonce: [5; 32],
            counter,
        };
        change(&mut proof);
        let proof = Statement::sign(&proof, &printer.sign()).emit();
        session.say(Said::Hello(wire::Hello { certificate: printer.certificate().emit(), proof })).await;
        let Answer::Welcome(welcome) = session.next().await? else { panic!("no welcome") };
        let welcome = Statement::parse(&welcome.welcome).unwrap();
        let welcome = welcome.verify::<SessionWelcome>(&key(VAULT).verifying_key()).unwrap();
        assert_eq!(welcome.nonce, [5; 32]);
        Ok(session)
    }

    pub async fn next(&mut self) -> Result<Answer, Status> {
        let Some(message) = self.hear.message().await? else {
            return Err(Status::cancelled("the vault ended the session"));
        };
        let message = message.message.expect("a message says something");
        if let Answer::Offer(offer) = &message {
            self.offered = Statement::parse(&offer.header).unwrap().digest().as_bytes().to_vec();
        }
        Ok(message)
    }

    pub async fn say(&mut self, message: Said) {
        // A vault that has ended the session says so in its answers.
        let _ = self.say.send(wire::DeviceMessage { message: Some(message) }).await;
    }

    pub async fn report(&mut self, order: &Order, sequence: u32, event: Event) {
        let receipt = self.printer.receipt(order, sequence, event).emit();
        self.say(Said::Receipt(receipt)).await;
    }

    pub async fn offer(&mut self) -> wire::JobOffer {
        match self.next().await.unwrap() {
            Answer::Offer(offer) => offer,
            other => panic!("not an offer: {other:?}"),
        }
    }

    /// Fetches what was offered last.
    pub async fn fetch(&mut self, order: &Order, from_segment: u32) {
        self.fetch_of(order, self.offered.clone(), from_segment).await;
    }

    pub async fn fetch_of(&mut self, order: &Order, header: Vec<u8>, from_segment: u32) {
        let job = order.hold.job.to_string();
        self.say(Said::Fetch(wire::Fetch { job, from_segment, header })).await;
    }

    /// The segments from `from` on, and the manifest.
    pub async fn fetch_all(&mut self, order: &Order, from: u32) -> (Vec<Vec<u8>>, Statement) {
        self.fetch(order, from).await;
        let mut segments = Vec::new();
        loop {
            match self.next().await.unwrap() {
                Answer::Segment(segment) => {
                    assert_eq!(segment.index as usize, from as usize + segments.len());
                    segments.push(segment.segment.to_vec());
                }
                Answer::Manifest(manifest) => {
                    return (segments, Statement::parse(&manifest.manifest).unwrap());
                }
                other => panic!("not a segment: {other:?}"),
            }
        }
    }

    /// Takes the offer and all that it offers.
    pub async fn receive(&mut self, order: &Order) -> Delivered {
        let offer = self.offer().await;
        self.receive_offered(order, &offer).await
    }

    pub async fn receive_offered(&mut self, order: &Order, offer: &wire::JobOffer) -> Delivered {
        let vault = key(VAULT).verifying_key();
        let header = Statement::parse(&offer.header).unwrap().verify(&vault).unwrap();
        let (segments, manifest) = self.fetch_all(order, 0).await;
        Delivered { header, segments, manifest: manifest.verify(&vault).unwrap() }
    }

    pub async fn key(&mut self, delivered: &Delivered) -> EpochSecret {
        while self.secrets.is_empty() {
            match self.next().await.unwrap() {
                Answer::Keys(keys) => self.secrets.extend(open(&self.printer, delivered, &keys)),
                other => panic!("not a key: {other:?}"),
            }
        }
        self.secrets.pop_front().unwrap()
    }

    /// Prints a delivered envelope: proves it, opens every segment as keys come, reports each layer. Gives the
    /// toolpath's bytes.
    pub async fn print(&mut self, order: &Order, delivered: &Delivered) -> Vec<u8> {
        let checked = delivered.check();
        self.report(order, 0, Event::Checked(delivered.manifest.statement().digest())).await;
        let mut opener = Opener::new(&checked);
        let (mut toolpath, mut epochs, mut sequence) = (Vec::new(), 0, 0);
        for segment in &delivered.segments {
            let epoch = Segment::parse(segment, delivered.header.segment_limit).unwrap().info().epoch;
            while !opener.holds(epoch) {
                let secret = self.key(delivered).await;
                assert_eq!(secret.epoch(), epochs, "epochs come in order");
                epochs += 1;
                opener.add_epoch(secret).unwrap();
                sequence += 1;
                let layers = (epochs - 1) * delivered.header.epoch_layers;
                self.report(order, sequence, Event::Progress(delivered.extent(layers))).await;
            }
            toolpath.extend_from_slice(opener.open(&mut segment.clone()).unwrap().1);
        }
        let all = delivered.extent(delivered.manifest.layers);
        self.report(order, sequence + 1, Event::Ended(Outcome::Printed, all)).await;
        toolpath
    }

    /// What comes next but for keys, which a window ahead may still be under way.
    pub async fn next_but_keys(&mut self) -> Result<Answer, Status> {
        loop {
            match self.next().await? {
                Answer::Keys(_) => {}
                answer => return Ok(answer),
            }
        }
    }
}

impl Delivered {
    /// The vault's release in a message.
    pub fn release(keys: &wire::JobKeys) -> Verified<KeyRelease> {
        Statement::parse(&keys.release).unwrap().verify(&key(VAULT).verifying_key()).unwrap()
    }

    pub fn check(&self) -> Checked {
        let mut checker = Checker::new(self.header.clone());
        for segment in &self.segments {
            checker.segment(segment).unwrap();
        }
        checker.finish(&self.manifest).unwrap()
    }

    pub fn extent(&self, layers: u32) -> Extent {
        let (lines, filament_um) = (u64::from(layers) * 10, u64::from(layers) * 100);
        Extent { layers, total_layers: self.manifest.layers, lines, filament_um }
    }
}

/// The secrets of a release, in order.
fn open(printer: &Printer, delivered: &Delivered, keys: &wire::JobKeys) -> Vec<EpochSecret> {
    let release = Delivered::release(keys);
    let open = |wrapped: &WrappedEpoch| {
        printer.open().open_epoch(&release, &delivered.header, wrapped.epoch).unwrap()
    };
    release.epochs.iter().map(open).collect()
}
