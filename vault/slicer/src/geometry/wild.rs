//! Our arrangement and offsets against i_overlay's engine, on contours nobody would draw.

use i_overlay::core::fill_rule::FillRule;
use i_overlay::core::overlay::Overlay;
use i_overlay::core::overlay_rule::OverlayRule;
use i_overlay::i_float::int::angle::Angle;
use i_overlay::mesh::int::outline::offset::IntOutlineOffset;
use i_overlay::mesh::int::style::{IntLineJoin, IntOutlineStyle};
use proptest::prelude::*;

use super::offset::{Corners, offset};
use super::region::{Rule, signed_area};
use super::{IntPoint, Region, distance, engine, point};

type Contour = Vec<IntPoint<i32>>;
type Shapes = Vec<Vec<Contour>>;

/// Contours of a few kinds, each a difficulty of its own.
fn contour() -> impl Strategy<Value = Contour> {
    let anywhere = |reach: i32, scale: i32| {
        let corner = (0..reach, 0..reach).prop_map(move |(x, y)| point(x * scale, y * scale));
        proptest::collection::vec(corner, 3..24)
    };
    let needle = (0..9_000_i32, 0..9_000_i32, 1..4_000_i32, 0..60_i32)
        .prop_map(|(x, y, length, tip)| vec![point(x, y), point(x + length, y + tip / 2), point(x, y + tip)]);
    let comb = (2..14_i32, 40..900_i32, 20..2_000_i32).prop_map(|(teeth, pitch, depth)| {
        let tooth = |n: i32| [point(n * pitch, depth), point(n * pitch + pitch / 2, 0)];
        let mut points: Contour = (0..teeth).rev().flat_map(tooth).collect();
        points.extend([point(-pitch, -pitch), point(teeth * pitch, -pitch)]);
        points
    });
    let spiral = (1..4_i32, 100.0..900.0_f64, 5..40_i32).prop_map(|(turns, gap, steps)| {
        let at = |step: i32, out: f64| {
            let angle = f64::from(step) / f64::from(steps) * std::f64::consts::TAU;
            let radius = gap * (f64::from(step) / f64::from(steps) + 1.0) + out;
            point((5_000.0 + radius * angle.cos()) as i32, (5_000.0 + radius * angle.sin()) as i32)
        };
        let end = turns * steps;
        (0..=end).map(|step| at(step, gap * 0.4)).chain((0..=end).rev().map(|step| at(step, 0.0))).collect()
    });
    let round = (0..9_000_i32, 0..9_000_i32, 30..3_000_i32, 5..60_i32, any::<bool>()).prop_map(
        |(x, y, radius, corners, hole)| {
            let at = |n: i32| {
                let angle = f64::from(n) / f64::from(corners) * std::f64::consts::TAU;
                let radius = f64::from(radius);
                point(x + (radius * angle.cos()).round() as i32, y + (radius * angle.sin()).round() as i32)
            };
            let mut points: Contour = (0..corners).map(at).collect();
            if hole {
                points.reverse();
            }
            points
        },
    );
    prop_oneof![
        3 => anywhere(8, 1_000),
        2 => anywhere(9_000, 1),
        1 => anywhere(12, 1),
        1 => needle,
        1 => comb,
        1 => spiral,
        2 => round,
    ]
}

fn contours() -> impl Strategy<Value = Vec<Contour>> {
    proptest::collection::vec(contour(), 1..6)
}

fn area(shapes: &Shapes) -> f64 {
    shapes.iter().flatten().map(|contour| signed_area(contour)).sum()
}

fn length(shapes: &Shapes) -> f64 {
    let around = |points: &Contour| -> f64 {
        points.iter().zip(points.iter().cycle().skip(1)).map(|(a, b)| distance(*a, *b)).sum()
    };
    shapes.iter().flatten().map(around).sum()
}

/// The area in one and not in the other is no more than a strip as wide as rounding along their edges.
fn assert_same(ours: &Shapes, theirs: &Shapes, strip: f64) -> Result<(), TestCaseError> {
    assert_close(ours, theirs, strip, 0.0)
}

/// What the mitres of crumbs may hold: the direction of so short an edge is rounding, so its corner's mitre may come to
/// its point in one and be cut in the other.
fn mitres(region: &Region, by: i32) -> f64 {
    let edges = |points: &Contour| {
        points.iter().zip(points.iter().cycle().skip(1)).filter(|(a, b)| distance(**a, **b) < 20.0).count()
    };
    let crumbs: usize = region.contours().map(edges).sum();
    // Of the sharpest corner that still comes to its point: the cotangent of 25° times the offset squared.
    crumbs as f64 * 2.145 * f64::from(by) * f64::from(by)
}

fn assert_close(ours: &Shapes, theirs: &Shapes, strip: f64, more: f64) -> Result<(), TestCaseError> {
    let differing = Overlay::from_subj_and_clip(ours, theirs).overlay(OverlayRule::Xor, FillRule::NonZero);
    let allowed = strip * (length(ours) + length(theirs) + 20.0) + more;
    prop_assert!(
        area(&differing) <= allowed,
        "differ by {} of {} and {}, allowed {allowed}",
        area(&differing),
        area(ours),
        area(theirs)
    );
    assert_sound(ours)
}

/// Outer contours run counter-clockwise, holes clockwise and within.
fn assert_sound(shapes: &Shapes) -> Result<(), TestCaseError> {
    for shape in shapes {
        prop_assert!(signed_area(&shape[0]) > 0.0);
        prop_assert!(shape[1..].iter().all(|hole| signed_area(hole) < 0.0));
    }
    Ok(())
}

fn shapes_of(region: &Region) -> Shapes {
    region.shapes().to_vec()
}

fn engines_offset(region: &Region, by: i32) -> Shapes {
    let sharpest = Angle::from_bits((1_u32 << 31) / 180 * 50);
    let straight = Angle::from_bits((1_u32 << 31) / 180);
    let style = IntOutlineStyle::new(by).line_join(IntLineJoin::Miter(sharpest)).miter_min_turn(straight);
    region.shapes().outline(&style).expect("construction checks no bounds")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_contours_wind_around_is_what_the_engine_says(contours in contours()) {
        let ours = Region::wound(&contours);
        assert_same(&shapes_of(&ours), &engine::wound(&contours), 1.0)?;
        // What is clean stays as it is.
        let again = Region::wound(&ours.contours().cloned().collect::<Vec<_>>());
        assert_same(&shapes_of(&again), &shapes_of(&ours), 0.5)?;
    }

    #[test]
    fn set_operations_give_what_the_engine_gives(one in contours(), other in contours()) {
        let (one, other) = (Region::wound(&one), Region::wound(&other));
        let theirs = |rule| engine::combined(one.contours(), other.contours(), rule);
        assert_same(&shapes_of(&one.and(&other)), &theirs(Rule::Within), 1.0)?;
        assert_same(&shapes_of(&one.minus(&other)), &theirs(Rule::Without), 1.0)?;
    }

    #[test]
    fn a_region_less_a_part_of_itself_and_that_part_make_it_whole(one in contours(), other in contours()) {
        let (one, other) = (Region::wound(&one), Region::wound(&other));
        let part = one.and(&other);
        let rest = one.minus(&part);
        assert_same(&shapes_of(&Region::united(&[&part, &rest])), &shapes_of(&one), 2.0)?;
    }

    #[test]
    fn offsets_are_what_the_engine_offsets(contours in contours(), by in -900..900_i32) {
        let region = Region::wound(&contours).simplified(6).without_specks(10_000.0);
        if by != 0 {
            let (ours, theirs) = (offset(&region, by, Corners::Sharp), engines_offset(&region, by));
            assert_close(&ours, &theirs, 3.0, mitres(&region, by))?;
        }
    }
}
