//! What a simulated machine laid down, as layers, so that it can be drawn: read from its own moves, not from the toolpath.

use std::f64::consts::PI;

use layerlock_terms::toolpath::{Feature, Layer, Path, Point, Point3, Step};
use layerlock_terms::units::{Feed, Micrometres, MmPerMinute};

use crate::printer::simulated::Record;

/// A straight line of plastic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bead {
    /// Where the nozzle was.
    pub from: Point3,
    /// Where it went.
    pub to: Point3,
    /// Filament fed on the way, in micrometres of filament.
    pub fed_um: i32,
}

/// Radius of the filament, millimetres.
const FILAMENT: f64 = 1.75 / 2.0;
/// A nozzle that has climbed less is still in the same layer (a spiral climbs all the time).
const SAME: i32 = 40;
/// Thickness where the layer below says nothing of it, and the most that is believed.
const USUAL: i32 = 200;
const MOST: i32 = 1_000;

impl Record {
    /// What was laid down, layer by layer as the nozzle rose.
    pub fn layers(&self) -> Vec<Layer> {
        let mut layers: Vec<Layer> = Vec::new();
        let mut at = None;
        for bead in self.beads() {
            if layers.last().is_none_or(|layer| (bead.to.z - layer.z.0).abs() >= SAME) {
                layers.push(begin(layers.last(), bead.to.z));
            }
            let layer = layers.last_mut().expect("one was just begun");
            if at != Some(bead.from) {
                let (to, speed) = (vec![flat(bead.from)], MmPerMinute::default());
                layer.steps.push(Step::Travel { to, speed });
            }
            layer.steps.push(Step::Extrude(path(bead, layer.height)));
            at = Some(bead.to);
        }
        layers
    }
}

fn begin(below: Option<&Layer>, z: i32) -> Layer {
    let rise = z - below.map_or(0, |layer| layer.z.0);
    let height = if (1..=MOST).contains(&rise) { rise } else { USUAL };
    let index = below.map_or(0, |layer| layer.index + 1);
    Layer { index, z: Micrometres(z), height: Micrometres(height), steps: Vec::new() }
}

/// A line as wide as what was fed makes it.
fn path(bead: &Bead, height: Micrometres) -> Path {
    let length = f64::from(bead.to.x - bead.from.x).hypot(f64::from(bead.to.y - bead.from.y)) / 1e3;
    let volume = f64::from(bead.fed_um) / 1e3 * PI * FILAMENT * FILAMENT;
    let width = (volume / (length.max(1e-3) * height.to_mm()) * 1e3).clamp(50.0, 2_000.0);
    Path {
        feature: Feature::OuterPerimeter,
        width: Micrometres(width as i32),
        speed: MmPerMinute::default(),
        climb: None,
        points: vec![(flat(bead.to), Feed(bead.fed_um.saturating_mul(100)))],
    }
}

fn flat(point: Point3) -> Point {
    Point { x: point.x, y: point.y }
}
