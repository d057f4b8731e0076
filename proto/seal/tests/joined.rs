//! Joining copies of an endorsement: whoever may write a copy can't spoil what others signed.

use layerlock_seal::keys::SigningKey;
use layerlock_seal::trust::{Endorsement, TrustError};
use layerlock_terms::trust::Root;
use layerlock_terms::units::Timestamp;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// Two of keys 1, 2, 3.
fn root() -> Root {
    Root::new(1, Timestamp(1000), 2, [1, 2, 3].map(|seed| key(seed).verifying_key().into()).to_vec())
}

fn rightly_signed(endorsement: &Endorsement) -> usize {
    endorsement.count::<Root>(&[1, 2, 3].map(|seed| key(seed).verifying_key())).expect("it is a root")
}

/// The same signers, the last of whose signatures has one bit flipped.
fn damaged(endorsement: &Endorsement) -> Endorsement {
    let mut bytes = endorsement.emit();
    *bytes.last_mut().expect("not empty") ^= 1;
    Endorsement::parse(&bytes).expect("its form is right")
}

#[test]
fn copies_signed_apart_join_to_the_same_bytes_in_any_order() {
    let [first, second] = [1, 2].map(|seed| Endorsement::signed(&root(), &[&key(seed)]));
    let (mut left, mut right) = (first.clone(), second.clone());
    left.join(&second).expect("a copy of the same");
    right.join(&first).expect("a copy of the same");
    left.join(&second).expect("once more changes nothing");
    assert_eq!(left.emit(), right.emit());
    assert_eq!(rightly_signed(&left), 2);
}

#[test]
fn a_forged_copy_replaces_no_right_signature_and_leaves_the_file_as_it_was() {
    let right = Endorsement::signed(&root(), &[&key(1), &key(2)]);
    let mut joined = right.clone();
    let refused = joined.join(&damaged(&right)).expect_err("it holds garbage in a signer's name");
    assert_eq!(refused, TrustError::OtherSignature(right.signers().last().expect("two signed")));
    assert_eq!(joined, right);
}

#[test]
fn garbage_in_a_keys_name_does_not_stay_once_the_key_signs() {
    let right = Endorsement::signed(&root(), &[&key(1), &key(2)]);
    let mut mended = damaged(&right);
    assert_eq!(rightly_signed(&mended), 1);
    mended.sign::<Root>(&key(1)).expect("it is a root");
    mended.sign::<Root>(&key(2)).expect("it is a root");
    assert_eq!(mended, right);
}

#[test]
fn a_copy_stuffed_by_strangers_is_not_joined_to_a_file_nobody_could_read() {
    let right = Endorsement::signed(&root(), &[&key(1), &key(2)]);
    let strangers: Vec<_> = (100..132).map(key).collect();
    let mut stuffed = Endorsement::signed(&root(), &strangers.iter().collect::<Vec<_>>());
    let mut joined = right.clone();
    assert_eq!(joined.join(&stuffed), Err(TrustError::TooManySignatures));
    assert_eq!(joined, right);
    assert_eq!(stuffed.sign::<Root>(&key(1)), Err(TrustError::TooManySignatures));
    Endorsement::parse(&stuffed.emit()).expect("32 can be read");
}
