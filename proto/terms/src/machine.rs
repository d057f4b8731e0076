//! Machines: the catalogue of printers a profile can name, with the limits a device holds every command to.

use crate::units::{Celsius, Micrometres, MmPerMinute};

/// What a machine can do and how it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Catalogue name, as typed on the command line (`prusa-mk3s`).
    pub name: &'static str,
    /// Printable size: x, y, z.
    pub volume: [Micrometres; 3],
    /// Nozzle diameter.
    pub nozzle: Micrometres,
    /// Filament diameter.
    pub filament: Micrometres,
    /// Highest nozzle temperature the device will let through.
    pub max_nozzle: Celsius,
    /// Highest bed temperature the device will let through; zero where the bed is not heated.
    pub max_bed: Celsius,
    /// Fastest travel.
    pub max_speed: MmPerMinute,
    /// Serial speed to try first.
    pub baud: u32,
    /// G-code lines sent before the first layer, after temperatures are reached. Static text, never a user's.
    pub start: &'static [&'static str],
    /// G-code lines sent after the last layer.
    pub end: &'static [&'static str],
}
