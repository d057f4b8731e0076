//! i_overlay's integer engine, for contours that reach too far for our own arrangement.

use i_overlay::core::fill_rule::FillRule;
use i_overlay::core::overlay::{Overlay, ShapeType};
use i_overlay::core::overlay_rule::OverlayRule;

use super::IntPoint;
use super::region::Rule;

/// Everything that any of the contours winds around.
pub(super) fn wound(contours: &[Vec<IntPoint<i32>>]) -> Vec<Vec<Vec<IntPoint<i32>>>> {
    filled(contours.iter(), FillRule::NonZero)
}

/// Everything the contours together wind around counter-clockwise.
pub(super) fn positive(contours: &[Vec<IntPoint<i32>>]) -> Vec<Vec<Vec<IntPoint<i32>>>> {
    filled(contours.iter(), FillRule::Positive)
}

fn filled<'a>(
    contours: impl Iterator<Item = &'a Vec<IntPoint<i32>>>,
    rule: FillRule,
) -> Vec<Vec<Vec<IntPoint<i32>>>> {
    let mut overlay = Overlay::new(0);
    for contour in contours {
        overlay.add_source(contour, ShapeType::Subject);
    }
    overlay.overlay(OverlayRule::Subject, rule)
}

/// What `rule` keeps of the subject.
pub(super) fn combined<'a>(
    subject: impl Iterator<Item = &'a Vec<IntPoint<i32>>>,
    clip: impl Iterator<Item = &'a Vec<IntPoint<i32>>>,
    rule: Rule,
) -> Vec<Vec<Vec<IntPoint<i32>>>> {
    let mut overlay = Overlay::new(0);
    for contour in subject {
        overlay.add_source(contour, ShapeType::Subject);
    }
    for contour in clip {
        overlay.add_source(contour, ShapeType::Clip);
    }
    let rule = match rule {
        Rule::Without => OverlayRule::Difference,
        Rule::Within => OverlayRule::Intersect,
    };
    overlay.overlay(rule, FillRule::NonZero)
}
