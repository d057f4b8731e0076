//! Numbered lines: `N<number> <command>*<checksum>`, and the memory of those sent (rules 2, 3, 4 and 6).
//!
//! A number is given when a line is first sent, never earlier. The checksum is the exclusive-or of exactly the
//! bytes before `*`. The [`History`] keeps more lines than a machine can ask for again; a request that reaches
//! behind it can only come from a machine that has lost count.

use std::collections::VecDeque;

use crate::guard::Pace;

/// A line's number on the link; the first after the numbering was agreed is 1.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineNumber(pub u64);

/// What a line is to the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A command of the job.
    Job,
    /// The link's own: set-up, probes, safe state.
    Link,
}

/// A line as written, kept until no request can reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framed {
    /// With number, checksum and line end.
    pub bytes: Box<[u8]>,
    /// How long the machine may take over it.
    pub pace: Pace,
    /// Whose it is.
    pub origin: Origin,
}

/// Lines kept behind the last acknowledged one: twice what rule 2 asks for.
pub const KEPT: usize = 100;

/// The sent lines a machine may still ask for, in order.
#[derive(Debug, Clone)]
pub struct History {
    first: u64,
    lines: VecDeque<Framed>,
}

/// `text` as line `number`, with checksum and line end.
pub fn frame(number: LineNumber, text: &str) -> Box<[u8]> {
    let mut line = Vec::with_capacity(text.len() + 16);
    line.push(b'N');
    push_decimal(&mut line, number.0);
    line.push(b' ');
    line.extend_from_slice(text.as_bytes());
    let sum = checksum(&line);
    line.push(b'*');
    push_decimal(&mut line, u64::from(sum));
    line.push(b'\n');
    line.into_boxed_slice()
}

/// The exclusive-or of all bytes.
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

fn push_decimal(line: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[at..]);
}

impl History {
    /// An empty history; the next line is number 1.
    pub fn new() -> Self {
        Self { first: 1, lines: VecDeque::with_capacity(KEPT + 8) }
    }

    /// The number the next new line gets.
    pub fn next(&self) -> LineNumber {
        LineNumber(self.first + self.lines.len() as u64)
    }

    /// The line of this number, if it is still kept.
    pub fn line(&self, number: LineNumber) -> Option<&Framed> {
        let at = number.0.checked_sub(self.first)?;
        self.lines.get(usize::try_from(at).ok()?)
    }

    /// Numbers and keeps a new line; lines more than [`KEPT`] behind `acknowledged` are forgotten.
    pub fn push(
        &mut self,
        text: &str,
        (pace, origin): (Pace, Origin),
        acknowledged: LineNumber,
    ) -> LineNumber {
        let number = self.next();
        self.lines.push_back(Framed { bytes: frame(number, text), pace, origin });
        while self.first + (KEPT as u64) < acknowledged.0 {
            self.lines.pop_front();
            self.first += 1;
        }
        number
    }

    /// Forgets this line and all after it; their numbers are given again.
    pub fn forget_from(&mut self, number: LineNumber) {
        let keep = number.0.saturating_sub(self.first);
        self.lines.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_the_checksum_covers_exactly_the_bytes_before_the_star() {
        assert_eq!(&*frame(LineNumber(0), "M110 N0"), b"N0 M110 N0*125\n");
        assert_eq!(&*frame(LineNumber(3), "T0"), b"N3 T0*57\n");
    }

    #[test]
    fn rule_2_at_least_fifty_sent_lines_are_kept() {
        let mut history = History::new();
        for n in 1..=500 {
            let number = history.push("G1 X1", (Pace::Prompt, Origin::Job), LineNumber(n));
            assert_eq!(number, LineNumber(n));
        }
        assert!(history.line(LineNumber(450)).is_some());
        assert!(history.line(LineNumber(300)).is_none());
        assert!(history.line(LineNumber(501)).is_none());
    }

    #[test]
    fn rule_4_a_whole_line_is_at_most_95_bytes_up_to_a_hundred_million_lines() {
        let text = format!("Aa{:079}", 0); // Chosen for a checksum of three digits.
        assert_eq!(text.len(), crate::guard::MAX_TEXT);
        let line = frame(LineNumber(99_999_999), &text);
        assert!(line.ends_with(b"*126\n"), "{}", line.escape_ascii());
        assert_eq!(line.len(), 95 + 1); // With its line end.
    }
}
