//! What a simulated machine remembers of a job: the oracle of every test that asks "once each, in order?".

use layerlock_terms::toolpath::Point3;
use layerlock_terms::units::{Celsius, Millis};

use crate::printer::simulated::Bead;

/// Everything a simulated machine was made to do, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    text: String,
    beads: Vec<Bead>,
    /// Commands executed that move or change the machine; questions (M105, M114, M115, …) are not counted.
    pub commands: u64,
    /// Filament fed less filament pulled back, in micrometres of filament.
    pub filament_um: i64,
    /// Corners of everything extruded; `None` while nothing was.
    pub extruded: Option<(Point3, Point3)>,
    /// Highest nozzle target.
    pub max_nozzle: Celsius,
    /// Highest bed target.
    pub max_bed: Celsius,
    /// How long it would have taken, at the speeds asked for, without acceleration.
    pub duration: Millis,
    /// Moves taken and not made yet: the planner's tail.
    pub planned: usize,
    /// Moves before which nothing was planned any more: the nozzle stood still and waited for the host.
    pub starved: u64,
    /// Bytes the receive buffer had no room for.
    pub overflowed: u64,
    /// Lines refused and asked for again.
    pub resends_asked: u64,
}

impl Record {
    /// The executed commands, oldest first.
    pub fn executed(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    pub(super) fn add(&mut self, command: &str) {
        self.text.push_str(command);
        self.text.push('\n');
        self.commands += 1;
    }

    /// Every line of plastic laid down, oldest first.
    pub fn beads(&self) -> &[Bead] {
        &self.beads
    }

    pub(super) fn lay(&mut self, bead: Bead) {
        self.extrude_to(bead.from);
        self.extrude_to(bead.to);
        self.beads.push(bead);
    }

    fn extrude_to(&mut self, at: Point3) {
        let (low, high) = self.extruded.unwrap_or((at, at));
        let least = |a: Point3, b: Point3| Point3 { x: a.x.min(b.x), y: a.y.min(b.y), z: a.z.min(b.z) };
        let most = |a: Point3, b: Point3| Point3 { x: a.x.max(b.x), y: a.y.max(b.y), z: a.z.max(b.z) };
        self.extruded = Some((least(low, at), most(high, at)));
    }
}
