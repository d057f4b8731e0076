//! Blobs at rest: whatever the pieces text comes in, a blob opens to it in its own place, whole, or not at
//! all; and what tells a leak scanner or an auditor something is formed as they expect.

mod support;

use layerlock_seal::CannotOpen;
use layerlock_seal::blob::{self, CHUNK, HEADER, Header, Opener, Part, Place, Sealer};
use layerlock_seal::commitment::BlindingFactor;
use layerlock_seal::kek_ring::{KekRing, Unopened, front};
use layerlock_seal::keys::{KeyEncryptionKey, VerifyingKey};
use layerlock_seal::note::{self, NoteSigner};
use layerlock_seal::token::{ApiKey, WebhookSecret};
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{DesignId, SellerId};
use support::{Repeatable, kek};

const SEALED: usize = CHUNK + 16;

fn place() -> Place {
    Place {
        seller: SellerId::from_bytes([1; 16]),
        design: DesignId::from_bytes([2; 16]),
        version: Digest([3; 32]),
        part: Part::Upload,
    }
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 256) as u8).collect()
}

fn sealed(length: usize) -> Vec<u8> {
    blob::seal(&kek(), &place(), &text(length), &mut Repeatable::new("blob"))
}

#[test]
fn a_blob_of_any_length_opens_to_its_text() {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
        let blob = sealed(length);
        let chunks = length.div_ceil(CHUNK).max(1);
        assert_eq!(blob.len(), HEADER + length + 16 * chunks, "{length} bytes");
        assert_eq!(*blob::open(&kek(), &place(), &blob).unwrap(), text(length), "{length} bytes");
    }
}

#[test]
fn a_stream_gives_the_same_blob_and_text_whatever_its_pieces() {
    let (whole, text) = (sealed(2 * CHUNK + 9), text(2 * CHUNK + 9));
    for piece in [1000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
        let (mut sealer, header) = Sealer::new(&kek(), &place(), &mut Repeatable::new("blob"));
        let mut sealed = header.as_bytes().to_vec();
        text.chunks(piece).for_each(|bytes| sealer.seal(bytes, &mut sealed));
        sealer.finish(&mut sealed);
        assert!(sealed == whole, "sealed in pieces of {piece}");

        let mut opener = Opener::new(&kek(), &place(), &header).unwrap();
        let mut opened = Vec::new();
        whole[HEADER..].chunks(piece).for_each(|bytes| opener.open(bytes, &mut opened).unwrap());
        opener.finish(&mut opened).unwrap();
        assert!(opened == text, "opened in pieces of {piece}");
    }
}

#[test]
fn swapped_doubled_and_dropped_chunks_are_refused() {
    let blob = sealed(4 * CHUNK);
    let chunk = |at: usize| &blob[HEADER + at * SEALED..][..SEALED];
    for order in [&[1, 0, 2, 3][..], &[0, 0, 1, 2], &[0, 2, 3], &[0, 1, 2], &[0, 1, 3, 2], &[0, 1, 2, 3, 3]] {
        let chunks: Vec<_> = order.iter().map(|at| chunk(*at)).collect();
        let moved = [&blob[..HEADER], &chunks.concat()].concat();
        assert!(blob::open(&kek(), &place(), &moved).is_err(), "{order:?}");
    }
}

#[test]
fn nothing_of_a_chunk_that_does_not_open_is_given_out() {
    let mut blob = sealed(CHUNK + 5);
    blob[HEADER + 10] ^= 1;
    let header = Header::parse(&blob[..HEADER]).unwrap();
    let mut opener = Opener::new(&kek(), &place(), &header).unwrap();
    let mut opened = b"before".to_vec();
    assert!(opener.open(&blob[HEADER..], &mut opened).is_err());
    assert_eq!(opened, b"before");
}

#[test]
fn a_blob_opens_in_no_place_but_its_own() {
    let blob = sealed(10);
    let others = [
        Place { seller: SellerId::from_bytes([9; 16]), ..place() },
        Place { design: DesignId::from_bytes([9; 16]), ..place() },
        Place { version: Digest([9; 32]), ..place() },
        Place { part: Part::Record, ..place() },
    ];
    for other in others {
        assert!(blob::open(&kek(), &other, &blob).is_err(), "{other:?}");
    }
}

#[test]
fn a_header_of_one_blob_does_not_open_the_chunks_of_another_in_the_same_place() {
    let other = blob::seal(&kek(), &place(), &text(10), &mut Repeatable::new("another blob"));
    let crossed = [&sealed(10)[..HEADER], &other[HEADER..]].concat();
    assert!(blob::open(&kek(), &place(), &crossed).is_err());
}

#[test]
fn a_rotated_header_opens_the_same_chunks_with_the_new_key_only() {
    let new = KeyEncryptionKey::generate(&mut Repeatable::new("new key"));
    let blob = sealed(CHUNK + 1);
    let old_header = Header::parse(&blob[..HEADER]).unwrap();
    let header = old_header.rewrap(&kek(), &new, &place(), &mut Repeatable::new("rotation")).unwrap();
    assert_eq!((old_header.key_id(), header.key_id()), (kek().key_id(), new.key_id()));
    let rotated = [header.as_bytes(), &blob[HEADER..]].concat();
    assert_eq!(*blob::open(&new, &place(), &rotated).unwrap(), text(CHUNK + 1));
    assert!(blob::open(&kek(), &place(), &rotated).is_err());
    assert!(
        header.rewrap(&kek(), &new, &place(), &mut Repeatable::new("again")).is_err(),
        "no longer the old key's"
    );
}

#[test]
fn a_ring_opens_what_a_former_key_wrapped_and_wraps_by_the_current_one() {
    let key = |byte| KeyEncryptionKey::from_bytes(&[byte; 32]);
    let mut rng = Repeatable::new("ring");
    let sealed = KekRing::new(key(1)).seal(&place(), b"solid", &mut rng);
    let both = KekRing::new(key(2)).with_former(key(1));
    assert_eq!(*both.open(&place(), &sealed).unwrap(), b"solid");
    assert_eq!(front(&both.seal(&place(), b"solid", &mut rng)).unwrap().key_id(), key(2).key_id());

    let header = both.rewrap(&front(&sealed).unwrap(), &place(), &mut rng).unwrap();
    let anew = [header.as_bytes(), &sealed[HEADER..]].concat();
    assert_eq!(*KekRing::new(key(2)).open(&place(), &anew).unwrap(), b"solid");
    assert!(KekRing::new(key(1)).open(&place(), &anew).is_err());
}

#[test]
fn a_ring_names_a_key_it_does_not_hold_and_tells_nothing_of_damage() {
    let [one, two] = [1, 2].map(|byte| KekRing::new(KeyEncryptionKey::from_bytes(&[byte; 32])));
    let sealed = one.seal(&place(), b"solid", &mut Repeatable::new("ring"));
    let unknown = Unopened::UnknownKek(one.current().key_id());
    assert_eq!(two.open(&place(), &sealed).err(), Some(unknown));
    let damaged = Some(Unopened::CannotOpen(CannotOpen));
    assert_eq!(one.open(&place(), &sealed[..sealed.len() - 1]).err(), damaged);
    assert_eq!(two.open(&place(), &sealed[..HEADER - 1]).err(), damaged);
}

#[test]
fn no_two_blobs_of_the_same_text_share_a_byte_sequence() {
    let other = blob::seal(&kek(), &place(), &text(64), &mut Repeatable::new("another blob"));
    let one = sealed(64);
    assert!(one[HEADER..].chunks_exact(8).all(|eight| !other.windows(8).any(|it| it == eight)));
}

#[test]
fn an_api_key_reads_back_and_is_stored_as_a_hash_of_its_own() {
    let rng = &mut Repeatable::new("api keys");
    let (key, other) = (ApiKey::generate(rng), ApiKey::generate(rng));
    let text = key.reveal();
    assert!(text.starts_with("layerlock_") && text.len() == 74);
    assert!(ApiKey::parse(&text).unwrap().hash() == key.hash());
    assert!(key.hash() != other.hash());
    // SHA-256 of the label and 32 bytes 0xab, by Python's standard library.
    let known = ApiKey::parse(&format!("layerlock_{}", "ab".repeat(32))).unwrap().hash();
    assert_eq!(known.as_bytes()[..], hex("6ebd2460f7015e43e62c6101ff19ae91015198a9c1677be3b23900ed04137c16"));
    for wrong in [&text[1..], &text[..73], &text.to_uppercase(), "layerlock_", &format!("{}0", *text)] {
        assert!(ApiKey::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_webhooks_signature_is_the_standards_formula() {
    // `hmac.new(bytes([7] * 32), b"msg_1.1614265330.{}", "sha256")` of Python's standard library.
    let signature = WebhookSecret::from_bytes(&[7; 32]).sign("msg_1", 1_614_265_330, b"{}");
    assert_eq!(signature[..], hex("5dd999af52f0d9022b738ea95349fbfc0d077045fda0a41e83e07fc15dca153d"));
}

#[test]
fn a_ledger_leaf_hides_its_entry_and_shows_it_to_who_holds_the_factor() {
    let rng = &mut Repeatable::new("blinding");
    let (one, two) = (BlindingFactor::generate(rng), BlindingFactor::generate(rng));
    assert_ne!(one.commit(b"entry"), two.commit(b"entry"), "the same entry twice gives unlike leaves");
    assert_eq!(BlindingFactor::from_bytes(&one.to_bytes()).commit(b"entry"), one.commit(b"entry"));
    // `hmac.new(bytes([5] * 32), b"layerlock/ledger-commitment/v1entry", "sha256")` of Python's.
    let leaf = BlindingFactor::from_bytes(&[5; 32]).commit(b"entry");
    assert_eq!(leaf.as_bytes()[..], hex("57f688507e4f2651cbbec194de069eb60a971ad446d55f8f399df416401fa445"));
}

#[test]
fn a_note_key_signs_its_own_logs_heads_and_nothing_else() {
    let signer = NoteSigner::generate("example.com/log", &mut Repeatable::new("note key"));
    let text = "example.com/log\n3\nrrrL/idKS3FPsGfGpeVXgmTbD6m1GvXgoVkVjzKeBuc=\n";
    let signature = signer.sign(text).unwrap();
    assert!(note::verifies(&signer.verifying_key(), text, &signature));
    assert!(!note::verifies(&signer.verifying_key(), &text.replace('3', "4"), &signature));
    for foreign in
        ["", "example.com/log", "example.com/log2\n3\n", "other\nexample.com/log\n", "example.com/log\n3"]
    {
        assert!(signer.sign(foreign).is_err(), "{foreign:?}");
    }
}

#[test]
fn gos_example_note_verifies() {
    // pkg.go.dev/golang.org/x/mod/sumdb/note: PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW
    let key = hex("1a5cd907143c384c41e830c5bce12aa8817ec5649aaabf2c31388b35b2d744d6");
    let signature = hex("f64992e052f541bf49f7dcbc8010c5506d885ba92cbafca40704959227348b86\
         52060dd451580b6a5948d5e02afa9fa9d9e0a2da5165be8a13a472c81c099c03");
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    let key = VerifyingKey::parse(&key).unwrap();
    assert!(note::verifies(&key, text, &signature.try_into().unwrap()));
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}
