//! A seller's own G-code on the whole road, of the real program: made by a slicer, uploaded beside its part, printed.

use std::fs;

use crate::road::{DESIGN, Server, attempt, model, walk_with, word};

#[test]
fn gcode_that_a_slicer_made_is_uploaded_beside_its_part_and_printed_to_the_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path());
    let part = format!("{}.stl", DESIGN);
    fs::write(dir.path().join(&part), model()).expect("writable");
    server.run(&["slice", &part, "--output", "own.gcode", "--printer-model", "prusa-mk3s"]);
    let own = ["--gcode", "prusa-mk3s:pla=own.gcode"];
    walk_with(&server, &own, &["--material", "pla", "--set", "engine=custom"]);
    let designs = server.run(&["seller", "designs", "--home", "seller"]);
    let report = server.run(&["seller", "design", word(&designs, "design-"), "--home", "seller"]);
    assert!(report.contains("your G-code for prusa-mk3s in pla: "), "{report}");

    // The same again is the same version: nothing in the package is of the moment.
    let again = ["seller", "upload", &part, "--design", word(&designs, "design-"), "--home", "seller"];
    let again = server.run(&[&again, &own[..]].concat());
    assert!(again.contains("version 1 "), "{again}");

    let refused = |gcode: &str| {
        let upload = ["seller", "upload", &part, "--gcode", gcode, "--home", "seller"];
        attempt(dir.path(), &upload).expect_err("it is not taken")
    };
    let text = fs::read_to_string(dir.path().join("own.gcode")).expect("it was sliced");
    fs::write(dir.path().join("own.gcode"), text.replacen("G1 ", "M997\nG1 ", 40)).expect("writable");
    assert!(refused("prusa-mk3s:pla=own.gcode").contains("`M997` has no place in a toolpath"));
    assert!(refused("prusa-mk3:pla=own.gcode").contains("prusa-mk3s"));
    assert!(refused("prusa-mk3s:pla").contains("MACHINE:MATERIAL=FILE"));
    assert!(refused("prusa-mk3s:pla=none.gcode").contains("none.gcode"));
}
