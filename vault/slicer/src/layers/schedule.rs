//! Which heights are printed.

use layerlock_terms::profile::{Key, Profile};

/// One layer's place, in micrometres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slab {
    /// Counted from zero.
    pub(crate) index: u32,
    /// Top of the layer, where the nozzle is.
    pub(crate) top: i32,
    /// Thickness.
    pub(crate) height: i32,
}

impl Slab {
    /// Twice the height of the plane the mesh is cut at: odd, so that it lies between whole micrometres.
    pub(crate) fn plane(&self) -> i64 {
        (2 * i64::from(self.top) - i64::from(self.height)) | 1
    }
}

/// All layers of a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    first: i32,
    other: i32,
    count: u32,
}

impl Schedule {
    /// The layers whose mid-height lies below the part's top.
    pub(crate) fn new(height: i32, profile: &Profile) -> Self {
        let first = profile.length(Key::FirstLayerHeight).0;
        let other = profile.length(Key::LayerHeight).0;
        let room = 2 * i64::from(height) - i64::from(first);
        let above = (room - i64::from(first)).max(0) + i64::from(other) - 1;
        let count = if room <= 0 { 0 } else { 1 + above / (2 * i64::from(other)) };
        Self { first, other, count: count as u32 }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// How many layers have their plane below `doubled`, twice a height.
    pub(crate) fn planes_below(&self, doubled: i64) -> u32 {
        if self.count == 0 || self.slab(0).plane() >= doubled {
            return 0;
        }
        // Near enough by division; planes are odd, so the estimate is at most one off.
        let guess =
            (doubled - 2 * i64::from(self.first) + i64::from(self.other)) / (2 * i64::from(self.other));
        let mut count = guess.clamp(0, i64::from(self.count) - 1) as u32;
        while count < self.count && self.slab(count).plane() < doubled {
            count += 1;
        }
        while count > 0 && self.slab(count - 1).plane() >= doubled {
            count -= 1;
        }
        count
    }

    pub(crate) fn slab(&self, index: u32) -> Slab {
        let height = if index == 0 { self.first } else { self.other };
        Slab { index, top: self.first + index as i32 * self.other, height }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use layerlock_terms::machine::{Machine, Material};
    use layerlock_terms::profile::Preset;

    fn layers(height: i32) -> u32 {
        let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
        Schedule::new(height, &Profile::new(machine, Material::Pla, Preset::Standard)).count()
    }

    #[test]
    fn a_layer_is_printed_when_its_middle_lies_inside_the_part() {
        assert_eq!(layers(0), 0);
        assert_eq!(layers(100), 0);
        assert_eq!(layers(101), 1);
        assert_eq!(layers(300), 1);
        assert_eq!(layers(301), 2);
        assert_eq!(layers(10_000), 50);
    }
}
