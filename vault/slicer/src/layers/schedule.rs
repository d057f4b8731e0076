//! Which heights are printed.

use std::sync::Arc;

use layerlock_terms::profile::{Key, Profile};

use super::adaptive;
use crate::error::SliceError;
use crate::place::Placed;

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
    /// A layer of the profile's own height, the one above the first: what all layers have in common is reckoned for it.
    pub(crate) fn usual(profile: &Profile) -> Self {
        let height = profile.length(Key::LayerHeight).0;
        Self { index: 1, top: profile.length(Key::FirstLayerHeight).0 + height, height }
    }

    /// Where the layer begins.
    pub(crate) fn bottom(&self) -> i32 {
        self.top - self.height
    }

    /// Twice the height of the plane the mesh is cut at: odd, so that it lies between whole micrometres.
    pub(crate) fn plane(&self) -> i64 {
        (2 * i64::from(self.top) - i64::from(self.height)) | 1
    }
}

/// All layers of a part.
#[derive(Debug, Clone)]
pub(crate) enum Schedule {
    /// All of one height but the first, in micrometres.
    Even { first: i32, other: i32, count: u32 },
    /// Each of its own.
    Varied {
        /// Top of each layer, in micrometres.
        tops: Arc<[i32]>,
        /// The height that counts of layers are meant in.
        nominal: i32,
        least: i32,
    },
}

impl Schedule {
    /// Refuses heights that contradict each other.
    pub(crate) fn check(profile: &Profile) -> Result<(), SliceError> {
        let (least, most) = (profile.length(Key::AdaptiveLeast), profile.length(Key::AdaptiveMost));
        if profile.on(Key::AdaptiveLayers) && least > most {
            return Err(SliceError::Reversed { least: "adaptive-least", most: "adaptive-most" });
        }
        Ok(())
    }

    /// The layers of a part made of these `bodies`, as the profile wants their heights.
    pub(crate) fn of(bodies: &[&Placed<'_>], profile: &Profile) -> Self {
        let height = bodies.iter().map(|body| body.height).max().unwrap_or(0);
        let even = Self::even(height, profile);
        if even.count() == 0 || !profile.on(Key::AdaptiveLayers) {
            return even;
        }
        Self::Varied {
            tops: adaptive::tops(bodies, height, profile).into(),
            nominal: profile.length(Key::LayerHeight).0,
            least: profile.length(Key::AdaptiveLeast).0,
        }
    }

    /// The layers whose mid-height lies below the part's top.
    fn even(height: i32, profile: &Profile) -> Self {
        let first = profile.length(Key::FirstLayerHeight).0;
        let other = profile.length(Key::LayerHeight).0;
        let room = 2 * i64::from(height) - i64::from(first);
        let above = (room - i64::from(first)).max(0) + i64::from(other) - 1;
        let count = if room <= 0 { 0 } else { 1 + above / (2 * i64::from(other)) };
        Self::Even { first, other, count: count as u32 }
    }

    pub(crate) fn count(&self) -> u32 {
        match self {
            Self::Even { count, .. } => *count,
            Self::Varied { tops, .. } => tops.len() as u32,
        }
    }

    /// How many layers above this one are as thick as `layers` of the nominal height; one more than there are where
    /// the part ends before.
    pub(crate) fn above(&self, index: u32, layers: u32) -> u32 {
        let Self::Varied { tops, nominal, .. } = self else { return layers };
        self.within_above(index, layers as i32 * nominal)
            + u32::from(tops.last().is_some_and(|top| top - self.slab(index).top < layers as i32 * nominal))
    }

    /// The same downwards, to the bed.
    pub(crate) fn below(&self, index: u32, layers: u32) -> u32 {
        let Self::Varied { tops, nominal, .. } = self else { return layers };
        let reach = self.slab(index).bottom() - layers as i32 * nominal;
        if reach < 0 {
            return index + 1;
        }
        index - tops.partition_point(|top| *top <= reach) as u32
    }

    /// How many of the next layers up begin less than `distance` micrometres above this one.
    pub(crate) fn within_above(&self, index: u32, distance: i32) -> u32 {
        let reach = self.slab(index).top + distance;
        let next = index + 1..self.count();
        match self {
            Self::Even { other, .. } => ((distance + other - 1) / other).max(0) as u32,
            Self::Varied { .. } => next.take_while(|at| self.slab(*at).bottom() < reach).count() as u32,
        }
    }

    /// How many of the next layers down end less than `distance` micrometres below this one.
    pub(crate) fn within_below(&self, index: u32, distance: i32) -> u32 {
        let reach = self.slab(index).bottom() - distance;
        match self {
            Self::Even { other, .. } => ((distance + other - 1) / other).max(0) as u32,
            Self::Varied { .. } => {
                (0..index).rev().take_while(|at| self.slab(*at).top > reach).count() as u32
            }
        }
    }

    /// No layer needs more neighbours than this to see as far as `layers` of the nominal height.
    pub(crate) fn furthest(&self, layers: u32) -> u32 {
        match self {
            Self::Even { .. } => layers,
            Self::Varied { nominal, least, .. } => layers * nominal.unsigned_abs() / least.unsigned_abs() + 1,
        }
    }

    /// How many layers have their plane below `doubled`, twice a height.
    pub(crate) fn planes_below(&self, doubled: i64) -> u32 {
        let (first, other, all) = match self {
            Self::Even { first, other, count } => (*first, *other, *count),
            Self::Varied { tops, .. } => return self.search(tops.len() as u32, doubled),
        };
        if all == 0 || self.slab(0).plane() >= doubled {
            return 0;
        }
        // Near enough by division; planes are odd, so the estimate is at most one off.
        let guess = (doubled - 2 * i64::from(first) + i64::from(other)) / (2 * i64::from(other));
        let mut count = guess.clamp(0, i64::from(all) - 1) as u32;
        while count < all && self.slab(count).plane() < doubled {
            count += 1;
        }
        while count > 0 && self.slab(count - 1).plane() >= doubled {
            count -= 1;
        }
        count
    }

    /// The same by halving, for heights that follow no rule.
    fn search(&self, count: u32, doubled: i64) -> u32 {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.slab(middle).plane() < doubled {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    pub(crate) fn slab(&self, index: u32) -> Slab {
        match self {
            Self::Even { first, other, .. } => {
                let height = if index == 0 { *first } else { *other };
                Slab { index, top: first + index as i32 * other, height }
            }
            Self::Varied { tops, .. } => {
                let top = tops[index as usize];
                let below = index.checked_sub(1).map_or(0, |before| tops[before as usize]);
                Slab { index, top, height: top - below }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use layerlock_terms::machine::{Machine, Material};
    use layerlock_terms::profile::Preset;

    fn layers(height: i32) -> u32 {
        let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
        Schedule::even(height, &Profile::new(machine, Material::Pla, Preset::Standard)).count()
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

    fn varied() -> Schedule {
        // Heights 200, 200, 100, 100, 100, 100, 250.
        let tops = [200, 400, 500, 600, 700, 800, 1_050];
        Schedule::Varied { tops: tops.into(), nominal: 200, least: 100 }
    }

    #[test]
    fn planes_of_uneven_layers_are_found_like_those_of_even_ones() {
        let schedule = varied();
        for doubled in 0..2_200 {
            let below = (0..7).filter(|at| schedule.slab(*at).plane() < doubled).count() as u32;
            assert_eq!(schedule.planes_below(doubled), below, "{doubled}");
        }
    }

    #[test]
    fn thin_layers_count_for_less_towards_a_shell() {
        let schedule = varied();
        assert_eq!(schedule.above(1, 2), 4, "four of 100 are two of 200");
        assert_eq!(schedule.above(5, 1), 1);
        assert_eq!(schedule.above(5, 2), 2, "one more than there are");
        assert_eq!(schedule.above(6, 1), 1, "above the last there is nothing");
        assert_eq!(schedule.below(6, 2), 4);
        assert_eq!(schedule.below(1, 1), 1);
        assert_eq!(schedule.below(1, 2), 2, "the bed comes before");
        assert!((0..7).all(|at| schedule.above(at, 3).max(schedule.below(at, 3)) <= schedule.furthest(3)));
    }
}
