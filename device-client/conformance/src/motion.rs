//! What commands do, as far as a conforming client may differ: where the nozzle goes, how hot it is told to be.

use layerlock_terms::toolpath::{Piece, Step};

/// The places a toolpath visits in the plane, in micrometres and in order.
pub(crate) fn places(pieces: &[Piece]) -> Vec<(i32, i32)> {
    let mut places = Vec::new();
    for piece in pieces {
        let Piece::Layer(layer) = piece else { continue };
        for step in &layer.steps {
            match step {
                Step::Travel { to, .. } => places.extend(to.iter().map(|to| (to.x, to.y))),
                Step::Extrude(path) => places.extend(path.points.iter().map(|(to, _)| (to.x, to.y))),
                _ => {}
            }
        }
    }
    places
}

/// The places commands visit, told in millimetres from the origin.
pub(crate) fn visited(commands: &[String]) -> Vec<(i32, i32)> {
    let moves = commands.iter().filter(|command| {
        let code = command.split_whitespace().next();
        matches!(code, Some("G0" | "G1" | "G2" | "G3"))
    });
    moves.filter_map(|command| Some((word(command, 'X')?, word(command, 'Y')?))).collect()
}

/// Whether every one of `places` is visited, in this order.
pub(crate) fn visits(commands: &[String], places: &[(i32, i32)]) -> bool {
    let mut visited = visited(commands).into_iter();
    places.iter().all(|place| visited.any(|at| at == *place))
}

/// The hottest the nozzle is told to be, in whole degrees.
pub(crate) fn hottest(commands: &[String]) -> i32 {
    let hot = commands.iter().filter(|command| command.starts_with("M104") || command.starts_with("M109"));
    hot.filter_map(|command| word(command, 'S')).max().unwrap_or(0) / 1000
}

/// A word's value in thousandths.
fn word(command: &str, letter: char) -> Option<i32> {
    let value = command.split_whitespace().find_map(|word| word.strip_prefix(letter))?;
    let value: f64 = value.parse().ok()?;
    // Figures of a machine's size, written in thousandths: exact.
    Some((value * 1000.0).round() as i32)
}
