//! A machine whose queue is sent ahead into does not stand still while its host is away.

use std::collections::VecDeque;

use layerlock_terms::machine::MACHINES;

use super::*;
use crate::guard::Guard;
use crate::printer::simulated::{Faults, Firmware, Manners, Pace};

/// How long each move takes: a thousand a second.
const MOVE: Duration = Duration::from_millis(1);

/// How often a host stands still, and for how long: more moves than a planner holds.
const OFTEN: u32 = 500;
const AWAY: u32 = 40;

/// Moves of a millisecond each, to and fro.
fn moves() -> VecDeque<Command> {
    let mut guard = Guard::new(&MACHINES[0]);
    let to_and_fro = (0..3000).map(|n| format!("G1 X10.{} F6000", n % 2));
    let lines = ["G28".to_owned(), "G1 X10.1 F6000".to_owned()].into_iter().chain(to_and_fro);
    lines.map(|line| guard.admit(&line).expect("a move")).collect()
}

/// Prints them with a host that is away now and then; answers how many moves the machine had to wait for, and the most lines
/// in flight.
fn starved(manners: Manners) -> (u64, u64) {
    let mut moves = moves();
    let mut wire = Wire::open(Duration::ZERO, Duration::from_secs(10));
    let mut firmware = Firmware::new(&MACHINES[0], manners, Faults::none());
    let (mut tick, mut at_rest, mut most) = (0, 0, 0);
    while !moves.is_empty() {
        tick += 1;
        let now = MOVE * tick;
        firmware.receive(&[], now);
        let is_homing = moves.len() > 2500;
        if !is_homing && tick % OFTEN < AWAY {
            continue;
        }
        // What is said is answered at once, as far as the machine gets in a millisecond.
        for _ in 0..8 {
            wire.receive(&firmware.take_output().expect("it is plugged in"), now);
            while let Some(command) = moves.front().filter(|command| wire.has_room_for(command)) {
                wire.push(command, now);
                moves.pop_front();
            }
            firmware.receive(&wire.take_output(), now);
        }
        wire.tick(now);
        most = most.max(wire.in_flight());
        if is_homing {
            at_rest = firmware.record().starved;
        }
        assert!(tick < 100_000 && wire.ending().is_none(), "{:?} after {tick} ms", wire.ending());
    }
    assert_eq!(firmware.record().overflowed, 0);
    (firmware.record().starved - at_rest, most)
}

#[test]
fn rule_15_a_longer_queue_that_is_told_of_keeps_a_machine_moving_while_its_host_is_away() {
    let paced = Manners { pace: Pace::Times(1.0), ..Manners::default() };
    let (waited_for, most) = starved(Manners { queue: 32, ..paced.clone() });
    assert!(
        waited_for > 1 && most <= WINDOW_LINES,
        "{waited_for} moves came late with {most} lines in flight"
    );
    let (waited_for, most) = starved(Manners { queue: 32, advanced_ok: true, ..paced });
    assert_eq!(waited_for, 0, "with {most} lines in flight");
    assert!(most > 24);
}
