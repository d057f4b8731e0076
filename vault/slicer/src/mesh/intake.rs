//! Intake: a file piece by piece, as it comes off a disk or a line.
//!
//! A binary STL takes nearly three times the room of its mesh, so it is welded as it comes in and never held as a whole.
//! Other formats refer to what came before and are held until they are complete.

use std::io::{self, Read};

use super::{Format, Limits, MeshError, Parsed, checked, parse, plain, stl};

/// Bytes asked for at a time.
const PIECE: usize = 1 << 16;

/// Reads a mesh of any known format from `input`, which holds `length` bytes.
///
/// # Errors
/// `input`'s own, or within it the file's first fault.
pub fn read(input: &mut impl Read, length: u64, limits: &Limits) -> io::Result<Result<Parsed, MeshError>> {
    let mut intake = Intake::new(length, limits);
    let mut piece = vec![0; PIECE];
    loop {
        match input.read(&mut piece) {
            Ok(0) => return Ok(intake.finish()),
            Ok(count) => {
                if let Err(fault) = intake.take(&piece[..count]) {
                    return Ok(Err(fault));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A file on its way in.
pub struct Intake {
    length: u64,
    limits: Limits,
    taken: Taken,
}

enum Taken {
    /// All bytes so far.
    Whole(Vec<u8>),
    /// The triangles of a binary STL.
    Records(stl::Records),
}

impl Intake {
    /// An intake of a file of `length` bytes. The length is the caller's own knowledge, not the file's claim.
    pub fn new(length: u64, limits: &Limits) -> Self {
        Self { length, limits: *limits, taken: Taken::Whole(Vec::new()) }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// One [`MeshError`] for the first fault met in what has come; it is the file's last word.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), MeshError> {
        match &mut self.taken {
            Taken::Records(records) => records.take(bytes),
            Taken::Whole(whole) => {
                let limit = self.limits.held_bytes;
                if (whole.len() + bytes.len()) as u64 > limit {
                    return Err(MeshError::TooLong { limit });
                }
                let is_beginning = whole.len() < stl::HEADER;
                whole.extend_from_slice(bytes);
                if is_beginning && stl::fits_its_count(whole, self.length) {
                    let mut records = stl::Records::new(whole, &self.limits)?;
                    records.take(&whole[stl::HEADER..])?;
                    self.taken = Taken::Records(records);
                }
                Ok(())
            }
        }
    }

    /// The mesh, once all of the file has been taken.
    ///
    /// # Errors
    /// One [`MeshError`] for the first fault met; never panics, whatever the bytes.
    pub fn finish(self) -> Result<Parsed, MeshError> {
        match self.taken {
            Taken::Whole(bytes) => parse(&bytes, &self.limits),
            Taken::Records(records) => checked(plain(records.finish()?, Format::BinaryStl)),
        }
    }
}
