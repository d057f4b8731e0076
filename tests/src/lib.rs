//! What the tests of the whole system share: makers of inputs, nothing that is itself a test.

pub mod marlin;
pub mod meshes;
pub mod world;
