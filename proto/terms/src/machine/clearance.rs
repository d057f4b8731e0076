//! How much room a print head needs beside parts that are finished already.

use super::Machine;
use crate::units::Micrometres;

/// What must stay free when parts are printed one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clearance {
    /// Around the nozzle, as far as the head reaches.
    pub radius: Micrometres,
    /// From the nozzle's tip up to the lowest thing that passes over the whole bed: a rod, a belt, a cable.
    pub height: Micrometres,
}

/// For a machine nobody measured: more than any head listed here needs.
const WIDE: Clearance = clearance(70, 20);

const fn clearance(radius: i32, height: i32) -> Clearance {
    Clearance { radius: Micrometres(radius * 1000), height: Micrometres(height * 1000) }
}

impl Machine {
    /// As published with the machine's profiles; generous where nothing is.
    pub fn clearance(&self) -> Clearance {
        match self.name {
            "prusa-mk3s" | "artillery-x1" | "elegoo-neptune-3" => clearance(45, 20),
            "prusa-mini" => clearance(35, 20),
            "ender-3" | "ender-3-s1" | "creality-cr10" => clearance(47, 34),
            "ultimaker-2" => clearance(60, 50),
            _ => WIDE,
        }
    }
}
