//! Rate: how much filament a path feeds per length, and the one rounding every party shares.
//!
//! The slicer computes each move's feed with [`Rate::feed`], the codec predicts it with the same function, so
//! that a path made here costs no byte for its extrusion. Integers only: the same on every machine.

use crate::units::Feed;

/// Fractional bits of a rate.
const SHIFT: u32 = 32;

/// Filament fed per length of path: 10⁻⁵ mm of filament per 2⁻¹⁰ µm of path, in units of 2⁻³².
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Rate(pub u64);

impl Rate {
    /// The rate of a line whose cross-section is `area` square micrometres, fed from filament of `filament`
    /// square micrometres.
    #[cfg(feature = "std")]
    pub fn of_areas(area: f64, filament: f64) -> Self {
        let feed_per_micrometre = area / filament * 100.0;
        Self((feed_per_micrometre / 1024.0 * (1_u64 << SHIFT) as f64).round() as u64)
    }

    /// The filament a straight move by `dx`, `dy` micrometres takes; saturates at the type's range.
    pub fn feed(self, dx: i64, dy: i64) -> Feed {
        self.feed_along(length(dx, dy))
    }

    /// The filament a way of this [`length`] takes.
    pub(super) fn feed_along(self, length: u64) -> Feed {
        let scaled = u128::from(length) * u128::from(self.0) + (1 << (SHIFT - 1));
        Feed(i32::try_from(scaled >> SHIFT).unwrap_or(i32::MAX))
    }

    /// The smallest and largest rates that feed exactly `feed` over a way of this [`length`], if any does.
    pub(super) fn range_for(length: u64, feed: Feed) -> Option<(u64, u64)> {
        let feed = u64::try_from(feed.0).ok()?;
        if length == 0 {
            return (feed == 0).then_some((0, u64::MAX));
        }
        // A feed has 31 bits, so that this stays in 64, where division is several times quicker than in 128.
        let half = 1_u64 << (SHIFT - 1);
        let low = (feed << SHIFT).saturating_sub(half).div_ceil(length);
        let high = ((feed << SHIFT) + half - 1) / length;
        (low <= high).then_some((low, high))
    }
}

/// Length of a move in units of 2⁻¹⁰ µm, rounded down.
pub(super) fn length(dx: i64, dy: i64) -> u64 {
    let square = u128::from(dx.unsigned_abs()).pow(2) + u128::from(dy.unsigned_abs()).pow(2);
    match u64::try_from(square << 20) {
        Ok(small) => root(small),
        Err(_) => u64::try_from((square << 20).isqrt()).unwrap_or(u64::MAX),
    }
}

/// The square root, rounded down, without floating-point functions.
#[cfg(not(feature = "std"))]
fn root(square: u64) -> u64 {
    square.isqrt()
}

/// The square root, rounded down: the machine's own, which is right but for its last bits, then set right.
#[cfg(feature = "std")]
fn root(square: u64) -> u64 {
    let mut root = (square as f64).sqrt() as u64;
    while root.checked_mul(root).is_none_or(|found| found > square) {
        root -= 1;
    }
    while (root + 1).checked_mul(root + 1).is_some_and(|found| found <= square) {
        root += 1;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_filament_thickness_feeds_its_own_length() {
        let rate = Rate::of_areas(1000.0, 1000.0);
        assert_eq!(rate.feed(3000, 4000), Feed(500_000));
    }

    #[test]
    fn every_rate_lies_in_the_range_its_own_feed_allows() {
        let rate = Rate::of_areas(0.0814, 2.405);
        for (dx, dy) in [(1, 0), (317, -4410), (0, 99_999), (-7, 3)] {
            let (low, high) = Rate::range_for(length(dx, dy), rate.feed(dx, dy)).expect("made by a rate");
            assert!((low..=high).contains(&rate.0), "move {dx},{dy}");
        }
    }

    #[test]
    fn lengths_are_rounded_down_at_every_size() {
        for bits in 0..32 {
            for off in -2..=2_i64 {
                let root_of = |square: u64| square.isqrt();
                let square = (1_u64 << (2 * bits)).wrapping_add_signed(off);
                assert_eq!(root(square), root_of(square), "{square}");
            }
        }
        assert_eq!((root(0), root(u64::MAX)), (0, u64::from(u32::MAX)));
    }

    #[test]
    fn absurd_moves_saturate_and_do_not_panic() {
        assert_eq!(Rate(u64::MAX).feed(i64::from(i32::MAX) * 2, i64::from(i32::MIN) * 2), Feed(i32::MAX));
    }
}
