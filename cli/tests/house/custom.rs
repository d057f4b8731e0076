//! A seller's own G-code on the whole road, of the real program: made by a slicer, uploaded beside its part, printed.

use std::fs;

use crate::road::{DESIGN, Server, attempt, model, program, walk_with, word};

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

    // A wish that no job can grant leaves the copy held, and says for how long and how to go on.
    let licenses = server.run(&["buyer", "licenses", "--home", "buyer"]);
    let device = server.run(&["device", "status", "--home", "device"]);
    let mut print = program(dir.path());
    print.args(["buyer", "print", word(&licenses, "license-"), "--device", word(&device, "device-")]);
    print.args(["--material", "pla", "--set", "engine=custom", "--set", "perimeters=5", "--home", "buyer"]);
    let output = print.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && said.contains("the copy stays held for "), "{said}");
    let again = format!("print with --request-id {}", word(&said, "request-"));
    assert!(said.contains(&again), "{said}");

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
    let mistyped =
        ["seller", "upload", &part, "--design", &format!("design-{}", "0".repeat(32)), "--home", "seller"];
    let mistyped = attempt(dir.path(), &mistyped).expect_err("there is no such design");
    assert!(mistyped.contains("leave it out for a new design"), "{mistyped}");
    for (option, value) in [("--name", "a\u{1b}[2J"), ("--name", ""), ("--max-copies", "0")] {
        let upload = ["seller", "upload", &part, option, value, "--home", "seller"];
        assert!(attempt(dir.path(), &upload).expect_err("it is no name").contains(option), "{option}");
    }
    assert!(refused("prusa-mk3s:pla").contains("MACHINE:MATERIAL=FILE"));
    assert!(refused("prusa-mk3s=own.gcode").contains("MACHINE:MATERIAL=FILE"));
    assert!(refused("prusa-mk3s:pla=none.gcode").contains("none.gcode"));
}

#[test]
fn a_print_that_lays_nothing_ends_with_a_failure() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path());
    fs::write(dir.path().join(format!("{DESIGN}.stl")), model()).expect("writable");
    walk_with(&server, &[], &[]);
    let mut huge = model();
    for triangle in huge[84..].chunks_mut(50) {
        for side in triangle[12..48].chunks_mut(4) {
            let mm = f32::from_le_bytes(side.try_into().expect("four bytes")) * 100.0;
            side.copy_from_slice(&mm.to_le_bytes());
        }
    }
    fs::write(dir.path().join("huge.stl"), huge).expect("writable");
    let seller = |args: &[&str]| server.run(&[&["seller"], args, &["--home", "seller"]].concat());
    let design = seller(&["upload", "huge.stl"]);
    assert!(design.contains("fits 0 of") && design.contains("the roomiest would take it at "), "{design}");
    let (offer, buyer) = (seller(&["offer", word(&design, "design-")]), seller(&["create-buyer"]));
    let license = seller(&["license", word(&offer, "offer-"), "--buyer", word(&buyer, "buyer-")]);
    server.run(&["buyer", "join", "--api-key", word(&buyer, "layerlock_"), "--home", "second"]);
    let device = server.run(&["device", "status", "--home", "device"]);
    let (license, device) = (word(&license, "license-"), word(&device, "device-"));
    let print = ["buyer", "print", license, "--device", device, "--home", "second"];
    let failed = attempt(dir.path(), &print).expect_err("there is no such machine");
    assert!(failed.contains("the part was not printed"), "{failed}");
}
