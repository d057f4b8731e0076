//! Keys: rules KEY-1 to KEY-4.

use super::super::file::Vector;
use super::super::forge;
use super::super::support::device;
use super::delivery;

pub fn all() -> Vec<Vector> {
    let verifying = |name: &str, expect: &str, rule: &str, comment: &str, key: [u8; 32]| {
        Vector::new(&format!("keys/{name}"), expect, rule, comment)
            .text("kind", "verifying-key")
            .bytes("bytes", &key)
    };
    let wrapping = |name: &str, expect: &str, rule: &str, comment: &str, key: [u8; 32]| {
        Vector::new(&format!("keys/{name}"), expect, rule, comment)
            .text("kind", "wrapping-key")
            .bytes("bytes", &key)
    };
    let no = "refused-key";
    vec![
        verifying("verifying", "success", "", "a verifying key", forge::public(&delivery())),
        verifying("verifying-not-reduced", no, "KEY-1", "y = 3 written as p + 3", p_plus(3)),
        verifying("verifying-no-point", no, "KEY-1", "y = 2: no x fits", small(2)),
        verifying("verifying-identity", no, "KEY-2", "y = 1: the identity, order 1", small(1)),
        verifying("verifying-order-two", no, "KEY-2", "y = -1: order 2", p_minus_one()),
        verifying("verifying-order-four", no, "KEY-2", "y = 0: order 4", small(0)),
        wrapping("wrapping", "success", "", "a wrapping key", *device().wrapping_key().as_bytes()),
        wrapping("wrapping-not-reduced", no, "KEY-3", "u = 9 written as p + 9", p_plus(9)),
        wrapping("wrapping-top-bit", no, "KEY-3", "a good key with its top bit set", top_bit()),
        wrapping("wrapping-zero", no, "KEY-4", "u = 0: every exchange gives zero", small(0)),
        wrapping("wrapping-one", no, "KEY-4", "u = 1: order 4", small(1)),
        wrapping("wrapping-minus-one", no, "KEY-4", "u = -1: order 4 on the twist", p_minus_one()),
        wrapping("wrapping-order-eight", no, "KEY-4", "a point of order 8", ORDER_EIGHT),
    ]
}

/// A point of order 8 on Curve25519 (RFC 7748's curve; listed at cr.yp.to/ecdh.html).
const ORDER_EIGHT: [u8; 32] = [
    0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
    0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
];

fn small(number: u8) -> [u8; 32] {
    std::array::from_fn(|at| if at == 0 { number } else { 0 })
}

fn p_plus(number: u8) -> [u8; 32] {
    std::array::from_fn(|at| match at {
        0 => 0xed + number,
        31 => 0x7f,
        _ => 0xff,
    })
}

fn p_minus_one() -> [u8; 32] {
    std::array::from_fn(|at| match at {
        0 => 0xec,
        31 => 0x7f,
        _ => 0xff,
    })
}

fn top_bit() -> [u8; 32] {
    let mut key = *device().wrapping_key().as_bytes();
    key[31] |= 0x80;
    key
}
