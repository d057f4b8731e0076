//! G-code words, seen exactly: a letter and a decimal number, as an integer in 10⁻⁵ units.
//!
//! No floats: what the guard compares is what stands in the line. A number with more than five decimals, an
//! exponent or a sign in the middle is no number here, although some firmware would read on.

use std::fmt;

/// A decimal number in units of 10⁻⁵.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fixed(i64);

/// One letter with its value; a letter alone has the value zero, as machines read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) letter: char,
    pub(super) value: Fixed,
}

const DECIMALS: usize = 5;
const ONE: i64 = 100_000;
/// More digits before the point than any value we take; keeps the arithmetic far from its ends.
const MAX_DIGITS: usize = 8;

impl Fixed {
    pub(super) const ZERO: Self = Self(0);
    pub(super) const SMALLEST: Self = Self(1);

    pub(super) const fn whole(units: i64) -> Self {
        Self(units * ONE)
    }

    /// In units of 10⁻⁵.
    pub(super) const fn raw(units: i64) -> Self {
        Self(units)
    }

    /// In units of 10⁻⁵.
    pub(super) const fn units(self) -> i64 {
        self.0
    }

    pub(super) const fn micrometres(um: i32) -> Self {
        Self(um as i64 * (ONE / 1000))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    pub(super) fn divided(self, by: i64) -> Self {
        Self(self.0 / by)
    }

    /// The whole number this is, if it is one.
    pub(super) fn integer(self) -> Option<i64> {
        (self.0 % ONE == 0).then_some(self.0 / ONE)
    }

    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let known = |s: &str, most: usize| s.len() <= most && s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !known(whole, MAX_DIGITS) || !known(part, DECIMALS) {
            return None;
        }
        let scale = 10_i64.pow((DECIMALS - part.len()) as u32);
        let number = |s: &str| s.bytes().fold(0_i64, |n, digit| n * 10 + i64::from(digit - b'0'));
        let size = number(whole) * ONE + number(part) * scale;
        Some(Self(if negative { -size } else { size }))
    }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.unsigned_abs() / ONE as u64, self.0.unsigned_abs() % ONE as u64);
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        write!(f, "{sign}{whole}.{}", format!("{part:05}").trim_end_matches('0'))
    }
}

/// The words of a line, with or without spaces between them; an `Err` holds what is no word.
pub(super) fn words(line: &str) -> impl Iterator<Item = Result<Word, String>> + '_ {
    let mut rest = line.trim_start();
    std::iter::from_fn(move || {
        let letter = rest.chars().next()?;
        let end =
            rest[1..].find(|c: char| c == ' ' || c.is_ascii_alphabetic()).map_or(rest.len(), |at| at + 1);
        let (word, after) = rest.split_at(end);
        rest = after.trim_start();
        Some(parse(letter, word))
    })
}

fn parse(letter: char, word: &str) -> Result<Word, String> {
    let value = if word.len() == 1 { Some(Fixed::ZERO) } else { Fixed::parse(&word[1..]) };
    match value {
        Some(value) if letter.is_ascii_uppercase() => Ok(Word { letter, value }),
        _ => Err(word.into()),
    }
}
