//! Supports as trees: crowns under what hangs, branches that lean towards each other, merge, and thicken downwards.
//!
//! Down once from the top, a branch is a point and a radius in each layer. A crown's section narrows by no more than
//! a line can lean, until it is a branch; a branch moves by no more than its angle lets it, towards its nearest
//! neighbour, out of the way of the part, and onto a way to the bed where there is one (`room`). What is left of all
//! sections next to the part is a layer's share of the trees. After M. Vanek et al., Clever Support (2014), and the
//! trees of Cura.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::plan::Site;
use super::room::{Room, Zone, disc, half_breadth, survey};
use super::{FENCE, SPREAD, STOUTEST};
use crate::geometry::{Bounds, IntPoint, Region, distance, inside, point, towards};

/// A branch's radius where its crown ends, in micrometres.
const SLENDER: i32 = 800;

/// How much a branch's radius grows from layer to layer, in micrometres: a slope no line notices.
const WIDEN: i32 = 15;

/// The radius a branch with one crown grows to, in micrometres.
const STOUT: i32 = 1_400;

/// How much each further crown adds to that, in micrometres.
const LOAD: i32 = 40;

/// Side of the squares of which each has a crown, in micrometres.
const CELL: i32 = 4_000;

/// The most crowns a square has at once, where the part stands between its places.
const CROWNS: usize = 4;

/// The widest crown's radius: a square's half diagonal and a rim.
const BROADEST: i32 = 2_830 + RIM;

/// How far a crown reaches beyond what it holds, in micrometres.
const RIM: i32 = 250;

/// Places to be held are looked at in rows this far apart, in micrometres, and at every second such step along them.
const PITCH: i32 = 400;

/// How far a crown may stand beside what it holds, in micrometres.
const ASIDE: f64 = 1_500.0;

/// A branch in one layer.
#[derive(Debug, Clone, Copy)]
struct Branch {
    at: IntPoint<i32>,
    /// Without its crown.
    radius: i32,
    /// The crown's radius; nothing where it has ended.
    crown: i32,
    /// How many crowns it carries.
    load: i32,
}

impl Branch {
    fn breadth(&self) -> i32 {
        self.radius.max(self.crown)
    }

    fn is_bare(&self) -> bool {
        self.crown <= self.radius
    }

    /// Whether what hangs at `p` is held by this branch.
    fn covers(&self, p: IntPoint<i32>, room: &Room) -> bool {
        distance(self.at, p) < f64::from(self.breadth()) && !room.barred.parts(self.at, p, f64::from(PITCH))
    }

    /// The same branch `to` here, in the layer below.
    fn below(self, to: IntPoint<i32>, flare: i32) -> Self {
        let spare = (flare - distance(self.at, to).ceil() as i32).max(0);
        if !self.is_bare() {
            return Self { at: to, crown: self.crown - spare, ..self };
        }
        let most = (STOUT + LOAD * (self.load - 1)).min(STOUTEST).max(self.radius);
        let radius = (self.radius + WIDEN.min(spare)).min(most);
        Self { at: to, radius, crown: 0, ..self }
    }
}

/// Each layer's trees, for what each layer's `contacts` must have under them; `steps` is how far a branch may lean from
/// each layer to the one below.
pub(super) fn grow(site: &Site<'_>, contacts: &[Region], steps: &[i32]) -> Vec<Region> {
    let wants = |layer: usize| wanted(site, contacts, layer);
    let wants: Vec<Vec<IntPoint<i32>>> = (0..contacts.len()).into_par_iter().map(wants).collect();
    let top = wants.iter().rposition(|places| !places.is_empty()).map_or(0, |layer| layer + 1);
    let rooms = survey(site, &steps[..top]);
    let walk = Walk { site, fence: fence(site) };
    let mut sections = vec![Vec::new(); contacts.len()];
    let mut branches = Vec::new();
    for layer in (0..top).rev() {
        sprout(&mut branches, &wants[layer], &rooms[layer]);
        sections[layer].clone_from(&branches);
        if let Some(below) = layer.checked_sub(1) {
            branches = walk.down(branches, [&rooms[layer], &rooms[below]], steps[layer], layer as i32);
        }
    }
    sections.par_iter().enumerate().map(|(layer, branches)| section(site, layer, branches)).collect()
}

/// Points of what hangs and must be held by what ends in this layer.
fn wanted(site: &Site<'_>, contacts: &[Region], layer: usize) -> Vec<IntPoint<i32>> {
    let begun: Vec<&Region> = site.begun(contacts, layer).collect();
    if begun.is_empty() {
        return Vec::new();
    }
    let place = Region::united(&begun).shrunk(SPREAD * 3 / 4).minus(&site.barred(layer));
    let Some(bounds) = place.bounds() else { return Vec::new() };
    let mut points: Vec<IntPoint<i32>> = place.contours().flatten().copied().collect();
    let rows = (bounds.min.y.div_euclid(PITCH)..=bounds.max.y.div_euclid(PITCH)).map(|row| row * PITCH);
    for y in rows {
        for [from, to] in place.spans(2 * i64::from(y) + 1) {
            points.extend((from..to).step_by(2 * PITCH as usize).map(|x| point(x, y)));
        }
    }
    points
}

/// Lets a crown grow in every square that has places nothing holds yet, the fullest squares first.
fn sprout(branches: &mut Vec<Branch>, wants: &[IntPoint<i32>], room: &Room) {
    let mut cells: BTreeMap<[i32; 2], Vec<IntPoint<i32>>> = BTreeMap::new();
    for p in wants {
        if !branches.iter().any(|branch| branch.covers(*p, room)) {
            cells.entry([p.x, p.y].map(|c| c.div_euclid(CELL))).or_default().push(*p);
        }
    }
    let mut cells: Vec<Vec<IntPoint<i32>>> = cells.into_values().collect();
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.len()));
    let old = branches.len();
    for mut cell in cells {
        for _ in 0..CROWNS {
            cell.retain(|p| !branches[old..].iter().any(|branch| branch.covers(*p, room)));
            let Some(at) = seat(&cell, room) else { break };
            let furthest = cell.iter().map(|p| distance(*p, at)).fold(0.0, f64::max);
            let crown = (furthest as i32 + RIM).min(BROADEST);
            branches.push(Branch { at, radius: SLENDER, crown, load: 1 });
        }
    }
}

/// Where a branch may stand that holds these places: as near their middle as there is a way to the bed.
fn seat(places: &[IntPoint<i32>], room: &Room) -> Option<IntPoint<i32>> {
    let count = places.len() as i64;
    let mean = |axis: fn(&IntPoint<i32>) -> i32| {
        (places.iter().map(|p| i64::from(axis(p))).sum::<i64>() / count.max(1)) as i32
    };
    let middle = point(mean(|p| p.x), mean(|p| p.y));
    let mut near = places.to_vec();
    near.sort_by_key(|p| (distance(*p, middle) as i64, p.x, p.y));
    [&room.cut_off, &room.lost].into_iter().find_map(|zone| {
        let free = near.iter().copied().find(|p| !zone.holds(*p));
        free.or_else(|| near.first().and_then(|p| zone.way_out(*p, ASIDE)))
    })
}

/// How far branches may stray from above the part's own bounds.
fn fence(site: &Site<'_>) -> Bounds {
    let bounds = site.sketches.iter().filter_map(Region::bounds).reduce(Bounds::with);
    let Bounds { min, max } = bounds.unwrap_or(Bounds { min: point(0, 0), max: point(0, 0) });
    Bounds { min: point(min.x - FENCE, min.y - FENCE), max: point(max.x + FENCE, max.y + FENCE) }
}

/// How branches go down.
struct Walk<'a> {
    site: &'a Site<'a>,
    fence: Bounds,
}

impl Walk<'_> {
    /// The branches of the layer below: neighbours that have met are one, and those with no way down have ended.
    fn down(&self, branches: Vec<Branch>, rooms: [&Room; 2], step: i32, layers: i32) -> Vec<Branch> {
        let neighbours = neighbours(&branches, f64::from(step) * f64::from(layers));
        let mut gone = vec![false; branches.len()];
        let mut next = Vec::with_capacity(branches.len());
        for (at, branch) in branches.iter().enumerate() {
            if gone[at] {
                continue;
            }
            gone[at] = true;
            let neighbour = neighbours[at].map(|near| (near, &branches[near]));
            let met = neighbour.filter(|(near, _)| !gone[*near]);
            if let Some((near, one)) =
                met.and_then(|(near, other)| Some((near, self.merged(branch, other, rooms, step)?)))
            {
                gone[near] = true;
                next.push(one);
            } else if let Some(to) = self.moved(branch, neighbour.map(|(_, other)| other.at), rooms, step) {
                next.push(branch.below(to, self.site.rules.flare));
            }
        }
        next
    }

    /// Two branches as one in the layer below, where both reach the middle between them.
    fn merged(&self, one: &Branch, other: &Branch, [here, below]: [&Room; 2], step: i32) -> Option<Branch> {
        let near = distance(one.at, other.at) <= 2.0 * f64::from(step);
        let middle = point(i32::midpoint(one.at.x, other.at.x), i32::midpoint(one.at.y, other.at.y));
        let stays = [one, other].iter().any(|branch| !here.cut_off.holds(branch.at));
        let keep_out = if stays { &below.cut_off } else { &below.taken };
        if !near || !one.is_bare() || !other.is_bare() || keep_out.holds(middle) {
            return None;
        }
        let flare = self.site.rules.flare;
        let (one, other) = (one.below(middle, flare), other.below(middle, flare));
        Some(Branch {
            at: middle,
            radius: one.radius.max(other.radius),
            crown: 0,
            load: one.load + other.load,
        })
    }

    /// Where a branch goes in the layer below; nowhere where there is no place for it within a step.
    fn moved(
        &self,
        branch: &Branch,
        goal: Option<IntPoint<i32>>,
        [here, below]: [&Room; 2],
        step: i32,
    ) -> Option<IntPoint<i32>> {
        let keep_out = if here.cut_off.holds(branch.at) { &below.lost } else { &below.cut_off };
        let step = f64::from(step);
        let wish = self.wish(branch, goal, keep_out, step);
        let along = keep_out.way_out(wish, 2.0 * step).filter(|p| distance(branch.at, *p) < step + 1.0);
        let staying = || keep_out.way_out(branch.at, step);
        along.or_else(staying).or_else(|| below.taken.way_out(branch.at, step))
    }

    /// Towards the neighbour, but as far from the part as it must be not to be cut into.
    fn wish(
        &self,
        branch: &Branch,
        goal: Option<IntPoint<i32>>,
        keep_out: &Zone,
        step: f64,
    ) -> IntPoint<i32> {
        if !branch.is_bare() {
            return branch.at;
        }
        let ahead = |goal| towards(branch.at, goal, step.min(distance(branch.at, goal) / 2.0));
        let mut wish = goal.map_or(branch.at, ahead);
        let uncut = f64::from(branch.radius - half_breadth(self.site));
        if let Some((edge, near)) = keep_out.edge(wish, uncut).filter(|(_, near)| *near > 0.0) {
            wish = if keep_out.holds(wish) {
                towards(wish, edge, near + uncut)
            } else {
                towards(edge, wish, uncut)
            };
        }
        let wish = towards(branch.at, wish, step.min(distance(branch.at, wish)));
        if self.fence.holds(wish) { wish } else { branch.at }
    }
}

/// Each branch's nearest neighbour that is nearer than `reach`.
fn neighbours(branches: &[Branch], reach: f64) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..branches.len()).collect();
    order.sort_by_key(|at| (branches[*at].at.x, branches[*at].at.y, *at));
    let mut nearest = vec![None; branches.len()];
    for (rank, at) in order.iter().enumerate() {
        let own = branches[*at].at;
        let mut within = reach;
        let mut look = |other: &usize| {
            let p = branches[*other].at;
            if (f64::from(p.x) - f64::from(own.x)).abs() >= within {
                return false;
            }
            let far = distance(own, p);
            if far < within {
                (nearest[*at], within) = (Some(*other), far);
            }
            true
        };
        let _ = order[rank + 1..].iter().all(&mut look);
        let _ = order[..rank].iter().rev().all(&mut look);
    }
    nearest
}

/// What is left of the branches next to the part, each with its middle.
fn section(site: &Site<'_>, layer: usize, branches: &[Branch]) -> Region {
    let discs: Vec<Vec<IntPoint<i32>>> =
        branches.iter().map(|branch| disc(branch.at, branch.breadth())).collect();
    let whole = Region::wound(&discs);
    let left = site.clear(layer, &whole);
    // Opening mitres corners, and mitres may reach out of what was opened.
    let left = if left == whole { left } else { left.opened(site.rules.thinnest).and(&left) };
    left.without(|piece| {
        let stands = |branch: &Branch| piece.shapes().iter().any(|shape| inside(shape, branch.at));
        !branches.iter().any(stands)
    })
}
