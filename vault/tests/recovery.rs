//! What a crash or a failing store leaves: the vault is opened again over the same disk and records, and goes on.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod house;

use std::sync::Arc;

use house::device::Session;
use house::{House, Order, Printer, SELLER, as_seller, designs, mesh, reason, upload};
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::vault_message::Message as Answer;
use layerlock_store::Fault;
use layerlock_terms::receipt::{Event, Outcome};
use layerlock_vault::licensor_link::Evidence;
use tokio::runtime::Runtime;

/// Runs `life` in a runtime of its own and pulls the plug: tasks end where they are, as in a crash.
fn until_the_plug_is_pulled<T>(life: impl Future<Output = T>) -> T {
    let runtime = Runtime::new().unwrap();
    let value = runtime.block_on(life);
    drop(runtime);
    value
}

/// A design is here and a job was admitted.
async fn begin(house: &House, order: &Order) -> Arc<layerlock_vault::Vault> {
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    order.create(&vault).await.unwrap();
    vault
}

#[test]
fn a_job_that_was_being_pressed_is_pressed_anew_under_another_header() {
    let (house, printer) = (House::new(), Printer::new(40));
    let order = Order::new(21, &mesh(), &printer);
    let before = until_the_plug_is_pulled(async {
        let vault = house.open().await;
        upload(&vault, &mesh()).await.unwrap();
        let mut session = Session::open(&vault, &printer, 1).await.unwrap();
        // The request, the admission and the header are kept, and nothing after them: for the records the job
        // is for ever being pressed.
        house.store.stop_after(3);
        order.create(&vault).await.unwrap();
        session.offer().await.header
    });
    house.store.restart();
    until_the_plug_is_pulled(async {
        let vault = house.open().await;
        let mut session = Session::open(&vault, &printer, 2).await.unwrap();
        let offer = session.offer().await;
        assert_ne!(offer.header, before, "nothing is sealed twice under one secret");
        let delivered = session.receive_offered(&order, &offer).await;
        session.print(&order, &delivered).await;
        assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
    });
}

#[test]
fn a_sealed_job_is_offered_again_after_a_restart_with_the_same_bytes() {
    let (house, printer) = (House::new(), Printer::new(40));
    let order = Order::new(21, &mesh(), &printer);
    let before = until_the_plug_is_pulled(async {
        let vault = begin(&house, &order).await;
        let mut session = Session::open(&vault, &printer, 1).await.unwrap();
        session.receive(&order).await
    });
    until_the_plug_is_pulled(async {
        let vault = house.open().await;
        let mut session = Session::open(&vault, &printer, 2).await.unwrap();
        let after = session.receive(&order).await;
        assert_eq!(after.segments, before.segments);
        assert_eq!(after.header.statement(), before.header.statement());
        session.print(&order, &after).await;
        assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
    });
}

#[test]
fn a_closed_job_is_settled_after_a_restart_when_the_licensor_was_away() {
    let (house, printer) = (House::new(), Printer::new(40));
    let order = Order::new(21, &mesh(), &printer);
    until_the_plug_is_pulled(async {
        let vault = begin(&house, &order).await;
        let mut session = Session::open(&vault, &printer, 1).await.unwrap();
        let delivered = session.receive(&order).await;
        house.licensor.fail();
        session.report(&order, 0, Event::Ended(Outcome::Cancelled, delivered.extent(0))).await;
        order.when(&vault, |job| job.state() == wire::JobState::Closed).await;
    });
    house.licensor.recover();
    until_the_plug_is_pulled(async {
        let vault = house.open().await;
        assert_eq!(order.settled(&vault).await.outcome, "cancelled");
    });
    assert!(matches!(&house.licensor.settled.lock().unwrap()[..], [(_, Evidence::Receipt { .. })]));
}

#[test]
fn an_envelope_that_is_lost_withdraws_its_job() {
    let (house, printer) = (House::new(), Printer::new(40));
    let order = Order::new(21, &mesh(), &printer);
    until_the_plug_is_pulled(async {
        let vault = begin(&house, &order).await;
        order.sealed(&vault).await;
    });
    for file in house.files("envelopes") {
        let path = house.dir.path().join("envelopes").join(file);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    }
    until_the_plug_is_pulled(async {
        let vault = house.open().await;
        assert_eq!(order.settled(&vault).await.outcome, "withdrawn");
    });
    assert!(matches!(&house.licensor.settled.lock().unwrap()[..], [(_, Evidence::Withdrawal(_))]));
}

#[test]
fn a_job_no_device_came_for_is_withdrawn_at_its_deadline() {
    let (house, printer) = (House::new(), Printer::new(40));
    let order = Order::new(21, &mesh(), &printer);
    until_the_plug_is_pulled(async {
        let vault = begin(&house, &order).await;
        order.sealed(&vault).await;
    });
    house.turn_clock(order.hold.settle_by.0 - house::NOON);
    until_the_plug_is_pulled(async {
        let vault = house.open().await;
        let job = order.settled(&vault).await;
        assert_eq!(job.outcome, "withdrawn");
        assert!(job.reason.contains("deadline"), "{}", job.reason);
    });
}

#[test]
fn a_job_the_licensor_was_not_asked_about_is_asked_about_after_a_restart() {
    let (house, printer) = (House::new(), Printer::new(40));
    let order = Order::new(21, &mesh(), &printer);
    until_the_plug_is_pulled(async {
        let vault = house.open().await;
        upload(&vault, &mesh()).await.unwrap();
        // Has the vault learn a list, so that only the admission is cut off.
        Session::open(&vault, &printer, 1).await.unwrap();
        house.licensor.fail();
        assert_eq!(reason(&order.create(&vault).await.unwrap_err()), Reason::Stopped);
    });
    house.licensor.recover();
    until_the_plug_is_pulled(async {
        let vault = house.open().await;
        order.sealed(&vault).await;
    });
    assert_eq!(house.licensor.admitted.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_upload_whose_record_fails_is_refused_and_can_be_sent_again() {
    let house = House::new();
    let vault = house.open().await;
    house.store.inject(Fault::FailBefore);
    assert_eq!(reason(&upload(&vault, &mesh()).await.unwrap_err()), Reason::Stopped);
    let listed = designs(&vault).list_designs(as_seller(SELLER, wire::ListDesignsRequest::default())).await;
    assert_eq!(listed.unwrap().into_inner().designs, []);
    upload(&vault, &mesh()).await.unwrap();
}

#[tokio::test]
async fn an_upload_whose_answer_from_the_store_was_lost_is_there() {
    let house = House::new();
    let vault = house.open().await;
    house.store.inject(Fault::FailAfter);
    let first = upload(&vault, &mesh()).await.unwrap();
    assert_eq!(upload(&vault, &mesh()).await.unwrap(), first);
}

#[tokio::test]
async fn a_print_goes_on_when_every_answer_of_the_store_is_lost() {
    let (house, printer) = (House::new(), Printer::new(40));
    let order = Order::new(21, &mesh(), &printer);
    (0..40).for_each(|_| house.store.inject(Fault::FailAfter));
    let vault = begin(&house, &order).await;
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    session.print(&order, &delivered).await;
    assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
}

#[test]
fn blobs_that_no_record_names_are_swept_at_the_start() {
    let house = House::new();
    until_the_plug_is_pulled(async {
        let vault = house.open().await;
        upload(&vault, &mesh()).await.unwrap();
    });
    std::fs::write(house.dir.path().join("designs").join("0a0b0c"), b"left over").unwrap();
    until_the_plug_is_pulled(async {
        house.open().await;
    });
    assert_eq!(house.files("designs").len(), 2);
}
