//! The catalogue itself: sizes, limits and sequences as the makers publish them.
//!
//! Start sequences home, level where there is a probe, and prime by pushing filament out standing still at the
//! front corner, so that the first line of every part starts full. End sequences pull back, turn every heater
//! off and leave the part reachable. A machine that is not listed prints as `generic-250-marlin`.

use super::Drive::{Bowden, Direct};
use super::{Cornering, Dialect, Drive, Machine};
use crate::units::{Celsius, Micrometres, MmPerMinute, MmPerSecond2};

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

/// Levels the gantry with `G32`, as these machines name it, before the last homing.
const GANTRY: &[&str] = &[
    "G28",
    "G32",
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

/// A firmware and how it takes corners.
#[derive(Clone, Copy)]
enum Turns {
    /// Marlin with junction deviation, in micrometres.
    Deviation(i32),
    /// Marlin with jerk in the plane and of the extruder, in tenths of millimetres per second.
    Jerk(u32, u32),
    /// Klipper, in millimetres per second.
    Square(u32),
    /// RepRapFirmware with jerk in the plane and of the extruder, in millimetres per second.
    RepRap(u32, u32),
}

impl Turns {
    const fn cornering(self) -> Cornering {
        match self {
            Self::Deviation(by) => Cornering::Deviation(Micrometres(by)),
            Self::Jerk(plane, _) => Cornering::Jerk(MmPerMinute(plane * 6)),
            Self::Square(speed) => Cornering::SquareCorner(MmPerMinute(speed * 60)),
            Self::RepRap(plane, _) => Cornering::Jerk(MmPerMinute(plane * 60)),
        }
    }

    const fn feed_jump(self) -> MmPerMinute {
        match self {
            Self::Deviation(_) => MmPerMinute(300),
            Self::Jerk(_, feed) => MmPerMinute(feed * 6),
            Self::Square(_) => MmPerMinute(60),
            Self::RepRap(_, feed) => MmPerMinute(feed * 60),
        }
    }

    const fn dialect(self) -> Dialect {
        match self {
            Self::Deviation(_) | Self::Jerk(..) => Dialect::Marlin,
            Self::Square(_) => Dialect::Klipper,
            Self::RepRap(..) => Dialect::RepRapFirmware,
        }
    }
}

struct Row {
    name: &'static str,
    title: &'static str,
    /// Printable size in millimetres.
    volume: [i32; 3],
    /// Nozzle and filament diameter in micrometres.
    bores: [i32; 2],
    /// Highest nozzle and bed temperature.
    heat: [u16; 2],
    /// Fastest travel in millimetres per second; usual and hardest acceleration in millimetres per second squared.
    pace: [u32; 3],
    turns: Turns,
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
            acceleration: MmPerSecond2(self.pace[1]),
            max_acceleration: MmPerSecond2(self.pace[2]),
            cornering: self.turns.cornering(),
            feed_jump: self.turns.feed_jump(),
            dialect: self.turns.dialect(),
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
        pace: [200, 1250, 1250],
        turns: Turns::Jerk(80, 15),
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
        pace: [300, 2500, 7000],
        turns: Turns::Jerk(80, 100),
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
        pace: [180, 1250, 1250],
        turns: Turns::Jerk(80, 100),
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
        pace: [150, 500, 500],
        turns: Turns::Jerk(100, 50),
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
        pace: [180, 1000, 2500],
        turns: Turns::Deviation(13),
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
        pace: [150, 500, 1000],
        turns: Turns::Jerk(100, 50),
        drive: Bowden,
        baud: 115_200,
        start: PLAIN,
    }
    .machine(),
    Row {
        name: "voron-2.4-250",
        title: "Voron 2.4, 250 mm",
        volume: [250, 250, 230],
        bores: [400, 1750],
        heat: [290, 120],
        pace: [300, 3000, 3000],
        turns: Turns::Square(5),
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
        pace: [300, 4000, 4000],
        turns: Turns::Square(5),
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
        pace: [400, 5000, 20000],
        turns: Turns::Jerk(90, 25),
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
        pace: [180, 1000, 2500],
        turns: Turns::Deviation(13),
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
        pace: [150, 800, 1500],
        turns: Turns::Jerk(100, 50),
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
        pace: [180, 1000, 2000],
        turns: Turns::Deviation(13),
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
        pace: [180, 1000, 2000],
        turns: Turns::Deviation(13),
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
        pace: [150, 1500, 3000],
        turns: Turns::Jerk(200, 50),
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
        pace: [175, 500, 1000],
        turns: Turns::Jerk(80, 50),
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
        pace: [150, 1000, 3000],
        turns: Turns::Deviation(13),
        drive: Bowden,
        baud: 115_200,
        start: PLAIN,
    }
    .machine(),
    Row {
        name: "generic-300-klipper",
        title: "Any Klipper machine, 300 mm cube",
        volume: [300, 300, 300],
        bores: [400, 1750],
        heat: [280, 110],
        pace: [300, 3000, 10_000],
        turns: Turns::Square(5),
        drive: Direct,
        baud: 250_000,
        start: PLAIN,
    }
    .machine(),
    Row {
        name: "generic-300-reprap",
        title: "Any RepRapFirmware machine, 300 mm cube",
        volume: [300, 300, 300],
        bores: [400, 1750],
        heat: [280, 110],
        pace: [250, 2000, 10_000],
        turns: Turns::RepRap(10, 5),
        drive: Direct,
        baud: 57_600,
        start: PLAIN,
    }
    .machine(),
];
