use layerlock_terms::toolpath::Point3;
use layerlock_terms::units::{Celsius, Percent};

use super::*;

fn prologue(machine: &str) -> Piece {
    Piece::Prologue(Prologue {
        machine: machine.to_owned(),
        nozzle: Celsius(215),
        bed: Celsius(60),
        filament_diameter: Micrometres(1750),
    })
}

fn layer(steps: Vec<Step>) -> Piece {
    Piece::Layer(Layer { index: 3, z: Micrometres(800), height: Micrometres(200), steps })
}

fn epilogue() -> Piece {
    let corner = Point3::default();
    Piece::Epilogue(Epilogue {
        layers: 4,
        duration: Millis(3_723_000),
        filament_um: 1_500,
        min: corner,
        max: corner,
    })
}

fn line(speed: u32, points: &[(i32, i32, i32)]) -> Step {
    Step::Extrude(Path {
        feature: Feature::OuterPerimeter,
        width: Micrometres(450),
        speed: MmPerMinute(speed),
        climb: None,
        points: points.iter().map(|(x, y, e)| (Point { x: *x, y: *y }, Feed(*e))).collect(),
    })
}

/// The lines of `steps` in a layer, as a serial link would carry them.
fn lines(steps: Vec<Step>) -> Vec<String> {
    let mut marlin = Marlin::new(Comments::Omitted);
    marlin.lines(&prologue("prusa-mk3s")).expect("in the catalogue");
    marlin.lines(&layer(steps)).expect("after the prologue")
}

#[test]
fn a_path_becomes_moves_with_exact_decimals_and_its_speed_once() {
    let moves = lines(vec![line(1800, &[(10_500, -20, 3_342), (10_000, 0, 100_000), (10_000, 7, -5)])]);
    assert_eq!(moves, ["G1 X10.5 Y-0.02 E0.03342 F1800", "G1 X10 Y0 E1", "G1 X10 Y0.007 E-0.00005"]);
}

#[test]
fn every_step_has_its_command() {
    let speed = MmPerMinute(9000);
    let moves = lines(vec![
        Step::Travel { to: vec![Point { x: 1000, y: 2000 }, Point { x: 1500, y: 2000 }], speed },
        Step::Retract { length: Feed(80_000), speed: MmPerMinute(2100) },
        Step::Prime { length: Feed(80_000), speed: MmPerMinute(2100) },
        Step::Lift { z: Micrometres(1200), speed },
        Step::Fan(Percent(50)),
        Step::Fan(Percent(0)),
        Step::Nozzle(Celsius(210)),
        Step::Bed(Celsius(55)),
    ]);
    let expected = [
        "G0 X1 Y2 F9000",
        "G0 X1.5 Y2",
        "G1 E-0.8 F2100",
        "G1 E0.8",
        "G1 Z1.2 F9000",
        "M106 S128",
        "M107",
        "M104 S210",
        "M140 S55",
    ];
    assert_eq!(moves, expected);
}

#[test]
fn a_path_that_climbs_rises_with_its_way_and_ends_where_it_says() {
    let speed = MmPerMinute(600);
    let Step::Extrude(mut turn) = line(1800, &[(10_000, 0, 9), (10_000, 30_000, 9), (0, 30_000, 9)]) else {
        panic!("a path")
    };
    turn.climb = Some(Micrometres(801));
    let moves = lines(vec![
        Step::Lift { z: Micrometres(600), speed },
        Step::Travel { to: vec![Point { x: 0, y: 0 }], speed },
        Step::Extrude(turn),
    ]);
    let expected =
        ["G1 X10 Y0 Z0.64 E0.00009 F1800", "G1 X10 Y30 Z0.76 E0.00009", "G1 X0 Y30 Z0.801 E0.00009"];
    assert_eq!(moves[2..], expected);
}

#[test]
fn a_climb_above_the_machine_is_not_let_through() {
    let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
    let top = Micrometres(machine.volume[2].0 + 1);
    let mut marlin = Marlin::new(Comments::Omitted);
    let Step::Extrude(mut turn) = line(1800, &[(10_000, 0, 9), (10_000, 30_000, 9)]) else {
        panic!("a path")
    };
    turn.climb = Some(top);
    let steps = vec![
        Step::Lift { z: Micrometres(top.0 - 201), speed: MmPerMinute(600) },
        Step::Travel { to: vec![Point { x: 0, y: 0 }], speed: MmPerMinute(600) },
        Step::Extrude(turn),
    ];
    let mut guard = crate::guard::Guard::new(machine);
    let start = marlin.lines(&prologue(machine.name)).expect("in the catalogue");
    let moves = marlin.lines(&layer(steps)).expect("after the prologue");
    for line in start.iter().filter(|line| crate::guard::stripped(line).is_some()).chain(&moves[..3]) {
        guard.admit(line).expect("within the machine");
    }
    let refusal = guard.admit(&moves[3]).expect_err("a micrometre too high");
    assert!(refusal.to_string().contains("Z210.001"), "{refusal}");
}

#[test]
fn a_toolpath_heats_starts_and_ends_as_the_catalogue_says() {
    let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
    let mut marlin = Marlin::new(Comments::Omitted);
    let start = marlin.lines(&prologue(machine.name)).expect("in the catalogue");
    assert_eq!(start[..7], ["G21", "G90", "M83", "M140 S60", "M104 S215", "M190 S60", "M109 S215"]);
    assert_eq!(start[7..], *machine.start);
    assert_eq!(marlin.lines(&epilogue()).expect("after the prologue"), machine.end);
}

#[test]
fn comments_name_layers_types_and_the_time_only_when_kept() {
    let mut marlin = Marlin::new(Comments::Kept);
    marlin.lines(&prologue("ender-3")).expect("in the catalogue");
    let kept = marlin.lines(&layer(vec![line(60, &[(0, 0, 1)])])).expect("after the prologue");
    assert_eq!(kept[..4], [";LAYER:3", ";Z:0.8", ";HEIGHT:0.2", ";TYPE:External perimeter"]);
    let end = marlin.lines(&epilogue()).expect("after the prologue");
    assert!(end.contains(&"; estimated printing time (normal mode) = 1h 2m 3s".to_owned()));
}

#[test]
fn a_layer_before_the_prologue_and_an_unknown_machine_are_refused() {
    let mut marlin = Marlin::new(Comments::Omitted);
    assert_eq!(marlin.lines(&layer(Vec::new())), Err(GcodeError::NoPrologue));
    assert!(matches!(marlin.lines(&prologue("nobodys-printer")), Err(GcodeError::Machine(_))));
}
