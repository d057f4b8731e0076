//! The table of settings: names, units, ranges and what each does. The documentation is printed from it.

use super::{SettingError, nearest};
use crate::machine::Machine;

/// The pattern of sparse infill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Infill {
    /// Parallel lines, turned by 90° each layer.
    Rectilinear,
    /// Lines both ways in each layer.
    Grid,
    /// A wave that holds equally in every direction.
    Gyroid,
    /// Lines three ways in each layer, through the same points.
    Triangles,
    /// Cubes that stand on a corner: lines three ways, shifted from layer to layer.
    Cubic,
    /// Rings, each within the last.
    Concentric,
    /// Cubes that are small along the part's surface and twice as large with each step inwards.
    AdaptiveCubic,
}

/// Where each loop begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seam {
    /// At the back, in line from layer to layer.
    Rear,
    /// Where the nozzle is.
    Nearest,
    /// In the sharpest inward corner.
    Corner,
    /// Where the loop below began, or in the best corner near it.
    Aligned,
    /// Anywhere, so that no line of seams shows.
    Random,
}

/// What holds up places that hang over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Nothing.
    Off,
    /// Towers of crossing lines, straight down.
    Grid,
    /// Branches that lean, merge on their way down and stand clear of the part.
    Tree,
}

/// Where a brim is laid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brim {
    /// All around the part.
    Around,
    /// Round its sharp corners, which lift first.
    Ears,
    /// All around the part and inside its holes.
    Everywhere,
}

/// Which wall is printed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The visible wall last.
    InnerFirst,
    /// The visible wall first.
    OuterFirst,
}

/// What slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The built-in one.
    Layerlock,
    /// PrusaSlicer, as it is installed beside the vault.
    PrusaSlicer,
    /// CuraEngine, as it is installed beside the vault.
    CuraEngine,
    /// None: the seller's own G-code, as it lies beside the part.
    Custom,
}

impl Engine {
    /// The name typed as the setting's value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Layerlock => "layerlock",
            Self::PrusaSlicer => "prusaslicer",
            Self::CuraEngine => "curaengine",
            Self::Custom => "custom",
        }
    }
}

/// What a setting's integer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Micrometres, written in millimetres.
    Length,
    /// Micrometres of filament, written in millimetres.
    Filament,
    /// Whole percent.
    Percent,
    /// Whole percent of a fan.
    Fan,
    /// Millimetres per second.
    Speed,
    /// Millimetres per second squared.
    Acceleration,
    /// Degrees Celsius.
    Celsius,
    /// Degrees of angle.
    Degrees,
    /// Seconds.
    Seconds,
    /// How many.
    Count,
    /// `off` or `on`.
    Switch,
    /// One of these names.
    Choice(&'static [&'static str]),
}

/// An end of a setting's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The same on every machine.
    Fixed(i32),
    /// This share of the machine's nozzle, in percent.
    Nozzle(i32),
    /// The machine's highest nozzle temperature.
    NozzleHeat,
    /// The machine's highest bed temperature.
    BedHeat,
    /// The machine's fastest travel.
    TopSpeed,
    /// The machine's hardest acceleration.
    TopAcceleration,
}

impl Bound {
    fn on(self, machine: &Machine) -> i32 {
        match self {
            Self::Fixed(value) => value,
            Self::Nozzle(percent) => machine.nozzle.0 * percent / 100,
            Self::NozzleHeat => machine.max_nozzle.0.into(),
            Self::BedHeat => machine.max_bed.0.into(),
            Self::TopSpeed => (machine.max_speed.0 / 60) as i32,
            Self::TopAcceleration => machine.max_acceleration.0 as i32,
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Which setting.
    pub key: Key,
    /// Its name, as typed.
    pub name: &'static str,
    /// What its integer counts.
    pub unit: Unit,
    /// The lowest value taken.
    pub low: Bound,
    /// The highest value taken.
    pub high: Bound,
    /// What it does.
    pub doc: &'static str,
}

impl Setting {
    /// The lowest and highest value taken on this machine.
    pub fn range(&self, machine: &Machine) -> (i32, i32) {
        (self.low.on(machine), self.high.on(machine))
    }
}

/// Every setting, in the order of its key.
pub fn settings() -> &'static [Setting] {
    &SETTINGS
}

pub(super) fn named(name: &str) -> Result<&'static Setting, SettingError> {
    SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| SettingError::Unknown {
        name: name.chars().take(64).collect(),
        nearest: nearest(name, SETTINGS.iter().map(|setting| setting.name)).unwrap_or_default(),
    })
}

/// Names a setting in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)]
pub enum Key {
    /// Thickness of every layer but the first.
    LayerHeight,
    /// Thickness of the first layer.
    FirstLayerHeight,
    /// Layers after the first are as thick as the part's slopes let them be.
    AdaptiveLayers,
    /// With adaptive layers: how high a step may be on a slope, measured square to it.
    AdaptiveDeviation,
    /// With adaptive layers: thickness of the thinnest.
    AdaptiveLeast,
    /// With adaptive layers: thickness of the thickest.
    AdaptiveMost,
    /// Width of every line that has no own width below.
    LineWidth,
    /// Width of the visible wall's line.
    OuterLineWidth,
    /// Width of the walls' lines behind the visible one.
    InnerLineWidth,
    /// Width of solid lines seen from above.
    TopLineWidth,
    /// Width of sparse infill's lines.
    SparseLineWidth,
    /// Width of the first layer's lines inside its walls.
    FirstLayerLineWidth,
    /// Walls around each layer.
    Perimeters,
    /// Solid layers under each surface seen from above.
    TopLayers,
    /// Solid layers over each surface seen from below.
    BottomLayers,
    /// How full the inside is; 100 makes every layer solid.
    InfillDensity,
    /// How sparse infill runs.
    InfillPattern,
    /// Direction of infill from the x axis; solid lines cross those of the layer below.
    InfillAngle,
    /// How far infill reaches into the innermost wall, as a share of a line.
    InfillOverlap,
    /// Where each loop begins: at the back, near the nozzle, in the sharpest inward corner, there but in line with the
    /// layer below, or anywhere.
    Seam,
    /// Which wall is printed first.
    PerimeterOrder,
    /// Above the bottom layers one wall of one loop that rises without end: no infill, no top, no seam.
    SpiralVase,
    /// Single lines where no full wall fits.
    ThinWalls,
    /// Thin lines in narrow gaps between walls.
    GapFill,
    /// Size of the part against the design's.
    Scale,
    /// How far the part is turned about the axis to the right, before those below.
    RotateX,
    /// How far it is then turned about the axis to the back.
    RotateY,
    /// How far it is then turned about the axis upwards.
    RotateZ,
    /// How many of the part are printed at once.
    Parts,
    /// Space between them and what is printed around them.
    PartSpacing,
    /// Whether each part is finished before the next is begun.
    Sequential,
    /// How much the first layer is pulled in, against the bulge the bed's heat makes.
    ElephantFoot,
    /// How far outer contours move outwards on every layer; negative pulls them in.
    XyCompensation,
    /// How much wider holes are cut on every layer; negative narrows them.
    HoleCompensation,
    /// Lines around the part on the first layer; machines prime themselves before it.
    SkirtLoops,
    /// Space between part and skirt.
    SkirtDistance,
    /// Width of a flat rim that holds the part to the bed.
    BrimWidth,
    /// Whether that rim goes all around the part, only round its sharp corners, or inside its holes too.
    BrimShape,
    /// Nozzle temperature.
    NozzleTemperature,
    /// Nozzle temperature of the first layer.
    FirstNozzleTemperature,
    /// Bed temperature.
    BedTemperature,
    /// Bed temperature of the first layer.
    FirstBedTemperature,
    /// Speed of the visible wall.
    OuterSpeed,
    /// Speed of the walls behind it.
    InnerSpeed,
    /// Speed of solid infill.
    SolidSpeed,
    /// Speed of solid infill seen from above.
    TopSpeed,
    /// Speed of sparse infill.
    SparseSpeed,
    /// Speed of lines spanning air.
    BridgeSpeed,
    /// Speed of walls, and of undersides that are no bridge, over nothing; the more is under them, the faster.
    OverhangSpeed,
    /// Speed of gap fill and thin walls.
    ThinSpeed,
    /// Speed of everything on the first layer.
    FirstLayerSpeed,
    /// Speed of moves without extruding.
    TravelSpeed,
    /// Acceleration along the visible wall.
    OuterAcceleration,
    /// Acceleration along the walls behind it, gap fill and thin walls.
    InnerAcceleration,
    /// Acceleration of solid infill and of the supports' dense layers.
    SolidAcceleration,
    /// Acceleration of solid infill seen from above.
    TopAcceleration,
    /// Acceleration of sparse infill and of supports.
    SparseAcceleration,
    /// Acceleration of lines spanning air.
    BridgeAcceleration,
    /// Acceleration of everything printed on the first layer.
    FirstLayerAcceleration,
    /// Acceleration of moves without extruding.
    TravelAcceleration,
    /// How slow cooling may make a layer.
    LeastSpeed,
    /// A layer that takes less is slowed down to this.
    LeastLayerTime,
    /// A layer that takes less gets more fan.
    FullFanLayerTime,
    /// Fan on layers that take long enough.
    FanLeast,
    /// Fan on layers at the least layer time.
    FanMost,
    /// Fan over bridges.
    FanBridge,
    /// Layers from the bed without fan; the next few ramp up.
    FanOffLayers,
    /// Filament pulled back before a move across open air.
    RetractLength,
    /// Speed of pulling back and feeding again.
    RetractSpeed,
    /// Moves shorter than this don't retract.
    RetractTravel,
    /// How far the nozzle goes on along the line it has laid while it pulls back.
    Wipe,
    /// Filament fed after a retraction beyond what was pulled back.
    PrimeExtra,
    /// How far the nozzle lifts while retracted.
    ZHop,
    /// Moves inside the part go around its holes and bays rather than across them.
    AvoidCrossing,
    /// Plastic laid against what the lines' size asks for.
    Flow,
    /// The same for solid lines seen from above, on top of `flow`.
    TopFlow,
    /// The same for lines spanning air, on top of `flow`.
    BridgeFlow,
    /// What holds up places that hang over.
    Support,
    /// How far a surface may lean out from upright before it is held up.
    SupportAngle,
    /// How full supports are below the layers that touch the part.
    SupportDensity,
    /// Free height between support and part, rounded up to whole layers.
    SupportZGap,
    /// Free space between support and the part beside it.
    SupportXyGap,
    /// Dense support layers under the part, and over it where supports stand on it.
    SupportInterfaceLayers,
    /// How full those layers are.
    SupportInterfaceDensity,
    /// Supports stand on the bed only, never on the part.
    SupportPlateOnly,
    /// Spans no longer than this that rest on both sides are bridged without support.
    SupportBridgeSpan,
    /// How far a tree's branches may lean from upright.
    SupportBranchAngle,
    /// Speed of supports.
    SupportSpeed,
    /// Speed of the supports' dense layers.
    SupportInterfaceSpeed,
    /// Layers of a raft under the part and its supports.
    RaftLayers,
    /// How far the raft reaches beyond what stands on it.
    RaftMargin,
    /// Free height between the raft and what stands on it.
    RaftGap,
    /// What slices.
    Engine,
}

const fn row(key: Key, name: &'static str, unit: Unit, range: (Bound, Bound), doc: &'static str) -> Setting {
    Setting { key, name, unit, low: range.0, high: range.1, doc }
}

/// Every setting, in the order of its key.
#[rustfmt::skip]
pub const SETTINGS: [Setting; 93] = [
    row(Key::LayerHeight, "layer-height", Unit::Length, (Bound::Fixed(40), Bound::Nozzle(75)),
        "Thickness of every layer but the first."),
    row(Key::FirstLayerHeight, "first-layer-height", Unit::Length, (Bound::Fixed(80), Bound::Nozzle(75)),
        "Thickness of the first layer."),
    row(Key::AdaptiveLayers, "adaptive-layers", Unit::Switch, (Bound::Fixed(0), Bound::Fixed(1)),
        "Layers after the first are as thick as the part's slopes let them be."),
    row(Key::AdaptiveDeviation, "adaptive-deviation", Unit::Length, (Bound::Fixed(10), Bound::Fixed(500)),
        "With adaptive layers: how high a step may be on a slope, measured square to it."),
    row(Key::AdaptiveLeast, "adaptive-least", Unit::Length, (Bound::Fixed(40), Bound::Nozzle(75)),
        "With adaptive layers: thickness of the thinnest."),
    row(Key::AdaptiveMost, "adaptive-most", Unit::Length, (Bound::Fixed(40), Bound::Nozzle(75)),
        "With adaptive layers: thickness of the thickest."),
    row(Key::LineWidth, "line-width", Unit::Length, (Bound::Nozzle(75), Bound::Nozzle(200)),
        "Width of every line that has no own width below."),
    row(Key::OuterLineWidth, "outer-line-width", Unit::Length, (Bound::Nozzle(75), Bound::Nozzle(200)),
        "Width of the visible wall's line."),
    row(Key::InnerLineWidth, "inner-line-width", Unit::Length, (Bound::Nozzle(75), Bound::Nozzle(200)),
        "Width of the walls' lines behind the visible one."),
    row(Key::TopLineWidth, "top-line-width", Unit::Length, (Bound::Nozzle(75), Bound::Nozzle(200)),
        "Width of solid lines seen from above."),
    row(Key::SparseLineWidth, "sparse-line-width", Unit::Length, (Bound::Nozzle(75), Bound::Nozzle(200)),
        "Width of sparse infill's lines."),
    row(Key::FirstLayerLineWidth, "first-layer-line-width", Unit::Length, (Bound::Nozzle(75), Bound::Nozzle(200)),
        "Width of the first layer's lines inside its walls."),
    row(Key::Perimeters, "perimeters", Unit::Count, (Bound::Fixed(1), Bound::Fixed(20)),
        "Walls around each layer."),
    row(Key::TopLayers, "top-layers", Unit::Count, (Bound::Fixed(0), Bound::Fixed(50)),
        "Solid layers under each surface seen from above."),
    row(Key::BottomLayers, "bottom-layers", Unit::Count, (Bound::Fixed(0), Bound::Fixed(50)),
        "Solid layers over each surface seen from below."),
    row(Key::InfillDensity, "infill-density", Unit::Percent, (Bound::Fixed(0), Bound::Fixed(100)),
        "How full the inside is; 100 makes every layer solid."),
    row(Key::InfillPattern, "infill-pattern", Unit::Choice(&["rectilinear", "grid", "gyroid", "triangles", "cubic", "concentric", "adaptive-cubic"]), (Bound::Fixed(0), Bound::Fixed(6)),
        "How sparse infill runs."),
    row(Key::InfillAngle, "infill-angle", Unit::Degrees, (Bound::Fixed(0), Bound::Fixed(179)),
        "Direction of infill from the x axis; solid lines cross those of the layer below."),
    row(Key::InfillOverlap, "infill-overlap", Unit::Percent, (Bound::Fixed(0), Bound::Fixed(50)),
        "How far infill reaches into the innermost wall, as a share of a line."),
    row(Key::Seam, "seam", Unit::Choice(&["rear", "nearest", "corner", "aligned", "random"]), (Bound::Fixed(0), Bound::Fixed(4)),
        "Where each loop begins: at the back, near the nozzle, in the sharpest inward corner, there but in line with the layer below, or anywhere."),
    row(Key::PerimeterOrder, "perimeter-order", Unit::Choice(&["inner-first", "outer-first"]), (Bound::Fixed(0), Bound::Fixed(1)),
        "Which wall is printed first."),
    row(Key::SpiralVase, "spiral-vase", Unit::Switch, (Bound::Fixed(0), Bound::Fixed(1)),
        "Above the bottom layers one wall of one loop that rises without end: no infill, no top, no seam."),
    row(Key::ThinWalls, "thin-walls", Unit::Switch, (Bound::Fixed(0), Bound::Fixed(1)),
        "Single lines where no full wall fits."),
    row(Key::GapFill, "gap-fill", Unit::Switch, (Bound::Fixed(0), Bound::Fixed(1)),
        "Thin lines in narrow gaps between walls."),
    row(Key::Scale, "scale", Unit::Percent, (Bound::Fixed(1), Bound::Fixed(10_000)),
        "Size of the part against the design's."),
    row(Key::RotateX, "rotate-x", Unit::Degrees, (Bound::Fixed(-360), Bound::Fixed(360)),
        "How far the part is turned about the axis to the right, counter-clockwise from its tip, before it is laid down."),
    row(Key::RotateY, "rotate-y", Unit::Degrees, (Bound::Fixed(-360), Bound::Fixed(360)),
        "How far it is then turned about the axis to the back."),
    row(Key::RotateZ, "rotate-z", Unit::Degrees, (Bound::Fixed(-360), Bound::Fixed(360)),
        "How far it is then turned about the axis upwards."),
    row(Key::Parts, "parts", Unit::Count, (Bound::Fixed(1), Bound::Fixed(100)),
        "How many of one's own part are printed at once; a licensed copy is always one."),
    row(Key::PartSpacing, "part-spacing", Unit::Length, (Bound::Fixed(1_000), Bound::Fixed(100_000)),
        "Free space between parts, with what is printed around them."),
    row(Key::Sequential, "sequential", Unit::Switch, (Bound::Fixed(0), Bound::Fixed(1)),
        "Each part is finished before the next is begun, where the head has room beside them."),
    row(Key::ElephantFoot, "elephant-foot", Unit::Length, (Bound::Fixed(0), Bound::Fixed(500)),
        "How much the first layer is pulled in, against the bulge the bed's heat makes."),
    row(Key::XyCompensation, "xy-compensation", Unit::Length, (Bound::Fixed(-1_000), Bound::Fixed(1_000)),
        "How far outer contours move outwards on every layer; negative pulls them in."),
    row(Key::HoleCompensation, "hole-compensation", Unit::Length, (Bound::Fixed(-1_000), Bound::Fixed(1_000)),
        "How much wider holes are cut on every layer; negative narrows them."),
    row(Key::SkirtLoops, "skirt-loops", Unit::Count, (Bound::Fixed(0), Bound::Fixed(10)),
        "Lines around the part on the first layer; machines prime themselves before it."),
    row(Key::SkirtDistance, "skirt-distance", Unit::Length, (Bound::Fixed(1_000), Bound::Fixed(30_000)),
        "Space between part and skirt."),
    row(Key::BrimWidth, "brim-width", Unit::Length, (Bound::Fixed(0), Bound::Fixed(30_000)),
        "Width of a flat rim that holds the part to the bed."),
    row(Key::BrimShape, "brim-shape", Unit::Choice(&["around", "ears", "everywhere"]), (Bound::Fixed(0), Bound::Fixed(2)),
        "Whether that rim goes all around the part, only round its sharp corners, or inside its holes too."),
    row(Key::NozzleTemperature, "nozzle-temperature", Unit::Celsius, (Bound::Fixed(150), Bound::NozzleHeat),
        "Nozzle temperature."),
    row(Key::FirstNozzleTemperature, "first-layer-nozzle-temperature", Unit::Celsius, (Bound::Fixed(150), Bound::NozzleHeat),
        "Nozzle temperature of the first layer."),
    row(Key::BedTemperature, "bed-temperature", Unit::Celsius, (Bound::Fixed(0), Bound::BedHeat),
        "Bed temperature."),
    row(Key::FirstBedTemperature, "first-layer-bed-temperature", Unit::Celsius, (Bound::Fixed(0), Bound::BedHeat),
        "Bed temperature of the first layer."),
    row(Key::OuterSpeed, "outer-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of the visible wall."),
    row(Key::InnerSpeed, "inner-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of the walls behind it."),
    row(Key::SolidSpeed, "solid-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of solid infill."),
    row(Key::TopSpeed, "top-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of solid infill seen from above."),
    row(Key::SparseSpeed, "sparse-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of sparse infill."),
    row(Key::BridgeSpeed, "bridge-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of lines spanning air."),
    row(Key::OverhangSpeed, "overhang-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of walls, and of undersides that are no bridge, over nothing; the more is under them, the faster."),
    row(Key::ThinSpeed, "thin-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of gap fill and thin walls."),
    row(Key::FirstLayerSpeed, "first-layer-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of everything on the first layer."),
    row(Key::TravelSpeed, "travel-speed", Unit::Speed, (Bound::Fixed(10), Bound::TopSpeed),
        "Speed of moves without extruding."),
    row(Key::OuterAcceleration, "outer-acceleration", Unit::Acceleration, (Bound::Fixed(50), Bound::TopAcceleration),
        "Acceleration along the visible wall."),
    row(Key::InnerAcceleration, "inner-acceleration", Unit::Acceleration, (Bound::Fixed(50), Bound::TopAcceleration),
        "Acceleration along the walls behind it, gap fill and thin walls."),
    row(Key::SolidAcceleration, "solid-acceleration", Unit::Acceleration, (Bound::Fixed(50), Bound::TopAcceleration),
        "Acceleration of solid infill and of the supports' dense layers."),
    row(Key::TopAcceleration, "top-acceleration", Unit::Acceleration, (Bound::Fixed(50), Bound::TopAcceleration),
        "Acceleration of solid infill seen from above."),
    row(Key::SparseAcceleration, "sparse-acceleration", Unit::Acceleration, (Bound::Fixed(50), Bound::TopAcceleration),
        "Acceleration of sparse infill and of supports."),
    row(Key::BridgeAcceleration, "bridge-acceleration", Unit::Acceleration, (Bound::Fixed(50), Bound::TopAcceleration),
        "Acceleration of lines spanning air."),
    row(Key::FirstLayerAcceleration, "first-layer-acceleration", Unit::Acceleration, (Bound::Fixed(50), Bound::TopAcceleration),
        "Acceleration of everything printed on the first layer."),
    row(Key::TravelAcceleration, "travel-acceleration", Unit::Acceleration, (Bound::Fixed(50), Bound::TopAcceleration),
        "Acceleration of moves without extruding."),
    row(Key::LeastSpeed, "least-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "How slow cooling may make a layer."),
    row(Key::LeastLayerTime, "least-layer-time", Unit::Seconds, (Bound::Fixed(0), Bound::Fixed(120)),
        "A layer that takes less is slowed down to this."),
    row(Key::FullFanLayerTime, "full-fan-layer-time", Unit::Seconds, (Bound::Fixed(0), Bound::Fixed(300)),
        "A layer that takes less gets more fan."),
    row(Key::FanLeast, "fan-least", Unit::Fan, (Bound::Fixed(0), Bound::Fixed(100)),
        "Fan on layers that take long enough."),
    row(Key::FanMost, "fan-most", Unit::Fan, (Bound::Fixed(0), Bound::Fixed(100)),
        "Fan on layers at the least layer time."),
    row(Key::FanBridge, "fan-bridge", Unit::Fan, (Bound::Fixed(0), Bound::Fixed(100)),
        "Fan over bridges."),
    row(Key::FanOffLayers, "fan-off-layers", Unit::Count, (Bound::Fixed(0), Bound::Fixed(50)),
        "Layers from the bed without fan; the next few ramp up."),
    row(Key::RetractLength, "retract-length", Unit::Filament, (Bound::Fixed(0), Bound::Fixed(8_000)),
        "Filament pulled back before a move across open air."),
    row(Key::RetractSpeed, "retract-speed", Unit::Speed, (Bound::Fixed(5), Bound::Fixed(120)),
        "Speed of pulling back and feeding again."),
    row(Key::RetractTravel, "retract-travel", Unit::Length, (Bound::Fixed(0), Bound::Fixed(50_000)),
        "Moves shorter than this don't retract."),
    row(Key::Wipe, "wipe", Unit::Length, (Bound::Fixed(0), Bound::Fixed(10_000)),
        "How far the nozzle goes on along the line it has laid while it pulls back."),
    row(Key::PrimeExtra, "prime-extra", Unit::Filament, (Bound::Fixed(0), Bound::Fixed(1_000)),
        "Filament fed after a retraction beyond what was pulled back."),
    row(Key::ZHop, "z-hop", Unit::Length, (Bound::Fixed(0), Bound::Fixed(5_000)),
        "How far the nozzle lifts while retracted."),
    row(Key::AvoidCrossing, "avoid-crossing", Unit::Switch, (Bound::Fixed(0), Bound::Fixed(1)),
        "Moves inside the part go around its holes and bays rather than across them."),
    row(Key::Flow, "flow", Unit::Percent, (Bound::Fixed(50), Bound::Fixed(150)),
        "Plastic laid against what the lines' size asks for."),
    row(Key::TopFlow, "top-flow", Unit::Percent, (Bound::Fixed(50), Bound::Fixed(150)),
        "The same for solid lines seen from above, on top of `flow`."),
    row(Key::BridgeFlow, "bridge-flow", Unit::Percent, (Bound::Fixed(50), Bound::Fixed(150)),
        "The same for lines spanning air, on top of `flow`."),
    row(Key::Support, "support", Unit::Choice(&["off", "grid", "tree"]), (Bound::Fixed(0), Bound::Fixed(2)),
        "What holds up places that hang over."),
    row(Key::SupportAngle, "support-angle", Unit::Degrees, (Bound::Fixed(0), Bound::Fixed(85)),
        "How far a surface may lean out from upright before it is held up."),
    row(Key::SupportDensity, "support-density", Unit::Percent, (Bound::Fixed(5), Bound::Fixed(100)),
        "How full supports are below the layers that touch the part."),
    row(Key::SupportZGap, "support-z-gap", Unit::Length, (Bound::Fixed(0), Bound::Fixed(2_000)),
        "Free height between support and part, rounded up to whole layers."),
    row(Key::SupportXyGap, "support-xy-gap", Unit::Length, (Bound::Fixed(0), Bound::Fixed(5_000)),
        "Free space between support and the part beside it."),
    row(Key::SupportInterfaceLayers, "support-interface-layers", Unit::Count, (Bound::Fixed(0), Bound::Fixed(20)),
        "Dense support layers under the part, and over it where supports stand on it."),
    row(Key::SupportInterfaceDensity, "support-interface-density", Unit::Percent, (Bound::Fixed(10), Bound::Fixed(100)),
        "How full those layers are."),
    row(Key::SupportPlateOnly, "support-plate-only", Unit::Switch, (Bound::Fixed(0), Bound::Fixed(1)),
        "Supports stand on the bed only, never on the part."),
    row(Key::SupportBridgeSpan, "support-bridge-span", Unit::Length, (Bound::Fixed(0), Bound::Fixed(100_000)),
        "Spans no longer than this that rest on both sides are bridged without support."),
    row(Key::SupportBranchAngle, "support-branch-angle", Unit::Degrees, (Bound::Fixed(10), Bound::Fixed(60)),
        "How far a tree's branches may lean from upright; never by more than half a line from layer to layer."),
    row(Key::SupportSpeed, "support-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of supports."),
    row(Key::SupportInterfaceSpeed, "support-interface-speed", Unit::Speed, (Bound::Fixed(1), Bound::TopSpeed),
        "Speed of the supports' dense layers."),
    row(Key::RaftLayers, "raft-layers", Unit::Count, (Bound::Fixed(0), Bound::Fixed(20)),
        "Layers of a raft under the part and its supports."),
    row(Key::RaftMargin, "raft-margin", Unit::Length, (Bound::Fixed(0), Bound::Fixed(20_000)),
        "How far the raft reaches beyond what stands on it."),
    row(Key::RaftGap, "raft-gap", Unit::Length, (Bound::Fixed(0), Bound::Fixed(1_000)),
        "Free height between the raft and what stands on it."),
    row(Key::Engine, "engine", Unit::Choice(&["layerlock", "prusaslicer", "curaengine", "custom"]), (Bound::Fixed(0), Bound::Fixed(3)),
        "What slices: the built-in engine, another one where the vault has it, or nothing: the seller's own G-code."),
];
