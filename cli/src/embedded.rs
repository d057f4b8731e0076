//! The embedded house: licensor, vault and worker in one process, on records and files in one folder; or some of them, as
//! one of several processes on shared records and files.
//!
//! The two services meet over their own TLS door even here: the vault reaches the licensor the way it does on another
//! machine, so growing past one machine changes settings, not code.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use layerlock_licensor::{Licensor, Lifetimes};
use layerlock_seal::note::NoteSigner;
use layerlock_seal::trust::Anchors;
use layerlock_store::blobs::{Credentials, Objects, ObjectsError};
use layerlock_store::{JournalStore, Options, PostgresError, PostgresStore, Store};
use layerlock_terms::digest::Digest;
use layerlock_terms::trust::Role;
use layerlock_terms::units::Timestamp;
use layerlock_vault::licensor_link::GrpcLicensor;
use layerlock_vault::worker::{Confinement, EnginePrograms, WorkerCommand};
use layerlock_vault::{Files, Vault};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tonic::service::Routes;

use crate::connect::{ConnectError, Connection};
use crate::door::{self, Limits};
use crate::files;
use crate::keyring::{self, Holds, Keyring, KeyringError, LicensorKeys, VaultKeys};
use crate::parties::home::CONNECT;
use crate::random::Random;
use crate::settings::{Duty, FilesAt, RecordsAt, Settings};
use crate::sight::Health;
use crate::tls::{self, TlsError};
use crate::trust_files::TrustFiles;

const SWEEP: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_secs(2);
/// The longest that devices are being sent away at a stop.
const SENDING_AWAY: Duration = Duration::from_secs(20);

/// What the house is given from outside.
pub struct Outside {
    /// Its folder.
    pub dir: PathBuf,
    /// Where it listens and what it bounds.
    pub settings: Settings,
    /// How it starts a slicing worker.
    pub worker: WorkerCommand,
    /// Where its metrics are served, if they are.
    pub metrics: Option<SocketAddr>,
    /// What time it is.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// A running house.
pub struct Embedded {
    /// Where clients find it.
    pub connection: Connection,
    /// What the root is called.
    pub root: Digest,
    /// What opens the operator's calls, where the licensor is.
    pub operator: Option<layerlock_seal::token::ApiKey>,
    /// In the order in which they close.
    doors: Vec<Doorway>,
    sweeper: Option<JoinHandle<()>>,
    /// Works as long as it is here; a worker alone has no door that keeps it.
    vault: Option<Arc<Vault>>,
}

/// Why the house doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Its keys.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// Its TLS identity.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address is taken, or a file can't be written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Its records.
    #[error(transparent)]
    Records(#[from] layerlock_store::OpenError),
    /// Its records, in a database.
    #[error(transparent)]
    Database(#[from] PostgresError),
    /// Its sealed files, in a bucket.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// Its sealed files.
    #[error(transparent)]
    Blobs(#[from] layerlock_store::blobs::BlobError),
    /// The licensor.
    #[error("licensor: {0}")]
    Licensor(#[from] layerlock_licensor::OpenError),
    /// The vault.
    #[error("vault: {0}")]
    Vault(#[from] layerlock_vault::OpenError),
    /// The way from the vault to the licensor.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl Embedded {
    /// Opens what is in the folder, makes what is missing, recovers what was cut off, and serves.
    pub async fn start(outside: Outside) -> Result<Self, EmbeddedError> {
        let Outside { dir, settings, worker, metrics, clock } = outside;
        files::private_dir(&dir)?;
        let keys = keyring(&dir, &settings, clock())?;
        let root = keys.root_digest();
        let acceptor = tls::acceptor(&keyring::folder(&dir), &settings.names)?;
        let licensor_listens = bind(&settings, Duty::Licensor, settings.licensor).await?;
        let vault_listens = bind(&settings, Duty::Vault, settings.vault).await?;
        let found = connection(&dir, &settings, root, licensor_listens.as_ref(), vault_listens.as_ref())?;
        let connection = Connection { metrics, ..found };

        let limits = Limits {
            connections: settings.connections,
            per_address: settings.connections_per_address,
            ..Limits::default()
        };
        allow_open_files(&limits);

        let clock = move || clock();
        let (mut doors, mut sweeper) = (Vec::new(), None);
        if let (Some(listener), Some(held)) = (licensor_listens, &keys.licensor) {
            let store = records(&dir, &settings, LICENSOR.name).await?;
            let config = licensor_config(&settings, held, &keys.trust, store.clone(), clock.clone())?;
            let licensor = Licensor::open(config).await?;
            doors.push(
                Doorway::open(&LICENSOR, listener, acceptor.clone(), licensor.routes(), store, limits).await,
            );
            sweeper = Some(tokio::spawn(async move { licensor.run(SWEEP).await }));
        }

        let link = GrpcLicensor::new(connection.lazy(&connection.licensor)?);
        let operator = keys.licensor.as_ref().map(|held| keyring::copy_of_operator(&held.operator));
        let mut vault = None;
        if let Some(held) = keys.vault {
            let store = records(&dir, &settings, VAULT.name).await?;
            let files = sealed_files(&dir, &settings).await?;
            let kept = (store.clone(), files);
            let config = vault_config(&settings, held, &keys.anchors, kept, link, worker, clock)?;
            let opened = Vault::open(config).await?;
            if let Some(listener) = vault_listens {
                let door = Doorway::open(&VAULT, listener, acceptor, opened.routes(), store, limits).await;
                let engines = opened.engines().iter().map(|installed| installed.confinement);
                let mut lacking = engines.chain([opened.confinement()]).flat_map(Confinement::lacking);
                door.health.say_caged(lacking.next().is_none()).await;
                // First, so that what it still has to settle finds the licensor there.
                doors.insert(0, door);
            }
            vault = Some(opened);
        }
        // Last, so that a start that is refused leaves the clients of whoever runs here alone.
        connection.write(&dir.join(CONNECT))?;
        Ok(Self { connection, root, operator, doors, sweeper, vault })
    }

    /// What the vault's engines call themselves, the built-in one first.
    pub fn engines(&self) -> Vec<String> {
        let Some(vault) = &self.vault else { return Vec::new() };
        let others = vault.engines().iter().map(|installed| installed.version.clone());
        std::iter::once("layerlock".to_owned()).chain(others).collect()
    }

    /// Closes the doors, the vault's first: what it still has to settle finds the licensor there. Nobody new is let in while
    /// the devices are sent away, a few at a time, so that they don't all come back in one second.
    pub async fn stop(self) {
        if let Some(sweeper) = self.sweeper {
            end(sweeper).await;
        }
        let mut doors = self.doors;
        // The vault's is the first.
        if let (Some(vault), Some(door)) = (&self.vault, doors.first_mut()) {
            door.begin_to_close().await;
            vault.send_away(SENDING_AWAY).await;
        }
        for mut door in doors {
            door.begin_to_close().await;
            door.close().await;
        }
    }
}

/// Ends a task and waits until it is gone, and with it its hold on the store: whoever starts next needs the folder.
async fn end(task: JoinHandle<()>) {
    task.abort();
    // Cut off, which was asked for; or it had ended.
    let _ = task.await;
}

/// A party's gRPC services, and what metrics call it.
struct Services {
    name: &'static str,
    offered: &'static [&'static str],
}

const LICENSOR: Services = Services {
    name: "licensor",
    offered: &[
        "layerlock.licensor.v1.Sellers",
        "layerlock.licensor.v1.Licenses",
        "layerlock.licensor.v1.Copies",
        "layerlock.licensor.v1.Devices",
        "layerlock.licensor.v1.Trust",
        "layerlock.licensor.v1.Ledger",
    ],
};

const VAULT: Services = Services {
    name: "vault",
    offered: &["layerlock.vault.v1.Designs", "layerlock.vault.v1.Jobs", "layerlock.vault.v1.Sessions"],
};

/// One party's open door.
struct Doorway {
    stop: watch::Sender<bool>,
    health: Health,
    watching: Option<JoinHandle<()>>,
    served: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Doorway {
    async fn open(
        services: &Services,
        listener: TcpListener,
        tls: TlsAcceptor,
        routes: Routes,
        store: Arc<dyn Store>,
        limits: Limits,
    ) -> Self {
        let (health, routes) = Health::on(routes, services.offered).await;
        let watching = Some(tokio::spawn(health.clone().watch(store)));
        let (stop, mut stopped) = watch::channel(false);
        let shutdown = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        let served = tokio::spawn(door::serve(services.name, listener, tls, routes, limits, shutdown));
        Self { stop, health, watching, served }
    }

    /// Nobody is let in any more, and whoever is inside is told to make no further calls here.
    async fn begin_to_close(&mut self) {
        if let Some(watching) = self.watching.take() {
            end(watching).await;
        }
        self.health.leave().await;
        self.stop.send_replace(true);
    }

    /// Running calls get a moment to finish, then they are cut, which every client survives.
    async fn close(mut self) {
        if tokio::time::timeout(DRAIN, &mut self.served).await.is_err() {
            self.served.abort();
            let _ = self.served.await;
        }
    }
}

/// Files opened by all that isn't a connection: records, designs, envelopes, workers' pipes.
const OTHER_FILES: u64 = 512;

/// Each connection is an open file. The limit is raised as far as this user may, and what is missing is said.
fn allow_open_files(limits: &Limits) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Both doors may be full.
    let wanted = 2 * limits.connections as u64 + OTHER_FILES;
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let possible = limit.maximum.map_or(wanted, |most| most.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum: limit.maximum });
    if raised.is_err() || possible < wanted {
        tracing::warn!(
            wanted,
            possible,
            "fewer open files are allowed than the connections in the settings need: raise LimitNOFILE= of the unit"
        );
    }
}

/// The address a process of this duty listens at; nothing for one that has another.
async fn bind(settings: &Settings, duty: Duty, address: SocketAddr) -> io::Result<Option<TcpListener>> {
    if !settings.does(duty) {
        return Ok(None);
    }
    let listener = TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("{address}: {error}; set another address in the settings file"))
    });
    listener.map(Some)
}

/// Where clients find the services: where the settings say, or here; the ports are known only now.
fn connection(
    dir: &Path,
    settings: &Settings,
    root: Digest,
    licensor: Option<&TcpListener>,
    vault: Option<&TcpListener>,
) -> io::Result<Connection> {
    let name = &settings.names[0];
    let address = |said: &Option<String>, listener: Option<&TcpListener>| match (said, listener) {
        (Some(said), _) => Ok::<_, io::Error>(said.clone()),
        (None, Some(listener)) => Ok(format!("https://{name}:{}", listener.local_addr()?.port())),
        (None, None) => Ok(String::new()),
    };
    let connection = Connection {
        licensor: address(&settings.licensor_at, licensor)?,
        vault: address(&settings.vault_at, vault)?,
        authority: std::path::absolute(keyring::folder(dir).join(tls::AUTHORITY))?,
        root: root.to_string(),
        metrics: None,
    };
    Ok(connection)
}

/// The keys of a process of these settings.
pub fn keyring(dir: &Path, settings: &Settings, now: Timestamp) -> Result<Keyring, KeyringError> {
    let folder = keyring::folder(dir);
    Keyring::open(&folder, holds(settings), &settings.key_encryption_keys, now, &mut Random)
}

/// Whose keys a process of these settings holds.
fn holds(settings: &Settings) -> Holds {
    match (settings.does(Duty::Licensor), settings.does(Duty::Vault) || settings.does(Duty::Worker)) {
        (true, true) => Holds::Everything,
        (true, false) => Holds::Licensor,
        (false, _) => Holds::Vault,
    }
}

fn licensor_config(
    settings: &Settings,
    keys: &LicensorKeys,
    trust: &TrustFiles,
    store: Arc<dyn Store>,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Result<layerlock_licensor::Config, EmbeddedError> {
    Ok(layerlock_licensor::Config {
        issuer: keyring::copy_of(&keys.issuer),
        checkpoint: NoteSigner::from_seed(&settings.ledger, &keys.checkpoint.to_seed()),
        roots: trust.roots.clone(),
        service_certificates: trust.certificates.clone(),
        operator_key: keys.operator.hash(),
        store,
        clock: layerlock_licensor::Clock::of(clock),
        randomness: layerlock_licensor::Randomness::system(),
        lifetimes: Lifetimes::default(),
    })
}

fn vault_config(
    settings: &Settings,
    keys: VaultKeys,
    anchors: &Anchors,
    (store, files): (Arc<dyn Store>, Files),
    link: GrpcLicensor,
    worker: WorkerCommand,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Result<layerlock_vault::Config, EmbeddedError> {
    let limits = layerlock_vault::Limits {
        upload_bytes: settings.upload_bytes,
        threads: settings.slicing_threads,
        concurrent_jobs: if settings.does(Duty::Worker) { settings.slicing_jobs.max(1) } else { 0 },
        ..layerlock_vault::Limits::default()
    };
    Ok(layerlock_vault::Config {
        certificate: keyring::certificates(anchors, Role::Vault).swap_remove(0),
        root: anchors.root().endorsed().endorsement().clone(),
        licensor_certificates: keyring::certificates(anchors, Role::Licensor),
        delivery: keys.delivery,
        keks: keys.keks,
        licensor: Arc::new(link),
        store,
        files,
        worker,
        engines: EnginePrograms::found_in(&std::env::var_os("PATH").unwrap_or_default()),
        clock: layerlock_vault::Clock::new(clock),
        randomness: layerlock_vault::Randomness::system(),
        limits,
    })
}

/// Where the vault keeps what is too large for records.
async fn sealed_files(dir: &Path, settings: &Settings) -> Result<Files, EmbeddedError> {
    Ok(match &settings.files {
        FilesAt::Directory => Files::Directory(dir.join("vault-files")),
        FilesAt::S3(s3) => Files::Objects(Objects::s3(s3, &Credentials::OfTheMachine).await?),
    })
}

/// Opens the vault's records, for who works on them while no vault here serves.
pub async fn vault_records(dir: &Path, settings: &Settings) -> Result<Arc<dyn Store>, EmbeddedError> {
    records(dir, settings, VAULT.name).await
}

/// Opens one service's records, and says what recovery did: as a warning if it mended anything.
async fn records(dir: &Path, settings: &Settings, name: &str) -> Result<Arc<dyn Store>, EmbeddedError> {
    if let RecordsAt::Postgres(address) = &settings.records {
        let store = match settings.is_shared() {
            true => PostgresStore::open(address, name).await?,
            false => PostgresStore::open_alone(address, name).await?,
        };
        tracing::info!(service = name, "records open in the database");
        return Ok(Arc::new(store));
    }
    let (store, recovery) = JournalStore::open(&dir.join(name), Options::default())?;
    if recovery.is_uneventful() {
        tracing::info!(service = name, %recovery, "records open");
    } else {
        tracing::warn!(service = name, %recovery, "records open after a repair");
    }
    Ok(Arc::new(store))
}
