//! Placing and admitting holds: L1, L2, D6 and everything a hold is refused for.

use std::sync::Arc;

use futures_util::future::join_all;
use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::Endorsement;
use layerlock_terms::ids::DeviceId;
use layerlock_terms::license::{DeviceScope, Expiry, Hold, License, Terms};
use layerlock_terms::receipt::{Counts, JobEvent};
use layerlock_terms::trust::{DeviceCertificate, Revocations, Role};
use layerlock_terms::units::Millis;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_parallel_requests_for_the_last_copy_exactly_one_gets_it() {
    let world = Arc::new(World::new().await);
    let sale = Arc::new(world.sale(1).await);
    let calls = (0..1_000).map(|_| {
        let (world, sale) = (Arc::clone(&world), Arc::clone(&sale));
        tokio::spawn(async move { world.place(&world.request_id(), &sale).await })
    });
    let answers: Vec<_> = join_all(calls).await.into_iter().map(|call| call.unwrap()).collect();
    let (held, refusals): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(held.len(), 1);
    assert_eq!(refusals.len(), 999);
    assert!(refusals.iter().all(|refusal| reason(refusal.as_ref().unwrap_err()) == Reason::NoCopyFree));
    assert_eq!(world.counts(&sale).await, Counts { granted: 1, free: 0, held: 1, spent: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_parallel_repeats_of_one_request_are_one_hold() {
    let world = Arc::new(World::new().await);
    let sale = Arc::new(world.sale(5).await);
    let request = world.request_id();
    let calls = (0..200).map(|_| {
        let (world, sale, request) = (Arc::clone(&world), Arc::clone(&sale), request.clone());
        tokio::spawn(async move { world.place(&request, &sale).await.unwrap() })
    });
    let answers: Vec<_> = join_all(calls).await.into_iter().map(|call| call.unwrap()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.counts(&sale).await, Counts { granted: 5, free: 4, held: 1, spent: 0 });
}

#[tokio::test]
async fn a_retry_after_a_lost_answer_gets_the_same_hold() {
    let mut world = World::new().await;
    let sale = world.sale(2).await;
    let request = world.request_id();
    let first = world.place(&request, &sale).await.unwrap();
    world.reopen().await.unwrap();
    assert_eq!(world.place(&request, &sale).await.unwrap(), first);
    assert_eq!(world.counts(&sale).await.held, 1);
}

#[tokio::test]
async fn a_request_id_used_for_another_request_is_refused() {
    let world = World::new().await;
    let (sale, other) = (world.sale(2).await, world.device("another device").await.unwrap());
    let request = world.request_id();
    world.place(&request, &sale).await.unwrap();
    let other = Sale { device: other, ..sale };
    assert_eq!(refused(world.place(&request, &other).await), Reason::RequestIdReused);
    assert_eq!(world.counts(&other).await.held, 1);
}

#[tokio::test]
async fn a_hold_comes_with_all_a_vault_needs_to_judge_it() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let answer = world.place(&world.request_id(), &sale).await.unwrap();
    let licensor = key("licensor").verifying_key();
    let hold = Statement::parse(&answer.hold).unwrap().verify::<Hold>(&licensor).unwrap();
    let license = Statement::parse(&answer.license).unwrap().verify::<License>(&licensor).unwrap();
    let device = Statement::parse(&answer.device_certificate).unwrap();
    let device = device.verify::<DeviceCertificate>(&licensor).unwrap();
    assert_eq!((hold.license, hold.device), (license.id, device.device));
    assert_eq!(license.id.to_string(), sale.license);
    assert!(hold.issued < hold.admit_by && hold.admit_by < hold.settle_by);
}

#[tokio::test]
async fn a_device_the_terms_do_not_list_is_refused() {
    let world = World::new().await;
    let listed = DeviceScope::Listed(vec![DeviceId::from_bytes([7; 16])]);
    let sale = world.sale_of(&Terms { devices: listed, ..terms(1) }).await;
    assert_eq!(refused(world.hold(&sale).await), Reason::DeviceNotAllowed);
}

#[tokio::test]
async fn a_device_nobody_enrolled_is_absent() {
    let world = World::new().await;
    let mut sale = world.sale(1).await;
    sale.device.id = DeviceId::from_bytes([7; 16]);
    assert_eq!(refused(world.hold(&sale).await), Reason::NotFound);
}

#[tokio::test]
async fn an_expired_license_takes_no_hold_and_one_about_to_expire_is_admitted_before_its_end() {
    let world = World::new().await;
    let end = START.plus(Millis(10_000));
    let sale = world.sale_of(&Terms { expires: Expiry::At(end), ..terms(2) }).await;
    let hold = world.hold(&sale).await.unwrap();
    assert_eq!(hold.admit_by, end);
    world.wait_until(end);
    assert_eq!(refused(world.hold(&sale).await), Reason::LicenseExpired);
    assert_eq!(refused(world.admit(&hold).await), Reason::HoldExpired);
    assert_eq!(world.license(&sale).await.state(), wire::LicenseState::Expired);
}

#[tokio::test]
async fn a_revoked_license_takes_no_hold_and_admits_none_that_was_placed() {
    let world = World::new().await;
    let sale = world.sale(2).await;
    let hold = world.hold(&sale).await.unwrap();
    let message =
        wire::RevokeLicenseRequest { request_id: world.request_id(), license: sale.license.clone() };
    let call = || with_key(message.clone(), &sale.seller.api_key);
    let revoked = world.licenses().revoke_license(call()).await.unwrap().into_inner();
    assert_eq!(revoked.state(), wire::LicenseState::Revoked);
    assert_eq!(world.licenses().revoke_license(call()).await.unwrap().into_inner(), revoked);
    assert_eq!(refused(world.hold(&sale).await), Reason::LicenseRevoked);
    assert_eq!(refused(world.admit(&hold).await), Reason::LicenseRevoked);
}

#[tokio::test]
async fn a_revoked_device_takes_no_hold_and_is_on_the_list_the_vault_is_given() {
    let world = World::new().await;
    let sale = world.sale(3).await;
    let (placed, admitted) = (world.hold(&sale).await.unwrap(), world.hold(&sale).await.unwrap());
    world.admit(&admitted).await.unwrap();
    let message =
        wire::RevokeDeviceRequest { request_id: world.request_id(), device: sale.device.id.to_string() };
    world.devices().revoke_device(with_key(message, &operator().reveal())).await.unwrap();
    assert_eq!(refused(world.hold(&sale).await), Reason::DeviceRevoked);
    assert_eq!(refused(world.admit(&placed).await), Reason::DeviceRevoked);
    let list = Statement::parse(&world.admit(&admitted).await.unwrap()).unwrap();
    let list = list.verify::<Revocations>(&key("licensor").verifying_key()).unwrap();
    assert_eq!((list.version, &list.devices[..]), (1, &[sale.device.id][..]));
    assert_eq!(list.expires, world.now().plus(Millis(60_000)));
}

#[tokio::test]
async fn a_device_whose_certificate_has_ended_takes_no_hold() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    world.wait(layerlock_licensor::Lifetimes::default().device);
    assert_eq!(refused(world.hold(&sale).await), Reason::DeviceNotAllowed);
}

#[tokio::test]
async fn a_hold_is_admitted_once_and_twice_by_the_same_vault_is_once() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let hold = world.hold(&sale).await.unwrap();
    let first = world.admit(&hold).await.unwrap();
    world.wait_until(hold.admit_by);
    world.admit(&hold).await.expect("admitted before, so still");
    let other = key("another vault");
    let certificate = certificate_of(Role::Vault, &other);
    assert_eq!(refused(world.admit_by(&hold, &other, &certificate).await), Reason::HoldUsed);
    assert!(!first.is_empty());
}

#[tokio::test]
async fn a_hold_past_its_deadline_is_not_admitted() {
    let world = World::new().await;
    let hold = world.hold(&world.sale(1).await).await.unwrap();
    world.wait_until(hold.admit_by);
    assert_eq!(refused(world.admit(&hold).await), Reason::HoldExpired);
}

#[tokio::test]
async fn a_vault_the_root_does_not_certify_admits_nothing() {
    let world = World::new().await;
    let hold = world.hold(&world.sale(1).await).await.unwrap();
    let (mallory, vault) = (key("mallory"), vault());
    let own_certificate = Endorsement::signed(
        &layerlock_terms::trust::ServiceCertificate {
            role: Role::Vault,
            key: mallory.verifying_key().into(),
            expires: FOREVER,
        },
        &[&mallory],
    );
    for (by, certificate) in [
        (&mallory, own_certificate),
        (&mallory, certificate_of(Role::Vault, &vault)),
        (&vault, certificate_of(Role::Checkpoint, &vault)),
    ] {
        assert_eq!(refused(world.admit_by(&hold, by, &certificate).await), Reason::NotTrusted);
    }
}

#[tokio::test]
async fn a_report_about_another_job_or_another_event_admits_nothing() {
    let world = World::new().await;
    let hold = world.hold(&world.sale(1).await).await.unwrap();
    let another = Hold { job: layerlock_terms::ids::JobId::from_bytes([9; 16]), ..hold.clone() };
    assert_eq!(refused(world.admit(&another).await), Reason::NotTrusted);
    let message = wire::AdmitHoldRequest {
        report: report(&hold, JobEvent::Withdrawn, &vault()).emit(),
        vault_certificate: certificate_of(Role::Vault, &vault()).emit(),
    };
    assert_eq!(refused(world.copies().admit_hold(message).await), Reason::NotTrusted);
}
