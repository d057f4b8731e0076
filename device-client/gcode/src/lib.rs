//! What a machine is told: a toolpath's pieces as lines of G-code, and the guard that holds every line to the machine's
//! limits.
//!
//! The device writes and guards what it sends (hop 9). The vault asks the same two about the G-code of a seller's own
//! (hop 1), so that what it takes is what a device lets through. Pure: nothing here sends, waits or opens a file.

pub mod guard;
pub mod writer;

pub use guard::{Command, Guard};
pub use writer::{Comments, GcodeError, Marlin};
