//! Decimal numbers out of bytes: the most frequent thing in a text mesh, so it has a road of its own.
//!
//! A number whose digits and power of ten a double holds exactly needs one multiplication or division (Clinger,
//! "How to Read Floating Point Numbers Accurately", 1990); what is not so plain goes to the standard library.
//! Both round to the nearest `f32`, so every reader of ours takes the same text for the same coordinate.

/// Most digits a `u64` always holds.
const DIGITS: usize = 19;

/// Whole numbers up to this are exact in a double.
const EXACT: u64 = 1 << 53;

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Below this an `f32` has fewer digits, and rounding twice is no longer seen from its last bits.
const SMALL: f64 = 1e-30;

/// The number that `bytes` begin with and how long it is: `-12.5e-3` and the like, never `nan` or `inf`.
///
/// A number too large for the type is infinite; the caller refuses it as such.
pub(super) fn decimal(bytes: &[u8]) -> Option<(f32, usize)> {
    let text = Text::scan(bytes)?;
    let value = text.plain().or_else(|| text.exact(bytes))?;
    Some((value, text.length))
}

/// The whole number that `bytes` begin with and how long it is.
pub(super) fn whole(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut value = 0_u64;
    let mut length = 0;
    while let Some(digit) = bytes.get(length).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
    {
        value = value * 10 + u64::from(digit);
        length += 1;
        if length > DIGITS - 1 {
            return None;
        }
    }
    if length == 0 { None } else { Some((u32::try_from(value).ok()?, length)) }
}

/// A number taken apart: its digits as one whole number, and the power of ten that belongs to it.
struct Text {
    is_negative: bool,
    digits: u64,
    /// Digits before and after the point, leading zeros too.
    count: usize,
    power: i32,
    length: usize,
}

impl Text {
    fn scan(bytes: &[u8]) -> Option<Self> {
        let is_negative = bytes.first() == Some(&b'-');
        let signed = is_negative || bytes.first() == Some(&b'+');
        let mut text = Self { is_negative, digits: 0, count: 0, power: 0, length: usize::from(signed) };
        text.take_digits(bytes);
        if bytes.get(text.length) == Some(&b'.') {
            text.length += 1;
            let before = text.count;
            text.take_digits(bytes);
            text.power = -i32::try_from(text.count - before).ok()?;
        }
        if text.count == 0 {
            return None;
        }
        text.take_power(bytes);
        Some(text)
    }

    /// Wraps around after [`DIGITS`]; `plain` looks at the count before it believes the digits.
    #[inline]
    fn take_digits(&mut self, bytes: &[u8]) {
        let rest = &bytes[self.length..];
        let mut taken = 0;
        while let Some(digit) =
            rest.get(taken).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
        {
            self.digits = self.digits.wrapping_mul(10).wrapping_add(u64::from(digit));
            taken += 1;
        }
        self.count += taken;
        self.length += taken;
    }

    /// An `e` without digits behind it belongs to whatever comes next.
    fn take_power(&mut self, bytes: &[u8]) {
        if !matches!(bytes.get(self.length), Some(b'e' | b'E')) {
            return;
        }
        let sign = bytes.get(self.length + 1);
        let first = self.length + 1 + usize::from(matches!(sign, Some(b'+' | b'-')));
        let (mut power, mut at) = (0_i32, first);
        while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
        {
            power = power.saturating_mul(10).saturating_add(i32::from(digit));
            at += 1;
        }
        if at > first {
            self.power = self.power.saturating_add(if sign == Some(&b'-') { -power } else { power });
            self.length = at;
        }
    }

    /// The value by one exact step, where that is possible.
    #[inline]
    fn plain(&self) -> Option<f32> {
        if self.count > DIGITS || self.digits > EXACT {
            return None;
        }
        let digits = self.digits as f64;
        let power = POWERS.get(self.power.unsigned_abs() as usize)?;
        let value = if self.power < 0 { digits / power } else { digits * power };
        // Rounding to a double first changes the outcome only where it ends half-way between two floats.
        let is_halfway = value.to_bits() & ((1 << 29) - 1) == 1 << 28;
        if is_halfway || (value < SMALL && self.digits != 0) {
            return None;
        }
        Some(if self.is_negative { -value as f32 } else { value as f32 })
    }

    #[cold]
    fn exact(&self, bytes: &[u8]) -> Option<f32> {
        std::str::from_utf8(&bytes[..self.length]).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_end_where_they_end() {
        for (text, value, length) in [
            ("12", 12.0, 2),
            ("-0.5\"", -0.5, 4),
            ("+3.25 4", 3.25, 5),
            (".5", 0.5, 2),
            ("7.", 7.0, 2),
            ("1e3/", 1000.0, 3),
            ("2.5E-1", 0.25, 6),
            ("1e", 1.0, 1),
            ("1e+", 1.0, 1),
            ("1.2.3", 1.2, 3),
            ("1e999", f32::INFINITY, 5),
            ("0e99999999999", 0.0, 13),
            ("1e-999", 0.0, 6),
        ] {
            assert_eq!(decimal(text.as_bytes()), Some((value, length)), "{text}");
        }
        for text in ["", "-", ".", "e5", "nan", "inf", "-.", "x1", "\u{0661}"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_that_do_not_fit_are_none() {
        assert_eq!(whole(b"4294967295\""), Some((u32::MAX, 10)));
        for text in ["4294967296", "", "-1", "99999999999999999999999999", "18446744073709551616"] {
            assert_eq!(whole(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_number_half_way_between_two_floats_is_rounded_once() {
        // 1 + 2⁻²⁴ is half-way and goes to even; a hair more goes up, though a double can't tell them apart.
        let half_way = "1.000000059604644775390625";
        let hair_more = "1.00000005960464477539062500001";
        for text in [half_way, hair_more, "16777217", "16777219", "1.0000000596046448"] {
            assert_eq!(decimal(text.as_bytes()), Some((text.parse().unwrap(), text.len())), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn every_number_reads_as_the_standard_library_has_it(
            text in "[+-]?(0|[1-9][0-9]{0,12})(\\.[0-9]{0,12})?([eE][+-]?[0-9]{1,2})?",
        ) {
            let value: f32 = text.parse().unwrap();
            prop_assert_eq!(decimal(text.as_bytes()).map(|(v, n)| (v.to_bits(), n)), Some((value.to_bits(), text.len())));
        }

        #[test]
        fn every_float_written_shortest_reads_back(value in any::<f32>().prop_filter("finite", |v| v.is_finite())) {
            for text in [format!("{value}"), format!("{value:e}"), format!("{:?}", f64::from(value))] {
                prop_assert_eq!(decimal(text.as_bytes()).map(|(v, n)| (v.to_bits(), n)), Some((value.to_bits(), text.len())));
            }
        }
    }
}
