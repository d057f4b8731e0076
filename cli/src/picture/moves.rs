//! A layer as the straight lines of plastic it lays, each with where it begins.
//!
//! A path in a toolpath begins wherever the nozzle is, so the place has to be followed through all steps.

use layerlock_terms::toolpath::{Layer, Path as Line, Point, Step};

/// One straight line of plastic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Move<'l> {
    pub(super) from: Point,
    pub(super) to: Point,
    /// The path it is part of.
    pub(super) line: &'l Line,
}

/// The moves of a layer that begins with the nozzle at `at`, which is moved along. A path from an unknown place begins
/// at its first point.
pub(super) fn moves<'l>(layer: &'l Layer, at: &mut Option<Point>) -> Vec<Move<'l>> {
    let mut moves = Vec::new();
    for step in &layer.steps {
        match step {
            Step::Travel { to, .. } | Step::Wipe { to, .. } => *at = to.last().copied().or(*at),
            Step::Extrude(line) => {
                for &(to, _) in &line.points {
                    if let Some(from) = at.replace(to) {
                        moves.push(Move { from, to, line });
                    }
                }
            }
            Step::Retract { .. } | Step::Prime { .. } | Step::Lift { .. } => {}
            Step::Fan(_) | Step::Nozzle(_) | Step::Bed(_) | Step::Acceleration { .. } => {}
        }
    }
    moves
}

impl Move<'_> {
    /// Length in micrometres.
    pub(super) fn length(&self) -> f64 {
        let (x, y) =
            (f64::from(self.to.x) - f64::from(self.from.x), f64::from(self.to.y) - f64::from(self.from.y));
        x.hypot(y)
    }
}
