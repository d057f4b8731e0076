//! The slicing worker, as the vault of a test starts it.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    layerlock_vault::worker::run(io::stdin().lock(), io::stdout().lock())
}
