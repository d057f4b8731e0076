//! Words in pictures: capital letters and figures of five by seven dots, enough for a legend and an axis.

use super::Image;

/// Dots across a letter with the gap after it, and down a line with the gap below it.
pub const ADVANCE: u32 = 6;
/// Dots down a line, with the gap below it.
pub const LINE: u32 = 9;

const ACROSS: u32 = 5;

/// Writes `text` with its upper left corner at `at`, each dot `size` pixels a side; letters outside the picture are cut off.
pub fn write(image: &mut Image, at: [u32; 2], size: u32, colour: [u8; 3], text: &str) {
    for (n, letter) in (0..).zip(text.chars()) {
        let left = at[0] + n * ADVANCE * size;
        for (row, dots) in (0..).zip(dots(letter)) {
            for column in (0..ACROSS).filter(|column| dots >> (ACROSS - 1 - column) & 1 == 1) {
                fill(image, [left + column * size, at[1] + row * size], [size, size], colour);
            }
        }
    }
}

/// Fills a rectangle with a colour, as far as it lies in the picture.
pub fn fill(image: &mut Image, at: [u32; 2], size: [u32; 2], colour: [u8; 3]) {
    for y in at[1]..(at[1] + size[1]).min(image.height) {
        for x in at[0]..(at[0] + size[0]).min(image.width) {
            let first = ((y * image.width + x) * 4) as usize;
            image.rgba[first..first + 3].copy_from_slice(&colour);
            image.rgba[first + 3] = 255;
        }
    }
}

/// A letter's rows from the top, its leftmost dot the highest of five bits; a box for what is not here.
#[rustfmt::skip]
fn dots(letter: char) -> [u8; 7] {
    match letter.to_ascii_uppercase() {
        ' ' => [0; 7],
        'A' => [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'B' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110],
        'C' => [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110],
        'D' => [0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110],
        'E' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
        'F' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000],
        'G' => [0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01110],
        'H' => [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'I' => [0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        'J' => [0b00111, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100],
        'K' => [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001],
        'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        'M' => [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001],
        'N' => [0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001, 0b10001],
        'O' => [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        'P' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000],
        'Q' => [0b01110, 0b10001, 0b10001, 0b10001, 0b10101, 0b10010, 0b01101],
        'R' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
        'S' => [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110],
        'T' => [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
        'U' => [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        'V' => [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100],
        'W' => [0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b11011, 0b10001],
        'X' => [0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001],
        'Y' => [0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100, 0b00100],
        'Z' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111],
        '0' => [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        '2' => [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
        '3' => [0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110],
        '4' => [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        '6' => [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
        '8' => [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
        '9' => [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
        '.' => [0, 0, 0, 0, 0, 0b01100, 0b01100],
        ',' => [0, 0, 0, 0, 0b01100, 0b00100, 0b01000],
        '-' => [0, 0, 0, 0b01110, 0, 0, 0],
        '/' => [0b00001, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b10000],
        '%' => [0b11000, 0b11001, 0b00010, 0b00100, 0b01000, 0b10011, 0b00011],
        _ => [0b11111, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11111],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_written_where_it_was_asked_for_and_cut_at_the_edge() {
        let mut image = Image { width: 20, height: 10, rgba: vec![0; 800] };
        write(&mut image, [2, 1], 1, [9, 8, 7], "LILLY");
        let set = |x: usize, y: usize| image.rgba[(y * 20 + x) * 4] == 9;
        assert!(set(2, 1) && set(2, 7) && set(6, 7) && !set(4, 3), "an L");
        assert!(set(10, 4) && !set(8, 4), "an I beside it");
    }

    #[test]
    fn letters_differ_from_each_other_and_from_the_box_of_the_unknown() {
        let mut all: Vec<_> =
            ('A'..='Z').chain('0'..='9').chain([' ', '.', ',', '-', '/', '%', '?']).map(dots).collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
