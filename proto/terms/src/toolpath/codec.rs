//! The byte form of a piece (`proto/spec/toolpath.md`): small, and each piece readable on its own.
//!
//! Points are differences, the filament of a move is predicted from its path's [`Rate`](super::Rate) and only
//! the error is stored, paths share a table of styles, and what is left goes through an adaptive coder. Every
//! count is held against the bytes that are left before anything is allocated, and one piece has one byte form:
//! prologue and epilogue are written again and compared, a layer is held to it as it is read. Nothing here seals.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

mod coder;
mod layer;
mod reader;
mod varint;

pub use reader::LayerReader;

use varint::{Input, put};

use super::{Epilogue, Feature, Piece, Point3, Prologue, Times};
use crate::units::{Celsius, Micrometres, Milligrams, Millis};
use crate::wire::Malformed;

/// First byte of each kind: the format's version in the high half.
const PROLOGUE: u8 = 0x10;
const LAYER: u8 = 0x11;
const EPILOGUE: u8 = 0x12;

/// Longest catalogue name, in bytes.
const NAME_BOUND: u64 = 64;

impl Piece {
    /// The piece's one byte form.
    pub fn emit(&self) -> Vec<u8> {
        match self {
            Self::Prologue(prologue) => emit_prologue(prologue),
            Self::Layer(layer) => layer::emit(layer),
            Self::Epilogue(epilogue) => emit_epilogue(epilogue),
        }
    }

    /// Reads one piece.
    ///
    /// # Errors
    /// [`Malformed`] names the field; anything but exactly what [`Piece::emit`] writes is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(match PieceReader::begin(bytes)? {
            PieceReader::Prologue(prologue) => Self::Prologue(prologue),
            PieceReader::Layer(layer) => Self::Layer(layer.collect()?),
            PieceReader::Epilogue(epilogue) => Self::Epilogue(epilogue),
        })
    }
}

/// A piece that is read as it is used: what [`Piece::parse`] gives, without ever holding a layer.
///
/// That a layer is no piece may show in its last byte, when all its moves were handed out. So there is one only of
/// bytes that were read through before: nothing of a piece that is refused comes out, and no machine moves by it.
pub enum PieceReader<'a> {
    /// A prologue, whole.
    Prologue(Prologue),
    /// A layer before its first step.
    Layer(LayerReader<'a>),
    /// An epilogue, whole.
    Epilogue(Epilogue),
}

impl<'a> PieceReader<'a> {
    /// Reads the whole piece through, hands nothing out, and then stands at its first step.
    ///
    /// # Errors
    /// Those of [`Piece::parse`], for the same bytes.
    pub fn checked(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if let Self::Layer(mut layer) = Self::begin(bytes)? {
            while layer.step()?.is_some() {}
        }
        Self::begin(bytes)
    }

    /// Of bytes that nobody has read through.
    fn begin(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (kind, rest) = bytes.split_first().ok_or(Malformed::Truncated("kind"))?;
        match *kind {
            PROLOGUE => only_form(bytes, parse_prologue, emit_prologue).map(Self::Prologue),
            LAYER => LayerReader::begin(rest).map(Self::Layer),
            EPILOGUE => only_form(bytes, parse_epilogue, emit_epilogue).map(Self::Epilogue),
            _ => Err(Malformed::Value("kind")),
        }
    }
}

/// Reads what follows the first byte; whatever reads well but would be written otherwise is a second byte form.
fn only_form<T>(
    bytes: &[u8],
    parse: fn(&mut Input<'_>) -> Result<T, Malformed>,
    emit: fn(&T) -> Vec<u8>,
) -> Result<T, Malformed> {
    let mut input = Input::new(&bytes[1..]);
    let read = parse(&mut input)?;
    input.finish()?;
    if emit(&read) == bytes { Ok(read) } else { Err(Malformed::Value("form")) }
}

fn emit_prologue(prologue: &Prologue) -> Vec<u8> {
    let mut out = vec![PROLOGUE];
    put(&mut out, prologue.machine.len() as u64);
    out.extend_from_slice(prologue.machine.as_bytes());
    put(&mut out, prologue.nozzle.0.into());
    put(&mut out, prologue.bed.0.into());
    varint::put_signed(&mut out, prologue.filament_diameter.0.into());
    out
}

fn parse_prologue(input: &mut Input<'_>) -> Result<Prologue, Malformed> {
    let length = input.bounded("machine", NAME_BOUND)?;
    let machine = input.take(length, "machine")?;
    Ok(Prologue {
        machine: String::from_utf8(machine.to_vec()).map_err(|_| Malformed::Value("machine"))?,
        nozzle: Celsius(input.fits("nozzle")?),
        bed: Celsius(input.fits("bed")?),
        filament_diameter: Micrometres(input.signed_fits("filament diameter")?),
    })
}

fn emit_epilogue(epilogue: &Epilogue) -> Vec<u8> {
    let mut out = vec![EPILOGUE];
    put(&mut out, epilogue.layers.into());
    put(&mut out, epilogue.duration.0);
    put(&mut out, epilogue.filament_um);
    put(&mut out, epilogue.mass.0);
    for corner in [epilogue.min, epilogue.max] {
        for coordinate in [corner.x, corner.y, corner.z] {
            varint::put_signed(&mut out, coordinate.into());
        }
    }
    put(&mut out, epilogue.times.iter().count() as u64);
    for (feature, time) in epilogue.times.iter() {
        put(&mut out, feature as u64);
        put(&mut out, time.0);
    }
    out
}

fn parse_epilogue(input: &mut Input<'_>) -> Result<Epilogue, Malformed> {
    Ok(Epilogue {
        layers: input.fits("layers")?,
        duration: Millis(input.varint("duration")?),
        filament_um: input.varint("filament")?,
        mass: Milligrams(input.varint("mass")?),
        min: parse_corner(input)?,
        max: parse_corner(input)?,
        times: parse_times(input)?,
    })
}

fn parse_times(input: &mut Input<'_>) -> Result<Times, Malformed> {
    let mut times = Times::default();
    for _ in 0..input.bounded("times", Feature::ALL.len() as u64)? {
        let feature = Feature::from_u8(input.fits("feature")?).ok_or(Malformed::Value("feature"))?;
        times.set(feature, Millis(input.varint("time")?));
    }
    Ok(times)
}

fn parse_corner(input: &mut Input<'_>) -> Result<Point3, Malformed> {
    Ok(Point3 {
        x: input.signed_fits("corner")?,
        y: input.signed_fits("corner")?,
        z: input.signed_fits("corner")?,
    })
}

#[cfg(test)]
mod tests;
