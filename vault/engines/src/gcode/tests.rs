use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::Preset;
use layerlock_terms::toolpath::Path;
use layerlock_terms::units::{Feed, MmPerMinute};

use super::*;

pub(crate) fn profile() -> Profile {
    Profile::new(Machine::named("prusa-mk3s").unwrap(), Material::Pla, Preset::Standard)
}

fn pieces(text: &str) -> Result<Vec<Piece>, ReadError> {
    let mut pieces = Vec::new();
    read(text, &profile(), &mut |piece| {
        pieces.push(piece);
        Ok(())
    })?;
    Ok(pieces)
}

fn layers(text: &str) -> Vec<Layer> {
    let layer = |piece| match piece {
        Piece::Layer(layer) => Some(layer),
        Piece::Prologue(_) | Piece::Epilogue(_) => None,
    };
    pieces(text).unwrap().into_iter().filter_map(layer).collect()
}

const BEGIN: &str = "M83\n;LAYER_CHANGE\n;Z:0.2\n;HEIGHT:0.2\nG1 Z.2 F600\n;TYPE:External perimeter\n";

/// Why the line after a proper beginning is refused.
fn refused(line: &str) -> Why {
    let text = format!("{BEGIN};WIDTH:0.45\nG1 X10 Y10 F1200\nG1 X20 E1\n{line}\n");
    match pieces(&text) {
        Err(ReadError::Line { line, why }) => {
            assert_eq!(line as usize, text.lines().count());
            why
        }
        other => panic!("`{line}`: {other:?}"),
    }
}

#[test]
fn moves_become_steps_and_their_numbers_are_exact() {
    let text = format!(
        "{BEGIN};WIDTH:0.45\nG1 X10.001 Y10 F7800\nG1 X20 E.12345 F1200\nG1 Y20 E.1\n;WIPE_START\nG1 X18 E-.5 F2400\n\
         G1 X16 E-.25\nG1 E-.05 F2100\nG0 X1 Y1 F7800\nG1 X2\nG1 E.8 F2100\nM106 S127.5\nM204 P800\nM104 S205\n"
    );
    let [layer] = &layers(&text)[..] else { panic!("one layer") };
    assert_eq!((layer.index, layer.z, layer.height), (0, Micrometres(200), Micrometres(200)));
    let speed = MmPerMinute;
    let point = |x, y| Point { x, y };
    let path = Path {
        feature: Feature::OuterPerimeter,
        width: Micrometres(450),
        speed: speed(1200),
        climb: None,
        points: vec![(point(20_000, 10_000), Feed(12_345)), (point(20_000, 20_000), Feed(10_000))],
    };
    let travelling = profile().acceleration(Key::TravelAcceleration);
    let expected = [
        Step::Lift { z: Micrometres(200), speed: speed(600) },
        Step::Travel { to: vec![point(10_001, 10_000)], speed: speed(7800) },
        Step::Extrude(path),
        Step::Wipe {
            to: vec![point(18_000, 20_000), point(16_000, 20_000)],
            length: Feed(75_000),
            speed: speed(2400),
        },
        Step::Retract { length: Feed(5_000), speed: speed(2100) },
        Step::Travel { to: vec![point(1_000, 1_000), point(2_000, 1_000)], speed: speed(7800) },
        Step::Prime { length: Feed(80_000), speed: speed(2100) },
        Step::Fan(Percent(50)),
        Step::Acceleration { printing: MmPerSecond2(800), travelling },
        Step::Nozzle(Celsius(205)),
    ];
    assert_eq!(layer.steps, expected);
}

#[test]
fn filament_counted_from_zero_is_the_same_as_counted_by_moves() {
    let by_moves =
        layers(&format!("{BEGIN};WIDTH:0.45\nG1 X1 Y1\nG1 X9 E1\nG1 X1 E2\nG1 E-1\nG1 E1\nG1 X5 E.5\n"));
    let begin = BEGIN.replace("M83", "M82");
    let from_zero = layers(&format!(
        "{begin};WIDTH:0.45\nG1 X1 Y1\nG1 X9 E1\nG1 X1 E3\nG1 E2\nG92 E0\nG1 E1\nG1 X5 E1.5\n"
    ));
    assert_eq!(by_moves, from_zero);
}

#[test]
fn layers_end_where_the_next_is_named_and_lines_without_a_width_get_the_one_their_plastic_fills() {
    let text = "M82\nG92 E0\nM109 S215\nG28.5\n";
    assert!(matches!(pieces(text), Err(ReadError::Line { line: 4, why: Why::Garbled })));
    // Cura's way: no width, no height.
    let text = ";LAYER_COUNT:2\n;LAYER:0\nM107\nG0 F7200 X10 Y10 Z.2\n;TYPE:WALL-OUTER\nG1 F1200 X30 Y10 E0.7\n\
                ;LAYER:1\nG0 X10 Y10 Z.4\n;TYPE:FILL\nG1 X30 E1.4\n";
    let layers = layers(text);
    assert_eq!(layers.iter().map(|layer| layer.z.0).collect::<Vec<_>>(), [200, 400]);
    let Some(Step::Extrude(path)) = layers[0].steps.last() else { panic!("a line") };
    // 0.7 mm of 1.75 mm filament over 20 mm, 0.2 mm high: 0.0842 mm², so 0.421 mm and the round ends.
    assert!((460..=468).contains(&path.width.0), "{}", path.width.0);
}

#[test]
fn what_has_no_place_in_a_toolpath_is_refused_by_its_line() {
    for line in ["G28", "G2 X1 Y1 I1 J1", "G91", "M500", "M112", "M28 x", "M20", "G10", "T1", "M600", "M997"]
    {
        assert!(matches!(refused(line), Why::Command(_) | Why::Garbled), "{line}");
    }
    for line in ["G1 X-0.001", "G1 X9999", "G1 Y260.5", "G1 Z999"] {
        assert_eq!(refused(line), Why::Outside, "{line}");
    }
    assert_eq!(refused("G1 X1 X2"), Why::Garbled);
    assert_eq!(refused("G1 X1 E99999"), Why::Beyond('E'));
    assert_eq!(refused("G1 X1 F-5"), Why::Beyond('F'));
    assert_eq!(refused("M104 S99999"), Why::Beyond('S'));
    assert_eq!(refused("M106 S256.5"), Why::Beyond('S'));
    assert_eq!(refused("G92 X0"), Why::Command("G92 of a place".into()));
    assert_eq!(refused("G92"), Why::Command("G92 of a place".into()));
    assert_eq!(refused("G92 E0 X0"), Why::Command("G92 of a place".into()));
    // What would be something else: another fan, another nozzle, a wait, a share of one, homing.
    for (line, word) in
        [("M106 P1 S0", 'P'), ("M107 P1", 'P'), ("M104 T1 S160", 'T'), ("G1 H1 X5", 'H'), ("M204 S5 A1", 'A')]
    {
        assert_eq!(refused(line), Why::Word(line.split(' ').next().unwrap().into(), word), "{line}");
    }
    for line in ["M109 S215", "M190 S60", "G90"] {
        assert!(matches!(refused(line), Why::Command(_)), "{line}");
    }
    assert_eq!(refused("M106 S0.5"), Why::Beyond('S'));
    for line in [
        "G1 E10.1",
        "G1 E9.9\nG1 E9.9\nG1 E9.9\nG1 E9.9\nG1 E9.9\nG1 E9.9\nG1 E9.9\nG1 E9.9\nG1 E9.9\nG1 E9.9\nG1 E9.9",
    ] {
        assert_eq!(refused(line), Why::Standing, "{line}");
    }
    assert_eq!(refused("G1 X18 E-21474\nG1 X16 E-21474"), Why::Beyond('E'));
    assert_eq!(refused(";TYPE:Wipe tower\nG1 X5 E1"), Why::Feature("Wipe tower".into()));
    assert_eq!(refused("G1 Z.4\nG1 X5 E1"), Why::Height);
    assert_eq!(refused("G1 X9 Z.4 E1"), Why::Height);
    assert_eq!(refused(";LAYER_CHANGE\nG1 X9 E1"), Why::Height);
    assert_eq!(pieces(";LAYER_CHANGE\nG1 X5\n"), Err(ReadError::Line { line: 2, why: Why::Nowhere }));
    let early = pieces("G1 X5 Y5\n;TYPE:Perimeter\nG1 Z.2 F600\nM83\nG1 X6 E1\n");
    assert_eq!(early, Err(ReadError::Line { line: 5, why: Why::NoLayer }));
    assert_eq!(pieces(BEGIN), Err(ReadError::Empty));
    assert_eq!(pieces(""), Err(ReadError::Empty));
}

#[test]
fn no_text_of_a_comment_reaches_a_toolpath() {
    let text = format!("{BEGIN};WIDTH:0.45\n;\u{1b}[2JM112\nG1 X1 Y1\nG1 X9 E1 ; M112\n");
    let emitted: Vec<u8> = pieces(&text).unwrap().iter().flat_map(Piece::emit).collect();
    assert!(!emitted.windows(4).any(|window| window == b"M112"));
    assert!(matches!(refused(";TYPE:a\u{7}b\nG1 X5 E1"), Why::Feature(said) if said == "ab"));
}

#[test]
fn what_goes_down_on_its_way_goes_down_at_its_end_and_what_rises_rises_first() {
    let steps = |line: &str| {
        let text = format!("{BEGIN};WIDTH:0.45\nG1 X10 Y10\nG1 X20 E1\nG1 Z5\n{line}\n");
        layers(&text).swap_remove(0).steps.into_iter().rev().take(2).collect::<Vec<_>>()
    };
    assert!(matches!(
        &steps("G0 X50 Y50 Z.2")[..],
        [Step::Lift { z: Micrometres(200), .. }, Step::Travel { .. }]
    ));
    assert!(matches!(
        &steps("G0 X50 Y50 Z9")[..],
        [Step::Travel { .. }, Step::Lift { z: Micrometres(9_000), .. }]
    ));
}

#[test]
fn accelerations_said_apart_hold_until_said_anew() {
    let text = format!("{BEGIN};WIDTH:0.45\nG1 X10 Y10\nG1 X20 E1\nM204 T700\nM204 P500\nM204 S600\n");
    let said = layers(&text).swap_remove(0).steps.into_iter().filter_map(|step| match step {
        Step::Acceleration { printing, travelling } => Some((printing.0, travelling.0)),
        _ => None,
    });
    let usual = profile().acceleration(Key::InnerAcceleration).0;
    assert_eq!(said.collect::<Vec<_>>(), [(usual, 700), (500, 700), (600, 600)]);
}

#[test]
fn widths_and_heights_that_no_nozzle_lays_are_as_if_unsaid() {
    let of = |said: &str| {
        let text = format!("{BEGIN}{said}G1 X10 Y10\nG1 X20 E.5\n");
        let layer = layers(&text).swap_remove(0);
        let Some(Step::Extrude(path)) = layer.steps.last() else { panic!() };
        (path.width, layer.height)
    };
    assert_eq!(of(";WIDTH:2000000\n;HEIGHT:2000000\n"), of(";HEIGHT:x\n"));
    assert_eq!(of(";WIDTH:1.6\n").0, Micrometres(1600));
}
