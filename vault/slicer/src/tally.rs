//! What a toolpath of any making adds up to: time, filament, room.
//!
//! The same sums that slicing makes, for layers that another engine made: a buyer compares like with like.

use layerlock_terms::profile::Profile;
use layerlock_terms::toolpath::{Epilogue, Layer};

use crate::estimate::{Pace, spend};
use crate::layers::Slab;
use crate::press::Total;

/// Layers summed so far.
pub struct Tally {
    profile: Profile,
    pace: Pace,
    total: Total,
    layers: u32,
}

impl Tally {
    /// Nothing yet, for the profile's machine and material.
    pub fn new(profile: &Profile) -> Self {
        let pace = Pace::of(profile);
        Self { profile: profile.clone(), pace, total: Total::default(), layers: 0 }
    }

    /// Adds the next layer.
    pub fn add(&mut self, layer: &Layer) {
        let slab = Slab { index: layer.index, top: layer.z.0, height: layer.height.0 };
        self.total.add(layer, &spend(&layer.steps, slab, &self.pace), &self.pace);
        self.layers += 1;
    }

    /// The toolpath's last piece.
    pub fn epilogue(&self) -> Epilogue {
        self.total.epilogue(self.layers, &self.profile)
    }
}
