//! What lies in one folder of a 3MF, beside the part itself: named and read by whoever knows what it is.

use std::io::{self, Read};

use super::package::{Package, PartPath};
use crate::mesh::sniff::is_zip;
use crate::mesh::{Limits, MeshError, PartName};

/// The parts in one folder of a package. Nothing of them is expanded before it is read.
pub struct Attachments<'a> {
    package: Option<Package<'a>>,
    /// In lower case, as names are compared.
    folder: String,
}

impl<'a> Attachments<'a> {
    /// Vets the package's directory; any other file has no attachments.
    ///
    /// # Errors
    /// [`MeshError`] when the archive is not to be trusted.
    pub fn open(bytes: &'a [u8], folder: &str, limits: &Limits) -> Result<Self, MeshError> {
        let package = is_zip(bytes).then(|| Package::open(bytes, limits)).transpose()?;
        Ok(Self { package, folder: folder.to_lowercase() })
    }

    /// Their names within the folder, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.package.iter().flat_map(Package::names).filter_map(|name| name.strip_prefix(&self.folder))
    }

    /// Expands one.
    ///
    /// # Errors
    /// [`MeshError`] when it isn't there, is damaged or expands too far.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, MeshError> {
        let name = format!("{}{name}", self.folder);
        let part = PartName::new(&name);
        let package = self.package.as_mut().ok_or_else(|| MeshError::MissingPart { part: part.clone() })?;
        let mut bytes = Vec::new();
        let read = package.read(&PartPath::resolve(&name)?)?.read_to_end(&mut bytes);
        read.map_err(|error: io::Error| {
            match error.into_inner().map(|inner| inner.downcast::<MeshError>()) {
                Some(Ok(fault)) => *fault,
                _ => MeshError::DamagedPart { part },
            }
        })?;
        Ok(bytes)
    }
}
