//! Under construction.

pub mod gcode;
