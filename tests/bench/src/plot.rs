//! Lines over two logarithmic axes, beside each other: what grows straight lies parallel to what is proportional.

use layerlock_slicer::picture::{Image, letters};

const SIDE: u32 = 520;
const MARGIN: u32 = 70;
const PAPER: [u8; 3] = [0xff, 0xff, 0xff];
const INK: [u8; 3] = [0x22, 0x22, 0x22];
const GRID: [u8; 3] = [0xdd, 0xdd, 0xdd];
const COLOURS: [[u8; 3]; 3] = [[0x1f, 0x5f, 0xc4], [0xc4, 0x3e, 0x1f], [0x99, 0x99, 0x99]];

/// A named line.
pub struct Line {
    pub name: &'static str,
    /// Size and value, both above zero.
    pub points: Vec<[f64; 2]>,
}

/// A picture of panels side by side.
pub struct Plot {
    image: Image,
}

impl Plot {
    pub fn of(panels: &[(&str, Vec<Line>)]) -> Self {
        let (width, height) = (SIDE * panels.len() as u32, SIDE);
        let mut plot =
            Self { image: Image { width, height, rgba: vec![255; (width * height * 4) as usize] } };
        letters::fill(&mut plot.image, [0, 0], [width, height], PAPER);
        for (left, (title, lines)) in (0..).step_by(SIDE as usize).zip(panels) {
            plot.panel(left, title, lines);
        }
        plot
    }

    pub fn image(self) -> Image {
        self.image
    }

    fn panel(&mut self, left: u32, title: &str, lines: &[Line]) {
        let decades = [0, 1].map(|axis| decades(lines, axis));
        letters::write(&mut self.image, [left + MARGIN, 14], 2, INK, title);
        self.grid(left, decades);
        for ((n, line), colour) in (0..).zip(lines).zip(COLOURS) {
            let top = 40 + n * 16;
            letters::fill(&mut self.image, [left + MARGIN + 8, top], [20, 7], colour);
            letters::write(&mut self.image, [left + MARGIN + 36, top], 1, colour, line.name);
            let places: Vec<_> = line.points.iter().map(|point| place(left, decades, *point)).collect();
            for pair in places.windows(2) {
                self.stroke(pair[0], pair[1], colour);
            }
            for place in places {
                let corner = place.map(|at| (at as u32).saturating_sub(3));
                letters::fill(&mut self.image, corner, [6, 6], colour);
            }
        }
    }

    /// A line and a number at each power of ten.
    fn grid(&mut self, left: u32, decades: [[i32; 2]; 2]) {
        let inner = SIDE - 2 * MARGIN;
        for power in decades[0][0]..=decades[0][1] {
            let [x, _] = place(left, decades, [10_f64.powi(power), 10_f64.powi(decades[1][0])]);
            letters::fill(&mut self.image, [x as u32, MARGIN], [1, inner], GRID);
            letters::write(&mut self.image, [x as u32 - 12, SIDE - MARGIN + 12], 1, INK, &number(power));
        }
        for power in decades[1][0]..=decades[1][1] {
            let [_, y] = place(left, decades, [10_f64.powi(decades[0][0]), 10_f64.powi(power)]);
            letters::fill(&mut self.image, [left + MARGIN, y as u32], [inner, 1], GRID);
            letters::write(&mut self.image, [left + 20, y as u32 - 3], 1, INK, &number(power));
        }
    }

    fn stroke(&mut self, from: [f64; 2], to: [f64; 2], colour: [u8; 3]) {
        let steps = (to[0] - from[0]).abs().max((to[1] - from[1]).abs()).ceil().max(1.0);
        for n in 0..=steps as u32 {
            let at = [0, 1].map(|axis| from[axis] + (to[axis] - from[axis]) * f64::from(n) / steps);
            letters::fill(&mut self.image, at.map(|at| at as u32), [2, 2], colour);
        }
    }
}

/// The powers of ten that hold all values of an axis.
fn decades(lines: &[Line], axis: usize) -> [i32; 2] {
    let logarithms = lines.iter().flat_map(|line| &line.points).map(|point| point[axis].max(1e-6).log10());
    let (low, high) = logarithms.fold((f64::MAX, f64::MIN), |(low, high), it| (low.min(it), high.max(it)));
    if low > high { [0, 1] } else { [low.floor() as i32, (high.ceil() as i32).max(low.floor() as i32 + 1)] }
}

fn place(left: u32, decades: [[i32; 2]; 2], point: [f64; 2]) -> [f64; 2] {
    let inner = f64::from(SIDE - 2 * MARGIN);
    let share = |axis: usize| {
        let [low, high] = decades[axis].map(f64::from);
        (point[axis].max(1e-6).log10() - low) / (high - low)
    };
    [f64::from(left + MARGIN) + share(0) * inner, f64::from(SIDE - MARGIN) - share(1) * inner]
}

fn number(power: i32) -> String {
    match power {
        ..0 => format!("{:.*}", power.unsigned_abs() as usize, 10_f64.powi(power)),
        0..3 => format!("{:.0}", 10_f64.powi(power)),
        3..6 => format!("{:.0}K", 10_f64.powi(power - 3)),
        _ => format!("{:.0}M", 10_f64.powi(power - 6)),
    }
}
