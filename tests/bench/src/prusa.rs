//! How PrusaSlicer is told the same as ours.

use std::ffi::OsString;
use std::path::Path;

/// The program's name.
pub const PROGRAM: &str = "prusa-slicer";

/// What it is started with to make `out` of `stl`.
pub fn arguments(stl: &Path, out: &Path) -> Vec<OsString> {
    let settings = concat!(env!("CARGO_MANIFEST_DIR"), "/prusa.ini");
    let mut arguments: Vec<OsString> = ["--export-gcode", "--load", settings].map(OsString::from).into();
    arguments.extend(["--dont-arrange", "--center", "125,125", "--output"].map(OsString::from));
    arguments.extend([out.into(), stl.into()]);
    arguments
}
