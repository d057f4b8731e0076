//! The zip archive of a 3MF, vetted whole before any part of it is expanded (SECURITY-CASES U1, U4).
//!
//! Part names are keys into the archive, never paths of a file system. An archive that two readers could read
//! differently (a name twice, names that differ in case, entries that share bytes) is refused, because what was
//! analysed must be what is printed. Sizes the archive states are not believed: [`Meter`] counts what comes out.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Cursor, Read};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::xml::{self, Element, Visit, Visitor};
use crate::mesh::{Limits, MeshError, PartName};

/// The relation that names the root model (OPC relationships, 3MF core specification 2.1).
const ROOT_RELATION: &str = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel";

/// Parts every 3MF has and that hold no geometry.
const STRUCTURE: [&str; 2] = ["[content_types].xml", "_rels/.rels"];

/// Expansion below this is never held against a part; a small file of spaces is no bomb.
const RATIO_FREE_BYTES: u64 = 1 << 20;

/// Longest part name.
const LONGEST_NAME: usize = 255;

/// A part's name without its leading slash, in lower case, because OPC compares names without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PartPath(String);

impl PartPath {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Resolves a reference found in a part; all references we follow start at the package's root.
    pub(super) fn resolve(target: &str) -> Result<Self, MeshError> {
        if target.contains("://") || target.starts_with("//") {
            return Err(MeshError::External { part: PartName::new(target) });
        }
        Self::vet(target.strip_prefix('/').unwrap_or(target))
    }

    /// Takes a name as it stands in the archive's directory.
    fn vet(name: &str) -> Result<Self, MeshError> {
        let odd = |c: char| c.is_control() || c == '\\' || c == ':';
        let climbs = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
        if name.len() > LONGEST_NAME || name.contains(odd) || name.split('/').any(climbs) {
            return Err(MeshError::UnsafePath { part: PartName::new(name) });
        }
        Ok(Self(name.to_lowercase()))
    }
}

/// A vetted archive.
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    bytes: u64,
    index: BTreeMap<PartPath, usize>,
    limits: Limits,
    expanded: u64,
}

impl<'a> Package<'a> {
    /// Opens the archive and vets its directory.
    pub(super) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, MeshError> {
        let mut archive = ZipArchive::new(Cursor::new(bytes))
            .map_err(|_| MeshError::BrokenArchive("its directory can't be read"))?;
        if archive.len() as u64 > u64::from(limits.parts) {
            let (found, limit) = (archive.len() as u64, u64::from(limits.parts));
            return Err(MeshError::TooManyParts { found, limit });
        }
        if archive.has_duplicate_names() {
            return Err(MeshError::TwinParts);
        }
        let index = vet_directory(&archive)?;
        match archive.has_overlapping_entries() {
            Ok(false) => Ok(Self { archive, bytes: bytes.len() as u64, index, limits: *limits, expanded: 0 }),
            Ok(true) => Err(MeshError::OverlappingParts),
            Err(_) => Err(MeshError::BrokenArchive("a part lies outside it")),
        }
    }

    /// The part the root relation names.
    pub(super) fn root_model(&mut self) -> Result<PartPath, MeshError> {
        let relations = PartPath(STRUCTURE[1].to_owned());
        if !self.index.contains_key(&relations) {
            return Err(MeshError::NoModel);
        }
        let mut visitor = Relations { found: None };
        xml::walk(self.read(&relations)?, PartName::new(relations.as_str()), &mut visitor)?;
        visitor.found.ok_or(MeshError::NoModel)
    }

    /// Opens a part as a metered stream.
    pub(super) fn read(&mut self, path: &PartPath) -> Result<BufReader<impl Read>, MeshError> {
        let part = PartName::new(path.as_str());
        let Some(&index) = self.index.get(path) else {
            return Err(MeshError::MissingPart { part });
        };
        let inner = self.archive.by_index(index).map_err(|error| match error {
            ZipError::UnsupportedArchive(_) => MeshError::Compression { part: part.clone() },
            _ => MeshError::DamagedPart { part: part.clone() },
        })?;
        let packed = inner.compressed_size().min(self.bytes);
        let allowed = RATIO_FREE_BYTES.max(packed.saturating_mul(u64::from(self.limits.ratio)));
        let meter =
            Meter { inner, part, here: 0, allowed, expanded: &mut self.expanded, limits: self.limits };
        Ok(BufReader::with_capacity(1 << 16, meter))
    }

    /// The names of its parts.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(PartPath::as_str)
    }

    /// How many parts were left unopened, besides those every 3MF has.
    pub(super) fn parts_besides<'p>(&self, opened: impl Iterator<Item = &'p PartPath>) -> u32 {
        let structure = self.index.keys().filter(|path| STRUCTURE.contains(&path.as_str())).count();
        (self.index.len() - structure - opened.count()) as u32
    }
}

/// Checks every entry and indexes the parts; folders are no parts.
fn vet_directory(archive: &ZipArchive<Cursor<&[u8]>>) -> Result<BTreeMap<PartPath, usize>, MeshError> {
    let mut index = BTreeMap::new();
    for n in 0..archive.len() {
        let broken = |_| MeshError::BrokenArchive("an entry of its directory can't be read");
        let entry = archive.by_index_data(n).map_err(broken)?;
        let name = entry.name().map_err(broken)?;
        let part = PartName::new(&name);
        let path = PartPath::vet(name.strip_suffix('/').unwrap_or(&name))?;
        if entry.is_symlink() {
            return Err(MeshError::Link { part });
        }
        if entry.is_dir() {
            continue;
        }
        if entry.encrypted() {
            return Err(MeshError::Encrypted { part });
        }
        if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(MeshError::Compression { part });
        }
        if index.insert(path, n).is_some() {
            return Err(MeshError::CaseTwins { part });
        }
    }
    Ok(index)
}

/// Counts what comes out of a part and stops it at the limits. Its errors carry a [`MeshError`].
struct Meter<'p, R> {
    inner: R,
    part: PartName,
    /// Bytes out of this part so far.
    here: u64,
    /// Bytes this part may give, by its packed size.
    allowed: u64,
    /// Bytes out of all parts so far.
    expanded: &'p mut u64,
    limits: Limits,
}

impl<R: Read> Read for Meter<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let part = || self.part.clone();
        let count =
            self.inner.read(into).map_err(|_| io::Error::other(MeshError::DamagedPart { part: part() }))?;
        self.here += count as u64;
        *self.expanded += count as u64;
        if *self.expanded > self.limits.expanded_bytes {
            return Err(io::Error::other(MeshError::ExpandsTooFar { limit: self.limits.expanded_bytes }));
        }
        if self.here > self.allowed {
            let limit = u64::from(self.limits.ratio);
            return Err(io::Error::other(MeshError::ExpandsTooMuch { part: part(), limit }));
        }
        Ok(count)
    }
}

/// Finds the root model among the package's relations; the first one counts, as the specification allows one only.
struct Relations {
    found: Option<PartPath>,
}

impl Visitor for Relations {
    fn open(&mut self, element: &Element<'_>) -> Result<Visit, MeshError> {
        let (mut kind, mut target, mut mode) = (None, None, None);
        element.attributes(|name, value| match name {
            "Type" => kind = Some(value.to_owned()),
            "Target" => target = Some(value.to_owned()),
            "TargetMode" => mode = Some(value.to_owned()),
            _ => {}
        })?;
        if element.local_name() == "Relationship" && kind.as_deref() == Some(ROOT_RELATION) {
            let target = target.ok_or_else(|| element.fault("Relationship", "Target"))?;
            if mode.as_deref() == Some("External") {
                return Err(MeshError::External { part: PartName::new(&target) });
            }
            let path = PartPath::resolve(&target)?;
            self.found.get_or_insert(path);
        }
        Ok(Visit::Enter)
    }

    fn close(&mut self) -> Result<(), MeshError> {
        Ok(())
    }
}
