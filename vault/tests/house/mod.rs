//! A vault with everything around it, small enough for a test: a licensor that signs, a seller, devices, a clock
//! that is turned by hand. Services are called in the process, by the generated clients, without a socket.

#![allow(dead_code, reason = "each test file uses its own part of the house")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use layerlock_proto::refusal::Reason;
use layerlock_proto::types::v1::LedgerEntry;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::designs_client::DesignsClient;
use layerlock_proto::vault::v1::jobs_client::JobsClient;
use layerlock_proto::vault::v1::upload_design_request::Part;
use layerlock_seal::kek_ring::KekRing;
use layerlock_seal::keys::{KeyEncryptionKey, OpeningKey, SigningKey};
use layerlock_seal::sha256;
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::{Anchors, Endorsement, TrustedRoot};
use layerlock_slicer::mesh::{Mesh, to_binary_stl};
use layerlock_store::blobs::BlobError;
use layerlock_store::{LockError, MemoryStore, Store};
use layerlock_terms::ids::{BuyerId, DesignId, DeviceId, HoldId, JobId, LicenseId, OfferId, SellerId};
use layerlock_terms::license::{DeviceScope, Expiry, FailurePolicy, Hold, License, Release, Terms};
use layerlock_terms::receipt::{
    Cause, CopyOutcome, Countersignature, Counts, JobEvent, JobReport, Receipt, Settlement,
};
use layerlock_terms::trust::{
    DesignManifest, DeviceCertificate, Revocations, Role, Root, SellerCertificate, SellerPass,
    ServiceCertificate,
};
use layerlock_terms::units::{Millis, Percent, Timestamp};
use layerlock_vault::licensor_link::{Evidence, LicensorLink, LinkError};
use layerlock_vault::rewrap::{Rewrap, Rewrapped};
use layerlock_vault::worker::{EnginePrograms, WorkerCommand};
use layerlock_vault::{Clock, Config, Files, Limits, OpenError, Randomness, Refusal, Vault, caller};
use tonic::metadata::MetadataValue;
use tonic::service::Routes;
use tonic::{Request, Status};

pub mod device;

/// When every test begins.
pub const NOON: u64 = 1_800_000_000_000;
/// How long a revocation list is good for.
pub const LEASE: u64 = 60_000;

/// Everything around a vault, and what survives it.
pub struct House {
    pub licensor: Arc<Licensor>,
    pub store: Arc<MemoryStore>,
    pub dir: tempfile::TempDir,
    /// Files that are not in the directory.
    pub files: Option<Files>,
    pub clock: Arc<AtomicU64>,
    pub limits: Limits,
    pub worker: WorkerCommand,
    /// Licensor keys the root certifies.
    pub licensors: Vec<u8>,
    /// Programs of other engines.
    pub engines: EnginePrograms,
    /// Keys the root withdraws.
    pub withdrawn: Vec<u8>,
    /// Its key-encryption keys, the current one first.
    pub kek_bytes: Vec<u8>,
}

/// A licensor in memory: signs what a real one would, and can be told to fail.
pub struct Licensor {
    pub key: SigningKey,
    pub clock: Arc<AtomicU64>,
    pub admitted: Mutex<Vec<JobReport>>,
    pub settled: Mutex<Vec<(HoldId, Evidence)>>,
    pub revoked: Mutex<Vec<DeviceId>>,
    pub trouble: Mutex<Option<LinkError>>,
    /// What somebody on the line answers instead of the list of now.
    pub replayed: Mutex<Option<Statement>>,
    /// The key it states its lists with.
    pub signs_with: Mutex<u8>,
    pub asked: AtomicU32,
}

pub fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

pub fn kek(number: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::from_bytes(&[number; 32])
}

const ROOT: u8 = 1;
pub const LICENSOR: u8 = 2;
const VAULT: u8 = 3;
pub const SELLER: u8 = 4;

pub fn seller(number: u8) -> SellerId {
    SellerId::from_bytes([number; 16])
}

pub fn never() -> Timestamp {
    Timestamp(NOON * 2)
}

impl House {
    pub fn new() -> Self {
        let clock = Arc::new(AtomicU64::new(NOON));
        Self {
            licensor: Arc::new(Licensor::new(clock.clone())),
            store: Arc::new(MemoryStore::new()),
            dir: tempfile::tempdir().unwrap(),
            files: None,
            clock,
            limits: Limits { stall: Millis(20_000), ..Limits::default() },
            worker: WorkerCommand {
                program: PathBuf::from(env!("CARGO_BIN_EXE_layerlock-vault-worker")),
                args: Vec::new(),
            },
            licensors: vec![LICENSOR],
            engines: EnginePrograms::default(),
            withdrawn: Vec::new(),
            kek_bytes: vec![9],
        }
    }

    /// Opens it; one that was dropped just now lets go of its folder when the last thing it was at is done.
    pub async fn open(&self) -> Arc<Vault> {
        for _ in 0..500 {
            match self.try_open().await {
                Err(OpenError::Blobs(BlobError::Lock(LockError::InUse { .. }))) => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                opened => return opened.unwrap(),
            }
        }
        panic!("the vault before keeps the folder");
    }

    pub async fn try_open(&self) -> Result<Arc<Vault>, OpenError> {
        // A process of its own has no claims when it starts.
        self.store.forget_claims();
        self.open_on(self.store.clone(), self.limits).await
    }

    /// One of several vaults, on its own way to what they share.
    pub async fn open_on(&self, store: Arc<dyn Store>, limits: Limits) -> Result<Arc<Vault>, OpenError> {
        let clock = self.clock.clone();
        Vault::open(Config {
            delivery: key(VAULT),
            certificate: service(Role::Vault, VAULT),
            keks: self.keks(),
            root: self.root(),
            licensor_certificates: self.licensors.iter().map(|key| service(Role::Licensor, *key)).collect(),
            licensor: self.licensor.clone(),
            store,
            files: self.files.clone().unwrap_or_else(|| Files::Directory(self.dir.path().to_owned())),
            worker: self.worker.clone(),
            engines: self.engines.clone(),
            clock: Clock::new(move || Timestamp(clock.load(Ordering::SeqCst))),
            randomness: Randomness::system(),
            limits,
        })
        .await
    }

    /// Wraps what former keys wrapped by the current one.
    pub async fn rewrap(&self) -> Result<Rewrapped, Refusal> {
        let root = TrustedRoot::begin(&self.root()).unwrap();
        let mut anchors = Anchors::new(root, &[service(Role::Licensor, LICENSOR)]).unwrap();
        anchors.certify(&service(Role::Vault, VAULT)).unwrap();
        let vault = key(VAULT).verifying_key();
        let run = Rewrap::new(self.store.clone(), self.keks(), anchors, vault, Randomness::system());
        run.run(|_| ()).await
    }

    pub fn keks(&self) -> KekRing {
        let [current, former @ ..] = &self.kek_bytes[..] else { panic!("a house has a key") };
        former.iter().fold(KekRing::new(kek(*current)), |ring, byte| ring.with_former(kek(*byte)))
    }

    fn root(&self) -> Endorsement {
        let mut root = Root::new(1, never(), 1, vec![key(ROOT).verifying_key().into()]);
        root.withdrawn = self.withdrawn.iter().map(|number| key(*number).verifying_key().into()).collect();
        Endorsement::signed(&root, &[&key(ROOT)])
    }

    pub fn turn_clock(&self, by: u64) {
        self.clock.fetch_add(by, Ordering::SeqCst);
    }

    /// Names of all files the vault keeps in one of its directories.
    pub fn files(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path().join(dir)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "LOCK").collect()
    }
}

pub fn service(role: Role, number: u8) -> Endorsement {
    let certificate = ServiceCertificate { role, key: key(number).verifying_key().into(), expires: never() };
    Endorsement::signed(&certificate, &[&key(ROOT)])
}

impl Licensor {
    fn new(clock: Arc<AtomicU64>) -> Self {
        Self {
            key: key(LICENSOR),
            clock,
            admitted: Mutex::default(),
            settled: Mutex::default(),
            revoked: Mutex::default(),
            trouble: Mutex::default(),
            replayed: Mutex::default(),
            signs_with: Mutex::new(LICENSOR),
            asked: AtomicU32::new(0),
        }
    }

    fn answering(&self) -> Result<(), LinkError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.trouble.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    pub fn fail(&self) {
        *self.trouble.lock().unwrap() = Some(LinkError::Unreachable("cut off by the test".into()));
    }

    pub fn refuse(&self, reason: Reason) {
        *self.trouble.lock().unwrap() = Some(Refusal::new(reason, "says the test").into());
    }

    pub fn recover(&self) {
        *self.trouble.lock().unwrap() = None;
    }

    pub fn list(&self) -> Statement {
        if let Some(replayed) = self.replayed.lock().unwrap().clone() {
            return replayed;
        }
        let mut devices = self.revoked.lock().unwrap().clone();
        devices.sort();
        let now = self.clock.load(Ordering::SeqCst);
        let list = Revocations { version: now, expires: Timestamp(now + LEASE), devices };
        Statement::sign(&list, &key(*self.signs_with.lock().unwrap()))
    }
}

#[async_trait]
impl LicensorLink for Licensor {
    async fn admit_hold(&self, report: Statement, _vault: Endorsement) -> Result<Statement, LinkError> {
        self.answering()?;
        let report = report.verify::<JobReport>(&key(VAULT).verifying_key()).unwrap();
        assert_eq!(report.event, JobEvent::Admitted);
        self.admitted.lock().unwrap().push(report.into_inner());
        Ok(self.list())
    }

    async fn settle_hold(&self, hold: HoldId, evidence: Evidence) -> Result<LedgerEntry, LinkError> {
        self.answering()?;
        if let Evidence::Receipt { receipt, countersignature } = &evidence {
            let said = countersignature.verify::<Countersignature>(&key(VAULT).verifying_key()).unwrap();
            assert_eq!((said.hold, said.receipt), (hold, receipt.digest()), "of this very receipt");
        }
        self.settled.lock().unwrap().push((hold, evidence));
        let settlement = Settlement {
            license: LicenseId::from_bytes([1; 16]),
            hold,
            job: JobId::from_bytes([1; 16]),
            at: Timestamp(NOON),
            cause: Cause::Printed,
            copy: CopyOutcome::Spent,
            counts: Counts { granted: 1, free: 0, held: 0, spent: 1 },
        };
        let settlement = Statement::sign(&settlement, &self.key).emit();
        Ok(LedgerEntry { settlement, blinding: vec![7; 32], index: 5, ..LedgerEntry::default() })
    }

    async fn revocations(&self) -> Result<Statement, LinkError> {
        self.answering()?;
        Ok(self.list())
    }
}

/// A closed box, in millimetres.
pub fn block(x: f32, y: f32, z: f32) -> Vec<u8> {
    let corner = |n: usize| [[0.0, x][n & 1], [0.0, y][n >> 1 & 1], [0.0, z][n >> 2 & 1]];
    let triangles = vec![
        [0, 2, 1],
        [1, 2, 3],
        [4, 5, 6],
        [5, 7, 6],
        [0, 1, 4],
        [1, 5, 4],
        [2, 6, 3],
        [3, 6, 7],
        [0, 4, 2],
        [2, 4, 6],
        [1, 3, 5],
        [3, 7, 5],
    ];
    to_binary_stl(&Mesh { vertices: (0..8).map(corner).collect(), triangles })
}

/// The block most tests print: 12 mm high, so several epochs.
pub fn mesh() -> Vec<u8> {
    block(8.0, 6.0, 12.0)
}

pub fn terms() -> Terms {
    Terms {
        copies: 1,
        expires: Expiry::Never,
        devices: DeviceScope::Any,
        scale_min: Percent(50),
        scale_max: Percent(200),
        materials: vec!["pla".into()],
        failure: FailurePolicy::Return,
        release: Release::Window(1),
    }
}

pub fn manifest(seller_number: u8, bytes: &[u8]) -> DesignManifest {
    DesignManifest {
        seller: seller(seller_number),
        design: DesignId::from_bytes([11; 16]),
        version: sha256(bytes),
        length: bytes.len() as u64,
        name: "a block with a secret name".into(),
        terms: terms(),
    }
}

/// A seller's pass for this vault.
pub fn pass(number: u8) -> SellerPass {
    SellerPass { seller: seller(number), vault: key(VAULT).verifying_key().into(), expires: never() }
}

/// A call with a seller's certificate and pass.
pub fn as_seller<T>(number: u8, message: T) -> Request<T> {
    with_pass(number, &Statement::sign(&pass(number), &key(number)), message)
}

/// A call with a seller's certificate and this pass.
pub fn with_pass<T>(number: u8, pass: &Statement, message: T) -> Request<T> {
    let certificate = SellerCertificate {
        seller: seller(number),
        key: key(number).verifying_key().into(),
        expires: never(),
    };
    let mut request = Request::new(message);
    let parts =
        [(caller::CERTIFICATE, Statement::sign(&certificate, &key(LICENSOR))), (caller::PASS, pass.clone())];
    for (name, statement) in parts {
        request.metadata_mut().insert_bin(name, MetadataValue::from_bytes(&statement.emit()));
    }
    request
}

pub async fn upload(vault: &Arc<Vault>, bytes: &[u8]) -> Result<wire::Design, Status> {
    upload_as(vault, SELLER, &manifest(SELLER, bytes), bytes).await
}

pub async fn upload_as(
    vault: &Arc<Vault>,
    number: u8,
    manifest: &DesignManifest,
    bytes: &[u8],
) -> Result<wire::Design, Status> {
    let statement = Statement::sign(manifest, &key(number)).emit();
    let chunks = bytes.chunks(1 << 16).map(|chunk| Part::Chunk(chunk.to_vec()));
    let parts: Vec<_> = std::iter::once(Part::Manifest(statement)).chain(chunks).collect();
    send_parts(vault, number, parts).await
}

pub async fn send_parts(vault: &Arc<Vault>, number: u8, parts: Vec<Part>) -> Result<wire::Design, Status> {
    let messages = parts.into_iter().map(|part| wire::UploadDesignRequest { part: Some(part) });
    let stream = tokio_stream::iter(messages.collect::<Vec<_>>());
    designs(vault).upload_design(as_seller(number, stream)).await.map(tonic::Response::into_inner)
}

pub fn designs(vault: &Arc<Vault>) -> DesignsClient<Routes> {
    DesignsClient::new(vault.routes())
}

pub fn jobs(vault: &Arc<Vault>) -> JobsClient<Routes> {
    JobsClient::new(vault.routes())
}

/// A device's keys and certificate.
#[derive(Clone)]
pub struct Printer {
    pub id: DeviceId,
    number: u8,
    /// The licensor's key that certified it.
    by: u8,
}

impl Printer {
    pub fn new(number: u8) -> Self {
        Self { id: DeviceId::from_bytes([number; 16]), number, by: LICENSOR }
    }

    /// The same device, certified by another of the licensor's keys.
    pub fn certified_by(self, by: u8) -> Self {
        Self { by, ..self }
    }

    pub fn sign(&self) -> SigningKey {
        key(self.number)
    }

    pub fn open(&self) -> OpeningKey {
        OpeningKey::from_seed(&[self.number; 32])
    }

    pub fn certificate(&self) -> Statement {
        let certificate = DeviceCertificate {
            device: self.id,
            sign: self.sign().verifying_key().into(),
            open: self.open().wrapping_key().into(),
            machine: "prusa-mk3s".into(),
            expires: never(),
        };
        Statement::sign(&certificate, &key(self.by))
    }

    pub fn receipt(&self, job: &Order, sequence: u32, event: layerlock_terms::receipt::Event) -> Statement {
        let at = Timestamp(NOON);
        let receipt = Receipt { device: self.id, job: job.hold.job, hold: job.hold.id, sequence, at, event };
        Statement::sign(&receipt, &self.sign())
    }
}

/// A license and a hold for one job; change what a test is about, then ask.
#[derive(Clone)]
pub struct Order {
    pub license: License,
    pub hold: Hold,
    pub printer: Printer,
    pub settings: Vec<(&'static str, &'static str)>,
    pub material: &'static str,
}

impl Order {
    pub fn new(number: u8, bytes: &[u8], printer: &Printer) -> Self {
        let manifest = manifest(SELLER, bytes);
        let license = License {
            id: LicenseId::from_bytes([number; 16]),
            offer: OfferId::from_bytes([number; 16]),
            seller: manifest.seller,
            buyer: BuyerId::from_bytes([number; 16]),
            design: manifest.design,
            version: manifest.version,
            issued: Timestamp(NOON),
            terms: terms(),
        };
        let hold = Hold {
            id: HoldId::from_bytes([number; 16]),
            license: license.id,
            job: JobId::from_bytes([number; 16]),
            device: printer.id,
            issued: Timestamp(NOON),
            admit_by: Timestamp(NOON + 60_000),
            settle_by: Timestamp(NOON + 10_000_000),
        };
        Self { license, hold, printer: printer.clone(), settings: Vec::new(), material: "pla" }
    }

    pub fn request(&self) -> wire::CreateJobRequest {
        wire::CreateJobRequest {
            license: Statement::sign(&self.license, &key(LICENSOR)).emit(),
            hold: Statement::sign(&self.hold, &key(LICENSOR)).emit(),
            device_certificate: self.printer.certificate().emit(),
            preset: "draft".into(),
            material: self.material.into(),
            settings: self
                .settings
                .iter()
                .map(|(name, value)| wire::Setting { name: (*name).into(), value: (*value).into() })
                .collect(),
        }
    }

    pub async fn create(&self, vault: &Arc<Vault>) -> Result<wire::Job, Status> {
        jobs(vault).create_job(self.request()).await.map(tonic::Response::into_inner)
    }

    /// The job as soon as it is as wanted; fails the test when it ends before that.
    pub async fn when(&self, vault: &Arc<Vault>, wanted: impl Fn(&wire::Job) -> bool) -> wire::Job {
        let request = wire::WatchJobRequest { job: self.hold.job.to_string() };
        let mut watched = jobs(vault).watch_job(request).await.unwrap().into_inner();
        let mut last = None;
        while let Some(job) = watched.message().await.unwrap() {
            if wanted(&job) {
                return job;
            }
            last = Some(job);
        }
        panic!("the job never became what the test waits for: {last:?}");
    }

    pub async fn sealed(&self, vault: &Arc<Vault>) -> wire::Job {
        self.when(vault, |job| job.state >= wire::JobState::Sealed as i32).await
    }

    pub async fn settled(&self, vault: &Arc<Vault>) -> wire::Job {
        self.when(vault, |job| job.state() == wire::JobState::Settled).await
    }
}

pub fn reason(status: &Status) -> Reason {
    Reason::of(status).unwrap_or_else(|| panic!("no reason in {status:?}"))
}
