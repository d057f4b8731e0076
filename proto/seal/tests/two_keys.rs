//! Why there are commitments: a segment that opens under two secrets exists, and is made here. The cipher takes
//! it under both; an envelope takes it under the one that is committed to.
//!
//! Poly1305 is a polynomial over a prime field. Two blocks of ciphertext are left free, and two linear equations
//! in them make the tag right under both keys ("partitioning oracle" and "invisible salamander" attacks do this).

#[path = "vectors/forge.rs"]
#[allow(dead_code, reason = "the vectors need more of it")]
mod forge;
mod support;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use forge::{Fields, Vault, cat, hkdf};
use layerlock_seal::keys::SigningKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::{Checked, Checker, EpochSecret, Live, Opener, Reason, Sealer};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::release::{Grounds, KeyRelease};
use num_bigint::BigInt;
use support::{Repeatable, device, header, signer, summary};

const NONCE: [u8; 12] = [0; 12];

/// What Poly1305 is keyed with for one message: the evaluation point and the final mask.
struct OneTimeKey {
    point: BigInt,
    mask: BigInt,
}

fn prime() -> BigInt {
    (BigInt::from(1) << 130) - 5
}

fn modulo(number: BigInt) -> BigInt {
    let rest = number % prime();
    if rest < BigInt::ZERO { rest + prime() } else { rest }
}

fn little(bytes: &[u8]) -> BigInt {
    BigInt::from_bytes_le(num_bigint::Sign::Plus, bytes)
}

/// RFC 8439, 2.5: sixteen bytes and a one above them.
fn block(bytes: &[u8]) -> BigInt {
    little(bytes) + (BigInt::from(1) << 128)
}

impl OneTimeKey {
    /// RFC 8439, 2.6: the first half of the key stream's first block, clamped.
    fn of(key: &[u8; 32]) -> Self {
        let mut stream = [0; 32];
        ChaCha20::new(key.into(), &NONCE.into()).apply_keystream(&mut stream);
        let (point, mask) = stream.split_at_mut(16);
        [3, 7, 11, 15].into_iter().for_each(|at| point[at] &= 15);
        [4, 8, 12].into_iter().for_each(|at| point[at] &= 252);
        Self { point: little(point), mask: little(mask) }
    }

    fn power(&self, exponent: u32) -> BigInt {
        modulo(self.point.pow(exponent))
    }

    /// What the two free blocks, fourth and third from the end, must add so that the tag becomes `tag`, when the
    /// sum before the mask is `carry · 2¹²⁸` above what the tag shows.
    fn wanted(&self, aad: &[u8], length: &[u8; 16], tag: &BigInt, carry: u8) -> Option<BigInt> {
        let low = (tag - &self.mask) & ((BigInt::from(1) << 128) - 1);
        let sum = low + (BigInt::from(carry) << 128);
        let blocks = u32::try_from(aad.len() / 16).expect("few") + 3;
        let fixed: BigInt =
            (0..).zip(aad.chunks(16)).map(|(at, bytes)| block(bytes) * self.power(blocks - at)).sum();
        (sum < prime()).then(|| modulo(sum - fixed - block(length) * self.power(1)))
    }
}

/// The low sixteen bytes.
fn sixteen(number: &BigInt) -> [u8; 16] {
    let bytes = number.to_bytes_le().1;
    std::array::from_fn(|at| bytes.get(at).copied().unwrap_or_default())
}

/// Two blocks of ciphertext and a tag that are right under both keys.
fn right_under_both(keys: [&[u8; 32]; 2], aad: &[u8]) -> Vec<u8> {
    let [one, two] = keys.map(OneTimeKey::of);
    let length: [u8; 16] =
        cat(&[&(aad.len() as u64).to_le_bytes(), &32u64.to_le_bytes()]).try_into().expect("16");
    let mut padded = aad.to_vec();
    padded.resize(aad.len().next_multiple_of(16), 0);
    let (a, b, c, d) = (one.power(3), one.power(2), two.power(3), two.power(2));
    let inverse = modulo(&a * &d - &b * &c).modinv(&prime()).expect("two points differ");
    let is_block = |number: &BigInt| number >> 128u32 == BigInt::from(1);
    for tag in 0u32.. {
        let tag = little(&forge::sha256(&tag.to_le_bytes())[..16]);
        for carries in 0..16u8 {
            let first = one.wanted(&padded, &length, &tag, carries & 3);
            let second = two.wanted(&padded, &length, &tag, carries >> 2);
            let (Some(first), Some(second)) = (first, second) else { continue };
            let left = modulo((&d * &first - &b * &second) * &inverse);
            let right = modulo((&a * &second - &c * &first) * &inverse);
            if is_block(&left) && is_block(&right) {
                return [left, right, tag].iter().flat_map(sixteen).collect();
            }
        }
    }
    unreachable!("one in sixteen tags will do")
}

/// The vault that draws its job secret from this seed, under the one header.
fn vault(seed: &'static str) -> Vault {
    Vault {
        key: forge::key(&signer().to_seed()),
        job_secret: *SigningKey::generate(&mut Repeatable::new(seed)).to_seed(),
        header: Statement::sign(&header(), &signer()).emit(),
    }
}

fn segment_key(vault: &Vault) -> [u8; 32] {
    hkdf(&vault.epoch_secret(0), &vault.header_hash(), b"layerlock/segment-key/v1")
}

fn verified<T: layerlock_terms::wire::Noun>(statement: &Statement) -> Verified<T> {
    statement.verify(&signer().verifying_key()).expect("signed by the vault")
}

fn header_statement() -> Verified<EnvelopeHeader> {
    verified(&Statement::sign(&header(), &signer()))
}

/// The secret of epoch 0 as the vault releases it that drew its job secret from this seed.
fn secret(seed: &'static str) -> EpochSecret {
    let sealer = Sealer::new(header(), signer(), &mut Repeatable::new(seed));
    let (hash, to) = (sealer.header_hash(), device().wrapping_key());
    let rng = &mut Repeatable::new("wrap");
    let release = sealer.job_secret().release(&hash, Grounds::Receipts, 0..=0, &to, rng);
    let release: Verified<KeyRelease> = verified(&Statement::sign(&release, &signer()));
    device().open_epoch(&release, &header_statement(), 0).expect("released to this device")
}

/// An envelope of one segment that opens under the secrets of both seeds; its manifest commits to the first's.
fn two_faced() -> (Vec<u8>, Verified<Manifest>) {
    let (one, two) = (vault("job"), vault("another job"));
    let frame = one.frame(&Fields::new(0, 0, 0, 2, b""), 48);
    let aad = cat(&[&one.header_hash(), &frame]);
    let keys = [segment_key(&one), segment_key(&two)];
    let sealed = right_under_both([&keys[0], &keys[1]], &aad);
    let opens = |key: &[u8; 32]| {
        let payload = Payload { msg: &sealed, aad: &aad };
        ChaCha20Poly1305::new(key.into()).decrypt(&Nonce::from(NONCE), payload).is_ok()
    };
    assert!(opens(&keys[0]) && opens(&keys[1]), "the cipher alone takes it under either key");
    let segment = cat(&[&frame, &sealed]);
    let manifest = Manifest {
        header: Digest(one.header_hash()),
        segments: 1,
        sealed_bytes: segment.len() as u64,
        digest: Digest(forge::digest(std::slice::from_ref(&segment))),
        layers: 1,
        commitments: vec![one.commitment(0)],
        summary: summary(),
    };
    (segment, verified(&Statement::sign(&manifest, &signer())))
}

fn check(segment: &[u8], manifest: &Verified<Manifest>) -> Checked {
    let mut checker = Checker::new(header_statement());
    checker.segment(segment).expect("in order");
    checker.finish(manifest).expect("whole")
}

#[test]
fn a_ciphertext_right_under_two_keys_opens_under_the_committed_one_alone() {
    let (segment, manifest) = two_faced();
    let checked = check(&segment, &manifest);
    let mut opener = Opener::new(&checked);
    assert_eq!(
        opener.add_epoch(secret("another job")).map_err(|refused| refused.reason),
        Err(Reason::CannotOpen)
    );
    opener.add_epoch(secret("job")).expect("the committed secret");
    assert!(opener.open(&mut segment.clone()).is_ok());
}

#[test]
fn in_live_mode_the_manifest_tells_that_the_other_secret_was_used() {
    let (segment, manifest) = two_faced();
    let mut live = Live::new(header_statement());
    live.add_epoch(secret("another job")).expect("the only one so far");
    assert_eq!(live.add_epoch(secret("job")).map_err(|refused| refused.reason), Err(Reason::CannotOpen));
    assert!(live.open(&mut segment.clone()).is_ok(), "the vault signed a release of this secret");
    let refused = live.finish(&manifest).expect_err("it is not the one the manifest commits to");
    assert_eq!(refused.reason, Reason::BadManifest("commitments"));
}
