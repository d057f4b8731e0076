//! Copies: raced for, taken twice, taken late, taken by the wrong device or the wrong tenant.

use layerlock_device::keys::DeviceKeys;
use layerlock_proto::licensor::v1::SettleHoldRequest;
use layerlock_proto::licensor::v1::copies_client::CopiesClient;
use layerlock_proto::licensor::v1::settle_hold_request::Evidence;
use layerlock_proto::refusal::Reason;
use layerlock_proto::types::v1::Counts;
use layerlock_proto::vault::v1::JobState;
use layerlock_seal::statement::Statement;
use layerlock_terms::ids::RequestId;
use layerlock_terms::license::Hold;
use layerlock_terms::receipt::{Countersignature, Event, Extent, Outcome, Receipt};
use layerlock_terms::units::Millis;
use layerlock_terms::wire::Noun;
use layerlock_tests::world::World;

use crate::WORKER;

const RACERS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_racing_for_the_last_copy_get_one_hold_between_them() {
    let world = World::begin(WORKER).await;
    let licensed = world.licensed(1).await;
    let devices = [world.device("one").await, world.device("two").await];
    let mut racers = Vec::new();
    for racer in 0..RACERS {
        let device = devices[racer % 2].id().to_string();
        racers.push((device, RequestId::from_bytes([racer as u8; 16])));
    }
    let calls =
        racers.iter().map(|(device, request)| licensed.buyer.place_hold(&licensed.license, device, *request));
    let answers = futures_util::future::join_all(calls).await;
    let held = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(held, 1, "one copy is one hold");
    for answer in answers {
        if let Err(error) = answer {
            assert_eq!(error.reason(), Some(Reason::NoCopyFree), "{error}");
        }
    }
    assert_eq!(licensed.counts().await, Counts { granted: 1, free: 0, held: 1, spent: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_asked_for_twice_is_one_hold() {
    let world = World::begin(WORKER).await;
    let licensed = world.licensed(2).await;
    let device = world.device("device").await;
    let request = RequestId::from_bytes([3; 16]);
    let first = licensed.hold_again(&device, request).await.expect("a copy is free");
    let again = licensed.hold_again(&device, request).await.expect("the same answer");
    assert_eq!(first, again);
    assert_eq!(licensed.counts().await, Counts { granted: 2, free: 1, held: 1, spent: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_hold_admits_nothing() {
    let world = World::begin(WORKER).await;
    let licensed = world.licensed(1).await;
    let device = world.device("device").await;
    let held = licensed.hold(&device).await.expect("a copy is free");
    world.time.pass(Millis(16 * 60 * 1000));
    let error = licensed.order(&held, &device).await.expect_err("it is too late");
    assert_eq!(error.reason(), Some(Reason::HoldExpired), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_gets_no_hold_and_no_job() {
    let world = World::begin(WORKER).await;
    let licensed = world.licensed(2).await;
    let device = world.device("device").await;
    let held = licensed.hold(&device).await.expect("a copy is free");
    world.operator().await.revoke_device(&device.id().to_string()).await.expect("the operator may");
    let late = licensed.order(&held, &device).await.expect_err("it was revoked in between");
    assert_eq!(late.reason(), Some(Reason::DeviceRevoked), "{late}");
    let error = licensed.hold(&device).await.expect_err("it is revoked");
    assert_eq!(error.reason(), Some(Reason::DeviceRevoked), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_ordered_twice_is_one_print() {
    let world = World::begin(WORKER).await;
    let licensed = world.licensed(2).await;
    let mut device = world.device("device").await;
    let held = licensed.hold(&device).await.expect("a copy is free");
    let job = licensed.order(&held, &device).await.expect("it is admitted");
    let printed = world.deliver(&licensed, &mut device, "device", &job.job).await;
    let again = licensed.order(&held, &device).await.expect("the same job");
    assert_eq!(again.job, printed.job.job);
    assert_eq!(again.state(), printed.job.state());
    assert_eq!(licensed.counts().await, Counts { granted: 2, free: 1, held: 0, spent: 1 });
}

/// The owner tells the licensor that nothing was printed, and the vault nothing: the copy would be free again while
/// the vault releases every key.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_cannot_settle_its_own_hold_behind_the_vaults_back() {
    let world = World::begin(WORKER).await;
    let licensed = world.licensed(1).await;
    let mut device = world.device("device").await;
    let held = licensed.hold(&device).await.expect("a copy is free");
    let job = licensed.order(&held, &device).await.expect("it is admitted").job;
    let mut watched = licensed.buyer.watch(&job).await.expect("the vault knows the job");
    while watched.message().await.expect("it answers").expect("it is sealed").state() != JobState::Sealed {}

    let keys =
        DeviceKeys::load(&world.folder("device").join("keys"), None).expect("an owner reads its own disk");
    let statement = Statement::parse(&held.hold).expect("a statement");
    let hold = Hold::parse(statement.payload()).expect("a hold");
    let (job_id, at) = (hold.job, world.time.now());
    let event = Event::Ended(Outcome::Cancelled, Extent::default());
    let receipt = Receipt { device: device.id(), job: job_id, hold: hold.id, sequence: 9, at, event };
    let receipt = Statement::sign(&receipt, &keys.sign);
    let own = Countersignature { job: job_id, hold: hold.id, receipt: receipt.digest(), at };
    let own = Statement::sign(&own, &keys.sign).emit();
    for countersignature in [Vec::new(), own] {
        let evidence = Some(Evidence::Receipt(receipt.emit()));
        let request = SettleHoldRequest { hold: hold.id.to_string(), evidence, countersignature };
        let answer = CopiesClient::new(world.licensor().await).settle_hold(request).await;
        let status = answer.expect_err("no vault closed the job");
        assert_eq!(Reason::of(&status), Some(Reason::NotTrusted), "{status}");
    }
    assert_eq!(licensed.counts().await, Counts { granted: 1, free: 0, held: 1, spent: 0 });
    world.deliver(&licensed, &mut device, "device", &job).await;
    assert_eq!(licensed.counts().await, Counts { granted: 1, free: 0, held: 0, spent: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_license_is_not_there() {
    let world = World::begin(WORKER).await;
    let licensed = world.licensed(1).await;
    let stranger = world.licensed(1).await;
    let theirs = stranger.buyer.license(&licensed.license).await.expect_err("it is another's");
    let absent = stranger
        .buyer
        .license("license-00000000000000000000000000000000")
        .await
        .expect_err("it is not there");
    assert_eq!(theirs.reason(), Some(Reason::NotFound));
    assert_eq!(absent.reason(), Some(Reason::NotFound));
}
