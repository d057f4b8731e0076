//! How wide a line is, how much plastic it takes, and how far apart lines lie.
//!
//! A line is taken to be a rectangle with round ends, as wide and as high as said; lines side by side overlap
//! by the corners the round ends leave empty, so that a solid layer is filled exactly.

use std::f64::consts::PI;

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::{Feature, Rate};

use crate::layers::Slab;

/// What the square corners of a line's cross-section lack, as a share of its height.
const ROUND: f64 = 1.0 - PI / 4.0;

/// Widths and distances on one layer, in micrometres.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    /// Thickness of the layer.
    pub(crate) height: i32,
    /// Width of the visible wall's line.
    pub(crate) outer: i32,
    /// Width of the walls' lines behind it.
    pub(crate) wall: i32,
    /// Width of solid lines seen from above.
    pub(crate) top: i32,
    /// Width of sparse infill's lines.
    pub(crate) sparse: i32,
    /// Width of every other line.
    pub(crate) inner: i32,
    /// Diameter of the nozzle, which is that of a line spanning air.
    pub(crate) nozzle: i32,
}

impl Flow {
    pub(crate) fn on(slab: Slab, profile: &Profile) -> Self {
        let width = |key| profile.length(if slab.index == 0 { Key::FirstLayerLineWidth } else { key }).0;
        Self {
            height: slab.height,
            outer: profile.length(Key::OuterLineWidth).0,
            wall: width(Key::InnerLineWidth),
            top: width(Key::TopLineWidth),
            sparse: width(Key::SparseLineWidth),
            inner: width(Key::LineWidth),
            nozzle: profile.machine().nozzle.0,
        }
    }

    /// Distance between lines of this width that fill the space between them.
    pub(crate) fn spacing(&self, width: i32) -> i32 {
        width - self.corners()
    }

    /// Distance between solid lines of this feature, and their width: round threads side by side over air.
    pub(crate) fn solid(&self, feature: Feature) -> (i32, i32) {
        match feature {
            Feature::Bridge => (self.nozzle, self.nozzle),
            Feature::TopSurface => (self.spacing(self.top), self.top),
            _ => (self.spacing(self.inner), self.inner),
        }
    }

    /// Width of a line that fills a gap this wide.
    pub(crate) fn filling(&self, gap: i32) -> i32 {
        gap + self.corners()
    }

    fn corners(&self) -> i32 {
        (f64::from(self.height) * ROUND).round() as i32
    }
}

/// The filament a line takes, for its feature, width and the layer's height.
pub(crate) fn rate(feature: Feature, width: i32, height: i32, profile: &Profile) -> Rate {
    let (width, height) = (f64::from(width), f64::from(height));
    let round = PI / 4.0 * width * width;
    let area = match feature {
        Feature::Bridge => round,
        // A line narrower than it is high has no flat left; the larger figure keeps it from tearing.
        _ => (height * (width - height * ROUND)).max(round.min(height * width / 2.0)),
    };
    let filament = f64::from(profile.machine().filament.0);
    let share = |key| f64::from(profile.percent(key)) / 100.0;
    let own = match feature {
        Feature::TopSurface => share(Key::TopFlow),
        Feature::Bridge => share(Key::BridgeFlow),
        _ => 1.0,
    };
    let flow = share(Key::Flow) * own;
    Rate::of_areas(area * flow, PI / 4.0 * filament * filament)
}
