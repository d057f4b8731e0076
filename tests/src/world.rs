//! A whole world in one test: licensor and vault on loopback with TLS, a seller, buyers, devices, virtual time.
//!
//! Everything goes through the doors anyone has. A world lives in a folder of its own, on ports of its own, and
//! is gone with the test; the worker is the vault's real one, started as a child process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use layerlock_cli::commands::seller::widest;
use layerlock_cli::embedded::{Embedded, Outside};
use layerlock_cli::parties::PartyError;
use layerlock_cli::parties::buyer::{Buyer, Order};
use layerlock_cli::parties::home::Home;
use layerlock_cli::parties::operator::Operator;
use layerlock_cli::parties::seller::{Seller, Upload};
use layerlock_cli::random::{Random, id_bytes};
use layerlock_cli::settings::Settings;
use layerlock_device::enrol::Enrolment;
use layerlock_device::keys::KeyPlace;
use layerlock_device::{
    Clock, Device, DeviceError, Notice, PrintReport, PrinterTarget, RecordedOffer, Until,
};
use layerlock_proto::licensor::v1::PlaceHoldResponse;
use layerlock_proto::types::v1::Counts;
use layerlock_proto::vault::v1::{Job, JobState};
use layerlock_seal::token::ApiKey;
use layerlock_slicer::mesh::to_binary_stl;
use layerlock_terms::ids::{JobId, RequestId};
use layerlock_terms::license::{Release, Terms};
use layerlock_terms::units::{Millis, Timestamp};
use layerlock_vault::worker::WorkerCommand;
use tempfile::TempDir;
use tonic::transport::Channel;
use zeroize::Zeroizing;

use crate::meshes;

/// The machine every device of a world drives.
pub const MACHINE: &str = "prusa-mk3s";

/// A running world.
pub struct World {
    /// Licensor and vault.
    pub house: Embedded,
    /// The time everybody reads.
    pub time: Time,
    dir: TempDir,
    worker: PathBuf,
}

/// Time that stands still until a test moves it.
#[derive(Debug, Clone)]
pub struct Time(Arc<AtomicU64>);

/// A license, and who holds it.
pub struct Licensed {
    /// Its buyer.
    pub buyer: Buyer,
    /// Its id.
    pub license: String,
    key: Zeroizing<String>,
}

/// One print, and what a thief would have of it.
pub struct Printed {
    /// What the device says.
    pub report: PrintReport,
    /// What the vault says.
    pub job: Job,
    /// The envelope as it lay on the device's disk.
    pub recorded: RecordedOffer,
}

impl Time {
    fn begin() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000_000)))
    }

    /// The moment.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    /// Moves on.
    pub fn pass(&self, span: Millis) {
        self.0.fetch_add(span.0, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::of(move || time.now())
    }
}

impl World {
    /// Starts a world whose vault slices with the worker at `worker`.
    pub async fn begin(worker: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let time = Time::begin();
        let house = start(dir.path(), Path::new(worker), &time).await;
        Self { house, time, dir, worker: worker.into() }
    }

    /// Stops licensor and vault and starts them again on what they left.
    pub async fn restart(self) -> Self {
        let Self { house, time, dir, worker } = self;
        house.stop().await;
        let house = start(dir.path(), &worker, &time).await;
        Self { house, time, dir, worker }
    }

    /// A channel to the licensor.
    pub async fn licensor(&self) -> Channel {
        self.house.connection.licensor().await.expect("the licensor answers")
    }

    /// A channel to the vault.
    pub async fn vault(&self) -> Channel {
        self.house.connection.vault().await.expect("the vault answers")
    }

    /// The operator.
    pub async fn operator(&self) -> Operator {
        let key = ApiKey::parse(&self.house.operator.as_ref().expect("the whole house is here").reveal())
            .expect("a key reads back");
        Operator::new(self.licensor().await, key)
    }

    /// A folder of this world's.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new seller.
    pub async fn seller(&self, name: &str) -> Seller {
        let home = Home::at(&self.folder(name)).expect("a folder");
        let joined = self.operator().await.create_seller().await.expect("a seller is made");
        Seller::join(self.licensor().await, &home, &joined.api_key, self.time.now()).await.expect("it joins");
        Seller::open(self.licensor().await, self.vault().await, &home).await.expect("it opens")
    }

    /// A new device.
    pub async fn device(&self, name: &str) -> Device {
        let code = self.operator().await.enrolment_code().await.expect("a code is made").code;
        let wanted = Enrolment {
            code: &code,
            machine: MACHINE,
            home: &self.folder(name),
            root_digest: Some(self.house.root),
            attestation: None,
            keys: KeyPlace::File,
            clock: self.time.clock(),
        };
        Device::enrol(self.licensor().await, wanted, &mut Random).await.expect("it enrols")
    }

    /// Opens a device that enrolled before, as after a restart of it.
    pub fn reopen(&self, name: &str) -> Device {
        Device::open_at(&self.folder(name), self.time.clock()).expect("it opens")
    }

    /// A license for this many copies of a small part.
    pub async fn licensed(&self, copies: u32) -> Licensed {
        self.licensed_under(Terms { copies, release: Release::Window(1), ..widest(copies) }).await
    }

    /// A license of these terms for a small part.
    pub async fn licensed_under(&self, terms: Terms) -> Licensed {
        let seller = self.seller(&format!("seller-{}", RequestId::from_bytes(id_bytes()))).await;
        self.licensed_by(&seller, terms).await
    }

    /// A license of `seller`'s, of these terms, for a small part.
    pub async fn licensed_by(&self, seller: &Seller, terms: Terms) -> Licensed {
        let model = to_binary_stl(&meshes::cuboid([0.0; 3], [12.0, 9.0, 4.0]));
        let upload = Upload { model: &model, name: "block", design: None, terms: widest(terms.copies) };
        let uploaded = seller.upload(upload, self.time.now(), |_| {}).await.expect("a block is a mesh");
        let offer = seller.offer(&uploaded.manifest, &terms).await.expect("an offer is made");
        let joined = seller.create_buyer().await.expect("a buyer is made");
        let license = seller.license(&offer.offer, &joined.buyer).await.expect("a license is issued").license;
        self.held(license, Zeroizing::new(joined.api_key)).await
    }

    /// The same license and buyer after a restart, at the new addresses.
    pub async fn again(&self, licensed: &Licensed) -> Licensed {
        self.held(licensed.license.clone(), licensed.key.clone()).await
    }

    async fn held(&self, license: String, key: Zeroizing<String>) -> Licensed {
        let buyer = Buyer::new(self.licensor().await, self.vault().await, key.clone());
        Licensed { buyer, license, key }
    }

    /// Prints one copy from hold to settlement, and keeps what a thief would have.
    pub async fn print(&self, licensed: &Licensed, device: &mut Device, name: &str) -> Printed {
        let held = licensed.hold(device).await.expect("a copy is free");
        let job = licensed.order(&held, device).await.expect("the vault admits it");
        self.deliver(licensed, device, name, &job.job).await
    }

    /// Lets a device print the job that waits for it.
    pub async fn deliver(&self, licensed: &Licensed, device: &mut Device, name: &str, job: &str) -> Printed {
        let mut recorded = None;
        let id: JobId = job.parse().expect("the vault names a job");
        let home = self.folder(name);
        let mut watch = |notice: Notice<'_>| {
            if let Notice::Checked(_) = notice {
                recorded = RecordedOffer::in_spool(&home, id).expect("the spool is readable");
            }
        };
        let vault = self.vault().await;
        let report = device.serve(vault, PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
        let report = report.expect("it serves").expect("it prints one job");
        let recorded = recorded.expect("an envelope was checked");
        Printed { report, recorded, job: licensed.finished(job).await }
    }

    /// Serves one job, whatever comes of it.
    pub async fn serve(&self, device: &mut Device) -> Result<Option<PrintReport>, DeviceError> {
        device.serve(self.vault().await, PrinterTarget::Simulated, &mut |_| {}, Until::OneJob).await
    }
}

impl Licensed {
    /// Takes a copy for `device`.
    pub async fn hold(&self, device: &Device) -> Result<PlaceHoldResponse, PartyError> {
        self.hold_again(device, RequestId::from_bytes(id_bytes())).await
    }

    /// Takes a copy by a request id of the caller's.
    pub async fn hold_again(
        &self,
        device: &Device,
        request: RequestId,
    ) -> Result<PlaceHoldResponse, PartyError> {
        self.buyer.place_hold(&self.license, &device.id().to_string(), request).await
    }

    /// Has the vault press a held copy.
    pub async fn order(&self, held: &PlaceHoldResponse, device: &Device) -> Result<Job, PartyError> {
        let device = device.id().to_string();
        let order = Order {
            license: &self.license,
            device: &device,
            preset: "draft",
            material: "pla",
            settings: &[],
        };
        self.buyer.create_job(held, &order).await
    }

    /// The job when it is settled or refused.
    pub async fn finished(&self, job: &str) -> Job {
        let mut jobs = self.buyer.watch(job).await.expect("the vault knows the job");
        loop {
            let job = jobs.message().await.expect("the vault answers").expect("the job comes to an end");
            if matches!(job.state(), JobState::Settled | JobState::Refused) {
                return job;
            }
        }
    }

    /// The license's copies.
    pub async fn counts(&self) -> Counts {
        let license = self.buyer.license(&self.license).await.expect("the buyer sees its license");
        license.counts.expect("a license has counts")
    }
}

async fn start(dir: &Path, worker: &Path, time: &Time) -> Embedded {
    let time = time.clone();
    let outside = Outside {
        dir: dir.join("server"),
        settings: Settings::anywhere(),
        worker: WorkerCommand { program: worker.to_owned(), args: Vec::new() },
        metrics: None,
        clock: Arc::new(move || time.now()),
    };
    Embedded::start(outside).await.expect("the house starts")
}
