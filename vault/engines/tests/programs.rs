//! The real programs, told our profile: what they make is read back as the toolpath it is.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

#[path = "../../../tests/src/meshes.rs"]
#[allow(dead_code, reason = "the slicer's tests need more of it")]
mod meshes;

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::process::Command;

use layerlock_engines::{custom, gcode, program};
use layerlock_slicer::mesh::{Mesh, to_binary_stl};
use layerlock_slicer::{place_part, slice};
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Engine, Preset, Profile};
use layerlock_terms::toolpath::{Epilogue, Feature, Layer, Piece, Step};
use meshes::{cuboid, together};

fn profile(settings: &[(&str, &str)]) -> Profile {
    let mut profile = Profile::new(Machine::named("prusa-mk3s").unwrap(), Material::Pla, Preset::Standard);
    settings.iter().for_each(|(name, value)| profile.set(name, value).unwrap());
    profile
}

/// A closed box, in millimetres.
fn block(x: f32, y: f32, z: f32) -> Mesh {
    cuboid([0.0; 3], [x, y, z])
}

/// Two boxes: one on a thin neck, so that there is something to hold up.
fn table() -> Mesh {
    together(&[block(6.0, 6.0, 10.0), cuboid([-10.0, -10.0, 10.0], [16.0, 16.0, 14.0])])
}

const ENGINES: [Engine; 2] = [Engine::PrusaSlicer, Engine::CuraEngine];

/// What an engine makes of it.
fn by(engine: Engine, mesh: &Mesh, profile: &Profile) -> (String, Vec<Piece>) {
    let program = program(engine).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("config.ini"), (program.config)(profile).unwrap()).unwrap();
    fs::write(at("part.stl"), to_binary_stl(&place_part(mesh, profile).unwrap())).unwrap();
    let arguments = (program.arguments)(&at("config.ini"), &at("part.stl"), &at("out.gcode"));
    let output = Command::new(program.name).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; its package is missing", program.name));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&said).lines().filter_map(program.progress).collect::<Vec<_>>();
    assert!(told.len() > 2 && *told.last().unwrap() >= 88, "{engine:?}: {told:?}");
    let text = fs::read_to_string(at("out.gcode")).unwrap();
    let mut pieces = Vec::new();
    let read = gcode::read(&text, profile, &mut |piece| {
        pieces.push(piece);
        Ok(())
    });
    read.unwrap_or_else(|why| panic!("{engine:?}: {why}"));
    (text, pieces)
}

fn layers(pieces: &[Piece]) -> Vec<&Layer> {
    fn layer(piece: &Piece) -> Option<&Layer> {
        if let Piece::Layer(layer) = piece { Some(layer) } else { None }
    }
    pieces.iter().filter_map(layer).collect()
}

fn features(pieces: &[Piece]) -> BTreeSet<Feature> {
    let steps = layers(pieces).into_iter().flat_map(|layer| &layer.steps);
    let feature = |step: &Step| match step {
        Step::Extrude(path) => Some(path.feature),
        _ => None,
    };
    steps.filter_map(feature).collect()
}

fn end(pieces: &[Piece]) -> Epilogue {
    let Some(Piece::Epilogue(epilogue)) = pieces.last() else { panic!("no epilogue") };
    *epilogue
}

fn by_ours(mesh: &Mesh, profile: &Profile) -> Epilogue {
    let threads = NonZeroUsize::MIN;
    slice(mesh, profile, threads, &mut |_| Ok(())).unwrap().epilogue
}

#[test]
fn a_part_comes_back_in_its_place_with_its_layers_lines_and_plastic() {
    ENGINES.into_iter().for_each(comes_back);
}

fn comes_back(engine: Engine) {
    let (mesh, profile) = (block(30.0, 20.0, 8.0), profile(&[("skirt-loops", "0")]));
    let (_, pieces) = by(engine, &mesh, &profile);
    let (theirs, ours) = (end(&pieces), by_ours(&mesh, &profile));
    assert_eq!((theirs.layers, theirs.max.z), (ours.layers, ours.max.z));
    for (theirs, ours) in [
        (theirs.min.x, ours.min.x),
        (theirs.min.y, ours.min.y),
        (theirs.max.x, ours.max.x),
        (theirs.max.y, ours.max.y),
    ] {
        assert!(theirs.abs_diff(ours) < 60, "{engine:?}: {theirs} {ours} µm");
    }
    let share = theirs.filament_um as f64 / ours.filament_um as f64;
    assert!((0.9..1.1).contains(&share), "{engine:?}: {share} of our filament");
    let times = theirs.duration.0 as f64 / ours.duration.0 as f64;
    assert!((0.5..2.0).contains(&times), "{engine:?}: {times} times as long");
    let found = features(&pieces);
    // CuraEngine calls a top like any solid filling.
    let top = if engine == Engine::CuraEngine { Feature::SolidInfill } else { Feature::TopSurface };
    for feature in
        [Feature::OuterPerimeter, Feature::InnerPerimeter, Feature::SparseInfill, Feature::SolidInfill, top]
    {
        assert!(found.contains(&feature), "{engine:?}: {feature:?} is not in {found:?}");
    }
    let widths: BTreeSet<i32> = layers(&pieces)[5]
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Extrude(path) => Some(path.width.0),
            _ => None,
        })
        .collect();
    assert!(widths.iter().all(|um| (300..600).contains(um)) && !widths.is_empty(), "{widths:?}");
}

#[test]
fn no_plastic_and_no_way_is_lost_in_the_reading() {
    ENGINES.into_iter().for_each(nothing_is_lost);
}

fn nothing_is_lost(engine: Engine) {
    let (text, pieces) = by(engine, &table(), &profile(&[("support", "grid"), ("z-hop", "0.3mm")]));
    // Once more by the simplest reading there is: absolute counts, reset by G92.
    let (mut fed, mut last, mut moves) = (0.0, 0.0, 0);
    for line in text.lines() {
        let word = |letter: char| {
            let mut words = line.split(';').next().unwrap_or_default().split_whitespace();
            words.find_map(|word| word.strip_prefix(letter)?.parse::<f64>().ok())
        };
        match (line.starts_with("G1 "), line.starts_with("G92"), word('E')) {
            (true, _, Some(e)) => {
                moves += u32::from(word('X').is_some() && e > last);
                fed += e - std::mem::replace(&mut last, e);
            }
            (_, true, e) => last = e.unwrap_or(0.0),
            _ => {}
        }
    }
    let (mut ours, mut lines) = (0_i64, 0);
    for step in layers(&pieces).into_iter().flat_map(|layer| &layer.steps) {
        match step {
            Step::Extrude(path) => {
                lines += path.points.len() as u32;
                ours += path.points.iter().map(|(_, feed)| i64::from(feed.0)).sum::<i64>();
            }
            Step::Retract { length, .. } | Step::Wipe { length, .. } => ours -= i64::from(length.0),
            Step::Prime { length, .. } => ours += i64::from(length.0),
            _ => {}
        }
    }
    assert_eq!(lines, moves, "{engine:?}");
    assert!((fed - ours as f64 / 1e5).abs() < 1e-6, "{engine:?}: {fed} mm {ours}");
    let found = features(&pieces);
    assert!(
        found.contains(&Feature::Support) && found.contains(&Feature::SupportInterface),
        "{engine:?}: {found:?}"
    );
}

#[test]
fn a_setting_reaches_the_program() {
    ENGINES.into_iter().for_each(is_told);
}

fn is_told(engine: Engine) {
    let mesh = block(20.0, 20.0, 4.0);
    let plain = end(&by(engine, &mesh, &profile(&[])).1);
    for (settings, differs) in [
        (&[("infill-density", "60%")][..], "filament"),
        (&[("layer-height", "0.1mm")][..], "layers"),
        (&[("scale", "150%")][..], "room"),
        (&[("outer-speed", "10mm/s"), ("inner-speed", "10mm/s"), ("solid-speed", "10mm/s")][..], "time"),
    ] {
        let other = end(&by(engine, &mesh, &profile(settings)).1);
        let more = match differs {
            "filament" => other.filament_um > plain.filament_um * 11 / 10,
            "layers" => other.layers > plain.layers * 3 / 2,
            "room" => other.max.x - other.min.x > (plain.max.x - plain.min.x) * 13 / 10,
            _ => other.duration.0 > plain.duration.0 * 5 / 4,
        };
        assert!(more, "{engine:?}, {settings:?}: {other:?} against {plain:?}");
    }
}

#[test]
fn a_setting_it_has_nothing_for_is_refused_by_name() {
    let both = [("spiral-vase", "on"), ("adaptive-layers", "on"), ("parts", "2")];
    let lacks = [
        (Engine::PrusaSlicer, [&both[..], &[("support", "tree"), ("hole-compensation", "0.1mm")]].concat()),
        (Engine::CuraEngine, [&both[..], &[("raft-layers", "3")]].concat()),
    ];
    for (engine, lacks) in lacks {
        for (setting, value) in lacks {
            let config = program(engine).unwrap().config;
            let refused = config(&profile(&[(setting, value)])).unwrap_err().to_string();
            assert!(
                refused.contains(&format!("`{setting}`")) && refused.contains(engine.name()),
                "{refused}"
            );
        }
        let ears = profile(&[("brim-width", "3mm"), ("brim-shape", "ears")]);
        let refused = (program(engine).unwrap().config)(&ears).unwrap_err().to_string();
        assert!(refused.contains("`brim-shape` = ears"), "{refused}");
    }
}

/// Of the sequences that PrusaSlicer's own profile of the MK3S has around a print.
const MK3S: [&str; 2] = [
    "M862.3 P \"[printer_model]\" ; printer model check\nG90 ; use absolute coordinates\nM83 ; extruder relative mode\n\
     M104 S[first_layer_temperature]\nM140 S[first_layer_bed_temperature]\nM190 S[first_layer_bed_temperature]\n\
     M109 S[first_layer_temperature]\nG28 W ; home all without mesh bed level\nG80 ; mesh bed leveling\n\
     G1 Y-3.0 F1000.0 ; go outside print area\nG92 E0.0\nG1 X60.0 E9.0 F1000.0 ; intro line\n\
     G1 X100.0 E12.5 F1000.0 ; intro line\nG92 E0.0\nM221 S95\n",
    "G4 ; wait\nM221 S100 ; reset flow\nM900 K0 ; reset LA\nM104 S0 ; turn off temperature\nM140 S0\nM107\n\
     G1 X0 Y200 F3600 ; park\nM84 ; disable motors\n",
];

/// And Cura's of the Ender 3.
const ENDER: [&str; 2] = [
    "M140 S60\nM105\nM190 S60\nM104 S205\nM105\nM109 S205\nM82 ;absolute extrusion mode\nG92 E0 ; Reset Extruder\n\
     G28 ; Home all axes\nG1 Z2.0 F3000\nG1 X0.1 Y20 Z0.3 F5000.0\nG1 X0.1 Y200.0 Z0.3 F1500.0 E15\n\
     G1 X0.4 Y200.0 Z0.3 F5000.0\nG1 X0.4 Y20 Z0.3 F1500.0 E30\nG92 E0\nG1 Z2.0 F3000\n",
    "G91 ;Relative positioning\nG1 E-2 F2700 ;Retract a bit\nG1 E-2 Z0.2 F2400\nG1 X5 Y5 F3000 ;Wipe out\nG1 Z10\n\
     G90 ;Absolute positioning\nG1 X0 Y220 ;Present print\nM106 S0\nM104 S0\nM140 S0\nM84 X Y E\n",
];

#[test]
fn a_file_that_a_slicer_made_for_a_machine_is_the_sellers_own_without_the_machines_sequences() {
    for (engine, machine, [before, after], nozzle, flow) in
        [(Engine::PrusaSlicer, "prusa-mk3s", MK3S, 215, 95), (Engine::CuraEngine, "ender-3", ENDER, 205, 100)]
    {
        let profile = Profile::new(Machine::named(machine).unwrap(), Material::Pla, Preset::Standard);
        let (bare, body) = by(engine, &block(30.0, 20.0, 8.0), &profile);
        // Its settings have no such sequences; where its text begins and ends they are what they are to a machine.
        let before =
            before.replace("[first_layer_temperature]", "215").replace("[first_layer_bed_temperature]", "60");
        let whole = format!("; made by hand\n;TYPE:Custom\n{before}{bare}\n;TYPE:Custom\n{after}");
        let mut own = Vec::new();
        custom::read_text(&whole, &profile, &mut |piece| {
            own.push(piece);
            Ok(())
        })
        .unwrap_or_else(|why| panic!("{engine:?}: {why}"));
        let Piece::Prologue(prologue) = &own[0] else { panic!("no prologue") };
        assert_eq!(prologue.nozzle.0, nozzle, "{engine:?}");
        let ([theirs, ours], [layers, same]) =
            ([&body, &own].map(|pieces| end(pieces)), [&body, &own].map(|pieces| layers(pieces).len()));
        assert_eq!((layers, theirs.min, theirs.max), (same, ours.min, ours.max), "{engine:?}");
        let share = ours.filament_um * 1000 / theirs.filament_um;
        assert!(share.abs_diff(flow * 10) <= 2, "{engine:?}: {share} of 1000");
    }
}
