//! What the benches share: the models, and what PrusaSlicer is told.

pub mod asked;
pub mod meshes;
pub mod models;
pub mod prusa;

/// Whatever ends a run; a person reads it, nothing decides by it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(String);

impl Failed {
    /// What failed, and why.
    pub fn at(what: impl std::fmt::Display, error: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}
