//! The profile's speeds and accelerations by feature.

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::Feature;
use layerlock_terms::units::{MmPerMinute, MmPerSecond2};

/// The profile's speed for a feature.
pub(crate) fn feature_speed(feature: Feature, index: u32, profile: &Profile) -> MmPerMinute {
    let key = match feature {
        Feature::Bridge => Key::BridgeSpeed,
        _ if index == 0 => Key::FirstLayerSpeed,
        Feature::OuterPerimeter => Key::OuterSpeed,
        Feature::InnerPerimeter => Key::InnerSpeed,
        Feature::TopSurface => Key::TopSpeed,
        Feature::SparseInfill | Feature::Skirt => Key::SparseSpeed,
        Feature::Support => Key::SupportSpeed,
        Feature::SupportInterface => Key::SupportInterfaceSpeed,
        Feature::GapFill | Feature::ThinWall => Key::ThinSpeed,
        Feature::SolidInfill | Feature::BottomSurface => Key::SolidSpeed,
    };
    profile.speed(key)
}

/// The profile's acceleration for a feature.
pub(super) fn acceleration(feature: Feature, index: u32, profile: &Profile) -> MmPerSecond2 {
    let key = match feature {
        _ if index == 0 => Key::FirstLayerAcceleration,
        Feature::Bridge => Key::BridgeAcceleration,
        Feature::OuterPerimeter => Key::OuterAcceleration,
        Feature::InnerPerimeter | Feature::GapFill | Feature::ThinWall => Key::InnerAcceleration,
        Feature::TopSurface => Key::TopAcceleration,
        Feature::SparseInfill | Feature::Skirt | Feature::Support => Key::SparseAcceleration,
        Feature::SolidInfill | Feature::BottomSurface | Feature::SupportInterface => Key::SolidAcceleration,
    };
    profile.acceleration(key)
}
