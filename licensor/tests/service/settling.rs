//! Settling: evidence, the failure policy (L8), deadlines (L11), and that a hold ends once.

use std::sync::Arc;

use futures_util::future::join_all;
use layerlock_licensor::Swept;
use layerlock_proto::refusal::Reason;
use layerlock_terms::ids::HoldId;
use layerlock_terms::license::Hold;
use layerlock_terms::receipt::{Cause, CopyOutcome, Counts, Event, JobEvent, Outcome};

use crate::support::*;

async fn admitted(world: &World, sale: &Sale) -> Hold {
    let hold = world.hold(sale).await.unwrap();
    world.admit(&hold).await.unwrap();
    hold
}

#[tokio::test]
async fn a_printed_job_spends_its_copy_and_its_entry_can_be_proven() {
    let world = World::new().await;
    let sale = world.sale(2).await;
    let hold = admitted(&world, &sale).await;
    let receipt = sale.device.ended(&hold, Outcome::Printed, extent(10, 10));
    let settlement = check_entry(&world.settle(hold.id, &receipt).await.unwrap());
    assert_eq!((settlement.cause, settlement.copy), (Cause::Printed, CopyOutcome::Spent));
    assert_eq!(settlement.counts, Counts { granted: 2, free: 1, held: 0, spent: 1 });
    assert_eq!(settlement.counts, world.counts(&sale).await);
    assert_eq!(world.audit().await.size, 1);
}

#[tokio::test]
async fn what_a_stopped_print_costs_is_decided_by_the_policy_from_the_receipt() {
    let world = World::new().await;
    let sale = world.sale(10).await;
    for (layers, outcome, copy) in [
        (49, Outcome::Cancelled, CopyOutcome::Returned),
        (50, Outcome::Cancelled, CopyOutcome::Spent),
        (99, Outcome::Cancelled, CopyOutcome::Spent),
        (0, Outcome::Failed, CopyOutcome::Returned),
        (99, Outcome::Failed, CopyOutcome::Spent),
    ] {
        let hold = admitted(&world, &sale).await;
        let receipt = sale.device.ended(&hold, outcome, extent(layers, 100));
        let settlement = check_entry(&world.settle(hold.id, &receipt).await.unwrap());
        assert_eq!(settlement.copy, copy, "{layers} of 100 layers, {outcome:?}");
        world.audit().await;
    }
    assert_eq!(world.counts(&sale).await, Counts { granted: 10, free: 7, held: 0, spent: 3 });
}

#[tokio::test]
async fn a_second_contradicting_receipt_changes_nothing() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let hold = admitted(&world, &sale).await;
    let printed = sale.device.ended(&hold, Outcome::Printed, extent(10, 10));
    let first = world.settle(hold.id, &printed).await.unwrap();
    let nothing = sale.device.ended(&hold, Outcome::Cancelled, extent(0, 10));
    assert_eq!(world.settle(hold.id, &nothing).await.unwrap(), first);
    assert_eq!(world.counts(&sale).await.spent, 1);
    assert_eq!(world.audit().await.size, 1);
}

#[tokio::test]
async fn a_receipt_by_another_device_or_about_another_job_settles_nothing() {
    let world = World::new().await;
    let sale = world.sale(2).await;
    let (hold, other_hold) = (admitted(&world, &sale).await, admitted(&world, &sale).await);
    let other = world.device("another device").await.unwrap();
    let forged = Device { id: sale.device.id, sign: key("mallory"), open: other.open };
    for receipt in [
        forged.ended(&hold, Outcome::Cancelled, extent(0, 10)),
        sale.device.ended(&other_hold, Outcome::Cancelled, extent(0, 10)),
        report(&hold, JobEvent::Withdrawn, &sale.device.sign),
    ] {
        assert_eq!(refused(world.settle(hold.id, &receipt).await), Reason::NotTrusted);
    }
    let goes_on = sale.device.receipt(&hold, Event::Progress(extent(5, 10)));
    assert_eq!(refused(world.settle(hold.id, &goes_on).await), Reason::InvalidField);
    let nowhere = HoldId::from_bytes([9; 16]);
    let receipt = sale.device.ended(&hold, Outcome::Printed, extent(10, 10));
    assert_eq!(refused(world.settle(nowhere, &receipt).await), Reason::NotFound);
    assert_eq!(world.counts(&sale).await.held, 2);
}

/// Its vault has not closed the job: every key would still leave, and the copy be free again.
#[tokio::test]
async fn a_receipt_the_vault_did_not_countersign_settles_nothing() {
    let world = World::new().await;
    let sale = world.sale(2).await;
    let (hold, unadmitted) = (admitted(&world, &sale).await, world.hold(&sale).await.unwrap());
    let receipt = sale.device.ended(&hold, Outcome::Cancelled, extent(0, 10));
    let by_itself = countersigned(hold.job, hold.id, &receipt, &sale.device.sign).emit();
    let of_another_kind = report(&hold, JobEvent::Admitted, &vault()).emit();
    for countersignature in [Vec::new(), receipt.emit(), by_itself, of_another_kind] {
        let answer = world.settle_by(hold.id, &receipt, &countersignature).await;
        assert_eq!(refused(answer), Reason::NotTrusted);
    }
    let receipt = sale.device.ended(&unadmitted, Outcome::Cancelled, extent(0, 10));
    assert_eq!(refused(world.settle(unadmitted.id, &receipt).await), Reason::NotTrusted);
    assert_eq!(world.counts(&sale).await, Counts { granted: 2, free: 0, held: 2, spent: 0 });
    assert_eq!(world.audit().await.size, 0);
}

#[tokio::test]
async fn a_countersignature_of_another_receipt_or_vault_settles_nothing() {
    let world = World::new().await;
    let sale = world.sale(2).await;
    let (hold, other) = (admitted(&world, &sale).await, admitted(&world, &sale).await);
    let printed = sale.device.ended(&hold, Outcome::Printed, extent(10, 10));
    let cancelled = sale.device.ended(&hold, Outcome::Cancelled, extent(0, 10));
    for countersignature in [
        countersigned(hold.job, hold.id, &printed, &vault()),
        countersigned(other.job, hold.id, &cancelled, &vault()),
        countersigned(hold.job, other.id, &cancelled, &vault()),
        countersigned(hold.job, hold.id, &cancelled, &key("another vault")),
    ] {
        let answer = world.settle_by(hold.id, &cancelled, &countersignature.emit()).await;
        assert_eq!(refused(answer), Reason::NotTrusted);
    }
    assert_eq!(world.counts(&sale).await.held, 2);
    let countersignature = countersigned(hold.job, hold.id, &printed, &vault()).emit();
    let entry = world.settle_by(hold.id, &printed, &countersignature).await.unwrap();
    assert_eq!(world.settle_by(hold.id, &printed, &countersignature).await.unwrap(), entry);
    assert_eq!(refused(world.settle_by(hold.id, &cancelled, &countersignature).await), Reason::NotTrusted);
}

#[tokio::test]
async fn a_withdrawal_by_the_vault_that_admitted_gives_the_copy_back() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let hold = admitted(&world, &sale).await;
    let by_another = report(&hold, JobEvent::Withdrawn, &key("another vault"));
    assert_eq!(refused(world.withdraw(hold.id, &by_another).await), Reason::NotTrusted);
    let admission = report(&hold, JobEvent::Admitted, &vault());
    assert_eq!(refused(world.withdraw(hold.id, &admission).await), Reason::NotTrusted);
    let withdrawal = report(&hold, JobEvent::Withdrawn, &vault());
    let entry = world.withdraw(hold.id, &withdrawal).await.unwrap();
    assert_eq!(check_entry(&entry).cause, Cause::Withdrawn);
    assert_eq!(world.withdraw(hold.id, &withdrawal).await.unwrap(), entry);
    assert_eq!(world.counts(&sale).await, Counts { granted: 1, free: 1, held: 0, spent: 0 });
}

#[tokio::test]
async fn a_settled_hold_is_not_admitted() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let hold = world.hold(&sale).await.unwrap();
    world.withdraw(hold.id, &report(&hold, JobEvent::Withdrawn, &vault())).await.unwrap();
    assert_eq!(refused(world.admit(&hold).await), Reason::HoldUsed);
}

#[tokio::test]
async fn a_hold_nobody_admits_gives_its_copy_back_at_its_deadline_and_not_before() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let hold = world.hold(&sale).await.unwrap();
    assert_eq!(world.licensor.sweep(world.now()).await.unwrap(), Swept::default());
    world.wait_until(hold.admit_by);
    assert_eq!(world.licensor.sweep(world.now()).await.unwrap(), Swept { settled: 1, failed: 0 });
    assert_eq!(world.counts(&sale).await, Counts { granted: 1, free: 1, held: 0, spent: 0 });
    assert_eq!(world.licensor.sweep(world.now()).await.unwrap(), Swept::default());
    assert_eq!(world.audit().await.size, 1);
}

#[tokio::test]
async fn withheld_receipts_spend_the_copy_at_the_deadline() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let hold = admitted(&world, &sale).await;
    world.wait_until(hold.admit_by);
    assert_eq!(world.licensor.sweep(world.now()).await.unwrap(), Swept::default());
    world.wait_until(hold.settle_by);
    assert_eq!(world.licensor.sweep(world.now()).await.unwrap(), Swept { settled: 1, failed: 0 });
    let late = sale.device.ended(&hold, Outcome::Cancelled, extent(0, 10));
    let settlement = check_entry(&world.settle(hold.id, &late).await.unwrap());
    assert_eq!((settlement.cause, settlement.copy), (Cause::Overdue, CopyOutcome::Spent));
    assert_eq!(world.counts(&sale).await, Counts { granted: 1, free: 0, held: 0, spent: 1 });
}

#[tokio::test]
async fn one_sweep_ends_more_holds_than_a_page_shows() {
    let world = World::new().await;
    let sale = world.sale(250).await;
    for _ in 0..250 {
        world.hold(&sale).await.unwrap();
    }
    world.wait(layerlock_licensor::Lifetimes::default().hold_admit);
    assert_eq!(world.licensor.sweep(world.now()).await.unwrap(), Swept { settled: 250, failed: 0 });
    assert_eq!(world.counts(&sale).await.free, 250);
    assert_eq!(world.audit().await.size, 250);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn receipts_sweeps_and_withdrawals_at_once_end_every_hold_once() {
    let world = Arc::new(World::new().await);
    let sale = Arc::new(world.sale(40).await);
    let mut holds = Vec::new();
    for _ in 0..40 {
        holds.push(admitted(&world, &sale).await);
    }
    world.wait(layerlock_licensor::Lifetimes::default().hold_settle);
    let calls = holds.iter().cloned().map(|hold| {
        let (world, sale) = (Arc::clone(&world), Arc::clone(&sale));
        tokio::spawn(async move {
            let receipt = sale.device.ended(&hold, Outcome::Printed, extent(10, 10));
            let withdrawal = report(&hold, JobEvent::Withdrawn, &vault());
            let (a, b, c) = tokio::join!(
                world.settle(hold.id, &receipt),
                world.withdraw(hold.id, &withdrawal),
                world.licensor.sweep(world.now()),
            );
            assert_eq!(settlement_of(&a.unwrap()), settlement_of(&b.unwrap()));
            assert_eq!(c.unwrap().failed, 0);
        })
    });
    join_all(calls).await.into_iter().for_each(|call| call.unwrap());
    assert_eq!(world.counts(&sale).await.held, 0);
    assert_eq!(world.audit().await.size, 40);
}
