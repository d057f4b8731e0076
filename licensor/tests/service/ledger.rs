//! The ledger against those who would rewrite it (S1, S4, V3), and what a licensor refuses to open on.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use layerlock_licensor::{AuditError, LedgerError, Licensor, OpenError, TrustError};
use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_seal::keys::SigningKey;
use layerlock_seal::note::NoteSigner;
use layerlock_seal::trust;
use layerlock_store::{Commit, Expect, Key, MemoryStore, Store};
use layerlock_terms::ids::LicenseId;
use layerlock_terms::license::Hold;
use layerlock_terms::receipt::Outcome;
use layerlock_terms::trust::{Role, Root, ServiceCertificate};

use crate::support::*;

async fn print_one(world: &World, sale: &Sale) -> Hold {
    let hold = world.hold(sale).await.unwrap();
    world.admit(&hold).await.unwrap();
    world.settle(hold.id, &sale.device.ended(&hold, Outcome::Printed, extent(3, 3))).await.unwrap();
    hold
}

async fn overwrite(store: &dyn Store, key: Key, change: impl FnOnce(&mut Vec<u8>)) {
    let mut value = store.load(&key).await.unwrap().expect("the record to edit is there").value;
    change(&mut value);
    store.commit(Commit::new().put(key, value, Expect::Anything)).await.unwrap();
}

fn license_key(sale: &Sale) -> Key {
    let id: LicenseId = sale.license.parse().unwrap();
    Key::new("license", &[id.as_bytes()]).unwrap()
}

#[tokio::test]
async fn an_empty_ledger_has_a_signed_head() {
    assert_eq!(World::new().await.audit().await.size, 0);
}

#[tokio::test]
async fn every_prefix_of_the_log_is_provably_a_prefix() {
    let mut world = World::new().await;
    let sale = world.sale(9).await;
    let mut heads = vec![world.audit().await];
    for _ in 0..9 {
        print_one(&world, &sale).await;
        heads.push(world.audit().await);
        world.reopen().await.unwrap();
    }
    for old in &heads {
        for new in heads.iter().filter(|new| new.size >= old.size) {
            let proof = world.consistency(old.size, new.size).await;
            proof.verify(&old.root, &new.root).unwrap();
        }
    }
    let beyond = wire::GetConsistencyRequest { old_size: 1, new_size: 10 };
    assert_eq!(refused(world.ledger().get_consistency(beyond).await), Reason::InvalidField);
}

#[tokio::test]
async fn the_public_log_never_shows_the_same_leaf_for_the_same_kind_of_sale() {
    let world = World::new().await;
    let sale = world.sale(2).await;
    print_one(&world, &sale).await;
    print_one(&world, &sale).await;
    let message = wire::ListLeavesRequest { start: 0, page_size: 0 };
    let leaves = world.ledger().list_leaves(message).await.unwrap().into_inner().leaf_hashes;
    assert_eq!(leaves.len(), 2);
    assert_ne!(leaves[0], leaves[1]);
}

#[tokio::test]
async fn a_count_edited_in_the_database_is_found_at_opening() {
    let mut world = World::new().await;
    let sale = world.sale(3).await;
    print_one(&world, &sale).await;
    world.reopen().await.expect("nothing was edited yet");
    // The counts stand before the nine bytes of the revocation: one copy moves from spent back to free.
    overwrite(&*world.store, license_key(&sale), |record| {
        let counts = record.len() - 9 - 16;
        record[counts + 7] += 1;
        record[counts + 15] -= 1;
    })
    .await;
    let error = world.reopen().await.unwrap_err();
    assert!(matches!(error, OpenError::Audit(AuditError::Counts { .. })), "{error}");
}

#[tokio::test]
async fn a_license_edited_in_the_database_serves_nobody() {
    let mut world = World::new().await;
    let sale = world.sale(3).await;
    overwrite(&*world.store, license_key(&sale), |record| record[100] ^= 1).await;
    assert_eq!(refused(world.hold(&sale).await), Reason::Stopped);
    assert!(world.reopen().await.is_err());
}

#[tokio::test]
async fn a_leaf_that_was_removed_or_changed_is_found_at_opening() {
    let mut world = World::new().await;
    let sale = world.sale(3).await;
    for _ in 0..3 {
        print_one(&world, &sale).await;
    }
    let leaf = Key::new("ledger-leaf", &[&1u64.to_be_bytes()]).unwrap();
    let kept = world.store.load(&leaf).await.unwrap().unwrap().value;
    overwrite(&*world.store, leaf.clone(), |record| record[5] ^= 1).await;
    let error = world.reopen().await.unwrap_err();
    assert_eq!(error, OpenError::Audit(AuditError::Ledger(LedgerError::Root(3))));
    world.store.commit(Commit::new().delete(leaf.clone(), Expect::Anything)).await.unwrap();
    let error = world.reopen().await.unwrap_err();
    assert_eq!(error, OpenError::Audit(AuditError::Ledger(LedgerError::Missing { found: 1, wanted: 3 })));
    world.store.commit(Commit::new().put(leaf, kept, Expect::Anything)).await.unwrap();
    world.reopen().await.unwrap();
}

#[tokio::test]
async fn an_older_head_put_back_is_found_at_opening_and_by_who_is_running() {
    let mut world = World::new().await;
    let sale = world.sale(3).await;
    print_one(&world, &sale).await;
    let head = Key::new("ledger-head", &[]).unwrap();
    let older = world.store.load(&head).await.unwrap().unwrap().value;
    print_one(&world, &sale).await;
    world.store.commit(Commit::new().put(head, older, Expect::Anything)).await.unwrap();
    let running = world.ledger().get_checkpoint(wire::GetCheckpointRequest {}).await;
    assert_eq!(refused(running), Reason::Stopped);
    let error = world.reopen().await.unwrap_err();
    assert_eq!(error, OpenError::Audit(AuditError::Entries { leaves: 1, settled: 2 }));
}

#[tokio::test]
async fn a_head_nobody_signed_is_found_at_opening() {
    let mut world = World::new().await;
    let sale = world.sale(3).await;
    print_one(&world, &sale).await;
    let head = Key::new("ledger-head", &[]).unwrap();
    overwrite(&*world.store, head, |record| {
        let last = record.len() - 3;
        record[last] = if record[last] == b'A' { b'B' } else { b'A' };
    })
    .await;
    let error = world.reopen().await.unwrap_err();
    assert_eq!(error, OpenError::Audit(AuditError::Ledger(LedgerError::Head(1))));
}

#[tokio::test]
async fn a_licensor_with_keys_the_root_does_not_certify_does_not_open() {
    let (clock, draws) = (Arc::new(AtomicU64::new(START.0)), Arc::new(AtomicU64::new(0)));
    let config = || config(Arc::new(MemoryStore::new()), &clock, &draws);
    let mut issuer = config();
    issuer.issuer = key("mallory");
    let error = Licensor::open(issuer).await.err().unwrap();
    assert_eq!(error, OpenError::Trust(TrustError::NotCertified(Role::Licensor)));
    let mut checkpoint = config();
    checkpoint.checkpoint = NoteSigner::from_seed(ORIGIN, &[9; 32]);
    let error = Licensor::open(checkpoint).await.err().unwrap();
    assert_eq!(error, OpenError::Trust(TrustError::NotCertified(Role::Checkpoint)));
    let mut rootless = config();
    rootless.roots.clear();
    let error = Licensor::open(rootless).await.err().unwrap();
    assert_eq!(error, OpenError::Trust(TrustError::Chain(trust::TrustError::NoRoot)));
    let mut nameless = config();
    nameless.checkpoint =
        NoteSigner::from_seed("two words", layerlock_seal::sha256(b"checkpoint").as_bytes());
    assert_eq!(Licensor::open(nameless).await.err().unwrap(), OpenError::Origin("two words".into()));
}

#[tokio::test]
async fn a_licensor_whose_key_is_certified_for_two_purposes_never_starts() {
    let (clock, draws) = (Arc::new(AtomicU64::new(START.0)), Arc::new(AtomicU64::new(0)));
    let mut config = config(Arc::new(MemoryStore::new()), &clock, &draws);
    let twice =
        ServiceCertificate { role: Role::Vault, key: config.issuer.verifying_key().into(), expires: FOREVER };
    config.service_certificates.push(trust::Endorsement::signed(&twice, &[&key("root")]));
    let error = Licensor::open(config).await.err().unwrap();
    let refused =
        matches!(error, OpenError::Trust(TrustError::Chain(trust::TrustError::OtherPurpose { .. })));
    assert!(refused, "{error}");
}

#[tokio::test]
async fn a_root_signed_by_too_few_of_its_keys_is_none() {
    let (clock, draws) = (Arc::new(AtomicU64::new(START.0)), Arc::new(AtomicU64::new(0)));
    let keys = [key("root"), key("second"), key("mallory")];
    let [root, second, mallory] = &keys;
    let noun = Root::new(1, FOREVER, 2, vec![root.verifying_key().into(), second.verifying_key().into()]);
    let open = |by: &[&SigningKey]| {
        let mut config = config(Arc::new(MemoryStore::new()), &clock, &draws);
        config.roots = vec![trust::Endorsement::signed(&noun, by)];
        for certificate in &mut config.service_certificates {
            certificate.sign::<ServiceCertificate>(second).unwrap();
        }
        Licensor::open(config)
    };
    let error = open(&[root, root, mallory]).await.err().unwrap();
    let too_few = trust::TrustError::BelowThreshold { root: 1, signed: 1, threshold: 2 };
    assert_eq!(error, OpenError::Trust(TrustError::Chain(too_few)));
    assert!(open(&[root, second]).await.is_ok());
}
