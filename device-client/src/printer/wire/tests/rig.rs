//! A wire and a simulated machine joined by a cable with delays, in virtual time: no port, no clock, no thread.

use std::collections::VecDeque;
use std::time::Duration;

use layerlock_terms::machine::MACHINES;

use crate::guard::{Command, Guard};
use crate::printer::simulated::{Faults, Firmware, Manners, Record};
use crate::printer::wire::Wire;
use crate::printer::{LinkStats, PrinterError};

/// Everything between a job and what a machine did.
pub(super) struct Rig {
    pub(super) wire: Wire,
    pub(super) firmware: Firmware,
    pub(super) now: Duration,
    to_machine: VecDeque<Vec<u8>>,
    to_host: VecDeque<Vec<u8>>,
    /// Chooses which line on the cable arrives next.
    order: u64,
    steps: u64,
    /// Most lines, and most bytes, that were on the cable or in the receive buffer at once.
    pub(super) most_unread: (usize, usize),
}

/// More than any job here takes; reached only by going round in circles.
const STEPS: u64 = 200_000;

/// A job of `moves` moves on a homed, warm machine, no two lines alike.
pub(super) fn job(moves: usize) -> Vec<Command> {
    let mut guard = Guard::new(&MACHINES[0]);
    let start = ["G28", "M104 S200", "M109 S200", "M83"].map(String::from);
    let moves = (0..moves).map(|n| format!("G1 X{}.{:03} Y{} E0.01", 10 + n / 1000, n % 1000, 10 + n % 7));
    start.into_iter().chain(moves).map(|line| guard.admit(&line).unwrap()).collect()
}

impl Rig {
    pub(super) fn new(manners: Manners, faults: Faults, seed: u64) -> Self {
        Self {
            wire: Wire::open(Duration::ZERO, Duration::from_secs(10)),
            firmware: Firmware::new(&MACHINES[0], manners, faults),
            now: Duration::ZERO,
            to_machine: VecDeque::new(),
            to_host: VecDeque::new(),
            order: seed.wrapping_mul(2) | 1,
            steps: 0,
            most_unread: (0, 0),
        }
    }

    /// Greets, sends the whole job, drains.
    pub(super) fn print(&mut self, job: &[Command]) -> Result<(), PrinterError> {
        self.until(|wire| !wire.is_greeting())?;
        self.own(&["M115", "M113 S2", "M105"])?;
        self.own(&["M105"])?;
        for command in job {
            self.until(|wire| wire.has_room_for(command))?;
            self.wire.push(command, self.now);
        }
        self.until(Wire::is_idle)?;
        self.own(&["M400", "M105"])
    }

    pub(super) fn own(&mut self, lines: &[&'static str]) -> Result<(), PrinterError> {
        for line in lines {
            self.wire.push_own(line, self.now);
        }
        self.until(Wire::is_idle)
    }

    pub(super) fn until(&mut self, done: impl Fn(&Wire) -> bool) -> Result<(), PrinterError> {
        while !done(&self.wire) {
            if let Some(ending) = self.wire.ending() {
                return Err(ending.error(self.wire.heard().stats));
            }
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), PrinterError> {
        self.steps += 1;
        assert!(self.steps < STEPS, "goes round in circles: {:?}", self.stats());
        let said = self.wire.take_output();
        self.to_machine.extend(said.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec));
        self.measure_unread();
        let last = self.stats().last_acknowledged;
        let cut = || PrinterError::LinkLost { last, cause: "cut".into() };
        let answer = self.firmware.take_output().ok_or_else(cut)?;
        self.to_host.extend(answer.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec));
        match (self.to_machine.is_empty(), self.to_host.is_empty()) {
            (true, true) => self.wait(),
            (false, true) => self.arrive_at_machine(),
            (true, false) => self.arrive_at_host(),
            (false, false) if self.toss() => self.arrive_at_machine(),
            (false, false) => self.arrive_at_host(),
        }
        Ok(())
    }

    fn measure_unread(&mut self) {
        let unread: Vec<u8> =
            self.firmware.unread().chain(self.to_machine.iter().flatten().copied()).collect();
        let lines = unread.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count();
        self.most_unread = (self.most_unread.0.max(lines), self.most_unread.1.max(unread.len()));
    }

    fn arrive_at_machine(&mut self) {
        let line = self.to_machine.pop_front().unwrap_or_default();
        self.firmware.receive(&line, self.now);
    }

    fn arrive_at_host(&mut self) {
        let line = self.to_host.pop_front().unwrap_or_default();
        self.wire.receive(&line, self.now);
    }

    /// Nothing on the cable: time goes on to whoever has something to do first.
    fn wait(&mut self) {
        let next = self.wire.deadline().into_iter().chain(self.firmware.wake()).min();
        self.now = next.expect("someone has something to do").max(self.now);
        self.firmware.receive(&[], self.now);
        self.wire.tick(self.now);
    }

    fn toss(&mut self) -> bool {
        self.order ^= self.order << 13;
        self.order ^= self.order >> 7;
        self.order ^= self.order << 17;
        self.order & 64 == 0
    }

    pub(super) fn stats(&self) -> LinkStats {
        self.wire.heard().stats
    }

    pub(super) fn record(&self) -> &Record {
        self.firmware.record()
    }
}
