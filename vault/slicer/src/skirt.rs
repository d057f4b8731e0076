//! What is printed around the part on the first layer: a brim that holds it to the bed, a skirt that primes.

use std::f64::consts::{PI, TAU};

use layerlock_terms::profile::{Brim, Key, Profile};
use layerlock_terms::toolpath::Feature;

use crate::flow::Flow;
use crate::geometry::{IntPoint, Region, distance, point, towards, turn};
use crate::trace::Trace;

/// Corners that turn by less than this don't lift: 55°, an inner angle of 125°.
const SHARP: f64 = PI * 55.0 / 180.0;

/// A corner's turn is that between the ways this far to either side, in micrometres: a small fillet is a corner too.
const ARM: f64 = 1_500.0;

/// Corners of an ear's edge.
const EAR_CORNERS: u32 = 36;

/// Rings around `outline`, the outermost first, so that the nozzle flows well when it reaches the part.
pub(crate) fn trace(outline: &Region, flow: &Flow, profile: &Profile) -> Vec<Trace> {
    // Only outward unless asked: a brim inside a hole has to be cut out.
    let filled = filled(outline);
    let spacing = flow.spacing(flow.inner);
    let brims = profile.length(Key::BrimWidth).0 / spacing;
    let skirts = profile.count(Key::SkirtLoops) as i32;
    let start = brims * spacing + profile.length(Key::SkirtDistance).0 + spacing / 2;
    let skirt = (0..skirts).rev().map(|nth| start + nth * spacing);
    let mut rings: Vec<Region> = skirt.map(|distance| filled.grown(distance)).collect();
    let around = |nth: i32| filled.grown(spacing / 2 + nth * spacing);
    match profile.brim() {
        Brim::Around => rings.extend((0..brims).rev().map(around)),
        Brim::Everywhere => {
            rings.extend((0..brims).rev().map(|nth| inner(outline, &filled, spacing / 2 + nth * spacing)));
            rings.extend((0..brims).rev().map(around));
        }
        Brim::Ears => rings.extend(ears(&filled, brims * spacing, spacing)),
    }
    let contours = rings.iter().flat_map(Region::shapes).filter_map(|shape| shape.first());
    contours.map(|ring| Trace::ring(Feature::Skirt, flow.inner, ring.clone())).collect()
}

/// The holes' edges, this much further in.
fn inner(outline: &Region, filled: &Region, inset: i32) -> Region {
    filled.minus(outline).shrunk(inset)
}

/// Rings that fill an ear of this radius round every sharp corner, ear by ear and each ring within the last.
fn ears(filled: &Region, radius: i32, spacing: i32) -> Vec<Region> {
    let discs: Vec<_> =
        filled.contours().flat_map(|contour| corners(contour)).map(|at| disc(at, radius)).collect();
    let ears = Region::wound(&discs).minus(filled);
    let rings = |ear: Region| {
        let inward = (0..).map(move |nth| ear.shrunk(spacing / 2 + nth * spacing));
        inward.take_while(|ring| !ring.is_empty())
    };
    ears.shapes().iter().flat_map(|ear| rings(Region::of_shape(ear))).collect()
}

/// The contour's points in sharp outward corners; a fillet has several.
fn corners(contour: &[IntPoint<i32>]) -> Vec<IntPoint<i32>> {
    let count = contour.len();
    let ahead = |at: usize| arm((0..count).map(move |step| contour[(at + step) % count]));
    let behind = |at: usize| arm((0..count).map(move |step| contour[(at + count - step) % count]));
    let sharp = |at: &usize| turn(behind(*at), contour[*at], ahead(*at)) > SHARP;
    (0..count).filter(sharp).map(|at| contour[at]).collect()
}

/// The point an arm's length along these points, or the last of them.
fn arm(mut points: impl Iterator<Item = IntPoint<i32>>) -> IntPoint<i32> {
    let mut at = points.next().unwrap_or_default();
    let mut left = ARM;
    for to in points {
        let step = distance(at, to);
        if step >= left {
            return towards(at, to, left);
        }
        left -= step;
        at = to;
    }
    at
}

fn disc(at: IntPoint<i32>, radius: i32) -> Vec<IntPoint<i32>> {
    let spoke = |nth: u32| {
        let (sin, cos) = (TAU * f64::from(nth) / f64::from(EAR_CORNERS)).sin_cos();
        let reach = |share: f64| (f64::from(radius) * share).round() as i32;
        point(at.x + reach(cos), at.y + reach(sin))
    };
    (0..EAR_CORNERS).map(spoke).collect()
}

/// The outline without its holes.
fn filled(outline: &Region) -> Region {
    let outer: Vec<_> = outline.shapes().iter().filter_map(|shape| shape.first().cloned()).collect();
    Region::wound(&outer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Bounds;
    use crate::layers::Slab;
    use layerlock_terms::machine::{Machine, Material};
    use layerlock_terms::profile::Preset;

    fn profile(settings: &[(&str, &str)]) -> Profile {
        let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
        let mut profile = Profile::new(machine, Material::Pla, Preset::Standard);
        for (name, value) in settings {
            profile.set(name, value).expect("in range");
        }
        profile
    }

    fn rings(settings: &[(&str, &str)]) -> Vec<Trace> {
        let profile = profile(settings);
        let corners = [(0, 0), (10_000, 0), (10_000, 10_000), (0, 10_000)].map(|(x, y)| point(x, y));
        let flow = Flow::on(Slab { index: 0, top: 200, height: 200 }, &profile);
        trace(&Region::wound(&[corners.to_vec()]), &flow, &profile)
    }

    #[test]
    fn nothing_is_printed_around_the_part_unless_asked_for() {
        assert!(rings(&[]).is_empty());
    }

    #[test]
    fn a_brim_touches_the_part_and_is_as_wide_as_asked() {
        let rings = rings(&[("brim-width", "5mm")]);
        assert_eq!(rings.len(), 12);
        let reach = |ring: &Trace| -Bounds::of(&ring.points).expect("has points").min.x;
        assert!((4_600..5_000).contains(&reach(&rings[0])), "outermost first");
        assert!(reach(&rings[11]) < 250);
    }

    #[test]
    fn a_brim_everywhere_lies_in_holes_too_until_they_are_full() {
        let square = |low: i32, high: i32| {
            Region::wound(&[[(low, low), (high, low), (high, high), (low, high)]
                .map(|(x, y)| point(x, y))
                .to_vec()])
        };
        let plate = square(0, 30_000).minus(&square(10_000, 20_000));
        let count = |shape: &str, width: &str| {
            let profile = profile(&[("brim-width", width), ("brim-shape", shape)]);
            let flow = Flow::on(Slab { index: 0, top: 200, height: 200 }, &profile);
            let rings = trace(&plate, &flow, &profile);
            let inside = |ring: &&Trace| ring.points.iter().all(|p| (10_000..=20_000).contains(&p.x));
            (rings.len(), rings.iter().filter(inside).count())
        };
        assert_eq!(count("around", "2mm"), (4, 0));
        assert_eq!(count("everywhere", "2mm"), (8, 4));
        let (_, full) = count("everywhere", "20mm");
        assert_eq!(full, 12, "half of the hole's 10 mm");
    }

    #[test]
    fn ears_lie_round_the_corners_only_and_touch_the_part() {
        let rings = rings(&[("brim-width", "3mm"), ("brim-shape", "ears")]);
        assert_eq!(rings.len(), 12, "four ears of three rings");
        let corners = [(0, 0), (10_000, 0), (10_000, 10_000), (0, 10_000)].map(|(x, y)| point(x, y));
        for p in rings.iter().flat_map(|ring| &ring.points) {
            let nearest = corners.iter().map(|corner| distance(*corner, *p)).fold(f64::MAX, f64::min);
            assert!(nearest <= 3_000.0, "{p:?}");
            let inside = (1..10_000).contains(&p.x) && (1..10_000).contains(&p.y);
            assert!(!inside, "{p:?}");
        }
        let gap = rings.iter().flat_map(|ring| &ring.points).filter(|p| (2_000..8_000).contains(&p.x));
        assert!(gap.clone().count() > 0 && gap.map(|p| p.y).all(|y| !(-190..10_190).contains(&y)));
    }

    #[test]
    fn a_round_part_has_no_ears_and_a_small_fillet_is_a_corner() {
        assert!(corners(&disc(point(0, 0), 20_000)).is_empty());
        let mut soft = Vec::new();
        for (x, y, from) in [(9_000, 9_000, 0), (1_000, 9_000, 9), (1_000, 1_000, 18), (9_000, 1_000, 27)] {
            let round = disc(point(x, y), 1_000);
            soft.extend((from..=from + 9).map(|at| round[at % 36]));
        }
        let found = corners(&soft);
        for (x, y) in [(10_000, 10_000), (0, 10_000), (0, 0), (10_000, 0)] {
            assert!(found.iter().any(|p| distance(*p, point(x, y)) < 600.0), "{found:?}");
        }
    }

    #[test]
    fn a_skirt_keeps_its_distance() {
        let rings = rings(&[("skirt-loops", "2"), ("skirt-distance", "4mm")]);
        assert_eq!(rings.len(), 2);
        assert!(rings.iter().all(|ring| Bounds::of(&ring.points).expect("has points").min.x < -4_000));
    }
}
