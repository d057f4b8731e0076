//! One layer from above: every line of plastic in its true width, coloured by what it is for, on the bed's grid.
//!
//! Along the lower edge runs a bar that shows how the layer's length of line is shared among the features.

use layerlock_slicer::picture::Image;
use layerlock_terms::toolpath::{Feature, Layer, Path as Line, Point, Step};
use layerlock_terms::units::Micrometres;
use tiny_skia::{
    Color, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PremultipliedColorU8, Rect, Stroke,
    StrokeDash, Transform,
};

use super::moves::moves;
use super::palette::{self, Rgb, colour_of};

/// The printable area, its front left corner at the machine's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bed {
    /// To the right.
    pub width: Micrometres,
    /// To the back.
    pub depth: Micrometres,
}

/// Free room around the plastic, as a share of the picture.
const MARGIN: f32 = 0.09;
/// The narrowest stretch of bed shown, in micrometres.
const NARROWEST: f32 = 12_000.0;
/// Distance between grid lines, in micrometres.
const GRID_UM: i32 = 10_000;

/// Draws one layer, filling the picture with what it extrudes; an empty layer shows the whole bed.
///
/// `width` and `height` are pixels, taken to be at least 16.
pub fn layer_picture(layer: &Layer, bed: Bed, width: u32, height: u32) -> Image {
    let (width, height) = (width.max(16), height.max(16));
    let mut sheet = Sheet::new(Window::of(layer, bed), width, height);
    sheet.bed(bed);
    let mut at = None;
    for step in &layer.steps {
        at = sheet.step(step, at);
    }
    sheet.shares(&shares(layer));
    sheet.finish()
}

/// The stretch of bed that is shown, in micrometres.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    min: [f32; 2],
    max: [f32; 2],
}

impl Window {
    fn of(layer: &Layer, bed: Bed) -> Self {
        let moves = moves(layer, &mut None);
        let ends = moves.iter().flat_map(|m| [m.from, m.to]);
        let points = ends.map(|point| [point.x as f32, point.y as f32]);
        let around = points.fold(None, |window: Option<Self>, point| {
            let window = window.unwrap_or(Self { min: point, max: point });
            Some(Self {
                min: [0, 1].map(|i| window.min[i].min(point[i])),
                max: [0, 1].map(|i| window.max[i].max(point[i])),
            })
        });
        around.unwrap_or(Self { min: [0.0; 2], max: [bed.width.0 as f32, bed.depth.0 as f32] })
    }
}

/// A picture being drawn.
struct Sheet {
    pixels: Pixmap,
    /// Pixels a micrometre.
    scale: f32,
    middle: [f32; 2],
}

impl Sheet {
    fn new(window: Window, width: u32, height: u32) -> Self {
        let extent = [0, 1].map(|i| (window.max[i] - window.min[i]).max(NARROWEST));
        let room = [width, height].map(|pixels| pixels as f32 * (1.0 - 2.0 * MARGIN));
        let mut pixels =
            Pixmap::new(width, height).expect("a picture of at least 16 pixels a side has a size");
        pixels.fill(opaque(palette::BENCH));
        Self {
            pixels,
            scale: (room[0] / extent[0]).min(room[1] / extent[1]),
            middle: [0, 1].map(|i| (window.min[i] + window.max[i]) / 2.0),
        }
    }

    /// A point of the bed in pixels; the picture's y runs down.
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        let (width, height) = (self.pixels.width() as f32, self.pixels.height() as f32);
        (width / 2.0 + (x - self.middle[0]) * self.scale, height / 2.0 - (y - self.middle[1]) * self.scale)
    }

    fn place_point(&self, point: Point) -> (f32, f32) {
        self.place(point.x as f32, point.y as f32)
    }

    /// The bed with its grid and edge.
    fn bed(&mut self, bed: Bed) {
        let (left, top) = self.place(0.0, bed.depth.0 as f32);
        let (right, bottom) = self.place(bed.width.0 as f32, 0.0);
        let Some(area) = Rect::from_ltrb(left, top, right, bottom) else { return };
        self.pixels.fill_rect(area, &paint(palette::BED, 1.0), Transform::identity(), None);
        let mut grid = PathBuilder::new();
        for n in 1..bed.width.0 / GRID_UM + 1 {
            let (x, _) = self.place((n * GRID_UM) as f32, 0.0);
            grid.move_to(x, top);
            grid.line_to(x, bottom);
        }
        for n in 1..bed.depth.0 / GRID_UM + 1 {
            let (_, y) = self.place(0.0, (n * GRID_UM) as f32);
            grid.move_to(left, y);
            grid.line_to(right, y);
        }
        self.stroke(grid.finish(), palette::GRID, 1.0, 1.0);
        self.stroke(Some(PathBuilder::from_rect(area)), palette::BED_EDGE, 1.0, 2.0);
    }

    /// Draws one step that begins at `at`; gives where the nozzle is afterwards.
    fn step(&mut self, step: &Step, at: Option<Point>) -> Option<Point> {
        match step {
            Step::Travel { to, .. } | Step::Wipe { to, .. } => {
                self.travel(at, to);
                to.last().copied().or(at)
            }
            Step::Extrude(line) => {
                self.line(at, line);
                line.points.last().map(|(point, _)| *point).or(at)
            }
            Step::Retract { .. } | Step::Prime { .. } | Step::Lift { .. } => at,
            Step::Fan(_) | Step::Nozzle(_) | Step::Bed(_) | Step::Acceleration { .. } => at,
        }
    }

    fn travel(&mut self, from: Option<Point>, to: &[Point]) {
        let path = self.path(from, to.iter().copied());
        let stroke = Stroke { width: 1.0, dash: StrokeDash::new(vec![3.0, 4.0], 0.0), ..Stroke::default() };
        if let Some(path) = path {
            let paint = paint(palette::TRAVEL, 0.38);
            self.pixels.stroke_path(&path, &paint, &stroke, Transform::identity(), None);
        }
    }

    /// A bead: a dark edge that parts it from its neighbours, its body, and a sheen along its back.
    fn line(&mut self, from: Option<Point>, line: &Line) {
        let path = self.path(from, line.points.iter().map(|(point, _)| *point));
        let (colour, width) = (colour_of(line.feature), line.width.0 as f32 * self.scale);
        self.stroke(path.clone(), colour.darker(0.62), 1.0, width.max(1.0));
        self.stroke(path.clone(), colour.darker(0.12), 1.0, (width * 0.84).max(0.8));
        if width > 3.0 {
            self.stroke(path.clone(), colour, 0.8, width * 0.5);
            self.stroke(path, colour.lighter(0.45), 0.5, width * 0.16);
        }
    }

    fn path(&self, from: Option<Point>, points: impl Iterator<Item = Point>) -> Option<Path> {
        let mut builder = PathBuilder::new();
        for point in from.into_iter().chain(points) {
            let (x, y) = self.place_point(point);
            if builder.is_empty() { builder.move_to(x, y) } else { builder.line_to(x, y) }
        }
        builder.finish()
    }

    fn stroke(&mut self, path: Option<Path>, colour: Rgb, opacity: f32, width: f32) {
        let stroke =
            Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        if let Some(path) = path {
            self.pixels.stroke_path(&path, &paint(colour, opacity), &stroke, Transform::identity(), None);
        }
    }

    /// The bar of shares, which add up to one or to nothing.
    fn shares(&mut self, shares: &[(Feature, f32)]) {
        let (width, height) = (self.pixels.width() as f32, self.pixels.height() as f32);
        let thick = (height / 110.0).max(2.0);
        let (mut left, top) = (width * MARGIN, height - thick * 3.0);
        for &(feature, share) in shares {
            let length = share * width * (1.0 - 2.0 * MARGIN);
            if let Some(area) = Rect::from_xywh(left, top, (length - 1.5).max(0.5), thick) {
                self.pixels.fill_rect(area, &paint(colour_of(feature), 1.0), Transform::identity(), None);
            }
            left += length;
        }
    }

    fn finish(self) -> Image {
        let (width, height) = (self.pixels.width(), self.pixels.height());
        let plain = |pixel: &PremultipliedColorU8| {
            let colour = pixel.demultiply();
            [colour.red(), colour.green(), colour.blue(), colour.alpha()]
        };
        Image { width, height, rgba: self.pixels.pixels().iter().flat_map(plain).collect() }
    }
}

/// Each feature's share of the length extruded, in the features' order; nothing for a layer without plastic.
fn shares(layer: &Layer) -> Vec<(Feature, f32)> {
    let mut lengths: Vec<(Feature, f64)> = Vec::new();
    for piece in moves(layer, &mut None) {
        match lengths.iter_mut().find(|(feature, _)| *feature == piece.line.feature) {
            Some((_, sum)) => *sum += piece.length(),
            None => lengths.push((piece.line.feature, piece.length())),
        }
    }
    lengths.sort_by_key(|(feature, _)| *feature);
    let all: f64 = lengths.iter().map(|(_, length)| length).sum();
    lengths.retain(|(_, length)| *length > 0.0);
    lengths.into_iter().map(|(feature, length)| (feature, (length / all) as f32)).collect()
}

fn opaque(Rgb(red, green, blue): Rgb) -> Color {
    Color::from_rgba8(red, green, blue, 255)
}

fn paint(Rgb(red, green, blue): Rgb, opacity: f32) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, (opacity * 255.0).round() as u8);
    paint
}

#[cfg(test)]
mod tests {
    use layerlock_terms::units::{Feed, MmPerMinute};

    use super::*;

    const BED: Bed = Bed { width: Micrometres(200_000), depth: Micrometres(200_000) };

    fn line(feature: Feature, points: &[(i32, i32)]) -> Step {
        let points = points.iter().map(|&(x, y)| (Point { x, y }, Feed(1))).collect();
        Step::Extrude(Line {
            feature,
            width: Micrometres(2_000),
            speed: MmPerMinute(1_200),
            climb: None,
            points,
        })
    }

    fn layer(steps: Vec<Step>) -> Layer {
        Layer { index: 0, z: Micrometres(200), height: Micrometres(200), steps }
    }

    fn start(x: i32, y: i32) -> Step {
        Step::Travel { to: vec![Point { x, y }], speed: MmPerMinute(9_000) }
    }

    fn pixel(image: &Image, x: u32, y: u32) -> Rgb {
        let at = ((y * image.width + x) * 4) as usize;
        Rgb(image.rgba[at], image.rgba[at + 1], image.rgba[at + 2])
    }

    #[test]
    fn a_line_is_drawn_in_its_width_and_colour_where_it_lies() {
        let across = layer(vec![start(90_000, 100_000), line(Feature::Bridge, &[(110_000, 100_000)])]);
        let image = layer_picture(&across, BED, 400, 400);
        let is_blue = |rgb: Rgb| rgb.2 > 120 && rgb.2 > rgb.0;
        assert!(is_blue(pixel(&image, 200, 200)));
        let thick = (0..380).filter(|&y| is_blue(pixel(&image, 200, y))).count();
        let expected = 2_000.0 * 400.0 * (1.0 - 2.0 * MARGIN) / 20_000.0;
        assert!((thick as f32 - expected).abs() < 0.25 * expected, "{thick} pixels for {expected}");
    }

    #[test]
    fn the_back_of_the_bed_is_the_top_of_the_picture() {
        let corner = layer(vec![start(0, 0), line(Feature::Skirt, &[(0, 100_000), (100_000, 100_000)])]);
        let image = layer_picture(&corner, BED, 300, 300);
        let bright = |x: u32, y: u32| pixel(&image, x, y).1 > 90;
        assert!(bright(150, 27) || bright(150, 28), "the line at the back lies at the top");
        assert!(!bright(150, 260), "and nothing at the bottom");
    }

    #[test]
    fn an_empty_layer_shows_the_bed() {
        let image = layer_picture(&layer(vec![]), BED, 100, 100);
        assert_eq!(pixel(&image, 1, 1), palette::BENCH);
        assert_eq!(pixel(&image, 52, 52), palette::BED);
    }

    #[test]
    fn shares_are_by_length_and_add_up_to_one() {
        let both = layer(vec![
            start(0, 0),
            line(Feature::Support, &[(0, 1_000), (0, 3_000)]),
            line(Feature::Skirt, &[(1_000, 3_000)]),
            line(Feature::Bridge, &[(1_000, 3_000)]),
        ]);
        assert_eq!(shares(&both), [(Feature::Skirt, 0.25), (Feature::Support, 0.75)]);
    }
}
