//! What the benches of a served house share: the house, the parties around it, and devices as light as can be.

pub mod device;
pub mod house;
pub mod open_files;
pub mod shop;

/// Whatever ends a run; a person reads it, nothing decides by it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

impl Failed {
    /// What failed, and why.
    pub fn at(what: impl std::fmt::Display, error: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}
