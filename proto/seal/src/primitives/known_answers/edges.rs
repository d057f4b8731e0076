//! Signatures that verifiers disagree about, published as the twelve cases of "Taming the many EdDSAs".
//!
//! Cases 0 to 5 are valid by the equation with cofactor that RFC 8032 allows, 6 to 11 break its encoding.
//! Strict verification takes one of them, case 3: key and nonce point have a part of low order each, yet the
//! equation without cofactor holds, and neither is of low order as a whole. It fits no second message.

use super::*;

/// What is said of a case before its signature is even looked at, and then of the signature.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The key is not canonical or of low order: it never becomes a key here.
    UnfitKey,
    /// The key may be, the signature is refused.
    Refused,
    Taken,
}

#[test]
fn of_twelve_published_edge_signatures_strict_verification_takes_one() {
    use Verdict::{Refused, Taken, UnfitKey};
    let verdict = |case: &Case| match ed25519_public(&case.array("public")) {
        None => UnfitKey,
        Some(key) if verifies(&key, case.bytes("message"), &case.array("signature")) => Taken,
        Some(_) => Refused,
    };
    let verdicts: Vec<_> = case::read(include_str!("edge_signatures.txt"), 12).iter().map(verdict).collect();
    let low_order = [UnfitKey, UnfitKey, Refused];
    let mixed_order = [Taken, Refused, Refused];
    let scalar_not_reduced = [Refused, Refused];
    let not_canonical = [Refused, Refused, UnfitKey, UnfitKey];
    let expected = low_order.into_iter().chain(mixed_order).chain(scalar_not_reduced).chain(not_canonical);
    assert_eq!(verdicts, expected.collect::<Vec<_>>());
}
