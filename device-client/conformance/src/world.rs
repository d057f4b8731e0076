//! All parties but the device, as the kit and the tests of our own device play them: keys, certificates, a pressed job, a
//! ledger.
//!
//! Everything is made with the public functions the real parties use; nothing here bends a rule of the device's. Random
//! sources are counted from a seed, so what fails once fails the same way again.

use std::convert::Infallible;
use std::num::NonZeroU64;
use std::sync::Arc;

use layerlock_proto::types::v1::LedgerEntry;
use layerlock_seal::commitment::BlindingFactor;
use layerlock_seal::keys::{OpeningKey, SigningKey, VerifyingKey, WrappingKey};
use layerlock_seal::note::NoteSigner;
use layerlock_seal::sha256;
use layerlock_seal::statement::Statement;
use layerlock_seal::toolpath::{Ends, Sealer};
use layerlock_seal::trust::Endorsement;
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Summary};
use layerlock_terms::ids::{BuyerId, DesignId, DeviceId, HoldId, JobId, LicenseId, OfferId, SellerId};
use layerlock_terms::license::{DeviceScope, Expiry, FailurePolicy, Hold, License, Release, Terms};
use layerlock_terms::receipt::{Cause, CopyOutcome, Counts, Settlement};
use layerlock_terms::release::Grounds;
use layerlock_terms::toolpath::{
    Epilogue, Feature, Layer, Path as Line, Piece, Point, Point3, Prologue, Step, Times,
};
use layerlock_terms::trust::{DeviceCertificate, Role, Root, ServiceCertificate};
use layerlock_terms::units::{
    Celsius, Feed, Micrometres, Milligrams, Millis, MmPerMinute, Percent, Timestamp,
};
use layerlock_tlog::{Checkpoint, Note, NoteSignature, Tree, ed25519_key_id, leaf_hash};
use rand_core::{TryCryptoRng, TryRng};

/// The moment all cases begin at.
pub const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// A moment after every certificate has ended.
pub const FAR: Timestamp = Timestamp(NOW.0 + 1_000_000_000);
/// The machine most cases print on.
pub const MACHINE: &str = "ender-3";

/// Why nothing in here fails.
const OWN: &str = "the kit makes no mistake of its own here";

/// SHA-256 of a seed and a counter.
pub struct Counted(u64, u64);

impl Counted {
    /// Begins at a seed.
    pub fn from(seed: u64) -> Self {
        Self(seed, 0)
    }
}

impl TryRng for Counted {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|n| n as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            self.1 += 1;
            let block = sha256(&[self.0.to_be_bytes(), self.1.to_be_bytes()].concat());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counted {}

/// Whom a job is pressed for.
pub trait Recipient {
    /// Its id.
    fn id(&self) -> DeviceId;
    /// Its machine, by the catalogue's name.
    fn machine(&self) -> String;
    /// Secrets are wrapped to this.
    fn wrapping_key(&self) -> WrappingKey;
}

/// What the client under judgement is given to be a device.
#[derive(Debug, Clone)]
pub struct Maker {
    /// Which device it is.
    pub id: DeviceId,
    /// Seed of its signing key.
    pub sign_seed: [u8; 32],
    /// Seed of its opening key.
    pub open_seed: [u8; 32],
    /// The machine behind it.
    pub machine: String,
}

impl Recipient for Maker {
    fn id(&self) -> DeviceId {
        self.id
    }

    fn machine(&self) -> String {
        self.machine.clone()
    }

    fn wrapping_key(&self) -> WrappingKey {
        self.open().wrapping_key()
    }
}

impl Default for Maker {
    fn default() -> Self {
        let (id, machine) = (DeviceId::from_bytes([0x5d; 16]), MACHINE.to_owned());
        Self { id, sign_seed: [0x51; 32], open_seed: [0x52; 32], machine }
    }
}

impl Maker {
    /// Verifies what it signs.
    pub fn verifying_key(&self) -> VerifyingKey {
        SigningKey::from_seed(&self.sign_seed).verifying_key()
    }

    /// Opens what is sealed for it.
    pub fn open(&self) -> OpeningKey {
        OpeningKey::from_seed(&self.open_seed)
    }
}

/// An envelope as recorded bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedOffer {
    /// Statement: header.
    pub header: Vec<u8>,
    /// Statement: license.
    pub license: Vec<u8>,
    /// Statement: hold.
    pub hold: Vec<u8>,
    /// The framed segments in order.
    pub segments: Vec<Vec<u8>>,
    /// Statement: manifest.
    pub manifest: Vec<u8>,
}

/// Every party but the device.
pub struct World {
    /// The root's one key.
    pub root: SigningKey,
    /// Signs licenses, holds, certificates and settlements.
    pub licensor: Arc<SigningKey>,
    /// Signs envelopes and releases.
    pub vault: Arc<SigningKey>,
    /// Signs the ledger's checkpoints.
    pub checkpoint: NoteSigner,
    /// When root and services end.
    pub ends: Timestamp,
    /// Certificates beside the three services'.
    pub also: Vec<Endorsement>,
}

impl World {
    /// Parties whose keys follow from a seed.
    pub fn new(seed: u64) -> Self {
        let rng = &mut Counted::from(seed);
        Self {
            root: SigningKey::generate(rng),
            licensor: Arc::new(SigningKey::generate(rng)),
            vault: Arc::new(SigningKey::generate(rng)),
            checkpoint: NoteSigner::generate("ledger.example/conformance", rng),
            ends: FAR,
            also: Vec::new(),
        }
    }

    /// A version of the root, signed.
    pub fn root(&self, version: u32) -> Endorsement {
        let keys = vec![self.root.verifying_key().into()];
        Endorsement::signed(&Root::new(version, self.ends, 1, keys), &[&self.root])
    }

    /// The root's certificate for one of the services.
    pub fn service(&self, role: Role) -> Endorsement {
        let key = match role {
            Role::Licensor => self.licensor.verifying_key(),
            Role::Vault => self.vault.verifying_key(),
            Role::Checkpoint => self.checkpoint.verifying_key(),
        };
        Endorsement::signed(&ServiceCertificate { role, key: key.into(), expires: self.ends }, &[&self.root])
    }

    /// All certificates under the root.
    pub fn services(&self) -> Vec<Endorsement> {
        let ours = [Role::Licensor, Role::Vault, Role::Checkpoint].map(|role| self.service(role));
        ours.into_iter().chain(self.also.iter().cloned()).collect()
    }

    /// The licensor's certificate for a device.
    pub fn certify(&self, device: &Maker) -> Statement {
        let certificate = DeviceCertificate {
            device: device.id,
            sign: device.verifying_key().into(),
            open: device.open().wrapping_key().into(),
            machine: device.machine.clone(),
            expires: FAR,
        };
        Statement::sign(&certificate, &self.licensor)
    }

    /// The entry of a settled hold, somewhere in the middle of a log.
    pub fn settle(&self, nouns: &Nouns, leaves_before: u64) -> LedgerEntry {
        let settlement = Settlement {
            license: nouns.license.id,
            hold: nouns.hold.id,
            job: nouns.hold.job,
            at: NOW,
            cause: Cause::Printed,
            copy: CopyOutcome::Spent,
            counts: Counts { granted: 1, free: 0, held: 0, spent: 1 },
        };
        let settlement = Statement::sign(&settlement, &self.licensor).emit();
        let blinding = BlindingFactor::generate(&mut Counted::from(7));
        let leaf = leaf_hash(blinding.commit(&settlement).as_bytes());
        let others = |n: u64| leaf_hash(&n.to_be_bytes());
        let mut tree = Tree::from_leaves((0..leaves_before).map(others));
        tree.push(leaf);
        tree.push(others(u64::MAX));
        let proof = tree.prove_inclusion(leaves_before, tree.size()).expect(OWN);
        LedgerEntry {
            settlement,
            blinding: blinding.to_bytes().to_vec(),
            index: leaves_before,
            inclusion: proof.path.iter().map(|hash| hash.0.to_vec()).collect(),
            checkpoint: self.sign_checkpoint(&tree).into_bytes(),
        }
    }

    fn sign_checkpoint(&self, tree: &Tree) -> String {
        let origin = self.checkpoint.origin().to_owned();
        let text = Checkpoint { origin: origin.clone(), size: tree.size(), root: tree.root() }.to_string();
        let signature = self.checkpoint.sign(&text).expect(OWN).to_vec();
        let key_id = ed25519_key_id(&origin, self.checkpoint.verifying_key().as_bytes());
        let mut note = Note::new(text).expect(OWN);
        note.add(NoteSignature { name: origin, key_id, signature }).expect(OWN);
        note.to_string()
    }
}

/// The nouns of a job, to be changed before they are signed.
#[derive(Debug, Clone)]
pub struct Nouns {
    /// The license.
    pub license: License,
    /// A hold of it.
    pub hold: Hold,
    /// The envelope's header.
    pub header: EnvelopeHeader,
    /// What the print takes, as the manifest says.
    pub summary: Summary,
    /// Layers of the toolpath.
    pub layers: u32,
    /// The number of the offline print, under offline terms.
    pub offline: NonZeroU64,
}

/// A job as the vault holds it.
#[derive(Debug, Clone)]
pub struct Pressed {
    /// What was signed.
    pub nouns: Nouns,
    /// The bytes of it.
    pub recorded: RecordedOffer,
    /// One signed release for each epoch.
    pub keys: Vec<Statement>,
    /// The toolpath.
    pub pieces: Vec<Piece>,
}

impl Nouns {
    /// A usual job for a device: a license of one copy, a hold of a day.
    pub fn of(device: &impl Recipient, job: u8) -> Self {
        let (license, hold, id) =
            (LicenseId::from_bytes([job; 16]), HoldId::from_bytes([job; 16]), JobId::from_bytes([job; 16]));
        let terms = Terms {
            copies: 1,
            expires: Expiry::At(FAR),
            devices: DeviceScope::Any,
            scale_min: Percent(100),
            scale_max: Percent(100),
            materials: Vec::new(),
            failure: FailurePolicy::Return,
            release: Release::Window(1),
        };
        let version = Digest([0x44; 32]);
        Self {
            license: License {
                id: license,
                offer: OfferId::from_bytes([1; 16]),
                seller: SellerId::from_bytes([2; 16]),
                buyer: BuyerId::from_bytes([3; 16]),
                design: DesignId::from_bytes([4; 16]),
                version,
                issued: NOW,
                terms,
            },
            hold: Hold {
                id: hold,
                license,
                job: id,
                device: device.id(),
                issued: NOW,
                admit_by: NOW.plus(Millis(60_000)),
                settle_by: NOW.plus(Millis(86_400_000)),
            },
            header: EnvelopeHeader {
                job: id,
                hold,
                license,
                design_version: version,
                device: device.id(),
                machine: device.machine(),
                profile: Digest([0x66; 32]),
                created: NOW,
                segment_limit: 96,
                epoch_layers: 2,
            },
            summary: Summary {
                duration: Millis(60_000),
                filament_um: 1_000,
                min: Point3 { x: 50_000, y: 50_000, z: 200 },
                max: Point3 { x: 70_000, y: 70_000, z: 2_000 },
            },
            layers: 7,
            offline: NonZeroU64::MIN,
        }
    }

    /// Signs and seals as licensor and vault do.
    pub fn press(self, world: &World, device: &impl Recipient) -> Pressed {
        let pieces = toolpath(self.layers);
        self.press_pieces(world, device, pieces)
    }

    /// The same with a toolpath of the case's own.
    pub fn press_pieces(self, world: &World, device: &impl Recipient, pieces: Vec<Piece>) -> Pressed {
        let mut sealer = Sealer::new(self.header.clone(), Arc::clone(&world.vault), &mut Counted::from(11));
        let mut segments = Vec::new();
        for (place, piece) in (0..).zip(&pieces) {
            seal(&mut sealer, place, piece, &self, &mut segments);
        }
        let wrapping = device.wrapping_key();
        let hash = sealer.header_hash();
        let epochs = self.layers.div_ceil(self.header.epoch_layers);
        let rng = &mut Counted::from(12);
        let grounds = match self.license.terms.release {
            Release::Window(_) => Grounds::Receipts,
            Release::Offline => Grounds::Offline(self.offline),
        };
        let release = |epoch| {
            let release = sealer.job_secret().release(&hash, grounds, epoch..=epoch, &wrapping, rng);
            Statement::sign(&release, &world.vault)
        };
        let keys = (0..epochs).map(release).collect();
        let recorded = RecordedOffer {
            header: sealer.header().emit(),
            license: Statement::sign(&self.license, &world.licensor).emit(),
            hold: Statement::sign(&self.hold, &world.licensor).emit(),
            segments,
            manifest: sealer.finish(self.summary).expect(OWN).emit(),
        };
        Pressed { nouns: self, recorded, keys, pieces }
    }
}

/// Seals by the piece's place: a piece may say otherwise of itself.
fn seal(sealer: &mut Sealer, place: u32, piece: &Piece, nouns: &Nouns, segments: &mut Vec<Vec<u8>>) {
    let (layer, last) = match piece {
        Piece::Prologue(_) => (0, Ends::Piece),
        Piece::Layer(_) => (place - 1, Ends::Piece),
        Piece::Epilogue(_) => (nouns.layers - 1, Ends::Toolpath),
    };
    let text = piece.emit();
    let mut parts = text.chunks(nouns.header.segment_limit as usize).peekable();
    while let Some(part) = parts.next() {
        let ends = if parts.peek().is_some() { Ends::Nothing } else { last };
        let mut segment = Vec::new();
        sealer.seal(layer, ends, part, &mut segment).expect(OWN);
        segments.push(segment);
    }
}

/// A small toolpath: squares of uneven sides, so that each layer takes several segments.
pub fn toolpath(layers: u32) -> Vec<Piece> {
    let prologue = Prologue {
        machine: MACHINE.to_owned(),
        nozzle: Celsius(210),
        bed: Celsius(60),
        filament_diameter: Micrometres(1750),
    };
    let epilogue = Epilogue {
        layers,
        duration: Millis(60_000),
        filament_um: 1_000,
        mass: Milligrams(3),
        min: Point3 { x: 50_000, y: 50_000, z: 200 },
        max: Point3 { x: 70_000, y: 70_000, z: 2_000 },
        times: Times::default(),
    };
    let between = (0..layers).map(|index| Piece::Layer(layer(index)));
    std::iter::once(Piece::Prologue(prologue)).chain(between).chain([Piece::Epilogue(epilogue)]).collect()
}

fn layer(index: u32) -> Layer {
    let z = Micrometres(200 * (index as i32 + 1));
    let speed = MmPerMinute(1_800);
    let corner = |n: i32| Point { x: 50_000 + n * 997 % 20_000, y: 50_000 + n * n * 131 % 20_000 };
    let points = (1..40).map(|n| (corner(n + index as i32), Feed(1_000 + n * 37 % 50))).collect();
    let path = Line { feature: Feature::OuterPerimeter, width: Micrometres(450), speed, climb: None, points };
    let steps = vec![
        Step::Lift { z, speed: MmPerMinute(600) },
        Step::Travel { to: vec![corner(0)], speed: MmPerMinute(6_000) },
        Step::Extrude(path),
    ];
    Layer { index, z, height: Micrometres(200), steps }
}
