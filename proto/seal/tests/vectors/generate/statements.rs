//! Statements and the headers they state: rules ST-1 to ST-9, HDR-1 to HDR-4.

use layerlock_seal::statement::Statement;
use layerlock_terms::envelope::EnvelopeHeader;
use layerlock_terms::wire::Noun;

use super::super::file::Vector;
use super::super::forge::{self, cat};
use super::super::nonce;
use super::super::support::{header, signer};
use super::{HEADER, MANIFEST, delivery, flipped, seed};

pub fn all() -> Vec<Vector> {
    [shapes(), meanings(), headers()].concat()
}

fn statement_vector(name: &str, expect: &str, rule: &str, comment: &str, bytes: &[u8]) -> Vector {
    Vector::new(&format!("statement/{name}"), expect, rule, comment)
        .text("kind", "statement")
        .text("type", HEADER)
        .bytes("key", &forge::public(&delivery()))
        .bytes("statement", bytes)
}

/// The byte form: ST-1 to ST-5.
fn shapes() -> Vec<Vector> {
    let (key, payload) = (delivery(), header().emit());
    let right = Statement::sign(&header(), &signer()).emit();
    let id = forge::key_id(&forge::public(&key));
    let long_type = "t".repeat(65);
    let bound = (1024 * 1024 + 1u32).to_be_bytes();
    let head = cat(&[&[1], &(HEADER.len() as u32).to_be_bytes(), HEADER.as_bytes(), &id]);
    vec![
        statement_vector("right", "success", "", "an envelope's header, rightly stated", &right),
        statement_vector(
            "version-2",
            "refused-value",
            "ST-1",
            "the first byte is 2",
            &cat(&[&[2], &right[1..]]),
        ),
        statement_vector(
            "long-type",
            "refused-too-long",
            "ST-2",
            "a type of 65 bytes",
            &forge::statement(&long_type, &payload, &key),
        ),
        statement_vector(
            "type-not-utf-8",
            "refused-value",
            "ST-2",
            "the type's first byte is 0xff",
            &cat(&[&right[..5], &[0xff], &right[6..]]),
        ),
        statement_vector(
            "long-payload",
            "refused-too-long",
            "ST-3",
            "announces a payload of 1 MiB and a byte, and ends",
            &cat(&[&head, &bound]),
        ),
        statement_vector(
            "short",
            "refused-truncated",
            "ST-4",
            "the last byte is missing",
            &right[..right.len() - 1],
        ),
        statement_vector("long", "refused-trailing", "ST-5", "a byte follows", &cat(&[&right, &[0]])),
    ]
}

/// Who stated what: ST-6 to ST-9.
fn meanings() -> Vec<Vector> {
    let (key, payload) = (delivery(), header().emit());
    let right = Statement::sign(&header(), &signer()).emit();
    let id = forge::key_id(&forge::public(&key));
    let forged = |signature: &[u8]| forge::statement_with(HEADER.as_bytes(), &id, &payload, signature);
    let low_order =
        nonce::sign_with_identity(&signer().to_seed(), &forge::signed_bytes(HEADER, &payload, &key));
    vec![
        statement_vector(
            "other-type",
            "refused-type",
            "ST-6",
            "the same payload, rightly stated as a manifest",
            &forge::statement(MANIFEST, &payload, &key),
        ),
        statement_vector(
            "other-signer",
            "refused-signer",
            "ST-7",
            "rightly stated by another key",
            &forge::statement(HEADER, &payload, &forge::key(&seed("another key"))),
        ),
        statement_vector(
            "payload-changed",
            "refused-signature",
            "ST-8",
            "one bit of the payload is flipped",
            &flipped(&right, right.len() - 70, 0),
        ),
        statement_vector(
            "relabelled",
            "refused-signature",
            "ST-8",
            "a manifest's statement whose type was changed after signing",
            &forged(tail(&forge::statement(MANIFEST, &payload, &key))),
        ),
        statement_vector(
            "bare-payload-signed",
            "refused-signature",
            "ST-8",
            "the signature is over the payload alone",
            &forged(&ed25519_dalek::Signer::sign(&key, &payload).to_bytes()),
        ),
        statement_vector(
            "scalar-not-reduced",
            "refused-signature",
            "ST-8",
            "the signature's scalar plus the group's order: the same modulo the order",
            &forged(&plus_order(tail(&right))),
        ),
        statement_vector(
            "low-order-nonce",
            "refused-signature",
            "ST-8",
            "made by the key's owner with the identity for a nonce point: plain verification takes it",
            &forged(&low_order),
        ),
        statement_vector(
            "payload-trailing",
            "refused-payload",
            "ST-9",
            "a rightly stated payload with a byte too many",
            &forge::statement(HEADER, &cat(&[&payload, &[0]]), &key),
        ),
        statement_vector(
            "payload-short",
            "refused-payload",
            "ST-9",
            "a rightly stated payload with a byte too few",
            &forge::statement(HEADER, &payload[..payload.len() - 1], &key),
        ),
    ]
}

/// What a header may hold: HDR-1 to HDR-4.
fn headers() -> Vec<Vector> {
    let stated = |header: &EnvelopeHeader| forge::statement(HEADER, &header.emit(), &delivery());
    let suite = cat(&[&[0, 2], &header().emit()[2..]]);
    let wrong = |name: &str, rule: &str, comment: &str, bytes: &[u8]| {
        statement_vector(&format!("header-{name}"), "refused-payload", rule, comment, bytes)
    };
    vec![
        wrong("suite-2", "HDR-1", "suite 2", &forge::statement(HEADER, &suite, &delivery())),
        wrong(
            "no-room",
            "HDR-2",
            "segments of no byte",
            &stated(&EnvelopeHeader { segment_limit: 0, ..header() }),
        ),
        wrong(
            "wide",
            "HDR-2",
            "segments of 65,537 bytes",
            &stated(&EnvelopeHeader { segment_limit: 65_537, ..header() }),
        ),
        wrong(
            "no-epochs",
            "HDR-3",
            "epochs of no layer",
            &stated(&EnvelopeHeader { epoch_layers: 0, ..header() }),
        ),
        wrong(
            "long-machine",
            "HDR-4",
            "a machine's name of 65 bytes",
            &stated(&EnvelopeHeader { machine: "m".repeat(65), ..header() }),
        ),
    ]
}

fn tail(statement: &[u8]) -> &[u8] {
    &statement[statement.len() - 64..]
}

/// Adds the order of Ed25519's group to a signature's scalar, little-endian.
fn plus_order(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut sum = signature.to_vec();
    let mut carry = 0;
    for (byte, add) in sum[32..].iter_mut().zip(ORDER) {
        let total = u16::from(*byte) + u16::from(add) + carry;
        *byte = total as u8;
        carry = total >> 8;
    }
    sum
}
