//! The peers and how each is told the same as ours.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::usage::Cores;
use crate::{Failed, prusa};

/// A slicer of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    CuraEngine,
    PrusaSlicer,
}

impl Peer {
    pub const ALL: [Self; 2] = [Self::CuraEngine, Self::PrusaSlicer];

    pub fn name(self) -> &'static str {
        match self {
            Self::CuraEngine => "CuraEngine",
            Self::PrusaSlicer => "PrusaSlicer",
        }
    }

    pub fn program(self) -> &'static Path {
        Path::new(match self {
            Self::CuraEngine => "CuraEngine",
            Self::PrusaSlicer => "prusa-slicer",
        })
    }
}

/// Both peers, with what they are told.
pub struct Peers {
    /// `key=value`, every setting CuraEngine knows.
    cura_settings: Vec<String>,
    cura_definition: PathBuf,
    versions: Vec<String>,
}

impl Peers {
    /// Makes sure both run at all.
    pub fn find(cura_settings: &Path, cura_definition: &Path) -> Result<Self, Failed> {
        let settings =
            fs::read_to_string(cura_settings).map_err(|error| Failed::at(cura_settings.display(), error))?;
        let versions = Peer::ALL.iter().map(|peer| version(*peer)).collect::<Result<_, _>>()?;
        Ok(Self {
            cura_settings: settings.lines().map(str::to_owned).collect(),
            cura_definition: cura_definition.to_owned(),
            versions,
        })
    }

    pub fn versions(&self) -> String {
        self.versions.join(", ")
    }

    /// What `peer` is started with.
    pub fn arguments(&self, peer: Peer, cores: Cores, stl: &Path, out: &Path) -> Vec<OsString> {
        match peer {
            Peer::CuraEngine => self.cura(cores, stl, out),
            Peer::PrusaSlicer => prusa::arguments(stl, out),
        }
    }

    /// Every setting twice: before the extruder, and after it, where defaults would have come back.
    fn cura(&self, cores: Cores, stl: &Path, out: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["slice".into(), format!("-m{}", cores.count()).into()];
        arguments.extend(["-j".into(), self.cura_definition.clone().into()]);
        let settings = || self.cura_settings.iter().flat_map(|setting| ["-s".into(), setting.into()]);
        arguments.extend(settings());
        arguments.push("-e0".into());
        arguments.extend(settings());
        arguments.extend(["-l".into(), stl.into(), "-o".into(), out.into()]);
        arguments
    }
}

fn version(peer: Peer) -> Result<String, Failed> {
    let ask = match peer {
        Peer::CuraEngine => "help",
        Peer::PrusaSlicer => "--help",
    };
    let output = Command::new(peer.program()).arg(ask).output();
    let output = output.map_err(|error| Failed::at(peer.program().display(), error))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let line = said
        .lines()
        .map(str::trim)
        .find(|line| line.to_lowercase().contains("engine") || line.contains("Slicer-"));
    let words = line.unwrap_or(peer.name()).split(" based on").next().unwrap_or_default().to_owned();
    Ok(words)
}
