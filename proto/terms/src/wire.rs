//! Bytes seen and bytes meant: the one way nouns are laid out when they are signed or sealed.
//!
//! Fixed order, big-endian integers, u32 length before every variable part, no padding, nothing optional left
//! out silently. A reader takes exactly what a writer gave and refuses the rest: one noun, one byte form.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// Why bytes are not the noun they were said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end inside a field.
    #[error("truncated inside `{0}`")]
    Truncated(&'static str),
    /// Bytes are left after the last field.
    #[error("{0} bytes after the last field")]
    Trailing(usize),
    /// A length or count is over its bound.
    #[error("`{field}` announces {announced}, the bound is {bound}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// What the bytes say.
        announced: u64,
        /// What is allowed.
        bound: u64,
    },
    /// A value outside the field's range or closed list.
    #[error("`{0}` holds a value that is not allowed")]
    Value(&'static str),
}

/// Writes fields in order.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Four bytes, two's complement.
    pub fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Bytes of a length both sides know.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A u32 length and that many bytes.
    ///
    /// # Panics
    /// When `bytes` is over 4 GiB, which no noun allows.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u32::try_from(bytes.len()).expect("a noun's field is under 4 GiB");
        self.u32(length).raw(bytes)
    }

    /// A u32 count, then each item as `each` writes it.
    ///
    /// # Panics
    /// When there are over 2³² items, which no noun allows.
    pub fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.u32(u32::try_from(items.len()).expect("a noun's list is under 2³² items"));
        for item in items {
            each(self, item);
        }
        self
    }

    /// The bytes written.
    pub fn finish(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.bytes)
    }
}

/// Reads fields in order; every length is checked against its bound before anything is allocated.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// `length` bytes.
    pub fn raw(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated(field))?;
        self.rest = rest;
        Ok(taken)
    }

    /// An array of a length both sides know.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Malformed> {
        let bytes = self.raw(N, field)?;
        Ok(bytes.try_into().expect("raw gave N bytes"))
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, Malformed> {
        Ok(self.array::<1>(field)?[0])
    }

    /// Two bytes.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array(field)?))
    }

    /// Four bytes.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array(field)?))
    }

    /// Eight bytes.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array(field)?))
    }

    /// Four bytes, two's complement.
    pub fn i32(&mut self, field: &'static str) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array(field)?))
    }

    /// A u32 length of at most `bound`, and that many bytes.
    pub fn bytes(&mut self, field: &'static str, bound: u32) -> Result<&'a [u8], Malformed> {
        let length = self.count(field, bound)?;
        self.raw(length as usize, field)
    }

    /// UTF-8 text of at most `bound` bytes.
    pub fn text(&mut self, field: &'static str, bound: u32) -> Result<String, Malformed> {
        let bytes = self.bytes(field, bound)?;
        core::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Malformed::Value(field))
    }

    /// A u32 count of at most `bound`, then that many items as `each` reads them.
    pub fn list<T>(
        &mut self,
        field: &'static str,
        bound: u32,
        mut each: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.count(field, bound)?;
        (0..count).map(|_| each(self)).collect()
    }

    /// A byte that is 0 or 1.
    pub fn flag(&mut self, field: &'static str) -> Result<bool, Malformed> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Value(field)),
        }
    }

    /// Refuses if anything is left.
    pub fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed::Trailing(self.rest.len())) }
    }

    fn count(&mut self, field: &'static str, bound: u32) -> Result<u32, Malformed> {
        let announced = self.u32(field)?;
        if announced > bound {
            return Err(Malformed::TooLong { field, announced: announced.into(), bound: bound.into() });
        }
        Ok(announced)
    }
}

/// A noun with one byte form, fit to be signed.
///
/// `TYPE` is bound into the signature (`proto/spec/statement.md`), so bytes signed as one noun never verify
/// as another.
pub trait Noun: Sized {
    /// The noun's name and version, from the table of labels in the spec.
    const TYPE: &'static str;

    /// Reads the one byte form.
    fn parse(bytes: &[u8]) -> Result<Self, Malformed>;

    /// Writes the one byte form.
    fn emit(&self) -> Vec<u8>;
}
