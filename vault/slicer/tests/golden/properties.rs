//! What holds for every print, over the zoo and over random parts: the slicer's promises as a judge of its own would put them.
//!
//! The judge cuts the mesh itself, at the middle of each layer, and shares no geometry with the slicer. The mesh is moved
//! where the slicer lays it: the middle of its box over the middle of the bed, its foot on it.

use layerlock_slicer::mesh::Mesh;
use layerlock_terms::profile::Key;
use layerlock_terms::toolpath::{Feature, Piece, Point};
use proptest::prelude::*;

use super::meshes::{block, cone, cylinder, frustum, join, sheared};
use super::print::{Laid, Print, profile, slice_with};
use super::zoo::zoo;

/// The middle of the bed, in millimetres.
const MIDDLE: [f64; 2] = [125.0, 105.0];

/// How far a line's middle may lie outside the section: roundings of a chain of offsets.
const ROUNDING_MM: f64 = 0.03;

/// Where a mesh is cut: pieces of its outline, inside to the left.
struct Section(Vec<[[f64; 2]; 2]>);

impl Section {
    fn at(part: &Mesh, z: f64) -> Self {
        Self(part.triangles.iter().filter_map(|triangle| cut(part.corners(*triangle), z)).collect())
    }

    /// Zero inside; the distance to the outline outside.
    fn distance(&self, point: [f64; 2]) -> f64 {
        if self.winding(point) != 0 {
            return 0.0;
        }
        self.0.iter().map(|piece| distance(*piece, point)).fold(f64::INFINITY, f64::min)
    }

    /// How often the outline goes around the point, by the edges that a ray to the right meets.
    fn winding(&self, [x, y]: [f64; 2]) -> i32 {
        let crossing = |[a, b]: &[[f64; 2]; 2]| {
            let upwards = a[1] <= y && b[1] > y;
            let downwards = b[1] <= y && a[1] > y;
            let at = || a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
            match (upwards, downwards) {
                (true, _) if at() > x => 1,
                (_, true) if at() > x => -1,
                _ => 0,
            }
        };
        self.0.iter().map(crossing).sum()
    }

    fn area(&self) -> f64 {
        self.0.iter().map(|[a, b]| a[0] * b[1] - b[0] * a[1]).sum::<f64>() / 2.0
    }
}

fn cut(corners: [[f32; 3]; 3], z: f64) -> Option<[[f64; 2]; 2]> {
    let corners = corners.map(|corner| corner.map(f64::from));
    let (mut from, mut to) = (None, None);
    for (a, b) in [(0, 1), (1, 2), (2, 0)].map(|(a, b)| (corners[a], corners[b])) {
        let share = (z - a[2]) / (b[2] - a[2]);
        let at = [0, 1].map(|axis| a[axis] + share * (b[axis] - a[axis]));
        // Whoever walks with a face that looks outwards to the right meets the edge that climbs last.
        match (a[2] < z, b[2] < z) {
            (true, false) => to = Some(at),
            (false, true) => from = Some(at),
            _ => {}
        }
    }
    Some([from?, to?])
}

fn distance([a, b]: [[f64; 2]; 2], p: [f64; 2]) -> f64 {
    let along = [b[0] - a[0], b[1] - a[1]];
    let length = along[0] * along[0] + along[1] * along[1];
    let share =
        if length > 0.0 { ((p[0] - a[0]) * along[0] + (p[1] - a[1]) * along[1]) / length } else { 0.0 };
    let share = share.clamp(0.0, 1.0);
    (p[0] - a[0] - share * along[0]).hypot(p[1] - a[1] - share * along[1])
}

/// The mesh where the slicer lays it.
fn laid(part: &Mesh) -> Mesh {
    let mut part = part.clone();
    let end = |axis: usize, pick: fn(f32, f32) -> f32, from: f32| {
        part.vertices.iter().map(|corner| corner[axis]).fold(from, pick)
    };
    let low = [0, 1, 2].map(|axis| end(axis, f32::min, f32::MAX));
    let high = [0, 1].map(|axis| end(axis, f32::max, f32::MIN));
    let shift =
        [MIDDLE[0] as f32 - (low[0] + high[0]) / 2.0, MIDDLE[1] as f32 - (low[1] + high[1]) / 2.0, -low[2]];
    part.vertices.iter_mut().for_each(|corner| *corner = [0, 1, 2].map(|axis| corner[axis] + shift[axis]));
    part
}

/// How far the standard profile pulls back, in 10⁻⁵ mm.
const PULL: i32 = 80_000;

const WALLS: [Feature; 2] = [Feature::OuterPerimeter, Feature::InnerPerimeter];

fn judge(name: &str, part: &Mesh, print: &Print) {
    let part = laid(part);
    assert!(print.deepest_pull() <= PULL, "{name}: filament is pulled back twice");
    for (index, layer) in print.layers.iter().enumerate() {
        assert_eq!(layer.index() as usize, index, "{name}: layers come one by one");
        let section = Section::at(&part, layer.middle_mm());
        judge_layer(&format!("{name}, layer {index}"), layer, &section);
    }
}

fn judge_layer(name: &str, layer: &Laid, section: &Section) {
    for feature in Feature::ALL {
        for (from, to, width) in layer.lines(feature) {
            assert!(width > 0.0, "{name}: a {feature:?} of no width");
            let middle = [0, 1].map(|axis| (from[axis] + to[axis]) / 2.0);
            for at in [from, middle, to] {
                let outside = section.distance(at);
                assert!(outside <= ROUNDING_MM, "{name}: {feature:?} at {at:?} lies {outside} mm outside");
            }
        }
    }
    assert!(layer.least_feed() >= 0, "{name}: plastic is pulled back on a line");
    for feature in WALLS {
        assert_eq!(layer.lines_and_loops(feature).0, 0, "{name}: a {feature:?} that does not close");
    }
}

/// A part of one to three bodies, its corners at 256ths of a millimetre, which no shift by whole eighths rounds.
fn parts() -> impl Strategy<Value = Mesh> {
    let eighths = |low: u16, high: u16| (low * 8..=high * 8).prop_map(|n| f32::from(n) / 8.0);
    let body = (0_u8..5, [eighths(2, 12), eighths(2, 12), eighths(1, 3)], [eighths(0, 6), eighths(0, 6)]);
    let bodies = proptest::collection::vec(body, 1..=3);
    bodies.prop_map(|bodies| {
        let body = |(kind, [x, y, z], [right, back]): &(u8, [f32; 3], [f32; 2])| {
            let mut body = match kind {
                0 | 1 => block([0.0; 3], [*x, *y, *z]),
                2 => cylinder(x / 2.0, *z),
                3 => frustum(x / 2.0, x / 2.0 + z / 2.0, *z),
                _ => sheared(&block([0.0; 3], [*x, *y, *z]), 0.5),
            };
            body.vertices.iter_mut().for_each(|corner| {
                corner[0] += right;
                corner[1] += back;
            });
            body
        };
        let mut part = join(&bodies.iter().map(body).collect::<Vec<_>>());
        part.vertices.iter_mut().flatten().for_each(|length| *length = (*length * 256.0).round() / 256.0);
        part
    })
}

fn bytes(part: &Mesh, threads: usize) -> Vec<Vec<u8>> {
    let pieces = slice_with(part, &profile(&[]), threads).expect("sliced");
    pieces.iter().map(Piece::emit).collect()
}

/// A quarter turn to the left: exact in any coordinates.
fn turned(part: &Mesh) -> Mesh {
    let vertices = part.vertices.iter().map(|[x, y, z]| [-y, *x, *z]).collect();
    Mesh { vertices, triangles: part.triangles.clone() }
}

#[test]
fn the_zoo_keeps_what_every_print_keeps() {
    // The judge goes by which way faces look: it is shown the body that is meant.
    for animal in zoo() {
        judge(animal.name, animal.meant(), &Print::of(&animal.mesh));
    }
}

#[test]
fn the_zoo_is_the_same_on_three_threads() {
    for animal in zoo() {
        assert!(bytes(&animal.mesh, 1) == bytes(&animal.mesh, 3), "{}", animal.name);
    }
}

#[test]
fn the_judge_itself_finds_a_line_outside_and_a_hole() {
    let frame = join(&[
        block([0.0; 3], [10.0, 10.0, 1.0]),
        super::meshes::flipped(&block([3.0, 3.0, 0.0], [7.0, 7.0, 1.0])),
    ]);
    let section = Section::at(&frame, 0.5);
    assert_eq!(section.distance([1.0, 5.0]), 0.0);
    assert!((section.distance([4.0, 5.0]) - 1.0).abs() < 1e-9);
    assert!((section.distance([13.0, 14.0]) - 5.0).abs() < 1e-9);
    assert!((section.area() - 84.0).abs() < 1e-9);
}

#[test]
fn a_solid_print_holds_the_volume_of_its_mesh() {
    let solids = [
        ("block", block([0.0; 3], [12.0, 9.0, 3.0])),
        ("cylinder", cylinder(6.0, 3.0)),
        ("cone", cone(8.0, 6.0)),
        ("frustum", frustum(3.0, 7.0, 4.0)),
        ("slanted block", sheared(&block([0.0; 3], [8.0, 8.0, 4.0]), 0.5)),
    ];
    for (name, part) in solids {
        let print = Print::with(&part, &[("infill-density", "100%")]);
        let laid_mm3: f64 = (0..print.layers.len()).map(|index| print.volume_of_layer(index)).sum();
        let part = laid(&part);
        let layers = print.layers.iter().map(|layer| (layer.middle_mm(), layer.height_mm()));
        let asked: f64 = layers.map(|(z, height)| Section::at(&part, z).area() * height).sum();
        assert!((laid_mm3 / asked - 1.0).abs() < 0.04, "{name}: {laid_mm3} mm³ of {asked}");
    }
}

#[test]
fn the_nozzle_hops_wherever_filament_is_pulled_back_between_layers_too() {
    let two = join(&[block([0.0; 3], [10.0, 10.0, 2.0]), block([20.0, 0.0, 0.0], [30.0, 10.0, 2.0])]);
    let hops = Print::with(&two, &[("z-hop", "0.4mm")]).hops();
    assert!(hops.len() > 15 && hops.iter().all(|hop| *hop == 400), "{hops:?}");
    assert!(Print::of(&two).hops().iter().all(|hop| *hop == 0));
}

#[test]
fn an_underside_that_is_carried_on_one_side_alone_is_laid_at_the_overhangs_speed() {
    let bracket = join(&[block([0.0; 3], [10.0, 12.0, 2.0]), block([0.0, 0.0, 2.0], [24.0, 12.0, 4.0])]);
    let print = Print::of(&bracket);
    let (slow, edge) = (profile(&[]).speed(Key::OverhangSpeed), MIDDLE[0] - 2.0);
    let mut hanging = 0;
    for (from, path) in
        print.layers[10].paths().iter().filter(|(_, path)| path.feature == Feature::BottomSurface)
    {
        let ends: Vec<Point> = [*from].into_iter().chain(path.points.iter().map(|(p, _)| *p)).collect();
        // Moves that are well out in the air with their middle.
        let out = ends.windows(2).filter(|way| f64::from(way[0].x + way[1].x) / 2_000.0 > edge + 2.0).count();
        assert!(out == 0 || path.speed <= slow, "at {:?}: {ends:?}", path.speed);
        hanging += out;
    }
    assert!(hanging > 20, "the underside reaches out: {hanging}");
}

#[test]
fn filament_is_pulled_back_once_however_many_layers_are_empty() {
    let apart = join(&[block([0.0; 3], [10.0, 10.0, 2.0]), block([20.0, 0.0, 8.0], [30.0, 10.0, 10.0])]);
    for settings in [&[][..], &[("z-hop", "0.4mm")], &[("wipe", "0mm")]] {
        let print = Print::with(&apart, settings);
        assert!((11..39).any(|layer| print.layers[layer].lines(Feature::OuterPerimeter).is_empty()));
        assert_eq!(print.deepest_pull(), PULL, "{settings:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_random_part_keeps_what_every_print_keeps(part in parts()) {
        let print = Print::of(&part);
        judge("a random part", &part, &print);
        for (index, layer) in print.layers.iter().enumerate() {
            prop_assert!(layer.has(Feature::OuterPerimeter), "layer {} has a wall", index);
        }
    }

    #[test]
    fn a_random_part_is_the_same_on_any_number_of_threads(part in parts()) {
        prop_assert!(bytes(&part, 1) == bytes(&part, 2));
    }

    /// The slicer lays every part in the middle of the bed: where its file has it must not show.
    #[test]
    fn where_a_part_lies_in_its_file_does_not_show(
        part in parts(),
        shift in [-400_i16..400, -400_i16..400, -400_i16..400],
    ) {
        let mut moved = part.clone();
        let shift = shift.map(|eighths| f32::from(eighths) / 8.0);
        moved.vertices.iter_mut().for_each(|corner| *corner = [0, 1, 2].map(|axis| corner[axis] + shift[axis]));
        prop_assert!(bytes(&part, 1) == bytes(&moved, 1));
    }

    /// Infill keeps its own directions; what follows the outline turns with it. A loop may begin elsewhere and its points be
    /// rounded the other way, so lengths are compared and not bytes; a sharp tip just wide enough for the loop may hold a line's
    /// width of it one way and not the other.
    #[test]
    fn walls_turn_with_the_part(part in parts()) {
        let (straight, turned) = (Print::of(&part), Print::of(&turned(&part)));
        prop_assert_eq!(straight.layers.len(), turned.layers.len());
        for (straight, turned) in straight.layers.iter().zip(&turned.layers) {
            prop_assert_eq!(
                straight.lines_and_loops(Feature::OuterPerimeter),
                turned.lines_and_loops(Feature::OuterPerimeter)
            );
            let (a, b) = (straight.length(Feature::OuterPerimeter), turned.length(Feature::OuterPerimeter));
            prop_assert!((a - b).abs() <= 0.005 * a + 0.45, "{} mm and {} mm", a, b);
        }
    }
}
