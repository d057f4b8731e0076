//! A vault in miniature: the session service over pipes in memory, with a script of where its streams break.

use std::collections::VecDeque;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use hyper_util::rt::TokioIo;
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1::device_message::Message as FromDevice;
use layerlock_proto::vault::v1::sessions_server::{Sessions, SessionsServer};
use layerlock_proto::vault::v1::vault_message::Message as ToDevice;
use layerlock_proto::vault::v1::{
    DeviceMessage, JobEnded, JobKeys, JobManifest, JobOffer, SealedSegment, Settled, VaultMessage, Welcome,
};
use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_terms::license::Release;
use layerlock_terms::receipt::{Event, Receipt};
use layerlock_terms::trust::{DeviceCertificate, Role, SessionProof, SessionWelcome};
use layerlock_terms::units::Timestamp;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use super::{Dice, NOW, Nouns, Pressed, World, enrol, press};
use crate::Device;

/// Where a stream breaks; each is used once, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// After so many segments of this stream.
    AfterSegments(usize),
    /// On hearing that this many layers are printed, before answering.
    OnProgress(u32),
    /// On hearing the checked receipt, before answering.
    OnChecked,
    /// On hearing the final receipt, before answering.
    OnFinal,
}

/// What the vault remembers, and how it behaves.
pub(crate) struct Desk {
    pub world: World,
    pub jobs: Vec<Pressed>,
    pub cuts: VecDeque<Cut>,
    /// What the welcome says.
    pub now: Timestamp,
    /// Signs the welcome.
    pub welcome_key: Option<Arc<layerlock_seal::keys::SigningKey>>,
    /// Answers this nonce instead of the device's: a welcome recorded in another session.
    pub welcome_nonce: Option<[u8; 32]>,
    /// Answers every hello with this.
    pub refuses: Option<Reason>,
    /// Says that the job is over instead of releasing keys.
    pub withholds_keys: Withholds,
    /// Leaves in the ledger before the next settlement.
    pub leaves: u64,
    /// Takes the job's place when the next session begins: pressed anew after a crash.
    pub pressed_anew: Option<Pressed>,
    /// The profile it sends beside the header that names one.
    pub profile: Vec<u8>,
    /// Pours what it offers in later sessions unasked.
    pub pours: bool,
    /// The streams that are open.
    streams: Vec<mpsc::WeakSender<Result<VaultMessage, Status>>>,
    /// Says what no vault says between its words, drawn from this.
    pub raves: Option<Dice>,
    pub heard: Vec<Statement>,
    pub counters: Vec<u64>,
    pub fetches: Vec<u32>,
    pub segments_sent: usize,
}

/// What the vault does instead of releasing keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Withholds {
    Nothing,
    FromEpoch(u32),
    WithJobEnded,
}

impl Desk {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            jobs: Vec::new(),
            cuts: VecDeque::new(),
            now: NOW,
            welcome_key: None,
            welcome_nonce: None,
            refuses: None,
            withholds_keys: Withholds::Nothing,
            leaves: 3,
            pressed_anew: None,
            profile: Vec::new(),
            pours: false,
            streams: Vec::new(),
            raves: None,
            heard: Vec::new(),
            counters: Vec::new(),
            fetches: Vec::new(),
            segments_sent: 0,
        }
    }

    /// What is said out of order before the next message, if anything: every kind of message, about this job and others, true,
    /// stale, bent and made up.
    fn rave(&mut self) -> Vec<ToDevice> {
        let Some(mut dice) = self.raves.take() else { return Vec::new() };
        let said = (0..dice.below(3).saturating_sub(1)).map(|_| self.raving(&mut dice)).collect();
        self.raves = Some(dice);
        said
    }

    fn raving(&self, dice: &mut Dice) -> ToDevice {
        let ours = &self.jobs[0];
        let recorded = &ours.recorded;
        let other = "job-00000000000000000000000000000000".to_owned();
        let job = if dice.below(4) > 0 { ours.nouns.header.job.to_string() } else { other };
        let mut bent = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            match dice.below(4) {
                0 => bytes.truncate(dice.below(bytes.len() as u64) as usize),
                1 => {
                    let at = dice.below(bytes.len() as u64) as usize;
                    bytes[at] ^= 1 << dice.below(8);
                }
                2 => bytes = (0..dice.below(300)).map(|_| dice.below(256) as u8).collect(),
                _ => {}
            }
            bytes
        };
        let (header, license, hold) = (bent(&recorded.header), bent(&recorded.license), bent(&recorded.hold));
        let (manifest, welcome) = (bent(&recorded.manifest), bent(&recorded.license));
        let index = dice.below(recorded.segments.len() as u64 + 3);
        let segment = recorded.segments.get(index as usize).cloned().unwrap_or_default();
        match dice.below(12) {
            0 => ToDevice::Challenge(manifest),
            1 => ToDevice::Welcome(Welcome { welcome, vault_certificate: license }),
            2 | 3 => ToDevice::Offer(JobOffer { job, header, license, hold, profile: self.profile.clone() }),
            // Whole and true ones among them: what is stored already, or not due yet.
            4 | 5 => {
                let bent = dice.below(4) == 0;
                let segment = segment.into_iter().skip(usize::from(bent)).collect::<Vec<u8>>();
                ToDevice::Segment(SealedSegment { job, index: index as u32, segment: segment.into() })
            }
            6 => ToDevice::Manifest(JobManifest { job, manifest }),
            7 | 8 => {
                let release = dice.one_of(&ours.keys).emit();
                let release = if dice.below(3) > 0 { release } else { header };
                ToDevice::Keys(JobKeys { job, release })
            }
            9 => ToDevice::Settled(Settled { job, entry: None }),
            10 => {
                let mut entry = self.world.settle(&ours.nouns, self.leaves);
                entry.index += dice.below(2);
                let entry = Some(entry).filter(|_| dice.below(2) > 0);
                ToDevice::Settled(Settled { job, entry })
            }
            _ => ToDevice::Ended(JobEnded { job, reason: "raving".into() }),
        }
    }

    /// Distinct receipts heard, in the order of first hearing.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        use layerlock_terms::wire::Noun;
        let mut seen: Vec<&Statement> = Vec::new();
        for statement in &self.heard {
            if !seen.contains(&statement) {
                seen.push(statement);
            }
        }
        seen.iter().map(|statement| Receipt::parse(statement.payload()).unwrap()).collect()
    }

    fn cut_if(&mut self, here: Cut) -> bool {
        let due = self.cuts.front() == Some(&here);
        if due {
            self.cuts.pop_front();
        }
        due
    }
}

/// A device that lives in `home`, and a vault's desk with one job for it.
pub(crate) fn one_job(home: &Path) -> (Device, Desk, Pressed) {
    let world = World::new(1);
    let device = enrol(&world, home, 1);
    let pressed = press(Nouns::of(&device, 5), &world, &device);
    let mut desk = Desk::new(world);
    desk.jobs.push(pressed.clone());
    (device, desk, pressed)
}

/// The service.
#[derive(Clone)]
pub(crate) struct FakeVault(pub Arc<Mutex<Desk>>);

impl FakeVault {
    pub(crate) fn new(desk: Desk) -> Self {
        Self(Arc::new(Mutex::new(desk)))
    }

    pub(crate) fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.0.lock().unwrap()
    }

    /// Says something into every open stream.
    pub(crate) async fn say_to_all(&self, message: &ToDevice) {
        let streams = self.desk().streams.clone();
        for stream in streams.iter().filter_map(mpsc::WeakSender::upgrade) {
            let _ = stream.send(Ok(VaultMessage { message: Some(message.clone()) })).await;
        }
    }

    /// A channel to it; every connection is a pipe in memory.
    pub(crate) fn channel(&self) -> Channel {
        let (connect, connections) = mpsc::unbounded_channel();
        let service = SessionsServer::new(self.clone());
        let incoming = UnboundedReceiverStream::new(connections).map(Ok::<_, std::io::Error>);
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        Endpoint::from_static("http://vault.example").connect_with_connector_lazy(tower::service_fn(
            move |_| {
                let (near, far) = tokio::io::duplex(64 * 1024);
                let connected = connect.send(far).map_err(std::io::Error::other);
                async move { connected.map(|()| TokioIo::new(near)) }
            },
        ))
    }
}

type Outgoing = Pin<Box<dyn Stream<Item = Result<VaultMessage, Status>> + Send>>;

#[tonic::async_trait]
impl Sessions for FakeVault {
    type OpenSessionStream = Outgoing;

    async fn open_session(
        &self,
        request: Request<Streaming<DeviceMessage>>,
    ) -> Result<Response<Outgoing>, Status> {
        let (send, queue) = mpsc::channel(4);
        self.desk().streams.push(send.downgrade());
        let talk = Talk { vault: self.clone(), from: request.into_inner(), to: send };
        tokio::spawn(talk.run());
        Ok(Response::new(Box::pin(ReceiverStream::new(queue))))
    }
}

struct Talk {
    vault: FakeVault,
    from: Streaming<DeviceMessage>,
    to: mpsc::Sender<Result<VaultMessage, Status>>,
}

impl Talk {
    /// `None` ends the stream, whatever the reason.
    async fn run(mut self) -> Option<()> {
        let key = self.shake_hands().await?;
        self.offer().await?;
        loop {
            match self.hear().await? {
                FromDevice::Fetch(fetch) => self.deliver(&fetch.job, fetch.from_segment).await?,
                FromDevice::Receipt(receipt) => self.receive(&receipt, &key).await?,
                FromDevice::Hello(_) => return None,
            }
        }
    }

    async fn say(&self, message: ToDevice) -> Option<()> {
        let raving = self.vault.desk().rave();
        for message in raving {
            self.to.send(Ok(VaultMessage { message: Some(message) })).await.ok()?;
        }
        self.to.send(Ok(VaultMessage { message: Some(message) })).await.ok()
    }

    async fn hear(&mut self) -> Option<FromDevice> {
        self.from.message().await.ok()??.message
    }

    async fn shake_hands(&mut self) -> Option<VerifyingKey> {
        let challenge = [9; 32];
        self.say(ToDevice::Challenge(challenge.to_vec())).await?;
        let FromDevice::Hello(hello) = self.hear().await? else { return None };
        let (refuses, licensor) = {
            let desk = self.vault.desk();
            (desk.refuses, desk.world.licensor.verifying_key())
        };
        let certificate: Verified<DeviceCertificate> =
            Statement::parse(&hello.certificate).unwrap().verify(&licensor).unwrap();
        let key = VerifyingKey::try_from(certificate.sign).unwrap();
        let proof: Verified<SessionProof> = Statement::parse(&hello.proof).unwrap().verify(&key).unwrap();
        assert_eq!((proof.device, proof.challenge), (certificate.device, challenge));
        if let Some(reason) = refuses {
            let _ = self.to.send(Err(reason.status("refused by the test"))).await;
            return None;
        }
        let welcome = {
            let mut desk = self.vault.desk();
            assert!(desk.counters.iter().all(|counter| *counter < proof.counter), "a counter goes back");
            desk.counters.push(proof.counter);
            let noun = SessionWelcome { nonce: desk.welcome_nonce.unwrap_or(proof.nonce), now: desk.now };
            let signer = desk.welcome_key.as_ref().unwrap_or(&desk.world.vault);
            Welcome {
                welcome: Statement::sign(&noun, signer).emit(),
                vault_certificate: desk.world.service(Role::Vault).emit(),
            }
        };
        self.say(ToDevice::Welcome(welcome)).await?;
        Some(key)
    }

    async fn offer(&self) -> Option<()> {
        let jobs = {
            let mut desk = self.vault.desk();
            if desk.counters.len() > 1 {
                let anew = desk.pressed_anew.take();
                desk.jobs = anew.map_or_else(|| desk.jobs.clone(), |anew| vec![anew]);
            }
            desk.jobs.clone()
        };
        for job in jobs {
            let crate::RecordedOffer { header, license, hold, .. } = job.recorded;
            let id = job.nouns.header.job.to_string();
            let profile = self.vault.desk().profile.clone();
            self.say(ToDevice::Offer(JobOffer { job: id.clone(), header, license, hold, profile })).await?;
            let pours = {
                let desk = self.vault.desk();
                desk.pours && desk.counters.len() > 1
            };
            if pours {
                self.deliver(&id, 0).await?;
            }
        }
        Some(())
    }

    fn job(&self, named: &str) -> Option<Pressed> {
        self.vault.desk().jobs.iter().find(|job| job.nouns.header.job.to_string() == named).cloned()
    }

    async fn deliver(&self, named: &str, from: u32) -> Option<()> {
        let job = self.job(named)?;
        self.vault.desk().fetches.push(from);
        for (sent, (index, segment)) in
            job.recorded.segments.iter().enumerate().skip(from as usize).enumerate()
        {
            if self.vault.desk().cut_if(Cut::AfterSegments(sent)) {
                return None;
            }
            self.vault.desk().segments_sent += 1;
            let segment =
                SealedSegment { job: named.to_owned(), index: index as u32, segment: segment.clone().into() };
            self.say(ToDevice::Segment(segment)).await?;
        }
        self.say(ToDevice::Manifest(JobManifest { job: named.to_owned(), manifest: job.recorded.manifest }))
            .await
    }

    async fn receive(&self, receipt: &[u8], key: &VerifyingKey) -> Option<()> {
        let statement = Statement::parse(receipt).unwrap();
        let receipt: Verified<Receipt> = statement.verify(key).expect("the device signed it");
        self.vault.desk().heard.push(statement);
        let job = self.job(&receipt.job.to_string())?;
        let layers = match receipt.event {
            Event::Checked(_) => 0,
            Event::Progress(extent) => extent.layers,
            Event::Ended(..) => return self.settle(&job).await,
        };
        let cut = if layers == 0 { Cut::OnChecked } else { Cut::OnProgress(layers) };
        if self.vault.desk().cut_if(cut) {
            return None;
        }
        self.release(&job, layers).await
    }

    async fn release(&self, job: &Pressed, layers: u32) -> Option<()> {
        let withholds = self.vault.desk().withholds_keys;
        let id = job.nouns.header.job.to_string();
        if withholds == Withholds::WithJobEnded {
            return self.say(ToDevice::Ended(JobEnded { job: id, reason: "revoked".into() })).await;
        }
        let now = layers / job.nouns.header.epoch_layers;
        let offline = job.nouns.license.terms.release == Release::Offline;
        for (epoch, release) in (0..).zip(&job.keys) {
            let held = matches!(withholds, Withholds::FromEpoch(first) if epoch >= first);
            if !held && (offline || (now..=now + 1).contains(&epoch)) {
                self.say(ToDevice::Keys(JobKeys { job: id.clone(), release: release.emit() })).await?;
            }
        }
        Some(())
    }

    async fn settle(&self, job: &Pressed) -> Option<()> {
        if self.vault.desk().cut_if(Cut::OnFinal) {
            return None;
        }
        let entry = {
            let desk = self.vault.desk();
            desk.world.settle(&job.nouns, desk.leaves)
        };
        let settled = Settled { job: job.nouns.header.job.to_string(), entry: Some(entry) };
        self.say(ToDevice::Settled(settled)).await
    }
}
