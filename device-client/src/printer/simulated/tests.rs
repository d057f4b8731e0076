//! The shell over the simulated machine: what a session sees, in-process, on good and bad cables.

use layerlock_terms::machine::MACHINES;
use layerlock_terms::toolpath::{Layer, Step};
use layerlock_terms::units::Celsius;

use super::*;
use crate::guard::{Command, Guard};
use crate::printer::marlin::MarlinPrinter;
use crate::printer::tap::{Tap, Traffic, Way};
use crate::printer::{Printer, PrinterError, PrinterEvent, PrinterTarget, Stop};

/// A small print: start, `moves` extruding moves along a line, end.
fn job(moves: i32) -> Vec<Command> {
    let mut guard = Guard::new(&MACHINES[0]);
    let start =
        ["M104 S205", "M140 S60", "M109 S205", "G28", "M83", "G1 X10 Y10 Z0.2 F1200"].map(String::from);
    let moves = (1..=moves).map(|n| format!("G1 X{}.{:02} E0.05", 10 + n / 100, n % 100));
    let lines = start.into_iter().chain(moves).chain(["M104 S0".into(), "M140 S0".into()]);
    lines.map(|line| guard.admit(&line).unwrap()).collect()
}

async fn connected(faults: Faults) -> MarlinPrinter {
    let bench = Bench { faults, ..Bench::instant(&MACHINES[0]) };
    MarlinPrinter::simulated(bench).await.unwrap().0
}

async fn send_all(printer: &mut MarlinPrinter, job: &[Command]) -> Result<(), PrinterError> {
    for command in job {
        printer.send(command).await?;
    }
    printer.drain().await
}

#[tokio::test]
async fn a_simulated_machine_does_what_it_is_told_once_each_in_order_and_remembers_it() {
    let job = job(2_000);
    let mut printer = connected(Faults::none()).await;
    send_all(&mut printer, &job).await.unwrap();
    let record = printer.record().unwrap();
    assert!(record.executed().eq(job.iter().map(Command::text)));
    assert_eq!(record.filament_um, 2_000 * 50);
    assert_eq!((record.max_nozzle, record.max_bed), (Celsius(205), Celsius(60)));
    let (low, high) = record.extruded.unwrap();
    assert_eq!((low.x, low.y, low.z, high.x), (10_000, 10_000, 200, 30_000));
    assert!(record.duration.0 > 60_000, "it counts the heat-up it skipped: {:?}", record.duration);
    assert_eq!(record.planned, 0);
}

#[tokio::test]
async fn the_machine_greets_with_its_name_and_capabilities() {
    let (printer, greeting) = PrinterTarget::Simulated.connect(&MACHINES[0]).await.unwrap();
    assert!(greeting.firmware.contains("simulated"), "{greeting:?}");
    assert!(greeting.capabilities.iter().any(|name| name == "AUTOREPORT_TEMP"));
    assert_eq!(greeting.baud, None);
    assert!(printer.temperatures().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_bad_cable_changes_nothing_in_what_is_done() {
    let kinds =
        [Fault::LineLost, Fault::LineCorrupted, Fault::AnswerLost, Fault::AnswerDoubled, Fault::Noise];
    for seed in 1..=5 {
        let job = job(1_000);
        let mut printer = connected(Faults::random(seed, &kinds, 10)).await;
        send_all(&mut printer, &job).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(printer.record().unwrap().executed().eq(job.iter().map(Command::text)), "seed {seed}");
        assert!(printer.stats().resends > 0, "seed {seed}");
    }
}

#[tokio::test]
async fn rule_30_a_pulled_cable_is_a_lost_link_that_names_the_last_command_acknowledged() {
    let mut printer = connected(Faults::at([(500, Fault::HangUp)])).await;
    let Err(PrinterError::LinkLost { last, .. }) = send_all(&mut printer, &job(2_000)).await else {
        panic!("the link is not lost");
    };
    assert_eq!(last, printer.stats().last_acknowledged);
    assert!((400..500).contains(&last), "{last}");
    let more = printer.send(&job(1)[0]).await;
    assert!(matches!(more, Err(PrinterError::Over)), "never reopened by itself: {more:?}");
}

#[tokio::test]
async fn a_stopped_machine_is_safe_and_takes_nothing_more() {
    let mut printer = connected(Faults::none()).await;
    let job = job(100);
    for command in &job[..50] {
        printer.send(command).await.unwrap();
    }
    printer.stop(Stop::Safe).await.unwrap();
    let record = printer.record().unwrap();
    let done: Vec<&str> = record.executed().collect();
    assert!(done.ends_with(&["M104 S0", "M140 S0", "M107", "G91", "G1 Z10 F600", "G90", "M84"]), "{done:?}");
    assert!(matches!(printer.send(&job[50]).await, Err(PrinterError::Over)));
}

#[tokio::test]
async fn an_emergency_stop_kills_the_machine() {
    let mut printer = connected(Faults::none()).await;
    printer.send(&job(1)[0]).await.unwrap();
    printer.stop(Stop::Emergency).await.unwrap();
    assert!(matches!(printer.drain().await, Err(PrinterError::Over)));
}

#[tokio::test(start_paused = true)]
async fn rule_23_a_machine_that_does_not_say_that_it_is_safe_is_halted() {
    let (mut printer, _greeting) = MarlinPrinter::simulated(Bench::instant(&MACHINES[0])).await.unwrap();
    for command in &job(20) {
        printer.send(command).await.unwrap();
    }
    let firmware = printer.bench().unwrap();
    let begun = tokio::time::Instant::now();
    firmware.lock().unwrap().be_mute();
    assert!(matches!(printer.stop(Stop::Safe).await, Err(PrinterError::Silent { .. })));
    assert!(begun.elapsed() <= std::time::Duration::from_secs(61), "{:?}", begun.elapsed());
    // What was written last is read a moment later.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(firmware.lock().unwrap().is_halted());
}

#[tokio::test]
async fn a_pause_asked_for_at_the_machine_reaches_whoever_attends() {
    let bench = Bench::instant(&MACHINES[0]);
    let (mut printer, _greeting) = MarlinPrinter::simulated(bench).await.unwrap();
    printer.interject("//action:pause");
    printer.send(&job(1)[0]).await.unwrap();
    assert_eq!(printer.attend().await.unwrap(), PrinterEvent::Pause);
    assert_eq!(printer.take_event(), None);
}

#[tokio::test(start_paused = true)]
async fn temperatures_are_told_while_a_heat_up_leaves_no_room() {
    let reports = ["T:64.4 /200.0 B:20.0 /0.0", "T:64.6 /200.0 B:20.0 /0.0", "T:64.7 /200.0 B:20.0 /0.0"];
    let faults = Faults::at((9..).zip(reports.map(Fault::Says)));
    let manners = Manners { pace: Pace::Times(1.0), ..Manners::default() };
    let bench = Bench { manners, faults, ..Bench::instant(&MACHINES[0]) };
    let (mut printer, _greeting) = MarlinPrinter::simulated(bench).await.unwrap();
    let mut told = Vec::new();
    for command in &job(20) {
        while let Some(event) = printer.ready(Some(command)).await.unwrap() {
            assert_eq!(event, PrinterEvent::Temperatures);
            told.push(printer.temperatures().unwrap().nozzle);
        }
        printer.send(command).await.unwrap();
    }
    // Those that came at once, and those of the same degree, are told once.
    assert_eq!(told, [20.0, 64.7]);
}

#[tokio::test]
async fn what_a_machine_asks_for_is_told_while_there_is_no_room_for_the_next_line() {
    let bench = Bench::instant(&MACHINES[0]);
    let (mut printer, _greeting) = MarlinPrinter::simulated(bench).await.unwrap();
    printer.interject("//action:cancel");
    let job = job(60);
    let mut told = None;
    for command in &job {
        told = printer.ready(Some(command)).await.unwrap();
        while told == Some(PrinterEvent::Temperatures) {
            told = printer.ready(Some(command)).await.unwrap();
        }
        if told.is_some() {
            break;
        }
        printer.send(command).await.unwrap();
    }
    assert_eq!(told, Some(PrinterEvent::Cancel));
    assert_eq!(printer.ready(None).await.unwrap(), None, "and it goes on where it was");
}

#[test]
fn a_cold_machine_feeds_nothing_and_says_so() {
    let mut record = Record::default();
    let mut body = Body::new(&MACHINES[0]);
    body.execute("G28", &mut record);
    assert_eq!(
        body.execute("G1 X5 E1", &mut record),
        Deed::Done(Some("echo: cold extrusion prevented".into()))
    );
    assert_eq!(record.filament_um, 0);
}

#[test]
fn what_no_machine_can_do_stops_this_one() {
    for line in ["G1 X5", "M104 S999", "M140 S999"] {
        let mut body = Body::new(&MACHINES[0]);
        assert!(matches!(body.execute(line, &mut Record::default()), Deed::Impossible(_)), "{line}");
    }
    let mut body = Body::new(&MACHINES[0]);
    body.execute("G28", &mut Record::default());
    assert!(matches!(body.execute("G1 X9999", &mut Record::default()), Deed::Impossible(_)));
}

/// What a fresh board answers to these bytes, without its `start`.
fn answers(written: &[u8]) -> String {
    let mut firmware = Firmware::new(&MACHINES[0], Manners::default(), Faults::none());
    firmware.receive(written, Duration::ZERO);
    let said = String::from_utf8(firmware.take_output().unwrap()).unwrap();
    said.strip_prefix("start\n").unwrap().to_owned()
}

#[test]
fn the_board_keeps_marlins_habits() {
    assert_eq!(answers(b"N0 M110 N0*125\n"), "ok\n");
    assert_eq!(answers(b"N1 G28*18\nN1 G28*18\n"), "ok\n", "silence on a repeated number");
    assert_eq!(answers(b"\n\n"), "", "no ok for an empty line");
    assert_eq!(
        answers(b"N2 G28*17\n"),
        "Error:Line Number is not Last Line Number+1, Last Line: 0\nResend: 1\nok\n"
    );
    assert_eq!(answers(b"N1 G28*19\n"), "Error:checksum mismatch, Last Line: 0\nResend: 1\nok\n");
    assert!(
        answers(b"N1 G28 ; home*99\n").contains("No Checksum"),
        "a trailing comment takes the checksum with it"
    );
    let long = format!("N1 G1 X{:0>100}*1\n", 1);
    assert!(answers(long.as_bytes()).contains("No Checksum"), "cut at 95 bytes");
}

/// Lines as a hostile or careless signer might make them: real codes, real letters, values at and past every edge.
fn hostile_line(draw: &mut impl FnMut(usize) -> usize) -> String {
    const CODES: [&str; 18] = [
        "G0", "G1", "G1", "G1", "G28", "G90", "G91", "G92", "M82", "M83", "M84", "M104", "M109", "M140",
        "M190", "M302", "G20", "M206",
    ];
    const VALUES: [&str; 14] =
        ["0", "-1", "5", "50", "99.9", "199", "209.5", "230", "251", "-9", "-13", "300", "1e3", "9999"];
    let mut line = CODES[draw(CODES.len())].to_owned();
    for _ in 0..draw(4) {
        line.push(' ');
        line.push(['X', 'Y', 'Z', 'E', 'F', 'S', 'R'][draw(7)]);
        line += VALUES[draw(VALUES.len())];
    }
    line
}

#[test]
fn nothing_the_guard_lets_through_is_impossible_for_the_machine_it_guards() {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    for seed in (1..=20).chain([clock.as_nanos() as u64 >> 8]) {
        let mut state = seed.wrapping_mul(2) | 1;
        let mut draw = |end: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % end
        };
        let (mut guard, mut body, mut record) =
            (Guard::new(&MACHINES[0]), Body::new(&MACHINES[0]), Record::default());
        let mut passed = 0;
        for _ in 0..3_000 {
            let Ok(command) = guard.admit(&hostile_line(&mut draw)) else { continue };
            let deed = body.execute(command.text(), &mut record);
            assert!(!matches!(deed, Deed::Impossible(_)), "seed {seed}: {}: {deed:?}", command.text());
            passed += 1;
        }
        assert!(passed > 100, "seed {seed}: only {passed} passed");
        assert!(record.max_nozzle <= MACHINES[0].max_nozzle && record.max_bed <= MACHINES[0].max_bed);
    }
}

fn admitted(lines: &[&str]) -> Vec<Command> {
    let mut guard = Guard::new(&MACHINES[0]);
    lines.iter().map(|line| guard.admit(line).unwrap()).collect()
}

#[tokio::test]
async fn what_was_laid_down_is_read_back_from_the_machine_layer_by_layer() {
    // Lines of 0.45 mm by 0.2 mm: 0.03742 mm of filament a millimetre.
    let job = admitted(&[
        "M109 S205",
        "G28",
        "M83",
        "G1 X10 Y10 Z0.2 F1200",
        "G1 X20 E0.3742",
        "G1 Y20 E0.3742",
        "G1 X40 Y10",
        "G1 X50 E0.3742",
        "G1 Z0.4",
        "G1 X40 E0.3742",
    ]);
    let mut printer = connected(Faults::none()).await;
    send_all(&mut printer, &job).await.unwrap();
    let layers = printer.record().unwrap().layers();
    let heights: Vec<_> = layers.iter().map(|layer| (layer.z.0, layer.height.0)).collect();
    assert_eq!(heights, [(200, 200), (400, 200)]);
    let kinds = |layer: &Layer| layer.steps.iter().map(kind).collect::<String>();
    assert_eq!((kinds(&layers[0]).as_str(), kinds(&layers[1]).as_str()), ("tLLtL", "tL"));
    let widths = layers.iter().flat_map(|layer| &layer.steps).filter_map(|step| match step {
        Step::Extrude(path) => Some(path.width.0),
        _ => None,
    });
    for width in widths {
        assert!((445..=455).contains(&width), "{width} µm");
    }
}

fn kind(step: &Step) -> char {
    match step {
        Step::Extrude(_) => 'L',
        Step::Travel { .. } => 't',
        _ => '?',
    }
}

#[tokio::test(start_paused = true)]
async fn a_paced_machine_takes_the_time_of_a_real_one_or_a_share_of_it() {
    for times in [1, 20] {
        let job = job(500);
        let begun = Instant::now();
        let target: PrinterTarget = format!("simulated@{times}").parse().unwrap();
        let (mut printer, _) = target.connect(&MACHINES[0]).await.unwrap();
        for command in &job {
            printer.send(command).await.unwrap();
        }
        printer.drain().await.unwrap();
        let (took, wanted) = (begun.elapsed(), printer.record().unwrap().duration.0 / times);
        let took = took.as_millis() as u64;
        assert!((wanted * 9 / 10..wanted * 12 / 10 + 3_000).contains(&took), "{took} ms instead of {wanted}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_paced_machine_takes_as_long_as_its_moves_however_full_its_plan() {
    let mut guard = Guard::new(&MACHINES[0]);
    let moves = (0..1000).map(|n| format!("G1 X10.{} F6000", n % 2));
    let lines = ["G28", "G1 X10.1 F6000", "M400"].map(String::from).into_iter().chain(moves);
    let job: Vec<Command> = lines.map(|line| guard.admit(&line).unwrap()).collect();
    let bench = Bench::paced(&MACHINES[0], std::num::NonZeroU32::MIN);
    let mut printer = MarlinPrinter::simulated(bench).await.unwrap().0;
    send_all(&mut printer, &job[..3]).await.unwrap();
    let begun = tokio::time::Instant::now();
    send_all(&mut printer, &job[3..]).await.unwrap();
    // Each is a tenth of a millimetre at 100 mm/s; whoever was late is counted.
    let (took, late) = (begun.elapsed().as_millis(), printer.record().unwrap().starved);
    assert!((1000..1100).contains(&took), "{took} ms for a second of moves, {late} came late");
}

#[tokio::test]
async fn whoever_watches_the_wire_sees_heat_and_counts_and_no_movement() {
    let tap = Tap::default();
    let (mut printer, _) =
        MarlinPrinter::simulated_tapped(Bench::instant(&MACHINES[0]), tap.clone()).await.unwrap();
    let mut watched = tap.watch();
    let mut told = Vec::new();
    for command in job(300) {
        printer.send(&command).await.unwrap();
        told.extend(std::iter::from_fn(|| watched.try_recv().ok()));
    }
    printer.stop(Stop::Safe).await.unwrap();
    told.extend(std::iter::from_fn(|| watched.try_recv().ok()));
    let sent = |line: &&Traffic| line.way == Way::Sent;
    let moves = told.iter().filter(sent).filter(|line| line.text.ends_with(" G1 …")).count();
    assert!(moves > 300, "{moves} moves are told of");
    for seen in [" M109 S205*", " M140 S60*"] {
        assert!(told.iter().any(|line| line.text.contains(seen)), "{seen}: {told:?}");
    }
    let heard =
        |begins: &str| told.iter().any(|line| line.way == Way::Heard && line.text.starts_with(begins));
    assert!(heard("ok T:205.00 /205.00") && heard("X:#"), "{told:?}");
    for line in &told {
        let places = line.text.split_whitespace().filter(|word| word.starts_with(['X', 'Y', 'Z', 'E', 'F']));
        for word in places.filter(|word| !word.starts_with("FIRMWARE")) {
            assert!(!word.contains(|c: char| c.is_ascii_digit()), "{line:?}");
        }
    }
    // Nobody watches any more: nothing is kept for anybody.
    drop(watched);
    assert!(tap.watch().try_recv().is_err());
}
