//! Known answers from the documents that define each primitive, put through our own functions.

use super::*;

fn unhex<const N: usize>(hex: &str) -> [u8; N] {
    let hex: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    assert_eq!(hex.len(), 2 * N, "a vector of another length");
    let digit = |b: u8| char::from(b).to_digit(16).expect("hex") as u8;
    std::array::from_fn(|at| digit(hex[2 * at]) << 4 | digit(hex[2 * at + 1]))
}

/// A secret of fewer than 32 bytes, padded with zeros as HMAC pads its keys.
fn secret(bytes: &[u8]) -> Secret {
    let mut padded = [0; 32];
    padded[..bytes.len()].copy_from_slice(bytes);
    Secret::copy(&padded).expect("32 bytes")
}

#[test]
fn sha_256_of_abc_is_fips_180s() {
    let expected = unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(sha256(b"abc"), Digest(expected));
    assert_eq!(sha256_parts(&[b"a", b"", b"bc"]), Digest(expected));
}

#[test]
fn hmac_is_rfc_4231s() {
    // Test cases 1 and 2: keys shorter than a block are padded with zeros, so 32 bytes hold them.
    let first = mac(&secret(&[0x0b; 20]), &[b"Hi ", b"There"]);
    assert_eq!(first, unhex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    let second = mac(&secret(b"Jefe"), &[b"what do ya want for nothing?"]);
    assert_eq!(second, unhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

#[test]
fn hkdf_is_rfc_5869s_formula_over_that_hmac() {
    // T(1) of section 2.3; the RFC's own inputs aren't 32 bytes long, and ours always are.
    let (ikm, salt) = (secret(&[7; 32]), secret(&[9; 32]));
    let prk = Secret::copy(&mac(&salt, &[ikm.as_bytes()])).expect("32 bytes");
    let okm = mac(&prk, &[b"info", &[1]]);
    assert_eq!(derive(&ikm, salt.as_bytes(), &[b"in", b"fo"]).as_bytes(), &okm);
}

#[test]
fn the_cipher_is_rfc_8439s() {
    // Section 2.8.2.
    let key = secret(&std::array::from_fn::<u8, 32, _>(|at| 0x80 + at as u8));
    let nonce = unhex("070000004041424344454647");
    let aad: [u8; 12] = unhex("50515253c0c1c2c3c4c5c6c7");
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    let mut text = *plain;
    let tag = encrypt(&key, &nonce, &aad, &mut text);
    assert_eq!(
        text,
        unhex(
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b
             1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
             3ff4def08e4b7a9de576d26586cec64b6116"
        )
    );
    assert_eq!(tag, unhex("1ae10b594f09e26a7e902ecbd0600691"));
    assert_eq!(decrypt(&key, &nonce, &aad, &mut text, &tag), Ok(()));
    assert_eq!(&text, plain);
}

#[test]
fn signatures_are_rfc_8032s() {
    // Section 7.1, tests 1 and 2.
    let cases: [(&str, &str, &[u8], &str); 2] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b
             d25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c
             387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ];
    for (seed, public, message, signature) in cases {
        let key = Ed25519Secret::from_bytes(&unhex(seed));
        let public = ed25519_public(&unhex(public)).expect("a fit key");
        assert_eq!(key.verifying_key(), public);
        assert_eq!(sign(&key, message), unhex(signature));
        assert!(verifies(&public, message, &unhex(signature)));
        assert!(!verifies(&public, b"another message", &unhex(signature)));
    }
}

/// Gives the ephemeral key's input of the RFC's example and then refuses.
struct Ephemeral(Option<[u8; 32]>);

impl rand_core::TryRng for Ephemeral {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        panic!("an encapsulation draws bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        panic!("an encapsulation draws bytes")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.copy_from_slice(&self.0.take().expect("an encapsulation draws once"));
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Ephemeral {}

#[test]
fn wrapping_is_rfc_9180s() {
    // Appendix A.2.1: base mode of exactly our suite, first encryption.
    let secret = x25519_secret(&unhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"));
    let public = unhex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
    let enc = unhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
    let info = b"Ode on a Grecian Urn";
    let sealed: [u8; 45] =
        unhex("1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28");
    assert_eq!(x25519_public(&secret), public);
    let mut context = hpke_context(&secret, &enc, info).expect("contributory");
    assert_eq!(context.open(&sealed, b"Count-0").as_deref(), Ok(&b"Beauty is truth, truth beauty"[..]));

    let input = unhex("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b");
    let (drawn, sealed) = hpke_seal(&public, info, b"truth", &mut Ephemeral(Some(input)));
    assert_eq!(drawn, enc, "the same input gives the RFC's ephemeral key");
    assert_eq!(hpke_open(&secret, &drawn, info, &sealed).as_ref().map(|it| &it[..]), Ok(&b"truth"[..]));
}

#[test]
fn p_is_the_first_number_that_is_not_canonical() {
    let p: [u8; 32] =
        std::array::from_fn(|at| [0xed, 0xff, 0x7f][usize::from(at > 0) + usize::from(at == 31)]);
    let mut below = p;
    below[0] -= 1;
    assert!(below_p(&below) && !below_p(&p));
    assert!(!below_p(&[0xff; 32]) && below_p(&[0; 32]));
    let mut high_with_a_gap = p;
    high_with_a_gap[15] = 0xfe;
    assert!(below_p(&high_with_a_gap));
}
