//! Slicing: mesh and profile in, toolpath out.

pub mod mesh;
