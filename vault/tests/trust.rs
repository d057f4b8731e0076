//! A vault against whoever holds its licensor's line, or its licensor's stolen key: old lists, lists of the highest
//! version there is, and the rotation that recovers from them (L6, L7, L10).

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod house;

use std::sync::Arc;

use house::device::Session;
use house::{House, LEASE, LICENSOR, NOON, Printer, key, never, reason};
use layerlock_proto::refusal::Reason;
use layerlock_seal::statement::Statement;
use layerlock_terms::trust::Revocations;
use layerlock_terms::units::Timestamp;
use layerlock_vault::{OpenError, Vault};

/// A licensor's key made after another was stolen.
const NEW_LICENSOR: u8 = 7;

/// Opens the vault and lets a device in or not.
async fn enter(house: &House, printer: &Printer, counter: u64) -> Result<(), Reason> {
    let vault = opened(house).await;
    Session::open(&vault, printer, counter).await.map(drop).map_err(|status| reason(&status))
}

/// The vault of before is gone when its last session has noticed, and a child that another test is just starting
/// holds its lock for a moment: so it is asked again until it is free.
async fn opened(house: &House) -> Arc<Vault> {
    loop {
        match house.try_open().await {
            Err(OpenError::Blobs(_)) => tokio::task::yield_now().await,
            vault => return vault.expect("the chain of trust holds"),
        }
    }
}

#[tokio::test]
async fn a_replayed_list_of_revocations_lets_nobody_in_once_it_has_ended() {
    let house = House::new();
    let printer = Printer::new(40);
    *house.licensor.replayed.lock().unwrap() = Some(house.licensor.list());
    house.licensor.revoked.lock().unwrap().push(printer.id);
    Session::open(&house.open().await, &printer, 1)
        .await
        .expect("within the lease the old list still counts");
    house.turn_clock(LEASE);
    assert_eq!(enter(&house, &printer, 2).await, Err(Reason::Stopped));
}

#[tokio::test]
async fn an_older_list_never_takes_the_place_of_a_newer_one_also_after_a_restart() {
    let house = House::new();
    let printer = Printer::new(40);
    let before = house.licensor.list();
    house.turn_clock(LEASE / 2);
    house.licensor.revoked.lock().unwrap().push(printer.id);
    assert_eq!(enter(&house, &printer, 1).await, Err(Reason::DeviceRevoked));
    *house.licensor.replayed.lock().unwrap() = Some(before);
    assert_eq!(enter(&house, &printer, 2).await, Err(Reason::DeviceRevoked));
}

/// Signed by the stolen key: nobody is revoked, and no later list can follow it.
fn highest(expires: Timestamp) -> Statement {
    Statement::sign(&Revocations { version: u64::MAX, expires, devices: Vec::new() }, &key(LICENSOR))
}

#[tokio::test]
async fn a_version_fast_forwarded_by_a_stolen_key_falls_with_that_key() {
    let mut house = House::new();
    let printer = Printer::new(40);
    *house.licensor.replayed.lock().unwrap() = Some(highest(Timestamp(NOON + LEASE)));
    enter(&house, &printer, 1).await.expect("the thief's list revokes nobody");
    *house.licensor.replayed.lock().unwrap() = None;
    house.licensor.revoked.lock().unwrap().push(printer.id);
    house.turn_clock(LEASE);
    // The true list can't follow the highest version: the vault stops rather than let a revoked device in.
    assert_eq!(enter(&house, &printer, 2).await, Err(Reason::Stopped));

    house.licensors = vec![NEW_LICENSOR];
    house.withdrawn = vec![LICENSOR];
    *house.licensor.signs_with.lock().unwrap() = NEW_LICENSOR;
    let revoked = printer.certified_by(NEW_LICENSOR);
    let honest = Printer::new(41).certified_by(NEW_LICENSOR);
    assert_eq!(enter(&house, &revoked, 3).await, Err(Reason::DeviceRevoked));
    enter(&house, &honest, 1).await.expect("the new key's lists begin anew");
    *house.licensor.replayed.lock().unwrap() = Some(highest(never()));
    house.turn_clock(LEASE);
    assert_eq!(
        enter(&house, &honest, 2).await,
        Err(Reason::NotTrusted),
        "the withdrawn key states nothing any more"
    );
}

#[tokio::test]
async fn a_device_certified_by_a_withdrawn_key_is_nobody_and_by_a_former_one_stays_itself() {
    let mut house = House::new();
    let printer = Printer::new(40);
    house.licensors = vec![NEW_LICENSOR, LICENSOR];
    *house.licensor.signs_with.lock().unwrap() = NEW_LICENSOR;
    enter(&house, &printer, 1).await.expect("the root still certifies the former key");
    house.licensors = vec![NEW_LICENSOR];
    assert_eq!(enter(&house, &printer, 2).await, Err(Reason::NotTrusted));
}
