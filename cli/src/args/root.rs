//! `layerlock operator root …`: what can be typed at the ceremony of the offline keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use layerlock_terms::trust::Role;

use super::Server;

/// The commands of the ceremony. They read and write files, and need no server and no network.
#[derive(Debug, Subcommand)]
pub enum Root {
    /// Make one offline key: a private FILE, and its public half in FILE.pub
    Key {
        /// Where the private key goes; it must not be there yet
        file: PathBuf,
        /// Whether anything is written.
        #[command(flatten)]
        dry: DryRun,
    },
    /// Draft a root, from nothing or from the one in force; says what changes
    Draft(Draft),
    /// Show the keys this server's services sign with, made if they are not there yet
    Services {
        /// Which server.
        #[command(flatten)]
        server: Server,
        /// Whether anything is written.
        #[command(flatten)]
        dry: DryRun,
    },
    /// Draft the certificate of a service's key
    Certify(Certify),
    /// Sign a draft with one offline key; says in words what is signed
    Sign {
        /// The draft; the signature is added to it
        file: PathBuf,
        /// The offline key's private file
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The root in force; needed for everything but a first root
        #[arg(long, value_name = "FILE")]
        root: Option<PathBuf>,
        /// Whether anything is written.
        #[command(flatten)]
        dry: DryRun,
    },
    /// Take over into FILE the signatures that others made on copies of it
    Join {
        /// The draft
        file: PathBuf,
        /// Copies of it
        #[arg(required = true)]
        copies: Vec<PathBuf>,
        /// Whether anything is written.
        #[command(flatten)]
        dry: DryRun,
    },
    /// Say in words what trust files hold and who signed them
    Show {
        /// Roots and certificates, drafts too
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Count signatures by the keys of this root
        #[arg(long, value_name = "FILE")]
        root: Option<PathBuf>,
    },
    /// Walk from a root to newer ones as a device does, and hold certificates against the last
    Verify {
        /// The root to begin with
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Newer roots in any order, and certificates
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Put signed roots and certificates into a server's folder; refuses what clients would refuse
    Install {
        /// Roots in any order, and certificates
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Which server.
        #[command(flatten)]
        server: Server,
        /// Whether anything is written.
        #[command(flatten)]
        dry: DryRun,
    },
}

/// `layerlock operator oem …`.
#[derive(Debug, Subcommand)]
pub enum Oem {
    /// State that these two keys are those of a device of ours
    Attest {
        /// The maker's private key, made by `root key`
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The maker's name, as the root lists it
        #[arg(long, value_name = "NAME")]
        name: String,
        /// The machine, by its catalogue name
        #[arg(long, value_name = "NAME")]
        machine: String,
        /// The device's signing key, as `device keys` shows it
        #[arg(long, value_name = "KEY")]
        sign: String,
        /// The device's opening key, as `device keys` shows it
        #[arg(long, value_name = "KEY")]
        open: String,
        /// Where the attestation goes; it must not be there yet
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Whether anything is written.
        #[command(flatten)]
        dry: DryRun,
    },
}

/// `layerlock operator root draft`.
#[derive(Debug, Args)]
pub struct Draft {
    /// The root in force; without one, the draft is of version 1
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Where the draft goes; it must not be there yet
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// A key to add: 64 hex digits or a `.pub` file (may be given again)
    #[arg(long = "add-key", value_name = "KEY")]
    pub add_keys: Vec<String>,
    /// A key to remove (may be given again)
    #[arg(long = "remove-key", value_name = "KEY")]
    pub remove_keys: Vec<String>,
    /// How many keys must sign; as before without it, at first more than half of them
    #[arg(long, value_name = "N")]
    pub threshold: Option<u8>,
    /// Days until the root ends
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    pub expires_in: u32,
    /// A maker to list: `NAME=KEY:DAYS:MACHINE[,MACHINE…]` (may be given again)
    #[arg(long = "add-oem", value_name = "OEM")]
    pub add_oems: Vec<String>,
    /// A maker to list no longer, with all its keys (may be given again)
    #[arg(long = "remove-oem", value_name = "NAME")]
    pub remove_oems: Vec<String>,
    /// A service's key to withdraw, for good (may be given again)
    #[arg(long = "withdraw", value_name = "KEY")]
    pub withdraw: Vec<String>,
    /// Whether anything is written.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `layerlock operator root certify`.
#[derive(Debug, Args)]
pub struct Certify {
    /// The root in force
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// What the key signs as: licensor, vault, checkpoint
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: Role,
    /// The service's key: 64 hex digits or a `.pub` file
    #[arg(long, value_name = "KEY")]
    pub key: String,
    /// Days until the certificate ends
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    pub expires_in: u32,
    /// Where the draft goes; it must not be there yet
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Whether anything is written.
    #[command(flatten)]
    pub dry: DryRun,
}

/// Whether a command writes what it says.
#[derive(Debug, Clone, Copy, Args)]
pub struct DryRun {
    /// Say everything the command would do, and write nothing
    #[arg(long = "dry-run")]
    pub on: bool,
}

fn role(name: &str) -> Result<Role, String> {
    let known = Role::ALL.into_iter().find(|role| role.name() == name);
    known.ok_or_else(|| "is one of licensor, vault, checkpoint".to_owned())
}
