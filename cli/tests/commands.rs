//! Mistakes a person makes at the command line, and what must not come of them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use layerlock_slicer::mesh::{Mesh, to_binary_stl};

fn layerlock(args: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_layerlock")).args(args).current_dir(dir).output().expect("it runs")
}

/// A tetrahedron of 10 mm.
fn model(dir: &Path) {
    let vertices = vec![[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 10.0]];
    let triangles = vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];
    fs::write(dir.join("part.stl"), to_binary_stl(&Mesh { vertices, triangles })).expect("writable");
}

fn refused(output: &Output, because: &str) {
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it went through");
    assert!(words.contains(because), "refused in other words: {words}");
}

#[test]
fn a_model_is_sliced_into_a_file_and_its_figures() {
    let dir = tempfile::tempdir().expect("a folder");
    model(dir.path());
    let output = layerlock(&["slice", "part.stl", "-o", "part.gcode", "--stats", "part.json"], dir.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let gcode = fs::read_to_string(dir.path().join("part.gcode")).expect("the G-code is there");
    assert!(gcode.lines().filter(|line| line.starts_with("G1")).count() > 100);
    let stats = fs::read_to_string(dir.path().join("part.json")).expect("the figures are there");
    assert!(stats.contains("\"layers\": 50"), "{stats}");
}

#[test]
fn slicing_never_writes_over_its_own_model_nor_into_what_is_no_file() {
    let dir = tempfile::tempdir().expect("a folder");
    model(dir.path());
    let before = fs::read(dir.path().join("part.stl")).expect("the model is there");
    refused(&layerlock(&["slice", "part.stl", "-o", "./part.stl"], dir.path()), "is the model itself");
    assert_eq!(fs::read(dir.path().join("part.stl")).expect("the model is there"), before);
    refused(&layerlock(&["slice", "part.stl", "-o", "."], dir.path()), "is no regular file");
    refused(
        &layerlock(&["slice", "part.stl", "-o", "absent/part.gcode"], dir.path()),
        "its folder is not there",
    );
}

#[test]
fn a_file_that_is_no_mesh_is_refused_by_name_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("letter.stl"), "Dear printer, please make me a boat.").expect("writable");
    refused(&layerlock(&["slice", "letter.stl", "-o", "boat.gcode"], dir.path()), "letter.stl");
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1, "something was left behind");
}

#[test]
fn a_second_server_on_a_folder_is_refused_and_leads_no_client_astray() {
    let dir = tempfile::tempdir().expect("a folder");
    let anywhere = "licensor = \"127.0.0.1:0\"\nvault = \"127.0.0.1:0\"\nmetrics = \"off\"\n";
    fs::write(dir.path().join("serve.toml"), anywhere).expect("writable");
    let serve = ["serve", "--data-dir", "house", "--config", "serve.toml"];
    let mut first = Command::new(env!("CARGO_BIN_EXE_layerlock"))
        .args(serve)
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(first.stdout.as_mut().expect("piped")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.starts_with("clients")), "the first server is up");
    let connect = fs::read(dir.path().join("house/connect.toml")).expect("it says where it is");
    let second = layerlock(&serve, dir.path());
    first.kill().expect("it can be ended");
    first.wait().expect("it is gone");
    refused(&second, "in use by another process");
    assert_eq!(fs::read(dir.path().join("house/connect.toml")).expect("still there"), connect);
}

#[test]
fn output_that_nobody_reads_to_its_end_is_no_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_layerlock"))
        .arg("catalogue")
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_picture_of_a_real_machines_print_is_refused_with_the_mend() {
    let dir = tempfile::tempdir().expect("a folder");
    let args = ["device", "run", "--printer", "serial:/dev/ttyUSB0", "--picture", "print.png"];
    refused(&layerlock(&args, dir.path()), "take `--printer simulated`");
    let args = ["device", "run", "--printer", "simulated@0"];
    refused(&layerlock(&args, dir.path()), "'simulated@1' for real time");
}
