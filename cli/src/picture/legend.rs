//! What the colours of a layer's picture mean: one line a feature, with how much of it there is.

use layerlock_slicer::picture::{Image, letters};
use layerlock_terms::toolpath::{Feature, Layer};

use super::moves::moves;
use super::palette::{Rgb, colour_of};

const INK: [u8; 3] = [0xd8, 0xde, 0xe6];

/// Writes the layer's number and height and its features over the picture's upper left corner.
pub fn add_legend(image: &mut Image, layer: &Layer) {
    let size = (image.height / 500).max(1);
    let (line, left) = (letters::LINE * size * 3 / 2, letters::ADVANCE * size);
    let title =
        format!("layer {}, {:.2} mm up, {:.2} mm thick", layer.index, layer.z.to_mm(), layer.height.to_mm());
    letters::write(image, [left, line], size, INK, &title);
    for (n, (feature, length)) in (3..).zip(lengths(layer)) {
        let (top, Rgb(red, green, blue)) = (n * line, colour_of(feature));
        letters::fill(image, [left, top], [8 * size, 7 * size], [red, green, blue]);
        let words = format!("{} {length:.1} mm", name(feature));
        letters::write(image, [left + 12 * size, top], size, INK, &words);
    }
}

/// Each feature's length in millimetres, in the features' order.
fn lengths(layer: &Layer) -> Vec<(Feature, f64)> {
    let moves = moves(layer, &mut None);
    let of = |feature: Feature| {
        let lines = moves.iter().filter(|line| line.line.feature == feature);
        (feature, lines.map(|line| line.length()).sum::<f64>() / 1000.0)
    };
    Feature::ALL.into_iter().map(of).filter(|(_, length)| *length > 0.0).collect()
}

fn name(feature: Feature) -> &'static str {
    match feature {
        Feature::Skirt => "skirt",
        Feature::OuterPerimeter => "outer perimeter",
        Feature::InnerPerimeter => "inner perimeter",
        Feature::SolidInfill => "solid infill",
        Feature::TopSurface => "top surface",
        Feature::BottomSurface => "bottom surface",
        Feature::Bridge => "bridge",
        Feature::SparseInfill => "sparse infill",
        Feature::GapFill => "gap fill",
        Feature::ThinWall => "thin wall",
        Feature::Support => "support",
        Feature::SupportInterface => "support interface",
    }
}

#[cfg(test)]
mod tests {
    use layerlock_terms::toolpath::{Path, Point, Step};
    use layerlock_terms::units::{Feed, Micrometres, MmPerMinute};

    use super::*;

    #[test]
    fn a_feature_that_is_there_has_its_colour_in_the_legend_and_no_other_has() {
        let path = |feature, x| {
            let (width, speed) = (Micrometres(450), MmPerMinute(1_200));
            Step::Extrude(Path {
                feature,
                width,
                speed,
                climb: None,
                points: vec![(Point { x, y: 0 }, Feed(1))],
            })
        };
        let steps = vec![
            Step::Travel { to: vec![Point { x: 0, y: 0 }], speed: MmPerMinute(9_000) },
            path(Feature::Bridge, 2_000),
            path(Feature::GapFill, 5_000),
        ];
        let layer = Layer { index: 7, z: Micrometres(1_600), height: Micrometres(200), steps };
        assert_eq!(lengths(&layer), [(Feature::Bridge, 2.0), (Feature::GapFill, 3.0)]);
        let mut image = Image { width: 300, height: 200, rgba: vec![0; 240_000] };
        add_legend(&mut image, &layer);
        let is_there = |feature| {
            let Rgb(red, green, blue) = colour_of(feature);
            image.rgba.chunks(4).any(|pixel| pixel[..3] == [red, green, blue])
        };
        let shown: Vec<_> = Feature::ALL.into_iter().filter(|feature| is_there(*feature)).collect();
        assert_eq!(shown, [Feature::Bridge, Feature::GapFill]);
    }
}
