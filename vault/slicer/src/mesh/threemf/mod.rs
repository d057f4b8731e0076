//! 3MF: a zip archive of XML parts, of which only geometry is read.
use super::{Limits, MeshError, Parsed};

/// Parses a 3MF.
pub(super) fn parse(_bytes: &[u8], _limits: &Limits) -> Result<Parsed, MeshError> {
    Err(MeshError::NoModel)
}
