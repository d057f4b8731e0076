//! Any bytes as a statement: read, written back the same, and verified only if they are what the key's owner
//! signs, bit for bit: signing again gives them again, so no signature or payload was bent.
#![no_main]

use std::fmt::Debug;

use layerlock_proto_fuzz::{ENVELOPE, bounded, key};
use layerlock_seal::statement::{PAYLOAD_LIMIT, Statement, TYPE_LIMIT};
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::release::KeyRelease;
use layerlock_terms::wire::Noun;

/// Whether it verifies as this noun.
fn verifies<T: Noun + PartialEq + Debug>(statement: &Statement) -> usize {
    let Ok(verified) = statement.verify::<T>(&key()) else { return 0 };
    assert_eq!(&Statement::sign::<T>(&verified, &ENVELOPE.vault), statement);
    1
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(statement) = bounded(bytes.len(), || Statement::parse(bytes)) else { return };
    assert_eq!(statement.emit(), bytes);
    assert_eq!(Statement::parse(bytes).as_ref(), Ok(&statement));
    assert!(statement.kind().len() <= TYPE_LIMIT as usize);
    assert!(statement.payload().len() <= PAYLOAD_LIMIT as usize);
    let nouns = [verifies::<EnvelopeHeader>, verifies::<Manifest>, verifies::<KeyRelease>];
    assert!(nouns.iter().map(|verifies| verifies(&statement)).sum::<usize>() <= 1, "it states two nouns");
});
