//! A line of letters as a region, and what makes it one that can't be printed.

use layerlock_terms::units::Micrometres;

use super::{Face, Text, font};
use crate::geometry::{Region, point};

/// Most characters of one line.
const LONGEST: usize = 100;

/// How much of the letters' area may be narrower than a line: serifs, tips and the ends of curves.
const NARROW: f64 = 0.05;

/// Why text can't be laid on a part, each with its mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is nothing to draw.
    #[error("the text is empty: give at least one letter")]
    Empty,
    /// More characters than one line takes.
    #[error("the text has {length} characters: give {LONGEST} at most")]
    TooLong {
        /// How many it has.
        length: usize,
    },
    /// A character the font lacks.
    #[error(
        "the embedded font has no {letter:?}: it holds Latin, Greek and Cyrillic letters, one line of them"
    )]
    UnknownLetter {
        /// The character.
        letter: char,
    },
    /// No length at all.
    #[error("text {size} high and {depth} deep is nothing: give lengths above zero")]
    Flat {
        /// Height of a capital.
        size: Micrometres,
        /// How far it stands out or goes in.
        depth: Micrometres,
    },
    /// Strokes too thin for a line.
    #[error(
        "at {size} the letters' strokes are thinner than a line of {line}: make the text {least} high or larger"
    )]
    TooFine {
        /// Height of a capital.
        size: Micrometres,
        /// Width of a line.
        line: Micrometres,
        /// The least height that can be printed.
        least: Micrometres,
    },
    /// Too shallow for the layers.
    #[error("text {depth} deep falls between layers of {layer}: make it {layer} deep or more")]
    TooShallow {
        /// How far it stands out or goes in.
        depth: Micrometres,
        /// Thickness of a layer.
        layer: Micrometres,
    },
    /// The part is not where the text is.
    #[error("there is no part at {} {} seen from the {}: move the text onto it", at[0], at[1], face.name())]
    Misses {
        /// Where the text's middle is.
        at: [Micrometres; 2],
        /// The face asked for.
        face: Face,
    },
    /// The text is wider or higher than the face is there.
    #[error(
        "the text is {} wide and {} high and hangs over the edge of the {}: move it, shorten it or make it smaller",
        extent[0], extent[1], face.name()
    )]
    HangsOver {
        /// Width and height of the text.
        extent: [Micrometres; 2],
        /// The face asked for.
        face: Face,
    },
    /// The face is too uneven.
    #[error(
        "under the text the {} falls away by {fall}, more than half its depth of {depth}: take a flatter place, \
         smaller or deeper text",
        face.name()
    )]
    Uneven {
        /// The face asked for.
        face: Face,
        /// How far it falls away from its outermost place.
        fall: Micrometres,
        /// How far the text stands out or goes in.
        depth: Micrometres,
    },
}

/// The letters around (0, 0), as they are read, in micrometres of the printed part.
///
/// `scale` is how many micrometres are printed for one of the design's.
pub(super) fn letters(text: &Text, scale: f64, line: i32) -> Result<Region, TextError> {
    let length = text.words.chars().count();
    if text.words.trim().is_empty() {
        return Err(TextError::Empty);
    }
    if length > LONGEST {
        return Err(TextError::TooLong { length });
    }
    if text.size.0 <= 0 || text.depth.0 <= 0 {
        return Err(TextError::Flat { size: text.size, depth: text.depth });
    }
    let size = f64::from(text.size.0) * scale;
    let region = font::line(&text.words, size).map_err(|letter| TextError::UnknownLetter { letter })?;
    let bounds = region.bounds().ok_or(TextError::Empty)?;
    refuse_fine(text, &region, line)?;
    let middle = point(-(bounds.min.x + bounds.max.x) / 2, -(size / 2.0).round() as i32);
    Ok(region.moved(middle))
}

/// Refuses strokes too thin for a line.
fn refuse_fine(text: &Text, letters: &Region, line: i32) -> Result<(), TextError> {
    if holds(letters, line) {
        return Ok(());
    }
    // The thickest line the strokes would hold, by halving.
    let (mut fits, mut fails) = (0, line);
    while fails - fits > 4 {
        let middle = (fits + fails) / 2;
        if holds(letters, middle) { fits = middle } else { fails = middle }
    }
    let least = f64::from(text.size.0) * f64::from(line) / f64::from(fits.max(1));
    Err(TextError::TooFine {
        size: text.size,
        line: Micrometres(line),
        least: Micrometres((least / 100.0).ceil().min(1e6) as i32 * 100),
    })
}

/// Whether all but tips is as broad as `width`.
fn holds(letters: &Region, width: i32) -> bool {
    letters.opened(width / 2).area() >= letters.area() * (1.0 - NARROW)
}

#[cfg(test)]
mod tests {
    use super::super::TextStyle;
    use super::*;

    fn text(words: &str, size: i32) -> Text {
        Text {
            words: words.to_owned(),
            face: Face::Top,
            at: [Micrometres(0); 2],
            size: Micrometres(size),
            depth: Micrometres(600),
            style: TextStyle::Raised,
        }
    }

    #[test]
    fn letters_lie_around_their_middle_and_grow_with_the_part() {
        let bounds = letters(&text("OHO", 10_000), 2.0, 450).expect("laid").bounds().expect("not empty");
        assert!((bounds.min.x + bounds.max.x).abs() <= 1);
        assert!((bounds.max.y - 10_200..=bounds.max.y).contains(&10_000), "{bounds:?}");
    }

    #[test]
    fn what_can_not_be_drawn_is_refused_by_name() {
        let refused = |words: &str| letters(&text(words, 10_000), 1.0, 450).expect_err("refused");
        assert_eq!(refused("   "), TextError::Empty);
        assert_eq!(refused(&"A".repeat(101)), TextError::TooLong { length: 101 });
        assert_eq!(refused("a\nb"), TextError::UnknownLetter { letter: '\n' });
        assert!(matches!(letters(&text("A", 0), 1.0, 450), Err(TextError::Flat { .. })));
    }

    #[test]
    fn strokes_thinner_than_a_line_are_refused_with_a_size_that_is_not() {
        let refused = letters(&text("Berlin", 1_500), 1.0, 450).expect_err("too small");
        let TextError::TooFine { least, .. } = refused else { panic!("{refused}") };
        assert!((2_000..6_000).contains(&least.0), "{least}");
        assert!(letters(&text("Berlin", least.0), 1.0, 450).is_ok());
    }
}
