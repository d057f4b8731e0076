//! What each preset sets, for any machine and material.

use super::{Drive, Key, Machine, Material, Preset};

/// The preset's value of this setting, before it is held to its range.
pub(super) fn of(key: Key, machine: &Machine, material: Material, preset: Preset) -> i32 {
    from_preset(key, preset)
        .or_else(|| from_material(key, material))
        .or_else(|| from_machine(key, machine))
        .or_else(|| speed(key).map(|standard| standard * pace(preset, material) / 100))
        .unwrap_or_else(|| constant(key))
}

/// Columns: draft, standard, fine, strong.
fn from_preset(key: Key, preset: Preset) -> Option<i32> {
    let columns = match key {
        Key::LayerHeight => [280, 200, 120, 200],
        Key::AdaptiveDeviation => [120, 80, 40, 100],
        Key::FirstLayerHeight => [280, 200, 200, 200],
        Key::Perimeters => [2, 2, 2, 4],
        Key::TopLayers => [3, 5, 8, 6],
        Key::BottomLayers => [3, 4, 6, 5],
        Key::InfillDensity => [12, 20, 20, 40],
        Key::InfillPattern => [0, 1, 1, 2],
        _ => return None,
    };
    Some(columns[preset as usize])
}

fn from_material(key: Key, material: Material) -> Option<i32> {
    let cooling = material.cooling();
    Some(match key {
        Key::NozzleTemperature => material.nozzle().0.into(),
        Key::FirstNozzleTemperature => (material.nozzle().0 + 5).into(),
        Key::BedTemperature | Key::FirstBedTemperature => material.bed().0.into(),
        Key::FanLeast => cooling.least.0.into(),
        Key::FanMost => cooling.most.0.into(),
        Key::FanBridge => cooling.bridge.0.into(),
        Key::FanOffLayers if material == Material::Pla => 1,
        Key::FanOffLayers => 3,
        _ => return None,
    })
}

fn from_machine(key: Key, machine: &Machine) -> Option<i32> {
    let direct = machine.drive == Drive::Direct;
    Some(match key {
        Key::LineWidth | Key::OuterLineWidth | Key::InnerLineWidth => machine.nozzle.0 * 9 / 8,
        Key::TopLineWidth | Key::SparseLineWidth | Key::FirstLayerLineWidth => machine.nozzle.0 * 9 / 8,
        Key::AdaptiveLeast => machine.nozzle.0 / 5,
        Key::AdaptiveMost => machine.nozzle.0 * 7 / 10,
        Key::RetractLength if direct => 800,
        Key::RetractLength => 4_500,
        Key::RetractSpeed if direct => 35,
        Key::RetractSpeed => 45,
        Key::OuterAcceleration | Key::TopAcceleration | Key::FirstLayerAcceleration => {
            (machine.acceleration.0 * 6 / 10) as i32
        }
        Key::InnerAcceleration | Key::SolidAcceleration | Key::BridgeAcceleration => {
            (machine.acceleration.0 * 8 / 10) as i32
        }
        Key::SparseAcceleration | Key::TravelAcceleration => machine.acceleration.0 as i32,
        Key::TravelSpeed => (machine.max_speed.0 / 60).min(180) as i32,
        _ => return None,
    })
}

/// The standard preset's speed in millimetres per second.
fn speed(key: Key) -> Option<i32> {
    Some(match key {
        Key::OuterSpeed | Key::TopSpeed => 40,
        Key::InnerSpeed | Key::SolidSpeed | Key::SupportInterfaceSpeed => 60,
        Key::SparseSpeed | Key::SupportSpeed => 80,
        Key::BridgeSpeed | Key::ThinSpeed => 30,
        _ => return None,
    })
}

/// How fast a preset prints against the standard one, in percent; soft filament buckles when hurried.
fn pace(preset: Preset, material: Material) -> i32 {
    let preset = match preset {
        Preset::Draft => 130,
        Preset::Standard => 100,
        Preset::Fine => 85,
        Preset::Strong => 95,
    };
    if material == Material::Tpu { preset / 2 } else { preset }
}

/// The same for every machine, material and preset.
fn constant(key: Key) -> i32 {
    match key {
        Key::InfillOverlap => 25,
        Key::InfillAngle => 45,
        Key::ThinWalls | Key::GapFill | Key::AvoidCrossing => 1,
        Key::Scale | Key::Flow | Key::TopFlow | Key::BridgeFlow => 100,
        Key::SkirtDistance => 3_000,
        Key::Parts => 1,
        Key::PartSpacing => 5_000,
        Key::FirstLayerSpeed => 20,
        Key::OverhangSpeed => 15,
        Key::Seam => 3,
        Key::Wipe => 1_000,
        Key::LeastSpeed => 10,
        Key::LeastLayerTime => 6,
        Key::FullFanLayerTime => 20,
        Key::RetractTravel => 1_500,
        Key::SupportAngle => 50,
        Key::SupportDensity => 20,
        Key::SupportZGap => 200,
        Key::SupportXyGap => 400,
        Key::SupportInterfaceLayers => 3,
        Key::SupportInterfaceDensity => 75,
        Key::SupportBridgeSpan => 10_000,
        Key::SupportBranchAngle => 40,
        Key::RaftMargin => 3_000,
        Key::RaftGap => 200,
        _ => 0,
    }
}
