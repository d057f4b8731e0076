//! Wavefront OBJ (Wavefront Technologies, "Object Files", 1995): the polygons of it, in millimetres and z up.
//!
//! Read are `v` and `f`; names, groups, normals, texture coordinates and materials are passed over, and nothing the
//! file names is ever opened (`mtllib`). Statements that make shape in another way, or take it from another file, are
//! refused. The format has no end mark and no count, so a file cut between two lines can't be told from a whole
//! one: what is missing shows as holes in the report. Polygons become triangles in `polygon`.

use super::indexed::Named;
use super::number::{decimal, whole};
use super::polygon::{self, Unsplittable};
use super::{Limits, Mesh, MeshError, Place, REACH_MM};

/// Statements without shape, passed over.
const SHAPELESS: [&[u8]; 20] = [
    b"vt",
    b"vn",
    b"vp",
    b"g",
    b"o",
    b"s",
    b"mg",
    b"usemtl",
    b"mtllib",
    b"usemap",
    b"maplib",
    b"l",
    b"p",
    b"bevel",
    b"c_interp",
    b"d_interp",
    b"lod",
    b"shadow_obj",
    b"trace_obj",
    b"end",
];

/// Statements that make shape in a way we don't read, or take it from elsewhere.
const FREE_FORM: [&str; 16] = [
    "bmat", "bsp", "bzp", "call", "cdc", "cdp", "con", "csh", "cstype", "curv", "curv2", "deg", "parm",
    "res", "surf", "step",
];

/// Whether a text is an OBJ: comments and statements of the format, up to the first vertex.
pub(super) fn looks_like_obj(bytes: &[u8]) -> bool {
    let mut lines = Lines::new(bytes);
    loop {
        match lines.keyword() {
            Some(b"v") => return true,
            Some(b"") => {}
            Some(keyword) if keyword.starts_with(b"#") || SHAPELESS.contains(&keyword) => {}
            Some(_) | None => return false,
        }
        lines.pass_line();
    }
}

/// Parses an OBJ, all its objects into one mesh.
pub(super) fn parse(bytes: &[u8], limits: &Limits) -> Result<Mesh, MeshError> {
    let mut reader =
        Reader { lines: Lines::new(bytes), limits, mesh: Mesh::default(), face: Vec::new(), highest: None };
    while let Some(keyword) = reader.lines.keyword() {
        match keyword {
            b"v" => reader.vertex()?,
            b"f" | b"fo" => reader.face()?,
            _ => reader.refuse_free_form(keyword)?,
        }
        reader.lines.pass_line();
    }
    reader.finish()
}

struct Reader<'a> {
    lines: Lines<'a>,
    limits: &'a Limits,
    mesh: Mesh,
    /// The polygon being read; kept for its memory.
    face: Vec<u32>,
    /// The highest vertex named and where, because a face may come before its vertices.
    highest: Option<(u32, usize)>,
}

impl Reader<'_> {
    /// `v x y z`, and whatever follows: a weight, a colour.
    fn vertex(&mut self) -> Result<(), MeshError> {
        let mut corner = [0.0; 3];
        for c in &mut corner {
            let word = self.lines.word();
            let number = number(word).ok_or_else(|| MeshError::BadNumber { line: self.lines.line() })?;
            // Turns -0 into 0, as welding does.
            *c = number + 0.0;
        }
        let at = || Place::Line(self.lines.line());
        if !corner.iter().all(|c| c.is_finite()) {
            return Err(MeshError::NotFinite { at: at() });
        }
        if !corner.iter().all(|c| c.abs() <= REACH_MM) {
            return Err(MeshError::OutOfRange { at: at() });
        }
        if self.mesh.vertices.len() >= self.limits.vertices as usize {
            return Err(MeshError::TooManyVertices { limit: u64::from(self.limits.vertices) });
        }
        self.mesh.vertices.push(corner);
        Ok(())
    }

    /// `f v1/vt1/vn1 …`: only the first number of each corner counts.
    fn face(&mut self) -> Result<(), MeshError> {
        self.face.clear();
        loop {
            let word = self.lines.word();
            if word.is_empty() {
                break;
            }
            let index = self.index(word)?;
            self.face.push(index);
            if self.face.len() > self.limits.triangles as usize + 2 {
                return Err(self.too_many());
            }
        }
        if self.face.len() < 3 {
            return Err(MeshError::BadFace { line: self.lines.line() });
        }
        if self.mesh.triangles.len() + self.face.len() - 2 > self.limits.triangles as usize {
            return Err(self.too_many());
        }
        self.split()
    }

    fn split(&mut self) -> Result<(), MeshError> {
        if let [a, b, c] = self.face[..] {
            self.mesh.triangles.push([a, b, c]);
            return Ok(());
        }
        let Mesh { vertices, triangles } = &mut self.mesh;
        polygon::split(&self.face, vertices, triangles).map_err(|Unsplittable| {
            let (line, corners) = (self.lines.line(), self.face.len() as u64);
            MeshError::FaceTooLarge { line, corners }
        })
    }

    /// Counts from 1, or backwards from the newest vertex.
    fn index(&mut self, word: &[u8]) -> Result<u32, MeshError> {
        let bad = || MeshError::BadFace { line: self.lines.line() };
        let first = word.split(|byte| *byte == b'/').next().unwrap_or_default();
        let backwards = first.strip_prefix(b"-");
        let digits = backwards.unwrap_or(first);
        let (number, length) = whole(digits).ok_or_else(bad)?;
        if length != digits.len() {
            return Err(bad());
        }
        let vertices = self.mesh.vertices.len() as u32;
        let index = if backwards.is_some() { vertices.checked_sub(number) } else { number.checked_sub(1) };
        let no_such = || {
            let index = i64::from(number) * if backwards.is_some() { -1 } else { 1 };
            MeshError::NoSuchVertex { line: self.lines.line(), index, vertices: u64::from(vertices) }
        };
        let index = index.filter(|index| number > 0 && *index < self.limits.vertices).ok_or_else(no_such)?;
        if self.highest.is_none_or(|(highest, _)| index > highest) {
            self.highest = Some((index, self.lines.at));
        }
        Ok(index)
    }

    fn too_many(&self) -> MeshError {
        let limit = u64::from(self.limits.triangles);
        MeshError::TooManyTriangles { found: limit + 1, limit }
    }

    fn refuse_free_form(&self, keyword: &[u8]) -> Result<(), MeshError> {
        match FREE_FORM.iter().find(|name| name.as_bytes() == keyword) {
            Some(keyword) => Err(MeshError::FreeForm { line: self.lines.line(), keyword }),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<Mesh, MeshError> {
        let vertices = self.mesh.vertices.len() as u64;
        if let Some((index, at)) = self.highest.filter(|(index, _)| u64::from(*index) >= vertices) {
            let line = self.lines.line_of(at);
            return Err(MeshError::NoSuchVertex { line, index: i64::from(index) + 1, vertices });
        }
        let named = Named::in_mesh(&self.mesh).expect("the highest name is in range");
        named.tidy(self.mesh, self.limits)
    }
}

/// A coordinate, however it is written.
fn number(word: &[u8]) -> Option<f32> {
    match decimal(word) {
        Some((number, length)) if length == word.len() => Some(number),
        _ => std::str::from_utf8(word).ok()?.parse().ok(),
    }
}

/// The file as lines of words, knowing how far it has read. A backslash at a line's end joins the next line to it.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 } }
    }

    /// The first word of the line; nothing at the end of the file.
    fn keyword(&mut self) -> Option<&'a [u8]> {
        if self.at == self.bytes.len() { None } else { Some(self.word()) }
    }

    /// The next word of the line; empty at its end.
    #[inline]
    fn word(&mut self) -> &'a [u8] {
        self.pass_space();
        let rest = &self.bytes[self.at..];
        let is_over = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | b'\\');
        let length = match rest.iter().position(is_over) {
            // A backslash inside a word belongs to it.
            Some(length) if rest[length] == b'\\' && joined(&rest[length..]) == 0 => {
                rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len())
            }
            length => length.unwrap_or(rest.len()),
        };
        self.at += length;
        &rest[..length]
    }

    #[inline]
    fn pass_space(&mut self) {
        loop {
            let rest = &self.bytes[self.at..];
            match rest.first() {
                Some(b' ' | b'\t' | 0x0b | 0x0c) => self.at += 1,
                Some(b'\\') if joined(rest) > 0 => self.at += joined(rest),
                _ => return,
            }
        }
    }

    /// Moves to the next line that has anything; CR alone ends a line too. A comment that ends in a backslash ends
    /// all the same: it is a folder's name, not a line to be continued.
    fn pass_line(&mut self) {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r').unwrap_or(rest.len());
        self.at += end;
        while matches!(self.bytes.get(self.at), Some(b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn line(&self) -> u64 {
        self.line_of(self.at)
    }

    /// Counted only when an error needs it.
    fn line_of(&self, at: usize) -> u64 {
        1 + self.bytes[..at].iter().filter(|&&byte| byte == b'\n').count() as u64
    }
}

/// How long the backslash and line end are that `rest` begins with; zero where it is no such thing.
fn joined(rest: &[u8]) -> usize {
    match rest {
        [b'\\', b'\r', b'\n', ..] => 3,
        [b'\\', b'\r' | b'\n', ..] => 2,
        _ => 0,
    }
}
