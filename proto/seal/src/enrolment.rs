//! Enrolment: the code a person types at a device, and the challenge that only its opening key can open.
//!
//! A code is 80 bits in Crockford's base 32: short enough to type, single use, and too much to guess. A device
//! sends its hash, which is as good as the code to whoever hears it in its minutes: the wire must be confidential.
//! A licensor keeps a hash of that hash, which enrols nobody. The challenge is 32 random bytes, HPKE-wrapped to the opening
//! key and bound to the enrolment request; who gives them back holds that key. Deliberately absent: how
//! often and how long a code is good for. That is the licensor's.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use layerlock_terms::digest::Digest;
use layerlock_terms::wire::Malformed;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::CannotOpen;
use crate::keys::{OpeningKey, WrappingKey};
use crate::labels;
use crate::primitives::{self, Secret, TAG};
use crate::token::TokenSource;

/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Symbols of a code.
const SYMBOLS: usize = 16;

/// Lets one device enrol once. Text form: four groups of four symbols.
pub struct EnrolmentCode(Zeroizing<[u8; SYMBOLS]>);

/// What a licensor keeps a code under: whoever reads it can't enrol (ENR-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptCode(Digest);

/// What a device gives back to show that it holds its opening key.
pub struct EnrolmentAnswer(Secret);

/// An answer on its way to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedAnswer {
    enc: [u8; 32],
    sealed: [u8; 32 + TAG],
}

/// A text isn't an enrolment code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an enrolment code: expected 16 letters and digits, as in `7K3D-Q0ZX-9MBA-4T2E`")]
pub struct NotACode;

impl EnrolmentCode {
    /// Reads what a person typed: any case, dashes and spaces left out or not, O for 0, I and L for 1.
    ///
    /// # Errors
    /// [`NotACode`] for another number of symbols or one outside the alphabet (ENR-1).
    pub fn parse(text: &str) -> Result<Self, NotACode> {
        let mut symbols = Zeroizing::new([0; SYMBOLS]);
        let mut typed = text.bytes().filter(|byte| !matches!(byte, b'-' | b' '));
        for symbol in symbols.iter_mut() {
            *symbol = canonical(typed.next().ok_or(NotACode)?)?;
        }
        if typed.next().is_some() { Err(NotACode) } else { Ok(Self(symbols)) }
    }

    /// The text form, for the owner's eyes.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(SYMBOLS + SYMBOLS / 4));
        for (place, symbol) in self.0.iter().enumerate() {
            if place > 0 && place % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(*symbol));
        }
        text
    }

    /// What a device sends in its enrolment request. It enrols: keep it as a [`KeptCode`] alone.
    pub fn digest(&self) -> Digest {
        primitives::sha256_parts(&[labels::ENROLMENT_CODE_HASH.as_bytes(), &self.0[..]])
    }
}

impl KeptCode {
    /// Of what a device sends ([`EnrolmentCode::digest`]).
    pub fn of(sent: &Digest) -> Self {
        Self(primitives::sha256_parts(&[labels::ENROLMENT_CODE_KEPT.as_bytes(), sent.as_bytes()]))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl TokenSource {
    /// The enrolment code for `context`, which names the request that asks for it.
    pub fn enrolment_code(&self, context: &[u8]) -> EnrolmentCode {
        let bits = primitives::derive(self.secret(), context, &[labels::ENROLMENT_CODE.as_bytes()]);
        // One byte per symbol: 256 is a multiple of 32, so every symbol is equally likely.
        EnrolmentCode(Zeroizing::new(core::array::from_fn(|place| {
            ALPHABET[usize::from(bits.as_bytes()[place] % 32)]
        })))
    }
}

impl EnrolmentAnswer {
    /// A fresh one; every challenge has its own.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::draw(rng))
    }

    /// The one a device gave back.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy(bytes).expect("32 bytes"))
    }

    /// The 32 bytes, for the device to give back.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.export()
    }

    /// What the licensor keeps of it: whoever reads the record can't answer.
    pub fn digest(&self) -> Digest {
        primitives::sha256_parts(&[labels::ENROLMENT_ANSWER.as_bytes(), self.0.as_bytes()])
    }

    /// The challenge: this answer wrapped to the device's opening key, for the request with this digest.
    pub fn wrap(&self, request: &Digest, to: &WrappingKey, rng: &mut impl CryptoRng) -> WrappedAnswer {
        let (enc, sealed) = primitives::hpke_seal(to.as_bytes(), &info(request), self.0.as_bytes(), rng);
        WrappedAnswer { enc, sealed: sealed.try_into().expect("32 bytes and a tag") }
    }
}

impl OpeningKey {
    /// Opens the challenge for the enrolment request with this digest.
    ///
    /// # Errors
    /// [`CannotOpen`] when it was wrapped to another key, for another request, or changed (ENR-3).
    pub fn open_enrolment(
        &self,
        wrapped: &WrappedAnswer,
        request: &Digest,
    ) -> Result<EnrolmentAnswer, CannotOpen> {
        let bytes = primitives::hpke_open(self.secret(), &wrapped.enc, &info(request), &wrapped.sealed)?;
        Secret::copy(&bytes).map(EnrolmentAnswer).ok_or(CannotOpen)
    }
}

impl WrappedAnswer {
    /// Reads the two fields as they travel.
    ///
    /// # Errors
    /// An encapsulated key that isn't 32 bytes, or a ciphertext that isn't 48 (ENR-2).
    pub fn parse(encapsulated: &[u8], ciphertext: &[u8]) -> Result<Self, Malformed> {
        Ok(Self {
            enc: encapsulated.try_into().map_err(|_| Malformed::Value("encapsulated"))?,
            sealed: ciphertext.try_into().map_err(|_| Malformed::Value("ciphertext"))?,
        })
    }

    /// The encapsulated key, 32 bytes.
    pub fn encapsulated(&self) -> &[u8] {
        &self.enc
    }

    /// The sealed answer with its tag, 48 bytes.
    pub fn ciphertext(&self) -> &[u8] {
        &self.sealed
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode")
    }
}

/// Binds a wrapped answer to the request it answers.
fn info(request: &Digest) -> Vec<u8> {
    [labels::ENROLMENT_WRAP.as_bytes(), request.as_bytes()].concat()
}

fn canonical(typed: u8) -> Result<u8, NotACode> {
    let symbol = match typed.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    if ALPHABET.contains(&symbol) { Ok(symbol) } else { Err(NotACode) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;

    /// A counter as random source: what is drawn doesn't matter here, only that it differs.
    struct Counting(u8);

    impl rand_core::TryRng for Counting {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            self.0 = self.0.wrapping_add(1);
            Ok(u32::from_be_bytes([self.0; 4]))
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.0 = self.0.wrapping_add(1);
            Ok(u64::from_be_bytes([self.0; 8]))
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            self.0 = self.0.wrapping_add(1);
            bytes.fill(self.0);
            Ok(())
        }
    }

    impl rand_core::TryCryptoRng for Counting {}

    fn source(seed: u8) -> TokenSource {
        TokenSource::of(&SigningKey::from_seed(&[seed; 32]))
    }

    #[test]
    fn a_code_is_the_same_for_the_same_request_and_another_for_another() {
        let text = |seed, context: &[u8]| source(seed).enrolment_code(context).reveal();
        assert_eq!(text(1, b"a"), text(1, b"a"));
        assert_ne!(text(1, b"a"), text(1, b"b"));
        assert_ne!(text(1, b"a"), text(2, b"a"));
    }

    #[test]
    fn a_code_typed_carelessly_is_the_same_code() {
        let code = EnrolmentCode::parse("7K3D-Q0ZX-9MBA-4T1E").unwrap();
        let typed = EnrolmentCode::parse("7k3dqozx 9mba4tle").unwrap();
        assert_eq!(code.digest(), typed.digest());
        assert_eq!(&*typed.reveal(), "7K3D-Q0ZX-9MBA-4T1E");
    }

    #[test]
    fn what_is_kept_of_a_code_is_a_hash_of_what_enrols() {
        let sent = EnrolmentCode::parse("7K3D-Q0ZX-9MBA-4T1E").unwrap().digest();
        let kept = KeptCode::of(&sent);
        assert_eq!(
            kept.as_bytes(),
            crate::sha256(&[b"layerlock/enrolment-kept/v1", &sent.0[..]].concat()).as_bytes()
        );
        assert_ne!(kept, KeptCode::of(&Digest(*kept.as_bytes())));
    }

    #[test]
    fn a_code_of_another_length_or_alphabet_is_refused() {
        for text in
            ["", "7K3D-Q0ZX-9MBA-4T1", "7K3D-Q0ZX-9MBA-4T1EE", "7K3D-Q0ZX-9MBA-4T1U", "7K3D-Q0ZX-9MBA-4Té"]
        {
            assert!(EnrolmentCode::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_device_opens_the_challenge_and_only_for_its_request() {
        let rng = &mut Counting(0);
        let (device, other) = (OpeningKey::generate(rng), OpeningKey::generate(rng));
        let (request, another) = (Digest([1; 32]), Digest([2; 32]));
        let answer = EnrolmentAnswer::generate(rng);
        let sent = answer.wrap(&request, &device.wrapping_key(), rng);
        let wrapped = WrappedAnswer::parse(sent.encapsulated(), sent.ciphertext()).unwrap();
        assert_eq!(device.open_enrolment(&wrapped, &request).unwrap().digest(), answer.digest());
        assert!(device.open_enrolment(&wrapped, &another).is_err());
        assert!(other.open_enrolment(&wrapped, &request).is_err());
    }
}
