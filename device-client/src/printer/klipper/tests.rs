mod whole;

use std::collections::BTreeSet;
use std::path::Path;

use super::double::{AHEAD, Double, Fault, HOMING};
use super::speech::Tongue;
use super::wire::{LOAD, LOAD_BYTES, LOAD_LINES, QUIET};
use super::*;
use crate::guard::Guard;
use crate::printer::PrinterTarget;

const BOTH: [Tongue; 2] = [Tongue::Klipper, Tongue::Moonraker];

async fn plug(double: &Double, tongue: Tongue) -> KlipperPrinter {
    let road = (double.clone(), tongue).open().await.unwrap();
    KlipperPrinter::on(road, tongue)
}

async fn ready(double: &Double, tongue: Tongue) -> KlipperPrinter {
    let mut printer = plug(double, tongue).await;
    printer.greet().await.unwrap().expect("the double is ready");
    printer
}

fn command(text: &str) -> Command {
    Command::test(text)
}

async fn send(printer: &mut KlipperPrinter, lines: &[&str]) -> Result<(), PrinterError> {
    for line in lines {
        printer.send(&command(line)).await?;
    }
    Ok(())
}

/// A hundred moves of 10 mm at 10 mm/s, filament with each.
async fn squares(printer: &mut KlipperPrinter) -> Result<(), PrinterError> {
    send(printer, &["M109 S200", "G28", "M83", "G1 X10 Y10 Z1 F600"]).await?;
    for nth in 0..25 {
        let fed = format!("E0.{}", nth + 1);
        for corner in ["X20", "Y20", "X10", "Y10"] {
            printer.send(&command(&format!("G1 {corner} {fed}"))).await?;
        }
    }
    printer.drain().await
}

fn is_of_the_job(line: &str) -> bool {
    line.starts_with("G1") && !line.contains("Z10")
}

fn ran(double: &Double, line: &str) -> bool {
    double.see(|seen| seen.lines.iter().any(|ran| ran == line))
}

#[tokio::test(start_paused = true)]
async fn k3_a_klipper_that_is_not_ready_is_refused_with_what_mends_it() {
    for tongue in BOTH {
        for (state, message, mend) in [
            ("error", "Option 'foo' is not valid in section 'bar'\nPrinter is halted", "mend printer.cfg"),
            ("shutdown", "MCU 'mcu' shutdown: Timer too close\nPrinter is shutdown", "relieve the host"),
        ] {
            let double = Double::new();
            double.set_state(state, message);
            let refused = plug(&double, tongue).await.greet().await.unwrap_err().to_string();
            assert!(refused.contains(&format!("no job now: {mend}")), "{refused}");
            assert!(refused.contains("FIRMWARE_RESTART"), "{refused}");
        }
        for (print, card, mend) in
            [("printing", false, "wait"), ("standby", true, "wait"), ("paused", false, "CANCEL_PRINT")]
        {
            let double = Double::new();
            double.set_print(print, card);
            let refused = plug(&double, tongue).await.greet().await.unwrap_err();
            assert!(matches!(&refused, PrinterError::Unready(why) if why.contains(mend)), "{refused}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k3_a_klipper_that_starts_is_waited_for_and_not_for_ever() {
    let double = Double::new();
    double.set_state("startup", "Printer is not ready\nThe klippy host software is attempting to connect.");
    let later = double.clone();
    let starting = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(4)).await;
        later.set_state("ready", "Printer is ready");
    });
    let (_, greeting) = KlipperPrinter::by(Box::new((double.clone(), Tongue::Klipper))).await.unwrap();
    assert_eq!(greeting.firmware, "Klipper v0.13.0");
    starting.await.unwrap();
    double.set_state("startup", "Printer is not ready");
    let begun = Instant::now();
    let refused = KlipperPrinter::by(Box::new((double, Tongue::Klipper))).await.err().unwrap();
    assert!(matches!(&refused, PrinterError::Unready(why) if why.contains("controller")), "{refused}");
    assert!(begun.elapsed() <= START + LOOK);
}

#[tokio::test]
async fn k3_what_is_not_there_is_named_with_what_to_do() {
    let none = Address::Socket("/nowhere/klippy_uds".into());
    let refused = KlipperPrinter::connect(&none).await.err().unwrap().to_string();
    assert!(refused.contains("klipper:/nowhere/klippy_uds") && refused.contains("-a"), "{refused}");
    let file = Address::Moonraker { host: "127.0.0.1".into(), port: 1, key: Some("/nowhere/key".into()) };
    let refused = KlipperPrinter::connect(&file).await.err().unwrap().to_string();
    assert!(refused.contains("/nowhere/key"), "{refused}");
    let none = Address::Moonraker { host: "127.0.0.1".into(), port: 1, key: None };
    let refused = KlipperPrinter::connect(&none).await.err().unwrap().to_string();
    assert!(refused.contains("moonraker:http://127.0.0.1:1") && refused.contains("7125"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn k4_klipper_gets_what_it_knows_and_filament_as_relative_lengths() {
    let double = Double::new();
    let mut printer = ready(&double, Tongue::Klipper).await;
    let job = [
        "G21",
        "M201 X500",
        "M205 X8",
        "M900 K0.1",
        "M73 P5",
        "M105",
        "M84 S60",
        "M109 S200",
        "G28",
        "M82",
        "G92 E0",
        "G1 X1 F6000",
        "G1 X2 E1.5",
        "G1 X3 E2",
        "G92 E0",
        "G1 X4 E0.25",
        "M83",
        "G1 X5 E0.5",
        "G90",
        "G1 X6 E1",
        "M204 P500 T800",
        "G4 S0.05",
        "M107",
    ];
    send(&mut printer, &job).await.unwrap();
    printer.drain().await.unwrap();
    let expected = [
        "G90",
        "M83",
        "M220 S100",
        "M104 S200",
        "G28",
        "G1 X1 F6000",
        "G1 X2 E1.5",
        "G1 X3 E0.5",
        "G1 X4 E0.25",
        "G1 X5 E0.5",
        "G90",
        "G1 X6 E0.25",
        "M204 S500",
        "G4 P50",
        "M107",
        "M400",
    ];
    double.see(|seen| assert_eq!(seen.lines, expected));
    assert_eq!(printer.stats().last_acknowledged, job.len() as u64);
    assert_eq!(printer.stats().lines_sent, job.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn k5_one_small_script_is_under_way_and_klipper_holds_the_job_back() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        let begun = Instant::now();
        squares(&mut printer).await.unwrap();
        let took = begun.elapsed();
        double.see(|seen| {
            assert_eq!(seen.most_scripts, 1);
            assert!(seen.longest_script <= LOAD, "{:?} under way", seen.longest_script);
            assert!(seen.most_ahead <= AHEAD + LOAD, "{:?} ahead", seen.most_ahead);
            let motion = seen.moves.iter().map(|moved| moved.until - moved.from).sum::<Duration>();
            assert!(motion > Duration::from_secs(100) && took > motion, "{motion:?} in {took:?}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn k5_small_moves_go_many_in_a_script_within_its_bounds() {
    let mut wire = Wire::new(Tongue::Klipper, Duration::ZERO);
    let mut pushed = 0;
    for nth in 0.. {
        if !wire.has_room() {
            break;
        }
        wire.push(&command(&format!("G1 X0.{nth:05} F6000")), Duration::ZERO);
        pushed = nth + 1;
    }
    assert!((LOAD_LINES..=LOAD_LINES + 2).contains(&pushed), "{pushed} taken before the first answer");
    let mut scripts = 0;
    while let Some(request) = wire.next_output() {
        let read: Value = serde_json::from_slice(request).unwrap();
        let script = read["params"]["script"].as_str().unwrap();
        assert!(script.len() <= LOAD_BYTES && script.lines().count() <= LOAD_LINES, "{script}");
        scripts += 1;
        let answer = format!("{{\"id\":{},\"result\":{{}}}}", read["id"]);
        wire.sent();
        assert_eq!(wire.next_output(), None, "one script at a time");
        wire.receive(answer.as_bytes(), Duration::ZERO);
    }
    assert!(scripts <= 3, "{scripts} scripts");
    assert_eq!(wire.stats().last_acknowledged, pushed as u64);
}

#[tokio::test(start_paused = true)]
async fn k5_a_script_is_never_timed_out_while_klipper_tells_its_clock() {
    let double = Double::new().with_macro("G29");
    let mut printer = ready(&double, Tongue::Klipper).await;
    let begun = Instant::now();
    send(&mut printer, &["G28", "G28", "G28", "G29", "G28"]).await.unwrap();
    printer.drain().await.unwrap();
    assert!(begun.elapsed() >= 4 * HOMING && 4 * HOMING > 2 * QUIET);
}

#[test]
fn k6_a_long_move_is_cut_into_pieces_that_meet_and_add_up() {
    use super::motion::{PIECE, Shaper, Step};
    let mut shaper = Shaper::new();
    for first in ["M83", "G1 X3.333 Y-1.5 Z0.2 F777"] {
        shaper.shape(&command(first));
    }
    let parts = shaper.shape(&command("G1 X200.001 Y99.99901 E7.12345 F1800"));
    assert_eq!(parts.iter().filter(|part| part.ends).count(), 1);
    assert!(parts.last().unwrap().ends);
    let (mut motion, mut fed, mut last) = (Duration::ZERO, 0, String::new());
    let units = |word: &str| (word.parse::<f64>().unwrap() * 1e5).round() as i64;
    let (mut at, slope) = (333_300, (99.99901 + 1.5) / (200.001 - 3.333));
    for (nth, part) in parts.iter().enumerate() {
        let Step::Line(text, time) = &part.step else { panic!("{part:?}") };
        let text = text.as_str();
        assert!(*time <= PIECE, "{time:?}");
        let words: Vec<&str> = text.split(' ').collect();
        let [x, y] = [1, 2].map(|word| units(&words[word][1..]));
        assert!(x > at, "{text} goes on");
        assert!(
            ((y + 150_000) as f64 - (x - 333_300) as f64 * slope).abs() <= 2.0,
            "{text} lies on the line"
        );
        assert_eq!(words.len(), if nth == 0 { 5 } else { 4 }, "its speed is said once");
        (at, motion, fed) = (x, motion + *time, fed + units(&words[3][1..]));
        text.clone_into(&mut last);
    }
    assert!(last.starts_with("G1 X200.001 Y99.99901 E"), "{last}");
    assert_eq!(fed, 712_345);
    let way = ((200.001_f64 - 3.333).powi(2) + (99.99901_f64 + 1.5).powi(2)).sqrt();
    assert!((motion.as_secs_f64() - way / 30.0).abs() < 0.01, "{motion:?}");
    let dwell = shaper.shape(&command("G4 P250"));
    assert_eq!(dwell.len(), 3);
    // Relative moves add up as well.
    shaper.shape(&command("G91"));
    let parts = shaper.shape(&command("G1 Z10 F600"));
    let by = parts.iter().map(|part| match &part.step {
        Step::Line(text, _) => units(&text[4..].split(' ').next().unwrap()[0..]),
        other => panic!("{other:?}"),
    });
    assert_eq!((by.sum::<i64>(), parts.len()), (1_000_000, 10));
}

#[test]
fn k6_what_is_written_for_a_move_passes_the_same_guard() {
    use super::motion::{Shaper, Step};
    let machine = layerlock_terms::machine::Machine::named("ender-3").unwrap();
    let (mut before, mut after, mut shaper) = (Guard::new(machine), Guard::new(machine), Shaper::new());
    for line in [
        "G90",
        "M83",
        "M109 S200",
        "G28",
        "G1 Z0.2 F600",
        "G1 X0 Y0 F3000",
        "G1 X220 Y220 E20 F900",
        "G1 X0.00001 Y219.99999 E-0.00003",
        "G91",
        "G1 X10 E1",
        "G1 Z100",
        "G90",
        "G1 X5 Y5 F9000",
        "M84",
    ] {
        let admitted = before.admit(line).unwrap();
        for part in shaper.shape(&admitted) {
            if let Step::Line(text, _) | Step::Alone(text) = &part.step {
                after
                    .admit(text)
                    .unwrap_or_else(|refused| panic!("{line} became {}: {refused}", text.as_str()));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k7_no_request_names_a_file_or_the_virtual_card() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        squares(&mut printer).await.unwrap();
        printer.stop(Stop::Safe).await.unwrap();
        let known: BTreeSet<String> = match tongue {
            Tongue::Klipper => {
                ["info", "gcode/subscribe_output", "objects/subscribe", "objects/query", "gcode/script"]
            }
            Tongue::Moonraker => [
                "server.info",
                "printer.info",
                "printer.objects.subscribe",
                "printer.objects.query",
                "printer.gcode.script",
            ],
        }
        .iter()
        .map(|method| (*method).to_owned())
        .collect();
        double.see(|seen| {
            assert_eq!(seen.methods, known);
            let on_files =
                ["M20", "M21", "M22", "M23", "M24", "M25", "M26", "M27", "M28", "M29", "M30", "SDCARD"];
            let works_on_files = |line: &String| on_files.contains(&line.split([' ', '_']).next().unwrap());
            assert_eq!(seen.lines.iter().find(|line| works_on_files(line)), None);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn k8_a_klipper_that_stands_still_is_asked_once_and_given_up() {
    let double = Double::new().failing(60, Fault::Hangs);
    let mut printer = ready(&double, Tongue::Klipper).await;
    let begun = Instant::now();
    let error = squares(&mut printer).await.unwrap_err();
    assert!(matches!(error, PrinterError::Silent { last, .. } if last > 5), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    // It does not take the stop either, which is told.
    printer.stop(Stop::Safe).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn k9_a_link_that_breaks_in_any_way_ends_the_job_and_names_the_last_command() {
    for tongue in BOTH {
        for (fault, cause) in [
            (Fault::Closes, "end of file"),
            (Fault::Breaks, "within a message"),
            (Fault::Floods, "262144"),
            (Fault::Babbles, "no JSON"),
        ] {
            if tongue == Tongue::Moonraker && !matches!(fault, Fault::Closes | Fault::Babbles) {
                continue;
            }
            let double = Double::new().failing(100, fault.clone());
            let mut printer = ready(&double, tongue).await;
            let error = squares(&mut printer).await.unwrap_err();
            let PrinterError::LinkLost { last, cause: said } = &error else { panic!("{fault:?}: {error}") };
            assert!(*last > 5 && *last <= 105, "{last}");
            assert!(tongue == Tongue::Moonraker || said.contains(cause), "{said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k10_after_a_cancel_the_head_moves_for_what_is_planned_and_under_way_and_no_longer() {
    for tongue in BOTH {
        for after in [16_500, 20_000, 33_333, 70_070] {
            let double = Double::new();
            let mut printer = ready(&double, tongue).await;
            let job = tokio::time::timeout(Duration::from_millis(after), squares(&mut printer)).await;
            assert!(job.is_err(), "the job is under way");
            let cancelled = Instant::now();
            printer.stop(Stop::Safe).await.unwrap();
            let moved = double.motion_after(cancelled, is_of_the_job);
            assert!(moved <= AHEAD + LOAD, "{moved:?} of motion after the cancel");
            double.see(|seen| {
                let job = seen.moves.iter().filter(|moved| is_of_the_job(&moved.line));
                let rest = job.map(|moved| moved.until).max().unwrap();
                assert!(rest <= cancelled + REST, "{:?}", rest - cancelled);
                assert_eq!((seen.targets, seen.emergency), ([0.0; 2], None));
                let ends = &seen.lines[seen.lines.len() - 5..];
                assert_eq!(ends, ["G91", "G1 Z10 F600", "G90", "M400", "M84"]);
            });
            assert!(matches!(printer.send(&command("G1 X1")).await, Err(PrinterError::Over)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k10_a_head_that_does_not_come_to_rest_is_stopped_for_good() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        send(&mut printer, &["G28"]).await.unwrap();
        let job = tokio::time::timeout(Duration::from_secs(2), printer.drain()).await;
        assert!(job.is_err(), "it is homing");
        let cancelled = Instant::now();
        let error = printer.stop(Stop::Safe).await.unwrap_err();
        assert!(matches!(error, PrinterError::NotObeyed { .. }), "{error}");
        assert!(error.to_string().contains("FIRMWARE_RESTART"), "{error}");
        let off = double.see(|seen| seen.emergency).unwrap();
        assert!(off >= cancelled + REST && off <= cancelled + REST + Duration::from_millis(50));
    }
}

#[tokio::test(start_paused = true)]
async fn k10_the_emergency_stop_passes_everything_that_waits() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        let job = tokio::time::timeout(Duration::from_secs(30), squares(&mut printer)).await;
        assert!(job.is_err());
        let stopped = Instant::now();
        printer.stop(Stop::Emergency).await.unwrap();
        let off = double.see(|seen| seen.emergency).unwrap();
        assert!(off - stopped < Duration::from_millis(10));
        assert_eq!(double.see(|seen| seen.targets), [0.0; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn k11_a_refused_line_ends_the_job_in_plain_words_and_leaves_the_machine_safe() {
    for tongue in BOTH {
        let refusal = "Move out of range: 500.000 0.000 0.000 [0.000]";
        let double = Double::new().failing(80, Fault::Refuses(refusal));
        let mut printer = ready(&double, tongue).await;
        let error = squares(&mut printer).await.unwrap_err();
        let PrinterError::Refused { last, message } = &error else { panic!("{error}") };
        assert!(*last > 5, "{last}");
        assert!(message.starts_with("check position_max") && message.contains(refusal), "{message}");
        printer.stop(Stop::Safe).await.unwrap();
        assert_eq!(double.see(|seen| (seen.targets, seen.emergency)), ([0.0; 2], None));
        assert!(ran(&double, "M84"));
    }
}

#[tokio::test(start_paused = true)]
async fn k11_a_command_klipper_only_murmurs_about_ends_the_job() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        // Somebody else's slip of the tongue is not the job's.
        double.person("G32").await;
        send(&mut printer, &["G28", "G29", "G1 X1 F600"]).await.ok();
        let error = printer.drain().await.unwrap_err().to_string();
        assert!(error.contains("define a macro") && error.contains("\"G29\""), "{error}");
        assert!(!ran(&double, "G1 X1 F600"), "nothing follows");
    }
}

#[tokio::test(start_paused = true)]
async fn k11_cold_extrusion_is_told_as_on_any_machine() {
    let double = Double::new();
    let mut printer = ready(&double, Tongue::Klipper).await;
    send(&mut printer, &["G28", "G1 E1 F600"]).await.unwrap();
    let error = printer.drain().await.unwrap_err();
    assert!(matches!(error, PrinterError::ColdExtrusion { last: 1 }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn k12_heating_is_waited_for_here_so_that_a_cancel_ends_it() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        let begun = Instant::now();
        send(&mut printer, &["M140 S60", "M104 S200", "M190 S60", "M109 S200", "M109 R180", "G28"])
            .await
            .unwrap();
        printer.drain().await.unwrap();
        let took = begun.elapsed() - HOMING;
        assert!(took > Duration::from_secs(8) && took < Duration::from_secs(14), "{took:?}");
        assert_eq!(printer.temperatures().unwrap().nozzle_target, 180.0);

        let mut printer = ready(&double, tongue).await;
        let heating = async {
            send(&mut printer, &["M109 S250"]).await?;
            printer.drain().await
        };
        assert!(tokio::time::timeout(Duration::from_millis(700), heating).await.is_err(), "it heats");
        let cancelled = Instant::now();
        printer.stop(Stop::Safe).await.unwrap();
        assert!(cancelled.elapsed() < Duration::from_secs(3), "{:?}", cancelled.elapsed());
        assert_eq!(double.see(|seen| (seen.targets, seen.emergency)), ([0.0; 2], None));
    }
}

#[tokio::test(start_paused = true)]
async fn k12_klippers_idle_timeout_does_not_cool_what_is_waited_for() {
    for tongue in BOTH {
        let double = Double::new().slow_and_idle(0.05, Duration::from_secs(600));
        let mut printer = ready(&double, tongue).await;
        let begun = Instant::now();
        send(&mut printer, &["M190 S90"]).await.unwrap();
        printer.drain().await.unwrap();
        assert!(begun.elapsed() > Duration::from_secs(1_200), "{:?}", begun.elapsed());
        assert_eq!(double.see(|seen| seen.targets[1]), 90.0);
    }
}

#[tokio::test(start_paused = true)]
async fn k12_a_heater_turned_off_while_it_is_waited_for_ends_the_job() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        let person = double.clone();
        let typing = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            person.person("M104 S0").await;
        });
        let begun = Instant::now();
        send(&mut printer, &["M109 S250"]).await.unwrap();
        let error = printer.drain().await.unwrap_err().to_string();
        assert!(error.contains("turned a heater off"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        typing.await.unwrap();
        printer.stop(Stop::Safe).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn k13_after_a_lost_link_the_heaters_are_turned_off_over_another_and_nothing_else_is_sent() {
    for tongue in BOTH {
        let double = Double::new().failing(100, Fault::Closes);
        let (mut printer, _) = KlipperPrinter::by(Box::new((double.clone(), tongue))).await.unwrap();
        let error = squares(&mut printer).await.unwrap_err();
        assert!(matches!(error, PrinterError::LinkLost { .. }), "{error}");
        printer.send(&command("G1 X1")).await.expect_err("the job is over");
        assert_eq!(double.see(|seen| (seen.targets[0], seen.connections)), (200.0, 1));
        let moves = double.see(|seen| seen.moves.len());
        printer.stop(Stop::Safe).await.unwrap();
        double.see(|seen| {
            assert_eq!((seen.targets, seen.connections), ([0.0; 2], 2));
            assert_eq!(seen.moves[moves..].iter().filter(|moved| is_of_the_job(&moved.line)).count(), 0);
        });
    }
    // Where there is nobody to reach any more, that is told.
    let double = Double::new().failing(20, Fault::Closes);
    let mut printer = ready(&double, Tongue::Klipper).await;
    squares(&mut printer).await.unwrap_err();
    printer.stop(Stop::Safe).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn k14_a_klipper_that_stops_itself_ends_the_job_in_plain_words_and_is_not_revived() {
    for tongue in BOTH {
        let double = Double::new().failing(100, Fault::ShutsDown("MCU 'mcu' shutdown: Timer too close"));
        let mut printer = ready(&double, tongue).await;
        let error = squares(&mut printer).await.unwrap_err();
        let PrinterError::Fault { last, message } = &error else { panic!("{error}") };
        assert!(*last > 5, "{last}");
        assert!(message.starts_with("relieve the host"), "{message}");
        assert!(message.contains("Timer too close") && message.contains("FIRMWARE_RESTART"), "{message}");
        let asked = double.see(|seen| seen.lines.len());
        printer.stop(Stop::Safe).await.unwrap();
        double.see(|seen| {
            assert_eq!(seen.lines.len(), asked, "nothing is sent to it");
            assert!(!seen.methods.iter().any(|method| method.contains("restart")));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn k15_pause_resume_and_cancel_at_the_machine_are_events_each_told_once() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        double.person("PAUSE").await;
        let person = double.clone();
        let typing = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            person.person("RESUME").await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            person.person("CANCEL_PRINT").await;
        });
        let mut told = Vec::new();
        while told.last() != Some(&PrinterEvent::Cancel) {
            told.push(printer.attend().await.unwrap());
        }
        typing.await.unwrap();
        assert_eq!(told, [PrinterEvent::Paused, PrinterEvent::Resumed, PrinterEvent::Cancel]);
    }
}

#[test]
fn k15_a_pause_told_as_a_state_before_it_is_told_as_a_line_is_one() {
    let state = |paused: bool| {
        format!(r#"{{"method":"status","params":{{"status":{{"pause_resume":{{"is_paused":{paused}}}}}}}}}"#)
    };
    let line = |said: &str| format!(r#"{{"method":"output","params":{{"response":"// action:{said}"}}}}"#);
    let mut wire = Wire::new(Tongue::Klipper, Duration::ZERO);
    for message in [
        state(false),
        state(true),
        line("paused"),
        state(false),
        line("resumed"),
        line("paused"),
        state(true),
    ] {
        wire.receive(message.as_bytes(), Duration::ZERO);
    }
    let told: Vec<_> = std::iter::from_fn(|| wire.take_event()).collect();
    assert_eq!(told, [PrinterEvent::Paused, PrinterEvent::Resumed, PrinterEvent::Paused]);
}

#[tokio::test(start_paused = true)]
async fn k15_a_job_that_ends_in_a_pause_leaves_no_pause_behind() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        send(&mut printer, &["G28"]).await.unwrap();
        printer.drain().await.unwrap();
        double.person("PAUSE").await;
        printer.attend().await.unwrap();
        printer.stop(Stop::Safe).await.unwrap();
        assert!(ran(&double, "CANCEL_PRINT"));
        ready(&double, tongue).await;
    }
}

#[tokio::test]
async fn k1_klippers_socket_is_found_by_its_path_and_speaks() {
    let dir = tempfile::tempdir().unwrap();
    let double = Double::new();
    let target = format!("klipper:{}", double.listen(dir.path()).display()).parse::<PrinterTarget>().unwrap();
    let machine = layerlock_terms::machine::Machine::named("ender-3").unwrap();
    let (mut printer, greeting) = target.connect(machine).await.unwrap();
    assert_eq!(greeting.firmware, "Klipper v0.13.0");
    printer.send(&command("M107")).await.unwrap();
    printer.drain().await.unwrap();
    assert!(ran(&double, "M107"));
}

#[tokio::test]
async fn k16_moonrakers_key_comes_from_a_file_and_its_absence_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let double = Double::new().with_key("a1b2c3");
    let port = double.listen_moonraker().await;
    let without = format!("moonraker:http://127.0.0.1:{port}").parse::<PrinterTarget>().unwrap();
    let machine = layerlock_terms::machine::Machine::named("ender-3").unwrap();
    let refused = without.connect(machine).await.err().unwrap().to_string();
    assert!(refused.contains("?key=FILE"), "{refused}");
    let wrong = Path::join(dir.path(), "wrong");
    std::fs::write(&wrong, "a1b2c4").unwrap();
    let other = format!("moonraker:http://127.0.0.1:{port}?key={}", wrong.display());
    let refused = other.parse::<PrinterTarget>().unwrap().connect(machine).await.err().unwrap().to_string();
    assert!(refused.contains("?key=FILE") && !refused.contains("a1b2c4"), "{refused}");
    let file = Path::join(dir.path(), "key");
    std::fs::write(&file, "a1b2c3\n").unwrap();
    let with = format!("moonraker:http://127.0.0.1:{port}?key={}", file.display());
    let (mut printer, greeting) = with.parse::<PrinterTarget>().unwrap().connect(machine).await.unwrap();
    assert_eq!(greeting.firmware, "Klipper v0.13.0");
    printer.send(&command("M107")).await.unwrap();
    printer.drain().await.unwrap();
    assert!(ran(&double, "M107"));
}
