//! A case's bench: the vault's side of the talk, and what of the client was seen so far.

use std::collections::VecDeque;
use std::sync::Arc;

use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as FromDevice;
use layerlock_proto::vault::v1::vault_message::Message as ToDevice;
use layerlock_seal::keys::SigningKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_terms::license::Release;
use layerlock_terms::receipt::{Event, Receipt};
use layerlock_terms::trust::{DeviceCertificate, Role, SessionProof, SessionWelcome};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;
use prost::Message;

use crate::Against;
use crate::peer::{Peer, Said, hex};
use crate::world::{Maker, NOW, Pressed, World};

/// How a case ends: what the client did against a rule.
pub(crate) type Verdict = Result<(), String>;

/// One case at work.
pub(crate) struct Bench {
    peer: Peer,
    pub world: World,
    pub maker: Maker,
    pub now: Timestamp,
    /// What the next welcome says, where that isn't `now`.
    pub welcome_now: Option<Timestamp>,
    /// What the next welcome answers, where that isn't the device's nonce.
    pub welcome_nonce: Option<[u8; 32]>,
    /// No key of this epoch or a later one is released.
    pub withhold_from: Option<u32>,
    /// Leaves in the ledger before the next settlement.
    pub leaves: u64,
    counter: u64,
    sessions: u8,
    nonces: Vec<[u8; 32]>,
    /// Every receipt's exact bytes, in the order of first hearing.
    pub receipts: Vec<Vec<u8>>,
    pub commands: Vec<String>,
    pub has_stopped: bool,
    pub has_hung_up: bool,
}

/// Starts a client and judges it by one case.
pub(crate) fn judged(against: &Against, case: impl FnOnce(&mut Bench) -> Verdict) -> Verdict {
    let mut bench = Bench {
        peer: Peer::start(against)?,
        world: World::new(1),
        maker: Maker::default(),
        now: NOW,
        welcome_now: None,
        welcome_nonce: None,
        withhold_from: None,
        leaves: 3,
        counter: 0,
        sessions: 0,
        nonces: Vec::new(),
        receipts: Vec::new(),
        commands: Vec::new(),
        has_stopped: false,
        has_hung_up: false,
    };
    case(&mut bench)?;
    bench.ask("end")?;
    bench.peer.end()
}

/// `Err` with these words unless it holds.
pub(crate) fn must(holds: bool, words: &str) -> Verdict {
    if holds { Ok(()) } else { Err(words.to_owned()) }
}

impl Bench {
    /// Provisions the client and switches it on.
    pub(crate) fn begin(&mut self) -> Verdict {
        self.set_clock(self.now)?;
        let (sign, open) = (hex(&self.maker.sign_seed), hex(&self.maker.open_seed));
        self.ask(&format!("seeds {sign} {open}"))?;
        self.ask(&format!("root {}", hex(&self.world.root(1).emit())))?;
        for service in self.world.services() {
            self.ask(&format!("service {}", hex(&service.emit())))?;
        }
        let certificate = self.world.certify(&self.maker).emit();
        self.ask(&format!("certificate {}", hex(&certificate)))?;
        self.ask("provision")?;
        self.power_on()
    }

    /// Switches the client on; off first, without warning, where it was on.
    pub(crate) fn power_on(&mut self) -> Verdict {
        self.ask("open").map(drop)
    }

    pub(crate) fn set_clock(&mut self, now: Timestamp) -> Verdict {
        self.now = now;
        self.ask(&format!("now {}", now.0)).map(drop)
    }

    /// Opens a session; gives what the device says once it is welcome.
    pub(crate) fn connect(&mut self) -> Result<Vec<FromDevice>, String> {
        self.begin_stream()?;
        self.sessions += 1;
        let challenge = [0xc0 + self.sessions; 32];
        let mut answers = self.say(ToDevice::Challenge(challenge.to_vec()))?;
        let Some(FromDevice::Hello(hello)) = answers.pop().filter(|_| answers.is_empty()) else {
            return Err("a challenge must be answered with one Hello".into());
        };
        let nonce = self.proved(&hello, challenge)?;
        let noun = SessionWelcome {
            nonce: self.welcome_nonce.unwrap_or(nonce),
            now: self.welcome_now.unwrap_or(self.now),
        };
        let welcome = wire::Welcome {
            welcome: Statement::sign(&noun, &self.world.vault).emit(),
            vault_certificate: self.world.service(Role::Vault).emit(),
        };
        self.say(ToDevice::Welcome(welcome))
    }

    /// Opens a stream and says nothing yet.
    pub(crate) fn begin_stream(&mut self) -> Verdict {
        self.has_hung_up = false;
        self.ask("connect").map(drop)
    }

    /// Holds a Hello to SES-4 to SES-6; gives its nonce.
    fn proved(&mut self, hello: &wire::Hello, challenge: [u8; 32]) -> Result<[u8; 32], String> {
        must(
            hello.certificate == self.world.certify(&self.maker).emit(),
            "Hello must carry the device's certificate byte for byte",
        )?;
        let certificate: Verified<DeviceCertificate> = self
            .world
            .certify(&self.maker)
            .verify(&self.world.licensor.verifying_key())
            .map_err(|why| why.to_string())?;
        let proof = Statement::parse(&hello.proof).map_err(|why| format!("the proof: {why}"))?;
        let proof: Verified<SessionProof> =
            proof.verify(&self.maker.verifying_key()).map_err(|why| format!("the proof (SES-5): {why}"))?;
        must(proof.device == certificate.device, "the proof must name this device (SES-5)")?;
        must(proof.challenge == challenge, "the proof must answer this stream's challenge (SES-5)")?;
        must(proof.counter > self.counter, "the session counter must rise, also over a restart (SES-6)")?;
        must(
            !self.nonces.contains(&proof.nonce) && proof.nonce != [0; 32],
            "every session needs a fresh nonce (SES-4)",
        )?;
        self.counter = proof.counter;
        self.nonces.push(proof.nonce);
        Ok(proof.nonce)
    }

    pub(crate) fn disconnect(&mut self) -> Verdict {
        self.ask("disconnect").map(drop)
    }

    pub(crate) fn offer(&mut self, pressed: &Pressed) -> Result<Vec<FromDevice>, String> {
        let recorded = &pressed.recorded;
        let (header, license) = (recorded.header.clone(), recorded.license.clone());
        let (job, hold) = (job_of(pressed), recorded.hold.clone());
        self.say(ToDevice::Offer(wire::JobOffer { job, header, license, hold, profile: Vec::new() }))
    }

    /// Sends segments from one on, then the manifest, as long as the client stays.
    pub(crate) fn deliver(&mut self, pressed: &Pressed, from: u32) -> Result<Vec<FromDevice>, String> {
        let mut answers = self.deliver_some(pressed, from, u32::MAX)?;
        let manifest = pressed.recorded.manifest.clone();
        answers.extend(self.say(ToDevice::Manifest(wire::JobManifest { job: job_of(pressed), manifest }))?);
        Ok(answers)
    }

    pub(crate) fn deliver_some(
        &mut self,
        pressed: &Pressed,
        from: u32,
        to: u32,
    ) -> Result<Vec<FromDevice>, String> {
        let mut answers = Vec::new();
        for (index, segment) in (0..to).zip(&pressed.recorded.segments).skip(from as usize) {
            let segment = segment.clone().into();
            let segment = wire::SealedSegment { job: job_of(pressed), index, segment };
            answers.extend(self.say(ToDevice::Segment(segment))?);
        }
        Ok(answers)
    }

    pub(crate) fn release(&mut self, pressed: &Pressed, layers: u32) -> Result<Vec<FromDevice>, String> {
        let now = layers / pressed.nouns.header.epoch_layers;
        let offline = pressed.nouns.license.terms.release == Release::Offline;
        let mut answers = Vec::new();
        for (epoch, release) in (0..).zip(&pressed.keys) {
            let is_held = self.withhold_from.is_some_and(|first| epoch >= first);
            if !is_held && (offline || (now..=now + 1).contains(&epoch)) {
                let keys = wire::JobKeys { job: job_of(pressed), release: release.emit() };
                answers.extend(self.say(ToDevice::Keys(keys))?);
            }
        }
        Ok(answers)
    }

    pub(crate) fn settle(&mut self, pressed: &Pressed) -> Result<Vec<FromDevice>, String> {
        let entry = Some(self.world.settle(&pressed.nouns, self.leaves));
        self.leaves += 2;
        self.say(ToDevice::Settled(wire::Settled { job: job_of(pressed), entry }))
    }

    /// Offers a job and sees it through to its final receipt, or to where nothing goes on.
    pub(crate) fn print(&mut self, pressed: &Pressed) -> Result<Option<Event>, String> {
        let answers = self.offer(pressed)?;
        self.see_through(pressed, answers)
    }

    pub(crate) fn see_through(
        &mut self,
        pressed: &Pressed,
        answers: Vec<FromDevice>,
    ) -> Result<Option<Event>, String> {
        let mut queue = VecDeque::from(answers);
        loop {
            while let Some(message) = queue.pop_front() {
                match message {
                    FromDevice::Hello(_) => return Err("a second Hello in one session".into()),
                    FromDevice::Fetch(fetch) => {
                        must(fetch.job == job_of(pressed), "Fetch must name the job that was offered")?;
                        queue.extend(self.deliver(pressed, fetch.from_segment)?);
                    }
                    FromDevice::Receipt(bytes) => match receipt(&bytes)?.event {
                        Event::Checked(_) => queue.extend(self.release(pressed, 0)?),
                        Event::Progress(extent) => queue.extend(self.release(pressed, extent.layers)?),
                        ended @ Event::Ended(..) => return Ok(Some(ended)),
                    },
                }
            }
            let before = self.commands.len();
            queue.extend(self.run_machine()?);
            if queue.is_empty() && self.commands.len() == before {
                return Ok(None);
            }
        }
    }

    /// Lets the machine carry out and acknowledge what there is.
    pub(crate) fn run_machine(&mut self) -> Result<Vec<FromDevice>, String> {
        self.ask("run")
    }

    /// Says a message, unless the client has ended the stream.
    pub(crate) fn say(&mut self, message: ToDevice) -> Result<Vec<FromDevice>, String> {
        if self.has_hung_up {
            return Ok(Vec::new());
        }
        let message = wire::VaultMessage { message: Some(message) }.encode_to_vec();
        self.ask(&format!("vault {}", hex(&message)))
    }

    fn ask(&mut self, line: &str) -> Result<Vec<FromDevice>, String> {
        let mut messages = Vec::new();
        for said in self.peer.ask(line)? {
            match said {
                Said::Message(message) => {
                    if let FromDevice::Receipt(bytes) = &message {
                        self.hear(bytes)?;
                    }
                    messages.push(message);
                }
                Said::Command(command) => self.commands.push(command),
                Said::Stop => self.has_stopped = true,
                Said::Hangup => self.has_hung_up = true,
                Said::Failed(why) => {
                    let verb = line.split(' ').next().unwrap_or_default();
                    return Err(format!("the client failed to `{verb}`: {why}"));
                }
            }
        }
        Ok(messages)
    }

    /// Holds a receipt to RC-7, RC-8, RC-11 and RC-14.
    fn hear(&mut self, bytes: &[u8]) -> Verdict {
        if self.receipts.iter().any(|known| known == bytes) {
            return Ok(());
        }
        let statement = Statement::parse(bytes).map_err(|why| format!("a receipt: {why}"))?;
        let new: Verified<Receipt> = statement
            .verify(&self.maker.verifying_key())
            .map_err(|why| format!("a receipt (RC-7): {why}"))?;
        must(new.device == self.maker.id, "a receipt must name this device (RC-8)")?;
        let earlier = self.receipts.iter().rev().map(|bytes| receipt(bytes));
        let before = earlier.filter_map(Result::ok).find(|before| before.job == new.job);
        let due = before.as_ref().map_or(0, |before| before.sequence + 1);
        must(
            new.sequence >= due,
            "a receipt's number must be above those before it, each used once (RC-14)",
        )?;
        let extent = |event: &Event| match event {
            Event::Checked(_) => None,
            Event::Progress(extent) | Event::Ended(_, extent) => Some((extent.layers, extent.lines)),
        };
        let fell = before.and_then(|before| extent(&before.event)).zip(extent(&new.event));
        must(
            fell.is_none_or(|(was, is)| was.0 <= is.0 && was.1 <= is.1),
            "no receipt may say less than one before it (RC-11)",
        )?;
        self.receipts.push(bytes.to_vec());
        Ok(())
    }

    /// Whether the device has said that the envelope is whole.
    pub(crate) fn has_checked(&self) -> bool {
        let events = self.receipts.iter().filter_map(|bytes| receipt(bytes).ok());
        events.into_iter().any(|receipt| matches!(receipt.event, Event::Checked(_)))
    }

    /// A key of nobody anyone believes.
    pub(crate) fn stranger() -> Arc<SigningKey> {
        World::new(2).licensor
    }
}

pub(crate) fn job_of(pressed: &Pressed) -> String {
    pressed.nouns.hold.job.to_string()
}

/// Reads a receipt whose signature was verified when it was heard.
pub(crate) fn receipt(bytes: &[u8]) -> Result<Receipt, String> {
    let statement = Statement::parse(bytes).map_err(|why| format!("a receipt: {why}"))?;
    Receipt::parse(statement.payload()).map_err(|why| format!("a receipt: {why}"))
}
