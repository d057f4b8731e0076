//! The demo's picture: the printed body beside one of its layers, both drawn from what the device opened.

use std::io;
use std::path::Path;

use layerlock_terms::machine::Machine;
use layerlock_terms::toolpath::{Layer, Point3};

use crate::files;
use crate::picture::{Bed, BodyPicture, Image, layer_picture};

const SIDE: u32 = 900;

/// Collects layers as they are printed; keeps one of them, and the body's pixels.
pub struct Pictures {
    body: BodyPicture,
    shown: u32,
    layer: Option<Layer>,
}

impl Pictures {
    /// Room for a part of `layers` layers between two corners.
    pub fn new(min: Point3, max: Point3, layers: u32) -> Self {
        Self { body: BodyPicture::new(min, max, SIDE, SIDE), shown: layers * 2 / 5, layer: None }
    }

    /// The next printed layer.
    pub fn add(&mut self, layer: &Layer) {
        self.body.add(layer);
        if layer.index == self.shown {
            self.layer = Some(layer.clone());
        }
    }

    /// Writes both, side by side, as PNG.
    pub fn write(&self, machine: &Machine, file: &Path) -> io::Result<()> {
        let bed = Bed { width: machine.volume[0], depth: machine.volume[1] };
        let body = self.body.image();
        let picture = match &self.layer {
            Some(layer) => beside(&body, &layer_picture(layer, bed, SIDE, SIDE)),
            None => body,
        };
        files::write_public(file, &picture.to_png())
    }
}

/// Two pictures of the same height in one.
fn beside(left: &Image, right: &Image) -> Image {
    let row = |image: &Image| image.width as usize * 4;
    let rows = left.rgba.chunks(row(left)).zip(right.rgba.chunks(row(right)));
    let rgba = rows.flat_map(|(left, right)| left.iter().chain(right).copied()).collect();
    Image { width: left.width + right.width, height: left.height.min(right.height), rgba }
}
