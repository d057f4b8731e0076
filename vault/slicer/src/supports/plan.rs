//! Where supports stand in every layer.
//!
//! Up once for the outlines and what hangs over; down once for the towers, each layer's the one in the layer above
//! and what begins here, without what is too near the part (or for trees: see `tree`); up again to take away what would
//! stand on nothing.
//! Outlines are kept for the walls, so that nothing is cut twice; what a layer no longer needs is dropped as
//! layers leave.

use std::ops::Range;

use layerlock_terms::profile::{Profile, Support};
use rayon::prelude::*;

use super::{FOOT, Footing, Gaps, Rules, overhang, tree};
use crate::geometry::Region;
use crate::layers::Schedule;

/// How exact the part's sketch is that towers keep clear of, in micrometres; the clearance makes up for it.
const SKETCH: i32 = 50;

/// Cracks between towers narrower than twice this are filled, in micrometres.
const CRACK: i32 = 500;

/// A tower with a smaller section widens on its way down, in square micrometres.
const STOUT: f64 = 12e6;

/// How much it widens on each side from layer to layer, in micrometres: a slope no line notices.
const WIDEN: i32 = 15;

/// Interface narrower than twice this is no more than an edge, in micrometres.
const EDGE: i32 = 250;

/// A layer's share of the supports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stand {
    /// All of it, up to the gap around the part.
    pub(crate) column: Region,
    /// The dense part of it.
    pub(crate) interface: Region,
}

/// Supports for every layer of a part.
#[derive(Debug)]
pub(crate) struct Plan {
    rules: Rules,
    gaps: Gaps,
    /// The part's outlines, each until its layer is walled.
    outlines: Vec<Region>,
    /// The outlines with fewer points.
    sketches: Vec<Region>,
    /// What each layer must have under it.
    contacts: Vec<Region>,
    columns: Vec<Region>,
}

impl Plan {
    /// Plans supports for layers with these `outlines`; work is shared by the threads of the current pool.
    pub(crate) fn new(outlines: Vec<Region>, schedule: &Schedule, profile: &Profile) -> Self {
        let rules = Rules::of(profile);
        let gaps = Gaps::new(&rules, schedule);
        let sketches: Vec<Region> =
            outlines.par_iter().map(|outline| outline.clone().simplified(SKETCH)).collect();
        let clearings: Vec<Region> =
            sketches.par_iter().map(|sketch| sketch.surrounded(rules.aside + SKETCH)).collect();
        let hanging = |(below, pair): (usize, &[Region])| {
            let lean = rules.lean(schedule.slab(below as u32 + 1));
            overhang::find(&pair[1], &pair[0], lean, &rules)
        };
        let mut contacts = vec![Region::default()];
        contacts.par_extend(outlines.par_windows(2).enumerate().map(hanging));
        let site = Site { rules: &rules, gaps: &gaps, sketches: &sketches, clearings: &clearings };
        let mut columns = if profile.support() == Support::Tree {
            let steps: Vec<i32> =
                (0..schedule.count()).map(|layer| rules.step(schedule.slab(layer))).collect();
            tree::grow(&site, &contacts, &steps)
        } else {
            if rules.footing == Footing::Bed {
                keep_what_reaches_the_bed(&mut contacts, site.clearings);
            }
            site.grow_down(&contacts)
        };
        site.settle(&mut columns);
        Self { rules, gaps, outlines, sketches, contacts, columns }
    }

    /// The outlines of these layers, which are given out once.
    pub(crate) fn take_outlines(&mut self, layers: Range<u32>) -> Vec<Region> {
        layers.map(|layer| std::mem::take(&mut self.outlines[layer as usize])).collect()
    }

    /// What this layer has of the supports.
    pub(crate) fn stand(&self, layer: u32) -> Stand {
        let column = self.columns[layer as usize].clone();
        if column.is_empty() || self.rules.interface == 0 {
            return Stand { column, interface: Region::default() };
        }
        let (layer, Rules { interface, .. }) = (layer as usize, self.rules);
        let (above, below) = (self.gaps.over(layer).end, self.gaps.under(layer).start);
        let over = within(&self.contacts, above..above + interface);
        let under = within(&self.sketches, below.saturating_sub(interface)..below);
        let near: Vec<&Region> = over.iter().chain(under).collect();
        let interface = Region::united(&near).and(&column).opened(EDGE);
        Stand { column, interface }
    }

    /// Drops what no layer from `next` on needs.
    pub(crate) fn drop_below(&mut self, next: u32) {
        let lowest = self.gaps.under((next as usize).min(self.columns.len().saturating_sub(1))).start;
        let behind = lowest.saturating_sub(self.rules.interface);
        self.sketches[..behind].fill(Region::default());
        self.contacts[..next as usize].fill(Region::default());
        self.columns[..next as usize].fill(Region::default());
    }
}

/// The entries of `list` that there are in this range.
fn within(list: &[Region], range: Range<usize>) -> &[Region] {
    &list[range.start.min(list.len())..range.end.min(list.len())]
}

/// Takes from what is held all that has some of the part below it.
fn keep_what_reaches_the_bed(contacts: &mut [Region], clearings: &[Region]) {
    let mut shadow = Region::default();
    for (contact, clearing) in contacts.iter_mut().zip(clearings) {
        *contact = contact.minus(&shadow);
        shadow = Region::united(&[&shadow, clearing]).simplified(SKETCH);
    }
}

/// What supports keep clear of, and how.
pub(super) struct Site<'a> {
    pub(super) rules: &'a Rules,
    gaps: &'a Gaps,
    pub(super) sketches: &'a [Region],
    /// The sketches with the gap around them.
    clearings: &'a [Region],
}

impl Site<'_> {
    /// What of `region` is far enough from the part in this layer, and broad enough to print.
    fn free(&self, layer: usize, region: &Region) -> Region {
        let clear = self.clear(layer, region);
        // What is opened comes to points where it was cut off bluntly.
        clear.opened(self.rules.thinnest).and(&clear)
    }

    /// What of `region` is far enough from the part in this layer.
    pub(super) fn clear(&self, layer: usize, region: &Region) -> Region {
        Region::left(&[region], &self.taken(layer))
    }

    /// Where no support may be in this layer.
    pub(super) fn barred(&self, layer: usize) -> Region {
        Region::united(&self.taken(layer))
    }

    fn taken(&self, layer: usize) -> Vec<&Region> {
        let under = within(self.sketches, self.gaps.under(layer));
        let over = within(self.sketches, self.gaps.over(layer));
        [&self.clearings[layer]].into_iter().chain(under).chain(over).collect()
    }

    /// What must be held by what ends in this layer.
    pub(super) fn begun<'c>(&self, contacts: &'c [Region], layer: usize) -> impl Iterator<Item = &'c Region> {
        within(contacts, self.gaps.held(layer)).iter().filter(|contact| !contact.is_empty())
    }

    /// Each layer's towers, as what must be held asks for them.
    fn grow_down(&self, contacts: &[Region]) -> Vec<Region> {
        let mut columns = vec![Region::default(); contacts.len()];
        let mut above = Region::default();
        for layer in (0..contacts.len()).rev() {
            let parts: Vec<&Region> = [&above].into_iter().chain(self.begun(contacts, layer)).collect();
            if parts.len() > 1 {
                above = Region::united(&parts).grown(CRACK).shrunk(CRACK);
            }
            columns[layer] = self.free(layer, &above);
            above = stouter(columns[layer].clone().simplified(SKETCH));
        }
        columns
    }

    /// Gives the towers feet, and takes from them what nothing carries.
    fn settle(&self, columns: &mut [Region]) {
        let mut below = Region::default();
        for (layer, column) in columns.iter_mut().enumerate() {
            if layer == 0 {
                *column = self.free(0, &column.surrounded(FOOT));
            } else if !column.is_empty() {
                let carried = self.carriers(layer, &below).grown(self.rules.flare).and(column);
                if !column.beyond(&carried).is_empty() {
                    *column = carried.opened(self.rules.thinnest).and(&carried);
                }
            }
            below.clone_from(column);
        }
    }

    /// What towers in this layer may stand on, given what there is of them in the layer below.
    fn carriers(&self, layer: usize, below: &Region) -> Region {
        self.ground(layer).map_or_else(|| below.clone(), |ground| Region::united(&[below, ground]))
    }

    /// The part that supports in this layer may stand on.
    pub(super) fn ground(&self, layer: usize) -> Option<&Region> {
        let ground = self.gaps.under(layer).start.checked_sub(1)?;
        (self.rules.footing == Footing::Anything).then(|| &self.sketches[ground])
    }
}

/// Slender towers a little wider, for the layer below: what is tall must not be thin.
fn stouter(towers: Region) -> Region {
    let slender = towers.clone().without(|tower| tower.area() >= STOUT);
    if slender.is_empty() {
        return towers;
    }
    let stout = towers.without(|tower| tower.area() < STOUT);
    Region::united(&[&stout, &slender.surrounded(WIDEN)])
}
