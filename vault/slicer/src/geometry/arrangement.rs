//! The plane cut up by contours: which places count as inside, and the shapes those make.
//!
//! Contours rarely touch: most of a layer's edges meet nothing but their neighbours. So the arrangement is kept
//! sparse. `chains` finds the pairs of edges that meet, by a sweep over monotone chains; `contacts` says exactly
//! where; `graph` makes nodes of those places and arcs of the contours between them; `winding` carries the
//! winding numbers from arc to arc, begun from one point outside of each connected piece; `trace` walks the arcs
//! that have the inside on one side alone. What costs is the search; all else costs only where contours meet.
//!
//! All decisions are taken on the contours as given, in whole numbers: sides are signs of cross products, and the
//! order of places on an edge and of directions around a node is that of exact fractions (exact arrangements as in
//! de Berg et al., Computational Geometry, chapter 2; monotone chains as in the JTS Topology Suite). Only what
//! comes out is rounded to a micrometre, so rounding moves an edge but never turns the inside out.

mod chains;
mod contacts;
mod graph;
mod soup;
mod trace;
mod winding;

pub(super) use soup::{Family, Soup};
pub(super) use winding::Winding;

use super::IntPoint;

/// Why there is no arrangement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unarranged {
    /// The contours reach too far to be exact.
    Inexact,
    /// They meet more often than was allowed.
    Tangled,
}

/// The shapes in which `inside` holds of the winding numbers, of contours that meet no more than `most` times.
///
/// Each shape is its outer contour, counter-clockwise, and its holes, clockwise.
pub(super) fn shapes(
    soup: &Soup,
    most: usize,
    inside: impl Fn(Winding) -> bool,
) -> Result<Vec<Vec<Vec<IntPoint<i32>>>>, Unarranged> {
    if !soup.is_exact() {
        return Err(Unarranged::Inexact);
    }
    let chains = chains::chains(soup);
    let contacts = chains::contacts(soup, &chains, most).ok_or(Unarranged::Tangled)?;
    let graph = graph::Graph::new(soup, contacts);
    let windings = winding::wind(soup, &chains, &graph).ok_or(Unarranged::Inexact)?;
    Ok(trace::shapes(soup, &graph, &windings, inside))
}
