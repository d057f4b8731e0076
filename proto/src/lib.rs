//! The messages all parties exchange, generated from `proto/layerlock/**`, and the one place where they become
//! domain types (`convert`). Nothing here decides, and no message goes further than a service's door.
//!
//! Signed things are carried as the exact bytes that were signed; they are parsed by `layerlock_terms` after
//! `layerlock_seal` has verified them, never here.

pub mod codec;
pub mod convert;
pub mod refusal;
pub mod trace;

/// What the files under `proto/layerlock` declare, for whoever asks a service what it offers (gRPC reflection).
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Messages and services, one module per party.
#[allow(
    missing_docs,
    clippy::all,
    clippy::unwrap_used,
    rust_2018_idioms,
    reason = "generated; the proto files are the documentation"
)]
pub mod types {
    /// Nouns that more than one service speaks of.
    pub mod v1 {
        tonic::include_proto!("layerlock.types.v1");
    }
}

#[allow(
    missing_docs,
    clippy::all,
    clippy::unwrap_used,
    rust_2018_idioms,
    reason = "generated; the proto files are the documentation"
)]
pub mod licensor {
    //! The licensor's services.
    pub mod v1 {
        tonic::include_proto!("layerlock.licensor.v1");
    }
}

#[allow(
    missing_docs,
    clippy::all,
    clippy::unwrap_used,
    rust_2018_idioms,
    reason = "generated; the proto files are the documentation"
)]
pub mod vault {
    //! The vault's services.
    pub mod v1 {
        tonic::include_proto!("layerlock.vault.v1");
    }
}
