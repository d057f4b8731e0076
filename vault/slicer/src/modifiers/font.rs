//! The embedded font: glyph outlines of one bold sans, a line of text at a time.
//!
//! Noto Sans Bold, cut down to Latin, Greek and Cyrillic letters (`fonts/`; docs/decisions/0006 says why this one).
//! Letters stand by their own widths: the subset holds no kerning.

use std::sync::LazyLock;

use ttf_parser::{GlyphId, OutlineBuilder};

use crate::geometry::{IntPoint, Region, point};

/// How far a flattened curve may be from the curve, in micrometres: what simplifying an outline drops as well.
const FLATNESS: f64 = 10.0;

/// Most pieces of one curve, however large the text is.
const PIECES: f64 = 64.0;

static FONT: LazyLock<ttf_parser::Face<'static>> = LazyLock::new(|| {
    let bytes = include_bytes!("../../fonts/NotoSans-Bold-subset.ttf");
    ttf_parser::Face::parse(bytes, 0).expect("a test reads every letter of the embedded font")
});

/// The letters of `words` side by side, the first one's origin at (0, 0), or the character the font lacks.
///
/// `size` is the height of a capital in micrometres.
pub(super) fn line(words: &str, size: f64) -> Result<Region, char> {
    let scale = size / capital();
    let (mut contours, mut along) = (Vec::new(), 0.0);
    for letter in words.chars() {
        let glyph = FONT.glyph_index(letter).ok_or(letter)?;
        let mut outline = Outline { scale, along, contours: Vec::new(), at: [0.0; 2] };
        FONT.outline_glyph(glyph, &mut outline);
        contours.append(&mut outline.contours);
        along += advance(glyph) * scale;
    }
    Ok(Region::wound(&contours))
}

fn capital() -> f64 {
    f64::from(FONT.capital_height().unwrap_or(FONT.units_per_em() as i16))
}

fn advance(glyph: GlyphId) -> f64 {
    f64::from(FONT.glyph_hor_advance(glyph).unwrap_or_default())
}

/// Flattens a glyph's curves.
struct Outline {
    /// Micrometres for one of the font's units.
    scale: f64,
    /// Where the glyph's origin is, in micrometres.
    along: f64,
    contours: Vec<Vec<IntPoint<i32>>>,
    /// The pen, in micrometres.
    at: [f64; 2],
}

impl Outline {
    fn place(&self, x: f32, y: f32) -> [f64; 2] {
        [self.along + f64::from(x) * self.scale, f64::from(y) * self.scale]
    }

    fn reach(&mut self, to: [f64; 2]) {
        self.at = to;
        if let Some(contour) = self.contours.last_mut() {
            contour.push(point(to[0].round() as i32, to[1].round() as i32));
        }
    }

    /// Chords of a curve: `bend` is what its second difference is at most, `order` × (order − 1) times over eight.
    fn chords(&mut self, bend: f64, at: impl Fn(f64) -> [f64; 2]) {
        let pieces = (bend / FLATNESS).sqrt().ceil().clamp(1.0, PIECES) as u32;
        for piece in 1..=pieces {
            self.reach(at(f64::from(piece) / f64::from(pieces)));
        }
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.contours.push(Vec::new());
        self.reach(self.place(x, y));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.reach(self.place(x, y));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (a, b, c) = (self.at, self.place(x1, y1), self.place(x, y));
        let second = [0, 1].map(|axis| a[axis] - 2.0 * b[axis] + c[axis]);
        self.chords(second[0].hypot(second[1]) / 4.0, |t| {
            let s = 1.0 - t;
            [0, 1].map(|axis| s * s * a[axis] + 2.0 * s * t * b[axis] + t * t * c[axis])
        });
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (a, b, c, d) = (self.at, self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        let second = |p: [f64; 2], q: [f64; 2], r: [f64; 2]| {
            (p[0] - 2.0 * q[0] + r[0]).hypot(p[1] - 2.0 * q[1] + r[1])
        };
        let bend = second(a, b, c).max(second(b, c, d)) * 6.0 / 8.0;
        self.chords(bend, |t| {
            let s = 1.0 - t;
            [0, 1].map(|axis| {
                s * s * s * a[axis]
                    + 3.0 * s * s * t * b[axis]
                    + 3.0 * s * t * t * c[axis]
                    + t * t * t * d[axis]
            })
        });
    }

    fn close(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_subset_has_an_outline() {
        let blank = |letter: &char| [' ', '\u{a0}', '\u{ad}'].contains(letter);
        let ranges = [' '..='~', '\u{a1}'..='\u{17f}', 'Α'..='Ρ', 'α'..='ω', 'А'..='я'];
        for letter in ranges.into_iter().flatten().filter(|letter| !blank(letter)) {
            let region = line(&letter.to_string(), 10_000.0).unwrap_or_else(|_| panic!("no {letter}"));
            assert!(!region.is_empty(), "{letter}");
        }
    }

    #[test]
    fn a_capital_is_as_high_as_asked_and_an_o_has_its_hole() {
        let bounds = line("H", 7_000.0).expect("known").bounds().expect("not empty");
        assert_eq!((bounds.min.y, bounds.max.y), (0, 7_000));
        let o = line("O", 7_000.0).expect("known");
        assert_eq!((o.shapes().len(), o.shapes()[0].len()), (1, 2));
    }

    #[test]
    fn curves_are_flattened_to_the_tolerance_whatever_the_size() {
        // Twice the points halve the chords' lengths: their distance from the curve is a quarter.
        let area = |size: f64| line("O", size).expect("known").area() / (size * size);
        assert!((area(5_000.0) / area(500_000.0) - 1.0).abs() < 0.01);
        let points = |size: f64| line("O", size).expect("known").contours().map(Vec::len).sum::<usize>();
        assert!(points(100_000.0) > 2 * points(5_000.0));
    }

    #[test]
    fn letters_stand_side_by_side_and_a_missing_one_is_named() {
        let width = |words: &str| {
            let bounds = line(words, 10_000.0).expect("known").bounds().expect("not empty");
            bounds.max.x - bounds.min.x
        };
        assert!(width("HH") > 2 * width("H") && width("H H") > width("HH"));
        assert_eq!(line("A漢", 10_000.0), Err('漢'));
    }
}
