//! Wycheproof's suites for the primitives as they are used here. Every case of every suite is accounted for:
//! run, or counted as one that our types can't even express, such as a nonce of another length.

use ::wycheproof::TestResult::{Acceptable, Invalid, Valid};
use ::wycheproof::{aead, eddsa, hkdf, mac, xdh};

use super::schedule::{Schedule, shared_secret};
use super::*;

/// How many cases ended which way.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    taken: usize,
    refused: usize,
    /// Refused by the types of our functions: no value of them says this.
    inexpressible: usize,
}

#[test]
fn ed25519_takes_all_88_valid_signatures_and_none_of_the_63_invalid() {
    // Strict verification refuses none of the suite's valid cases: its keys and nonce points are ordinary.
    // Those published elsewhere that it does refuse are in `edges`.
    let suite = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the suite is readable");
    let mut tally = Tally::default();
    for group in &suite.test_groups {
        let public = group.key.pk[..].try_into().expect("32 bytes");
        let key = ed25519_public(public).expect("a fit key");
        for test in &group.tests {
            let Ok(signature) = test.sig[..].try_into() else {
                tally.inexpressible += 1;
                assert_eq!(test.result, Invalid, "case {}", test.tc_id);
                continue;
            };
            let taken = verifies(&key, &test.msg, signature);
            assert_eq!(taken, test.result == Valid, "case {}: {}", test.tc_id, test.comment);
            *(if taken { &mut tally.taken } else { &mut tally.refused }) += 1;
        }
    }
    assert_eq!(tally, Tally { taken: 88, refused: 51, inexpressible: 12 });
}

#[test]
fn chacha20_poly1305_seals_and_opens_all_256_valid_cases_and_opens_none_of_the_60_forged() {
    let suite = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).expect("the suite is readable");
    let mut tally = Tally::default();
    for test in suite.test_groups.iter().flat_map(|group| &group.tests) {
        let key = Secret::copy(&test.key).expect("all keys are 32 bytes");
        let Ok(nonce) = test.nonce[..].try_into() else {
            tally.inexpressible += 1;
            assert_eq!(test.result, Invalid, "case {}", test.tc_id);
            continue;
        };
        let tag = test.tag[..].try_into().expect("16 bytes");
        let opened = opened_by_both(&key, nonce, &test.aad, &test.ct, tag);
        assert_eq!(opened.is_ok(), test.result == Valid, "case {}: {}", test.tc_id, test.comment);
        let Ok(text) = opened else {
            tally.refused += 1;
            continue;
        };
        assert_eq!(text, test.pt[..], "case {}", test.tc_id);
        assert_eq!(sealed_by_both(&key, nonce, &test.aad, &text), (test.ct.to_vec(), *tag));
        tally.taken += 1;
    }
    assert_eq!(tally, Tally { taken: 256, refused: 60, inexpressible: 9 });
}

/// How many public keys of the X25519 suite our key rules take or refuse, and why.
#[derive(Debug, Default, PartialEq)]
struct Keys {
    fit: usize,
    /// KEY-4: every exchange gives zero; six of them are not canonical either.
    low_order: usize,
    /// KEY-3 alone: 32 bytes that are p or more, or have their top bit set.
    not_canonical: usize,
}

#[test]
fn x25519_gives_all_487_shared_secrets_and_refuses_the_31_that_are_zero() {
    let suite = xdh::TestSet::load(xdh::TestName::X25519).expect("the suite is readable");
    let (mut tally, mut keys) = (Tally::default(), Keys::default());
    for test in suite.test_groups.iter().flat_map(|group| &group.tests) {
        assert!(matches!(test.result, Valid | Acceptable), "case {}", test.tc_id);
        let enc: [u8; 32] = test.public_key[..].try_into().expect("32 bytes");
        let secret = x25519_secret(test.private_key[..].try_into().expect("32 bytes"));
        let exchanged = test.shared_secret[..].try_into().expect("32 bytes");
        let shared = shared_secret(exchanged, &enc, &x25519_public(&secret));
        let sealed = Schedule::new(&shared, b"wycheproof").seal(b"exchanged");
        let opened = hpke_open(&secret, &enc, b"wycheproof", &sealed);
        let zero = exchanged == &[0; 32];
        assert_eq!(opened.is_err(), zero, "case {}: {}", test.tc_id, test.comment);
        *(if zero { &mut tally.refused } else { &mut tally.taken }) += 1;
        count_key(test, &enc, zero, &mut keys);
    }
    assert_eq!(tally, Tally { taken: 487, refused: 31, inexpressible: 0 });
    assert_eq!(keys, Keys { fit: 474, low_order: 31, not_canonical: 13 });
}

fn count_key(test: &xdh::Test, public: &[u8; 32], zero: bool, keys: &mut Keys) {
    let has = |flag| test.flags.contains(&flag);
    let not_canonical = has(xdh::TestFlag::NonCanonicalPublic);
    assert_eq!(x25519_is_fit(public), !zero && !not_canonical, "case {}: {}", test.tc_id, test.comment);
    assert_eq!(has(xdh::TestFlag::LowOrderPublic), zero, "case {}", test.tc_id);
    *(match (zero, not_canonical) {
        (true, _) => &mut keys.low_order,
        (false, true) => &mut keys.not_canonical,
        (false, false) => &mut keys.fit,
    }) += 1;
}

#[test]
fn hkdf_gives_the_first_block_of_79_outputs() {
    // Our outputs are one block long and our secrets 32 bytes: of the rest a longer output's first block is
    // compared. Left are four salts of 33 to 64 bytes under other secrets, and three outputs over 255 blocks.
    let suite = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).expect("the suite is readable");
    let mut tally = Tally::default();
    for test in suite.test_groups.iter().flat_map(|group| &group.tests) {
        let block = hkdf_first_block(&test.ikm, &test.salt, &test.info).filter(|_| test.result == Valid);
        let Some(block) = block else {
            tally.inexpressible += 1;
            continue;
        };
        let compared = test.size.min(block.len());
        assert_eq!(block[..compared], test.okm[..compared], "case {}", test.tc_id);
        tally.taken += 1;
    }
    assert_eq!(tally, Tally { taken: 79, refused: 0, inexpressible: 7 });
}

#[test]
fn hmac_gives_all_66_tags_and_none_of_the_108_changed() {
    let suite = mac::TestSet::load(mac::TestName::HmacSha256).expect("the suite is readable");
    let mut tally = Tally::default();
    for test in suite.test_groups.iter().flat_map(|group| &group.tests) {
        let key = as_hmac_key(&test.key).expect("no key of 33 to 64 bytes");
        let tag = super::mac(&key, &[&test.msg]);
        let taken = equal(&tag[..test.tag.len()], &test.tag);
        assert_eq!(taken, test.result == Valid, "case {}: {}", test.tc_id, test.comment);
        *(if taken { &mut tally.taken } else { &mut tally.refused }) += 1;
    }
    assert_eq!(tally, Tally { taken: 66, refused: 108, inexpressible: 0 });
}
