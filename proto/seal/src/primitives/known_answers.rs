//! Known answers put through our own functions: from the documents that define each primitive, from the
//! published edge cases of signatures, and (`wycheproof`) from the suites that look for what others got wrong.
//!
//! The documents' cases stand in text files beside this one, copied digit by digit. A test that ran another
//! number of cases than its source has fails: what isn't run proves nothing.

mod case;
mod edges;
mod rfcs;
mod schedule;
mod wycheproof;

use super::*;
use case::Case;

/// A secret of fewer than 32 bytes, padded with zeros as HMAC pads its keys; one of more than HMAC's 64-byte
/// block hashed, as HMAC hashes it. Lengths between fit in no secret of ours: `None`.
fn as_hmac_key(bytes: &[u8]) -> Option<Secret> {
    if bytes.len() > 64 {
        return Secret::copy(sha256(bytes).as_bytes());
    }
    let mut padded = [0; 32];
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Secret::copy(&padded)
}

/// The first 32 bytes of HKDF's output: by [`derive`] for secrets of 32 bytes, which ours always are, else by
/// RFC 5869's formula over [`mac`]. Where both can, both must agree. `None` for a salt HMAC's key can't hold.
fn hkdf_first_block(input: &[u8], salt: &[u8], info: &[u8]) -> Option<[u8; 32]> {
    let derived = Secret::copy(input).map(|secret| *derive(&secret, salt, &[info]).as_bytes());
    let by_formula = as_hmac_key(salt).map(|salt| {
        let prk = Secret::copy(&mac(&salt, &[input])).expect("32 bytes");
        mac(&prk, &[info, &[1]])
    });
    match (derived, by_formula) {
        (Some(derived), Some(by_formula)) => {
            assert_eq!(derived, by_formula, "`derive` is RFC 5869's formula over `mac`");
            Some(derived)
        }
        (derived, by_formula) => derived.or(by_formula),
    }
}

/// Seals by both implementations, which must agree: text and tag.
fn sealed_by_both(key: &Secret, nonce: [u8; 12], aad: &[u8], text: &[u8]) -> (Vec<u8>, [u8; TAG]) {
    let (mut short, mut stream) = (text.to_vec(), text.to_vec());
    let tag = encrypt(key, &nonce, aad, &mut short);
    assert_eq!(Cipher::new(key).encrypt(nonce, aad, &mut stream), tag);
    assert_eq!(stream, short);
    (short, tag)
}

/// Opens by both implementations, which must agree. What doesn't open leaves no text behind: one leaves the bytes
/// as they were, the other clears them.
fn opened_by_both(
    key: &Secret,
    nonce: [u8; 12],
    aad: &[u8],
    sealed: &[u8],
    tag: &[u8; TAG],
) -> Result<Vec<u8>, CannotOpen> {
    let (mut short, mut stream) = (sealed.to_vec(), [sealed, tag].concat());
    let by_short = decrypt(key, &nonce, aad, &mut short, tag);
    let by_stream = Cipher::new(key).decrypt(nonce, aad, &mut stream).map(|text| text.to_vec());
    match (by_short, by_stream) {
        (Ok(()), Ok(text)) => {
            assert_eq!(text, short);
            Ok(text)
        }
        (Err(CannotOpen), Err(CannotOpen)) => {
            assert_eq!(short, sealed);
            assert!(stream[..sealed.len()].iter().all(|byte| *byte == 0));
            Err(CannotOpen)
        }
        _ => panic!("one implementation opens it and the other doesn't"),
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
