//! All layers as the body they become: every bead a shaded tube, seen from the front, left and above.
//!
//! Layers are added as they are opened or printed; each bead is met by the lines of sight of the samples it may cover and
//! kept where it is nearest (a z-buffer), so nothing of a layer is kept but the picture. A picture may be taken at any
//! time, which is how a print in progress is shown.

use layerlock_slicer::picture::Image;
use layerlock_terms::toolpath::{Feature, Layer, Point, Point3};

use super::moves::{Move, moves};
use super::palette::{self, Rgb, colour_of};
use super::shadow::{KEY, Shadow};
use super::tube::{Hit, Tube, Vector};
use super::view::{TOWARDS, View};

/// Samples along each side of a pixel.
const SAMPLES: usize = 2;
/// Longest piece of a line drawn at once, in samples: long slanted lines have mostly empty boxes around them.
const PIECE: f32 = 20.0;

/// A picture that grows layer by layer.
pub struct BodyPicture {
    view: View,
    /// Nearness at each sample; negative infinity where nothing is.
    near: Vec<f32>,
    /// Colour and light of what is nearest.
    paint: Vec<Paint>,
    shadow: Shadow,
    /// Where the nozzle is.
    at: Option<Point>,
    /// Thickness of the layer added last, in millimetres.
    thickness: f32,
}

/// What a sample shows: its colour before light, and the normal in 127ths.
#[derive(Debug, Clone, Copy)]
struct Paint {
    colour: Rgb,
    normal: [i8; 3],
}

impl Paint {
    fn vector(self) -> Vector {
        let [x, y, z] = self.normal.map(|part| f32::from(part) / 127.0);
        Vector(x, y, z)
    }
}

impl BodyPicture {
    /// A picture with room for a part between two corners, as the signed manifest states them.
    ///
    /// `width` and `height` are pixels, taken to be at least 16. What is printed outside the corners may be cut off.
    pub fn new(min: Point3, max: Point3, width: u32, height: u32) -> Self {
        let size = [width.max(16) as usize * SAMPLES, height.max(16) as usize * SAMPLES];
        let view = View::of(corner(min), corner(max), size);
        let bare = Paint { colour: palette::BENCH, normal: [0, 0, 127] };
        Self {
            near: vec![f32::NEG_INFINITY; size[0] * size[1]],
            paint: vec![bare; size[0] * size[1]],
            shadow: Shadow::new(&view),
            view,
            at: None,
            thickness: 0.0,
        }
    }

    /// Adds one layer; layers come in printing order.
    pub fn add(&mut self, layer: &Layer) {
        let mut at = self.at;
        let z = (layer.z.to_mm() - layer.height.to_mm() / 2.0) as f32;
        let height = layer.height.to_mm() as f32;
        for piece in moves(layer, &mut at) {
            self.bead(&piece, z, height);
        }
        self.at = at;
        self.thickness = height;
    }

    /// The picture as it is now.
    pub fn image(&self) -> Image {
        let [width, height] = self.view.size.map(|samples| samples / SAMPLES);
        let shadow = self.shadow.softened();
        let mut rgba = Vec::with_capacity(width * height * 4);
        for y in 0..height {
            for x in 0..width {
                rgba.extend(self.pixel(x, y, &shadow));
            }
        }
        Image { width: width as u32, height: height as u32, rgba }
    }

    /// Draws one line of plastic and its shadow.
    fn bead(&mut self, piece: &Move<'_>, z: f32, height: f32) {
        let place = |point: Point| Vector(point.x as f32 / 1e3, point.y as f32 / 1e3, z);
        let (from, to) = (place(piece.from), place(piece.to));
        let width = piece.line.width.to_mm() as f32;
        let Some(tube) = Tube::between(from, to, width, height) else { return };
        let colour = colour_at(piece.line.feature, self.view.relative_height(z));
        let pieces =
            ((piece.length() as f32 / 1e3 * self.view.scale / PIECE).ceil() as usize).clamp(1, 1 << 14);
        let reach = (width.max(height) * 0.8 * self.view.scale).ceil();
        let along = |share: f32| from.plus(to.plus(from, -1.0), share);
        for n in 0..pieces {
            let (a, b) = (along(n as f32 / pieces as f32), along((n + 1) as f32 / pieces as f32));
            self.stretch(&tube, colour, [self.view.place(a), self.view.place(b)], reach);
            self.shadow.cast(a, width);
        }
    }

    /// Draws the tube in the samples around a stretch of it.
    fn stretch(&mut self, tube: &Tube, colour: Rgb, [a, b]: [[f32; 2]; 2], reach: f32) {
        let span = |axis: usize| {
            let (low, high) = (a[axis].min(b[axis]) - reach, a[axis].max(b[axis]) + reach);
            low.max(0.0) as usize..(high.max(0.0) as usize + 1).min(self.view.size[axis])
        };
        let columns = span(0);
        for y in span(1) {
            for x in columns.clone() {
                if let Some(hit) = tube.meet(self.view.sight(x, y), TOWARDS) {
                    self.keep(y * self.view.size[0] + x, hit, colour);
                }
            }
        }
    }

    fn keep(&mut self, sample: usize, hit: Hit, colour: Rgb) {
        if hit.nearness > self.near[sample] {
            self.near[sample] = hit.nearness;
            let Vector(x, y, z) = hit.normal;
            self.paint[sample] = Paint { colour, normal: [x, y, z].map(|part| (part * 127.0) as i8) };
        }
    }

    /// The mean of a pixel's samples.
    fn pixel(&self, x: usize, y: usize, shadow: &Shadow) -> [u8; 4] {
        let mut sum = [0.0; 3];
        for n in 0..SAMPLES * SAMPLES {
            let (sx, sy) = (x * SAMPLES + n % SAMPLES, y * SAMPLES + n / SAMPLES);
            let colour = self.sample(sx, sy, shadow);
            sum = [0, 1, 2].map(|i| sum[i] + colour[i]);
        }
        let [red, green, blue] =
            sum.map(|part| (part / (SAMPLES * SAMPLES) as f32).clamp(0.0, 255.0).round() as u8);
        [red, green, blue, 255]
    }

    fn sample(&self, x: usize, y: usize, shadow: &Shadow) -> [f32; 3] {
        let at = y * self.view.size[0] + x;
        if self.near[at] == f32::NEG_INFINITY {
            return self.view.bench(x, y, shadow);
        }
        let Rgb(red, green, blue) = self.paint[at].colour;
        let normal = self.normal(x, y);
        let open = self.openness(x, y);
        let key = normal.dot(KEY).max(0.0);
        let light = (0.30 + 0.16 * normal.2) * open + 0.72 * key * (0.35 + 0.65 * open);
        let half = KEY.plus(TOWARDS, 1.0).unit();
        let sheen = 46.0 * normal.dot(half).max(0.0).powi(24) * open;
        [red, green, blue].map(|part| f32::from(part) * light + sheen)
    }

    /// The normal to shade with. Where a layer is only a few samples high its rounded flank would beat against the grid of
    /// samples, so the mean over some layers takes its place: a triangle filter two layers either way, which is blind
    /// to exactly the layers' own frequency.
    fn normal(&self, x: usize, y: usize) -> Vector {
        let period = self.thickness * self.view.up.2 * self.view.scale;
        let detail = ((period - 4.0) / 10.0).clamp(0.04, 1.0);
        let [width, height] = self.view.size;
        let own = self.paint[y * width + x].vector();
        let near = self.near[y * width + x];
        let reach = (2.0 * period).max(1.0);
        let mut sum = Vector(0.0, 0.0, 0.0);
        for row in y.saturating_sub(reach as usize)..(y + reach as usize + 1).min(height) {
            let weight = 1.0 - row.abs_diff(y) as f32 / reach;
            for at in row * width + x.saturating_sub(1)..row * width + (x + 2).min(width) {
                if weight > 0.0 && (self.near[at] - near).abs() < self.thickness * 5.0 {
                    sum = sum.plus(self.paint[at].vector(), weight);
                }
            }
        }
        sum.unit().plus(own.plus(sum.unit(), -1.0), detail).unit()
    }

    /// How little of a sample's surroundings stands before it, from 0 to 1: darkens corners and the insides of hollows.
    fn openness(&self, x: usize, y: usize) -> f32 {
        let [width, height] = self.view.size;
        let near = self.near[y * width + x];
        let reach = self.view.radius * 0.16;
        let mut hidden = 0.0;
        for (n, &(dx, dy)) in RING.iter().enumerate() {
            let far = reach * self.view.scale * (0.25 + 0.75 * (n % 4) as f32 / 3.0);
            let (tx, ty) = (x as f32 + dx * far, y as f32 + dy * far);
            if tx >= 0.0 && ty >= 0.0 && tx < width as f32 && ty < height as f32 {
                let before = self.near[ty as usize * width + tx as usize] - near;
                // What stands far before is another part of the body, not a wall of this corner.
                hidden += (before / reach).clamp(0.0, 1.0) * (1.0 - (before / reach / 6.0).clamp(0.0, 1.0));
            }
        }
        1.0 - 0.75 * hidden / RING.len() as f32
    }
}

/// Sixteen directions around a sample, neighbours far apart in the list.
const RING: [(f32, f32); 16] = [
    (1.0, 0.0),
    (-0.924, 0.383),
    (0.707, -0.707),
    (-0.383, 0.924),
    (0.0, -1.0),
    (0.383, 0.924),
    (-0.707, -0.707),
    (0.924, 0.383),
    (-1.0, 0.0),
    (0.924, -0.383),
    (-0.707, 0.707),
    (0.383, -0.924),
    (0.0, 1.0),
    (-0.383, -0.924),
    (0.707, 0.707),
    (-0.924, -0.383),
];

/// The height's colour for walls; what is seen only while a part grows keeps a share of its feature's.
fn colour_at(feature: Feature, height: f32) -> Rgb {
    let climb = palette::at_height(height);
    match feature {
        Feature::OuterPerimeter | Feature::InnerPerimeter | Feature::ThinWall | Feature::GapFill => climb,
        Feature::TopSurface | Feature::BottomSurface | Feature::SolidInfill | Feature::Bridge => {
            climb.lighter(0.12)
        }
        Feature::SparseInfill => climb.darker(0.25),
        Feature::Support | Feature::SupportInterface | Feature::Skirt => colour_of(feature).mix(climb, 0.15),
    }
}

fn corner(point: Point3) -> Vector {
    Vector(point.x as f32 / 1e3, point.y as f32 / 1e3, point.z as f32 / 1e3)
}

#[cfg(test)]
mod tests {
    use layerlock_terms::toolpath::{Path as Line, Step};
    use layerlock_terms::units::{Feed, Micrometres, MmPerMinute};

    use super::*;

    /// A square tower of 20 mm, one wall, this many layers of 0.5 mm.
    fn tower(layers: i32) -> Vec<Layer> {
        let corners = [(20_000, 0), (20_000, 20_000), (0, 20_000), (0, 0)];
        let layer = |n: i32| Layer {
            index: n as u32,
            z: Micrometres((n + 1) * 500),
            height: Micrometres(500),
            steps: vec![
                Step::Travel { to: vec![Point { x: 0, y: 0 }], speed: MmPerMinute(9_000) },
                Step::Extrude(Line {
                    feature: Feature::OuterPerimeter,
                    width: Micrometres(600),
                    speed: MmPerMinute(1_200),
                    climb: None,
                    points: corners.iter().map(|&(x, y)| (Point { x, y }, Feed(1))).collect(),
                }),
            ],
        };
        (0..layers).map(layer).collect()
    }

    fn picture() -> BodyPicture {
        let max = Point3 { x: 20_000, y: 20_000, z: 20_000 };
        BodyPicture::new(Point3 { x: 0, y: 0, z: 0 }, max, 160, 120)
    }

    fn covered(picture: &BodyPicture) -> usize {
        picture.near.iter().filter(|near| near.is_finite()).count()
    }

    #[test]
    fn the_body_grows_with_its_layers() {
        let mut picture = picture();
        let mut before = covered(&picture);
        assert_eq!(before, 0);
        for layers in tower(40).chunks(10) {
            layers.iter().for_each(|layer| picture.add(layer));
            let now = covered(&picture);
            assert!(now > before + 500, "{now} samples after {before}");
            before = now;
        }
    }

    #[test]
    fn front_walls_hide_what_lies_behind_and_inside() {
        let mut picture = picture();
        tower(40).iter().for_each(|layer| picture.add(layer));
        let all = picture.image();
        let inside = Layer {
            steps: vec![
                Step::Travel { to: vec![Point { x: 9_000, y: 9_000 }], speed: MmPerMinute(9_000) },
                Step::Extrude(Line {
                    feature: Feature::Support,
                    width: Micrometres(600),
                    speed: MmPerMinute(1_200),
                    climb: None,
                    points: vec![(Point { x: 11_000, y: 9_000 }, Feed(1))],
                }),
            ],
            ..tower(1).remove(0)
        };
        picture.add(&inside);
        // Its shadow may shift a tone of the bench; the tower itself must not change at all.
        let changed = picture.image().rgba.iter().zip(&all.rgba).filter(|(a, b)| a.abs_diff(**b) > 2).count();
        assert_eq!(changed, 0, "a line inside the closed tower can't be seen");
    }

    #[test]
    fn the_same_layers_make_the_same_picture() {
        let draw = || {
            let mut picture = picture();
            tower(8).iter().for_each(|layer| picture.add(layer));
            picture.image()
        };
        assert_eq!(draw(), draw());
    }
}
