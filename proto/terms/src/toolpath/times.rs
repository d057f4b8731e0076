//! Times: how long each feature takes to print.

use super::Feature;
use crate::units::Millis;

/// A time for every feature; zero where a print has none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times([Millis; Feature::ALL.len()]);

impl Times {
    /// The feature's time.
    pub fn of(&self, feature: Feature) -> Millis {
        self.0[feature as usize]
    }

    /// Sets the feature's time.
    pub fn set(&mut self, feature: Feature, time: Millis) {
        self.0[feature as usize] = time;
    }

    /// The features that take time, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Feature, Millis)> + '_ {
        Feature::ALL.into_iter().map(|feature| (feature, self.of(feature))).filter(|(_, time)| time.0 > 0)
    }

    /// All of them together; what a print takes beyond is travels, retractions and lifts.
    pub fn sum(&self) -> Millis {
        Millis(self.0.iter().fold(0, |sum, time| sum.saturating_add(time.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_set_is_listed_and_summed() {
        let mut times = Times::default();
        times.set(Feature::Bridge, Millis(30));
        times.set(Feature::Skirt, Millis(4));
        assert_eq!(
            times.iter().collect::<Vec<_>>(),
            [(Feature::Skirt, Millis(4)), (Feature::Bridge, Millis(30))]
        );
        assert_eq!((times.of(Feature::Bridge), times.sum()), (Millis(30), Millis(34)));
    }
}
