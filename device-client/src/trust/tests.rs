use layerlock_seal::keys::SigningKey;
use layerlock_terms::trust::SessionWelcome;

use super::*;
use crate::testbed::{FAR, NOW, World};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn root(version: u32, threshold: u8, keys: &[u8]) -> Root {
    let keys = keys.iter().map(|seed| key(*seed).verifying_key().into()).collect();
    Root { version, expires: FAR, threshold, keys }
}

fn signed(root: &Root, by: &[u8]) -> Vec<Statement> {
    by.iter().map(|seed| Statement::sign(root, &key(*seed))).collect()
}

fn establish(roots: &[Statement]) -> Result<Anchors, TrustError> {
    Anchors::establish(roots, &[], None, NOW)
}

#[test]
fn a_root_needs_the_threshold_of_its_own_distinct_keys() {
    let two_of_three = root(1, 2, &[1, 2, 3]);
    assert!(establish(&signed(&two_of_three, &[1, 3])).is_ok());
    for too_few in [&[1][..], &[1, 1], &[1, 9], &[]] {
        let refused = establish(&signed(&two_of_three, too_few)).unwrap_err();
        assert!(matches!(refused, TrustError::BelowThreshold { .. }), "{too_few:?}: {refused}");
    }
}

#[test]
fn a_root_with_another_digest_than_the_person_was_told_is_refused() {
    let right = root(1, 1, &[1]);
    let statements = signed(&right, &[1]);
    let expected = Some(root_digest(&right));
    assert!(Anchors::establish(&statements, &[], expected, NOW).is_ok());
    let other = signed(&root(1, 1, &[2]), &[2]);
    let refused = Anchors::establish(&other, &[], expected, NOW).unwrap_err();
    assert!(matches!(refused, TrustError::WrongRoot { .. }));
}

#[test]
fn an_older_root_is_never_taken_and_a_newer_one_only_from_the_pinned_keys() {
    let pinned = establish(&signed(&root(2, 1, &[1]), &[1])).unwrap();
    let renew = |next: &Root, by: &[u8]| pinned.renewed(&signed(next, by), &[], NOW);
    let older = renew(&root(1, 1, &[1]), &[1]).unwrap_err();
    assert_eq!(older, TrustError::OlderRoot { found: 1, pinned: 2 });
    let twin = renew(&root(2, 1, &[1, 4]), &[1]).unwrap_err();
    assert_eq!(twin, TrustError::OlderRoot { found: 2, pinned: 2 });
    let seized = renew(&root(3, 1, &[4]), &[4]).unwrap_err();
    assert!(matches!(seized, TrustError::BelowThreshold { signed: 0, .. }));
    assert!(renew(&root(u32::MAX, 1, &[4]), &[1, 4]).is_ok());
}

#[test]
fn a_root_or_certificate_past_its_end_is_refused() {
    let world = World::new(1);
    let establish = |now| Anchors::establish(&[world.root_statement(1)], &world.services(), None, now);
    assert!(establish(Timestamp(FAR.0 - 1)).is_ok());
    assert!(matches!(establish(FAR), Err(TrustError::Expired { what: "root", .. })));
}

#[test]
fn a_certificate_by_anyone_but_the_root_is_refused() {
    let world = World::new(1);
    let forged =
        ServiceCertificate { role: Role::Vault, key: world.vault.verifying_key().into(), expires: FAR };
    let forged = Statement::sign(&forged, &world.licensor);
    let refused = world.anchors().vouch(&forged, NOW).unwrap_err();
    assert!(matches!(refused, TrustError::NotByRoot(_)));
}

#[test]
fn a_key_serves_in_the_role_it_was_certified_for_and_no_other() {
    let world = World::new(1);
    let welcome = SessionWelcome { nonce: [1; 32], now: NOW };
    let by_licensor = Statement::sign(&welcome, &world.licensor);
    let anchors = world.anchors();
    assert!(anchors.verify::<SessionWelcome>(Role::Licensor, &by_licensor, NOW).is_ok());
    let refused = anchors.verify::<SessionWelcome>(Role::Vault, &by_licensor, NOW).unwrap_err();
    assert!(matches!(refused, TrustError::NoSuchKey { role: Role::Vault, .. }));
}

#[test]
fn anchors_read_back_as_they_were_written() {
    let anchors = World::new(1).anchors();
    let mut w = Writer::new();
    anchors.write(&mut w);
    let bytes = w.finish();
    let read = Anchors::read(&mut Reader::new(&bytes), NOW).unwrap();
    assert_eq!(read.root_digest(), anchors.root_digest());
    assert_eq!(read.keys(Role::Vault, NOW).count(), 1);
    for end in 0..bytes.len() {
        assert!(Anchors::read(&mut Reader::new(&bytes[..end]), NOW).is_err(), "cut at {end}");
    }
}
