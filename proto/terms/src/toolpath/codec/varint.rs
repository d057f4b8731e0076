//! Variable-length integers: seven bits a byte, lowest first, in the fewest bytes (`proto/spec/toolpath.md` T2).

use crate::wire::Malformed;
use alloc::vec::Vec;

/// Appends `value`.
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value` with its sign in the lowest bit, so that small differences of either sign stay short.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, zigzag(value));
}

/// The sign moved to the lowest bit.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// What is left to read.
#[derive(Debug)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn byte(&mut self, field: &'static str) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed::Truncated(field))?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated(field))?;
        self.rest = rest;
        Ok(taken)
    }

    /// An integer in its shortest form; a longer one is refused, or one piece would have many byte forms.
    pub(super) fn varint(&mut self, field: &'static str) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(field)?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && byte > 1 || byte == 0 && shift > 0 {
                return Err(Malformed::Value(field));
            }
            value |= low << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::Value(field))
    }

    pub(super) fn signed(&mut self, field: &'static str) -> Result<i64, Malformed> {
        let raw = self.varint(field)?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// An integer that the field's type can hold.
    pub(super) fn fits<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<T, Malformed> {
        T::try_from(self.varint(field)?).map_err(|_| Malformed::Value(field))
    }

    pub(super) fn signed_fits<T: TryFrom<i64>>(&mut self, field: &'static str) -> Result<T, Malformed> {
        T::try_from(self.signed(field)?).map_err(|_| Malformed::Value(field))
    }

    /// A count of at most `bound`.
    pub(super) fn bounded(&mut self, field: &'static str, bound: u64) -> Result<usize, Malformed> {
        let announced = self.varint(field)?;
        self.hold(field, announced, bound)
    }

    /// Refuses if anything is left.
    pub(super) fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed::Trailing(self.rest.len())) }
    }

    fn hold(&self, field: &'static str, announced: u64, bound: u64) -> Result<usize, Malformed> {
        if announced > bound {
            return Err(Malformed::TooLong { field, announced, bound });
        }
        usize::try_from(announced).map_err(|_| Malformed::Value(field))
    }
}
