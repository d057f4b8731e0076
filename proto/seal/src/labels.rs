//! Every domain-separation label of this crate, as tabled in `proto/spec/glossary.md`.
//!
//! A label keeps bytes hashed, derived or signed for one purpose from being taken for another. No label is
//! a prefix of another, so a label followed by data never reads as a longer label; a test compares this
//! list with the table and looks for prefixes.

/// Begins what a statement's signature covers.
pub const STATEMENT: &str = "layerlock/statement/v1";
/// Begins the hash that names an envelope by its header.
pub const HEADER_HASH: &str = "layerlock/header-hash/v1";
/// Derives an epoch secret from the job secret.
pub const EPOCH_SECRET: &str = "layerlock/epoch-secret/v1";
/// Derives the key that seals an epoch's segments.
pub const SEGMENT_KEY: &str = "layerlock/segment-key/v1";
/// Derives the public commitment to an epoch secret.
pub const EPOCH_COMMITMENT: &str = "layerlock/epoch-commitment/v1";
/// Begins the HPKE info an epoch secret is wrapped to a device with.
pub const EPOCH_WRAP: &str = "layerlock/epoch-wrap/v1";
/// Derives the key that wraps one blob's data key.
pub const BLOB_WRAP: &str = "layerlock/blob-wrap/v1";
/// Derives the public commitment to that wrapping key.
pub const BLOB_COMMITMENT: &str = "layerlock/blob-commitment/v1";
/// Derives the key that seals a blob's chunks.
pub const BLOB_CHUNK: &str = "layerlock/blob-chunk/v1";
/// Begins the hash that names a verifying key.
pub const KEY_ID: &str = "layerlock/key-id/v1";
/// What a token makes an HMAC of for a key-encryption key.
pub const KEK_OF_TOKEN: &str = "layerlock/kek-of-token/v1";
/// Derives the name of a key-encryption key.
pub const KEK_ID: &str = "layerlock/kek-id/v1";
/// Begins the hash an API key is stored as.
pub const API_KEY: &str = "layerlock/api-key/v1";
/// Begins what a blinded commitment covers.
pub const LEDGER_COMMITMENT: &str = "layerlock/ledger-commitment/v1";
/// Derives what API keys and enrolment codes are derived from, of a licensor's signing key.
pub const TOKEN_SOURCE: &str = "layerlock/token-source/v1";
/// Derives one API key.
pub const API_KEY_DERIVED: &str = "layerlock/derived-api-key/v1";
/// Derives one enrolment code.
pub const ENROLMENT_CODE: &str = "layerlock/enrolment-code/v1";
/// Begins the hash an enrolment code is named by.
pub const ENROLMENT_CODE_HASH: &str = "layerlock/enrolment-hash/v1";
/// Begins the hash, of that hash, that a licensor keeps a code under.
pub const ENROLMENT_CODE_KEPT: &str = "layerlock/enrolment-kept/v1";
/// Begins the HPKE info an enrolment's answer is wrapped to a device with.
pub const ENROLMENT_WRAP: &str = "layerlock/enrolment-wrap/v1";
/// Begins the hash a licensor keeps of an enrolment's answer.
pub const ENROLMENT_ANSWER: &str = "layerlock/enrolment-answer/v1";

/// All of the above.
pub const ALL: [&str; 21] = [
    STATEMENT,
    HEADER_HASH,
    EPOCH_SECRET,
    SEGMENT_KEY,
    EPOCH_COMMITMENT,
    EPOCH_WRAP,
    BLOB_WRAP,
    BLOB_COMMITMENT,
    BLOB_CHUNK,
    KEY_ID,
    KEK_ID,
    KEK_OF_TOKEN,
    API_KEY,
    LEDGER_COMMITMENT,
    TOKEN_SOURCE,
    API_KEY_DERIVED,
    ENROLMENT_CODE,
    ENROLMENT_CODE_HASH,
    ENROLMENT_CODE_KEPT,
    ENROLMENT_WRAP,
    ENROLMENT_ANSWER,
];
