//! What goes wrong on a cable, on purpose: at given lines, or at random from a seed that is printed.
//!
//! Pure: the n-th question always has the same answer for the same seed, so a failure is run again at will.

use std::collections::BTreeMap;

/// One mishap, for one line in the direction it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A line to the machine vanishes.
    LineLost,
    /// A bit of a line to the machine is flipped.
    LineCorrupted,
    /// A line from the machine vanishes: a lost ok.
    AnswerLost,
    /// A bit of a line from the machine is flipped.
    AnswerCorrupted,
    /// A line from the machine comes twice.
    AnswerDoubled,
    /// Bytes that mean nothing come before a line from the machine.
    Noise,
    /// The machine loses power for a moment and starts afresh.
    Restart,
    /// The cable is pulled.
    HangUp,
    /// The machine finds that it heats as it should not, and stops itself.
    Halt,
    /// Somebody presses a button, or a sensor speaks: the machine says this out of turn.
    Says(&'static str),
}

/// A cable and its mishaps.
#[derive(Debug, Clone)]
pub struct Faults {
    planned: BTreeMap<u64, Fault>,
    random: Vec<Fault>,
    per_mille: u64,
    state: u64,
    to_machine: u64,
}

impl Faults {
    /// A good cable.
    pub fn none() -> Self {
        Self::at([])
    }

    /// These faults, each with the line to the machine (counted from zero) that it befalls or precedes the answer to.
    pub fn at(planned: impl IntoIterator<Item = (u64, Fault)>) -> Self {
        Self {
            planned: planned.into_iter().collect(),
            random: Vec::new(),
            per_mille: 0,
            state: 1,
            to_machine: 0,
        }
    }

    /// Faults of these classes, each befalling `per_mille` lines in a thousand, drawn from `seed`.
    pub fn random(seed: u64, classes: &[Fault], per_mille: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { planned: BTreeMap::new(), random: classes.to_vec(), per_mille, state, to_machine: 0 }
    }

    /// What befalls the next line to the machine.
    pub(super) fn toward_machine(&mut self) -> Option<Fault> {
        let line = self.to_machine;
        self.to_machine += 1;
        match self.planned.get(&line) {
            Some(fault) if !fault.befalls_answers() => self.planned.remove(&line),
            _ => self.draw(|fault| !fault.befalls_answers()),
        }
    }

    /// What befalls the next line from the machine.
    pub(super) fn toward_host(&mut self) -> Option<Fault> {
        let due =
            self.planned.iter().find(|(line, fault)| **line < self.to_machine && fault.befalls_answers());
        match due.map(|(line, _)| *line) {
            Some(line) => self.planned.remove(&line),
            None => self.draw(Fault::befalls_answers),
        }
    }

    fn draw(&mut self, fits: impl Fn(Fault) -> bool) -> Option<Fault> {
        let classes: Vec<Fault> = self.random.iter().copied().filter(|&fault| fits(fault)).collect();
        classes.into_iter().find(|_| self.number(1000) < self.per_mille)
    }

    /// A number below `end`: xorshift64*, which is enough to choose mishaps.
    fn number(&mut self, end: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    /// The line with one bit flipped, never in its line end.
    pub(super) fn corrupted(&mut self, line: &[u8]) -> Vec<u8> {
        let mut line = line.to_vec();
        let length = line.len().saturating_sub(1) as u64;
        if length > 0 {
            let at = self.number(length) as usize;
            line[at] ^= 1 << self.number(8);
        }
        line
    }
}

impl Fault {
    fn befalls_answers(self) -> bool {
        matches!(self, Self::AnswerLost | Self::AnswerCorrupted | Self::AnswerDoubled | Self::Noise)
    }
}
