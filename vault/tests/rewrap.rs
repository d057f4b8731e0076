//! Rotation of the key-encryption key: nothing is lost at any moment, and a key that is told to be free is free.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod house;

use std::sync::Arc;

use house::device::Session;
use house::{House, Order, Printer, SELLER, as_seller, block, designs, kek, mesh, reason, upload};
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::vault_message::Message as Answer;
use layerlock_seal::sha256;
use layerlock_vault::{OpenError, Vault};

const OLD: u8 = 9;
const NEW: u8 = 10;

/// So many different designs.
fn meshes(count: u8) -> Vec<Vec<u8>> {
    (1..=count).map(|height| block(8.0, 6.0, f32::from(height))).collect()
}

async fn with_designs(meshes: &[Vec<u8>]) -> House {
    let house = House::new();
    let vault = house.open().await;
    for mesh in meshes {
        upload(&vault, mesh).await.unwrap();
    }
    house
}

/// Record and picture of the version open.
async fn shows(vault: &Arc<Vault>, mesh: &[u8]) -> bool {
    let design = house::manifest(SELLER, mesh).design.to_string();
    let request = wire::GetDesignRequest { design, version: sha256(mesh).0.to_vec(), number: 0 };
    let answer = designs(vault).get_design(as_seller(SELLER, request)).await;
    answer.is_ok_and(|design| design.into_inner().snapshots[0].png.starts_with(b"\x89PNG"))
}

#[tokio::test]
async fn after_a_rewrap_the_new_key_alone_opens_lists_and_presses_every_design() {
    let meshes = [meshes(3), vec![mesh()]].concat();
    let mut house = with_designs(&meshes).await;
    house.kek_bytes = vec![NEW, OLD];
    let vault = house.open().await;
    assert!(shows(&vault, &meshes[0]).await, "a former key opens");
    let done = house.rewrap().await.unwrap();
    assert_eq!((done.looked_at, done.rewrapped, done.retired), (4, 4, vec![kek(OLD).key_id()]));
    drop(vault);

    house.kek_bytes = vec![NEW];
    let vault = house.open().await;
    for mesh in &meshes {
        assert!(shows(&vault, mesh).await);
    }
    // The upload opens too: it is sliced and printed.
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    session.print(&order, &delivered).await;
    assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
}

#[tokio::test]
async fn a_vault_without_a_key_that_wraps_something_does_not_open_and_names_it() {
    let mut house = with_designs(&meshes(1)).await;
    house.kek_bytes = vec![NEW];
    let refused = house.try_open().await.err().unwrap();
    assert!(matches!(refused, OpenError::UnknownKek(id) if id == kek(OLD).key_id()), "{refused}");
    house.kek_bytes = vec![NEW, OLD];
    drop(house.try_open().await.unwrap());
    // From its first start on the new key may have wrapped something.
    house.kek_bytes = vec![OLD];
    let refused = house.try_open().await.err().unwrap();
    assert!(matches!(refused, OpenError::UnknownKek(id) if id == kek(NEW).key_id()), "{refused}");
}

#[tokio::test]
async fn a_rewrap_that_is_cut_short_anywhere_loses_nothing_and_goes_on() {
    // More than a page, so that there are commits to be cut off between.
    let meshes = meshes(18);
    for commits in 0.. {
        let mut house = with_designs(&meshes).await;
        house.kek_bytes = vec![NEW, OLD];
        house.store.stop_after(commits);
        let cut = house.rewrap().await;
        house.store.restart();
        let vault = house.open().await;
        assert!(shows(&vault, &meshes[0]).await && shows(&vault, &meshes[17]).await, "cut after {commits}");
        drop(vault);
        let done = house.rewrap().await.unwrap();
        assert_eq!(
            (done.looked_at, done.retired.len(), done.damaged.len()),
            (18, usize::from(cut.is_err()), 0)
        );
        house.kek_bytes = vec![NEW];
        let vault = house.open().await;
        assert!(shows(&vault, &meshes[0]).await && shows(&vault, &meshes[17]).await, "cut after {commits}");
        if cut.is_ok() {
            assert!(commits >= 5, "two rows, two pages, a row's end: {commits}");
            return;
        }
    }
}

#[tokio::test]
async fn a_process_from_before_the_rotation_brings_no_retired_key_back() {
    let mut house = with_designs(&meshes(1)).await;
    let before = house.open().await;
    house.kek_bytes = vec![NEW, OLD];
    // Cut off after the rows: from then on nothing comes under the former key, not even behind the first look.
    house.store.stop_after(2);
    house.rewrap().await.unwrap_err();
    house.store.restart();
    let refused = upload(&before, &mesh()).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::Stopped);
    assert_eq!(house.rewrap().await.unwrap().retired, [kek(OLD).key_id()]);
    let refused = upload(&before, &mesh()).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::Stopped);
    assert!(refused.message().contains("is being retired"), "{refused}");
    assert_eq!(house.files("designs").len(), 2, "nothing of it stays: {:?}", house.files("designs"));
    drop(before);
    house.kek_bytes = vec![NEW];
    upload(&house.open().await, &mesh()).await.unwrap();
}

#[tokio::test]
async fn a_key_that_a_running_jobs_secret_needs_is_not_retired_before_the_job_is_over() {
    let mut house = with_designs(&[mesh()]).await;
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    let vault = house.open().await;
    order.create(&vault).await.unwrap();
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    house.kek_bytes = vec![NEW, OLD];
    let done = house.rewrap().await.unwrap();
    assert_eq!((done.rewrapped, done.jobs.len(), done.retired.len()), (1, 1, 0));
    assert!(done.needed.contains(&kek(OLD).key_id()));

    session.print(&order, &delivered).await;
    assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
    let done = house.rewrap().await.unwrap();
    assert_eq!((done.rewrapped, done.jobs.len(), done.retired), (0, 0, vec![kek(OLD).key_id()]));
}
