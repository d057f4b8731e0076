//! Enrolment: codes, challenges, unfit keys (D7), floods (Q6), and that a device enrols once.

use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_seal::enrolment::EnrolmentCode;
use layerlock_seal::keys::OpeningKey;
use layerlock_seal::statement::Statement;
use layerlock_store::{Page, Prefix};
use layerlock_terms::digest::{Digest, OpenKey, SignKey};
use layerlock_terms::trust::{DeviceCertificate, EnrolmentRequest};
use layerlock_terms::wire::Writer;

use crate::support::*;

async fn fresh_code(world: &World) -> String {
    world.code(&world.request_id(), &operator().reveal()).await.unwrap().code
}

fn opening() -> OpeningKey {
    OpeningKey::from_seed(&[3; 32])
}

#[tokio::test]
async fn a_device_that_holds_both_keys_is_certified_and_asking_twice_gives_the_same_certificate() {
    let world = World::new().await;
    let request = enrolment_request(&fresh_code(&world).await, &key("device"), &opening());
    let challenge = world.begin(&request).await.unwrap();
    let answer = answer_to(&challenge, &request, &opening());
    let first = world.complete(&request, &answer).await.unwrap();
    assert_eq!(world.complete(&request, &answer).await.unwrap(), first);
    let certificate = Statement::parse(&first).unwrap();
    let certificate = certificate.verify::<DeviceCertificate>(&key("licensor").verifying_key()).unwrap();
    assert_eq!(certificate.sign, key("device").verifying_key().into());
    assert_eq!(certificate.open, opening().wrapping_key().into());
}

#[tokio::test]
async fn a_code_is_single_use() {
    let world = World::new().await;
    let code = fresh_code(&world).await;
    world.enrol(&enrolment_request(&code, &key("device"), &opening()), &opening()).await.unwrap();
    let second = enrolment_request(&code, &key("another"), &opening());
    assert_eq!(refused(world.begin(&second).await), Reason::EnrolmentCode);
}

#[tokio::test]
async fn a_code_past_its_time_and_a_guessed_one_are_refused_alike() {
    let world = World::new().await;
    let made = world.code(&world.request_id(), &operator().reveal()).await.unwrap();
    let request = enrolment_request(&made.code, &key("device"), &opening());
    world.wait_until(layerlock_terms::units::Timestamp(made.expires_unix_ms));
    let late = world.begin(&request).await.unwrap_err();
    let guessed = enrolment_request("0000-0000-0000-0000", &key("device"), &opening());
    let guessed = world.begin(&guessed).await.unwrap_err();
    assert_eq!(reason(&late), Reason::EnrolmentCode);
    assert_eq!(late.message(), guessed.message());
}

#[tokio::test]
async fn the_same_request_id_gives_the_same_code() {
    let world = World::new().await;
    let (request, operator) = (world.request_id(), operator().reveal().to_string());
    let first = world.code(&request, &operator).await.unwrap();
    assert_eq!(world.code(&request, &operator).await.unwrap(), first);
    assert!(EnrolmentCode::parse(&first.code).is_ok());
}

#[tokio::test]
async fn who_reads_what_is_stored_of_a_code_can_not_enrol_by_it() {
    let world = World::new().await;
    let code = fresh_code(&world).await;
    let codes = Prefix::new("code", &[]).unwrap();
    let stored = world.store.list(&codes, Page::first(10)).await.unwrap().records;
    let [(kept, _)] = &stored[..] else { panic!("one code was made: {stored:?}") };
    let sent: [u8; 32] = kept.parts()[0].as_slice().try_into().unwrap();
    let (sign, open) = (key("thief").verifying_key().into(), opening().wrapping_key().into());
    let noun = EnrolmentRequest { code: Digest(sent), sign, open, machine: MACHINE.into() };
    assert_eq!(refused(world.begin(&Statement::sign(&noun, &key("thief"))).await), Reason::EnrolmentCode);
    world.enrol(&enrolment_request(&code, &key("device"), &opening()), &opening()).await.unwrap();
}

#[tokio::test]
async fn who_does_not_hold_the_opening_key_is_not_certified() {
    let world = World::new().await;
    let request = enrolment_request(&fresh_code(&world).await, &key("device"), &opening());
    world.begin(&request).await.unwrap();
    assert_eq!(refused(world.complete(&request, &[0; 32]).await), Reason::NotTrusted);
}

#[tokio::test]
async fn a_request_not_signed_by_the_key_it_names_is_refused() {
    let world = World::new().await;
    let code = EnrolmentCode::parse(&fresh_code(&world).await).unwrap().digest();
    let (sign, open) = (key("victim").verifying_key().into(), opening().wrapping_key().into());
    let noun = EnrolmentRequest { code, sign, open, machine: MACHINE.into() };
    let request = Statement::sign(&noun, &key("mallory"));
    assert_eq!(refused(world.begin(&request).await), Reason::NotTrusted);
}

#[tokio::test]
async fn low_order_and_non_canonical_keys_are_refused() {
    let world = World::new().await;
    let zero = [0; 32];
    let mut one = [0; 32];
    one[0] = 1;
    let high = [0xff; 32];
    for bytes in [zero, one, high] {
        let code = EnrolmentCode::parse(&fresh_code(&world).await).unwrap().digest();
        let sign = key("device").verifying_key().into();
        let noun = EnrolmentRequest { code, sign, open: OpenKey(bytes), machine: MACHINE.into() };
        let request = Statement::sign(&noun, &key("device"));
        assert_eq!(refused(world.begin(&request).await), Reason::UnfitKey, "open {bytes:?}");
    }
    for bytes in [zero, one, high] {
        let code = EnrolmentCode::parse(&fresh_code(&world).await).unwrap().digest();
        let open = opening().wrapping_key().into();
        let noun = EnrolmentRequest { code, sign: SignKey(bytes), open, machine: MACHINE.into() };
        let request = Statement::sign(&noun, &key("device"));
        assert_eq!(refused(world.begin(&request).await), Reason::UnfitKey, "sign {bytes:?}");
    }
}

#[tokio::test]
async fn a_key_that_was_enrolled_does_not_enrol_again_under_another_code() {
    let world = World::new().await;
    let device = world.device("device").await.unwrap();
    let again = enrolment_request(&fresh_code(&world).await, &device.sign, &device.open);
    assert_eq!(refused(world.enrol(&again, &device.open).await), Reason::NotTrusted);
}

#[tokio::test]
async fn a_flood_of_tries_ends_the_code_before_any_key_is_worked_with() {
    let world = World::new().await;
    let code = fresh_code(&world).await;
    let request = enrolment_request(&code, &key("device"), &opening());
    for _ in 0..8 {
        world.begin(&request).await.unwrap();
    }
    // A broken signature would be told as such if anyone still looked at it.
    let unsigned = Statement::parse(&with_broken_signature(&request)).unwrap();
    assert_eq!(refused(world.begin(&unsigned).await), Reason::EnrolmentCode);
}

#[tokio::test]
async fn the_last_try_of_a_code_may_still_be_answered() {
    let world = World::new().await;
    let (key, opening) = (key("device"), opening());
    let request = enrolment_request(&fresh_code(&world).await, &key, &opening);
    for _ in 0..7 {
        world.begin(&request).await.unwrap();
    }
    world.enrol(&request, &opening).await.unwrap();
}

fn with_broken_signature(statement: &Statement) -> Vec<u8> {
    let mut bytes = statement.emit();
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

#[tokio::test]
async fn bytes_that_are_no_enrolment_request_are_refused_by_field() {
    let world = World::new().await;
    let mut nonsense = Writer::new();
    for bytes in [Vec::new(), vec![1; 64], nonsense.raw(&[0xff; 300]).finish()] {
        let message = wire::BeginEnrolmentRequest { request: bytes };
        assert_eq!(refused(world.devices().begin_enrolment(message).await), Reason::InvalidField);
    }
}

#[tokio::test]
async fn revoking_a_device_twice_is_once() {
    let world = World::new().await;
    let device = world.device("device").await.unwrap();
    for _ in 0..2 {
        let message =
            wire::RevokeDeviceRequest { request_id: world.request_id(), device: device.id.to_string() };
        let call = with_key(message, &operator().reveal());
        let answer = world.devices().revoke_device(call).await.unwrap().into_inner();
        assert_eq!(answer.state(), wire::DeviceState::Revoked);
    }
    let list = world.trust().get_revocations(wire::GetRevocationsRequest {}).await.unwrap().into_inner();
    let list = Statement::parse(&list.revocations).unwrap();
    let list = list.verify::<layerlock_terms::trust::Revocations>(&key("licensor").verifying_key()).unwrap();
    assert_eq!((list.version, list.devices.len()), (1, 1));
}
