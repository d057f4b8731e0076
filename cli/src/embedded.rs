//! The embedded house: licensor and vault in one process, on records and files in one folder.
//!
//! The two services meet over their own TLS door even here: the vault reaches the licensor the way it would on
//! another machine, so growing past one machine changes addresses, not code.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use layerlock_licensor::{Licensor, Lifetimes};
use layerlock_seal::note::NoteSigner;
use layerlock_store::{JournalStore, Options, PostgresError, PostgresStore, Store};
use layerlock_terms::digest::Digest;
use layerlock_terms::trust::Role;
use layerlock_terms::units::Timestamp;
use layerlock_vault::Vault;
use layerlock_vault::licensor_link::GrpcLicensor;
use layerlock_vault::worker::WorkerCommand;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tonic::service::Routes;

use crate::connect::{ConnectError, Connection};
use crate::door::{self, Limits};
use crate::files;
use crate::keyring::{self, Keyring, KeyringError};
use crate::parties::home::CONNECT;
use crate::random::Random;
use crate::settings::{RecordsAt, Settings};
use crate::sight::Health;
use crate::tls::{self, TlsError};

const SWEEP: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_secs(2);

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
    /// What opens the operator's calls.
    pub operator: layerlock_seal::token::ApiKey,
    /// In the order in which they close.
    doors: [Doorway; 2],
    sweeper: JoinHandle<()>,
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
        let keys = Keyring::open(&keyring::folder(&dir), clock(), &mut Random)?;
        let root = keys.root_digest();
        let acceptor = tls::acceptor(&keyring::folder(&dir), &settings.names)?;
        let (licensor_door, vault_door) = (bind(settings.licensor).await?, bind(settings.vault).await?);
        let connection =
            Connection { metrics, ..connection(&dir, &settings, root, &licensor_door, &vault_door)? };

        let clock = move || clock();
        let store = records(&dir, &settings, LICENSOR.name).await?;
        let config = licensor_config(&settings, &keys, store.clone(), clock.clone())?;
        let licensor = Licensor::open(config).await?;
        let licensor_door =
            Doorway::open(&LICENSOR, licensor_door, acceptor.clone(), licensor.routes(), store).await;
        let sweeper = tokio::spawn(async move { licensor.run(SWEEP).await });

        let link = GrpcLicensor::new(connection.lazy(&connection.licensor)?);
        let operator =
            layerlock_seal::token::ApiKey::parse(&keys.operator.reveal()).expect("a key reads back");
        let store = records(&dir, &settings, VAULT.name).await?;
        let config = vault_config(&dir, &settings, keys, store.clone(), link, worker, clock)?;
        let vault = Vault::open(config).await?;
        let vault_door = Doorway::open(&VAULT, vault_door, acceptor, vault.routes(), store).await;
        vault_door.health.say_caged(vault.confinement().lacking().next().is_none()).await;
        // Last, so that a start that is refused leaves the clients of whoever runs here alone.
        connection.write(&dir.join(CONNECT))?;
        Ok(Self { connection, root, operator, doors: [vault_door, licensor_door], sweeper })
    }

    /// Closes the doors, the vault's first: what it still has to settle finds the licensor there.
    pub async fn stop(self) {
        self.sweeper.abort();
        for door in self.doors {
            door.close().await;
        }
    }
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
    watching: JoinHandle<()>,
    served: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Doorway {
    async fn open(
        services: &Services,
        listener: TcpListener,
        tls: TlsAcceptor,
        routes: Routes,
        store: Arc<dyn Store>,
    ) -> Self {
        let (health, routes) = Health::on(routes, services.offered).await;
        let watching = tokio::spawn(health.clone().watch(store));
        let (stop, mut stopped) = watch::channel(false);
        let shutdown = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        let served =
            tokio::spawn(door::serve(services.name, listener, tls, routes, Limits::default(), shutdown));
        Self { stop, health, watching, served }
    }

    /// Running calls get a moment to finish, then they are cut, which every client survives.
    async fn close(mut self) {
        self.watching.abort();
        self.health.leave().await;
        self.stop.send_replace(true);
        if tokio::time::timeout(DRAIN, &mut self.served).await.is_err() {
            self.served.abort();
        }
    }
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("{address}: {error}; set another address in the settings file"))
    })
}

/// Where clients find the services; the ports are known only now.
fn connection(
    dir: &Path,
    settings: &Settings,
    root: Digest,
    licensor: &TcpListener,
    vault: &TcpListener,
) -> io::Result<Connection> {
    let name = &settings.names[0];
    let address = |listener: &TcpListener| {
        Ok::<_, io::Error>(format!("https://{name}:{}", listener.local_addr()?.port()))
    };
    let connection = Connection {
        licensor: address(licensor)?,
        vault: address(vault)?,
        authority: std::path::absolute(keyring::folder(dir).join(tls::AUTHORITY))?,
        root: root.to_string(),
        metrics: None,
    };
    Ok(connection)
}

fn licensor_config(
    settings: &Settings,
    keys: &Keyring,
    store: Arc<dyn Store>,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Result<layerlock_licensor::Config, EmbeddedError> {
    Ok(layerlock_licensor::Config {
        issuer: keyring::copy_of(&keys.licensor),
        checkpoint: NoteSigner::from_seed(&settings.ledger, &keys.checkpoint.to_seed()),
        roots: keys.trust.roots.clone(),
        service_certificates: keys.trust.certificates.clone(),
        operator_key: keys.operator.hash(),
        store,
        clock: layerlock_licensor::Clock::of(clock),
        randomness: layerlock_licensor::Randomness::system(),
        lifetimes: Lifetimes::default(),
    })
}

fn vault_config(
    dir: &Path,
    settings: &Settings,
    keys: Keyring,
    store: Arc<dyn Store>,
    link: GrpcLicensor,
    worker: WorkerCommand,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Result<layerlock_vault::Config, EmbeddedError> {
    let limits = layerlock_vault::Limits {
        upload_bytes: settings.upload_bytes,
        threads: settings.slicing_threads,
        concurrent_jobs: settings.slicing_jobs,
        ..layerlock_vault::Limits::default()
    };
    Ok(layerlock_vault::Config {
        certificate: keys.vault_certificate(),
        root: keys.anchors.root().endorsed().endorsement().clone(),
        licensor_certificates: keys.certificates(Role::Licensor),
        delivery: keys.vault,
        kek: keys.kek,
        licensor: Arc::new(link),
        store,
        directory: dir.join("vault-files"),
        worker,
        clock: layerlock_vault::Clock::new(clock),
        randomness: layerlock_vault::Randomness::system(),
        limits,
    })
}

/// Opens one service's records, and says what recovery did: as a warning if it mended anything.
async fn records(dir: &Path, settings: &Settings, name: &str) -> Result<Arc<dyn Store>, EmbeddedError> {
    if let RecordsAt::Postgres(address) = &settings.records {
        let store = PostgresStore::open_alone(address, name).await?;
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
