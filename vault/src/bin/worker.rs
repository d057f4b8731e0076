//! The worker as a program of its own, for the vault's tests and for installations that keep it apart from the
//! `layerlock` program. It holds no key, asks for no file and speaks only over its standard streams.

use std::process::ExitCode;

fn main() -> ExitCode {
    layerlock_vault::worker::run(std::io::stdin().lock(), std::io::stdout().lock())
}
