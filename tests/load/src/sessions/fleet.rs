//! The run: a house, its devices, their sessions, the jobs, and the end.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layerlock_cli::commands::seller::widest;
use layerlock_cli::connect::Connection;
use layerlock_cli::keyring::{self, Holds, Keyring, LicensorKeys};
use layerlock_cli::now;
use layerlock_cli::parties::buyer::{Buyer, Order};
use layerlock_cli::parties::home::Home;
use layerlock_cli::parties::operator::Operator;
use layerlock_cli::parties::seller::{Seller, Upload};
use layerlock_cli::random::{Random, id_bytes};
use layerlock_proto::licensor::v1::devices_client::DevicesClient;
use layerlock_proto::licensor::v1::{BeginEnrolmentRequest, CompleteEnrolmentRequest};
use layerlock_seal::enrolment::{EnrolmentCode, WrappedAnswer};
use layerlock_seal::keys::{OpeningKey, SigningKey};
use layerlock_seal::statement::Statement;
use layerlock_seal::token::ApiKey;
use layerlock_slicer::mesh::{Mesh, to_binary_stl};
use layerlock_terms::ids::{DeviceId, RequestId};
use layerlock_terms::trust::{DeviceCertificate, EnrolmentRequest};
use layerlock_terms::units::Millis;
use layerlock_terms::wire::Noun as _;
use rand_core::Rng as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::device::{Papers, Session, Way, Word};
use crate::house::{self, House};
use crate::result::{Drained, Result as Table};
use crate::{Failed, Options};

const MACHINE: &str = "prusa-mk3s";
/// Handshakes under way at the same time.
const AT_ONCE: usize = 64;
/// Sessions from one address: under the server's cap for one.
const PER_ADDRESS: usize = 900;
/// Sessions are left alone for this long before they are weighed, and their idleness is timed over it.
const REST: Duration = Duration::from_secs(30);
/// The longest a job may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// Runs it and prints the table.
pub(crate) async fn run(options: &Options) -> Result<(), Failed> {
    let dir = tempfile::tempdir().map_err(|error| Failed::at("a temporary folder", error))?;
    let house = House::start(&options.server, dir.path(), options.sessions).await?;
    let connection = house.connection()?;
    let shop = Shop::open(&connection, dir.path(), options.jobs).await?;
    let (papers, chosen) = papers(&shop, options).await?;
    let way = way(&connection)?;

    let (tell, mut words) = mpsc::unbounded_channel();
    let before = house.used()?;
    let begun = Instant::now();
    open_all(&way, papers, &tell).await?;
    let opening = begun.elapsed();
    let opened = house.used()?;
    sleep(REST).await;
    let rested = house.used()?;
    let arrivals = offer_all(&shop, &chosen, &mut words).await?;
    let drained = drain(house, &mut words, options.sessions).await?;

    let sessions = u32::try_from(options.sessions).unwrap_or(u32::MAX);
    Table {
        sessions: options.sessions,
        resident: rested.resident.saturating_sub(before.resident) / u64::from(sessions),
        whole: rested.resident,
        handshake_cpu: (opened.cpu - before.cpu) / sessions,
        per_second: f64::from(sessions) / opening.as_secs_f64(),
        idle_cores: (rested.cpu - opened.cpu).as_secs_f64() / REST.as_secs_f64(),
        arrivals,
        drained,
    }
    .print();
    Ok(())
}

/// Those who make jobs.
struct Shop {
    keys: LicensorKeys,
    connection: Connection,
    operator: Operator,
    buyer: Buyer,
    license: String,
}

impl Shop {
    async fn open(connection: &Connection, dir: &Path, jobs: usize) -> Result<Self, Failed> {
        let party = |error| Failed::at("the house", error);
        let connect = |error| Failed::at("the house", error);
        let folder = keyring::folder(&house::server_dir(dir));
        let keys = Keyring::open(&folder, Holds::Everything, now(), &mut Random);
        let keys = keys.map_err(|error| Failed::at("keys", error))?.licensor.expect("it holds everything");
        let licensor = connection.licensor().await.map_err(connect)?;
        let vault = connection.vault().await.map_err(connect)?;
        let operator = Operator::new(licensor.clone(), operator_key(&keys)?);
        let home = Home::at(&dir.join("seller")).map_err(party)?;
        let joined = operator.create_seller("bench").await.map_err(party)?;
        Seller::join(licensor.clone(), &home, &joined.api_key, now()).await.map_err(party)?;
        let seller = Seller::open(licensor.clone(), vault.clone(), &home).await.map_err(party)?;
        let copies = u32::try_from(jobs).unwrap_or(u32::MAX);
        let model = to_binary_stl(&block());
        let upload = Upload { model: &model, name: "block", design: None, terms: widest(copies) };
        let uploaded = seller.upload(upload, now(), |_| {}).await.map_err(party)?;
        let offer = seller.offer(&uploaded.manifest.emit(), &widest(copies)).await.map_err(party)?;
        let buyer = seller.create_buyer().await.map_err(party)?;
        let license = seller.license(&offer.offer, &buyer.buyer).await.map_err(party)?.license;
        let buyer = Buyer::new(licensor, vault, Zeroizing::new(buyer.api_key));
        Ok(Self { keys, connection: connection.clone(), operator, buyer, license })
    }

    /// A device the licensor knows.
    async fn enrol(&self) -> Result<Papers, Failed> {
        let failed = |error: &dyn std::fmt::Display| Failed::at("enrolment", error);
        let licensor = self.connection.licensor().await.map_err(|error| failed(&error))?;
        let code = self.operator.enrolment_code().await.map_err(|error| failed(&error))?.code;
        let code = EnrolmentCode::parse(&code).map_err(|error| failed(&error))?;
        let (key, open) = (SigningKey::generate(&mut Random), OpeningKey::generate(&mut Random));
        let request = EnrolmentRequest {
            code: code.digest(),
            sign: key.verifying_key().into(),
            open: open.wrapping_key().into(),
            machine: MACHINE.to_owned(),
        };
        let request = Statement::sign(&request, &key);
        let mut devices = DevicesClient::new(licensor);
        let begun = devices.begin_enrolment(BeginEnrolmentRequest { request: request.emit() }).await;
        let begun = begun.map_err(|error| failed(&error))?.into_inner();
        let wrapped =
            WrappedAnswer::parse(&begun.encapsulated, &begun.ciphertext).map_err(|error| failed(&error))?;
        let answer = open
            .open_enrolment(&wrapped, &request.digest())
            .map_err(|_| Failed("enrolment: the challenge is for another key".into()))?;
        let complete = CompleteEnrolmentRequest {
            request: request.emit(),
            answer: answer.to_bytes().to_vec(),
            attestation: Vec::new(),
        };
        let certified = devices.complete_enrolment(complete).await.map_err(|error| failed(&error))?;
        let certificate = certified.into_inner().certificate;
        let statement = Statement::parse(&certificate).map_err(|error| failed(&error))?;
        let device = DeviceCertificate::parse(statement.payload()).map_err(|error| failed(&error))?.device;
        Ok(Papers { device, certificate: certificate.into(), key })
    }
}

/// A box of 12 × 9 × 4 mm.
fn block() -> Mesh {
    let (min, max) = ([0.0; 3], [12.0, 9.0, 4.0]);
    let corner = |n: usize| [0, 1, 2].map(|axis| if n >> axis & 1 == 0 { min[axis] } else { max[axis] });
    let quads = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [1, 3, 7, 5], [3, 2, 6, 7], [2, 0, 4, 6]];
    Mesh {
        vertices: (0..8).map(corner).collect(),
        triangles: quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect(),
    }
}

fn operator_key(keys: &LicensorKeys) -> Result<ApiKey, Failed> {
    ApiKey::parse(&keys.operator.reveal()).map_err(|error| Failed::at("the operator's key", error))
}

/// Papers for every session, and which devices will be offered a job: they lie among the others at random.
async fn papers(shop: &Shop, options: &Options) -> Result<(Vec<Papers>, Vec<DeviceId>), Failed> {
    let mut places = HashSet::new();
    while places.len() < options.jobs {
        places.insert(usize::try_from(Random.next_u64() % options.sessions as u64).unwrap_or_default());
    }
    let open = OpeningKey::generate(&mut Random).wrapping_key().into();
    let (mut all, mut chosen) = (Vec::with_capacity(options.sessions), Vec::new());
    for index in 0..options.sessions {
        if places.contains(&index) {
            let papers = shop.enrol().await?;
            chosen.push(papers.device);
            all.push(papers);
            continue;
        }
        let key = SigningKey::generate(&mut Random);
        let device = DeviceId::from_bytes(id_bytes());
        let certificate = DeviceCertificate {
            device,
            sign: key.verifying_key().into(),
            open,
            machine: MACHINE.to_owned(),
            expires: now().plus(Millis(24 * 3600 * 1000)),
        };
        let certificate = Statement::sign(&certificate, &shop.keys.issuer).emit().into();
        all.push(Papers { device, certificate, key });
    }
    Ok((all, chosen))
}

/// Opens a session for each, [`AT_ONCE`] at a time, and has each listened to.
async fn open_all(way: &Way, papers: Vec<Papers>, tell: &mpsc::UnboundedSender<Word>) -> Result<(), Failed> {
    let mut opening = JoinSet::new();
    for (index, papers) in papers.into_iter().enumerate() {
        if opening.len() >= AT_ONCE {
            one(opening.join_next().await)?;
        }
        let (way, tell) = (way.clone(), tell.clone());
        opening.spawn(async move {
            let session = Session::open(&way, address(index), &papers).await?;
            tokio::spawn(session.listen(tell));
            Ok(())
        });
    }
    while let Some(opened) = opening.join_next().await {
        one(Some(opened))?;
    }
    Ok(())
}

fn one(opened: Option<Result<Result<(), Failed>, tokio::task::JoinError>>) -> Result<(), Failed> {
    opened.map_or(Ok(()), |opened| opened.unwrap_or_else(|error| Err(Failed::at("a session", error))))
}

/// The loopback address a device connects from: so many share each of 127.1.0.0/16.
fn address(index: usize) -> Ipv4Addr {
    let [high, low] = u16::try_from(index / PER_ADDRESS + 1).unwrap_or(u16::MAX).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// One job after the other: from the call that makes it to its arrival at the device.
async fn offer_all(
    shop: &Shop,
    chosen: &[DeviceId],
    words: &mut mpsc::UnboundedReceiver<Word>,
) -> Result<Vec<Duration>, Failed> {
    let failed = |error| Failed::at("a job", error);
    let mut arrivals = Vec::new();
    for device in chosen {
        let device = device.to_string();
        let request = RequestId::from_bytes(id_bytes());
        let held = shop.buyer.place_hold(&shop.license, &device, request).await.map_err(failed)?;
        let order = Order {
            license: &shop.license,
            device: &device,
            preset: "draft",
            material: "pla",
            settings: &[],
        };
        let begun = Instant::now();
        let job = shop.buyer.create_job(&held, &order).await.map_err(failed)?.job;
        let arrived = timeout(ARRIVAL, async {
            loop {
                match words.recv().await {
                    Some(Word::Offered(offered, at)) if offered == job => return Ok(at),
                    Some(Word::Offered(..)) => {}
                    Some(Word::Over(_)) | None => return Err(Failed("a session ended by itself".into())),
                }
            }
        });
        let at = arrived.await.map_err(|_| Failed(format!("{job} did not arrive within {ARRIVAL:?}")))??;
        arrivals.push(at.duration_since(begun));
    }
    arrivals.sort_unstable();
    Ok(arrivals)
}

/// Stops the server and hears when each session ends.
async fn drain(
    house: House,
    words: &mut mpsc::UnboundedReceiver<Word>,
    sessions: usize,
) -> Result<Drained, Failed> {
    let begun = Instant::now();
    let stopped = tokio::spawn(house.stop());
    let mut busiest: HashMap<u64, usize> = HashMap::new();
    let (mut ended, mut last) = (0, begun);
    while ended < sessions {
        match timeout(ARRIVAL * 4, words.recv()).await {
            Ok(Some(Word::Over(at))) => {
                ended += 1;
                last = last.max(at);
                *busiest.entry(at.duration_since(begun).as_secs()).or_default() += 1;
            }
            Ok(Some(Word::Offered(..))) => {}
            Ok(None) | Err(_) => return Err(Failed(format!("only {ended} sessions ended at the stop"))),
        }
    }
    let whole = stopped.await.map_err(|error| Failed::at("the stop", error))??;
    let busiest = busiest.into_values().max().unwrap_or_default();
    Ok(Drained { whole, last: last.duration_since(begun), busiest })
}

fn way(connection: &Connection) -> Result<Way, Failed> {
    let failed = |error: &dyn std::fmt::Display| Failed::at("TLS", error);
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(&connection.authority).map_err(|error| failed(&error))?;
    roots.add(authority).map_err(|error| failed(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Each device is a machine of its own: none resumes what another began.
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let port = connection.vault.rsplit(':').next().and_then(|port| port.parse().ok());
    let port: u16 = port.ok_or_else(|| Failed(format!("`{}` names no port", connection.vault)))?;
    Ok(Way { tls: TlsConnector::from(Arc::new(config)), address: SocketAddr::from(([127, 0, 0, 1], port)) })
}
