//! Several vaults on the same records and objects: what one began another goes on with, and none undoes what another did.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use house::device::Session;
use house::{House, Order, Printer, SELLER, as_seller, block, designs, mesh, reason, upload, upload_as};
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::vault_message::Message as Answer;
use layerlock_seal::statement::Statement;
use layerlock_store::blobs::Objects;
use layerlock_store::{
    Claim, Commit, CommitError, Key, Listener, Listing, MemoryStore, Page, Prefix, Record, Revision,
    Standing, Store, StoreError,
};
use layerlock_terms::ids::{DesignId, JobId};
use layerlock_terms::trust::DesignManifest;
use layerlock_terms::units::Millis;
use layerlock_vault::{Files, Limits, Vault};

const HOUR: u64 = 60 * 60 * 1000;

/// A vault's way to the records, which can be cut as soon as the first segments of an envelope have passed, and can be
/// without news.
struct Way {
    store: Arc<MemoryStore>,
    cuts: bool,
    cut: AtomicBool,
    tells: bool,
    /// Nothing is ever committed here.
    silence: MemoryStore,
}

impl Way {
    fn cut_while_pressing(store: &Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self {
            store: store.clone(),
            cuts: true,
            cut: AtomicBool::new(false),
            tells: true,
            silence: MemoryStore::new(),
        })
    }

    fn without_news(store: &Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self {
            store: store.clone(),
            cuts: false,
            cut: AtomicBool::new(false),
            tells: false,
            silence: MemoryStore::new(),
        })
    }

    fn open(&self) -> Result<(), StoreError> {
        match self.cut.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable { detail: "cut by the test".to_owned() }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Store for Way {
    async fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.open()?;
        self.store.load(key).await
    }

    async fn commit(&self, commit: Commit) -> Result<Revision, CommitError> {
        self.open()?;
        let shows_segments = commit.writes().iter().any(|write| write.key.is_of("envelope"));
        let answer = self.store.commit(commit).await;
        self.cut.fetch_or(self.cuts && shows_segments, Ordering::SeqCst);
        answer
    }

    async fn list(&self, prefix: &Prefix, page: Page) -> Result<Listing, StoreError> {
        self.open()?;
        self.store.list(prefix, page).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Store>>, StoreError> {
        self.store.snapshot().await
    }

    fn listen(&self) -> Listener {
        match self.tells {
            true => self.store.listen(),
            false => self.silence.listen(),
        }
    }

    async fn claim(&self, prefix: &Prefix, lease: Duration) -> Result<Option<Claim>, StoreError> {
        self.open()?;
        self.store.claim(prefix, lease).await
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Standing, StoreError> {
        self.open()?;
        self.store.renew(claim, lease).await
    }

    async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        self.open()?;
        self.store.release(claim).await
    }
}

/// A house whose vaults share everything; must be made inside a runtime.
fn shared() -> House {
    let mut house = House::new();
    house.files = Some(Files::Objects(Objects::memory()));
    house.limits.lease = Millis(600);
    house
}

/// A vault that keeps sessions and requests, and presses nothing.
async fn door(house: &House) -> Arc<Vault> {
    let limits = Limits { concurrent_jobs: 0, ..house.limits };
    house.open_on(house.store.clone(), limits).await.unwrap()
}

async fn presser(house: &House) -> Arc<Vault> {
    house.open_on(house.store.clone(), house.limits).await.unwrap()
}

#[tokio::test]
async fn a_device_at_one_vault_prints_what_another_admitted_and_a_third_pressed() {
    let (house, printer) = (shared(), Printer::new(40));
    let (devices, buyers, _worker) = (door(&house).await, door(&house).await, presser(&house).await);
    upload(&buyers, &mesh()).await.unwrap();
    let mut session = Session::open(&devices, &printer, 1).await.unwrap();
    let order = Order::new(21, &mesh(), &printer);
    order.create(&buyers).await.unwrap();
    let delivered = session.receive(&order).await;
    session.print(&order, &delivered).await;
    assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
    let job = order.settled(&buyers).await;
    assert_eq!((job.outcome.as_str(), job.segments_sealed), ("printed", delivered.segments.len() as u32));
}

#[tokio::test]
async fn what_was_uploaded_at_one_vault_is_compared_at_another() {
    let house = shared();
    let (here, there) = (door(&house).await, door(&house).await);
    let of = |id: u8, bytes: Vec<u8>| {
        let design = DesignId::from_bytes([id; 16]);
        (DesignManifest { design, ..house::manifest(SELLER, &bytes) }, bytes)
    };
    let first = of(1, block(20.0, 30.0, 40.0));
    upload_as(&here, SELLER, &first.0, &first.1).await.unwrap();
    for (id, size) in [(2, 2.0), (3, 3.0)] {
        let (manifest, bytes) = of(id, block(20.0 * size, 30.0 * size, 40.0 * size));
        let at = if id == 2 { &there } else { &here };
        upload_as(at, SELLER, &manifest, &bytes).await.unwrap();
    }
    // News of what was kept elsewhere comes a moment later.
    let alike = || async {
        let design = first.0.design.to_string();
        let request = wire::GetDesignRequest { design, version: Vec::new(), number: 0 };
        designs(&there).get_design(as_seller(SELLER, request)).await.unwrap().into_inner().alike.len()
    };
    for _ in 0..100 {
        if alike().await == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} of 2 designs are found alike", alike().await);
}

#[tokio::test]
async fn whoever_watches_at_one_vault_sees_the_progress_of_another() {
    let (house, printer) = (shared(), Printer::new(40));
    let (buyers, _worker) = (door(&house).await, presser(&house).await);
    upload(&buyers, &mesh()).await.unwrap();
    let order = Order::new(21, &mesh(), &printer);
    order.create(&buyers).await.unwrap();
    let sealed = order.sealed(&buyers).await;
    let (layers, first) = (sealed.layers_sealed, sealed.first_segment_ms);
    assert!(layers > 10 && first.is_some(), "{sealed:?}");
}

#[tokio::test]
async fn a_device_that_comes_late_is_offered_what_was_made_meanwhile() {
    let (house, printer) = (shared(), Printer::new(40));
    let (devices, worker) = (door(&house).await, presser(&house).await);
    upload(&worker, &mesh()).await.unwrap();
    let order = Order::new(21, &mesh(), &printer);
    order.create(&worker).await.unwrap();
    order.sealed(&worker).await;
    let mut session = Session::open(&devices, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    session.print(&order, &delivered).await;
    assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
}

#[tokio::test]
async fn a_vault_that_is_cut_off_while_it_presses_is_succeeded_and_does_no_harm_when_it_is_back() {
    let (house, printer) = (shared(), Printer::new(40));
    let large = block(60.0, 60.0, 60.0);
    let way = Way::cut_while_pressing(&house.store);
    let first = house.open_on(way.clone(), house.limits).await.unwrap();
    let devices = door(&house).await;
    upload(&first, &large).await.unwrap();
    let mut session = Session::open(&devices, &printer, 1).await.unwrap();
    let order = Order::new(21, &large, &printer);
    order.create(&first).await.unwrap();
    let before = session.offer().await;
    let _second = presser(&house).await;
    let after = session.offer().await;
    assert_ne!(after.header, before.header, "nothing is sealed twice under one secret");
    way.cut.store(false, Ordering::SeqCst);
    // The answer to the first offer comes when there is another already: it is not taken for one to that.
    order.sealed(&devices).await;
    let stale = Statement::parse(&before.header).unwrap().digest();
    session.fetch_of(&order, stale.as_bytes().to_vec(), 3).await;
    let answered = tokio::time::timeout(Duration::from_millis(500), session.next()).await;
    assert!(answered.is_err(), "a fetch of the first envelope is answered: {answered:?}");
    let delivered = session.receive_offered(&order, &after).await;
    session.print(&order, &delivered).await;
    assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
    assert_eq!(order.settled(&first).await.outcome, "printed", "the one cut off sees it too");
    assert_eq!(house.licensor.settled.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_newer_session_at_another_vault_fences_the_older() {
    let (house, printer) = (shared(), Printer::new(40));
    let (one, other) = (door(&house).await, door(&house).await);
    let mut older = Session::open(&one, &printer, 1).await.unwrap();
    let _newer = Session::open(&other, &printer, 2).await.unwrap();
    assert_eq!(reason(&older.next().await.unwrap_err()), Reason::SessionFenced);
}

#[tokio::test]
async fn many_jobs_at_several_pressers_are_each_pressed_and_settled_once() {
    let house = shared();
    let vaults = [presser(&house).await, presser(&house).await, presser(&house).await];
    upload(&vaults[0], &mesh()).await.unwrap();
    let printers: Vec<_> = (0..12).map(|number| Printer::new(40 + number)).collect();
    let mut printed = Vec::new();
    for (at, printer) in printers.iter().enumerate() {
        let (buyers, devices) = (vaults[at % 3].clone(), vaults[(at + 1) % 3].clone());
        let (order, printer) = (Order::new(100 + at as u8, &mesh(), printer), printer.clone());
        printed.push(tokio::spawn(async move {
            let mut session = Session::open(&devices, &printer, 1).await.unwrap();
            order.create(&buyers).await.unwrap();
            let delivered = session.receive(&order).await;
            session.print(&order, &delivered).await;
            assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
        }));
    }
    for print in printed {
        print.await.unwrap();
    }
    let settled = house.licensor.settled.lock().unwrap();
    let holds: std::collections::BTreeSet<_> = settled.iter().map(|(hold, _)| *hold).collect();
    assert_eq!((settled.len(), holds.len()), (12, 12), "one settlement each");
}

#[tokio::test]
async fn what_no_news_came_of_is_found_by_looking_over_everything() {
    let (house, printer) = (shared(), Printer::new(40));
    let limits = Limits { concurrent_jobs: 0, look_over: Millis(300), ..house.limits };
    let devices = house.open_on(Way::without_news(&house.store), limits).await.unwrap();
    let worker = presser(&house).await;
    upload(&worker, &mesh()).await.unwrap();
    let mut session = Session::open(&devices, &printer, 1).await.unwrap();
    let order = Order::new(21, &mesh(), &printer);
    order.create(&worker).await.unwrap();
    let delivered = session.receive(&order).await;
    session.print(&order, &delivered).await;
    assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
}

/// Objects of no record, and one that must stay: what they are called.
async fn left_over(objects: &Objects) -> [String; 2] {
    let names =
        [format!("blobs/{}", "ab".repeat(16)), format!("envelopes/{}/0", JobId::from_bytes([77; 16]))];
    for name in &names {
        objects.put(name, "left by a process that died".into()).await.unwrap();
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_objects_of_no_record_are_swept_once_no_process_can_still_be_writing_them() {
    let objects = Objects::memory();
    let mut house = shared();
    house.files = Some(Files::Objects(objects.clone()));
    let printer = Printer::new(40);
    let vault = presser(&house).await;
    upload(&vault, &mesh()).await.unwrap();
    drop(vault);
    let names = left_over(&objects).await;
    // The objects carry the system's time.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;

    house.clock.store(now + 23 * HOUR, Ordering::SeqCst);
    let young = presser(&house).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    for name in &names {
        objects.get(name).await.unwrap();
    }
    drop(young);

    house.clock.store(now + 25 * HOUR, Ordering::SeqCst);
    let vault = presser(&house).await;
    let swept = async {
        for name in &names {
            while objects.get(name).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), swept).await.expect("what nobody names goes");
    // What a record names is as old, and is still there to print from.
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let delivered = session.receive(&order).await;
    session.print(&order, &delivered).await;
}
