//! The cases of the documents that define our primitives.

use super::*;

#[test]
fn sha_256_of_abc_is_fips_180s() {
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256(b"abc").to_string(), expected);
    assert_eq!(sha256_parts(&[b"a", b"", b"bc"]).to_string(), expected);
}

#[test]
fn blake3_is_the_blake3_teams_in_twelve_lengths_around_blocks_and_chunks() {
    for case in case::read(include_str!("blake3.txt"), 12) {
        let length = u32::from_be_bytes(case.array("length"));
        let input: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
        assert_eq!(blake3(&input), Digest(case.array("hash")), "{length} bytes");
    }
}

#[test]
fn hmac_is_rfc_4231s_in_all_seven_cases() {
    for case in case::read(include_str!("rfc4231.txt"), 7) {
        let key = as_hmac_key(case.bytes("key")).expect("no key of 33 to 64 bytes");
        let (head, tail) = case.bytes("message").split_at(3);
        let tag = mac(&key, &[head, tail]);
        // Case 5 gives the first half of its tag.
        assert_eq!(&tag[..case.bytes("tag").len()], case.bytes("tag"));
    }
}

#[test]
fn hkdf_is_rfc_5869s_in_all_three_cases_of_sha_256() {
    for case in case::read(include_str!("rfc5869.txt"), 3) {
        let (salt, input) = (case.bytes("salt"), case.bytes("input"));
        let prk = mac(&as_hmac_key(salt).expect("no salt of 33 to 64 bytes"), &[input]);
        assert_eq!(prk, case.array("prk"));
        let okm = hkdf_first_block(input, salt, case.bytes("info")).expect("a usable salt");
        assert_eq!(okm, case.bytes("output")[..32]);
    }
}

#[test]
fn derivation_takes_its_info_in_parts() {
    let secret = Secret::copy(&[7; 32]).expect("32 bytes");
    let whole = hkdf_first_block(&[7; 32], &[9; 32], b"info").expect("a usable salt");
    assert_eq!(derive(&secret, &[9; 32], &[b"in", b"", b"fo"]).as_bytes(), &whole);
}

#[test]
fn the_cipher_is_rfc_8439s_in_both_its_cases() {
    for case in case::read(include_str!("rfc8439.txt"), 2) {
        let key = Secret::copy(case.bytes("key")).expect("32 bytes");
        let (nonce, aad) = (case.array("nonce"), case.bytes("aad"));
        let (sealed, tag) = sealed_by_both(&key, nonce, aad, case.bytes("text"));
        assert_eq!((&sealed[..], tag), (case.bytes("sealed"), case.array("tag")));
        let opened = opened_by_both(&key, nonce, aad, &sealed, &tag);
        assert_eq!(opened.as_deref(), Ok(case.bytes("text")));
    }
}

#[test]
fn signatures_are_rfc_8032s_in_all_five_cases_of_ed25519() {
    for case in case::read(include_str!("rfc8032.txt"), 5) {
        let key = Ed25519Secret::from_bytes(&case.array("seed"));
        let public = ed25519_public(&case.array("public")).expect("a fit key");
        let (message, signature) = (case.bytes("message"), case.array("signature"));
        assert_eq!(key.verifying_key(), public);
        assert_eq!(sign(&key, message), signature);
        assert!(verifies(&public, message, &signature));
        assert!(!verifies(&public, b"another message", &signature));
    }
}

#[test]
fn wrapping_is_rfc_9180s_with_exactly_our_suite() {
    let cases = case::read(include_str!("rfc9180.txt"), 7);
    let (setup, encryptions) = cases.split_first().expect("a setup and six encryptions");
    let (secret, enc) = (x25519_secret(&setup.array("secret")), setup.array("enc"));
    assert_eq!(x25519_public(&secret), setup.array("public"));
    assert_eq!(x25519_public(&x25519_secret(&setup.array("ephemeral-secret"))), enc);

    // Encryptions 0 to 2 follow one another in one context; each of the six is its sequence's nonce.
    let mut context = hpke_context(&secret, &enc, setup.bytes("info")).expect("contributory");
    for (place, case) in encryptions.iter().enumerate() {
        if place < 3 {
            let opened = context.open(case.bytes("sealed"), case.bytes("aad"));
            assert_eq!(opened.as_deref(), Ok(case.bytes("text")), "encryption {place}");
        }
        let key = Secret::copy(setup.bytes("key")).expect("32 bytes");
        let mut text = case.bytes("text").to_vec();
        let tag = encrypt(&key, &case.array("nonce"), case.bytes("aad"), &mut text);
        assert_eq!([&text[..], &tag].concat(), case.bytes("sealed"), "encryption {place}");
    }
}

#[test]
fn an_encapsulation_draws_rfc_9180s_ephemeral_key_from_its_input() {
    let setup = &case::read(include_str!("rfc9180.txt"), 7)[0];
    let (info, public) = (setup.bytes("info"), setup.array("public"));
    let mut rng = Ephemeral(Some(setup.array("ephemeral-input")));
    let (drawn, sealed) = hpke_seal(&public, info, b"truth", &mut rng);
    assert_eq!(drawn, setup.array::<32>("enc"));
    let opened = hpke_open(&x25519_secret(&setup.array("secret")), &drawn, info, &sealed);
    assert_eq!(opened.as_ref().map(|it| &it[..]), Ok(&b"truth"[..]));
}

#[test]
fn the_key_schedule_written_once_more_is_rfc_9180s() {
    let setup = &case::read(include_str!("rfc9180.txt"), 7)[0];
    let schedule = schedule::Schedule::new(&setup.array("shared-secret"), setup.bytes("info"));
    assert_eq!(schedule.key.as_bytes(), &setup.array("key"));
    assert_eq!(schedule.nonce, setup.array("base-nonce"));
}
