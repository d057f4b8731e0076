//! A trace: one line of plastic before it has a speed or a place in the order.

use layerlock_terms::toolpath::Feature;

use crate::geometry::IntPoint;

/// Points the nozzle passes while extruding one width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) feature: Feature,
    /// Width in micrometres.
    pub(crate) width: i32,
    /// Where it runs. A loop's first point is not repeated at its end.
    pub(crate) points: Vec<IntPoint<i32>>,
    pub(crate) shape: TraceShape,
    /// For walls: how many walls lie between it and the outline.
    pub(crate) depth: u8,
}

/// Whether a trace ends where it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TraceShape {
    /// May begin anywhere.
    Loop,
    /// May be run either way.
    Line,
}

impl Trace {
    pub(crate) fn wall(depth: u8, width: i32, points: Vec<IntPoint<i32>>) -> Self {
        let feature = if depth == 0 { Feature::OuterPerimeter } else { Feature::InnerPerimeter };
        Self { feature, width, points, shape: TraceShape::Loop, depth }
    }

    pub(crate) fn is_wall(&self) -> bool {
        matches!(self.feature, Feature::OuterPerimeter | Feature::InnerPerimeter)
    }

    pub(crate) fn ring(feature: Feature, width: i32, points: Vec<IntPoint<i32>>) -> Self {
        Self { feature, width, points, shape: TraceShape::Loop, depth: 0 }
    }

    pub(crate) fn line(feature: Feature, width: i32, points: Vec<IntPoint<i32>>) -> Self {
        Self { feature, width, points, shape: TraceShape::Line, depth: 0 }
    }
}
