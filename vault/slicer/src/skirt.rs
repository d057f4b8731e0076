//! What is printed around the part on the first layer: a brim that holds it to the bed, a skirt that primes.

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::Feature;

use crate::flow::Flow;
use crate::geometry::Region;
use crate::trace::Trace;

/// Rings around `outline`, the outermost first, so that the nozzle flows well when it reaches the part.
pub(crate) fn trace(outline: &Region, flow: &Flow, profile: &Profile) -> Vec<Trace> {
    let spacing = flow.spacing(flow.inner);
    let brims = profile.length(Key::BrimWidth).0 / spacing;
    let brim = (0..brims).map(|nth| spacing / 2 + nth * spacing);
    let skirts = profile.count(Key::SkirtLoops) as i32;
    let start = brims * spacing + profile.length(Key::SkirtDistance).0 + spacing / 2;
    let skirt = (0..skirts).map(|nth| start + nth * spacing);
    let distances: Vec<i32> = brim.chain(skirt).collect();
    let mut traces = Vec::new();
    for distance in distances.into_iter().rev() {
        // Only outward: a brim inside a hole would have to be cut out.
        let ring = filled(outline).grown(distance);
        for contour in ring.shapes().iter().filter_map(|shape| shape.first()) {
            traces.push(Trace::ring(Feature::Skirt, flow.inner, contour.clone()));
        }
    }
    traces
}

/// The outline without its holes.
fn filled(outline: &Region) -> Region {
    let outer: Vec<_> = outline.shapes().iter().filter_map(|shape| shape.first().cloned()).collect();
    Region::wound(&outer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Bounds, point};
    use crate::layers::Slab;
    use layerlock_terms::machine::{Machine, Material};
    use layerlock_terms::profile::Preset;

    fn rings(settings: &[(&str, &str)]) -> Vec<Trace> {
        let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
        let mut profile = Profile::new(machine, Material::Pla, Preset::Standard);
        for (name, value) in settings {
            profile.set(name, value).expect("in range");
        }
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
    fn a_skirt_keeps_its_distance() {
        let rings = rings(&[("skirt-loops", "2"), ("skirt-distance", "4mm")]);
        assert_eq!(rings.len(), 2);
        assert!(rings.iter().all(|ring| Bounds::of(&ring.points).expect("has points").min.x < -4_000));
    }
}
