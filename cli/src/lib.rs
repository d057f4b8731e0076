//! The one `layerlock` program: serve, demo, slice, and the seller's, buyer's, device's and operator's commands.
//!
//! Everything a service is given from outside is made here: sockets, TLS, keys, clocks, folders. Nothing that
//! decides lives here; a command is a call, a picture or a progress bar.

pub mod args;
pub mod backup;
pub mod ceremony;
pub mod commands;
pub mod connect;
pub mod door;
pub mod embedded;
pub mod files;
pub mod hand;
pub mod kek;
pub mod keyring;
pub mod ledger;
pub mod package;
pub mod parties;
pub mod people;
pub mod picture;
pub mod pkcs11;
pub mod printing;
pub mod random;
pub mod settings;
pub mod sight;
pub mod status_page;
pub mod support;
pub mod tls;
pub mod trust_files;
pub mod watch;

/// The machine's clock; a moment before 1970 reads as 1970.
pub fn now() -> layerlock_terms::units::Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    layerlock_terms::units::Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
