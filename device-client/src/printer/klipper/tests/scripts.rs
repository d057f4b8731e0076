//! What is sent and how much of it at once: rules K4 to K7.

use super::*;

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
