//! ASCII STL: `solid` … `facet normal` … `vertex` … `endsolid`, as it is really written.
//!
//! Taken in any case, with any white space and line ending, any number of solids, with or without names. Names are
//! skipped, never kept. The grammar is a flat run of words, so no nesting can be made deep.
//! Deliberately refused: facets with more than three corners, and decimal commas.

use super::check_corners;
use crate::mesh::{Limits, Mesh, MeshError, number::decimal, weld::Welder};

/// Shortest a facet can be in text; bounds the first allocation by the file's size.
const SHORTEST_FACET: usize = 60;

/// Whether the first word is `solid`, past a byte order mark and white space.
pub(in crate::mesh) fn begins_with_solid(head: &[u8]) -> bool {
    Words::new(head).next().is_some_and(|word| word.eq_ignore_ascii_case(b"solid"))
}

/// Parses an ASCII STL, all its solids into one mesh.
pub(in crate::mesh) fn parse_ascii(bytes: &[u8], limits: &Limits) -> Result<Mesh, MeshError> {
    let room = (bytes.len() / SHORTEST_FACET).min(limits.triangles as usize);
    let mut welder = Welder::new(room, limits);
    let mut words = Words::new(bytes);
    while let Some(word) = words.next() {
        if !word.eq_ignore_ascii_case(b"solid") {
            return Err(words.unexpected("solid"));
        }
        words.skip_line();
        solid(&mut words, &mut welder)?;
    }
    Ok(welder.finish())
}

/// Reads facets up to and including `endsolid` and its name.
fn solid(words: &mut Words<'_>, welder: &mut Welder) -> Result<(), MeshError> {
    loop {
        let word = words.expect_more()?;
        if word.eq_ignore_ascii_case(b"endsolid") {
            words.skip_line();
            return Ok(());
        }
        if !word.eq_ignore_ascii_case(b"facet") {
            return Err(words.unexpected("facet"));
        }
        facet(words, welder)?;
    }
}

fn facet(words: &mut Words<'_>, welder: &mut Welder) -> Result<(), MeshError> {
    words.expect("normal")?;
    for _ in 0..3 {
        // Ignored, so it may be NaN, as some programs write for slivers.
        words.expect_more()?;
    }
    words.expect("outer")?;
    words.expect("loop")?;
    let mut corners = [[0.0; 3]; 3];
    for corner in &mut corners {
        words.expect("vertex")?;
        *corner = [words.number()?, words.number()?, words.number()?];
    }
    words.expect("endloop")?;
    words.expect("endfacet")?;
    check_corners(&corners, welder.len() as u64)?;
    welder.triangle(corners)
}

/// The file as words between white space, knowing how far it has read.
struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 } }
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let start = rest.iter().position(|b| !b.is_ascii_whitespace())?;
        let rest = &rest[start..];
        let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        self.at += start + length;
        Some(&rest[..length])
    }

    fn expect_more(&mut self) -> Result<&'a [u8], MeshError> {
        self.next().ok_or_else(|| MeshError::CutShort { line: self.line() })
    }

    fn expect(&mut self, keyword: &'static str) -> Result<(), MeshError> {
        if self.expect_more()?.eq_ignore_ascii_case(keyword.as_bytes()) {
            Ok(())
        } else {
            Err(self.unexpected(keyword))
        }
    }

    /// A coordinate. One too large for the type reads as infinite and is refused as such by the caller.
    fn number(&mut self) -> Result<f32, MeshError> {
        let word = self.expect_more()?;
        let plain = decimal(word).filter(|(_, length)| *length == word.len()).map(|(number, _)| number);
        let number = plain.or_else(|| std::str::from_utf8(word).ok()?.parse().ok());
        number.ok_or_else(|| self.at_fault(MeshError::BadNumber { line: self.line() }))
    }

    /// Moves past the rest of the line, where a solid's name stands; CR alone ends a line too.
    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|&b| b == b'\n' || b == b'\r').unwrap_or(rest.len());
    }

    fn unexpected(&self, expected: &'static str) -> MeshError {
        self.at_fault(MeshError::Syntax { line: self.line(), expected })
    }

    /// The fault of the word just read; where the file ends right behind it, it was cut short instead.
    fn at_fault(&self, fault: MeshError) -> MeshError {
        if self.at == self.bytes.len() { MeshError::CutShort { line: self.line() } } else { fault }
    }

    /// Counted only when an error needs it.
    fn line(&self) -> u64 {
        1 + self.bytes[..self.at].iter().filter(|&&b| b == b'\n').count() as u64
    }
}
