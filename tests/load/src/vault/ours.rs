//! One model through a served house, timed from the outside: by the seller, the buyer and the device.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use layerlock_bench::asked;
use layerlock_cli::parties::buyer::Order;
use layerlock_cli::random::id_bytes;
use layerlock_load::device::{Session, Way};
use layerlock_load::house::House;
use layerlock_load::{Failed, shop};
use layerlock_proto::vault::v1::vault_message::Message as Heard;
use layerlock_terms::ids::RequestId;
use tokio::time::timeout;

/// Jobs made at once to see what all cores do with them.
const MANY: usize = 4;
/// The longest a job may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// A house, its people and one device whose session is open.
pub(crate) struct Shop {
    house: House,
    people: shop::Shop,
    device: String,
    session: Session,
}

/// What one run took.
pub(crate) struct Ours {
    /// From the first byte of an upload to its answer: received, sealed, analysed, drawn.
    pub(crate) ready: Duration,
    /// From the call that makes a job to its first sealed segment at the device.
    pub(crate) first: Duration,
    /// From the same call to the manifest, which follows the last segment.
    pub(crate) whole: Duration,
    /// Of [`MANY`] jobs made at once, until the last manifest, by their number.
    pub(crate) each_of_many: Duration,
}

impl Shop {
    pub(crate) async fn open(server: &Path, room: &Path) -> Result<Self, Failed> {
        let house = House::start(server, room, 100).await?;
        let connection = house.connection()?;
        let people = shop::Shop::open(&connection, room).await?;
        let papers = people.enrol(asked::MACHINE).await?;
        let session = Session::open(&Way::of(&connection)?, Ipv4Addr::LOCALHOST, &papers).await?;
        Ok(Self { house, people, device: papers.device.to_string(), session })
    }

    pub(crate) async fn run(&mut self, name: &str, model: &[u8]) -> Result<Ours, Failed> {
        let begun = Instant::now();
        let uploaded = self.people.upload(name, model).await?;
        let ready = begun.elapsed();
        let license = self.people.license(&uploaded, MANY + 1).await?;
        let (first, whole) = self.print(&license, 1).await?;
        let (_, many) = self.print(&license, MANY).await?;
        Ok(Ours { ready, first, whole, each_of_many: many / MANY as u32 })
    }

    /// Makes so many jobs at once and takes all of their envelopes: when the first segment was here, and the last manifest.
    async fn print(&mut self, license: &str, jobs: usize) -> Result<(Duration, Duration), Failed> {
        let failed = |error| Failed::at("a job", error);
        let mut holds = Vec::new();
        for _ in 0..jobs {
            let request = RequestId::from_bytes(id_bytes());
            holds.push(self.people.buyer.place_hold(license, &self.device, request).await.map_err(failed)?);
        }
        let order = Order {
            license,
            device: &self.device,
            preset: asked::PRESET,
            material: asked::MATERIAL,
            settings: asked::SETTINGS,
        };
        let begun = Instant::now();
        let buyer = &self.people.buyer;
        let made =
            futures_util::future::try_join_all(holds.iter().map(|held| buyer.create_job(held, &order)));
        let taken = take(&mut self.session, jobs);
        let both = async { tokio::try_join!(async { made.await.map_err(failed) }, taken) };
        let both = timeout(PATIENCE, both).await;
        let (_, (first, last)) = both.map_err(|_| Failed(format!("no envelope within {PATIENCE:?}")))??;
        Ok((first - begun, last - begun))
    }

    /// Stops the house.
    pub(crate) async fn close(self) -> Result<(), Failed> {
        drop(self.session);
        self.house.stop().await.map(drop)
    }
}

/// Takes so many envelopes whole.
async fn take(session: &mut Session, mut jobs: usize) -> Result<(Instant, Instant), Failed> {
    let mut first = None;
    loop {
        match session.next().await? {
            Some(Heard::Offer(offer)) => session.fetch(&offer)?,
            Some(Heard::Segment(_)) => drop(first.get_or_insert_with(Instant::now)),
            Some(Heard::Manifest(_)) => jobs -= 1,
            Some(Heard::Ended(ended)) => return Err(Failed::at(ended.job, ended.reason)),
            Some(_) => {}
            None => return Err(Failed("the vault ended the session".into())),
        }
        if let (0, Some(first)) = (jobs, first) {
            return Ok((first, Instant::now()));
        }
    }
}
