//! Pictures of a toolpath, drawn from the layers a device opened: one layer from above, and all of them as a body.
//!
//! Serves hop 11 (print): progress is shown as a bar and the layer picture. Only `terms::toolpath` goes in, so this
//! would draw the same on a device that has no code to read a mesh. Layers come one at a time and are not
//! kept; memory depends on the picture's size alone. [`add_legend`] writes what a layer's
//! colours mean; [`colour_of`] gives them to whoever writes other words.

mod body;
mod flat;
mod legend;
mod moves;
mod palette;
mod shadow;
mod tube;
mod view;

pub use body::BodyPicture;
pub use flat::{Bed, layer_picture};
pub use layerlock_slicer::picture::Image;
pub use legend::add_legend;
pub use palette::{Rgb, colour_of};
