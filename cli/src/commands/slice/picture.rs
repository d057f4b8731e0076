//! What was sliced, to look at before it is printed: the whole part, or one layer with a legend.

use std::io;

use layerlock_terms::machine::Machine;
use layerlock_terms::toolpath::{Epilogue, Layer};

use crate::picture::{Bed, BodyPicture, add_legend, layer_picture};

const SIDE: u32 = 1200;

/// A picture that was asked for, and the layers it needs. The part's size is known at its end only, so for the whole part
/// all layers are kept until then; without a picture none are.
pub(super) struct Picture {
    only: Option<u32>,
    kept: Vec<Layer>,
}

impl Picture {
    /// Of the whole part, or of `only` one layer.
    pub(super) fn new(only: Option<u32>) -> Self {
        Self { only, kept: Vec::new() }
    }

    /// The next layer.
    pub(super) fn add(&mut self, layer: &Layer) {
        if self.only.is_none_or(|only| only == layer.index) {
            self.kept.push(layer.clone());
        }
    }

    /// Draws it as PNG.
    pub(super) fn png(&self, machine: &Machine, end: &Epilogue) -> io::Result<Vec<u8>> {
        let image = match (self.only, self.kept.first()) {
            (Some(_), Some(layer)) => {
                let bed = Bed { width: machine.volume[0], depth: machine.volume[1] };
                let mut image = layer_picture(layer, bed, SIDE, SIDE);
                add_legend(&mut image, layer);
                image
            }
            (Some(only), None) => return Err(no_layer(only, end.layers)),
            (None, _) => {
                let mut body = BodyPicture::new(end.min, end.max, SIDE, SIDE);
                self.kept.iter().for_each(|layer| body.add(layer));
                body.image()
            }
        };
        Ok(image.to_png())
    }
}

fn no_layer(asked: u32, layers: u32) -> io::Error {
    let last = layers.saturating_sub(1);
    let words = format!("--layer {asked}: this print has layers 0 to {last}; name one of them");
    io::Error::new(io::ErrorKind::InvalidInput, words)
}

#[cfg(test)]
mod tests {
    use layerlock_terms::toolpath::Point3;
    use layerlock_terms::units::{Micrometres, Millis};

    use super::*;

    fn end() -> Epilogue {
        let (min, max) = (Point3 { x: 0, y: 0, z: 200 }, Point3 { x: 9_000, y: 9_000, z: 400 });
        Epilogue {
            layers: 2,
            duration: Millis(1),
            filament_um: 1,
            mass: Default::default(),
            min,
            max,
            times: Default::default(),
        }
    }

    fn layer(index: u32) -> Layer {
        Layer { index, z: Micrometres(200), height: Micrometres(200), steps: vec![] }
    }

    #[test]
    fn only_the_layer_that_is_drawn_is_kept_and_a_layer_that_is_not_there_is_named() {
        let machine = Machine::named("prusa-mk3s").unwrap();
        let mut picture = Picture::new(Some(1));
        (0..2).for_each(|index| picture.add(&layer(index)));
        assert_eq!(picture.kept.len(), 1);
        assert!(picture.png(machine, &end()).unwrap().starts_with(b"\x89PNG"));
        let refused = Picture::new(Some(2)).png(machine, &end()).unwrap_err();
        assert!(refused.to_string().contains("layers 0 to 1"), "{refused}");
    }
}
