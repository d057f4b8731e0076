//! Walking one XML part as a stream: only elements and attributes, no document tree, no entities.
//!
//! A DOCTYPE is refused before anything in it is looked at, and the only references taken are the five
//! XML defines itself and character numbers, so there is nothing to fetch and nothing that multiplies
//! (SECURITY-CASES U2, U3). Text between elements is skipped: no geometry lives there.

use std::io::BufRead;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Error, Reader};

use crate::mesh::{MeshError, PartName};

/// What a visitor wants of an element's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    /// Its children are visited, then `close` is called.
    Enter,
    /// Neither.
    Skip,
}

/// Receives elements in document order.
pub(super) trait Visitor {
    /// An element begins.
    fn open(&mut self, element: &Element<'_>) -> Result<Visit, MeshError>;
    /// The innermost entered element ends.
    fn close(&mut self) -> Result<(), MeshError>;
    /// Offers the bytes that follow a tag, as many as are at hand; gives how many were taken: whole elements
    /// inside the innermost entered one and white space, nothing of what the visitor does not know to the last byte.
    fn take_plain(&mut self, bytes: &[u8]) -> Result<usize, MeshError> {
        let _ = bytes;
        Ok(0)
    }
}

/// Walks a part to its end.
pub(super) fn walk(
    source: impl BufRead,
    part: PartName,
    visitor: &mut impl Visitor,
) -> Result<(), MeshError> {
    let mut reader = Reader::from_reader(source);
    let mut buffer = Vec::new();
    let mut depth = Depth::default();
    loop {
        buffer.clear();
        let at = reader.buffer_position();
        match reader.read_event_into(&mut buffer) {
            Err(error) => return Err(fault(error, part, at)),
            Ok(Event::DocType(_)) => return Err(MeshError::Doctype { part }),
            Ok(Event::GeneralRef(reference)) if !is_harmless(&reference) => {
                return Err(MeshError::Entity { part });
            }
            Ok(Event::Start(tag)) => {
                depth.start(&Element { tag: &tag, part: &part }, visitor)?;
                depth.offer(reader.stream(), &part, visitor)?;
            }
            Ok(Event::Empty(tag)) => {
                depth.start(&Element { tag: &tag, part: &part }, visitor)?;
                depth.end(visitor)?;
                depth.offer(reader.stream(), &part, visitor)?;
            }
            Ok(Event::End(_)) => depth.end(visitor)?,
            Ok(Event::Eof) if depth.is_closed() => return Ok(()),
            // The reader ends quietly inside an open element; a part cut short must not pass for a whole one.
            Ok(Event::Eof) => return Err(MeshError::Xml { part, offset: at }),
            Ok(_) => {}
        }
    }
}

/// Which of the open elements are being visited.
#[derive(Default)]
struct Depth {
    entered: u64,
    /// Levels below the outermost skipped element, itself included.
    skipped: u64,
    roots: u64,
}

impl Depth {
    fn start(&mut self, element: &Element<'_>, visitor: &mut impl Visitor) -> Result<(), MeshError> {
        self.roots += u64::from(self.entered == 0 && self.skipped == 0);
        if self.skipped > 0 || visitor.open(element)? == Visit::Skip {
            self.skipped += 1;
        } else {
            self.entered += 1;
        }
        Ok(())
    }

    fn end(&mut self, visitor: &mut impl Visitor) -> Result<(), MeshError> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return Ok(());
        }
        // The reader has matched every end tag with its start, so an entered element is open here.
        self.entered -= 1;
        visitor.close()
    }

    /// Lets the visitor take plain elements straight from the source. Only right behind a tag: anywhere else
    /// the reader has looked ahead.
    fn offer(
        &self,
        mut source: impl BufRead,
        part: &PartName,
        visitor: &mut impl Visitor,
    ) -> Result<(), MeshError> {
        if self.skipped > 0 {
            return Ok(());
        }
        loop {
            let bytes = source.fill_buf().map_err(|error| fault(error.into(), part.clone(), 0))?;
            let taken = visitor.take_plain(bytes)?;
            source.consume(taken);
            if taken == 0 {
                return Ok(());
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.entered == 0 && self.skipped == 0 && self.roots == 1
    }
}

/// The five predefined entities and character references expand to one character each.
fn is_harmless(reference: &BytesRef<'_>) -> bool {
    reference.is_char_ref() || matches!(&**reference, "lt" | "gt" | "amp" | "apos" | "quot")
}

/// What an error of the reader means; errors of the archive below it travel through it unchanged.
fn fault(error: Error, part: PartName, offset: u64) -> MeshError {
    match error {
        Error::Io(io) => match io.get_ref().and_then(|inner| inner.downcast_ref::<MeshError>()) {
            Some(inner) => inner.clone(),
            None => MeshError::DamagedPart { part },
        },
        Error::Escape(_) => MeshError::Entity { part },
        _ => MeshError::Xml { part, offset },
    }
}

/// An element's name and attributes.
pub(super) struct Element<'e> {
    tag: &'e BytesStart<'e>,
    part: &'e PartName,
}

impl Element<'_> {
    /// The name without its namespace prefix.
    pub(super) fn local_name(&self) -> &str {
        self.tag.local_name().into_inner()
    }

    /// The namespace prefix; empty where there is none.
    pub(super) fn prefix(&self) -> &str {
        self.tag.name().prefix().map_or("", |prefix| prefix.into_inner())
    }

    /// Calls `each` with every attribute's name (prefix included) and its value, references resolved.
    pub(super) fn attributes(&self, mut each: impl FnMut(&str, &str)) -> Result<(), MeshError> {
        for attribute in self.tag.attributes() {
            let attribute = attribute.map_err(|_| self.malformed())?;
            if attribute.value.contains('&') {
                let value = quick_xml::escape::unescape(&attribute.value);
                each(attribute.key.into_inner(), &value.map_err(|_| self.entity())?);
            } else {
                each(attribute.key.into_inner(), &attribute.value);
            }
        }
        Ok(())
    }

    /// The error for an attribute that is missing or unusable.
    pub(super) fn fault(&self, element: &'static str, attribute: &'static str) -> MeshError {
        MeshError::Attribute { part: self.part.clone(), element, attribute }
    }

    /// The part this element is in.
    pub(super) fn part(&self) -> &PartName {
        self.part
    }

    fn malformed(&self) -> MeshError {
        MeshError::Xml { part: self.part.clone(), offset: 0 }
    }

    fn entity(&self) -> MeshError {
        MeshError::Entity { part: self.part.clone() }
    }
}
