//! One line of G-code: a command and its words, or a comment that slicers agree on.
//!
//! Numbers become integers of the unit wanted as they are read, so that nothing is rounded twice.

use std::fmt;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Nothing.
    Empty,
    /// `;name:value`, or a comment without a colon as the name.
    Comment(&'a str, &'a str),
    /// A command.
    Command(Command<'a>),
}

/// A command: a letter and a number, then words of the same form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command<'a> {
    letter: u8,
    number: u16,
    /// The words, each known to be one and of a letter of its own.
    words: &'a str,
}

/// A line that is no G-code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no command and its numbers")]
pub(crate) struct Garbled;

impl<'a> Line<'a> {
    /// Reads a line without its end.
    pub(crate) fn parse(line: &'a str) -> Result<Self, Garbled> {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix(';') {
            let (name, value) = comment.split_once(':').unwrap_or((comment, ""));
            return Ok(Self::Comment(name.trim(), value.trim()));
        }
        let code = line.split(';').next().unwrap_or_default().trim();
        if code.is_empty() {
            return Ok(Self::Empty);
        }
        let (first, words) = code.split_once([' ', '\t']).unwrap_or((code, ""));
        let (letter, number) = word(first)?;
        let number = number.parse().map_err(|_| Garbled)?;
        let mut seen = 0_u32;
        for part in words.split_ascii_whitespace() {
            let bit = 1 << (word(part)?.0 - b'A');
            if seen & bit != 0 {
                return Err(Garbled);
            }
            seen |= bit;
        }
        Ok(Self::Command(Command { letter, number, words }))
    }
}

impl Command<'_> {
    /// Its letter and number.
    pub(crate) fn name(&self) -> (u8, u16) {
        (self.letter, self.number)
    }

    /// The letters of its words.
    pub(crate) fn letters(&self) -> impl Iterator<Item = u8> {
        self.words.split_ascii_whitespace().filter_map(|part| word(part).ok()).map(|(letter, _)| letter)
    }

    /// Whether it has this word.
    pub(crate) fn has(&self, letter: u8) -> bool {
        self.word(letter).is_some()
    }

    /// The word's value in units of 10⁻ᵈᶦᵍᶦᵗˢ, rounded; nothing where there is no such word.
    pub(crate) fn value(&self, letter: u8, digits: u32) -> Result<Option<i64>, Garbled> {
        self.word(letter).map(|text| fixed(text, digits).ok_or(Garbled)).transpose()
    }

    fn word(&self, letter: u8) -> Option<&str> {
        let mut words = self.words.split_ascii_whitespace().filter_map(|part| word(part).ok());
        words.find(|(own, _)| *own == letter).map(|(_, value)| value)
    }
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(self.letter), self.number)
    }
}

fn word(part: &str) -> Result<(u8, &str), Garbled> {
    let letter = part.bytes().next().map(|letter| letter.to_ascii_uppercase());
    let letter = letter.filter(u8::is_ascii_uppercase).ok_or(Garbled)?;
    Ok((letter, &part[1..]))
}

/// A decimal number in units of 10⁻ᵈᶦᵍᶦᵗˢ, rounded half away from zero; nothing for any other text or a number beyond
/// ±10⁹.
pub(crate) fn fixed(text: &str, digits: u32) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || whole.len() > 9 || !only_digits(whole) || !only_digits(part) {
        return None;
    }
    let digit = |at: u32| i64::from(part.as_bytes().get(at as usize).map_or(0, |byte| byte - b'0'));
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let value = (0..digits).fold(whole, |value, at| value * 10 + digit(at));
    let value = value + i64::from(digit(digits) >= 5);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_to_the_digit_wanted() {
        for (text, digits, value) in [
            ("1.2345", 3, Some(1235)),
            ("-0.0004", 3, Some(0)),
            ("-.5", 0, Some(-1)),
            ("12.", 2, Some(1200)),
            ("+3", 1, Some(30)),
            (".", 1, None),
            ("", 1, None),
            ("1e3", 1, None),
            ("--1", 1, None),
            ("12345678901", 0, None),
            ("nan", 0, None),
        ] {
            assert_eq!(fixed(text, digits), value, "{text}");
        }
    }

    #[test]
    fn a_line_is_a_command_a_comment_or_refused() {
        let Ok(Line::Command(command)) = Line::parse("g1 X1.5 Y-2 E.04 ; over there") else { panic!() };
        assert_eq!((command.name(), command.to_string()), ((b'G', 1), "G1".into()));
        assert_eq!(command.value(b'X', 3), Ok(Some(1500)));
        assert_eq!((command.value(b'Z', 3), command.has(b'Y')), (Ok(None), true));
        assert_eq!(Line::parse(";TYPE:Perimeter"), Ok(Line::Comment("TYPE", "Perimeter")));
        assert_eq!(Line::parse("  ; x"), Ok(Line::Comment("x", "")));
        assert_eq!(Line::parse("   "), Ok(Line::Empty));
        for garbled in ["G1 X1 X2", "G", "Gone", "1 2", "G1 é", "ä"] {
            assert_eq!(Line::parse(garbled), Err(Garbled), "{garbled}");
        }
        let Ok(Line::Command(command)) = Line::parse("G1 Xx") else { panic!() };
        assert_eq!(command.value(b'X', 3), Err(Garbled));
    }
}
