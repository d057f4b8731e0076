//! The guard's promises, one line of G-code each.

use layerlock_terms::machine::{MACHINES, Machine};
use layerlock_terms::units::{Celsius, Micrometres, MmPerMinute, MmPerSecond2};

use super::*;

/// A catalogue machine with round limits.
fn machine() -> Machine {
    Machine {
        volume: [250_000, 210_000, 210_000].map(Micrometres),
        max_nozzle: Celsius(280),
        max_bed: Celsius(110),
        max_speed: MmPerMinute(12_000),
        max_acceleration: MmPerSecond2(3_000),
        ..MACHINES[0]
    }
}

/// A guard for a homed machine at printing temperature.
fn printing() -> Guard {
    let mut guard = Guard::new(&machine());
    for line in ["G28", "M109 S210", "G90", "M83"] {
        guard.admit(line).unwrap();
    }
    guard
}

fn reason(line: &str) -> Reason {
    printing().admit(line).expect_err(line).reason
}

fn out_of_bounds(line: &str) -> char {
    match reason(line) {
        Reason::OutOfBounds { letter, .. } => letter,
        other => panic!("{line}: {other}"),
    }
}

#[test]
fn an_ordinary_print_passes_word_for_word() {
    let mut guard = printing();
    for line in
        ["G1 X10.5 Y20 E0.04123 F1800", "G0 Z.3", "M106 S127", "G92 E0", "G1 X-3 Y-3", "M104 S0", "M84"]
    {
        assert_eq!(guard.admit(line).unwrap().text(), line);
    }
}

#[test]
fn a_refusal_names_the_line_and_the_reason() {
    let mut guard = printing();
    guard.admit("G1 X1").unwrap();
    let refusal = guard.admit("M104 S299").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "line 6 is not let through to the machine: M104 S299 is outside 0 to 280"
    );
}

#[test]
fn heaters_stay_below_the_machines_maximum() {
    for line in ["M104 S281", "M109 S281", "M109 R999", "M140 S111", "M190 S111", "M190 R300", "M104 S-1"] {
        out_of_bounds(line);
    }
}

#[test]
fn positions_stay_in_the_build_volume() {
    assert_eq!(out_of_bounds("G1 X260.001"), 'X');
    assert_eq!(out_of_bounds("G1 X-10.001"), 'X');
    assert_eq!(out_of_bounds("G0 Y221"), 'Y');
    assert_eq!(out_of_bounds("G1 Z210.1"), 'Z');
    assert_eq!(out_of_bounds("G1 Z-0.001"), 'Z');
}

#[test]
fn relative_moves_cannot_walk_out_of_the_volume() {
    let mut guard = printing();
    guard.admit("G91").unwrap();
    for _ in 0..26 {
        guard.admit("G1 X10").unwrap();
    }
    assert!(matches!(guard.admit("G1 X1").unwrap_err().reason, Reason::OutOfBounds { letter: 'X', .. }));
}

#[test]
fn the_origin_of_an_axis_cannot_be_moved() {
    assert_eq!(reason("G92 X100"), Reason::UnknownParameter { code: "G92".into(), letter: 'X' });
    assert_eq!(reason("G92"), Reason::MissingParameter('E'));
    assert!(matches!(reason("G20"), Reason::Forbidden { .. }));
    assert_eq!(reason("M206 X5"), Reason::UnknownCode("M206".into()));
}

#[test]
fn a_refused_line_moves_nothing_in_the_guards_mind() {
    let mut guard = printing();
    guard.admit("G91").unwrap();
    guard.admit("G1 X100").unwrap();
    guard.admit("G1 X100 Y999").unwrap_err();
    guard.admit("G1 X160").unwrap();
}

#[test]
fn speeds_stay_below_the_machines_fastest() {
    for line in
        ["G1 X1 F12001", "G1 X1 F0", "M203 X201", "M220 S101", "M204 P3001", "M204 P500 T3001", "M201 X3001"]
    {
        out_of_bounds(line);
    }
}

#[test]
fn one_command_feeds_a_sane_length() {
    assert_eq!(out_of_bounds("G1 E100.1"), 'E');
    assert_eq!(out_of_bounds("G1 E-100.1"), 'E');
    let mut absolute = printing();
    absolute.admit("M82").unwrap();
    absolute.admit("G1 E90").unwrap();
    absolute.admit("G1 E180").unwrap();
    absolute.admit("G1 E300").unwrap_err();
}

#[test]
fn arcs_inside_the_volume_pass_word_for_word() {
    let mut guard = printing();
    for line in [
        "G1 X100 Y100",
        "G2 X110 Y110 I10 E0.5",
        "G3 X100 Y100 J-10 E0.5 F1200",
        // Nearly flat, of a circle that reaches far out of the machine.
        "G3 X140 Y100 I20 J900",
        "G1 X1 Y1",
        "G3 X1.5 Y0.5 I0.5 E0.01",
    ] {
        assert_eq!(guard.admit(line).unwrap().text(), line);
    }
}

#[test]
fn an_arc_is_bounded_all_along_and_not_at_its_ends_only() {
    let mut guard = printing();
    guard.admit("G1 X255 Y50").unwrap();
    // Three quarters round: the ends are inside, the outermost points are not.
    for line in ["G3 X255 Y70 I0 J10", "G2 X245 Y60 I0 J10"] {
        let outcome = guard.clone().admit(line);
        match line {
            "G3 X255 Y70 I0 J10" => {
                let reason = outcome.unwrap_err().reason;
                assert!(matches!(reason, Reason::OutOfBounds { letter: 'X', .. }), "{reason}");
            }
            _ => assert!(outcome.is_ok()),
        }
    }
    guard.admit("G1 X50 Y215").unwrap();
    assert!(matches!(
        guard.admit("G2 X70 Y215 I10").unwrap_err().reason,
        Reason::OutOfBounds { letter: 'Y', .. }
    ));
    guard.admit("G3 X70 Y215 I10").unwrap();
}

#[test]
fn what_firmware_might_read_as_another_arc_is_refused() {
    let mut guard = printing();
    guard.admit("G1 X100 Y100").unwrap();
    for line in
        ["G2 X100 Y100 I10", "G2 X110 Y110", "G2 X110 Y110 I9.9", "G2 I10 J10", "G3 X101 Y100 I2000 J3000"]
    {
        let reason = guard.clone().admit(line).unwrap_err().reason;
        assert!(matches!(reason, Reason::NoArc(_)), "{line}: {reason}");
    }
    assert!(matches!(reason("G2 X110 Y110 R10"), Reason::UnknownParameter { letter: 'R', .. }));
    assert!(matches!(reason("G2 X110 Y110 Z1 I10"), Reason::UnknownParameter { letter: 'Z', .. }));
    guard.admit("G91").unwrap();
    assert!(matches!(guard.admit("G2 X10 Y10 I10").unwrap_err().reason, Reason::NoArc(_)));
}

#[test]
fn an_arc_feeds_within_the_same_bounds_as_a_line() {
    let mut guard = printing();
    guard.admit("G1 X100 Y100").unwrap();
    assert!(matches!(
        guard.admit("G2 X110 Y110 I10 E100.1").unwrap_err().reason,
        Reason::OutOfBounds { letter: 'E', .. }
    ));
    let mut cold = Guard::new(&machine());
    cold.admit("G28").unwrap();
    assert!(matches!(cold.admit("G2 X10 Y10 I10 E1").unwrap_err().reason, Reason::ColdExtrusion(_)));
    assert!(matches!(cold.admit("G11").unwrap_err().reason, Reason::ColdExtrusion(_)));
}

#[test]
fn filament_is_not_fed_cold() {
    let mut guard = Guard::new(&machine());
    guard.admit("G28").unwrap();
    assert_eq!(guard.admit("G1 E1").unwrap_err().reason, Reason::ColdExtrusion(Fixed::ZERO));
    guard.admit("M104 S210").unwrap();
    guard.admit("G1 E1").unwrap();
}

#[test]
fn nothing_moves_before_homing() {
    assert_eq!(Guard::new(&machine()).admit("G1 X1").unwrap_err().reason, Reason::NotHomed('X'));
    let mut let_go = printing();
    let_go.admit("M84").unwrap();
    assert_eq!(let_go.admit("G1 Z1").unwrap_err().reason, Reason::NotHomed('Z'));
}

fn is_forbidden(line: &str) {
    assert!(matches!(reason(line), Reason::Forbidden { .. }), "{line}");
    assert!(matches!(reason(&format!("{line} S1")), Reason::Forbidden { .. }), "{line}");
}

#[test]
fn rule_26_what_waits_for_a_person_is_no_line_of_a_job() {
    ["M0", "M1", "M600"].into_iter().for_each(is_forbidden);
}

#[test]
fn rule_27_no_job_works_on_the_card_the_settings_the_firmware_or_a_halted_machine() {
    let card = (20..=33).map(|number| format!("M{number}"));
    let named = "M110 M112 M302 M500 M501 M502 M504 M928 M997 M999".split(' ').map(String::from);
    card.chain(named).for_each(|line| is_forbidden(&line));
}

#[test]
fn a_forbidden_code_is_seen_through_its_spellings() {
    for line in ["M0302 P1", " M302", "M302.0", "M+302"] {
        assert!(matches!(reason(line), Reason::Forbidden { .. }), "{line}");
    }
    for line in ["m302", "M 302", "M302.1", "X1 M302"] {
        printing().admit(line).expect_err(line);
    }
}

#[test]
fn unknown_codes_and_parameters_are_refused() {
    assert_eq!(reason("M862"), Reason::UnknownCode("M862".into()));
    assert_eq!(reason("G5 X1"), Reason::UnknownCode("G5".into()));
    assert_eq!(reason("T1"), Reason::UnknownCode("T1".into()));
    assert_eq!(reason("G1 A1"), Reason::UnknownParameter { code: "G1".into(), letter: 'A' });
    assert_eq!(reason("G1 X1 X2"), Reason::UnknownParameter { code: "G1".into(), letter: 'X' });
}

#[test]
fn numbers_a_firmware_might_read_differently_are_refused() {
    for line in
        ["G1 X1e3", "G1 X1-2", "G1 X--1", "G1 X1.2.3", "G1 X0x10", "G1 X999999999", "G1 X.", "G1 X1.000001"]
    {
        printing().admit(line).expect_err(line);
    }
}

#[test]
fn one_line_is_one_line_of_ascii_that_fits() {
    assert_eq!(reason("G1 X1\nM104 S299"), Reason::LineBreak);
    assert_eq!(reason("G1 X1\rM104 S299"), Reason::LineBreak);
    assert_eq!(reason("G1 X1\u{b0}"), Reason::NotAscii);
    assert_eq!(reason("G1 X1\0"), Reason::NotAscii);
    assert_eq!(reason(""), Reason::Empty);
    assert_eq!(reason("  "), Reason::Empty);
    assert_eq!(reason("G1 X1 ; wall"), Reason::Decorated(';'));
    assert_eq!(reason("N5 G1 X1"), Reason::Decorated('N'));
    assert_eq!(reason("G1 X1*88"), Reason::Decorated('*'));
    assert_eq!(reason(&format!("G1 X{:0>78}", 1)), Reason::TooLong { length: 82 });
}

#[test]
fn what_is_left_of_a_commented_line_is_its_command() {
    assert_eq!(stripped("G1 X1 ; outer wall"), Some("G1 X1"));
    assert_eq!(stripped("; only words"), None);
    assert_eq!(stripped("  "), None);
}

#[test]
fn commands_that_take_their_time_say_so() {
    let pace = |line| printing().admit(line).unwrap().pace();
    for line in ["G4 P100", "G28", "G29", "M109 S200", "M190 S60", "M400"] {
        assert_eq!(pace(line), Pace::Long, "{line}");
    }
    assert_eq!(pace("M105"), Pace::Report);
    assert_eq!(pace("G1 X1"), Pace::Prompt);
}

#[test]
fn every_catalogue_machines_own_start_and_end_pass() {
    assert!(!MACHINES.is_empty());
    for machine in MACHINES {
        let mut guard = Guard::new(machine);
        for line in
            ["M140 S60", "M104 S200", "M190 S60", "M109 S200"].iter().chain(machine.start).chain(machine.end)
        {
            guard.admit(line).unwrap_or_else(|refusal| panic!("{}: {line}: {refusal}", machine.name));
        }
    }
}

/// Goes aside and back; gives the lines away.
fn there_and_back(guard: &mut Guard) -> Vec<String> {
    let before = guard.state.clone();
    let aside = guard.aside(true).expect("it is known where the head is");
    let (cool, heat) = guard.nozzle_heat().expect("it is hot");
    let there = aside.away.iter().chain(&aside.stir).chain(&aside.stir);
    for line in there.chain([&cool, &heat]).chain(&aside.back) {
        guard.admit(line).unwrap_or_else(|refusal| panic!("{line}: {refusal}"));
    }
    assert_eq!(guard.state, before, "as if nothing had been");
    aside.away
}

#[test]
fn a_head_that_went_aside_is_where_it_was_in_every_mode_and_corner() {
    let low = Machine { volume: [250_000, 210_000, 180_000].map(Micrometres), ..machine() };
    for modes in [["G90", "M82"], ["G90", "M83"], ["G91", "M82"], ["G91", "M83"]] {
        for place in
            ["G1 X0 Y0 Z0", "G1 X250 Y210 Z180", "G1 X-10 Y-10 Z0.2", "G1 X12.345 Y67.891 Z165 F4321"]
        {
            let mut guard = Guard::new(&low);
            for line in
                ["G28", "M109 S210", "M83", "G92 E7.5", "G1 Z1 E1 F900", place].into_iter().chain(modes)
            {
                guard.admit(line).unwrap();
            }
            let away = there_and_back(&mut guard);
            assert!(away.contains(&"G1 X10 Y200 F6000".to_owned()), "{away:?}");
            assert!(away.contains(&"G1 E-2 F1800".to_owned()), "{away:?}");
        }
    }
}

#[test]
fn a_head_goes_aside_only_from_where_a_move_has_put_it() {
    let mut guard = Guard::new(&machine());
    assert_eq!(guard.aside(true), None);
    for line in ["M109 S210", "G28", "G1 X5 Y5 F3000"] {
        guard.admit(line).unwrap();
        assert_eq!(guard.aside(true), None, "{line}: nothing has said how high it is");
    }
    guard.admit("G91").unwrap();
    guard.admit("G1 Z5").unwrap();
    assert_eq!(guard.aside(true), None, "so much above a place only the machine knows");
    guard.admit("G90").unwrap();
    guard.admit("G1 Z5").unwrap();
    there_and_back(&mut guard);
    for line in ["M84", "G28 Z"] {
        let mut guard = guard.clone();
        guard.admit(line).unwrap();
        assert_eq!(guard.aside(true), None, "{line}");
    }
}

#[test]
fn a_cold_nozzle_feeds_nothing_on_its_way_aside() {
    let mut guard = printing();
    for line in ["G1 X5 Y5 Z5 F3000", "M104 S0"] {
        guard.admit(line).unwrap();
    }
    assert_eq!(guard.nozzle_heat(), None);
    let told_cold = guard.aside(true).unwrap();
    let heats_up = printing_at("G1 X5 Y5 Z5 F3000").aside(false).unwrap();
    for aside in [told_cold, heats_up] {
        let both = aside.away.iter().chain(&aside.back).cloned().collect::<Vec<_>>();
        assert!(!both.iter().any(|line| line.contains('E')), "{both:?}");
    }
}

/// The same after one more line.
fn printing_at(line: &str) -> Guard {
    let mut guard = printing();
    guard.admit(line).unwrap();
    guard
}

#[test]
fn a_head_whose_speed_nobody_has_said_stays_where_it_is() {
    assert_eq!(printing_at("G1 X5 Y5 Z5").aside(true), None, "nothing would give moves their speed back");
}
