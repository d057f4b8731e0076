//! Any bytes as a piece of a toolpath: what is read is written back to the same bytes, and read step by step it is the
//! same piece, or refused for the same reason before any step comes out.
#![no_main]

use layerlock_terms::toolpath::{Layer, LayerReader, Piece, PieceReader, Step};
use layerlock_terms::wire::Malformed;

/// The piece that a reader hands out step by step and point by point.
fn handed_out(bytes: &[u8]) -> Result<Piece, Malformed> {
    Ok(match PieceReader::checked(bytes)? {
        PieceReader::Prologue(prologue) => Piece::Prologue(prologue),
        PieceReader::Layer(reader) => Piece::Layer(layer(reader)),
        PieceReader::Epilogue(epilogue) => Piece::Epilogue(epilogue),
    })
}

fn layer(mut reader: LayerReader<'_>) -> Layer {
    let (index, z, height) = (reader.index(), reader.z(), reader.height());
    let mut steps = Vec::new();
    while let Some(mut step) = reader.step().expect("it was read through before") {
        while let Some((to, feed)) = reader.point().expect("it was read through before") {
            match &mut step {
                Step::Extrude(path) => path.points.push((to, feed)),
                Step::Travel { to: points, .. } | Step::Wipe { to: points, .. } => points.push(to),
                other => panic!("{other:?} has no points"),
            }
        }
        steps.push(step);
    }
    Layer { index, z, height, steps }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let piece = Piece::parse(bytes);
    assert_eq!(handed_out(bytes), piece);
    if let Ok(piece) = piece {
        assert_eq!(piece.emit(), bytes, "read as {piece:?}, written otherwise");
    }
});
