//! Our arrangement and offsets against i_overlay's engine, on contours nobody would draw.

use i_overlay::core::fill_rule::FillRule;
use i_overlay::core::overlay::Overlay;
use i_overlay::core::overlay_rule::OverlayRule;
use proptest::prelude::*;

use super::offset::{Corners, offset};
use super::region::{Rule, encloses, inside, signed_area};
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
    let differing = Overlay::from_subj_and_clip(ours, theirs).overlay(OverlayRule::Xor, FillRule::NonZero);
    let allowed = strip * (length(ours) + length(theirs) + 20.0);
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

/// What moving the region's edges by `by` sweeps over, corner by corner, as the definition of an offset has it.
struct Swept<'a> {
    region: &'a Region,
    /// Each convex and counter-clockwise, with the shape and the contour of it that sweeps there.
    patches: Vec<(usize, usize, Vec<[f64; 2]>)>,
}

impl<'a> Swept<'a> {
    fn new(region: &'a Region, by: f64) -> Self {
        let mut patches = Vec::new();
        for (shape, contours) in region.shapes().iter().enumerate() {
            for (nth, contour) in contours.iter().enumerate() {
                let corner = |at: usize| contour[at % contour.len()];
                for at in 0..contour.len() {
                    for patch in patches_at([corner(at), corner(at + 1), corner(at + 2)], by) {
                        patches.push((shape, nth, patch));
                    }
                }
            }
        }
        Self { region, patches }
    }

    /// Whether a place in this shape, or outside of all, is swept over. What lies past a hole's far side, or a
    /// shape's own, is left to the edges there.
    fn holds(&self, p: IntPoint<i32>, shape: Option<usize>) -> bool {
        let sweeps = |owner: usize, nth: usize| match shape {
            Some(shape) => owner == shape,
            None => nth == 0 || encloses(&self.region.shapes()[owner][nth], p),
        };
        let at = [f64::from(p.x), f64::from(p.y)];
        self.patches.iter().any(|(owner, nth, patch)| convex_holds(patch, at) && sweeps(*owner, *nth))
    }
}

/// The rectangle of the first edge and, where the corner after it opens a gap, what its mitre fills.
fn patches_at([a, b, c]: [IntPoint<i32>; 3], by: f64) -> Vec<Vec<[f64; 2]>> {
    let [a, b, c] = [a, b, c].map(|p| [f64::from(p.x), f64::from(p.y)]);
    let way = |from: [f64; 2], to: [f64; 2]| {
        let length = (to[0] - from[0]).hypot(to[1] - from[1]);
        [(to[0] - from[0]) / length, (to[1] - from[1]) / length]
    };
    let (u, v) = (way(a, b), way(b, c));
    let moved = |p: [f64; 2], way: [f64; 2]| [p[0] + way[1] * by, p[1] - way[0] * by];
    let further = |p: [f64; 2], way: [f64; 2], by: f64| [p[0] + way[0] * by, p[1] + way[1] * by];
    let mut patches = vec![vec![a, b, moved(b, u), moved(a, u)]];
    let (cosine, sine) = (u[0] * v[0] + u[1] * v[1], u[0] * v[1] - u[1] * v[0]);
    if sine * by > 0.0 || (sine == 0.0 && cosine < 0.0) {
        // Half the turn's tangent, or that of 65° where the corner is sharper than 50°.
        let reach = (sine.abs() / (1.0 + cosine)).min(65_f64.to_radians().tan()) * by.abs();
        let (out, back) = (further(moved(b, u), u, reach), further(moved(b, v), v, -reach));
        patches.push(vec![b, moved(b, v), back, out, moved(b, u)]);
    }
    for patch in &mut patches {
        let double: f64 = (0..patch.len())
            .map(|at| (patch[at], patch[(at + 1) % patch.len()]))
            .map(|(p, q)| p[0] * q[1] - p[1] * q[0])
            .sum();
        if double < 0.0 {
            patch.reverse();
        }
    }
    patches
}

fn convex_holds(patch: &[[f64; 2]], p: [f64; 2]) -> bool {
    (0..patch.len()).all(|at| {
        let (a, b) = (patch[at], patch[(at + 1) % patch.len()]);
        (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) >= -1e-3
    })
}

/// Places on both sides of every edge of the offset, which is where a wrong one shows.
fn places_beside(shapes: &Shapes, off: f64) -> Vec<IntPoint<i32>> {
    let beside = |(a, b): (&IntPoint<i32>, &IntPoint<i32>)| {
        let (x, y) = (f64::from(b.x - a.x), f64::from(b.y - a.y));
        let length = x.hypot(y).max(1.0);
        [0.1, 0.5, 0.9]
            .into_iter()
            .flat_map(move |share| [-off, off].map(move |off| (share, off)))
            .map(move |(share, off)| {
                point(
                    (f64::from(a.x) + x * share - y / length * off).round() as i32,
                    (f64::from(a.y) + y * share + x / length * off).round() as i32,
                )
            })
            .collect::<Vec<_>>()
    };
    let edges = shapes.iter().flatten().flat_map(|points| points.iter().zip(points.iter().cycle().skip(1)));
    edges.flat_map(beside).collect()
}

/// Where the region's edges are shorter than 20 micrometres.
fn crumbs(region: &Region) -> Vec<IntPoint<i32>> {
    let edges = region.contours().flat_map(|points| points.iter().zip(points.iter().cycle().skip(1)));
    edges.filter(|(a, b)| distance(**a, **b) < 20.0).map(|(a, _)| *a).collect()
}

/// The number of the shape that a place is within.
fn within(shapes: &[Vec<Contour>], p: IntPoint<i32>) -> Option<usize> {
    shapes.iter().position(|shape| inside(shape, p))
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
    fn an_offset_is_what_the_moved_edges_sweep(
        contours in contours(),
        by in prop_oneof![-900..-20_i32, 20..900_i32],
        anywhere in proptest::collection::vec((-900..10_000_i32, -900..10_000_i32), 50),
    ) {
        let region = Region::wound(&contours).simplified(6).without_specks(10_000.0);
        let ours = offset(&region, by, Corners::Sharp);
        // Rounding moves an edge by one micrometre and a mitre's point by more.
        let [less, more] = [-4.0, 4.0].map(|far| Swept::new(&region, f64::from(by) + far * f64::from(by.signum())));
        let places = anywhere.iter().map(|(x, y)| point(*x, *y)).chain(places_beside(&ours, 6.0));
        let crumbs = crumbs(&region);
        // Which way so short an edge runs is rounding, and so is what its corners' mitres reach.
        let sure = |p: &IntPoint<i32>| crumbs.iter().all(|c| distance(*c, *p) > 2.4 * f64::from(by.abs()) + 30.0);
        for p in places.chain(places_beside(&shapes_of(&region), 6.0)).filter(sure) {
            let before = within(region.shapes(), p);
            let (less, more) = (less.holds(p, before), more.holds(p, before));
            let expected = |swept: bool| if by < 0 { before.is_some() && !swept } else { before.is_some() || swept };
            if expected(less) == expected(more) {
                prop_assert_eq!(within(&ours, p).is_some(), expected(less), "at {}, {}", p.x, p.y);
            }
        }
        assert_sound(&ours)?;
    }
}
