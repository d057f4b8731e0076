//! The toolpath of each animal of the zoo as text, beside the tests in `golden/zoo/NAME.txt`.
//!
//! One line for each feature of a layer: how many paths, their length, width and extent, in millimetres, x and y from the
//! middle of the bed; layers that read the same are told once. `UPDATE_ZOO=1 cargo test -p layerlock-slicer --test golden
//! snapshots` writes the files anew: the diff is then what changed for a print.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path as File;

use layerlock_slicer::mesh::Mesh;
use layerlock_terms::toolpath::Feature;

use super::print::{Laid, Print, profile, slice_with};
use super::zoo::{Animal, refused, zoo};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/zoo");

/// Lines of a file that are still read as a whole.
const READABLE: usize = 60;

/// The middle of the bed, in micrometres.
const MIDDLE: [i32; 2] = [125_000, 105_000];

fn told(animal: &Animal) -> String {
    let print = match slice_with(&animal.mesh, &profile(&[]), 1) {
        Ok(pieces) => layers(&Print::of_pieces(&pieces)),
        Err(refused) => format!("refused: {refused}\n"),
    };
    format!("{}\n{}\n{print}", animal.expected, size(&animal.mesh))
}

/// Its box and how many triangles it has.
fn size(mesh: &Mesh) -> String {
    let [x, y, z] = [0, 1, 2].map(|axis| {
        let along = || mesh.vertices.iter().map(|corner| corner[axis]);
        along().fold(f32::MIN, f32::max) - along().fold(f32::MAX, f32::min)
    });
    format!("{} triangles, {x:.2} x {y:.2} x {z:.2} mm", mesh.triangles.len())
}

/// Each run of equal layers, under the heights it spans.
fn layers(print: &Print) -> String {
    let told: Vec<(f64, f64, String)> = print
        .layers
        .iter()
        .map(|layer| (f64::from(layer.bottom()) / 1e3, f64::from(layer.top()) / 1e3, features(layer)))
        .collect();
    let mut text = String::new();
    let mut first = 1;
    for same in told.chunk_by(|a, b| a.2 == b.2) {
        let last = first + same.len() - 1;
        let name = if first == last { format!("layer {first}") } else { format!("layers {first} to {last}") };
        let (bottom, top) = (same[0].0, same[same.len() - 1].1);
        write!(text, "\n{name}: z {bottom:.2} to {top:.2}\n{}", same[0].2).expect("a string takes all");
        first = last + 1;
    }
    text
}

fn features(layer: &Laid) -> String {
    let met = Feature::ALL.iter().filter(|feature| layer.has(**feature));
    let told: String = met.map(|feature| line(layer, *feature)).collect();
    if told.is_empty() { "  nothing\n".to_owned() } else { told }
}

fn line(layer: &Laid, feature: Feature) -> String {
    let (lines, loops) = layer.lines_and_loops(feature);
    let counts = [(loops, "loop"), (lines, "line")].into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> =
        counts.map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" })).collect();
    let widths: BTreeSet<i32> = layer.widths(feature).collect();
    let ends = [widths.first(), widths.last()].map(|width| f64::from(*width.expect("it has paths")) / 1e3);
    let width =
        if ends[0] == ends[1] { format!("{:.2}", ends[0]) } else { format!("{:.2}-{:.2}", ends[0], ends[1]) };
    let (low, high) = layer.extent(feature);
    let [x, y] =
        [0, 1].map(|axis| format!("{} .. {}", from_middle(low[axis], axis), from_middle(high[axis], axis)));
    let (name, counts, length) = (format!("{feature:?}"), counts.join(" "), layer.length(feature));
    format!("  {name:<15} {counts:<16} {length:>9.2} long  {width:<9} wide  x {x:<16} y {y}\n")
}

/// Millimetres from the middle of the bed. Halves go away from it, so that what is symmetric reads so.
fn from_middle(micrometres: i32, axis: usize) -> String {
    let from = micrometres - MIDDLE[axis];
    let hundredths = (from.abs() + 5) / 10;
    let sign = if from < 0 && hundredths > 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The first line that differs, both ways.
fn difference(asked: &str, got: &str) -> String {
    let pairs =
        asked.lines().map(Some).chain(std::iter::repeat(None)).zip(got.lines().map(Some).chain([None]));
    let (at, (asked, got)) =
        pairs.enumerate().find(|(_, (asked, got))| asked != got).unwrap_or((0, (None, None)));
    format!(
        "line {}:\n  the file has {}\n  the print is {}",
        at + 1,
        asked.unwrap_or("-"),
        got.unwrap_or("-")
    )
}

#[test]
fn snapshots_of_the_zoo_are_what_is_printed() {
    let animals: Vec<Animal> = zoo().into_iter().chain(refused()).collect();
    let is_updating = std::env::var_os("UPDATE_ZOO").is_some();
    let mut faults = Vec::new();
    for animal in &animals {
        let file = File::new(FOLDER).join(animal.name).with_extension("txt");
        let got = told(animal);
        assert!(
            got.lines().count() <= READABLE,
            "{} is no tiny mesh: its file has {} lines",
            animal.name,
            got.lines().count()
        );
        if is_updating {
            fs::write(&file, &got).expect("the folder can be written");
        }
        let asked = fs::read_to_string(&file).unwrap_or_default();
        if asked != got {
            faults.push(format!("{}, {}", animal.name, difference(&asked, &got)));
        }
    }
    let names: BTreeSet<String> = animals.iter().map(|animal| format!("{}.txt", animal.name)).collect();
    let files = fs::read_dir(FOLDER).expect("the zoo has a folder").filter_map(Result::ok);
    let strays = files
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .filter(|file| !names.contains(file));
    faults.extend(strays.map(|file| format!("{file} is of no animal: delete it")));
    assert!(
        faults.is_empty(),
        "{}\n\nIf this is meant, set UPDATE_ZOO=1, run this test again and read the diff.",
        faults.join("\n\n")
    );
}
