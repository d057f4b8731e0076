//! `layerlock operator kek …`: the vault's key-encryption keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Server;
use crate::kek::KekSource;

/// The commands of a rotation: make a new key, name it first in the settings, wrap anew, drop the former one.
#[derive(Debug, Subcommand)]
pub enum Kek {
    /// Make a key: a file, or an object of a token that never leaves it
    New {
        /// Where: `file:PATH` (a relative path is in the server's `keys`) or a `pkcs11:` URI
        source: KekSource,
        /// Which server.
        #[command(flatten)]
        server: Server,
    },
    /// Show the ids of the keys the settings name; the first one wraps
    List(Sources),
    /// Wrap by the first key all that former ones wrap; killed, it goes on when run again
    Rewrap(Sources),
}

/// Whose keys.
#[derive(Debug, Args)]
pub struct Sources {
    /// The server's settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which server.
    #[command(flatten)]
    pub server: Server,
}
