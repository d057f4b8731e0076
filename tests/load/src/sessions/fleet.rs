//! The run: a house, its devices, their sessions, the jobs, and the end.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use layerlock_cli::now;
use layerlock_cli::parties::buyer::Order;
use layerlock_cli::random::{Random, id_bytes};
use layerlock_load::Failed;
use layerlock_load::device::{Papers, Session, Way, Word};
use layerlock_load::house::House;
use layerlock_load::shop::Shop;
use layerlock_seal::keys::{OpeningKey, SigningKey};
use layerlock_seal::statement::Statement;
use layerlock_slicer::mesh::{Mesh, to_binary_stl};
use layerlock_terms::ids::{DeviceId, RequestId};
use layerlock_terms::trust::DeviceCertificate;
use layerlock_terms::units::Millis;
use rand_core::Rng as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Options;
use crate::result::{Drained, Result as Table};

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
    let shop = Shop::open(&connection, dir.path()).await?;
    let uploaded = shop.upload("block", &to_binary_stl(&block())).await?;
    let license = shop.license(&uploaded, options.jobs).await?;
    let (papers, chosen) = papers(&shop, options).await?;
    let way = Way::of(&connection)?;

    let (tell, mut words) = mpsc::unbounded_channel();
    let before = house.used()?;
    let begun = Instant::now();
    open_all(&way, papers, &tell).await?;
    let opening = begun.elapsed();
    let opened = house.used()?;
    sleep(REST).await;
    let rested = house.used()?;
    let arrivals = offer_all(&shop, &license, &chosen, &mut words).await?;
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
            let papers = shop.enrol(MACHINE).await?;
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
    license: &str,
    chosen: &[DeviceId],
    words: &mut mpsc::UnboundedReceiver<Word>,
) -> Result<Vec<Duration>, Failed> {
    let failed = |error| Failed::at("a job", error);
    let mut arrivals = Vec::new();
    for device in chosen {
        let device = device.to_string();
        let request = RequestId::from_bytes(id_bytes());
        let held = shop.buyer.place_hold(license, &device, request).await.map_err(failed)?;
        let order = Order { license, device: &device, preset: "draft", material: "pla", settings: &[] };
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
