use layerlock_terms::machine::MACHINES;
use layerlock_terms::toolpath::{Point3, Times};
use layerlock_terms::units::{Celsius, Milligrams, Percent};

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
    let mut times = Times::default();
    times.set(Feature::Bridge, Millis(61_000));
    Piece::Epilogue(Epilogue {
        layers: 4,
        duration: Millis(3_723_000),
        filament_um: 1_500,
        mass: Milligrams(4_500),
        min: corner,
        max: corner,
        times,
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
    for line in [
        "; estimated printing time (normal mode) = 1h 2m 3s",
        "; printing time of Bridge infill = 1m 1s",
        "; filament used [mm] = 1.5",
        "; filament used [g] = 4.5",
    ] {
        assert!(end.contains(&line.to_owned()), "{line}");
    }
}

#[test]
fn a_layer_before_the_prologue_and_an_unknown_machine_are_refused() {
    let mut marlin = Marlin::new(Comments::Omitted);
    assert_eq!(marlin.lines(&layer(Vec::new())), Err(GcodeError::NoPrologue));
    assert!(matches!(marlin.lines(&prologue("nobodys-printer")), Err(GcodeError::Machine(_))));
}

/// The lines of `steps` in a layer, in this style.
fn styled(style: Style, machine: &str, steps: &[Step]) -> Vec<String> {
    let mut marlin = Marlin::with(style);
    marlin.lines(&prologue(machine)).expect("in the catalogue");
    marlin.lines(&layer(steps.to_vec())).expect("after the prologue")
}

const PLAIN: Style = Style::plain(Comments::Omitted);

fn travel(x: i32, y: i32) -> Step {
    Step::Travel { to: vec![Point { x, y }], speed: MmPerMinute(9000) }
}

#[test]
fn each_dialect_sets_accelerations_its_own_way() {
    let steps = [
        Step::Acceleration { printing: MmPerSecond2(800), travelling: MmPerSecond2(1500) },
        travel(1000, 0),
        line(1800, &[(2000, 0, 5), (3000, 0, 5)]),
        travel(4000, 0),
        travel(5000, 0),
    ];
    let set = |machine| -> Vec<String> {
        let lines = styled(PLAIN, machine, &steps);
        lines.into_iter().filter(|line| line.starts_with("M204")).collect()
    };
    assert_eq!(set("prusa-mk3s"), ["M204 P800 T1500"]);
    assert_eq!(set("generic-300-reprap"), ["M204 P800 T1500"]);
    assert_eq!(set("voron-2.4-250"), ["M204 S1500", "M204 S800", "M204 S1500"]);
    let style = Style { dialect: Some(Dialect::Klipper), ..PLAIN };
    assert_eq!(styled(style, "prusa-mk3s", &steps)[0], "M204 S1500");
}

#[test]
fn absolute_filament_begins_anew_in_each_layer_and_ends_relative() {
    let mut marlin = Marlin::with(Style { extrusion: Extrusion::Absolute, ..PLAIN });
    assert!(marlin.lines(&prologue("prusa-mk3s")).expect("known")[..3].contains(&"M82".to_owned()));
    let steps = vec![
        line(1800, &[(1000, 0, 5_000), (2000, 0, 5_000)]),
        Step::Retract { length: Feed(80_000), speed: MmPerMinute(2100) },
    ];
    for _ in 0..2 {
        let lines = marlin.lines(&layer(steps.clone())).expect("after the prologue");
        assert_eq!(lines, ["G92 E0", "G1 X1 Y0 E0.05 F1800", "G1 X2 Y0 E0.1", "G1 E-0.7 F2100"]);
    }
    assert_eq!(marlin.lines(&epilogue()).expect("after the prologue")[0], "M83");
}

#[test]
fn a_wipe_pulls_back_evenly_along_its_way() {
    let wipe = Step::Wipe {
        to: vec![Point { x: 3_000, y: 0 }, Point { x: 3_000, y: 1_000 }],
        length: Feed(80_001),
        speed: MmPerMinute(2400),
    };
    let steps = [travel(0, 0), wipe.clone(), Step::Retract { length: Feed(5), speed: MmPerMinute(2400) }];
    let lines = styled(PLAIN, "prusa-mk3s", &steps);
    assert_eq!(lines[1..], ["G1 X3 Y0 E-0.6 F2400", "G1 X3 Y1 E-0.20001", "G1 E-0.00005"]);
}

#[test]
fn firmware_retracts_once_before_the_wipe_and_primes_once() {
    let speed = MmPerMinute(2400);
    let wipe = Step::Wipe { to: vec![Point { x: 3_000, y: 0 }], length: Feed(60_000), speed };
    let steps = [
        travel(0, 0),
        wipe,
        Step::Retract { length: Feed(20_000), speed },
        travel(9_000, 0),
        Step::Prime { length: Feed(80_000), speed },
    ];
    let lines = styled(Style { retraction: Retraction::Firmware, ..PLAIN }, "prusa-mk3s", &steps);
    assert_eq!(lines, ["G0 X0 Y0 F9000", "G10", "G0 X3 Y0 F2400", "G0 X9 Y0 F9000", "G11"]);
}

#[test]
fn a_ring_is_written_as_arcs_only_where_they_are_asked_for() {
    let (from, ring) = ring();
    let steps = [travel(from.x, from.y), ring];
    assert!(styled(PLAIN, "prusa-mk3s", &steps)[1..].iter().all(|line| line.starts_with("G1 ")));
    let arcs = styled(Style { arcs: Some(Micrometres(20)), ..PLAIN }, "prusa-mk3s", &steps);
    assert_eq!(arcs.len(), 3, "{arcs:?}");
    assert!(arcs[1].starts_with("G3 X") && arcs[1].contains(" I-10 J"), "{arcs:?}");
}

/// A ring of 120 moves around (50 mm, 50 mm), begun at its right.
fn ring() -> (Point, Step) {
    let at = |nth: i32| {
        let angle = f64::from(nth * 3).to_radians();
        (50_000 + (10_000.0 * angle.cos()).round() as i32, 50_000 + (10_000.0 * angle.sin()).round() as i32)
    };
    let points: Vec<_> = (1..=120).map(|nth| (at(nth).0, at(nth).1, 1_951 + nth % 2)).collect();
    (Point { x: at(0).0, y: at(0).1 }, line(1800, &points))
}

/// What a line's letter says, in units of 10⁻⁵.
fn word(line: &str, letter: char) -> Option<i64> {
    let text = line.split(' ').skip(1).find_map(|word| word.strip_prefix(letter))?;
    Some((text.parse::<f64>().expect("a number") * 1e5).round() as i64)
}

/// All that is fed and pulled back, and where the nozzle ends: read back from the text.
fn deposited(lines: &[String], extrusion: Extrusion) -> (i64, Vec<(i64, i64)>) {
    let (mut sum, mut last, mut ends) = (0, 0, Vec::new());
    for line in lines {
        let fed = word(line, 'E').unwrap_or(last);
        match (line.starts_with("G92"), extrusion) {
            (true, _) => {}
            (false, Extrusion::Absolute) => sum += fed - last,
            (false, Extrusion::Relative) => sum += word(line, 'E').unwrap_or(0),
        }
        last = fed;
        ends.extend(word(line, 'X').zip(word(line, 'Y')));
    }
    (sum, ends)
}

#[test]
fn every_style_lays_the_same_plastic_and_ends_at_the_same_places() {
    let (from, ring) = ring();
    let speed = MmPerMinute(2400);
    let steps = [
        travel(from.x, from.y),
        ring,
        Step::Wipe { to: vec![Point { x: 61_000, y: 51_000 }], length: Feed(33_333), speed },
        Step::Retract { length: Feed(46_667), speed },
        travel(70_000, 50_000),
        Step::Prime { length: Feed(80_000), speed },
        line(1800, &[(80_000, 50_000, 33_333), (80_000, 60_001, 33_335), (79_999, 70_001, 33_331)]),
    ];
    let plain = deposited(&styled(PLAIN, "prusa-mk3s", &steps), Extrusion::Relative);
    assert!(plain.0 > 300_000);
    for dialect in Dialect::ALL {
        for extrusion in [Extrusion::Relative, Extrusion::Absolute] {
            for arcs in [None, Some(Micrometres(20))] {
                let style = Style { dialect: Some(dialect), extrusion, arcs, ..PLAIN };
                let (sum, ends) = deposited(&styled(style, "prusa-mk3s", &steps), extrusion);
                assert_eq!(sum, plain.0, "{style:?}");
                assert_eq!(ends.last(), plain.1.last(), "{style:?}");
                assert!(ends.iter().all(|end| plain.1.contains(end)) && (arcs.is_none() || ends.len() < 12));
            }
        }
    }
}

#[test]
fn every_machine_and_style_passes_the_guard() {
    let (from, ring) = ring();
    let speed = MmPerMinute(2400);
    let steps = vec![
        Step::Acceleration { printing: MmPerSecond2(300), travelling: MmPerSecond2(500) },
        travel(from.x, from.y),
        ring,
        Step::Wipe { to: vec![Point { x: 61_000, y: 51_000 }], length: Feed(33_333), speed },
        Step::Prime { length: Feed(80_000), speed },
    ];
    for machine in MACHINES {
        for retraction in [Retraction::Moves, Retraction::Firmware] {
            for extrusion in [Extrusion::Relative, Extrusion::Absolute] {
                let style = Style { extrusion, retraction, arcs: Some(Micrometres(20)), ..PLAIN };
                let (mut marlin, mut guard) = (Marlin::with(style), crate::guard::Guard::new(machine));
                for piece in [prologue(machine.name), layer(steps.clone()), epilogue()] {
                    for line in marlin.lines(&piece).expect("in order") {
                        guard
                            .admit(&line)
                            .unwrap_or_else(|refusal| panic!("{}: {line}: {refusal}", machine.name));
                    }
                }
            }
        }
    }
}

#[test]
fn figures_are_written_exactly_and_no_longer_than_they_are() {
    let written = |value: i64, places: u32| {
        let mut out = Vec::new();
        decimal(&mut out, value, places);
        String::from_utf8(out).expect("digits")
    };
    for (value, places, text) in [
        (0, 3, "0"),
        (-1, 3, "-0.001"),
        (120_500, 3, "120.5"),
        (7, 0, "7"),
        (100_000, 5, "1"),
        (i64::from(i32::MIN), 3, "-2147483.648"),
        (i64::MIN, 5, "-92233720368547.75808"),
    ] {
        assert_eq!(written(value, places), text);
    }
}
