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
    /// Width of every other line.
    pub(crate) inner: i32,
    /// Diameter of the nozzle, which is that of a line spanning air.
    pub(crate) nozzle: i32,
}

impl Flow {
    pub(crate) fn on(slab: Slab, profile: &Profile) -> Self {
        let inner = if slab.index == 0 { Key::FirstLayerLineWidth } else { Key::LineWidth };
        Self {
            height: slab.height,
            outer: profile.length(Key::OuterLineWidth).0,
            inner: profile.length(inner).0,
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
    let flow = f64::from(profile.percent(Key::Flow)) / 100.0;
    Rate::of_areas(area * flow, PI / 4.0 * filament * filament)
}
