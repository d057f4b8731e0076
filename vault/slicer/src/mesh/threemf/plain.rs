//! The two elements a 3MF consists of, read straight from its bytes: `<vertex x="1" y="2" z="3"/>` and
//! `<triangle v1="0" v2="1" v3="2"/>`.
//!
//! Nearly every byte of a model is one of these, written in just this way, and a general XML reader spends most of
//! its time on what can't occur in them. Only what is the same in XML to the last byte is taken: names, order and
//! quotes as above, plain numbers, white space where XML allows it. At anything else (another order, a reference, a
//! comment, an element cut by the end of the buffer) the reader proper takes over, so there is one meaning of a file.

use crate::mesh::MeshError;
use crate::mesh::number::{decimal, whole};

/// Attributes of a triangle that say nothing about its shape (core specification 4.1.4.1), in their usual order.
const PROPERTIES: [&[u8]; 4] = [b"pid=\"", b"p1=\"", b"p2=\"", b"p3=\""];

/// Hands on vertices as long as they are plain; gives how many bytes that were.
pub(super) fn vertices(
    bytes: &[u8],
    mut each: impl FnMut([f32; 3]) -> Result<(), MeshError>,
) -> Result<usize, MeshError> {
    let mut cursor = Cursor { bytes, at: 0 };
    let mut taken = 0;
    while let Some(corner) = cursor.vertex() {
        each(corner)?;
        taken = cursor.at;
    }
    Ok(taken)
}

/// Hands on triangles as long as they are plain; gives how many bytes that were.
pub(super) fn triangles(
    bytes: &[u8],
    mut each: impl FnMut([u32; 3]) -> Result<(), MeshError>,
) -> Result<usize, MeshError> {
    let mut cursor = Cursor { bytes, at: 0 };
    let mut taken = 0;
    while let Some(corners) = cursor.triangle() {
        each(corners)?;
        taken = cursor.at;
    }
    Ok(taken)
}

/// Bytes and how far they are read. Each step gives nothing where the bytes are not plain.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn vertex(&mut self) -> Option<[f32; 3]> {
        self.space();
        self.word(b"<vertex")?;
        let x = self.decimal(b"x=\"")?;
        let y = self.decimal(b"y=\"")?;
        let z = self.decimal(b"z=\"")?;
        self.end()?;
        Some([x, y, z])
    }

    fn triangle(&mut self) -> Option<[u32; 3]> {
        self.space();
        self.word(b"<triangle")?;
        let a = self.whole(b"v1=\"")?;
        let b = self.whole(b"v2=\"")?;
        let c = self.whole(b"v3=\"")?;
        for property in PROPERTIES {
            self.pass(property)?;
        }
        self.end()?;
        Some([a, b, c])
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Passes white space, which may be none.
    #[inline]
    fn space(&mut self) -> usize {
        let from = self.at;
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.at - from
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest().starts_with(word).then(|| self.at += word.len())
    }

    /// Passes the white space before an attribute, which must be there, and its name.
    #[inline]
    fn attribute(&mut self, name: &[u8]) -> Option<()> {
        (self.space() > 0).then_some(())?;
        self.word(name)
    }

    #[inline]
    fn decimal(&mut self, name: &[u8]) -> Option<f32> {
        self.attribute(name)?;
        let (value, length) = decimal(self.rest())?;
        self.at += length;
        self.word(b"\"").map(|()| value)
    }

    #[inline]
    fn whole(&mut self, name: &[u8]) -> Option<u32> {
        self.attribute(name)?;
        let (value, length) = whole(self.rest())?;
        self.at += length;
        self.word(b"\"").map(|()| value)
    }

    /// Passes an attribute with a whole number if it is next; its value is of no interest.
    #[inline]
    fn pass(&mut self, name: &[u8]) -> Option<()> {
        let before = self.at;
        if self.attribute(name).is_none() {
            self.at = before;
            return Some(());
        }
        let (_, length) = whole(self.rest())?;
        self.at += length;
        self.word(b"\"")
    }

    #[inline]
    fn end(&mut self) -> Option<()> {
        self.space();
        self.word(b"/>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much is taken, and the vertices in it.
    fn read(text: &str) -> (usize, Vec<[f32; 3]>) {
        let mut found = Vec::new();
        let taken = vertices(text.as_bytes(), |corner| {
            found.push(corner);
            Ok(())
        });
        (taken.unwrap(), found)
    }

    #[test]
    fn plain_vertices_are_taken_up_to_the_first_that_is_not() {
        let plain = "\r\n\t<vertex x=\"1\" y=\"-2.5\" z=\"3e1\"/> <vertex  x=\"1\"\ny=\"2\" z=\"3\" />";
        let found = vec![[1.0, -2.5, 30.0], [1.0, 2.0, 3.0]];
        for stop in [
            "",
            "</vertices>",
            "<vertex x=\"1\" y=\"2\" z=\"3\"",
            "<vertex y=\"1\" x=\"2\" z=\"3\"/>",
            "<vertex x='1' y='2' z='3'/>",
            "<vertex x=\"1\" y=\"2\"/>",
            "<vertex x=\"1\"y=\"2\" z=\"3\"/>",
            "<vertex x=\"&#49;\" y=\"2\" z=\"3\"/>",
            "<vertex x=\"nan\" y=\"2\" z=\"3\"/>",
            "<vertex x=\" 1\" y=\"2\" z=\"3\"/>",
            "<vertex x=\"1\" y=\"2\" z=\"3\" x=\"4\"/>",
            "<vertex x=\"1\" y=\"2\" z=\"3\"></vertex>",
            "<vertexx x=\"1\" y=\"2\" z=\"3\"/>",
            "<!-- --><vertex x=\"1\" y=\"2\" z=\"3\"/>",
            "&x;<vertex x=\"1\" y=\"2\" z=\"3\"/>",
        ] {
            assert_eq!(read(&format!("{plain}{stop}")), (plain.len(), found.clone()), "{stop}");
        }
    }

    #[test]
    fn a_triangle_may_name_its_colours() {
        let mut found = Vec::new();
        let text = "<triangle v1=\"0\" v2=\"1\" v3=\"2\" pid=\"5\" p1=\"0\"/><triangle v1=\"2\" v2=\"1\" v3=\"4294967295\"/>\
                    <triangle v1=\"0\" v2=\"1\" v3=\"2\" p1=\"0\" pid=\"5\"/>";
        let taken = triangles(text.as_bytes(), |corners| {
            found.push(corners);
            Ok(())
        });
        assert_eq!(found, [[0, 1, 2], [2, 1, u32::MAX]]);
        assert_eq!(&text[taken.unwrap()..][..30], "<triangle v1=\"0\" v2=\"1\" v3=\"2\"");
    }
}
