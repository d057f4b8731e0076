//! `layerlock demo`: the whole road once, on this machine, through the same calls anyone makes.
//!
//! Nothing here knows more than a party would: the seller, the buyer and the device are clients over TLS, and the
//! three attackers at the end use what an eavesdropper or a thief of a disk would have. Every figure told is read
//! back from the services; the demo fails if anything it shows did not hold.

mod attacks;
mod pictures;
mod report;
mod road;
mod teller;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use layerlock_slicer::sample;

use crate::args::Demo;
use crate::commands::serve::own_worker;
use crate::embedded::{Embedded, EmbeddedError, Outside};
use crate::files;
use crate::now;
use crate::parties::PartyError;
use crate::printing::PrintingError;
use crate::settings::Settings;

pub use report::Report;

/// Why the demo did not hold.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A name or a setting.
    #[error(transparent)]
    Printing(#[from] PrintingError),
    /// The house.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// A call.
    #[error("{0}")]
    Party(#[from] PartyError),
    /// The device.
    #[error("device: {0}")]
    Device(#[from] layerlock_device::DeviceError),
    /// Enrolment.
    #[error("enrolment: {0}")]
    Enrol(#[from] layerlock_device::EnrolError),
    /// Opening a device.
    #[error("device: {0}")]
    Open(#[from] layerlock_device::OpenError),
    /// The printer named on the command line.
    #[error("--printer: {0}")]
    Printer(String),
    /// A file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something that must hold did not.
    #[error("{0}")]
    Broken(String),
}

/// What is printed: a file's bytes, or the sample's.
pub(crate) struct Model {
    name: String,
    bytes: Vec<u8>,
}

impl Model {
    fn of(path: Option<&PathBuf>) -> io::Result<Self> {
        let Some(path) = path else {
            let bytes = layerlock_slicer::mesh::to_binary_stl(&sample::sample());
            return Ok(Self { name: "sample part".into(), bytes });
        };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, bytes: files::read(path)? })
    }
}

/// Runs the demo; `Ok` only if all of it held.
pub async fn run(args: Demo, out: &mut (impl Write + Send)) -> Result<Report, DemoError> {
    let model = Model::of(args.model.as_ref())?;
    let profile = args.printing.profile(&args.printer_model)?;
    let temporary = Temporary::unless(args.data_dir.as_ref())?;
    let dir = args.data_dir.clone().unwrap_or_else(|| temporary.path());
    let outside = Outside {
        dir: dir.join("server"),
        settings: Settings::anywhere(),
        worker: own_worker()?,
        metrics: None,
        clock: Arc::new(now),
    };
    let house = Embedded::start(outside).await?;
    let walked = road::walk(&house, &dir, &args, &model, &profile, out).await;
    house.stop().await;
    let report = walked?;
    if let Some(file) = &args.json {
        let json = serde_json::to_vec_pretty(&report).expect("the report is plain numbers and text");
        files::write_public(file, &json)?;
    }
    Ok(report)
}

/// A folder that is gone when the demo is over, unless the person named one.
struct Temporary(Option<PathBuf>);

impl Temporary {
    fn unless(named: Option<&PathBuf>) -> io::Result<Self> {
        if named.is_some() {
            return Ok(Self(None));
        }
        let id = crate::random::id_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let path = std::env::temp_dir().join(format!("layerlock-demo-{id}"));
        files::private_dir(&path)?;
        Ok(Self(Some(path)))
    }

    fn path(&self) -> PathBuf {
        self.0.clone().unwrap_or_default()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            drop(std::fs::remove_dir_all(path));
        }
    }
}
