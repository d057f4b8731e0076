//! One small function per vector: takes something right and breaks one rule.
//!
//! `cargo run -p layerlock-seal --example vectors` writes the files; a test holds the files to this list.

use layerlock_seal::keys::{OpeningKey, SigningKey as Key};
use layerlock_seal::statement::Statement;
use layerlock_seal::toolpath::{Ends, Sealer};
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::wire::Noun;

use super::file::Vector;
use super::forge::{self, Blob, Fields, Vault, cat};
use super::nonce;
use super::support::{Repeatable, device, header, signer, summary};

const HEADER: &str = EnvelopeHeader::TYPE;
const MANIFEST: &str = Manifest::TYPE;

/// The toolpath of every envelope here: layer, flags, text.
const TEXTS: [(u32, u8, Ends, &[u8]); 5] = [
    (0, 1, Ends::Piece, b"prologue"),
    (0, 0, Ends::Nothing, b"layer nought, first half"),
    (0, 1, Ends::Piece, b"layer nought, second half"),
    (1, 1, Ends::Piece, b"layer one"),
    (2, 2, Ends::Toolpath, b"layer two"),
];

pub fn all() -> Vec<Vector> {
    [keys(), statements(), headers(), blobs(), epochs(), segments(), manifests()].concat()
}

fn seed(name: &'static str) -> [u8; 32] {
    *Key::generate(&mut Repeatable::new(name)).to_seed()
}

fn delivery() -> ed25519_dalek::SigningKey {
    forge::key(&signer().to_seed())
}

// Keys.

fn keys() -> Vec<Vector> {
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

// Statements.

fn statement_vector(name: &str, expect: &str, rule: &str, comment: &str, bytes: &[u8]) -> Vector {
    Vector::new(&format!("statement/{name}"), expect, rule, comment)
        .text("kind", "statement")
        .text("type", HEADER)
        .bytes("key", &forge::public(&delivery()))
        .bytes("statement", bytes)
}

fn statements() -> Vec<Vector> {
    let (key, payload) = (delivery(), header().emit());
    let right = Statement::sign(&header(), &signer()).emit();
    let id = forge::key_id(&forge::public(&key));
    let forged = |signature: &[u8]| forge::statement_with(HEADER.as_bytes(), &id, &payload, signature);
    let long_type = "t".repeat(65);
    let bound = (1024 * 1024 + 1u32).to_be_bytes();
    let head = cat(&[&[1], &(HEADER.len() as u32).to_be_bytes(), HEADER.as_bytes(), &id]);
    let signature = &right[right.len() - 64..];
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
            &forged(&plus_order(signature)),
        ),
        statement_vector(
            "low-order-nonce",
            "refused-signature",
            "ST-8",
            "made by the key's owner with the identity for a nonce point: plain verification takes it",
            &forged(&nonce::sign_with_identity(
                &signer().to_seed(),
                &forge::signed_bytes(HEADER, &payload, &key),
            )),
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

fn tail(statement: &[u8]) -> &[u8] {
    &statement[statement.len() - 64..]
}

fn flipped(bytes: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1 << bit;
    changed
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

// Headers.

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

// Blobs.

const KEK: &str = "key-encryption key";

fn place(part: u8) -> Vec<u8> {
    cat(&[&[part], &[0x71; 16], &[0x72; 16], &[0x73; 32]])
}

fn blob_vector(name: &str, expect: &str, rule: &str, comment: &str, blob: &[u8]) -> Vector {
    Vector::new(&format!("blob/{name}"), expect, rule, comment)
        .text("kind", "blob")
        .bytes("kek", &seed(KEK))
        .bytes("place", &place(1))
        .bytes("blob", blob)
}

fn blob<'a>(chunks: &'a [(&'a [u8], u64, u8)]) -> Blob<'a> {
    let (data_key, salt) = (seed("data key"), seed("salt"));
    Blob { kek: seed(KEK), place: place(1), data_key, salt, commitment: None, chunks }
}

fn blobs() -> Vec<Vector> {
    let no = "cannot-open";
    let text: &[u8] = b"solid cube";
    let one = [(text, 0, 1)];
    let right = blob(&one).emit();
    let full = vec![0x5a; 65_536];
    let two = blob(&[(&full, 0, 0), (text, 1, 1)]).emit();
    let other_kek = Blob { kek: seed("another key"), ..blob(&one) }.emit();
    let other_place = Blob { place: place(2), ..blob(&one) }.emit();
    let uncommitted = Blob { commitment: Some([9; 32]), ..blob(&one) }.emit();
    let at_text = |vector: Vector, text: &[u8]| vector.bytes("text-sha256", &forge::sha256(text));
    vec![
        at_text(blob_vector("right", "success", "", "one short chunk", &right), text),
        at_text(
            blob_vector("empty", "success", "", "no text: one empty chunk", &blob(&[(b"", 0, 1)]).emit()),
            b"",
        ),
        at_text(
            blob_vector("two-chunks", "success", "", "a full chunk and a short one", &two),
            &cat(&[&full, text]),
        ),
        blob_vector("magic", no, "BLOB-1", "begins with another letter", &flipped(&right, 0, 0)),
        blob_vector("suite", no, "BLOB-1", "suite 0", &flipped(&right, 5, 0)),
        blob_vector("kek-id", no, "BLOB-2", "names another key", &flipped(&right, 6, 0)),
        blob_vector("other-kek", no, "BLOB-2", "rightly sealed under another key", &other_kek),
        blob_vector("salt", no, "BLOB-3", "another salt", &flipped(&right, 22, 0)),
        blob_vector("commitment", no, "BLOB-3", "another commitment", &flipped(&right, 54, 0)),
        blob_vector("uncommitted", no, "BLOB-3", "commits to nothing, and all else would open", &uncommitted),
        blob_vector("other-place", no, "BLOB-4", "sealed for the picture of the same version", &other_place),
        blob_vector(
            "wrapped",
            no,
            "BLOB-5",
            "one bit of the wrapped data key is flipped",
            &flipped(&right, 86, 0),
        ),
        blob_vector(
            "wrapped-tag",
            no,
            "BLOB-5",
            "one bit of the wrapped key's tag is flipped",
            &flipped(&right, 133, 7),
        ),
        blob_vector("chunk", no, "BLOB-6", "one bit of the chunk is flipped", &flipped(&right, 134, 0)),
        blob_vector(
            "chunk-number",
            no,
            "BLOB-6",
            "chunk 1 where chunk 0 is due",
            &blob(&[(text, 1, 1)]).emit(),
        ),
        blob_vector("cut-at-edge", no, "BLOB-7", "cut after the first of two chunks", &two[..134 + 65_552]),
        blob_vector(
            "not-marked",
            no,
            "BLOB-7",
            "the last chunk isn't marked last",
            &blob(&[(text, 0, 0)]).emit(),
        ),
        blob_vector("cut-in-chunk", no, "BLOB-7", "the last byte is missing", &right[..right.len() - 1]),
        blob_vector("no-chunk", no, "BLOB-7", "a header alone", &right[..134]),
        blob_vector(
            "empty-last",
            no,
            "BLOB-8",
            "a full chunk and an empty last one",
            &blob(&[(&full, 0, 0), (b"", 1, 1)]).emit(),
        ),
        blob_vector("trailing", no, "BLOB-9", "a byte follows", &cat(&[&right, &[0]])),
    ]
}

// Epochs.

fn epochs() -> Vec<Vector> {
    let sealer = sealer();
    let hash = sealer.header_hash();
    let wrap = |to: &OpeningKey, epoch: u32| {
        sealer.job_secret().wrap_epoch(&hash, epoch, &to.wrapping_key(), &mut Repeatable::new("wrap")).emit()
    };
    let vector = |name: &str, expect: &str, rule: &str, comment: &str, header: &[u8; 32], wrapped: &[u8]| {
        Vector::new(&format!("epoch/{name}"), expect, rule, comment)
            .text("kind", "epoch")
            .bytes("opening-key", &device().to_seed()[..])
            .bytes("header-hash", header)
            .bytes("wrapped", wrapped)
    };
    let right = wrap(&device(), 1);
    let clone = OpeningKey::generate(&mut Repeatable::new("another device"));
    let no = "cannot-open";
    vec![
        vector("right", "success", "", "epoch 1, wrapped to this device", hash.as_bytes(), &right),
        vector("other-device", no, "EP-1", "wrapped to another device", hash.as_bytes(), &wrap(&clone, 1)),
        vector("other-envelope", no, "EP-1", "wrapped under another header", &[0; 32], &right),
        vector("other-epoch", no, "EP-1", "epoch 1 renamed epoch 0", hash.as_bytes(), &flipped(&right, 3, 0)),
        vector(
            "changed",
            no,
            "EP-1",
            "one bit of the sealed secret is flipped",
            hash.as_bytes(),
            &flipped(&right, 40, 0),
        ),
        vector("low-order", no, "EP-1", "the encapsulated key is zero", hash.as_bytes(), &zero_enc(&right)),
        vector(
            "short",
            "refused-truncated",
            "EP-3",
            "the last byte is missing",
            hash.as_bytes(),
            &right[..83],
        ),
        vector("long", "refused-trailing", "EP-3", "a byte follows", hash.as_bytes(), &cat(&[&right, &[0]])),
    ]
}

fn zero_enc(wrapped: &[u8]) -> Vec<u8> {
    cat(&[&wrapped[..4], &[0; 32], &wrapped[36..]])
}

// Envelopes.

fn sealer() -> Sealer {
    Sealer::new(header(), signer(), &mut Repeatable::new("job"))
}

/// The same vault by the formulas: its job secret is the first thing the sealer draws.
pub fn vault() -> Vault {
    let statement = Statement::sign(&header(), &signer()).emit();
    Vault { key: delivery(), job_secret: seed("job"), header: statement }
}

pub fn fields() -> Vec<Fields> {
    let field = |(index, (layer, flags, _, text)): (usize, &(u32, u8, Ends, &[u8]))| {
        Fields::new(index as u32, *layer, layer / header().epoch_layers, *flags, text)
    };
    TEXTS.iter().enumerate().map(field).collect()
}

/// The envelope as the crate seals it: segments and manifest.
pub fn sealed() -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut sealer = sealer();
    let segments = TEXTS.iter().map(|(layer, _, ends, text)| {
        let mut segment = Vec::new();
        sealer.seal(*layer, *ends, text, &mut segment).expect("the texts are in order");
        segment
    });
    let segments = segments.collect();
    (segments, sealer.finish(summary()).expect("the texts end").emit())
}

fn envelope(
    name: &str,
    expect: &str,
    rule: &str,
    comment: &str,
    segments: &[Vec<u8>],
    manifest: &[u8],
) -> Vector {
    let vault = vault();
    let mut vector = Vector::new(&format!("envelope/{name}"), expect, rule, comment)
        .text("kind", "envelope")
        .bytes("key", &forge::public(&vault.key))
        .bytes("opening-key", &device().to_seed()[..])
        .bytes("header", &vault.header);
    for segment in segments {
        vector = vector.bytes("segment", segment);
    }
    let sealer = sealer();
    for epoch in 0..2 {
        let (hash, to) = (sealer.header_hash(), device().wrapping_key());
        let wrapped = sealer.job_secret().wrap_epoch(&hash, epoch, &to, &mut Repeatable::new("wrap"));
        vector = vector.bytes("epoch", &wrapped.emit());
    }
    vector.bytes("manifest", manifest)
}

/// An envelope whose segment 1 is replaced.
fn second(name: &str, reason: &str, rule: &str, comment: &str, segment: Vec<u8>) -> Vector {
    let (mut segments, manifest) = sealed();
    segments[1] = segment;
    envelope(name, &format!("refused-at 1 {reason}"), rule, comment, &segments, &manifest)
}

fn segments() -> Vec<Vector> {
    let (vault, (right, manifest)) = (vault(), sealed());
    let one = fields()[1].clone();
    let text: Vec<u8> = TEXTS.iter().flat_map(|(.., text)| text.to_vec()).collect();
    let bare = vault.signed(&vault.frame(&one, 16), &[0; 16]);
    let after = Fields::new(5, 2, 1, 1, b"more");
    let to_piece_end = Fields { index: 4, layer: 3, ..fields()[4].clone() };
    let swapped = [right[0].clone(), right[2].clone(), right[1].clone(), right[3].clone(), right[4].clone()];
    vec![
        envelope("right", "success", "", "five segments, three layers, two epochs", &right, &manifest)
            .bytes("text", &text),
        second(
            "cut",
            "truncated",
            "SEG-1",
            "the last byte is missing",
            right[1][..right[1].len() - 1].to_vec(),
        ),
        second("trailing", "trailing", "SEG-2", "a byte follows the signature", cat(&[&right[1], &[0]])),
        second(
            "too-long",
            "too-long",
            "SEG-3",
            "65 bytes of text under a limit of 64, rightly sealed and signed",
            vault.segment(&Fields { text: vec![7; 65], ..one.clone() }),
        ),
        second(
            "announces-4-gib",
            "too-long",
            "SEG-3",
            "a frame that announces 4 GiB, and ends",
            cat(&[&right[1][..13], &[0xff; 4], &right[1][17..49]]),
        ),
        second("empty", "empty", "SEG-4", "a tag alone, rightly signed", bare),
        second(
            "flags",
            "unknown-flags",
            "SEG-5",
            "flags 3, rightly signed",
            vault.segment(&Fields { flags: 3, ..one.clone() }),
        ),
        envelope(
            "swapped",
            "refused-at 1 out-of-order",
            "SEG-6",
            "segments 1 and 2 swapped",
            &swapped,
            &manifest,
        ),
        second("doubled", "out-of-order", "SEG-6", "segment 0 again", right[0].clone()),
        second("skipped", "out-of-order", "SEG-6", "segment 2 where 1 is due", right[2].clone()),
        second(
            "layer-skips",
            "wrong-layer",
            "SEG-7",
            "layer 2 after layer 0, rightly signed",
            vault.segment(&Fields { layer: 2, epoch: 1, ..one.clone() }),
        ),
        third(
            "layer-inside-piece",
            "SEG-7",
            "layer 1 begins inside layer 0's piece",
            &Fields { layer: 1, ..fields()[2].clone() },
        ),
        fifth(
            "layer-back",
            "SEG-7",
            "layer 0 after layer 1",
            &Fields { layer: 0, epoch: 0, ..fields()[4].clone() },
        ),
        fifth("layer-far", "SEG-7", "layer 3 after layer 1", &to_piece_end),
        second(
            "epoch",
            "wrong-epoch",
            "SEG-8",
            "layer 0 in epoch 1, rightly sealed there and signed",
            vault.segment(&Fields { epoch: 1, ..one.clone() }),
        ),
        second(
            "commitment",
            "wrong-commitment",
            "SEG-9",
            "another commitment inside epoch 0, rightly signed",
            vault.segment(&Fields { commitment: Some([9; 32]), ..one.clone() }),
        ),
        second(
            "ciphertext",
            "bad-signature",
            "SEG-10",
            "one bit of the ciphertext is flipped",
            flipped(&right[1], 49, 0),
        ),
        second(
            "signature",
            "bad-signature",
            "SEG-10",
            "one bit of the signature is flipped",
            flip_last(&right[1]),
        ),
        second(
            "other-job",
            "bad-signature",
            "SEG-10",
            "the same segment sealed under another header",
            other_job(&one),
        ),
        second("other-vault", "bad-signature", "SEG-10", "signed by another key", other_key(&one)),
        envelope(
            "after-final",
            "refused-at 5 after-final",
            "SEG-11",
            "a sixth segment, rightly sealed and signed",
            &[&right[..], &[vault.segment(&after)]].concat(),
            &manifest,
        ),
        unopenable(),
        other_secret(),
    ]
}

fn third(name: &str, rule: &str, comment: &str, fields: &Fields) -> Vector {
    let (mut segments, manifest) = sealed();
    segments[2] = vault().segment(fields);
    envelope(name, "refused-at 2 wrong-layer", rule, comment, &segments, &manifest)
}

fn fifth(name: &str, rule: &str, comment: &str, fields: &Fields) -> Vector {
    let (mut segments, manifest) = sealed();
    segments[4] = vault().segment(fields);
    envelope(name, "refused-at 4 wrong-layer", rule, comment, &segments, &manifest)
}

fn flip_last(segment: &[u8]) -> Vec<u8> {
    flipped(segment, segment.len() - 60, 0)
}

fn other_job(fields: &Fields) -> Vec<u8> {
    let other = EnvelopeHeader { job: layerlock_terms::ids::JobId::from_bytes([0x99; 16]), ..header() };
    // The frame is this envelope's to the last bit, so that nothing but the header tells.
    let commitment = Some(vault().commitment(fields.epoch));
    let header = Statement::sign(&other, &signer()).emit();
    Vault { header, ..vault() }.segment(&Fields { commitment, ..fields.clone() })
}

fn other_key(fields: &Fields) -> Vec<u8> {
    Vault { key: forge::key(&seed("another key")), ..vault() }.segment(fields)
}

/// Rightly signed and counted, but sealed with a key nobody was given.
fn unopenable() -> Vector {
    let (mut segments, _) = sealed();
    segments[1] = vault().segment(&Fields { segment_key: Some([1; 32]), ..fields()[1].clone() });
    let comment = "segment 1 is sealed with another key, rightly signed and in the manifest";
    envelope("unopenable", "refused-at 1 cannot-open", "SEG-12", comment, &segments, &manifest_of(&segments))
}

/// Rightly signed and counted, but epoch 0 commits to a secret that isn't the one released.
fn other_secret() -> Vector {
    let (mut segments, _) = sealed();
    for (segment, fields) in segments.iter_mut().zip(fields()).filter(|(_, fields)| fields.epoch == 0) {
        *segment = vault().segment(&Fields { commitment: Some([9; 32]), ..fields });
    }
    let comment = "the frames of epoch 0 commit to another secret than the one released";
    envelope("other-secret", "refused-at 0 cannot-open", "EP-2", comment, &segments, &manifest_of(&segments))
}

// Manifests.

fn manifest(segments: &[Vec<u8>]) -> Manifest {
    let leaves: Vec<_> = segments.iter().map(|segment| forge::leaf(segment)).collect();
    Manifest {
        header: layerlock_terms::digest::Digest(vault().header_hash()),
        segments: segments.len() as u32,
        sealed_bytes: segments.iter().map(|segment| segment.len() as u64).sum(),
        root: layerlock_terms::digest::Digest(forge::merkle_root(&leaves)),
        layers: 3,
        epochs: 2,
        summary: summary(),
    }
}

/// The manifest by the formulas.
pub fn manifest_of(segments: &[Vec<u8>]) -> Vec<u8> {
    forge::statement(MANIFEST, &manifest(segments).emit(), &delivery())
}

fn manifests() -> Vec<Vector> {
    let (segments, right) = sealed();
    let base = manifest(&segments);
    let wrong = |name: &str, reason: &str, rule: &str, comment: &str, manifest: Manifest| {
        let stated = forge::statement(MANIFEST, &manifest.emit(), &delivery());
        let expect = format!("refused-at 5 {reason}");
        envelope(&format!("manifest-{name}"), &expect, rule, comment, &segments, &stated)
    };
    let digest = layerlock_terms::digest::Digest;
    let other = forge::statement(MANIFEST, &base.emit(), &forge::key(&seed("another key")));
    vec![
        envelope("manifest-signer", "refused-signer", "MAN-1", "signed by another key", &segments, &other),
        wrong(
            "header",
            "wrong-header",
            "MAN-2",
            "of another header",
            Manifest { header: digest([9; 32]), ..base.clone() },
        ),
        envelope(
            "incomplete",
            "refused-at 4 incomplete",
            "MAN-3",
            "the final segment is missing",
            &segments[..4],
            &right,
        ),
        wrong(
            "segments",
            "bad-manifest segments",
            "MAN-4",
            "one segment more",
            Manifest { segments: 6, ..base.clone() },
        ),
        wrong(
            "sealed-bytes",
            "bad-manifest sealed_bytes",
            "MAN-5",
            "one byte more",
            Manifest { sealed_bytes: base.sealed_bytes + 1, ..base.clone() },
        ),
        wrong(
            "layers",
            "bad-manifest layers",
            "MAN-6",
            "one layer less",
            Manifest { layers: 2, ..base.clone() },
        ),
        wrong(
            "epochs",
            "bad-manifest epochs",
            "MAN-7",
            "one epoch more",
            Manifest { epochs: 3, ..base.clone() },
        ),
        wrong(
            "root",
            "bad-manifest root",
            "MAN-8",
            "another root",
            Manifest { root: digest([9; 32]), ..base.clone() },
        ),
    ]
}
