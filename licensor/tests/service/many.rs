//! Several licensors on one store, as processes beside each other: the store alone decides, nothing else is shared.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use layerlock_licensor::Swept;
use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_store::{Fault, JournalStore, MemoryStore, Options};
use layerlock_terms::receipt::{Counts, JobEvent, Outcome};

use crate::support::*;

const PROCESSES: usize = 8;

async fn beside_each_other(world: &World) -> Vec<World> {
    let mut worlds = Vec::new();
    for _ in 0..PROCESSES {
        worlds.push(world.beside().await);
    }
    worlds
}

/// Every process looks before any of them commits: the store's slowness makes all of them decide on one state.
#[tokio::test(start_paused = true)]
async fn processes_that_all_saw_the_last_copy_free_give_it_away_once() {
    let store = Arc::new(MemoryStore::new());
    let world = World::on(store.clone()).await.unwrap();
    let sale = world.sale(1).await;
    let worlds = beside_each_other(&world).await;
    (0..PROCESSES).for_each(|_| store.inject(Fault::Delay(Duration::from_millis(5))));
    let calls = worlds.iter().map(|world| async { world.place(&world.request_id(), &sale).await });
    let (held, refusals): (Vec<_>, Vec<_>) = join_all(calls).await.into_iter().partition(Result::is_ok);
    assert_eq!((held.len(), refusals.len()), (1, PROCESSES - 1));
    assert!(refusals.iter().all(|refusal| reason(refusal.as_ref().unwrap_err()) == Reason::NoCopyFree));
    assert_eq!(world.counts(&sale).await.held, 1);
}

#[tokio::test(start_paused = true)]
async fn processes_that_are_asked_the_same_request_at_once_do_it_once() {
    let store = Arc::new(MemoryStore::new());
    let world = World::on(store.clone()).await.unwrap();
    let sale = world.sale(9).await;
    let worlds = beside_each_other(&world).await;
    (0..PROCESSES).for_each(|_| store.inject(Fault::Delay(Duration::from_millis(5))));
    let request = world.request_id();
    let answers = join_all(worlds.iter().map(|world| world.place(&request, &sale))).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    assert_eq!(world.counts(&sale).await, Counts { granted: 9, free: 8, held: 1, spent: 0 });
}

/// Nothing but the request's own record stands between two processes that issue.
#[tokio::test(start_paused = true)]
async fn processes_that_are_asked_at_once_to_issue_one_license_issue_one() {
    let store = Arc::new(MemoryStore::new());
    let world = World::on(store.clone()).await.unwrap();
    let sale = world.sale(1).await;
    let offer = world.offer(&sale.seller, &terms(1)).await.unwrap().offer;
    let worlds = beside_each_other(&world).await;
    (0..PROCESSES).for_each(|_| store.inject(Fault::Delay(Duration::from_millis(5))));
    let request = world.request_id();
    let calls = worlds.iter().map(|world| world.issue(&request, &sale.seller, &offer, &sale.buyer.id));
    let answers = join_all(calls).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    let message = wire::ListLicensesRequest { page_size: 0, page_token: Vec::new() };
    let call = with_key(message, &sale.buyer.api_key);
    let listed = world.licenses().list_licenses(call).await.unwrap().into_inner().licenses;
    assert_eq!(listed.len(), 2, "the sale's own license and the one issued here");
}

/// Each hold is of a license of its own: nothing but the ledger is common to the settlements.
#[tokio::test(start_paused = true)]
async fn processes_that_settle_at_once_append_one_leaf_each_to_one_history() {
    let store = Arc::new(MemoryStore::new());
    let world = World::on(store.clone()).await.unwrap();
    let sale = world.sale(1).await;
    let offer = world.offer(&sale.seller, &terms(1)).await.unwrap().offer;
    let mut holds = Vec::new();
    for _ in 0..PROCESSES {
        let license = world.issue(&world.request_id(), &sale.seller, &offer, &sale.buyer.id).await.unwrap();
        let placed = world.place_on(&world.request_id(), &sale, &license.license).await.unwrap();
        holds.push(hold_of(&placed));
        world.admit(&holds[holds.len() - 1]).await.unwrap();
    }
    let worlds = beside_each_other(&world).await;
    (0..2 * PROCESSES).for_each(|_| store.inject(Fault::Delay(Duration::from_millis(5))));
    let calls = worlds.iter().zip(&holds).map(|(world, hold)| {
        let receipt = sale.device.ended(hold, Outcome::Printed, extent(3, 3));
        async move { world.settle(hold.id, &receipt).await }
    });
    for answer in join_all(calls).await {
        check_entry(&answer.unwrap());
    }
    assert_eq!(world.audit().await.size as usize, PROCESSES);
    world.beside().await;
}

/// The sweep looks before the admission is stored and writes after: the admission stands.
#[tokio::test(start_paused = true)]
async fn a_hold_admitted_while_the_sweep_looks_is_not_given_back() {
    let store = Arc::new(MemoryStore::new());
    let world = World::on(store.clone()).await.unwrap();
    let sale = world.sale(1).await;
    let hold = world.hold(&sale).await.unwrap();
    let sweeper = world.beside().await;
    store.inject(Fault::Delay(Duration::from_millis(5)));
    store.inject(Fault::Delay(Duration::from_millis(10)));
    let (admitted, swept) = tokio::join!(world.admit(&hold), async {
        world.wait_until(hold.admit_by);
        sweeper.licensor.sweep(hold.admit_by).await
    });
    admitted.unwrap();
    assert_eq!(swept.unwrap(), Swept { settled: 0, failed: 1 });
    assert_eq!(world.counts(&sale).await.held, 1);
    assert_eq!(world.licensor.sweep(hold.admit_by).await.unwrap(), Swept::default());
}

#[tokio::test(start_paused = true)]
async fn of_contradicting_endings_at_once_one_counts() {
    let store = Arc::new(MemoryStore::new());
    let world = World::on(store.clone()).await.unwrap();
    let sale = world.sale(1).await;
    let hold = world.hold(&sale).await.unwrap();
    world.admit(&hold).await.unwrap();
    let (left, right) = (world.beside().await, world.beside().await);
    (0..2).for_each(|_| store.inject(Fault::Delay(Duration::from_millis(5))));
    let printed = sale.device.ended(&hold, Outcome::Printed, extent(3, 3));
    let withdrawn = report(&hold, JobEvent::Withdrawn, &vault());
    let (a, b) = tokio::join!(left.settle(hold.id, &printed), right.withdraw(hold.id, &withdrawn));
    assert_eq!(settlement_of(&a.unwrap()), settlement_of(&b.unwrap()));
    assert_eq!(world.audit().await.size, 1);
    world.beside().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_the_journal_too_the_last_copy_goes_to_one_of_two_hundred() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = JournalStore::open(folder.path(), Options::default()).unwrap();
    let world = Arc::new(World::on(Arc::new(store)).await.unwrap());
    let sale = Arc::new(world.sale(1).await);
    let mut worlds = Vec::new();
    for _ in 0..4 {
        worlds.push(Arc::new(world.beside().await));
    }
    let calls = (0..200).map(|call| {
        let (world, sale) = (Arc::clone(&worlds[call % 4]), Arc::clone(&sale));
        tokio::spawn(async move { world.place(&world.request_id(), &sale).await.is_ok() })
    });
    let held = join_all(calls).await.into_iter().filter(|held| *held.as_ref().unwrap()).count();
    assert_eq!(held, 1);
    assert_eq!(world.counts(&sale).await.held, 1);
}

/// Opening audits all there is, and what it reads must be of one moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_licensor_opens_while_others_settle() {
    let world = Arc::new(World::on(Arc::new(MemoryStore::new())).await.unwrap());
    let sale = Arc::new(world.sale(200).await);
    let settling = tokio::spawn({
        let (world, sale) = (world.clone(), sale.clone());
        async move {
            for _ in 0..200 {
                let hold = world.hold(&sale).await.unwrap();
                world.admit(&hold).await.unwrap();
                let receipt = sale.device.ended(&hold, Outcome::Printed, extent(9, 9));
                world.settle(hold.id, &receipt).await.unwrap();
            }
        }
    });
    let mut opened = 0;
    while !settling.is_finished() {
        drop(world.beside().await);
        opened += 1;
    }
    settling.await.unwrap();
    assert!(opened > 10, "only {opened} were opened meanwhile");
    assert_eq!(world.beside().await.audit().await.size, 200);
}
