//! What the tests of this crate stand on: the kit's parties (`layerlock_conformance::world`), an enrolled device of ours, a
//! job pressed for it, and the services it talks to.
//!
//! Everything is made with the same public functions the real parties use; nothing here bends a rule of the device's.

pub(crate) mod licensor;
pub(crate) mod vault;

use std::path::Path;

use layerlock_conformance::world::{self, Recipient};
pub(crate) use layerlock_conformance::world::{Counted, FAR, MACHINE, NOW, Nouns, World};
use layerlock_seal::keys::WrappingKey;
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::{Endorsement, TrustedRoot};
use layerlock_terms::ids::DeviceId;
use layerlock_terms::toolpath::Piece;
use layerlock_terms::trust::{DeviceCertificate, Root};
use layerlock_terms::units::Timestamp;

use crate::check::RecordedOffer;
use crate::identity::Identity;
use crate::keys::DeviceKeys;
use crate::trust::Anchors;
use crate::{Clock, Device, files};

impl Recipient for Device {
    fn id(&self) -> DeviceId {
        Device::id(self)
    }

    fn machine(&self) -> String {
        Device::machine(self).name.to_owned()
    }

    fn wrapping_key(&self) -> WrappingKey {
        self.identity.keys().open.wrapping_key()
    }
}

/// Version 1, ended before all tests begin.
pub(crate) fn ended_root(world: &World) -> Endorsement {
    let ended = Root::new(1, Timestamp(NOW.0 - 1), 1, vec![world.root.verifying_key().into()]);
    Endorsement::signed(&ended, &[&world.root])
}

pub(crate) fn anchors(world: &World) -> Anchors {
    Anchors::new(TrustedRoot::begin(&world.root(1)).unwrap(), &world.services()).unwrap()
}

/// A device that enrolled, as its files say.
pub(crate) fn enrol(world: &World, home: &Path, seed: u64) -> Device {
    enrol_at(world, home, seed, Clock::of(|| NOW))
}

pub(crate) fn enrol_at(world: &World, home: &Path, seed: u64, clock: Clock) -> Device {
    let keys = DeviceKeys::generate(&mut Counted::from(seed));
    keys.store(&files::keys(home)).unwrap();
    let certificate = DeviceCertificate {
        device: DeviceId::from_bytes([seed as u8; 16]),
        sign: keys.sign.verifying_key().into(),
        open: keys.open.wrapping_key().into(),
        machine: MACHINE.to_owned(),
        expires: FAR,
    };
    let certificate = Statement::sign(&certificate, &world.licensor);
    let identity = Identity::verify(keys, &certificate, anchors(world), NOW).unwrap();
    identity.store(&files::identity(home)).unwrap();
    Device::open_at(home, clock).unwrap()
}

/// A job as the vault holds it, recorded as our device records it.
#[derive(Debug, Clone)]
pub(crate) struct Pressed {
    pub nouns: Nouns,
    pub recorded: RecordedOffer,
    /// One signed release for each epoch.
    pub keys: Vec<Statement>,
    pub pieces: Vec<Piece>,
}

/// Signs and seals as licensor and vault do.
pub(crate) fn press(nouns: Nouns, world: &World, device: &Device) -> Pressed {
    let world::Pressed { nouns, recorded, keys, pieces } = nouns.press(world, device);
    let world::RecordedOffer { header, license, hold, segments, manifest } = recorded;
    Pressed { nouns, recorded: RecordedOffer { header, license, hold, segments, manifest }, keys, pieces }
}

/// The commands a machine must have executed for these pieces, each once, in order.
pub(crate) fn commands(pieces: &[Piece]) -> Vec<String> {
    let mut gcode = crate::gcode::Marlin::new(crate::gcode::Comments::Omitted);
    let lines = pieces.iter().flat_map(|piece| gcode.lines(piece).unwrap());
    lines.filter_map(|line| crate::guard::stripped(&line).map(str::to_owned)).collect()
}

/// Draws from a seed: the n-th draw is always the same (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub u64);

impl Dice {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (drawn ^ (drawn >> 31)) % end
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}
