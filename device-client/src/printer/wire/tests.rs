//! The rules of the wire, one test each, in virtual time: hand-fed here, against the simulated machine in `faults`.

mod ahead;
mod faults;
mod rig;
mod waiting;

use layerlock_terms::machine::MACHINES;

use super::*;
use crate::guard::Guard;
use crate::printer::marlin::START;

/// A wire and the hands of its clock; the machine's side is played by the test.
struct Play {
    wire: Wire,
    now: Duration,
}

fn seconds(count: f64) -> Duration {
    Duration::from_secs_f64(count)
}

fn command(text: &str) -> Command {
    let mut guard = Guard::new(&MACHINES[0]);
    for line in ["G28", "M104 S200", "M83"] {
        guard.admit(line).unwrap();
    }
    guard.admit(text).unwrap()
}

impl Play {
    fn opened() -> Self {
        Self { wire: Wire::open(Duration::ZERO, START), now: Duration::ZERO }
    }

    /// Numbering agreed, reports known to be glued, everything acknowledged; the next line is number 2.
    fn greeted() -> Self {
        let mut play = Self::opened();
        play.hears("ok");
        play.wire.push_own("M105", play.now);
        play.hears("ok T:20.0 /0.0 B:20.0 /0.0");
        play.said();
        assert!(play.wire.is_idle());
        play
    }

    /// Greeted, with moves X1, X2, … written as lines 2, 3, …
    fn printing(moves: u32) -> Self {
        let mut play = Self::greeted();
        for x in 1..=moves {
            play.writes(&format!("G1 X{x}"));
        }
        play
    }

    fn writes(&mut self, text: &str) {
        let command = command(text);
        assert!(self.wire.has_room_for(&command), "{text}");
        self.wire.push(&command, self.now);
    }

    /// Writes so many moves, each acknowledged, and answers the reports asked for between them.
    fn prints(&mut self, moves: u32) {
        for x in 1..=moves {
            self.writes(&format!("G1 X{x}"));
            self.is_acknowledged();
        }
    }

    fn is_acknowledged(&mut self) {
        self.hears("ok");
        if self.unacknowledged() > 0 {
            self.hears("ok T:200 /200");
        }
    }

    fn hears(&mut self, lines: &str) {
        for line in lines.lines() {
            self.wire.receive(format!("{line}\n").as_bytes(), self.now);
        }
    }

    fn said(&mut self) -> String {
        String::from_utf8(self.wire.take_output()).unwrap()
    }

    /// What it said, as line numbers and `|` between them.
    fn numbers(&mut self) -> String {
        let said = self.said();
        let numbers = said.lines().map(|line| line[1..].split(' ').next().unwrap_or_default().to_owned());
        numbers.collect::<Vec<_>>().join("|")
    }

    fn passes(&mut self, time: f64) {
        self.now += seconds(time);
        self.wire.tick(self.now);
    }

    fn unacknowledged(&self) -> u64 {
        self.wire.in_flight()
    }

    fn error(&self) -> PrinterError {
        self.wire.ending().expect("the connection is over").error(self.wire.heard().stats)
    }
}

// Numbering.

#[test]
fn rule_1_a_newline_and_m110_come_first_and_nothing_numbered_before_its_ok() {
    let mut play = Play::opened();
    assert_eq!(play.said(), "\nN0 M110 N0*125\n");
    assert!(!play.wire.has_room_for(&command("G1 X1")));
    play.hears("ok");
    assert!(play.wire.has_room_for(&command("G1 X1")));
}

#[test]
fn rule_1_m110_is_sent_three_times_at_most() {
    let mut play = Play::opened();
    let mut said = play.said();
    for _ in 0..100 {
        play.passes(0.1);
        said += &play.said();
    }
    assert_eq!(said.matches("M110").count(), 3);
    assert!(matches!(play.error(), PrinterError::NoAnswer { .. }));
}

#[test]
fn rule_2_a_line_gets_its_number_when_it_is_sent() {
    let mut play = Play::greeted();
    play.writes("G1 X1");
    play.writes("G1 X2");
    assert_eq!(play.said(), "N2 G1 X1*99\nN3 G1 X2*97\n");
}

#[test]
fn rule_5_every_line_of_a_print_is_numbered() {
    let mut play = Play::printing(4);
    play.passes(40.0);
    play.hears("Resend: 3\nok\nok\nok");
    let said = play.said();
    assert!(said.lines().count() > 6);
    assert!(said.lines().all(|line| line.starts_with('N') && line.contains('*')), "{said}");
}

#[test]
fn rule_6_a_request_for_a_kept_line_rewinds_to_it() {
    for request in ["Resend: 3", "Resend:3", "rs 3", "rs N3"] {
        let mut play = Play::printing(3);
        play.said();
        play.hears("ok");
        play.hears(request);
        assert_eq!(play.said(), "", "waits for the ok that belongs to it");
        play.hears("ok");
        assert_eq!(play.said(), "N3 G1 X2*97\nN4 G1 X3*103\n", "{request}");
        assert_eq!(play.wire.heard().stats.resends, 2);
    }
}

#[test]
fn rule_6_a_request_for_the_next_unsent_line_is_ignored() {
    let mut play = Play::printing(2);
    play.said();
    play.hears("Resend: 4\nok\nok\nok");
    assert_eq!(play.said(), "");
    assert!(play.wire.is_idle());
}

#[test]
fn rule_6_a_machine_that_asks_from_the_beginning_was_reset_and_gets_nothing_again() {
    let mut play = Play::greeted();
    play.prints(60);
    play.writes("G1 X100");
    play.said();
    play.hears("Resend: 1\nok\nResend: 1\nok");
    assert!(!play.said().contains("G1"), "no command of the job is replayed");
    assert!(matches!(play.error(), PrinterError::Restarted { last: 60 }));
}

#[test]
fn rule_6_one_garbled_request_for_a_line_long_taken_is_put_to_the_probe() {
    let mut play = Play::greeted();
    play.prints(60);
    play.writes("G1 X100");
    play.said();
    play.hears("Resend: 2\nok");
    assert_eq!(play.numbers(), "64");
    play.hears("ok T:200 /200");
    assert!(play.wire.is_idle());
}

#[test]
fn rule_6_a_machine_that_asks_for_a_line_never_sent_has_skipped_some_and_the_job_is_over() {
    let mut play = Play::printing(2);
    play.hears("Resend: 7\nok");
    assert!(play.wire.ending().is_none(), "once, it may be a garbled digit");
    play.hears("Resend: 7\nok");
    assert!(matches!(play.error(), PrinterError::LostCount { line: 7 }));
}

#[test]
fn rule_7_the_ok_after_a_resend_request_acknowledges_nothing() {
    let mut play = Play::printing(2);
    play.hears("Resend: 2\nok");
    assert_eq!(play.unacknowledged(), 2);
    play.hears("ok\nok");
    assert!(play.wire.is_idle());
}

#[test]
fn rule_7_where_firmware_leaves_that_ok_out_the_wire_goes_on_after_half_a_second() {
    let mut play = Play::printing(2);
    play.said();
    play.hears("Resend: 2");
    play.passes(0.4);
    assert_eq!(play.said(), "");
    assert_eq!(play.wire.deadline(), Some(RESEND_OK));
    play.passes(0.1);
    assert_eq!(play.numbers(), "2|3");
}

#[test]
fn rule_8_duplicate_requests_in_flight_rewind_once() {
    let mut play = Play::printing(4);
    play.said();
    play.hears("Resend: 2\nok\nResend: 2\nok\nResend: 2\nok\nResend: 2\nok");
    assert_eq!(play.numbers(), "2|3|4|5");
    play.hears("Resend: 2\nok");
    assert_eq!(play.numbers(), "2", "one more than were in flight is a new request");
}

#[test]
fn rule_9_the_same_line_asked_for_ten_times_ends_the_job() {
    let mut play = Play::printing(1);
    for _ in 0..10 {
        assert!(play.wire.ending().is_none());
        play.hears("Resend: 2\nok");
    }
    assert!(matches!(play.error(), PrinterError::Garbled { line: 2, times: 10 }));
    assert_eq!(play.wire.ending().map(Ending::afterwards), Some(Afterwards::SafeState));
}

#[test]
fn rule_9_more_than_a_tenth_of_resends_is_told_once() {
    let mut play = Play::greeted();
    for x in 1..=200 {
        play.writes("G1 X1");
        if x % 5 == 0 {
            let line = play.wire.acked.0;
            play.hears(&format!("Resend: {line}\nok"));
        }
        play.is_acknowledged();
    }
    assert!(matches!(play.wire.take_event(), Some(PrinterEvent::ManyResends { .. })));
    assert_eq!(play.wire.take_event(), None);
}

#[test]
fn rule_10_an_error_that_a_resend_follows_does_nothing_itself() {
    let mut play = Play::printing(1);
    play.said();
    play.hears(
        "Error:checksum mismatch, Last Line: 1\nError:Line Number is not Last Line Number+1, Last Line: 1",
    );
    assert_eq!(play.said(), "");
    assert_eq!(play.unacknowledged(), 1);
    assert!(play.wire.ending().is_none());
}

// Lost and doubled answers.

#[test]
fn rule_11_a_late_answer_is_probed_for_with_the_next_number_never_the_last() {
    let mut play = Play::printing(1);
    play.said();
    play.passes(29.9);
    assert_eq!(play.said(), "");
    play.passes(0.1);
    assert_eq!(play.said(), "N3 M105*36\n");
    play.hears("ok T:20.0 /0.0");
    assert!(play.wire.is_idle(), "the answer to the probe answers for the line before it");
    assert_eq!(play.wire.heard().stats.last_acknowledged, 1);
}

#[test]
fn rule_11_a_lost_line_is_asked_for_when_the_probe_arrives() {
    let mut play = Play::printing(1);
    play.passes(30.0);
    play.said();
    play.hears("Resend: 2\nok");
    assert_eq!(play.said(), "N2 G1 X1*99\nN3 M105*36\n");
}

#[test]
fn rule_11_where_busy_was_seen_three_seconds_are_late() {
    let mut play = Play::printing(1);
    play.hears("echo:busy: processing\nok");
    play.writes("G1 X2");
    play.said();
    play.passes(2.9);
    assert_eq!(play.said(), "");
    play.passes(0.1);
    assert_eq!(play.numbers(), "4");
}

#[test]
fn rule_11_five_probes_without_an_answer_end_the_job() {
    let mut play = Play::printing(1);
    play.said();
    for _ in 0..5 {
        play.passes(30.0);
    }
    assert_eq!(play.numbers(), "3|4|5|6|7");
    assert!(play.wire.ending().is_none());
    play.passes(30.0);
    assert!(matches!(play.error(), PrinterError::Silent { last: 0, probes: 5 }));
}

#[test]
fn rule_12_start_in_mid_print_ends_the_job_and_nothing_is_replayed() {
    let mut play = Play::printing(3);
    play.said();
    play.hears("ok\nstart\necho:Marlin 2.1.2\nResend: 1\nok");
    assert_eq!(play.said(), "");
    assert!(matches!(play.error(), PrinterError::Restarted { last: 1 }));
}

#[test]
fn rule_12_start_in_the_greeting_is_a_machine_that_boots() {
    let mut play = Play::opened();
    play.said();
    play.passes(1.0);
    play.hears("start");
    assert_eq!(play.said(), "\nN0 M110 N0*125\n");
    play.hears("ok");
    assert!(play.wire.is_idle());
}

#[test]
fn rule_13_wait_with_a_line_unacknowledged_is_a_timeout_now() {
    let mut play = Play::printing(1);
    play.said();
    play.hears("wait");
    assert_eq!(play.numbers(), "3");
    let mut idle = Play::greeted();
    idle.hears("wait");
    assert_eq!(idle.said(), "");
}

#[test]
fn rule_13_bytes_that_are_no_answer_do_not_put_the_timeout_off() {
    let mut play = Play::printing(1);
    play.said();
    for _ in 0..30 {
        play.passes(1.0);
        play.hears("T:20.0 /0.0 B:20.0 /0.0");
    }
    assert_eq!(play.numbers(), "3");
}

#[test]
fn rule_14_an_ok_with_nothing_outstanding_is_dropped() {
    let mut play = Play::greeted();
    play.hears("ok\nok\nok");
    for x in 1..=4 {
        play.writes(&format!("G1 X{x}"));
    }
    assert_eq!(play.unacknowledged(), 4);
}

#[test]
fn rule_15_an_advanced_ok_is_an_upper_bound_only() {
    let mut play = Play::printing(3);
    play.hears("ok N4 P15 B3");
    assert_eq!(play.unacknowledged(), 2, "it acknowledges one line, not all up to its number");
    play.hears("ok N2 P15 B3");
    assert_eq!(play.unacknowledged(), 2, "one for a line acknowledged before is stale");
}

#[test]
fn rule_15_the_queue_an_advanced_ok_tells_of_is_sent_ahead_into_but_no_more_than_a_receive_buffer_is_unread()
{
    let mut play = Play::printing(3);
    play.said();
    play.hears("ok N2 P16 B15\nok N3 P16 B15\nok N4 P16 B15");
    let fill = |play: &mut Play| {
        let mut written = 0;
        while play.wire.has_room_for(&command("G1 X1.000 Y1.000")) {
            play.writes("G1 X1.000 Y1.000");
            written += 1;
        }
        written
    };
    assert_eq!(fill(&mut play), 5, "of 23 bytes each: 120 may be unread");
    play.hears("ok N5 P16 B15");
    assert_eq!(fill(&mut play), 1, "its queue is empty: nothing else was read");
    play.hears("ok N6 P0 B10");
    assert_eq!(fill(&mut play), 1, "one may have been garbled on its way");
    play.hears("ok N7 P0 B13");
    assert_eq!(fill(&mut play), 3, "two lines are in its queue, for sure");
    for queued in 3..=15 {
        play.hears(&format!("ok N9999 P0 B{}", 15 - queued));
        fill(&mut play);
    }
    play.hears("ok N9999 P0 B0");
    fill(&mut play);
    assert_eq!(play.unacknowledged(), 16, "as many as it holds");
}

#[test]
fn rule_15_a_queue_of_any_length_is_believed_up_to_32_lines_and_none_of_a_machine_that_lost_lines() {
    let mut play = Play::printing(3);
    play.hears("ok N2 P16 B99999999999\nok N3 P16 B99999999999");
    assert_eq!(play.wire.window_lines, WINDOW_LINES, "twice is not yet sure");
    play.hears("ok N4 P16 B99999999999");
    for _ in 0..100 {
        while play.wire.has_room_for(&command("G1 X1")) {
            play.writes("G1 X1");
        }
        play.hears("ok N9999 P16 B0");
    }
    assert!((31..=32).contains(&play.unacknowledged()));
    for _ in 0..4 {
        let line = play.wire.acked.0;
        play.hears(&format!("Resend: {line}\nok"));
        for _ in 0..40 {
            play.hears(&format!("Resend: {line}\nok"));
        }
        play.hears("ok");
        play.hears("ok N9999 P16 B63");
    }
    assert_eq!(play.wire.window_lines, WINDOW_LINES);
}

#[test]
fn rule_16_at_most_four_lines_are_unacknowledged() {
    let mut play = Play::printing(4);
    assert!(!play.wire.has_room_for(&command("G1 X5")));
    play.hears("ok");
    assert!(play.wire.has_room_for(&command("G1 X5")));
}

#[test]
fn rule_16_at_most_120_bytes_are_unacknowledged() {
    let mut play = Play::greeted();
    let long = format!("G1 X1{:0<40} Y1", ".");
    let mut written = 0;
    loop {
        let command = Command::unchecked(&long);
        if !play.wire.has_room_for(&command) {
            break;
        }
        play.wire.push(&command, play.now);
        written += 1;
    }
    assert_eq!(written, 2);
    assert!(play.wire.bytes_unread() <= WINDOW_BYTES);
}

#[test]
fn rule_16_a_line_asked_for_goes_alone_until_the_lines_behind_it_have_asked_too_or_it_is_acknowledged() {
    let mut play = Play::printing(4);
    play.said();
    play.hears("Resend: 2\nok");
    assert_eq!(play.numbers(), "2", "lines 3 to 5 may still be in the receive buffer");
    play.hears("Resend: 2\nok");
    assert_eq!(play.numbers(), "3");
    play.hears("ok");
    assert_eq!(play.numbers(), "4|5", "what stood before an acknowledged line has been read");
}

#[test]
fn rule_16_lines_that_never_ask_hold_the_window_for_half_a_second() {
    let mut play = Play::printing(4);
    play.said();
    play.hears("Resend: 2\nok");
    assert_eq!(play.numbers(), "2");
    play.passes(0.4);
    assert_eq!(play.said(), "");
    play.passes(0.1);
    assert_eq!(play.numbers(), "3|4|5");
}

#[test]
fn rule_16_resends_in_a_row_narrow_the_window_to_a_smaller_buffer_then_to_one_line() {
    let mut play = Play::greeted();
    for (expected, rounds) in [(WINDOW_BYTES, 3), (60, 4), (0, 4)] {
        for _ in 0..rounds {
            play.writes("G1 X1");
            let line = play.wire.acked.0;
            play.hears(&format!("Resend: {line}\nok"));
            play.is_acknowledged();
        }
        assert_eq!(play.wire.window_bytes, expected);
    }
    play.writes("G1 X1");
    assert!(!play.wire.has_room_for(&command("G1 X2")), "one line at a time");
}

#[test]
fn rule_14_an_ok_too_many_is_forgotten_at_the_next_report() {
    let mut play = Play::greeted();
    for _ in 0..COUNT_EVERY {
        play.writes("G1 X1");
        play.hears("ok");
    }
    assert_eq!(play.unacknowledged(), 1, "the report");
    play.hears("ok\nok\nok");
    assert_eq!(play.unacknowledged(), 1, "only temperatures acknowledge a report");
    play.hears("ok T:200 /200");
    assert_eq!(play.unacknowledged(), 0);
}

#[test]
fn rule_17_oks_are_counted_glued_behind_noise_and_in_pieces() {
    let mut play = Play::printing(4);
    play.wire.receive(b"\0\x80o", play.now);
    play.wire.receive(b"k\r\nokok\r\n\xffok\n", play.now);
    assert!(play.wire.is_idle());
}

#[test]
fn rule_17_a_flood_without_line_ends_is_not_kept() {
    let mut play = Play::printing(1);
    for _ in 0..100 {
        play.wire.receive(&[b'x'; 500], play.now);
    }
    assert!(play.wire.input.len() <= LONGEST_REPLY);
    play.hears("\nok");
    assert!(play.wire.is_idle());
}

// The port.

#[test]
fn rule_28_a_machine_has_ten_seconds_to_start_and_need_not_say_so() {
    let mut silent = Play::opened();
    silent.passes(9.9);
    assert!(silent.wire.is_greeting() && silent.wire.ending().is_none(), "it may still be starting");
    silent.hears("ok");
    assert!(!silent.wire.is_greeting(), "an ok is enough, without any `start`");
    let mut dead = Play::opened();
    dead.passes(10.1);
    assert!(matches!(dead.error(), PrinterError::NoAnswer { .. }));
}

#[test]
fn rule_29_bytes_at_a_wrong_speed_are_no_answer() {
    let mut play = Play::opened();
    for noise in [&[0xff, 0x00, 0xe6, 0x9a, b'\n'][..], b"\x80\x80k\n", b"Marlin 2.1\n", b"echo: busy\n"] {
        play.wire.receive(noise, play.now);
        assert!(play.wire.is_greeting(), "{noise:?} was taken for an answer");
    }
    play.passes(10.1);
    assert!(matches!(play.error(), PrinterError::NoAnswer { .. }), "the next speed is tried");
}
