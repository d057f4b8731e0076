//! Layers whose heights follow the slopes.

use layerlock_slicer::mesh::Mesh;
use layerlock_terms::toolpath::{Feature, Piece};

use super::meshes::{block, cone, cylinder, join};
use super::print::{Print, profile, slice_with};

const ADAPTIVE: (&str, &str) = ("adaptive-layers", "on");

/// A dome: steep at its foot, level at its crown.
fn dome(radius: f32) -> Mesh {
    const RINGS: u32 = 64;
    const SIDES: u32 = 48;
    let ring = |nth: u32| {
        let (up, out) = (nth as f32 / RINGS as f32 * std::f32::consts::FRAC_PI_2).sin_cos();
        (0..SIDES).map(move |at| {
            let (y, x) = (at as f32 / SIDES as f32 * std::f32::consts::TAU).sin_cos();
            [radius * out * x, radius * out * y, radius * up]
        })
    };
    let mut vertices: Vec<[f32; 3]> = (0..RINGS).flat_map(ring).collect();
    vertices.extend([[0.0, 0.0, radius], [0.0; 3]]);
    let (crown, foot) = (RINGS * SIDES, RINGS * SIDES + 1);
    let corner = |nth: u32, at: u32| nth * SIDES + at % SIDES;
    let mut triangles = Vec::new();
    for at in 0..SIDES {
        for nth in 0..RINGS - 1 {
            let [a, b, c, d] =
                [corner(nth, at), corner(nth, at + 1), corner(nth + 1, at + 1), corner(nth + 1, at)];
            triangles.extend([[a, b, c], [a, c, d]]);
        }
        triangles.extend([
            [corner(RINGS - 1, at), corner(RINGS - 1, at + 1), crown],
            [corner(0, at + 1), corner(0, at), foot],
        ]);
    }
    Mesh { vertices, triangles }
}

fn heights(print: &Print) -> Vec<i32> {
    print.layers.iter().map(|laid| laid.height()).collect()
}

#[test]
fn a_dome_gets_thick_layers_at_its_foot_and_thin_ones_at_its_crown() {
    let print = Print::with(&dome(20.0), &[ADAPTIVE]);
    let heights = heights(&print);
    assert_eq!(heights[0], 200);
    assert!(heights[5] >= 250 && heights[heights.len() - 2] <= 90, "{heights:?}");
    let rises = heights[1..].windows(2).filter(|pair| pair[1] > pair[0] + 1).count();
    assert!(rises <= 1, "the dome only gets flatter: {heights:?}");
    assert!((print.epilogue.max.z - 20_000).abs() <= 40, "{}", print.epilogue.max.z);
}

#[test]
fn a_range_of_heights_that_ends_before_it_begins_is_refused_by_name() {
    let reversed = [ADAPTIVE, ("adaptive-least", "0.28mm"), ("adaptive-most", "0.08mm")];
    let refused = slice_with(&dome(20.0), &profile(&reversed), 1).expect_err("refused").to_string();
    assert!(refused.contains("`adaptive-least` is more than `adaptive-most`"), "{refused}");
}

#[test]
fn steps_on_a_slope_are_no_higher_than_asked() {
    // The slope of this cone is 45°: a layer's cusp is its height over the root of two.
    for (deviation, height) in [("0.06", 84), ("0.1", 141), ("0.15", 212)] {
        let print = Print::with(&cone(15.0, 15.0), &[ADAPTIVE, ("adaptive-deviation", deviation)]);
        assert!(
            heights(&print)[1..].iter().all(|h| (height - 5..=height + 1).contains(h)),
            "{:?}",
            heights(&print)
        );
    }
}

#[test]
fn solid_layers_have_their_volume_whatever_their_height() {
    let part = join(&[cylinder(10.0, 6.0), cone(10.0, 12.0)]);
    let print = Print::with(&part, &[ADAPTIVE, ("infill-density", "100%")]);
    let volume: f64 = (0..print.layers.len()).map(|index| print.volume_of_layer(index)).sum();
    // Above the cylinder stands the cone's upper half: half as wide, half as high.
    let asked = std::f64::consts::PI * (100.0 * 6.0 + 25.0 * 6.0 / 3.0);
    assert!((volume / asked - 1.0).abs() < 0.03, "{volume} of {asked}");
    for (index, height) in heights(&print).iter().enumerate().skip(2).take(15) {
        let layer =
            print.volume_of_layer(index) / (std::f64::consts::PI * 100.0 * f64::from(*height) / 1000.0);
        assert!((0.95..1.05).contains(&layer), "layer {index}: {layer}");
    }
}

#[test]
fn shells_are_as_thick_as_of_even_layers() {
    // Upright walls take layers of 0.28 mm: three are the four of 0.2 mm asked for at the bottom, four the five on top.
    let print = Print::with(&block([0.0; 3], [20.0, 20.0, 14.2]), &[ADAPTIVE]);
    let sparse: Vec<bool> = print.layers.iter().map(|laid| laid.has(Feature::SparseInfill)).collect();
    let heights = heights(&print);
    assert!(heights[1..].iter().all(|height| *height >= 270), "{heights:?}");
    let last = sparse.len() - 1;
    assert_eq!(sparse.iter().position(|sparse| *sparse), Some(4), "0.2 + 3 × 0.28 ≥ 0.8 > 0.2 + 2 × 0.28");
    assert_eq!(sparse.iter().rposition(|sparse| *sparse), Some(last - 4), "4 × 0.28 ≥ 1.0 > 3 × 0.28");
}

#[test]
fn supports_keep_their_height_from_the_part() {
    // A roof 12 mm up, its underside level, beside a slope that asks for thin layers.
    let roof = block([0.0, 0.0, 12.0], [30.0, 20.0, 15.0]);
    let part = join(&[roof, block([0.0, 0.0, 0.0], [6.0, 20.0, 12.0]), dome(8.0).moved([50.0, 10.0, 0.0])]);
    let settings = [ADAPTIVE, ("support", "grid"), ("support-bridge-span", "0"), ("support-z-gap", "0.5")];
    let print = Print::with(&part, &settings);
    let deck = print.layers.iter().position(|laid| {
        laid.extent(Feature::OuterPerimeter).0[0] < laid.extent(Feature::OuterPerimeter).1[0]
            && laid.bottom() >= 11_900
    });
    let deck = print.layers[deck.expect("a roof")].bottom();
    let held: Vec<_> = print
        .layers
        .iter()
        .filter(|laid| laid.has(Feature::SupportInterface) || laid.has(Feature::Support))
        .collect();
    let top = held.iter().map(|laid| laid.top()).max().expect("supported");
    let gap = deck - top;
    assert!((500..800).contains(&gap), "{gap} below {deck}");
}

#[test]
fn adaptive_layers_leave_in_the_same_bytes_on_any_number_of_threads() {
    let part = join(&[dome(8.0), block([-4.0, -4.0, 0.0], [4.0, 14.0, 5.0])]);
    let bytes = |threads| -> Vec<Vec<u8>> {
        let profile = profile(&[ADAPTIVE, ("infill-pattern", "gyroid"), ("support", "grid")]);
        slice_with(&part, &profile, threads).expect("sliced").iter().map(Piece::emit).collect()
    };
    let one = bytes(1);
    assert!(one.len() > 40);
    assert_eq!(one, bytes(3));
}

trait Moved {
    fn moved(self, by: [f32; 3]) -> Self;
}

impl Moved for Mesh {
    fn moved(mut self, by: [f32; 3]) -> Self {
        self.vertices.iter_mut().for_each(|at| *at = std::array::from_fn(|axis| at[axis] + by[axis]));
        self
    }
}
