//! Supports: what is held, how near, and what it stands on.

use layerlock_terms::toolpath::{Feature, Piece};
use proptest::prelude::*;

use super::meshes::{block, cone, cylinder, join};
use super::print::{Laid, Print, profile, refusal, slice_with};
use layerlock_slicer::SliceError;
use layerlock_slicer::mesh::Mesh;

const GRID: (&str, &str) = ("support", "grid");
const TREE: (&str, &str) = ("support", "tree");

/// Layers in which anything of the supports is laid.
fn held(print: &Print) -> Vec<usize> {
    let any = |laid: &Laid| laid.has(Feature::Support) || laid.has(Feature::SupportInterface);
    (0..print.layers.len()).filter(|layer| any(&print.layers[*layer])).collect()
}

/// A top 3 mm thick, 12 mm above the bed, on four legs; its first layer is the 60th.
fn table() -> Mesh {
    let leg = |x: f32, y: f32| block([x, y, 0.0], [x + 4.0, y + 4.0, 12.0]);
    let top = block([0.0, 0.0, 12.0], [40.0, 30.0, 15.0]);
    join(&[leg(0.0, 0.0), leg(36.0, 0.0), leg(0.0, 26.0), leg(36.0, 26.0), top])
}

/// Two pillars and a deck of which `span` millimetres hang free.
fn gate(span: f32) -> Mesh {
    join(&[
        block([0.0, 0.0, 0.0], [5.0, 10.0, 8.0]),
        block([5.0 + span, 0.0, 0.0], [10.0 + span, 10.0, 8.0]),
        block([0.0, 0.0, 8.0], [10.0 + span, 10.0, 10.0]),
    ])
}

/// An arm that reaches out over the part's own foot.
fn hook() -> Mesh {
    join(&[
        block([0.0, 0.0, 0.0], [30.0, 20.0, 4.0]),
        block([0.0, 0.0, 4.0], [4.0, 20.0, 16.0]),
        block([0.0, 0.0, 16.0], [24.0, 20.0, 20.0]),
    ])
}

/// A cone that stands on its cut-off tip and leans out by 45° all around.
fn funnel() -> Mesh {
    let mut upright = cone(20.0, 20.0);
    for vertex in &mut upright.vertices {
        vertex[2] = -vertex[2];
    }
    join(&[upright, cylinder(4.0, 1.0).moved_down(20.0)])
}

trait MovedDown {
    fn moved_down(self, by: f32) -> Self;
}

impl MovedDown for Mesh {
    fn moved_down(mut self, by: f32) -> Self {
        self.vertices.iter_mut().for_each(|vertex| vertex[2] -= by);
        self
    }
}

#[test]
fn nothing_is_supported_unless_asked_for() {
    assert!(held(&Print::of(&table())).is_empty());
}

#[test]
fn the_part_itself_is_the_same_with_and_without_supports() {
    let (bare, supported) = (Print::of(&hook()), Print::with(&hook(), &[GRID]));
    assert!(!held(&supported).is_empty());
    let own = Feature::ALL.into_iter().filter(|f| !matches!(f, Feature::Support | Feature::SupportInterface));
    for feature in own {
        for (index, (bare, supported)) in bare.layers.iter().zip(&supported.layers).enumerate() {
            let (bare, supported) = (bare.length(feature), supported.length(feature));
            assert!((bare - supported).abs() < 1e-6, "layer {index} {feature:?}: {bare} and {supported}");
        }
    }
}

#[test]
fn a_tables_top_is_held_from_the_bed_up_to_the_gap() {
    for (gap, top) in [("0mm", 59), ("0.2mm", 58), ("0.3mm", 57), ("0.4mm", 57)] {
        let print = Print::with(&table(), &[GRID, ("support-z-gap", gap)]);
        assert_eq!(held(&print), (0..=top).collect::<Vec<_>>(), "gap {gap}");
    }
}

#[test]
fn the_layers_that_touch_the_part_are_dense_and_the_others_are_not() {
    let print = Print::with(&table(), &[GRID, ("support-interface-layers", "2")]);
    let dense: Vec<_> = (0..75).filter(|at| print.layers[*at].has(Feature::SupportInterface)).collect();
    assert_eq!(dense, [57, 58]);
    let all = |at: usize| {
        print.layers[at].length(Feature::Support) + print.layers[at].length(Feature::SupportInterface)
    };
    assert!(all(58) > 2.0 * all(30), "{} and {}", all(58), all(30));
    assert!(all(0) > 2.0 * all(30), "and so is the one that holds to the bed");
    let bare = Print::with(&table(), &[GRID, ("support-interface-layers", "0")]);
    assert!(bare.layers.iter().all(|layer| !layer.has(Feature::SupportInterface)));
}

#[test]
fn denser_supports_take_more_line() {
    let length = |density| {
        let print = Print::with(&table(), &[GRID, ("support-density", density)]);
        print.layers[30].length(Feature::Support)
    };
    assert!(length("40%") > 1.5 * length("20%"));
}

#[test]
fn a_short_bridge_is_left_alone_and_a_long_one_is_held() {
    assert!(held(&Print::with(&gate(8.0), &[GRID])).is_empty());
    assert!(!held(&Print::with(&gate(15.0), &[GRID])).is_empty());
    assert!(held(&Print::with(&gate(15.0), &[GRID, ("support-bridge-span", "20mm")])).is_empty());
    assert!(!held(&Print::with(&gate(8.0), &[GRID, ("support-bridge-span", "0mm")])).is_empty());
}

#[test]
fn a_slope_is_held_when_it_leans_out_further_than_the_angle() {
    assert!(held(&Print::with(&funnel(), &[GRID, ("support-angle", "50")])).is_empty());
    assert!(held(&Print::with(&funnel(), &[GRID, ("support-angle", "40")])).len() > 60);
}

#[test]
fn supports_stand_on_the_part_only_where_that_is_allowed() {
    let anywhere = Print::with(&hook(), &[GRID]);
    // The foot's last layer is the 19th, the arm's first the 80th; one layer stays free at either end.
    assert_eq!(held(&anywhere), (21..=78).collect::<Vec<_>>());
    let dense: Vec<_> = (0..100).filter(|at| anywhere.layers[*at].has(Feature::SupportInterface)).collect();
    assert_eq!(dense, [21, 22, 23, 76, 77, 78]);
    // What they hold is wider than the foot by what towers reach beyond it; they grow there as they rise.
    let depth = |at: usize| {
        let (low, high) = anywhere.layers[at].extent(Feature::Support);
        high[1] - low[1]
    };
    assert!(depth(21) <= 20_100 && depth(24) > 20_800, "{} {}", depth(21), depth(24));
    assert!(held(&Print::with(&hook(), &[GRID, ("support-plate-only", "on")])).is_empty());
    let table = Print::with(&table(), &[GRID, ("support-plate-only", "on")]);
    assert_eq!(held(&table).len(), 59, "a table's supports stand on the bed anyway");
}

#[test]
fn supports_that_stand_on_the_bed_only_don_t_lean_over_the_part() {
    let part = join(&[
        block([0.0, 0.0, 0.0], [12.0, 20.0, 4.0]),
        block([0.0, 0.0, 4.0], [4.0, 20.0, 16.0]),
        block([0.0, 0.0, 16.0], [24.0, 20.0, 20.0]),
    ]);
    let print = Print::with(&part, &[GRID, ("support-plate-only", "on")]);
    assert_eq!(held(&print).len(), 79);
    // The part is centred on 125 mm and 24 mm long, so its foot ends in the middle of the bed; on the bed
    // itself the tower's own foot goes around it.
    for layer in &print.layers[1..79] {
        let (low, _) = layer.extent(Feature::Support);
        assert!(low[0] >= 125_000 + 225, "{low:?}");
    }
}

#[test]
fn a_body_that_begins_in_the_air_stands_on_a_tower_that_widens_downwards() {
    let part =
        join(&[block([0.0, 0.0, 0.0], [10.0, 10.0, 40.0]), block([18.5, 4.5, 30.0], [19.5, 5.5, 38.0])]);
    let print = Print::with(&part, &[GRID]);
    let breadth = |at: usize| {
        let (low, high) = print.layers[at].extent(Feature::Support);
        high[0] - low[0]
    };
    assert_eq!(held(&print).last(), Some(&148));
    assert!((2_000..2_700).contains(&breadth(140)), "{}", breadth(140));
    assert!((3_000..4_000).contains(&breadth(20)), "{}", breadth(20));
}

#[test]
fn a_skirt_goes_around_the_supports_too() {
    let beam = join(&[block([0.0; 3], [6.0, 20.0, 15.0]), block([-12.0, 0.0, 12.0], [18.0, 20.0, 15.0])]);
    let print = Print::with(&beam, &[GRID, ("skirt-loops", "1")]);
    let (skirt, support) = (print.layers[0].extent(Feature::Skirt), print.layers[0].extent(Feature::Support));
    for axis in 0..2 {
        assert!(skirt.0[axis] + 3_000 <= support.0[axis] && skirt.1[axis] - 3_000 >= support.1[axis]);
    }
}

#[test]
fn a_part_with_no_room_for_supports_around_it_is_refused() {
    let wide = block([0.0; 3], [247.0, 20.0, 4.0]);
    assert_eq!(Print::of(&wide).layers.len(), 20);
    assert!(matches!(refusal(&wide, &[GRID]), SliceError::TooLarge { .. }));
}

#[test]
fn supports_are_the_same_bytes_on_any_number_of_threads() {
    let part = join(&[table(), funnel().moved_down(-21.0)]);
    let bytes = |threads| -> Vec<Vec<u8>> {
        slice_with(&part, &profile(&[GRID]), threads).expect("sliced").iter().map(Piece::emit).collect()
    };
    let one = bytes(1);
    assert!(one.len() > 90);
    assert_eq!(one, bytes(2));
    assert_eq!(one, bytes(3));
}

/// A heap of boxes as it lies on the bed, in millimetres.
#[derive(Debug, Clone)]
struct Heap(Vec<[[f64; 3]; 2]>);

/// Thickness of the standard profile's layers.
const LAYER: f64 = 0.2;
/// The standard profile's gap between support and part, to the side.
const ASIDE: f64 = 0.4;
/// How far 50° lets a layer reach beyond the one below.
const LEAN: f64 = 0.239;
/// The narrowest tower.
const NARROWEST: f64 = 0.76;

impl Heap {
    /// Boxes with these corners and sizes in half millimetres, moved to where the slicer puts them.
    fn of(boxes: &[([u8; 3], [u8; 3])]) -> (Mesh, Self) {
        let half = |n: u8| f32::from(n) / 2.0;
        let corners =
            boxes.iter().map(|(low, size)| [low.map(half), std::array::from_fn(|a| half(low[a] + size[a]))]);
        let corners: Vec<[[f32; 3]; 2]> = corners.collect();
        let mesh = join(&corners.iter().map(|[low, high]| block(*low, *high)).collect::<Vec<_>>());
        let lowest = |axis: usize| corners.iter().map(|c| f64::from(c[0][axis])).fold(f64::MAX, f64::min);
        let highest = |axis: usize| corners.iter().map(|c| f64::from(c[1][axis])).fold(f64::MIN, f64::max);
        let shift =
            [125.0 - (lowest(0) + highest(0)) / 2.0, 105.0 - (lowest(1) + highest(1)) / 2.0, -lowest(2)];
        let moved = |at: [f32; 3]| std::array::from_fn(|axis| f64::from(at[axis]) + shift[axis]);
        (mesh, Self(corners.iter().map(|[low, high]| [moved(*low), moved(*high)]).collect()))
    }

    /// How far this straight line, or point, is from the part as it is cut for this layer.
    fn off_part(&self, layer: usize, a: [f64; 2], b: [f64; 2]) -> f64 {
        let z = plane(layer);
        let cut = self.0.iter().filter(|[low, high]| low[2] < z && z < high[2]);
        cut.map(|[low, high]| from_rectangle(a, b, *low, *high)).fold(f64::MAX, f64::min)
    }
}

/// Where a layer's outline is cut: a hair above its middle.
fn plane(layer: usize) -> f64 {
    (layer as f64 + 0.5) * LAYER + 0.0005
}

/// Distance of a line from a rectangle, by steps shorter than any tolerance here.
fn from_rectangle(a: [f64; 2], b: [f64; 2], low: [f64; 3], high: [f64; 3]) -> f64 {
    let steps = ((b[0] - a[0]).hypot(b[1] - a[1]) / 0.02).ceil().max(1.0);
    let at =
        |step: f64| -> [f64; 2] { std::array::from_fn(|axis| a[axis] + (b[axis] - a[axis]) * step / steps) };
    let off = |p: [f64; 2]| {
        let [x, y] = std::array::from_fn(|axis| (low[axis] - p[axis]).max(p[axis] - high[axis]).max(0.0));
        x.hypot(y)
    };
    (0..=steps as usize).map(|step| off(at(step as f64))).fold(f64::MAX, f64::min)
}

fn support_lines(laid: &Laid) -> Vec<([f64; 2], [f64; 2], f64)> {
    [laid.lines(Feature::Support), laid.lines(Feature::SupportInterface)].concat()
}

/// Distance of a point from a line.
fn off_line(p: [f64; 2], a: [f64; 2], b: [f64; 2]) -> f64 {
    let way = [b[0] - a[0], b[1] - a[1]];
    let square = way[0] * way[0] + way[1] * way[1];
    let along = ((p[0] - a[0]) * way[0] + (p[1] - a[1]) * way[1]) / square.max(1e-12);
    let along = along.clamp(0.0, 1.0);
    (p[0] - a[0] - along * way[0]).hypot(p[1] - a[1] - along * way[1])
}

/// No support touches the part, beside it or within `gap` layers above or below.
fn keeps_clear(print: &Print, heap: &Heap, gap: usize) {
    for (index, laid) in print.layers.iter().enumerate() {
        for (a, b, width) in support_lines(laid) {
            let free = heap.off_part(index, a, b) - width / 2.0;
            assert!(free >= ASIDE - 0.002, "layer {index}: {free} mm beside {a:?} {b:?}");
            for near in index.saturating_sub(gap)..=index + gap {
                let free = heap.off_part(near, a, b) - width / 2.0;
                assert!(free > -0.06, "layer {index}: {free} mm from layer {near} at {a:?} {b:?}");
            }
        }
    }
}

/// Every place that hangs free of all else has a support line right under it, past the gap; gives how many were
/// looked at.
fn holds_what_hangs(print: &Print, heap: &Heap, gap: usize) -> usize {
    let mut seen = 0;
    for [low, high] in &heap.0 {
        let index = (0..).find(|layer| plane(*layer) > low[2]).expect("layers go on");
        let mut p = [low[0] + 0.25, low[1] + 0.25];
        while index > gap && p[1] < high[1] {
            let hangs = heap.off_part(index - 1, p, p) > LEAN + 0.05;
            let room = (index.saturating_sub(2 * gap + 1)..index)
                .all(|at| heap.off_part(at, p, p) > ASIDE + NARROWEST);
            if hangs && room {
                let lines = support_lines(&print.layers[index - 1 - gap]);
                let nearest = lines.iter().map(|(a, b, _)| off_line(p, *a, *b)).fold(f64::MAX, f64::min);
                assert!(nearest < 0.6, "layer {index}: nothing under {p:?} for {nearest} mm");
                seen += 1;
            }
            p[0] += 0.5;
            if p[0] > high[0] {
                p = [low[0] + 0.25, p[1] + 0.5];
            }
        }
    }
    seen
}

/// Every line of supports lies on one of the layer below, on the part past the gap, or on the bed: no point of a
/// line's middle is further than `LAID` from such a line's middle, or from the part; gives how many were looked at.
fn rests_on_what_is_below(print: &Print, heap: &Heap, gap: usize) -> usize {
    let mut seen = 0;
    for index in 1..print.layers.len() {
        let below = support_lines(&print.layers[index - 1]);
        for (a, b, _) in support_lines(&print.layers[index]) {
            let steps = ((b[0] - a[0]).hypot(b[1] - a[1]) / 0.4).ceil();
            for step in 0..=steps as usize {
                let share = step as f64 / steps.max(1.0);
                let p: [f64; 2] = std::array::from_fn(|axis| a[axis] + (b[axis] - a[axis]) * share);
                let near = |(a, b, _): &([f64; 2], [f64; 2], f64)| {
                    let beside = |axis: usize| {
                        p[axis] > a[axis].min(b[axis]) - LAID && p[axis] < a[axis].max(b[axis]) + LAID
                    };
                    beside(0) && beside(1) && off_line(p, *a, *b) < LAID
                };
                let on_part = || index > gap && heap.off_part(index - 1 - gap, p, p) < LAID;
                assert!(below.iter().any(near) || on_part(), "layer {index}: nothing under {p:?}");
                seen += 1;
            }
        }
    }
    seen
}

/// How far from the next line below, middle to middle, a line of a tree may be.
const LAID: f64 = 0.9;

/// Boxes in a heap, in half millimetres.
fn heaps() -> impl Strategy<Value = Vec<([u8; 3], [u8; 3])>> {
    proptest::collection::vec(([0_u8..40, 0_u8..40, 0_u8..24], [2_u8..24, 2_u8..24, 2_u8..12]), 2..6)
}

/// A heap with every place that hangs held by such supports, `gap` layers away.
fn held_up(boxes: &[([u8; 3], [u8; 3])], supports: (&str, &str), gap: usize) -> (Print, Heap) {
    let (mesh, heap) = Heap::of(boxes);
    let free = ["0.2mm", "0.4mm"][gap - 1];
    (Print::with(&mesh, &[supports, ("support-bridge-span", "0mm"), ("support-z-gap", free)]), heap)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn trees_hold_whatever_hangs_touch_nothing_and_rest_on_themselves(boxes in heaps(), gap in 1_usize..3) {
        let (print, heap) = held_up(&boxes, TREE, gap);
        keeps_clear(&print, &heap, gap);
        rests_on_what_is_below(&print, &heap, gap);
        holds_what_hangs(&print, &heap, gap);
    }

    #[test]
    fn whatever_hangs_is_held_and_nothing_is_touched(boxes in heaps(), gap in 1_usize..3) {
        let (print, heap) = held_up(&boxes, GRID, gap);
        keeps_clear(&print, &heap, gap);
        holds_what_hangs(&print, &heap, gap);
    }
}

#[test]
fn the_properties_look_at_something() {
    let (mesh, heap) = Heap::of(&[([0, 0, 0], [8, 8, 24]), ([0, 0, 24], [40, 40, 4])]);
    let print = Print::with(&mesh, &[GRID]);
    keeps_clear(&print, &heap, 1);
    assert!(holds_what_hangs(&print, &heap, 1) > 800);
}

#[test]
fn a_towers_foot_stays_out_from_under_a_wing_close_to_the_bed() {
    // A stem, a wing from layer 2 on, and an arm that reaches 4 mm beyond the wing.
    let (mesh, heap) =
        Heap::of(&[([0, 0, 0], [8, 8, 40]), ([0, 0, 1], [20, 8, 2]), ([0, 0, 36], [28, 8, 4])]);
    let print = Print::with(&mesh, &[GRID, ("support-z-gap", "0.4mm")]);
    assert!(held(&print).contains(&0));
    keeps_clear(&print, &heap, 2);
}

#[test]
fn a_trees_branches_merge_lean_no_further_than_they_may_and_take_less_than_a_grid() {
    let tall = join(&[block([0.0; 3], [4.0, 4.0, 30.0]), block([0.0, 0.0, 30.0], [24.0, 20.0, 31.0])]);
    let print = Print::with(&tall, &[TREE]);
    assert_eq!(held(&print).last(), Some(&148));
    let trunks = |at: usize| print.layers[at].lines_and_loops(Feature::Support).1;
    assert!(trunks(2) * 2 < trunks(130), "{} and {}", trunks(2), trunks(130));
    let grid = Print::with(&tall, &[GRID]);
    assert!(print.filament_mm() < grid.filament_mm(), "{} and {}", print.filament_mm(), grid.filament_mm());
    let steep = Print::with(&tall, &[TREE, ("support-branch-angle", "10")]);
    let trunks_of_steep = steep.layers[2].lines_and_loops(Feature::Support).1;
    assert!(trunks_of_steep > trunks(2), "upright branches meet less often: {trunks_of_steep}");
}

#[test]
fn a_tree_has_dense_layers_where_it_meets_the_part_and_a_broad_foot_on_the_bed() {
    let print = Print::with(&table(), &[TREE]);
    assert_eq!(held(&print), (0..=58).collect::<Vec<_>>());
    let dense: Vec<_> = (0..75).filter(|at| print.layers[*at].has(Feature::SupportInterface)).collect();
    assert_eq!(dense, [56, 57, 58]);
    assert!(print.layers[0].length(Feature::Support) > 2.0 * print.layers[1].length(Feature::Support));
}

#[test]
fn a_tree_goes_around_the_part_to_the_bed_or_stands_on_it_unless_forbidden() {
    // An arm 6 mm wide over a foot that is 1 mm wider on each side: branches lean out beside the foot.
    let arm = join(&[
        block([0.0, 0.0, 0.0], [30.0, 8.0, 2.0]),
        block([0.0, 1.0, 2.0], [4.0, 7.0, 30.0]),
        block([0.0, 1.0, 30.0], [30.0, 7.0, 32.0]),
    ]);
    let around = Print::with(&arm, &[TREE, ("support-plate-only", "on")]);
    assert_eq!(held(&around), (0..=148).collect::<Vec<_>>());
    let print = Print::with(&hook(), &[TREE]);
    assert_eq!(held(&print).last(), Some(&78));
    let low = block([0.0, 0.0, 0.0], [60.0, 60.0, 2.0]);
    let post = block([28.0, 28.0, 2.0], [32.0, 32.0, 6.0]);
    let cap = block([20.0, 20.0, 6.0], [40.0, 40.0, 8.0]);
    let table = join(&[low, post, cap]);
    assert_eq!(held(&Print::with(&table, &[TREE])), (11..=28).collect::<Vec<_>>());
    assert!(held(&Print::with(&table, &[TREE, ("support-plate-only", "on")])).is_empty());
}

#[test]
fn trees_are_the_same_bytes_on_any_number_of_threads() {
    let part = join(&[table(), funnel().moved_down(-21.0)]);
    let bytes = |threads| -> Vec<Vec<u8>> {
        slice_with(&part, &profile(&[TREE]), threads).expect("sliced").iter().map(Piece::emit).collect()
    };
    assert_eq!(bytes(1), bytes(3));
}

#[test]
fn the_properties_of_trees_look_at_something() {
    let (mesh, heap) = Heap::of(&[([0, 0, 0], [8, 8, 24]), ([0, 0, 24], [40, 40, 4])]);
    let print = Print::with(&mesh, &[TREE]);
    keeps_clear(&print, &heap, 1);
    assert!(holds_what_hangs(&print, &heap, 1) > 800);
    assert!(rests_on_what_is_below(&print, &heap, 1) > 10_000);
}
