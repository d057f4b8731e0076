//! Every commit of a sale broken three ways: not stored, stored but not answered, lost to another writer.
//!
//! The caller repeats each call with its request id until it is answered, as real callers do; what comes out must
//! be what comes out without faults, and in between nothing may be counted twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use layerlock_proto::refusal::Reason;
use layerlock_store::{
    Claim, Commit, CommitError, Fault, JournalStore, Key, Listener, Listing, MemoryStore, Options, Page,
    Prefix, Record, Revision, Standing, Store, StoreError,
};
use layerlock_terms::receipt::{Counts, JobEvent, Outcome};
use tonic::Status;

use crate::support::*;

/// Counts the commits that reach a store.
struct Counting {
    inner: MemoryStore,
    commits: AtomicUsize,
}

#[tonic::async_trait]
impl Store for Counting {
    async fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner.load(key).await
    }

    async fn commit(&self, commit: Commit) -> Result<Revision, CommitError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.inner.commit(commit).await
    }

    async fn list(&self, prefix: &Prefix, page: Page) -> Result<Listing, StoreError> {
        self.inner.list(prefix, page).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Store>>, StoreError> {
        self.inner.snapshot().await
    }

    fn listen(&self) -> Listener {
        self.inner.listen()
    }

    async fn claim(&self, prefix: &Prefix, lease: Duration) -> Result<Option<Claim>, StoreError> {
        self.inner.claim(prefix, lease).await
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Standing, StoreError> {
        self.inner.renew(claim, lease).await
    }

    async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        self.inner.release(claim).await
    }
}

/// Repeats a call that failed without a verdict; a refusal is a verdict.
macro_rules! insist {
    ($call:expr) => {{
        let mut tries = 0;
        loop {
            match $call.await {
                Ok(answer) => break answer,
                Err(status) => assert!(no_verdict(&status) && tries < 4, "{status:?}"),
            }
            tries += 1;
        }
    }};
}

fn no_verdict(status: &Status) -> bool {
    matches!(reason(status), Reason::Stopped | Reason::Busy)
}

/// Sells three copies and ends three holds three ways; audits and balances after every step.
async fn sell_and_print(world: &World) -> Counts {
    let ids: Vec<String> = (0..9).map(|_| world.request_id()).collect();
    let made = insist!(world.create_seller(&ids[0]));
    let seller = Seller { id: made.seller.parse().unwrap(), api_key: made.api_key, key: key("Ann") };
    let pass = world.pass(seller.id, &seller.key);
    insist!(world.certify(&ids[1], &seller, &pass));
    let buyer = insist!(world.create_buyer(&ids[2], &seller));
    let manifest = world.manifest(seller.id, &terms(3), &seller.key);
    let offer = insist!(world.create_offer(&ids[3], &seller, &manifest, &terms(3))).offer;
    let license = insist!(world.issue(&ids[4], &seller, &offer, &buyer.id)).license;
    let code = insist!(world.code(&ids[5], &operator().reveal())).code;
    let (sign, open) = (key("device"), layerlock_seal::keys::OpeningKey::from_seed(&[3; 32]));
    let request = enrolment_request(&code, &sign, &open);
    let challenge = insist!(world.begin(&request));
    let answer = answer_to(&challenge, &request, &open);
    let certificate = insist!(world.complete(&request, &answer));
    let device = Device { id: device_of(&certificate), sign, open };
    let sale = Sale { seller, buyer, device, license };

    let mut holds = Vec::new();
    for id in &ids[6..9] {
        holds.push(hold_of(&insist!(world.place(id, &sale))));
        assert_eq!(world.counts(&sale).await.held as usize, holds.len());
    }
    for hold in &holds {
        insist!(world.admit(hold));
    }
    world.audit().await;
    let endings = [(Outcome::Printed, 10), (Outcome::Cancelled, 1)];
    for (hold, (outcome, layers)) in holds.iter().zip(endings) {
        let receipt = sale.device.ended(hold, outcome, extent(layers, 10));
        check_entry(&insist!(world.settle(hold.id, &receipt)));
        world.counts(&sale).await;
        world.audit().await;
    }
    check_entry(&insist!(world.withdraw(holds[2].id, &report(&holds[2], JobEvent::Withdrawn, &vault()))));
    assert_eq!(world.audit().await.size, 3, "three holds ended, three leaves");
    world.counts(&sale).await
}

fn device_of(certificate: &[u8]) -> layerlock_terms::ids::DeviceId {
    use layerlock_terms::wire::Noun;
    let statement = layerlock_seal::statement::Statement::parse(certificate).unwrap();
    layerlock_terms::trust::DeviceCertificate::parse(statement.payload()).unwrap().device
}

const EXPECTED: Counts = Counts { granted: 3, free: 2, held: 0, spent: 1 };

/// How many commits the whole road takes without faults.
async fn commits_of_the_road() -> usize {
    let store = Arc::new(Counting { inner: MemoryStore::new(), commits: AtomicUsize::new(0) });
    let world = World::on(store.clone()).await.unwrap();
    let at_opening = store.commits.swap(0, Ordering::SeqCst);
    assert_eq!(at_opening, 1, "opening an empty store begins the ledger");
    assert_eq!(sell_and_print(&world).await, EXPECTED);
    store.commits.load(Ordering::SeqCst)
}

#[tokio::test]
async fn whatever_commit_fails_and_however_nothing_is_lost_or_counted_twice() {
    let commits = commits_of_the_road().await;
    assert!(commits >= 17, "the road commits at least once a step, not {commits} times");
    for place in 0..commits {
        for fault in [Fault::FailBefore, Fault::FailAfter, Fault::Conflict] {
            let store = Arc::new(MemoryStore::new());
            let mut world = World::on(store.clone()).await.unwrap();
            (0..place).for_each(|_| store.inject(Fault::None));
            store.inject(fault);
            let counts = sell_and_print(&world).await;
            assert_eq!(counts, EXPECTED, "{fault:?} at commit {place}");
            world.reopen().await.unwrap_or_else(|error| panic!("{fault:?} at commit {place}: {error}"));
        }
    }
}

#[tokio::test]
async fn a_store_that_stops_anywhere_comes_back_with_all_that_was_acknowledged() {
    let commits = commits_of_the_road().await;
    for place in 0..commits {
        let store = Arc::new(MemoryStore::new());
        let mut world = World::on(store.clone()).await.unwrap();
        store.stop_after(place as u64);
        let sale_ended = tokio::spawn(stops_part_way(world.again()));
        assert!(sale_ended.await.is_err(), "stopping at commit {place} ends the road");
        store.restart();
        world.reopen().await.unwrap_or_else(|error| panic!("stopped at commit {place}: {error}"));
        world.audit().await;
    }
}

async fn stops_part_way(world: World) {
    sell_and_print(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_road_on_the_journal_survives_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let (store, _) = JournalStore::open(folder.path(), Options::default()).unwrap();
        Arc::new(store) as Arc<dyn Store>
    };
    let world = World::on(open()).await.unwrap();
    assert_eq!(sell_and_print(&world).await, EXPECTED);
    let head = world.audit().await;
    drop(world);
    let again = World::on(open()).await.unwrap();
    assert_eq!(again.audit().await, head);
}
