//! Who may call what, and that another tenant's thing is as absent as one that never was (L9).

use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_terms::ids::{HoldId, LicenseId, OfferId};
use layerlock_terms::receipt::Outcome;
use tonic::Status;

use crate::support::*;

/// Both are refused in the same words, but for the id.
fn alike(foreign: &Status, foreign_id: &str, absent: &Status, absent_id: &str) {
    assert_eq!(reason(foreign), Reason::NotFound);
    assert_eq!(reason(absent), Reason::NotFound);
    assert_eq!(foreign.message().replace(foreign_id, "it"), absent.message().replace(absent_id, "it"));
}

#[tokio::test]
async fn another_tenants_license_is_as_absent_as_one_that_never_was() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let stranger = world.seller("stranger").await.unwrap();
    let strange_buyer = world.create_buyer(&world.request_id(), &stranger).await.unwrap();
    let absent = LicenseId::from_bytes([9; 16]).to_string();
    for api_key in [&stranger.api_key, &strange_buyer.api_key] {
        let look = |license: &str| {
            let message = wire::GetLicenseRequest { license: license.into() };
            let (mut client, api_key) = (world.licenses(), api_key.clone());
            async move { client.get_license(with_key(message, &api_key)).await.unwrap_err() }
        };
        alike(&look(&sale.license).await, &sale.license, &look(&absent).await, &absent);
    }
    let hold = |license: &str| {
        let request_id = world.request_id();
        let message = wire::PlaceHoldRequest {
            request_id,
            license: license.into(),
            device: sale.device.id.to_string(),
        };
        let (mut client, api_key) = (world.copies(), strange_buyer.api_key.clone());
        async move { client.place_hold(with_key(message, &api_key)).await.unwrap_err() }
    };
    alike(&hold(&sale.license).await, &sale.license, &hold(&absent).await, &absent);
    let revoke = |license: &str| {
        let message = wire::RevokeLicenseRequest { request_id: world.request_id(), license: license.into() };
        let (mut client, api_key) = (world.licenses(), stranger.api_key.clone());
        async move { client.revoke_license(with_key(message, &api_key)).await.unwrap_err() }
    };
    alike(&revoke(&sale.license).await, &sale.license, &revoke(&absent).await, &absent);
}

#[tokio::test]
async fn another_sellers_offer_and_buyer_are_absent() {
    let world = World::new().await;
    let (ann, bob) = (world.seller("Ann").await.unwrap(), world.seller("Bob").await.unwrap());
    let offer = world.offer(&ann, &terms(1)).await.unwrap().offer;
    let (anns, bobs) = (
        world.create_buyer(&world.request_id(), &ann).await.unwrap(),
        world.create_buyer(&world.request_id(), &bob).await.unwrap(),
    );
    let bobs_own = world.offer(&bob, &terms(1)).await.unwrap().offer;
    assert_eq!(refused(world.issue(&world.request_id(), &bob, &offer, &bobs.id).await), Reason::NotFound);
    assert_eq!(refused(world.issue(&world.request_id(), &bob, &bobs_own, &anns.id).await), Reason::NotFound);
    let absent = OfferId::from_bytes([9; 16]).to_string();
    let look = |offer: &str| {
        let message = wire::GetOfferRequest { offer: offer.into() };
        let (mut client, api_key) = (world.licenses(), bob.api_key.clone());
        async move { client.get_offer(with_key(message, &api_key)).await.unwrap_err() }
    };
    alike(&look(&offer).await, &offer, &look(&absent).await, &absent);
}

#[tokio::test]
async fn a_stolen_page_token_shows_nothing_of_its_owner() {
    let world = World::new().await;
    let (ann, bob) = (world.seller("Ann").await.unwrap(), world.seller("Bob").await.unwrap());
    for _ in 0..2 {
        world.offer(&ann, &terms(1)).await.unwrap();
    }
    let page = |api_key: &str, page_token: Vec<u8>| {
        let message = wire::ListOffersRequest { page_size: 1, page_token };
        let (mut client, call) = (world.licenses(), with_key(message, api_key));
        async move { client.list_offers(call).await.map(tonic::Response::into_inner) }
    };
    let token = page(&ann.api_key, Vec::new()).await.unwrap().next_page_token;
    assert!(!token.is_empty());
    assert_eq!(refused(page(&bob.api_key, token).await), Reason::InvalidField);
    assert!(page(&bob.api_key, Vec::new()).await.unwrap().offers.is_empty());
}

#[tokio::test]
async fn an_entry_is_opened_for_the_two_sides_and_the_operator_only() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let hold = world.hold(&sale).await.unwrap();
    let look = |api_key: &str, hold: HoldId| {
        let message = wire::GetEntryRequest { hold: hold.to_string() };
        let (mut client, call) = (world.ledger(), with_key(message, api_key));
        async move { client.get_entry(call).await.map(|answer| answer.into_inner().entry.unwrap()) }
    };
    assert_eq!(refused(look(&sale.seller.api_key, hold.id).await), Reason::NotFound);
    world.admit(&hold).await.unwrap();
    let receipt = sale.device.ended(&hold, Outcome::Printed, extent(1, 1));
    let entry = world.settle(hold.id, &receipt).await.unwrap();
    let operator = operator().reveal().to_string();
    for api_key in [&sale.seller.api_key, &sale.buyer.api_key, &operator] {
        assert_eq!(look(api_key, hold.id).await.unwrap(), entry);
    }
    let stranger = world.seller("stranger").await.unwrap();
    let (foreign, absent) = (hold.id, HoldId::from_bytes([9; 16]));
    let (refused_foreign, refused_absent) = (
        look(&stranger.api_key, foreign).await.unwrap_err(),
        look(&stranger.api_key, absent).await.unwrap_err(),
    );
    alike(&refused_foreign, &foreign.to_string(), &refused_absent, &absent.to_string());
}

#[tokio::test]
async fn every_call_is_refused_to_the_wrong_party_and_to_nobody() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let operator = operator().reveal().to_string();
    let create = wire::CreateSellerRequest { request_id: world.request_id() };
    let answer = world.sellers().create_seller(with_key(create.clone(), &sale.seller.api_key)).await;
    assert_eq!(refused(answer), Reason::WrongParty);
    let place = wire::PlaceHoldRequest {
        request_id: world.request_id(),
        license: sale.license.clone(),
        device: sale.device.id.to_string(),
    };
    for api_key in [&sale.seller.api_key, &operator] {
        let answer = world.copies().place_hold(with_key(place.clone(), api_key)).await;
        assert_eq!(refused(answer), Reason::WrongParty);
    }
    let code = world.code(&world.request_id(), &sale.buyer.api_key).await;
    assert_eq!(refused(code), Reason::WrongParty);
    let devices = wire::ListDevicesRequest { page_size: 0, page_token: Vec::new() };
    let answer = world.devices().list_devices(with_key(devices, &sale.seller.api_key)).await;
    assert_eq!(refused(answer), Reason::WrongParty);
    for nobody in ["", "layerlock_", &"0".repeat(64), &format!("layerlock_{}", "0".repeat(64))] {
        let answer = world.sellers().create_seller(with_key(create.clone(), nobody)).await;
        assert_eq!(refused(answer), Reason::Unauthenticated, "{nobody:?}");
    }
    let answer = world.sellers().create_seller(create).await;
    assert_eq!(refused(answer), Reason::Unauthenticated);
}

#[tokio::test]
async fn one_callers_request_id_is_nothing_to_another() {
    let world = World::new().await;
    let (ann, bob) = (world.seller("Ann").await.unwrap(), world.seller("Bob").await.unwrap());
    let request = world.request_id();
    let anns = world.create_buyer(&request, &ann).await.unwrap();
    let bobs = world.create_buyer(&request, &bob).await.unwrap();
    assert_ne!(anns.id, bobs.id);
    assert_ne!(anns.api_key, bobs.api_key);
}
