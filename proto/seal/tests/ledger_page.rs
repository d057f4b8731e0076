//! The worked example of `proto/spec/ledger.md` is what the formulas give: leaf, root, checkpoint, key.

mod support;

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use layerlock_seal::commitment::BlindingFactor;
use layerlock_seal::note::{self, NoteSigner};
use layerlock_seal::sha256;
use support::Repeatable;

const ORIGIN: &str = "layerlock.example/ledger";

#[test]
fn the_ledgers_worked_example_is_real() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/ledger.md")).unwrap();
    let signer = NoteSigner::generate(ORIGIN, &mut Repeatable::new("checkpoint key"));
    let leaf = BlindingFactor::from_bytes(&[5; 32]).commit(b"entry");
    let root = sha256(&[&[0], &leaf.as_bytes()[..]].concat());

    let text = format!("{ORIGIN}\n1\n{}\n", STANDARD.encode(root.as_bytes()));
    let signature = signer.sign(&text).unwrap();
    assert!(note::verifies(&signer.verifying_key(), &text, &signature));
    let key = signer.verifying_key();
    let id = sha256(&[ORIGIN.as_bytes(), b"\n\x01", key.as_bytes()].concat());
    let id = &id.as_bytes()[..4];
    let line = format!("— {ORIGIN} {}\n", STANDARD.encode([id, &signature[..]].concat()));
    let hex: String = id.iter().map(|b| format!("{b:02x}")).collect();
    let vkey = format!("{ORIGIN}+{hex}+{}", STANDARD.encode([&[1], &key.as_bytes()[..]].concat()));

    for part in [leaf.to_string(), root.to_string(), format!("{text}\n{line}"), vkey] {
        assert!(page.contains(&part), "not on the page:\n{part}");
    }
}
