//! What an embedded device asks of its machine before anything is fetched.

use std::collections::BTreeMap;

use layerlock_conformance::world::{Maker, Nouns, Pressed, World};
use layerlock_proto::vault::v1::vault_message::Message as Incoming;
use layerlock_seal::sha256;
use layerlock_terms::machine::Material;
use layerlock_terms::profile::{Preset, Profile};
use layerlock_terms::trust::{Role, SessionWelcome};
use layerlock_terms::units::Micrometres;
use layerlock_terms::wire::Noun as _;

use super::*;
use crate::testbed::NOW;

/// Memory that keeps items and what was sent.
#[derive(Default)]
struct Memory {
    items: BTreeMap<&'static str, Vec<u8>>,
    sent: Vec<Outgoing>,
}

impl Host for Memory {
    fn now(&mut self) -> Timestamp {
        NOW
    }

    fn random(&mut self, out: &mut [u8]) -> Result<(), HostError> {
        out.fill(7);
        Ok(())
    }

    fn send(&mut self, message: &[u8]) -> Result<(), HostError> {
        self.sent.extend(wire::DeviceMessage::decode(message).unwrap().message);
        Ok(())
    }

    fn read(&mut self, item: Item, offset: u64, out: &mut [u8]) -> Result<usize, HostError> {
        let kept = self.items.get(item.name()).map_or(&[][..], |item| &item[offset as usize..]);
        let read = kept.len().min(out.len());
        out[..read].copy_from_slice(&kept[..read]);
        Ok(read)
    }

    fn replace(&mut self, item: Item, bytes: &[u8]) -> Result<(), HostError> {
        self.items.insert(item.name(), bytes.to_vec());
        Ok(())
    }

    fn append(&mut self, item: Item, bytes: &[u8]) -> Result<(), HostError> {
        self.items.entry(item.name()).or_default().extend(bytes);
        Ok(())
    }
}

struct Scene {
    world: World,
    maker: Maker,
    device: Embedded<Memory>,
}

/// A device in an open session.
fn scene() -> Scene {
    let (world, maker) = (World::new(1), Maker::default());
    let services: Vec<Vec<u8>> = world.services().iter().map(|service| service.emit()).collect();
    let mut memory = Memory::default();
    let with = Provision {
        sign_seed: &maker.sign_seed,
        open_seed: &maker.open_seed,
        root: &world.root(1).emit(),
        services: &services.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        certificate: &world.certify(&maker).emit(),
    };
    provision(&mut memory, &with).unwrap();
    let mut scene = Scene { world, maker, device: Embedded::open(memory).unwrap() };
    scene.device.connected();
    scene.say(Incoming::Challenge(vec![9; 32]));
    let welcome = SessionWelcome { nonce: [7; 32], now: NOW };
    let welcome = Statement::sign(&welcome, &scene.world.vault).emit();
    let vault_certificate = scene.world.service(Role::Vault).emit();
    scene.say(Incoming::Welcome(wire::Welcome { welcome, vault_certificate }));
    scene
}

impl Scene {
    fn say(&mut self, message: Incoming) {
        let message = wire::VaultMessage { message: Some(message) };
        self.device.receive(&message.encode_to_vec()).unwrap();
    }

    /// Offers a job in PLA.
    fn offer(&mut self, number: u8, profile: &[u8]) -> Pressed {
        let mut nouns = Nouns::of(&self.maker, number);
        nouns.header.profile = sha256(&pla(&self.device));
        let pressed = nouns.press(&self.world, &self.maker);
        let (recorded, job) = (&pressed.recorded, pressed.nouns.header.job.to_string());
        let (header, license) = (recorded.header.clone(), recorded.license.clone());
        let (hold, profile) = (recorded.hold.clone(), profile.to_vec());
        self.say(Incoming::Offer(wire::JobOffer { job, header, license, hold, profile }));
        pressed
    }

    /// Sends the whole envelope and the first key: motion begins.
    fn deliver(&mut self, pressed: &Pressed) {
        self.send_envelope(pressed);
        let job = pressed.nouns.header.job.to_string();
        self.say(Incoming::Keys(wire::JobKeys { job, release: pressed.keys[0].emit() }));
    }

    fn send_envelope(&mut self, pressed: &Pressed) {
        let job = pressed.nouns.header.job.to_string();
        for (index, segment) in (0..).zip(&pressed.recorded.segments) {
            let segment = wire::SealedSegment { job: job.clone(), index, segment: segment.clone().into() };
            self.say(Incoming::Segment(segment));
        }
        let manifest = pressed.recorded.manifest.clone();
        self.say(Incoming::Manifest(wire::JobManifest { job, manifest }));
    }

    fn fetches(&mut self) -> usize {
        self.device.host().sent.iter().filter(|sent| matches!(sent, Outgoing::Fetch(_))).count()
    }
}

fn pla(device: &Embedded<Memory>) -> Vec<u8> {
    Profile::new(device.machine(), Material::Pla, Preset::Standard).emit()
}

const READY: OwnersWord =
    OwnersWord { material: Some(Material::Pla), nozzle: Some(Micrometres(400)), bed: Bed::Clear };

#[test]
fn nothing_is_held_against_a_job_of_what_nobody_said() {
    let mut scene = scene();
    let profile = pla(&scene.device);
    let first = scene.offer(5, &profile);
    scene.deliver(&first);
    assert_eq!(scene.device.state(), State::Printing);
}

#[test]
fn a_job_waits_until_its_filament_its_nozzle_and_a_clear_bed_are_there() {
    let mut scene = scene();
    let profile = pla(&scene.device);
    let petg = OwnersWord { material: Some(Material::Petg), ..READY };
    let wide = OwnersWord { nozzle: Some(Micrometres(600)), ..READY };
    let taken = OwnersWord { bed: Bed::Taken, ..READY };
    scene.device.loaded(petg).unwrap();
    let pressed = scene.offer(5, &profile);
    for (word, why) in [(petg, "wants pla"), (wide, "nozzle of 0.4 mm"), (taken, "still on the bed")] {
        scene.device.loaded(word).unwrap();
        assert_eq!((scene.device.state(), scene.fetches()), (State::Idle, 0), "{why}");
        assert!(
            scene.device.trouble().is_some_and(|told| told.contains(why)),
            "{:?}",
            scene.device.trouble()
        );
    }
    scene.device.loaded(READY).unwrap();
    assert_eq!((scene.device.state(), scene.fetches(), scene.device.trouble()), (State::Fetching, 1, None));
    // What is laid on the bed stays there: the next job waits until somebody has said that it is clear.
    scene.deliver(&pressed);
    assert_eq!(scene.device.state(), State::Printing);
    scene.device.stop().unwrap();
    let ended = wire::JobEnded { job: pressed.nouns.header.job.to_string(), reason: "over".into() };
    scene.say(Incoming::Ended(ended));
    scene.offer(6, &profile);
    assert!(scene.device.trouble().is_some_and(|told| told.contains("still on the bed")));
    assert_eq!((scene.device.state(), scene.fetches()), (State::Idle, 1));
    scene.device.loaded(READY).unwrap();
    assert_eq!((scene.device.state(), scene.fetches()), (State::Fetching, 2));
}

#[test]
fn a_filament_changed_in_mid_print_clears_no_bed() {
    let mut scene = scene();
    let profile = pla(&scene.device);
    let first = scene.offer(5, &profile);
    scene.deliver(&first);
    scene.device.loaded(READY).unwrap();
    scene.device.stop().unwrap();
    let ended = wire::JobEnded { job: first.nouns.header.job.to_string(), reason: "over".into() };
    scene.say(Incoming::Ended(ended));
    scene.offer(6, &profile);
    assert!(scene.device.trouble().is_some_and(|told| told.contains("still on the bed")));
    scene.device.loaded(READY).unwrap();
    assert_eq!(scene.device.state(), State::Fetching);
}

#[test]
fn a_job_behind_one_that_waits_for_its_filament_is_taken() {
    let mut scene = scene();
    let profile = pla(&scene.device);
    scene.device.loaded(OwnersWord { material: Some(Material::Petg), ..READY }).unwrap();
    scene.offer(5, &profile);
    assert_eq!(scene.device.state(), State::Idle);
    // Of a profile that isn't told nothing is held against a job.
    scene.offer(6, &[]);
    assert_eq!(scene.device.state(), State::Fetching);
}

#[test]
fn a_job_that_is_coming_is_stopped_before_anything_moves_and_has_no_pause() {
    for is_whole in [false, true] {
        let mut scene = scene();
        let profile = pla(&scene.device);
        let pressed = scene.offer(5, &profile);
        if is_whole {
            scene.send_envelope(&pressed);
        }
        assert_eq!(scene.device.state(), if is_whole { State::Checked } else { State::Fetching });
        assert!(matches!(scene.device.pause(), Err(EmbedError::NothingMoves)));
        assert!(matches!(scene.device.resume(), Err(EmbedError::NothingMoves)));
        scene.device.stop().unwrap();
        scene.deliver(&pressed);
        assert_eq!(
            (scene.device.state(), scene.device.next_command().unwrap()),
            (State::Reporting, Next::Nothing)
        );
    }
}

#[test]
fn a_belt_is_never_taken_and_another_jobs_profile_is_refused() {
    let mut scene = scene();
    let profile = pla(&scene.device);
    scene.device.loaded(OwnersWord { bed: Bed::ClearsItself, ..READY }).unwrap();
    let pressed = scene.offer(5, &profile);
    scene.deliver(&pressed);
    scene.device.stop().unwrap();
    let ended = wire::JobEnded { job: pressed.nouns.header.job.to_string(), reason: "over".into() };
    scene.say(Incoming::Ended(ended));
    scene.offer(6, b"of another job");
    assert!(
        scene.device.trouble().is_some_and(|told| told.contains("profile")),
        "{:?}",
        scene.device.trouble()
    );
    assert_eq!(scene.device.state(), State::Idle);
    scene.offer(7, &profile);
    assert_eq!(scene.device.state(), State::Fetching);
}
