//! Colours: one per feature, one per height, and the dark bench they lie on.

use layerlock_terms::toolpath::Feature;

/// A colour, sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// Behind everything.
pub(super) const BENCH: Rgb = Rgb(0x12, 0x16, 0x1d);
/// The printing bed.
pub(super) const BED: Rgb = Rgb(0x1a, 0x20, 0x2a);
/// Its edge.
pub(super) const BED_EDGE: Rgb = Rgb(0x3d, 0x4a, 0x5c);
/// Its grid.
pub(super) const GRID: Rgb = Rgb(0x25, 0x2d, 0x3a);
/// Moves without plastic.
pub(super) const TRAVEL: Rgb = Rgb(0x8a, 0xd4, 0xff);

/// The colour a feature is drawn in.
pub fn colour_of(feature: Feature) -> Rgb {
    match feature {
        Feature::Skirt => Rgb(0x7d, 0x8b, 0x9c),
        Feature::OuterPerimeter => Rgb(0xff, 0x84, 0x3d),
        Feature::InnerPerimeter => Rgb(0xff, 0xc2, 0x5a),
        Feature::SolidInfill => Rgb(0xa2, 0x76, 0xe8),
        Feature::TopSurface => Rgb(0xee, 0x5a, 0x78),
        Feature::BottomSurface => Rgb(0x45, 0xb0, 0xb8),
        Feature::Bridge => Rgb(0x4d, 0x8d, 0xff),
        Feature::SparseInfill => Rgb(0xb8, 0x50, 0x48),
        Feature::GapFill => Rgb(0xea, 0xe6, 0xd8),
        Feature::ThinWall => Rgb(0xff, 0xe6, 0xa0),
        Feature::Support => Rgb(0x4f, 0xae, 0x74),
        Feature::SupportInterface => Rgb(0x8c, 0xdc, 0xa4),
    }
}

/// Colours from the bed to the top of a part.
const CLIMB: [Rgb; 5] = [
    Rgb(0x3a, 0x4f, 0xd0),
    Rgb(0x8a, 0x45, 0xc8),
    Rgb(0xdc, 0x48, 0x8e),
    Rgb(0xff, 0x7a, 0x4f),
    Rgb(0xff, 0xc8, 0x57),
];

/// The colour at a relative height, 0 being the bed and 1 the top.
pub(super) fn at_height(height: f32) -> Rgb {
    let place = height.clamp(0.0, 1.0) * (CLIMB.len() - 1) as f32;
    let below = (place as usize).min(CLIMB.len() - 2);
    CLIMB[below].mix(CLIMB[below + 1], place - below as f32)
}

impl Rgb {
    /// From `self` at 0 to `other` at 1.
    pub(super) fn mix(self, other: Self, share: f32) -> Self {
        let channel = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share).round() as u8;
        Self(channel(self.0, other.0), channel(self.1, other.1), channel(self.2, other.2))
    }

    /// Closer to black.
    pub(super) fn darker(self, share: f32) -> Self {
        self.mix(Self(0, 0, 0), share)
    }

    /// Closer to white.
    pub(super) fn lighter(self, share: f32) -> Self {
        self.mix(Self(255, 255, 255), share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_features_share_a_colour() {
        let mut colours: Vec<_> = (0..=u8::MAX).filter_map(Feature::from_u8).map(colour_of).collect();
        assert_eq!(colours.len(), 12);
        colours.sort_by_key(|rgb| (rgb.0, rgb.1, rgb.2));
        colours.dedup();
        assert_eq!(colours.len(), 12);
    }

    #[test]
    fn heights_run_from_the_first_colour_to_the_last() {
        assert_eq!(at_height(-1.0), CLIMB[0]);
        assert_eq!(at_height(0.5), CLIMB[2]);
        assert_eq!(at_height(7.0), CLIMB[4]);
    }
}
