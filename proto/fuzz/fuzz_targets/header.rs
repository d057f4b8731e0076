//! Any bytes as the headers of what is sealed: of an envelope (HDR rules) and of a blob (BLOB-1).
#![no_main]

use layerlock_proto_fuzz::{bounded, is_one_noun, is_stated};
use layerlock_seal::blob;
use layerlock_terms::envelope::{EnvelopeHeader, MACHINE_NAME_LIMIT, SEGMENT_LIMIT};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(header) = is_one_noun::<EnvelopeHeader>(bytes) {
        assert!((1..=SEGMENT_LIMIT).contains(&header.segment_limit) && header.epoch_layers > 0);
        assert!(header.machine.len() <= MACHINE_NAME_LIMIT as usize);
    }
    is_stated::<EnvelopeHeader>(bytes);
    if let Ok(header) = bounded(bytes.len(), || blob::Header::parse(bytes)) {
        assert_eq!(header.as_bytes(), bytes);
    }
});
