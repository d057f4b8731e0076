//! Enrolment: rules ENR-1 to ENR-3.

use layerlock_seal::enrolment::EnrolmentAnswer;
use layerlock_terms::digest::Digest;

use super::super::file::Vector;
use super::super::forge;
use super::super::support::{Repeatable, device};
use super::flipped;

/// The request every challenge here is for, by its digest.
const REQUEST: Digest = Digest([0x61; 32]);

pub fn all() -> Vec<Vector> {
    [codes(), challenges()].concat()
}

fn codes() -> Vec<Vector> {
    let code = |name: &str, expect: &str, rule: &str, comment: &str, text: &str| {
        Vector::new(&format!("enrolment/code-{name}"), expect, rule, comment)
            .text("kind", "enrolment-code")
            .bytes("code", text.as_bytes())
    };
    let wrong = |name, comment, text| code(name, "refused-code", "ENR-1", comment, text);
    let right = code("right", "success", "", "a code as it is shown", "7K3D-Q0ZX-9MBA-4T1E");
    let hash = forge::sha256(b"layerlock/enrolment-hash/v17K3DQ0ZX9MBA4T1E");
    let typed = code("typed", "success", "", "the same code, typed carelessly", "7k3dqozx 9mba4tle");
    vec![
        right.bytes("code-hash", &hash),
        typed.bytes("code-hash", &hash),
        wrong("short", "fifteen symbols", "7K3D-Q0ZX-9MBA-4T1"),
        wrong("long", "seventeen symbols", "7K3D-Q0ZX-9MBA-4T1EE"),
        wrong("symbol", "U is no symbol", "7K3D-Q0ZX-9MBA-4T1U"),
    ]
}

fn challenges() -> Vec<Vector> {
    let answer = EnrolmentAnswer::generate(&mut Repeatable::new("answer"));
    let wrapped = answer.wrap(&REQUEST, &device().wrapping_key(), &mut Repeatable::new("challenge"));
    let (enc, sealed) = (wrapped.encapsulated(), wrapped.ciphertext());
    let challenge = |name: &str, (expect, rule): (&str, &str), comment: &str, enc: &[u8], sealed: &[u8]| {
        Vector::new(&format!("enrolment/{name}"), expect, rule, comment)
            .text("kind", "enrolment")
            .bytes("opening-key", &device().to_seed()[..])
            .bytes("encapsulated", enc)
            .bytes("ciphertext", sealed)
    };
    let here = |vector: Vector| vector.bytes("request-digest", REQUEST.as_bytes());
    let (malformed, closed) = (("refused-value", "ENR-2"), ("cannot-open", "ENR-3"));
    let elsewhere = challenge("other-request", closed, "wrapped for another request", enc, sealed);
    let low_order = [0; 32];
    vec![
        here(challenge("right", ("success", ""), "a challenge and its answer's hash", enc, sealed))
            .bytes("answer-digest", answer.digest().as_bytes()),
        here(challenge("short-key", malformed, "31 bytes of encapsulated key", &enc[..31], sealed)),
        here(challenge("long", malformed, "a byte follows the ciphertext", enc, &[sealed, &[0]].concat())),
        here(challenge("changed", closed, "one bit of the answer is flipped", enc, &flipped(sealed, 0, 0))),
        here(challenge("low-order", closed, "an encapsulated key of low order", &low_order, sealed)),
        elsewhere.bytes("request-digest", &[0x62; 32]),
    ]
}
