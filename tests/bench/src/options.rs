//! The command line, as `./x` and people write it.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::Failed;
use crate::usage::Cores;

const USAGE: &str = "slicer-bench --cura-settings FILE --cura-definition FILE [--threads 1|all] [--runs N] \
    [--scaling PICTURE [--most TRIANGLES]] [FOLDER]";

/// Runs of which a figure is the median.
const RUNS: usize = 5;

/// What to measure.
pub struct Options {
    /// Where the models are; without one, parts made by code.
    pub folder: Option<PathBuf>,
    /// Runs of each slicer on each model.
    pub runs: usize,
    /// One core, all of them, or one after the other.
    pub cores: Vec<Cores>,
    /// Measure instead how we grow, and draw it here.
    pub scaling: Option<PathBuf>,
    /// Most triangles to grow to.
    pub most: usize,
    /// What `cura_settings.py` wrote.
    pub cura_settings: PathBuf,
    /// CuraEngine's definition file, which names the settings.
    pub cura_definition: PathBuf,
}

impl Options {
    pub fn parse(arguments: &[OsString]) -> Result<Self, Failed> {
        let mut found = Self {
            folder: None,
            runs: RUNS,
            cores: vec![Cores::One, Cores::All],
            scaling: None,
            most: usize::MAX,
            cura_settings: PathBuf::new(),
            cura_definition: PathBuf::new(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| Failed::at(USAGE, "a value is missing"));
            match argument.to_str() {
                Some("--cura-settings") => found.cura_settings = value()?.into(),
                Some("--cura-definition") => found.cura_definition = value()?.into(),
                Some("--runs") => found.runs = number("--runs", value()?)?,
                Some("--scaling") => found.scaling = Some(value()?.into()),
                Some("--most") => found.most = number("--most", value()?)?,
                Some("--threads") => found.cores = cores(value()?)?,
                Some(flag) if flag.starts_with('-') => return Err(Failed::at(USAGE, flag)),
                _ => found.folder = Some(argument.into()),
            }
        }
        Ok(found)
    }
}

fn number(flag: &str, value: &OsString) -> Result<usize, Failed> {
    let number = value.to_str().and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    number.ok_or_else(|| Failed::at(format!("{flag} takes a whole number from 1 on"), value.display()))
}

fn cores(value: &OsString) -> Result<Vec<Cores>, Failed> {
    match value.to_str() {
        Some("1") => Ok(vec![Cores::One]),
        Some("all") => Ok(vec![Cores::All]),
        _ => Err(Failed::at("--threads takes 1 or all", value.display())),
    }
}
