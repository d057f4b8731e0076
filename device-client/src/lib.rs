//! Under construction.

pub mod gcode;
pub mod guard;
pub mod printer;
