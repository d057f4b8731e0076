//! The one `layerlock` program: serve, demo, slice, and the seller's, buyer's, device's and operator's commands.
//!
//! Everything a service is given from outside is made here: sockets, TLS, keys, clocks, folders. Nothing that
//! decides lives here; a command is a call, a picture or a progress bar.

pub mod args;
pub mod commands;
pub mod connect;
pub mod door;
pub mod files;
pub mod keyring;
pub mod ledger;
pub mod parties;
pub mod people;
pub mod picture;
pub mod printing;
pub mod random;
pub mod tls;
