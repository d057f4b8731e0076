//! The snapshot: a shaded picture of a mesh, which is all of a design a buyer ever sees.
//!
//! Serves hop 1 (upload). Three passes: `raster` finds which triangle each sample of the picture shows, `light` keeps
//! what the lights see so that shadows fall, `shade` colours every sample; then samples are averaged into pixels.
//! Pure and the same on any number of threads: rows are shaded apart and never added up across threads.
//! Deliberately absent: textures, reading pictures, and any way from a picture back to coordinates.

mod camera;
pub mod letters;
mod light;
mod normals;
mod raster;
mod shade;
mod vector;

use rayon::prelude::*;

use crate::mesh::Mesh;
pub use camera::View;
use shade::{Scene, Studio};

/// Samples along each side of a pixel.
const SAMPLES: usize = 2;

/// Pixels, eight bits a channel, not premultiplied; rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Red, green, blue, opacity; `width * height * 4` bytes.
    pub rgba: Vec<u8>,
}

impl Image {
    /// Emits the picture as PNG, without dates or other metadata: equal pictures are equal files. One that is opaque says
    /// nothing of opacity.
    pub fn to_png(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width, self.height);
        let (pixels, _) = self.rgba.as_chunks::<4>();
        let rgb = pixels.iter().all(|[.., opacity]| *opacity == u8::MAX);
        let rgb =
            rgb.then(|| pixels.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]).collect());
        encoder.set_color(if rgb.is_some() { png::ColorType::Rgb } else { png::ColorType::Rgba });
        encoder.set_depth(png::BitDepth::Eight);
        // A sixth longer than it could be, for an eighth of the time.
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header().expect("memory takes all, and the picture has a size");
        let data: &[u8] = rgb.as_ref().map_or(&self.rgba, |rgb: &Vec<u8>| rgb);
        writer.write_image_data(data).expect("there are exactly as many bytes as the size says");
        writer.finish().expect("memory takes all");
        out
    }
}

/// Draws `mesh` standing on a floor in soft light, seen from one side, filling the picture.
///
/// `width` and `height` are pixels, at least 1 each. A mesh without triangles gives the empty floor.
pub fn snapshot(mesh: &Mesh, view: View, width: u32, height: u32) -> Image {
    draw(&Studio::new(mesh), view, width, height)
}

/// The same from several sides, each with its width and height, as PNG; what they have in common is made once.
pub fn snapshots(mesh: &Mesh, sides: &[(View, [u32; 2])]) -> Vec<Vec<u8>> {
    let studio = Studio::new(mesh);
    sides.par_iter().map(|&(view, [width, height])| draw(&studio, view, width, height).to_png()).collect()
}

fn draw(studio: &Studio<'_>, view: View, width: u32, height: u32) -> Image {
    let (width, height) = (width.max(1), height.max(1));
    let scene = Scene::new(studio, view, [width as usize * SAMPLES, height as usize * SAMPLES]);
    let rows = (0..height as usize).into_par_iter().flat_map_iter(|y| row(&scene, y, width as usize));
    Image { width, height, rgba: rows.collect() }
}

/// One row of pixels, each the mean of its samples in linear light; of those that show the same smooth place one is coloured.
fn row(scene: &Scene<'_>, y: usize, width: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(width * 4);
    for x in 0..width {
        let places: [[usize; 2]; SAMPLES * SAMPLES] =
            std::array::from_fn(|n| [x * SAMPLES + n % SAMPLES, y * SAMPLES + n / SAMPLES]);
        let mut colours = [vector::ZERO; SAMPLES * SAMPLES];
        for n in 0..places.len() {
            let alike = (0..n).find(|&m| scene.is_smooth(places[m], places[n]));
            colours[n] = alike.map_or_else(|| scene.colour(places[n]), |m| colours[m]);
        }
        let sum = colours.iter().fold(vector::ZERO, |sum, &colour| sum + colour);
        bytes.extend(shade::to_screen(sum * (1.0 / colours.len() as f32)));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    fn pixel(image: &Image, x: u32, y: u32) -> [u8; 4] {
        let at = ((y * image.width + x) * 4) as usize;
        image.rgba[at..at + 4].try_into().unwrap()
    }

    #[test]
    fn the_part_stands_in_the_middle_of_its_picture() {
        let image = snapshot(&sample(), View::Corner, 120, 90);
        assert_eq!(image.rgba.len(), 120 * 90 * 4);
        let is_plastic = |x: u32, y: u32| {
            let [red, _, blue, _] = pixel(&image, x, y);
            red > blue.saturating_add(60)
        };
        assert!(is_plastic(60, 45), "the part covers the middle");
        let border = (0..120).flat_map(|x| [(x, 0), (x, 89)]).chain((0..90).flat_map(|y| [(0, y), (119, y)]));
        assert_eq!(border.filter(|&(x, y)| is_plastic(x, y)).count(), 0, "and leaves the border free");
        let empty = snapshot(&Mesh::default(), View::Corner, 120, 90);
        assert!(pixel(&empty, 60, 45)[0] > 200, "no part, only the pale floor");
    }

    #[test]
    fn the_picture_does_not_depend_on_the_number_of_threads() {
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let draw = || snapshot(&sample(), View::Corner, 64, 48);
        assert_eq!(one.install(draw), three.install(draw));
    }

    #[test]
    fn a_picture_reads_back_from_png_as_it_was() {
        let opaque = snapshot(&sample(), View::Corner, 40, 30);
        let mut clear = opaque.clone();
        clear.rgba[7] = 100;
        for (image, channels) in [(&opaque, 3), (&clear, 4)] {
            let png = image.to_png();
            let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().unwrap();
            let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut bytes).unwrap();
            assert_eq!((reader.info().width, reader.info().height), (40, 30));
            let pixels = image.rgba.chunks(4).map(|pixel| &pixel[..channels]);
            assert!(bytes.chunks(channels).eq(pixels));
        }
    }

    #[test]
    fn every_side_is_the_picture_it_would_be_alone_and_no_two_are_alike() {
        let sides = View::ALL.map(|view| (view, [48, 36]));
        let drawn = snapshots(&sample(), &sides);
        let alone = View::ALL.map(|view| snapshot(&sample(), view, 48, 36).to_png());
        assert_eq!(drawn, alone);
        assert!((1..4).all(|n| !drawn[..n].contains(&drawn[n])));
    }

    #[test]
    fn who_looks_from_behind_has_the_light_at_hand_as_well() {
        // A cube is the same from both corners, so its pictures are.
        let vertices = (0..8).map(|n| [n & 1, n >> 1 & 1, n >> 2].map(|side| side as f32 * 10.0)).collect();
        let quads: [[u32; 4]; 6] =
            [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [1, 3, 7, 5], [3, 2, 6, 7], [2, 0, 4, 6]];
        let triangles = quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect();
        let cube = Mesh { vertices, triangles };
        let (front, back) = (snapshot(&cube, View::Corner, 40, 30), snapshot(&cube, View::Back, 40, 30));
        let differ = front.rgba.iter().zip(&back.rgba).filter(|(a, b)| a.abs_diff(**b) > 8).count();
        assert!(differ * 100 < front.rgba.len(), "{differ} of {} bytes differ", front.rgba.len());
    }

    #[test]
    fn a_pictures_size_is_never_zero() {
        let image = snapshot(&sample(), View::Corner, 0, 0);
        assert_eq!((image.width, image.height, image.rgba.len()), (1, 1, 4));
    }
}
