//! Sellers, offers and licenses: keys, manifests, terms (L4), lists.

use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_terms::ids::SellerId;
use layerlock_terms::license::{FailurePolicy, Terms};
use layerlock_terms::units::{Millis, Percent};

use crate::support::*;

#[tokio::test]
async fn the_same_request_id_gives_the_same_seller_and_the_same_key_again() {
    let mut world = World::new().await;
    let request = world.request_id();
    let first = world.create_seller(&request).await.unwrap();
    world.reopen().await.unwrap();
    assert_eq!(world.create_seller(&request).await.unwrap(), first);
    let another = world.create_seller(&world.request_id()).await.unwrap();
    assert_ne!(another.api_key, first.api_key);
}

#[tokio::test]
async fn a_sellers_key_is_certified_once_and_by_who_holds_it() {
    let world = World::new().await;
    let made = world.create_seller(&world.request_id()).await.unwrap();
    let seller = Seller { id: made.seller.parse().unwrap(), api_key: made.api_key, key: key("Ann") };
    let forged = world.pass(seller.id, &key("mallory"));
    assert_eq!(refused(world.certify(&world.request_id(), &seller, &forged).await), Reason::NotTrusted);
    let anothers = world.pass(SellerId::from_bytes([9; 16]), &seller.key);
    assert_eq!(refused(world.certify(&world.request_id(), &seller, &anothers).await), Reason::NotTrusted);
    let unnamed = world.pass(SellerId::from_bytes([0; 16]), &seller.key);
    let first = world.certify(&world.request_id(), &seller, &unnamed).await.unwrap();
    let (pass, request) = (world.pass(seller.id, &seller.key), world.request_id());
    assert_eq!(world.certify(&request, &seller, &pass).await.unwrap(), first);
    assert_eq!(refused(world.certify(&request, &seller, &unnamed).await), Reason::RequestIdReused);
    world.wait(Millis(60_000));
    assert_eq!(refused(world.certify(&world.request_id(), &seller, &pass).await), Reason::NotTrusted);
}

#[tokio::test]
async fn an_offer_stands_on_a_manifest_the_seller_signed_with_the_certified_key() {
    let world = World::new().await;
    let seller = world.seller("Ann").await.unwrap();
    let offer = |manifest| {
        let (world, seller) = (&world, &seller);
        async move { world.create_offer(&world.request_id(), seller, &manifest, &terms(1)).await }
    };
    let anothers = world.manifest(SellerId::from_bytes([9; 16]), &terms(1), &seller.key);
    assert_eq!(refused(offer(anothers).await), Reason::NotTrusted);
    let forged = world.manifest(seller.id, &terms(1), &key("mallory"));
    assert_eq!(refused(offer(forged).await), Reason::NotTrusted);
    assert!(offer(world.manifest(seller.id, &terms(1), &seller.key)).await.is_ok());
}

#[tokio::test]
async fn an_offer_beyond_its_manifest_is_refused() {
    let world = World::new().await;
    let seller = world.seller("Ann").await.unwrap();
    let manifest = world.manifest(seller.id, &terms(5), &seller.key);
    for beyond in [terms(6), Terms { failure: FailurePolicy::SpendFrom(Percent(51)), ..terms(5) }] {
        let answer = world.create_offer(&world.request_id(), &seller, &manifest, &beyond).await;
        assert_eq!(refused(answer), Reason::BeyondTerms);
    }
}

#[tokio::test]
async fn a_count_that_is_missing_zero_or_huge_is_never_a_license() {
    let world = World::new().await;
    let seller = world.seller("Ann").await.unwrap();
    let manifest = world.manifest(seller.id, &terms(Terms::MAX_COPIES), &seller.key);
    for copies in [0, Terms::MAX_COPIES + 1, u32::MAX] {
        let answer = world.create_offer(&world.request_id(), &seller, &manifest, &terms(copies)).await;
        assert_eq!(refused(answer), Reason::InvalidField, "{copies} copies");
    }
    let message = wire::CreateOfferRequest {
        request_id: world.request_id(),
        design_manifest: manifest.emit(),
        terms: None,
    };
    let answer = world.licenses().create_offer(with_key(message, &seller.api_key)).await;
    assert_eq!(refused(answer), Reason::InvalidField);
}

#[tokio::test]
async fn lists_show_everything_once_oldest_first_over_pages() {
    let world = World::new().await;
    let sale = world.sale(1).await;
    let mut made = vec![sale.license.clone()];
    let offer = world.offer(&sale.seller, &terms(1)).await.unwrap().offer;
    for _ in 0..6 {
        world.wait(Millis(1));
        made.push(
            world.issue(&world.request_id(), &sale.seller, &offer, &sale.buyer.id).await.unwrap().license,
        );
    }
    for api_key in [&sale.seller.api_key, &sale.buyer.api_key] {
        let (mut shown, mut token) = (Vec::new(), Vec::new());
        loop {
            let message = wire::ListLicensesRequest { page_size: 3, page_token: token };
            let page = world.licenses().list_licenses(with_key(message, api_key)).await.unwrap().into_inner();
            shown.extend(page.licenses.into_iter().map(|license| license.license));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(shown, made);
    }
}

#[tokio::test]
async fn a_page_too_large_is_refused() {
    let world = World::new().await;
    let seller = world.seller("Ann").await.unwrap();
    let message = wire::ListOffersRequest { page_size: 101, page_token: Vec::new() };
    let answer = world.licenses().list_offers(with_key(message, &seller.api_key)).await;
    assert_eq!(refused(answer), Reason::InvalidField);
}
