//! What a layer must have under it: where it reaches further beyond the layer below than the profile's angle lets it.

use super::{Rules, SPREAD};
use crate::geometry::Region;
use crate::surfaces::spans;

/// Overhangs thinner than twice this are rounding, in micrometres.
const NOISE: i32 = 10;

/// Overhangs smaller than this are carried by the line that makes them, in square micrometres.
const SPECK: f64 = 0.02e6;

/// Where the layer with this `outline` must be held, a little more than what hangs; bridges are left out.
///
/// `lean` is how far the layer may reach beyond the one below it.
pub(super) fn find(outline: &Region, below: &Region, lean: i32, rules: &Rules) -> Region {
    if outline == below {
        return Region::default();
    }
    let steep = outline.minus(&below.grown(lean)).opened(NOISE).without_specks(SPECK);
    if steep.is_empty() {
        return Region::default();
    }
    // What is too steep hangs from where the layer below ends, not from where the angle would let it.
    let hanging = steep.grown(lean + NOISE).and(outline).minus(below);
    hanging.without(|ledge| spans(ledge, outline, below, rules.span)).surrounded(SPREAD)
}

#[cfg(test)]
mod tests {
    use super::super::Footing;
    use super::*;
    use crate::geometry::point;

    fn rectangle(x: i32, y: i32, width: i32, height: i32) -> Region {
        let corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)];
        Region::wound(&[corners.map(|(x, y)| point(x, y)).to_vec()])
    }

    fn rules() -> Rules {
        Rules {
            slope: 1.0,
            flare: 225,
            branch: 0.8,
            gap: 200,
            aside: 400,
            interface: 3,
            span: 10_000,
            thinnest: 380,
            footing: Footing::Anything,
        }
    }

    #[test]
    fn a_wall_that_leans_out_by_less_than_the_angle_needs_nothing() {
        let below = rectangle(0, 0, 10_000, 10_000);
        assert!(find(&rectangle(0, 0, 10_200, 10_000), &below, 200, &rules()).is_empty());
        assert!(find(&rectangle(500, 500, 9_000, 9_000), &below, 200, &rules()).is_empty());
    }

    #[test]
    fn a_steeper_wall_is_held_from_where_the_layer_below_ends() {
        let below = rectangle(0, 0, 10_000, 10_000);
        let held = find(&rectangle(0, 0, 10_300, 10_000), &below, 200, &rules());
        let bounds = held.bounds().expect("held");
        let about = |x: i32, exact: i32| (x - exact).abs() <= 20;
        assert!(about(bounds.min.x, 10_000 - SPREAD) && about(bounds.max.x, 10_300 + SPREAD), "{bounds:?}");
    }

    #[test]
    fn an_island_in_the_air_is_held_whole_and_a_short_bridge_is_not() {
        let pillars =
            Region::united(&[&rectangle(0, 0, 5_000, 10_000), &rectangle(13_000, 0, 5_000, 10_000)]);
        let deck = rectangle(0, 0, 18_000, 10_000);
        assert!(find(&deck, &pillars, 200, &rules()).is_empty());
        let short = Rules { span: 7_000, ..rules() };
        let held = find(&deck, &pillars, 200, &short);
        assert_eq!(held, rectangle(5_000, 0, 8_000, 10_000).surrounded(SPREAD));
        let island = rectangle(0, 20_000, 1_000, 1_000);
        let held = find(&Region::united(&[&pillars, &island]), &pillars, 200, &rules());
        assert_eq!(held, island.surrounded(SPREAD));
    }
}
