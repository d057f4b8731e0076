//! What the inside of a layer is for: seen from above, seen from below, spanning air, solid behind those, sparse.
//!
//! A place may be sparse only if the part goes on above it for all the top layers and below it for all the
//! bottom layers; the outlines of the neighbouring layers say so, which is right on slopes too.

mod bridge;

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::toolpath::Feature;

use crate::filling::lean;
use crate::flow::Flow;
use crate::geometry::Region;

pub(crate) use bridge::spans;

/// Sparse places narrower than this are filled solid, in micrometres: too narrow to hold a pattern.
const NARROW: i32 = 1_000;

/// Sparse shapes smaller than this are filled solid, in square micrometres.
const SMALL: f64 = 4e6;

/// Solid places narrower than this share of a line's spacing hold no line, in percent.
const SLIVER: i32 = 75;

/// Solid places smaller than this hold no line either, in square micrometres.
const CRUMB: f64 = 0.02e6;

/// How far a bridge's lines reach onto what carries them, in micrometres.
const ANCHOR: i32 = 1_200;

/// Overhangs narrower than this are carried by their own walls, in micrometres.
const LEDGE: i32 = 600;

/// A solid place and how it is filled.
#[derive(Debug, Clone)]
pub(crate) struct Solid {
    pub(crate) feature: Feature,
    pub(crate) region: Region,
    /// Direction of its lines, in degrees.
    pub(crate) degrees: f64,
}

/// A layer's inside, divided.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surfaces {
    pub(crate) solids: Vec<Solid>,
    pub(crate) sparse: Region,
}

/// The outlines around a layer; fewer than asked for where the part ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neighbours<'a> {
    /// The layer's own.
    pub(crate) own: &'a Region,
    /// Upwards from the next layer; none above the part's top.
    pub(crate) above: &'a [&'a Region],
    /// Downwards from the layer below; none below the bed.
    pub(crate) below: &'a [&'a Region],
    /// How many above make a top; more than there are where the part ends before.
    pub(crate) tops: u32,
    /// How many below make a bottom; more than there are where the bed comes before.
    pub(crate) bottoms: u32,
}

/// Divides `inside`.
pub(crate) fn divide(
    inside: &Region,
    index: u32,
    neighbours: Neighbours<'_>,
    flow: &Flow,
    profile: &Profile,
) -> Surfaces {
    let half_line = flow.spacing(flow.inner) / 2;
    let (mut rest, mut sparse) = part(inside, sparse(inside, neighbours, profile), half_line);
    let degrees = lean(index, profile);
    let mut solids = Vec::new();
    if rest.is_empty() {
        return Surfaces { solids, sparse };
    }
    if index == 0 {
        solids.push(Solid { feature: Feature::BottomSurface, region: rest, degrees });
        return Surfaces { solids, sparse };
    }
    if let Some(below) = neighbours.below.first() {
        for bridge in bridge::find(&rest, inside, below) {
            rest = rest.minus(&bridge.region);
            sparse = sparse.minus(&bridge.region);
            solids.push(bridge);
        }
    }
    let top = match neighbours.above.first() {
        Some(above) => rest.minus(above).opened(half_line).grown(half_line).and(&rest),
        None => rest.clone(),
    };
    if !top.is_empty() {
        rest = rest.minus(&top);
        solids.push(Solid { feature: Feature::TopSurface, region: top, degrees });
    }
    solids.push(Solid { feature: Feature::SolidInfill, region: rest, degrees });
    Surfaces { solids, sparse }
}

/// What of `inside` is solid and what is sparse, of which `sparse` is the most there could be.
///
/// On a slope a solid sliver lies along the wall, which itself covers all that is seen; where it has no room for
/// a line it is left to the sparse infill. Solid places reach half a line into the sparse ones, which carries
/// their edge.
fn part(inside: &Region, sparse: Region, half_line: i32) -> (Region, Region) {
    if sparse.is_empty() {
        return (inside.clone(), sparse);
    }
    if inside.area() - sparse.area() < CRUMB {
        return (Region::default(), inside.clone());
    }
    let sliver = half_line * SLIVER / 50;
    let deep = inside.minus(&sparse.grown(sliver)).without_specks(CRUMB);
    if deep.is_empty() {
        return (deep, inside.clone());
    }
    let sparse = inside.minus(&deep.grown(sliver)).without_specks(SMALL);
    (inside.minus(&sparse).grown(half_line).and(inside), sparse)
}

/// Where the part goes on far enough above and below.
fn sparse(inside: &Region, neighbours: Neighbours<'_>, profile: &Profile) -> Region {
    let density = profile.percent(Key::InfillDensity);
    let (tops, bottoms) = (neighbours.tops as usize, neighbours.bottoms as usize);
    if density >= 100 || neighbours.above.len() < tops || neighbours.below.len() < bottoms {
        return Region::default();
    }
    let mut sparse = inside.clone();
    let mut last = neighbours.own;
    for outline in neighbours.above[..tops].iter().chain(&neighbours.below[..bottoms]) {
        if sparse.is_empty() {
            break;
        }
        // Upright walls give the same outline again and again.
        if *outline != last && *outline != neighbours.own {
            sparse = sparse.and(outline);
        }
        last = outline;
    }
    let (narrow, broad) = sparse.parted(NARROW);
    narrow.opened(NARROW / 2).beside(broad).without_specks(SMALL)
}
