//! Once each, in order, whatever the cable does: the wire against the simulated machine, thousands of mishaps.

use super::rig::{Rig, job};
use super::*;
use crate::printer::simulated::{Fault, Faults, Firmware, Manners, Pace};

const MOVES: usize = 400;

/// Manners of builds of Marlin.
fn builds() -> [Manners; 9] {
    let plain = Manners::default();
    [
        plain.clone(),
        Manners { advanced_ok: true, ..plain.clone() },
        Manners { resend_ok: false, busy: false, ..plain.clone() },
        Manners { glued_report: false, wait: true, ..plain.clone() },
        Manners { pace: Pace::Times(1.0), ..plain.clone() },
        Manners { pace: Pace::Times(1.0), flushes: false, ..plain.clone() },
        Manners { advanced_ok: true, queue: 16, ..plain.clone() },
        Manners { pace: Pace::Times(1.0), advanced_ok: true, queue: 32, ..plain.clone() },
        Manners { pace: Pace::Times(1.0), advanced_ok: true, queue: 8, flushes: false, ..plain },
    ]
}

/// Prints a job under faults on every build and compares what was done with what was sent.
fn once_each_in_order(classes: &[Fault], per_mille: u64) {
    let job = job(MOVES);
    let mut befallen = 0;
    for seed in seeds() {
        for (build, manners) in builds().into_iter().enumerate() {
            eprintln!("seed {seed}, build {build}, {classes:?}");
            let mut rig = Rig::new(manners, Faults::random(seed, classes, per_mille), seed);
            let printed = rig.print(&job);
            let told = format!("seed {seed}, build {build}, {classes:?}: {:?}", rig.stats());
            printed.unwrap_or_else(|error| panic!("{told}: {error}"));
            let sent: Vec<&str> = job.iter().map(Command::text).collect();
            let done: Vec<&str> = rig.record().executed().collect();
            let differ = sent.iter().zip(&done).position(|(sent, done)| sent != done);
            assert!(sent == done, "{told}: {} sent, {} done, differ at {differ:?}", sent.len(), done.len());
            assert_eq!(rig.stats().last_acknowledged, job.len() as u64, "{told}");
            // An ok too many may widen the window for a moment; nothing else may.
            assert!(rig.record().overflowed == 0 || classes.iter().any(|class| adds_oks(*class)), "{told}");
            befallen += rig.stats().resends + rig.stats().timeouts;
        }
    }
    assert!(per_mille == 0 || befallen > 0 || classes == [Fault::AnswerDoubled], "no fault came to pass");
}

fn adds_oks(class: Fault) -> bool {
    matches!(class, Fault::AnswerDoubled | Fault::AnswerCorrupted)
}

/// Fixed seeds, and one that is new in every run; a failure names it.
fn seeds() -> impl Iterator<Item = u64> {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let fresh = clock.as_nanos() as u64 >> 8;
    (1..=12).chain([fresh])
}

#[test]
fn a_good_cable_needs_no_resend_and_no_probe() {
    for manners in builds() {
        let mut rig = Rig::new(manners, Faults::none(), 1);
        rig.print(&job(MOVES)).unwrap();
        assert_eq!((rig.stats().resends, rig.stats().timeouts), (0, 0));
    }
    once_each_in_order(&[], 0);
}

#[test]
fn lost_lines_are_sent_again_once_each_in_order() {
    once_each_in_order(&[Fault::LineLost], 30);
}

#[test]
fn corrupted_lines_are_sent_again_once_each_in_order() {
    once_each_in_order(&[Fault::LineCorrupted], 30);
}

#[test]
fn rule_16_lines_written_before_a_rewind_and_not_read_yet_keep_their_room_in_the_window() {
    let job = job(MOVES);
    for first in 10..50 {
        for pace in [Pace::Instant, Pace::Times(1.0)] {
            let corrupted = (first..MOVES as u64).step_by(40).map(|line| (line, Fault::LineCorrupted));
            let manners = Manners { pace, flushes: false, receive_buffer: 128, ..Manners::default() };
            let mut rig = Rig::new(manners, Faults::at(corrupted), first);
            rig.firmware.take_output(); // Its start was said before the port was opened: one greeting, one ok.
            rig.print(&job).unwrap_or_else(|error| panic!("from {first}, {pace:?}: {error}"));
            let (lines, bytes) = rig.most_unread;
            let told = format!("from {first}, {pace:?}: {lines} lines, {bytes} bytes unread");
            assert!(lines <= WINDOW_LINES as usize && bytes <= WINDOW_BYTES, "{told}");
            assert!(rig.stats().resends > 0 && rig.record().overflowed == 0, "{told}");
        }
    }
}

#[test]
fn lost_oks_are_made_up_for_once_each_in_order() {
    once_each_in_order(&[Fault::AnswerLost], 30);
}

#[test]
fn doubled_oks_change_nothing() {
    once_each_in_order(&[Fault::AnswerDoubled], 30);
}

#[test]
fn noise_before_answers_changes_nothing() {
    once_each_in_order(&[Fault::Noise], 100);
}

#[test]
fn garbled_answers_are_made_up_for_once_each_in_order() {
    once_each_in_order(&[Fault::AnswerCorrupted], 10);
}

#[test]
fn all_faults_together_still_print_once_each_in_order() {
    let all = [
        Fault::LineLost,
        Fault::LineCorrupted,
        Fault::AnswerLost,
        Fault::AnswerDoubled,
        Fault::AnswerCorrupted,
        Fault::Noise,
    ];
    once_each_in_order(&all, 10);
}

#[test]
fn each_single_fault_at_each_early_line_is_survived() {
    let job = job(12);
    let kinds =
        [Fault::LineLost, Fault::LineCorrupted, Fault::AnswerLost, Fault::AnswerDoubled, Fault::Noise];
    for fault in kinds {
        for line in 2..job.len() as u64 + 6 {
            let mut rig = Rig::new(Manners::default(), Faults::at([(line, fault)]), line);
            rig.print(&job).unwrap_or_else(|error| panic!("{fault:?} at {line}: {error}"));
            assert!(rig.record().executed().eq(job.iter().map(Command::text)), "{fault:?} at {line}");
        }
    }
}

#[test]
fn a_restart_in_mid_job_ends_it_and_nothing_is_replayed() {
    let job = job(MOVES);
    for line in [20, 100, 399] {
        let mut rig = Rig::new(Manners::default(), Faults::at([(line, Fault::Restart)]), line);
        assert!(matches!(rig.print(&job), Err(PrinterError::Restarted { .. })));
        let done: Vec<&str> = rig.record().executed().collect();
        assert!(done.iter().eq(job.iter().map(Command::text).collect::<Vec<_>>()[..done.len()].iter()));
    }
}

#[test]
fn a_pulled_cable_ends_the_job_with_the_last_command_acknowledged() {
    let job = job(MOVES);
    let mut rig = Rig::new(Manners::default(), Faults::at([(100, Fault::HangUp)]), 1);
    let Err(PrinterError::LinkLost { last, .. }) = rig.print(&job) else { panic!("the link is not lost") };
    assert!(last > 0 && last <= rig.record().commands);
    assert!(rig.record().commands - last <= WINDOW_LINES);
}

#[test]
fn an_impossible_command_stops_the_machine_and_the_job() {
    let mut rig = Rig::new(Manners::default(), Faults::none(), 1);
    let Err(PrinterError::Fault { message, .. }) = rig.print(&[Command::unchecked("M104 S999")]) else {
        panic!("no fault")
    };
    assert!(message.contains("MAXTEMP") && message.contains("kill()"), "{message}");
}

#[test]
fn moves_still_planned_after_the_last_ok_are_waited_for() {
    let mut rig = Rig::new(Manners { pace: Pace::Times(1.0), ..Manners::default() }, Faults::none(), 1);
    rig.print(&job(1)).unwrap();
    for x in 1..=10 {
        rig.wire.push_own("M105", rig.now);
        rig.until(Wire::is_idle).unwrap();
        rig.wire.push(&Command::unchecked(&format!("G1 X{} F60", 10 + x)), rig.now);
        rig.until(Wire::is_idle).unwrap();
    }
    assert!(rig.record().planned > 4, "acknowledged, not yet made");
    let acknowledged = rig.now;
    rig.own(&["M400", "M105"]).unwrap();
    assert!(rig.now > acknowledged + seconds(5.0));
}

#[test]
fn a_heat_up_takes_its_time_and_is_broken_off_at_once() {
    let mut rig = Rig::new(Manners { pace: Pace::Times(1.0), ..Manners::default() }, Faults::none(), 1);
    rig.until(|wire| !wire.is_greeting()).unwrap();
    rig.own(&["M105"]).unwrap();
    rig.wire.push(&command("M109 S200"), rig.now);
    rig.until(|wire| wire.heard().stats.busy > 3).unwrap();
    let before = rig.now;
    rig.wire.make_safe(rig.now);
    rig.until(Wire::is_idle).unwrap();
    assert!(rig.now - before < seconds(30.0), "{:?}", rig.now - before);
    assert!(rig.record().executed().any(|line| line == "M104 S0"));
}

#[test]
fn a_buffer_that_overflows_is_told_and_the_window_keeps_from_it() {
    let mut rig = Rig::new(Manners { pace: Pace::Times(1.0), ..Manners::default() }, Faults::none(), 3);
    rig.print(&job(200)).unwrap();
    assert_eq!(rig.record().overflowed, 0);
    let mut slow =
        Firmware::new(&MACHINES[0], Manners { pace: Pace::Times(1.0), ..Manners::default() }, Faults::none());
    for _ in 0..40 {
        slow.receive(b"G4 S1\n", Duration::ZERO);
    }
    assert!(slow.record().overflowed > 0);
}
