//! The catalogue itself: sizes, limits and sequences as the makers publish them.
//!
//! Start sequences home, level where there is a probe, and prime by pushing filament out standing still at the
//! front corner, so that the first line of every part starts full. End sequences pull back, turn every heater
//! off and leave the part reachable. A machine that is not listed prints as `generic-250-marlin`.

use super::Drive::{Bowden, Direct};
use super::{Drive, Machine};
use crate::units::{Celsius, Micrometres, MmPerMinute};

/// Homes with switches, primes at the front corner.
const PLAIN: &[&str] = &[
    "G28",
    "G92 E0",
    "G1 Z5 F600",
    "G1 X2 Y2 F4800",
    "G1 Z0.8 F600",
    "G1 E5 F180",
    "G1 X22 F1200",
    "G1 Z2 F600",
    "G92 E0",
];

/// Homes and probes the bed with `G29`, primes at the front corner.
const PROBED: &[&str] = &[
    "G28",
    "G29",
    "G92 E0",
    "G1 Z5 F600",
    "G1 X2 Y2 F4800",
    "G1 Z0.8 F600",
    "G1 E5 F180",
    "G1 X22 F1200",
    "G1 Z2 F600",
    "G92 E0",
];

/// Homes without levelling, then probes with `G80`, as these firmwares name it.
const MESH_PRUSA: &[&str] = &[
    "G28 W",
    "G80",
    "G92 E0",
    "G1 Z5 F600",
    "G1 X2 Y2 F4800",
    "G1 Z0.8 F600",
    "G1 E5 F180",
    "G1 X22 F1200",
    "G1 Z2 F600",
    "G92 E0",
];

/// Levels the gantry with `G34` before the last homing.
const GANTRY: &[&str] = &[
    "G28",
    "G34",
    "G28 Z",
    "G92 E0",
    "G1 Z5 F600",
    "G1 X2 Y2 F6000",
    "G1 Z0.8 F600",
    "G1 E5 F300",
    "G1 X22 F1800",
    "G1 Z2 F600",
    "G92 E0",
];

/// 2.85 mm filament: less length for the same plastic.
const THICK: &[&str] = &[
    "G28",
    "G92 E0",
    "G1 Z5 F600",
    "G1 X2 Y2 F4800",
    "G1 Z0.8 F600",
    "G1 E4 F120",
    "G1 X22 F1200",
    "G1 Z2 F600",
    "G92 E0",
];

/// Pulls back while lifting, turns everything off, brings the part forward.
const FINISH: &[&str] =
    &["G91", "G1 E-2 F1800", "G1 Z2 F600", "G90", "M104 S0", "M140 S0", "M107", "G28 X", "M84"];

struct Row {
    name: &'static str,
    title: &'static str,
    /// Printable size in millimetres.
    volume: [i32; 3],
    /// Nozzle and filament diameter in micrometres.
    bores: [i32; 2],
    /// Highest nozzle and bed temperature.
    heat: [u16; 2],
    /// Fastest travel in millimetres per second, acceleration in millimetres per second squared.
    pace: [u32; 2],
    drive: Drive,
    baud: u32,
    start: &'static [&'static str],
}

impl Row {
    const fn machine(self) -> Machine {
        let [x, y, z] = self.volume;
        Machine {
            name: self.name,
            title: self.title,
            volume: [Micrometres(x * 1000), Micrometres(y * 1000), Micrometres(z * 1000)],
            nozzle: Micrometres(self.bores[0]),
            filament: Micrometres(self.bores[1]),
            max_nozzle: Celsius(self.heat[0]),
            max_bed: Celsius(self.heat[1]),
            max_speed: MmPerMinute(self.pace[0] * 60),
            acceleration: self.pace[1],
            drive: self.drive,
            baud: self.baud,
            start: self.start,
            end: FINISH,
        }
    }
}

/// Every machine a profile can name.
pub const MACHINES: &[Machine] = &[
    Row {
        name: "prusa-mk3s",
        title: "Prusa i3 MK3S+",
        volume: [250, 210, 210],
        bores: [400, 1750],
        heat: [290, 115],
        pace: [200, 1250],
        drive: Direct,
        baud: 115_200,
        start: MESH_PRUSA,
    }
    .machine(),
    Row {
        name: "prusa-mk4",
        title: "Prusa MK4",
        volume: [250, 210, 220],
        bores: [400, 1750],
        heat: [290, 115],
        pace: [300, 2500],
        drive: Direct,
        baud: 115_200,
        start: PROBED,
    }
    .machine(),
    Row {
        name: "prusa-mini",
        title: "Prusa MINI+",
        volume: [180, 180, 180],
        bores: [400, 1750],
        heat: [280, 100],
        pace: [180, 1250],
        drive: Bowden,
        baud: 115_200,
        start: PROBED,
    }
    .machine(),
    Row {
        name: "ender-3",
        title: "Creality Ender-3",
        volume: [220, 220, 250],
        bores: [400, 1750],
        heat: [255, 100],
        pace: [150, 500],
        drive: Bowden,
        baud: 115_200,
        start: PLAIN,
    }
    .machine(),
    Row {
        name: "ender-3-s1",
        title: "Creality Ender-3 S1",
        volume: [220, 220, 270],
        bores: [400, 1750],
        heat: [260, 100],
        pace: [180, 1000],
        drive: Direct,
        baud: 115_200,
        start: PROBED,
    }
    .machine(),
    Row {
        name: "creality-cr10",
        title: "Creality CR-10",
        volume: [300, 300, 400],
        bores: [400, 1750],
        heat: [255, 100],
        pace: [150, 500],
        drive: Bowden,
        baud: 115_200,
        start: PLAIN,
    }
    .machine(),
    Row {
        name: "voron-2.4-250",
        title: "Voron 2.4, 250 mm, Marlin flavour",
        volume: [250, 250, 230],
        bores: [400, 1750],
        heat: [290, 120],
        pace: [300, 3000],
        drive: Direct,
        baud: 250_000,
        start: GANTRY,
    }
    .machine(),
    Row {
        name: "voron-0.2",
        title: "Voron 0.2",
        volume: [120, 120, 120],
        bores: [400, 1750],
        heat: [290, 120],
        pace: [300, 4000],
        drive: Direct,
        baud: 250_000,
        start: PLAIN,
    }
    .machine(),
    Row {
        name: "corexy-256",
        title: "Enclosed CoreXY, 256 mm cube",
        volume: [256, 256, 256],
        bores: [400, 1750],
        heat: [300, 120],
        pace: [400, 5000],
        drive: Direct,
        baud: 115_200,
        start: PROBED,
    }
    .machine(),
    Row {
        name: "anycubic-kobra",
        title: "Anycubic Kobra",
        volume: [220, 220, 250],
        bores: [400, 1750],
        heat: [260, 110],
        pace: [180, 1000],
        drive: Direct,
        baud: 115_200,
        start: PROBED,
    }
    .machine(),
    Row {
        name: "artillery-x1",
        title: "Artillery Sidewinder X1",
        volume: [300, 300, 400],
        bores: [400, 1750],
        heat: [240, 130],
        pace: [150, 800],
        drive: Direct,
        baud: 250_000,
        start: PLAIN,
    }
    .machine(),
    Row {
        name: "sovol-sv06",
        title: "Sovol SV06",
        volume: [220, 220, 250],
        bores: [400, 1750],
        heat: [300, 100],
        pace: [180, 1000],
        drive: Direct,
        baud: 115_200,
        start: PROBED,
    }
    .machine(),
    Row {
        name: "elegoo-neptune-3",
        title: "Elegoo Neptune 3",
        volume: [220, 220, 280],
        bores: [400, 1750],
        heat: [260, 100],
        pace: [180, 1000],
        drive: Bowden,
        baud: 115_200,
        start: PROBED,
    }
    .machine(),
    Row {
        name: "ultimaker-2",
        title: "Ultimaker 2 (2.85 mm filament)",
        volume: [223, 223, 205],
        bores: [400, 2850],
        heat: [260, 100],
        pace: [150, 1500],
        drive: Bowden,
        baud: 250_000,
        start: THICK,
    }
    .machine(),
    Row {
        name: "lulzbot-taz-6",
        title: "LulzBot TAZ 6 (2.85 mm filament, 0.5 mm nozzle)",
        volume: [280, 280, 250],
        bores: [500, 2850],
        heat: [290, 120],
        pace: [175, 500],
        drive: Direct,
        baud: 250_000,
        start: THICK,
    }
    .machine(),
    Row {
        name: "generic-250-marlin",
        title: "Any Marlin machine, 250 mm cube",
        volume: [250, 250, 250],
        bores: [400, 1750],
        heat: [260, 100],
        pace: [150, 1000],
        drive: Bowden,
        baud: 115_200,
        start: PLAIN,
    }
    .machine(),
];
