//! The toolpath: what the machine does, in integers, before any dialect.
//!
//! A toolpath is a stream of [`Piece`]s: one prologue, then layers in printing order, then one epilogue.
//! Each piece encodes on its own (`emit`/`parse`), so a device opens a layer without the ones before it; a device
//! of little memory reads it step by step ([`PieceReader`]) and never holds it.
//! G-code is made from pieces at the last hop only (`layerlock_device::gcode`).
//! No field holds text from a user: nothing a seller or buyer types can reach a machine as a command.

use crate::units::{Celsius, Feed, Micrometres, Milligrams, Millis, MmPerMinute, MmPerSecond2, Percent};
use alloc::string::String;
use alloc::vec::Vec;

#[cfg(feature = "std")]
mod arcs;
mod codec;
mod rate;
mod times;

#[cfg(feature = "std")]
pub use arcs::{Curve, Turn, fit_arcs};
pub use codec::{LayerReader, PieceReader};
pub use rate::Rate;
pub use times::Times;

/// One independently encoded part of a toolpath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Comes first, once.
    Prologue(Prologue),
    /// One printing height.
    Layer(Layer),
    /// Comes last, once.
    Epilogue(Epilogue),
}

/// What the machine needs before the first layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prologue {
    /// The catalogue name of the machine this toolpath was made for.
    pub machine: String,
    /// Nozzle temperature for the first layer.
    pub nozzle: Celsius,
    /// Bed temperature for the first layer; zero where the bed is not heated.
    pub bed: Celsius,
    /// Filament diameter.
    pub filament_diameter: Micrometres,
}

/// What is known when slicing has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epilogue {
    /// Number of layers.
    pub layers: u32,
    /// Estimated printing time.
    pub duration: Millis,
    /// Filament used, in micrometres of filament.
    pub filament_um: u64,
    /// What that filament weighs.
    pub mass: Milligrams,
    /// Lowest corner of everything extruded.
    pub min: Point3,
    /// Highest corner of everything extruded.
    pub max: Point3,
    /// How much of the printing time each feature takes.
    pub times: Times,
}

/// One printing height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Counted from zero.
    pub index: u32,
    /// Height of the nozzle while this layer prints; where paths climb, the height they reach.
    pub z: Micrometres,
    /// Thickness.
    pub height: Micrometres,
    /// What the machine does, in order.
    pub steps: Vec<Step>,
}

/// One thing the machine does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Moves without extruding, through these points at the travel speed.
    Travel {
        /// Points passed, the last one is where the move ends.
        to: Vec<Point>,
        /// Speed.
        speed: MmPerMinute,
    },
    /// Extrudes along a path.
    Extrude(Path),
    /// Pulls filament back.
    Retract {
        /// Filament pulled back (positive).
        length: Feed,
        /// Speed.
        speed: MmPerMinute,
    },
    /// Feeds back what was retracted.
    Prime {
        /// Filament fed (positive).
        length: Feed,
        /// Speed.
        speed: MmPerMinute,
    },
    /// Moves the nozzle to this height.
    Lift {
        /// Absolute nozzle height.
        z: Micrometres,
        /// Speed.
        speed: MmPerMinute,
    },
    /// Sets the part fan.
    Fan(Percent),
    /// Sets the nozzle temperature without waiting.
    Nozzle(Celsius),
    /// Sets the bed temperature without waiting.
    Bed(Celsius),
    /// Pulls filament back while going along a line that is already laid, so that no thread is drawn.
    Wipe {
        /// Points passed, the last one is where the move ends.
        to: Vec<Point>,
        /// Filament pulled back (positive) over the whole way, evenly.
        length: Feed,
        /// Speed along the way.
        speed: MmPerMinute,
    },
    /// Sets how hard the machine accelerates from here on.
    Acceleration {
        /// While extruding.
        printing: MmPerSecond2,
        /// While travelling.
        travelling: MmPerSecond2,
    },
}

/// A line of plastic of one width, from where the nozzle is through `points`.
///
/// A path that climbs leaves the height the nozzle has and rises in proportion to the way travelled in the plane: one
/// turn of a spiral. Its layer's `z` is where the climb ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// What this line is for.
    pub feature: Feature,
    /// Line width.
    pub width: Micrometres,
    /// Speed.
    pub speed: MmPerMinute,
    /// The height reached at the path's end, on a path that climbs.
    pub climb: Option<Micrometres>,
    /// Where each straight move ends, and the filament fed on it.
    pub points: Vec<(Point, Feed)>,
}

/// What an extruded line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Feature {
    /// Around the part on the first layer.
    Skirt = 0,
    /// The visible wall.
    OuterPerimeter = 1,
    /// Walls behind it.
    InnerPerimeter = 2,
    /// Solid infill inside the part.
    SolidInfill = 3,
    /// Solid infill seen from above.
    TopSurface = 4,
    /// Solid infill on the bed or over supports.
    BottomSurface = 5,
    /// Solid lines spanning air.
    Bridge = 6,
    /// Sparse infill.
    SparseInfill = 7,
    /// Narrow gaps between walls.
    GapFill = 8,
    /// Thin walls of a single line.
    ThinWall = 9,
    /// Removable support.
    Support = 10,
    /// The support's layers that touch the part.
    SupportInterface = 11,
}

impl Feature {
    /// Every feature, in the order of its number.
    pub const ALL: [Self; 12] = [
        Self::Skirt,
        Self::OuterPerimeter,
        Self::InnerPerimeter,
        Self::SolidInfill,
        Self::TopSurface,
        Self::BottomSurface,
        Self::Bridge,
        Self::SparseInfill,
        Self::GapFill,
        Self::ThinWall,
        Self::Support,
        Self::SupportInterface,
    ];

    /// The feature of this number, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// A point on the bed, micrometres from the machine's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, PartialOrd, Ord)]
pub struct Point {
    /// To the right.
    pub x: i32,
    /// To the back.
    pub y: i32,
}

impl Point {
    /// Length of the straight way from here, in units of 2⁻¹⁰ µm, rounded down.
    pub fn way_to(self, to: Self) -> u64 {
        rate::length(i64::from(to.x) - i64::from(self.x), i64::from(to.y) - i64::from(self.y))
    }
}

/// A point in the machine's space, micrometres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Point3 {
    /// To the right.
    pub x: i32,
    /// To the back.
    pub y: i32,
    /// Up.
    pub z: i32,
}
