//! Workers: child processes in which hostile meshes are parsed, measured, drawn and sliced, never beside a key.
//!
//! One process per upload or press, with an empty environment; `protocol` is what is said, `sandbox` the cage
//! the child puts on, `child` what it does, `parent` how the vault starts, bounds, hears and ends it; `parent::engine` the
//! same for a child that becomes a program of others.

mod child;
mod parent;
mod protocol;
mod sandbox;

pub use child::run;
pub use parent::engine::{EnginePrograms, Engines, Installed};
pub use parent::{WorkerCommand, WorkerError, probe};
pub use sandbox::{Confinement, Guard};

pub(crate) use parent::engine::{At, NoEngine, Way, sweep_rooms};
pub(crate) use parent::{Bounds, Worker};
pub(crate) use protocol::{Answer, Task, read_analysis, read_gcode, write_analysis, write_gcode};
