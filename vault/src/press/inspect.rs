//! What a worker says is a toolpath only after this: every piece read, in its order, for the machine asked for.
//!
//! A worker may have been taken over by the mesh it reads. It can still make an ugly print, which the device's
//! guard bounds, but not another format, another machine, or heat beyond what this machine may have (S3).

use layerlock_terms::profile::Profile;
use layerlock_terms::toolpath::{Epilogue, Layer, Piece, Prologue, Step};
use layerlock_terms::units::Celsius;

use crate::worker::WorkerError;

/// Which piece may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The prologue.
    Prologue,
    /// The layer of this number, or the epilogue if there was one before.
    Layer(u32),
    /// Nothing.
    Nothing,
}

impl Due {
    /// Reads a piece and says what is due after it.
    pub(super) fn inspect(&mut self, bytes: &[u8], profile: &Profile) -> Result<Piece, WorkerError> {
        let piece = Piece::parse(bytes).map_err(|_| WorkerError::Garbled)?;
        let (fits, next) = match (&piece, *self) {
            (Piece::Prologue(prologue), Self::Prologue) => (fits_machine(prologue, profile), Self::Layer(0)),
            (Piece::Layer(layer), Self::Layer(due)) => {
                (layer.index == due && is_safe(layer, profile), Self::Layer(due.saturating_add(1)))
            }
            (Piece::Epilogue(Epilogue { layers, .. }), Self::Layer(due)) => {
                (due > 0 && *layers == due, Self::Nothing)
            }
            (Piece::Prologue(_) | Piece::Layer(_) | Piece::Epilogue(_), _) => (false, *self),
        };
        if fits {
            *self = next;
            Ok(piece)
        } else {
            Err(WorkerError::Garbled)
        }
    }
}

fn fits_machine(prologue: &Prologue, profile: &Profile) -> bool {
    let machine = profile.machine();
    prologue.machine == machine.name
        && prologue.filament_diameter == machine.filament
        && heat_allowed(prologue.nozzle, machine.max_nozzle)
        && heat_allowed(prologue.bed, machine.max_bed)
}

fn is_safe(layer: &Layer, profile: &Profile) -> bool {
    let machine = profile.machine();
    layer.steps.iter().all(|step| match step {
        Step::Nozzle(celsius) => heat_allowed(*celsius, machine.max_nozzle),
        Step::Bed(celsius) => heat_allowed(*celsius, machine.max_bed),
        Step::Acceleration { printing, travelling } => {
            (*printing).max(*travelling) <= machine.max_acceleration
        }
        Step::Travel { .. }
        | Step::Extrude(_)
        | Step::Retract { .. }
        | Step::Prime { .. }
        | Step::Wipe { .. }
        | Step::Lift { .. }
        | Step::Fan(_) => true,
    })
}

fn heat_allowed(asked: Celsius, most: Celsius) -> bool {
    asked <= most
}

#[cfg(test)]
mod tests {
    use layerlock_terms::machine::{Machine, Material};
    use layerlock_terms::profile::Preset;
    use layerlock_terms::toolpath::{Point3, Times};
    use layerlock_terms::units::{Micrometres, Milligrams, Millis, MmPerSecond2};

    use super::*;

    fn profile() -> Profile {
        let machine = Machine::named("prusa-mk3s").unwrap();
        Profile::new(machine, Material::Pla, Preset::Draft)
    }

    fn prologue(machine: &str, nozzle: u16) -> Vec<u8> {
        let filament_diameter = profile().machine().filament;
        Piece::Prologue(Prologue {
            machine: machine.into(),
            nozzle: Celsius(nozzle),
            bed: Celsius(60),
            filament_diameter,
        })
        .emit()
    }

    fn layer(index: u32, steps: Vec<Step>) -> Vec<u8> {
        Piece::Layer(Layer { index, z: Micrometres(200), height: Micrometres(200), steps }).emit()
    }

    fn epilogue(layers: u32) -> Vec<u8> {
        let (min, max) = (Point3::default(), Point3::default());
        let (duration, mass, times) = (Millis(1), Milligrams(1), Times::default());
        Piece::Epilogue(Epilogue { layers, duration, filament_um: 1, mass, min, max, times }).emit()
    }

    /// How many pieces are taken before one is refused.
    fn taken(pieces: &[Vec<u8>]) -> usize {
        let mut due = Due::Prologue;
        pieces.iter().take_while(|piece| due.inspect(piece, &profile()).is_ok()).count()
    }

    #[test]
    fn pieces_in_order_are_taken_and_nothing_after_the_end() {
        let pieces =
            [prologue("prusa-mk3s", 210), layer(0, vec![]), layer(1, vec![]), epilogue(2), layer(2, vec![])];
        assert_eq!(taken(&pieces), 4);
    }

    #[test]
    fn skipped_layers_wrong_counts_and_missing_starts_are_refused() {
        assert_eq!(taken(&[layer(0, vec![])]), 0);
        assert_eq!(taken(&[prologue("prusa-mk3s", 210), layer(1, vec![])]), 1);
        assert_eq!(taken(&[prologue("prusa-mk3s", 210), epilogue(0)]), 1);
        assert_eq!(taken(&[prologue("prusa-mk3s", 210), layer(0, vec![]), epilogue(2)]), 2);
    }

    #[test]
    fn another_machine_and_too_much_heat_are_refused() {
        assert_eq!(taken(&[prologue("ender-3", 210)]), 0);
        assert_eq!(taken(&[prologue("prusa-mk3s", 999)]), 0);
        let hot = layer(0, vec![Step::Nozzle(Celsius(999))]);
        assert_eq!(taken(&[prologue("prusa-mk3s", 210), hot]), 1);
    }

    #[test]
    fn accelerations_beyond_the_machines_hardest_are_refused() {
        let most = profile().machine().max_acceleration;
        for (printing, travelling, pieces) in [(0, 0, 2), (1, 0, 1), (0, 1, 1)] {
            let harder = |by: u32| MmPerSecond2(most.0 + by);
            let step = Step::Acceleration { printing: harder(printing), travelling: harder(travelling) };
            assert_eq!(taken(&[prologue("prusa-mk3s", 210), layer(0, vec![step])]), pieces);
        }
    }
}
