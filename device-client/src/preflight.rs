//! Preflight, hop 9: is the machine fit for this job now?
//!
//! What a program can't see (what is on the bed, which nozzle and which filament are in) is what the machine's owner said,
//! kept in one small file; whoever prints writes there first that the bed is taken. A job the machine isn't ready for is not
//! refused: it waits where it is, sealed, until its owner has mended what is named, or its hold ends. Deliberately absent: whether
//! the job may be printed here at all (`check`), and what a line may do (`guard`).

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use layerlock_seal::sha256;
use layerlock_terms::digest::Digest;
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::Profile;
use layerlock_terms::units::Micrometres;
use layerlock_terms::wire::Noun as _;
use rustix::fs::statvfs;

use crate::disk;

/// Free space below which nothing is fetched, in bytes: a large envelope and its journal.
const LEAST_FREE: u64 = 128 << 20;

/// The file's name in the device's folder.
const FILE: &str = "owner";

/// What the owner said of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnersWord {
    /// The filament that is in; any, where nothing was said.
    pub material: Option<Material>,
    /// The nozzle that is in; the catalogue's, where nothing was said.
    pub nozzle: Option<Micrometres>,
    /// What is on the bed.
    pub bed: Bed,
}

/// What is on the bed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bed {
    /// Nothing; also where nobody has said or printed anything yet.
    #[default]
    Clear,
    /// A print, whole or begun.
    Taken,
    /// Nothing, whatever was printed: a belt, or a robot.
    ClearsItself,
}

/// What somebody must mend before a job can begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// The last print may still be there.
    #[error("the last print is still on the bed: take it off")]
    BedTaken,
    /// Another filament.
    #[error("it wants {asked}, and {loaded} is in: change it")]
    Material {
        /// The job's.
        asked: &'static str,
        /// The owner's word.
        loaded: &'static str,
    },
    /// Another nozzle.
    #[error("it is for a nozzle of {asked}, and one of {mounted} is in: change it")]
    Nozzle {
        /// The machine's in the catalogue.
        asked: Micrometres,
        /// The owner's word.
        mounted: Micrometres,
    },
    /// No room for the envelope.
    #[error("{} MiB are free where the device keeps its jobs, {} are wanted: free the disk", .free >> 20, LEAST_FREE >> 20)]
    Disk {
        /// Bytes.
        free: u64,
    },
}

impl Unready {
    /// What of the owner's word changes with the mend, as `layerlock-device set` takes it.
    pub fn word(&self) -> Option<String> {
        match self {
            Self::BedTaken => Some("--bed clear".into()),
            Self::Material { asked, .. } => Some(format!("--material {asked}")),
            Self::Nozzle { asked, .. } => Some(format!("--nozzle {}", f64::from(asked.0) / 1000.0)),
            Self::Disk { .. } => None,
        }
    }
}

/// Not a word of the file, or of the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a state of a bed: `clear`, `taken` or `clears-itself`")]
pub struct NotABed(String);

impl Bed {
    const fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Taken => "taken",
            Self::ClearsItself => "clears-itself",
        }
    }
}

impl fmt::Display for Bed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Bed {
    type Err = NotABed;

    fn from_str(text: &str) -> Result<Self, NotABed> {
        let known = [Self::Clear, Self::Taken, Self::ClearsItself];
        known.into_iter().find(|bed| bed.name() == text).ok_or_else(|| NotABed(text.to_owned()))
    }
}

impl OwnersWord {
    /// What was said last, for the device in this folder.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::InvalidData`] for a file nobody of ours wrote.
    pub fn read(home: &Path) -> io::Result<Self> {
        match std::fs::read_to_string(home.join(FILE)) {
            Ok(text) => Self::parse(&text).ok_or_else(|| {
                let words = format!(
                    "{}: not what `layerlock-device set` writes: remove it",
                    home.join(FILE).display()
                );
                io::Error::new(io::ErrorKind::InvalidData, words)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Says it, durably.
    ///
    /// # Errors
    /// The system's; what was said before stands then.
    pub fn write(&self, home: &Path) -> io::Result<()> {
        let mut text = String::new();
        if let Some(material) = self.material {
            text += &format!("material {}\n", material.name());
        }
        if let Some(nozzle) = self.nozzle {
            text += &format!("nozzle {}\n", nozzle.0);
        }
        text += &format!("bed {}\n", self.bed);
        disk::replace(&home.join(FILE), text.as_bytes())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut word = Self::default();
        for line in text.lines() {
            match line.split_once(' ')? {
                ("material", name) => word.material = Some(Material::named(name).ok()?),
                ("nozzle", um) => word.nozzle = Some(Micrometres(um.parse().ok()?)),
                ("bed", bed) => word.bed = bed.parse().ok()?,
                (_, _) => return None,
            }
        }
        Some(word)
    }

    /// Whether a job of this profile may begin on this machine.
    pub(crate) fn judge(&self, machine: &Machine, profile: Option<&Profile>) -> Result<(), Unready> {
        if self.bed == Bed::Taken {
            return Err(Unready::BedTaken);
        }
        if let Some(mounted) = self.nozzle.filter(|mounted| *mounted != machine.nozzle) {
            return Err(Unready::Nozzle { asked: machine.nozzle, mounted });
        }
        match (self.material, profile.map(Profile::material)) {
            (Some(loaded), Some(asked)) if loaded != asked => {
                Err(Unready::Material { asked: asked.name(), loaded: loaded.name() })
            }
            (_, _) => Ok(()),
        }
    }
}

/// Whether there is room for one more envelope.
pub(crate) fn room(home: &Path) -> Result<(), Unready> {
    // A file system that can't be asked is found out by the first write.
    let Ok(found) = statvfs(home) else { return Ok(()) };
    enough(found.f_bavail.saturating_mul(found.f_frsize))
}

fn enough(free: u64) -> Result<(), Unready> {
    if free < LEAST_FREE { Err(Unready::Disk { free }) } else { Ok(()) }
}

/// The profile an offer brings, if it is the very one the header names; nothing from a vault that sends none.
pub(crate) fn profile(bytes: &[u8], named: &Digest) -> Result<Option<Profile>, ()> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if sha256(bytes) != *named {
        return Err(());
    }
    // Of a newer catalogue than ours it can't be read, and isn't judged.
    Ok(Profile::parse(bytes).ok())
}

#[cfg(test)]
mod tests {
    use layerlock_terms::profile::Preset;

    use super::*;

    fn machine(name: &str) -> &'static Machine {
        Machine::named(name).unwrap()
    }

    fn pla() -> Profile {
        Profile::new(machine("prusa-mk3s"), Material::Pla, Preset::Standard)
    }

    #[test]
    fn what_the_owner_said_is_read_back_and_another_file_is_refused_by_name() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(OwnersWord::read(home.path()).unwrap(), OwnersWord::default());
        for bed in [Bed::Clear, Bed::Taken, Bed::ClearsItself] {
            let word = OwnersWord { material: Some(Material::Petg), nozzle: Some(Micrometres(600)), bed };
            word.write(home.path()).unwrap();
            assert_eq!(OwnersWord::read(home.path()).unwrap(), word);
        }
        std::fs::write(home.path().join(FILE), "bed full\n").unwrap();
        let error = OwnersWord::read(home.path()).unwrap_err().to_string();
        assert!(error.contains("owner") && error.contains("remove it"), "{error}");
    }

    #[test]
    fn a_taken_bed_another_nozzle_and_another_filament_are_named_with_their_mend() {
        let ready =
            OwnersWord { material: Some(Material::Pla), nozzle: Some(Micrometres(400)), bed: Bed::Clear };
        let judge = |word: OwnersWord| word.judge(machine("prusa-mk3s"), Some(&pla()));
        assert_eq!(judge(ready), Ok(()));
        assert_eq!(judge(OwnersWord { bed: Bed::ClearsItself, ..ready }), Ok(()));
        assert_eq!(judge(OwnersWord { bed: Bed::Taken, ..ready }), Err(Unready::BedTaken));
        let petg = judge(OwnersWord { material: Some(Material::Petg), ..ready }).unwrap_err();
        assert!(petg.to_string().contains("wants pla, and petg is in"), "{petg}");
        let wide = judge(OwnersWord { nozzle: Some(Micrometres(600)), ..ready }).unwrap_err();
        assert!(wide.to_string().contains("0.4 mm, and one of 0.6 mm"), "{wide}");
        // Of what nobody said and nobody sent nothing is held against a job.
        assert_eq!(OwnersWord::default().judge(machine("prusa-mk3s"), Some(&pla())), Ok(()));
        let petg = OwnersWord { material: Some(Material::Petg), ..ready };
        assert_eq!(petg.judge(machine("prusa-mk3s"), None), Ok(()));
    }

    #[test]
    fn a_disk_without_room_for_an_envelope_is_told_with_how_much_is_wanted() {
        assert_eq!(enough(LEAST_FREE), Ok(()));
        let full = enough(LEAST_FREE - 1).unwrap_err().to_string();
        assert!(full.contains("127 MiB are free") && full.contains("128 are wanted"), "{full}");
        assert_eq!(room(Path::new("/no/such/folder")), Ok(()), "the first write tells");
    }

    #[test]
    fn a_profile_is_believed_only_if_it_is_the_one_the_header_names() {
        let bytes = pla().emit();
        let named = sha256(&bytes);
        assert_eq!(profile(&bytes, &named), Ok(Some(pla())));
        assert_eq!(profile(&[], &named), Ok(None));
        assert_eq!(profile(&bytes[1..], &named), Err(()));
        assert_eq!(profile(b"newer", &sha256(b"newer")), Ok(None));
    }
}
