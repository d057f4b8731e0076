//! A signature no honest signer makes: its nonce point is the identity, so it hides nothing and, with other
//! low-order points, fits several messages. Plain Ed25519 verification takes it; strict verification must not.

use ring::digest;

/// The order of Ed25519's group, little-endian 64-bit words.
const ORDER: [u64; 4] = [0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 0x1000_0000_0000_0000];

/// `R = identity, S = k·a mod order`, with `k = SHA-512(R ‖ A ‖ message)` and `a` the secret scalar (RFC 8032, 5.1).
pub fn sign_with_identity(seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
    let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes();
    let mut scalar: [u8; 64] = sha512(&[seed]);
    scalar[0] &= 0xf8;
    scalar[31] = (scalar[31] & 0x7f) | 0x40;
    let identity: [u8; 32] = std::array::from_fn(|at| u8::from(at == 0));
    let challenge = sha512(&[&identity, &public, message]);
    let s = times(&challenge, times(&scalar[..32], [1, 0, 0, 0]));
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&identity);
    for (place, word) in s.iter().enumerate() {
        signature[32 + 8 * place..][..8].copy_from_slice(&word.to_le_bytes());
    }
    signature
}

fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    digest::digest(&digest::SHA512, &parts.concat()).as_ref().try_into().expect("64 bytes")
}

/// `number · factor mod order` by doubling and adding, `number` little-endian, `factor` below the order.
fn times(number: &[u8], factor: [u64; 4]) -> [u64; 4] {
    let mut product = [0; 4];
    for bit in (0..number.len() * 8).rev() {
        product = add(product, product);
        if number[bit / 8] >> (bit % 8) & 1 == 1 {
            product = add(product, factor);
        }
    }
    product
}

/// The sum of two numbers below the order, modulo the order.
fn add(left: [u64; 4], right: [u64; 4]) -> [u64; 4] {
    let mut carry = 0;
    let sum: [u64; 4] = std::array::from_fn(|at| {
        let total = u128::from(left[at]) + u128::from(right[at]) + carry;
        carry = total >> 64;
        total as u64
    });
    if sum.iter().rev().lt(ORDER.iter().rev()) { sum } else { minus_order(sum) }
}

fn minus_order(number: [u64; 4]) -> [u64; 4] {
    let mut borrow = false;
    std::array::from_fn(|at| {
        let (less, under) = number[at].overflowing_sub(ORDER[at]);
        let (less, under_too) = less.overflowing_sub(u64::from(borrow));
        borrow = under || under_too;
        less
    })
}
