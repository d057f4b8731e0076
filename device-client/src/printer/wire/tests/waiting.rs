//! Waiting, stopping, and what a machine says on its own (rules 18 to 26 and 31).

use super::*;

#[test]
fn rule_18_busy_resets_the_timer() {
    let mut play = Play::printing(1);
    play.said();
    for _ in 0..100 {
        play.passes(2.0);
        play.hears("echo:busy: processing");
    }
    assert_eq!(play.said(), "");
    assert_eq!(play.wire.heard().stats.busy, 100);
}

#[test]
fn rule_18_waiting_for_the_user_is_told_once_and_is_no_hang() {
    let mut play = Play::printing(1);
    play.said();
    for _ in 0..100 {
        play.passes(2.0);
        play.hears("echo:busy: paused for user");
    }
    assert_eq!(play.wire.take_event(), Some(PrinterEvent::WaitsForUser));
    assert_eq!(play.wire.take_event(), None);
    assert_eq!(play.said(), "");
}

#[test]
fn rule_19_long_runners_suspend_the_timeout_under_a_limit() {
    for long in ["G28", "M109 S200", "M190 S60", "G4 S60", "M400", "G29"] {
        let mut play = Play::greeted();
        play.writes(long);
        play.said();
        play.passes(LONG_RUN.as_secs_f64() - 1.0);
        assert_eq!(play.said(), "", "{long}");
        play.passes(1.0);
        assert_eq!(play.numbers(), "3", "{long}");
    }
}

#[test]
fn rule_19_a_long_runner_whose_busy_has_ended_without_an_ok_is_probed_for() {
    let mut play = Play::greeted();
    play.writes("G28");
    play.hears("echo:busy: processing");
    play.said();
    play.passes(10.0);
    assert_eq!(play.numbers(), "3");
}

#[test]
fn rule_20_temperature_lines_are_kept_and_acknowledge_nothing() {
    let mut play = Play::printing(1);
    play.hears(" T:201.5 /210.0 B:59.0 /60.0 @:127\nT0:202.5/210.0");
    assert_eq!(play.unacknowledged(), 1);
    assert_eq!(play.wire.heard().temperatures.map(|read| read.nozzle), Some(202.5));
}

#[test]
fn rule_21_capabilities_are_remembered_not_relied_on() {
    let mut play = Play::greeted();
    play.hears("FIRMWARE_NAME:Marlin 2.1.2\nCap:EMERGENCY_PARSER:1\nCap:AUTOREPORT_TEMP:0");
    assert_eq!(play.wire.heard().capabilities, ["EMERGENCY_PARSER"]);
    play.wire.halt();
    assert!(play.said().contains("\nN2 M112*"), "the numbered form follows whatever was announced");
}

#[test]
fn rule_22_an_emergency_is_m112_raw_then_numbered_then_heaters_off_then_nothing() {
    let mut play = Play::printing(2);
    play.said();
    play.wire.halt();
    assert_eq!(play.said(), "M112\nN4 M112*37\nM104 S0\nM140 S0\n");
    play.hears("ok\nResend: 2\nok");
    play.passes(60.0);
    assert_eq!(play.said(), "");
    assert!(matches!(play.error(), PrinterError::Over));
}

#[test]
fn rule_23_a_heat_up_is_broken_off_by_m108_not_by_a_queued_line() {
    let mut play = Play::greeted();
    play.writes("M109 S200");
    play.writes("G1 X1");
    play.said();
    play.wire.make_safe(play.now);
    assert!(play.said().starts_with("M108\nM410\nN4 M114*"));
    play.hears("echo:busy: processing");
    assert_eq!(play.said(), "M108\n", "the next wait needs a word of its own");
}

#[test]
fn rule_23_a_machine_that_waits_for_its_user_is_told_to_go_on_before_it_is_made_safe() {
    let mut play = Play::printing(1);
    play.hears("echo:busy: paused for user");
    play.said();
    play.wire.make_safe(play.now);
    assert!(play.said().starts_with("M108\nM410\n"));
    play.hears("echo:busy: paused for user");
    assert_eq!(play.said(), "M108\nM876 S1\n");
    play.hears("ok\necho:busy: processing");
    assert!(play.said().contains("M108\n"));
}

#[test]
fn rule_24_further_murmurs_of_cold_extrusion_do_not_keep_the_heaters_on() {
    let mut play = Play::printing(3);
    play.hears("echo: cold extrusion prevented\nok");
    play.said();
    play.wire.make_safe(play.now);
    play.hears("echo: cold extrusion prevented\nok\necho: cold extrusion prevented\nok");
    for _ in 0..12 {
        play.hears("ok");
    }
    let said = play.said();
    assert!(["M104 S0", "M140 S0", "G1 Z10", "M84"].iter().all(|word| said.contains(word)), "{said}");
    play.hears("ok T:20 /0");
    assert!(play.wire.is_idle() && play.wire.ending().is_none());
}

#[test]
fn rule_30_a_machine_that_was_away_is_cooled_and_not_moved() {
    let mut play = Play::greeted();
    play.wire.cool(play.now);
    for _ in 0..6 {
        play.hears("ok");
    }
    let said = play.said();
    assert!(["M410", "M104 S0", "M140 S0", "M107", "M84"].iter().all(|word| said.contains(word)), "{said}");
    assert!(!said.contains("G1") && !said.contains("G28"), "{said}");
    play.hears("ok T:20 /0");
    assert!(play.wire.is_idle());
}

#[test]
fn rule_23_the_head_is_asked_for_after_moves_were_dropped_and_the_machine_is_made_safe() {
    let mut play = Play::printing(1);
    play.wire.make_safe(play.now);
    for _ in 0..12 {
        play.hears("ok");
    }
    play.hears("ok T:20 /0");
    assert!(play.wire.is_idle());
    let said = play.said();
    let order =
        ["M410", "M114", "M104 S0", "M140 S0", "M107", "G1 Z10", "M400", "M84"].map(|word| said.find(word));
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{said}");
}

#[test]
fn rule_23_a_line_that_was_asked_for_again_is_replaced_by_the_safe_state() {
    let mut play = Play::printing(4);
    play.said();
    play.hears("Resend: 3");
    play.wire.make_safe(play.now);
    let said = play.said();
    assert!(said.contains("N3 M114*") && !said.contains("G1 X"), "{said}");
}

#[test]
fn rule_24_a_machine_that_stopped_itself_gets_no_further_byte() {
    for words in
        ["Error:Printer halted. kill() called!", "!! Lost communication", "fatal: x", "Error:0\n: MINTEMP"]
    {
        let mut play = Play::printing(3);
        play.said();
        play.hears(words);
        play.hears("ok\nResend: 2\nok\nstart\nwait");
        play.passes(1.0);
        assert!(matches!(play.error(), PrinterError::Fault { .. }), "{words}");
        assert_eq!(play.said(), "", "{words}");
        assert_eq!(play.wire.ending().map(Ending::afterwards), Some(Afterwards::Nothing));
    }
}

#[test]
fn rule_24_the_lines_of_an_error_are_joined() {
    let mut play = Play::printing(2);
    play.hears(
        "ok\nError:Thermal Runaway, system stopped! Heater_ID: 0\nError:Printer halted. kill() called!",
    );
    play.passes(0.3);
    let told = play.error().to_string();
    assert!(
        told.contains("after command 1") && told.contains("Thermal Runaway") && told.contains("kill()"),
        "{told}"
    );
}

#[test]
fn rule_24_cold_extrusion_is_a_murmur_and_an_ok_and_ends_the_job() {
    let mut play = Play::printing(1);
    play.hears("echo: cold extrusion prevented\nok");
    assert!(matches!(play.error(), PrinterError::ColdExtrusion { .. }));
    assert_eq!(play.wire.ending().map(Ending::afterwards), Some(Afterwards::SafeState));
}

#[test]
fn rule_25_actions_are_events_in_the_order_they_came() {
    let mut play = Play::greeted();
    play.hears(
        "//action:pause\n// action:paused\n//action:resume\n//action:cancel\n//action:out_of_filament",
    );
    play.hears("//action:prompt_begin Filament?");
    let events = std::iter::from_fn(|| play.wire.take_event()).collect::<Vec<_>>();
    let prompt = PrinterEvent::Prompt("Filament?".into());
    use PrinterEvent::{Cancel, FilamentOut, Pause, Paused, Resume};
    assert_eq!(events, [Pause, Paused, Resume, Cancel, FilamentOut, prompt]);
}

#[test]
fn rule_31_finished_means_that_all_moves_are_made() {
    let mut play = Play::printing(2);
    play.hears("ok\nok");
    play.wire.push_own("M400", play.now);
    play.wire.push_own("M105", play.now);
    assert!(play.said().ends_with("N4 M400*35\nN5 M105*34\n"));
    play.passes(600.0);
    assert!(!play.wire.is_idle(), "16 moves may be planned after the last ok");
    play.hears("ok\nok T:20 /0");
    assert!(play.wire.is_idle());
}
