//! What can be typed: the commands and their options, with the words of `--help`.

pub mod changes;
pub mod kek;
pub mod root;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use layerlock_device::Bed;

use crate::commands::device::run::MachineAt;
use crate::pkcs11::TokenKey;
use crate::sight::{LogFormat, PageAt};

/// Licensed 3D printing: the buyer gets the print, never the file.
#[derive(Debug, Parser)]
#[command(name = "layerlock", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Walk the whole road once on this machine: upload, license, slice, seal, print, settle, verify, refuse
    Demo(Demo),
    /// Slice a model of your own into G-code
    Slice(Slice),
    /// Run the licensor and the vault on this machine
    Serve(Serve),
    /// Upload designs, make offers, issue licenses
    #[command(subcommand)]
    Seller(Seller),
    /// Look at licenses, print
    #[command(subcommand)]
    Buyer(Buyer),
    /// Enrol this device, print what is sent to it
    #[command(subcommand)]
    Device(Device),
    /// Make sellers and enrolment codes, revoke devices, audit the ledger
    #[command(subcommand)]
    Operator(Operator),
    /// List machines, materials, presets and settings
    Catalogue,
    /// Slices one mesh for the vault: started by it, never by hand
    #[command(hide = true)]
    VaultWorker,
}

/// How to print: machine, material, preset, settings.
#[derive(Debug, Clone, Args)]
pub struct Printing {
    /// A named choice of settings: draft, standard, fine, strong
    #[arg(long, value_name = "NAME", default_value = "standard")]
    pub preset: String,
    /// What is printed with: pla, petg, abs, asa, tpu
    #[arg(long, value_name = "NAME", default_value = "pla")]
    pub material: String,
    /// One setting over the preset; `layerlock catalogue` lists them (may be given again)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}

/// `layerlock demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// STL, 3MF or OBJ file; without one, a sample part the program makes itself
    pub model: Option<PathBuf>,
    /// Where the toolpath goes: `simulated`, `simulated@TIMES` real speed, `serial:PATH[@BAUD]`, `klipper:SOCKET` or
    /// `moonraker:http://HOST:PORT[?key=FILE]`
    #[arg(long, value_name = "PRINTER", default_value = "simulated")]
    pub printer: String,
    /// The machine behind it
    #[arg(long, value_name = "NAME", default_value = "prusa-mk3s")]
    pub printer_model: String,
    /// How to print.
    #[command(flatten)]
    pub printing: Printing,
    /// Keep everything here instead of in a temporary folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where the layer pictures go
    #[arg(long, value_name = "FILE", default_value = "layerlock-demo.png")]
    pub picture: PathBuf,
    /// Write what happened as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `layerlock slice`.
#[derive(Debug, Args)]
pub struct Slice {
    /// STL, 3MF or OBJ file
    pub model: PathBuf,
    /// Where the G-code goes
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The machine it is for
    #[arg(long, value_name = "NAME", default_value = "prusa-mk3s")]
    pub printer_model: String,
    /// How to print.
    #[command(flatten)]
    pub printing: Printing,
    /// What changes the model first.
    #[command(flatten)]
    pub changes: changes::Changes,
    /// How lines are written.
    #[command(flatten)]
    pub lines: Lines,
    /// Write layers, times and material as JSON
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,
    /// Slicing threads; all cores without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Draw the sliced part as PNG
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Draw this one layer instead of the whole part, counted from 0
    #[arg(long, value_name = "N", requires = "picture")]
    pub layer: Option<u32>,
}

/// How G-code is written, where the machine's own firmware is not what reads it or has a choice.
#[derive(Debug, Clone, Args)]
pub struct Lines {
    /// Which firmware reads it: marlin, klipper, reprap; the machine's own without it
    #[arg(long, value_name = "NAME")]
    pub dialect: Option<String>,
    /// Count filament from each layer's start (M82) and not from move to move (M83)
    #[arg(long)]
    pub absolute_extrusion: bool,
    /// Leave pulling back to the firmware (G10, G11)
    #[arg(long)]
    pub firmware_retraction: bool,
    /// Write arcs (G2, G3) where they leave the lines by no more than this many micrometres
    #[arg(long, value_name = "UM", value_parser = clap::value_parser!(i32).range(1..=200))]
    pub arcs: Option<i32>,
}

/// `layerlock serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Keys, records and sealed designs live here
    #[arg(long, value_name = "DIR", env = "LAYERLOCK_DATA")]
    pub data_dir: Option<PathBuf>,
    /// Addresses, names, limits (TOML); see docs/operating.md
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How log lines are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, env = "LAYERLOCK_LOG_FORMAT")]
    pub log_format: LogFormat,
}

/// Where a party keeps its keys, and which server it speaks to.
#[derive(Debug, Clone, Args)]
pub struct Party {
    /// This party's keys and settings live here
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// The connection file that `layerlock serve` wrote
    #[arg(long, value_name = "FILE", env = "LAYERLOCK_CONNECT")]
    pub connect: Option<PathBuf>,
}

/// `layerlock seller …`.
#[derive(Debug, Subcommand)]
pub enum Seller {
    /// Make a signing key, have it certified, remember the API key
    Join {
        /// The API key the operator gave you
        #[arg(long, value_name = "KEY", env = "LAYERLOCK_API_KEY", hide_env_values = true)]
        api_key: String,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Upload a design version; it stays sealed in the vault
    Upload {
        /// What is uploaded.
        #[command(flatten)]
        model: ModelArgs,
        /// Write the design's shaded pictures here, one for each side
        #[arg(long, value_name = "DIR")]
        snapshots: Option<PathBuf>,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Make a link by which anyone may send a model file's bytes for you, for an hour: `curl --upload-file`
    Ticket {
        /// What is uploaded.
        #[command(flatten)]
        model: ModelArgs,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Show all there is to say of a design: defects, printability, what looks alike
    Design {
        /// The design
        design: String,
        /// Which of its versions; the newest without one
        #[arg(long, value_name = "NUMBER")]
        version: Option<u32>,
        /// Write its shaded pictures here, one for each side
        #[arg(long, value_name = "DIR")]
        snapshots: Option<PathBuf>,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// List your design versions
    Designs {
        /// Only the versions of this design
        #[arg(long, value_name = "DESIGN")]
        design: Option<String>,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Make an offer for a design
    Offer {
        /// The design
        design: String,
        /// Which of its versions; the newest without one
        #[arg(long, value_name = "NUMBER")]
        version: Option<u32>,
        /// What each license allows.
        #[command(flatten)]
        terms: TermsArgs,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// List your offers
    Offers {
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Make a buyer and its API key
    CreateBuyer {
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Issue a license of an offer to a buyer
    License {
        /// The offer
        offer: String,
        /// The buyer
        #[arg(long)]
        buyer: String,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// List licenses you issued, with their copies
    Licenses {
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Revoke a license: no further print starts
    Revoke {
        /// The license
        license: String,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Show and verify the ledger entry of a hold
    Entry {
        /// The hold
        hold: String,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
}

/// A model file and what its manifest says.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    /// STL, 3MF or OBJ file
    #[arg(value_name = "MODEL")]
    pub file: PathBuf,
    /// Your own G-code of it for a machine and material, as a slicer made it; printed with `engine` = `custom` (may be given
    /// again)
    #[arg(long, value_name = "MACHINE:MATERIAL=FILE")]
    pub gcode: Vec<String>,
    /// What people call it; the file's name without one
    #[arg(long)]
    pub name: Option<String>,
    /// A new version of this design
    #[arg(long, value_name = "DESIGN")]
    pub design: Option<String>,
    /// Most copies an offer may grant
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_copies: u32,
}

/// An offer's terms.
#[derive(Debug, Clone, Args)]
pub struct TermsArgs {
    /// Prints granted by each license
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub copies: u32,
    /// Days until a license ends; without it, never
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub expires_in: Option<u32>,
    /// Only this device may print (may be given again)
    #[arg(long = "device", value_name = "DEVICE")]
    pub devices: Vec<String>,
    /// Only this material (may be given again)
    #[arg(long = "material-allowed", value_name = "NAME")]
    pub materials: Vec<String>,
    /// Scale a buyer may choose, percent: `100` or `80-120`
    #[arg(long, default_value = "100")]
    pub scale: String,
    /// A failed print spends its copy from this share of layers on, percent; without it, never
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub spend_failed_from: Option<u8>,
    /// Epochs of keys a device may hold ahead of what it printed
    #[arg(long, default_value_t = 2)]
    pub window: u16,
    /// A device gets all keys of a print at once and may finish without the server; such a print can't be stopped
    #[arg(long, conflicts_with = "window")]
    pub offline: bool,
}

/// `layerlock buyer …`.
#[derive(Debug, Subcommand)]
pub enum Buyer {
    /// Remember the API key
    Join {
        /// The API key the seller gave you
        #[arg(long, value_name = "KEY", env = "LAYERLOCK_API_KEY", hide_env_values = true)]
        api_key: String,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// List your licenses and the copies left
    Licenses {
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Print one copy on a device, and watch it
    Print {
        /// The license
        license: String,
        /// The device
        #[arg(long)]
        device: String,
        /// How to print.
        #[command(flatten)]
        printing: Printing,
        /// Names this print: the same id never prints twice
        #[arg(long, value_name = "REQUEST")]
        request_id: Option<String>,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Watch a print job until it is settled
    Watch {
        /// The job
        job: String,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
}

/// `layerlock device …`.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// Make this device's keys and have them certified
    Enrol {
        /// The enrolment code
        code: String,
        /// The machine behind this device
        #[arg(long, value_name = "NAME", default_value = "prusa-mk3s")]
        machine: String,
        /// What the device's maker says of its keys: a file of `operator oem attest`
        #[arg(long, value_name = "FILE")]
        attestation: Option<PathBuf>,
        /// Have the keys come from a token, of this secret, which is made there if need be: a `pkcs11:` URI as of RFC 7512
        #[arg(long, value_name = "URI")]
        keys: Option<TokenKey>,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Wait for jobs and print them
    Run {
        /// Where the toolpath goes: `simulated`, `simulated@TIMES` real speed, `serial:PATH[@BAUD]`, `klipper:SOCKET` or
        /// `moonraker:http://HOST:PORT[?key=FILE]`
        #[arg(long, value_name = "PRINTER", default_value = "simulated")]
        printer: String,
        /// Serve several machines of this computer: the folder a device was enrolled in and its printer, as in
        /// left=serial:/dev/ttyUSB0; once for each
        #[arg(long = "machine", value_name = "DIR=PRINTER", conflicts_with_all = ["printer", "home", "picture"])]
        machines: Vec<MachineAt>,
        /// Stop after one job, each machine after one of its own
        #[arg(long)]
        once: bool,
        /// Where the status page is, or `off`; unless told, this computer alone sees it, at 127.0.0.1:7424
        #[arg(long, value_name = "ADDRESS")]
        status: Option<PageAt>,
        /// Draw as PNG what a simulated machine has laid down, when a job is over
        #[arg(long, value_name = "FILE")]
        picture: Option<PathBuf>,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Say what a program can't see of the machine, also while `run` runs; says what was said last
    Set {
        /// The filament that is in, or `any`
        #[arg(long, value_name = "NAME")]
        material: Option<String>,
        /// The diameter of the nozzle that is in, in millimetres, or `any`
        #[arg(long, value_name = "MM")]
        nozzle: Option<String>,
        /// `clear` once a print was taken off, `taken`, or `clears-itself` for a belt or a robot
        #[arg(long, value_name = "STATE")]
        bed: Option<Bed>,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Pause the print while `run` runs: the head goes aside once the machine has made what it holds
    Pause {
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Go on with a print that is paused
    Resume {
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// End the print while `run` runs: the machine is made safe, and the copy settled by what was printed
    Cancel {
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Let somebody watch this device while `run` runs: states, temperatures and the machine's wire without movements, at
    /// its status page, by a token; without an option, say until when tokens are good
    Support {
        /// Make a token that is good for so many minutes; it is shown once
        #[arg(long = "for", value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..=1440), conflicts_with = "revoke")]
        minutes: Option<u32>,
        /// Take all tokens back, also from who watches now
        #[arg(long)]
        revoke: bool,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Watch a device by a support token
    Watch {
        /// Where its status page is: `HOST:PORT`, or `HOST:PORT/NAME` where several machines are on one page
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// The token its owner made; a line of standard input without one
        #[arg(long, env = "LAYERLOCK_SUPPORT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
        token: Option<String>,
    },
    /// Make this device's keys, if need be, and show their public halves: what its maker attests
    Keys {
        /// Have them come from a token, of this secret, which is made there if need be: a `pkcs11:` URI as of RFC 7512
        #[arg(long, value_name = "URI")]
        keys: Option<TokenKey>,
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Walk to the newest root, and learn today's services; `run` does so by itself
    Renew {
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
    /// Judge a maker's own client by the formats' rules: `docs/oem.md` says how it is spoken to
    Conformance {
        /// The client to start: a program, then its arguments, separated by spaces
        #[arg(long, value_name = "COMMAND")]
        against: String,
        /// Only cases whose name holds this
        #[arg(long, value_name = "PART")]
        only: Option<String>,
        /// Write the findings as JSON too
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// Who this device is
    Status {
        /// Whose keys, and which server.
        #[command(flatten)]
        party: Party,
    },
}

/// `layerlock operator …`.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// Make a seller and its API key
    CreateSeller {
        /// Which server.
        #[command(flatten)]
        server: Server,
    },
    /// Make a single-use code for enrolling a device
    EnrolmentCode {
        /// Which server.
        #[command(flatten)]
        server: Server,
    },
    /// List devices
    Devices {
        /// Which server.
        #[command(flatten)]
        server: Server,
    },
    /// Revoke a device, for good
    RevokeDevice {
        /// The device
        device: String,
        /// Which server.
        #[command(flatten)]
        server: Server,
    },
    /// The ceremony of the offline keys: make, draft, sign, show, verify, install
    #[command(subcommand)]
    Root(root::Root),
    /// What a maker does that the root lists: attest its devices
    #[command(subcommand)]
    Oem(root::Oem),
    /// The vault's key-encryption keys: make one, list them, wrap anew by the newest
    #[command(subcommand)]
    Kek(kek::Kek),
    /// Copy the server's records and sealed files, while it serves; keys are not copied
    Backup {
        /// An empty folder, or one to be made
        to: PathBuf,
        /// Which server.
        #[command(flatten)]
        server: Server,
    },
    /// Put a backup in place as a server's folder
    Restore {
        /// The backup
        from: PathBuf,
        /// The server's `keys` folder, copied from where it is kept; without it, `keys` must be in place already
        #[arg(long, value_name = "DIR")]
        keys: Option<PathBuf>,
        /// Which server.
        #[command(flatten)]
        server: Server,
    },
    /// Check every record of a server's folder, while it serves, or every file of a backup
    Verify {
        /// A backup; without it, the server's own folder
        #[arg(value_name = "BACKUP")]
        folder: Option<PathBuf>,
        /// Which server.
        #[command(flatten)]
        server: Server,
    },
    /// Show at a glance how the running server is
    Status {
        /// Which server.
        #[command(flatten)]
        server: Server,
    },
    /// Read the whole ledger and check it against its signed checkpoint
    Audit {
        /// Which server.
        #[command(flatten)]
        server: Server,
    },
}

/// The operator works where the server's folder is.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// The server's folder
    #[arg(long, value_name = "DIR", env = "LAYERLOCK_DATA")]
    pub data_dir: Option<PathBuf>,
}
