//! A layer's outline as modifiers leave it.

use layerlock_terms::profile::Profile;

use super::{Modifier, Relief, TextStyle};
use crate::error::SliceError;
use crate::geometry::Region;
use crate::layers::{Schedule, Sweep, contours};
use crate::mesh::Mesh;
use crate::place::{Extent, Frame, Placed};
use crate::regions::{Tangled, unite};

/// How a mesh and the part are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Add,
    Subtract,
    Intersect,
}

/// Modifiers: meshes to be placed, letters laid on the design.
pub(crate) struct Requested<'a> {
    meshes: Vec<(Rule, &'a Mesh)>,
    reliefs: Vec<Relief>,
}

/// Modifiers where the part is.
#[derive(Debug, Default)]
pub(crate) struct Shaper<'a> {
    meshes: Vec<(Rule, Placed<'a>)>,
    reliefs: Vec<Relief>,
}

/// The triangles a layer meets: the part's, then each modifying mesh's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    pub(crate) part: Vec<u32>,
    others: Vec<Vec<u32>>,
}

/// Upward sweeps through the part and every modifying mesh together.
pub(crate) struct Sweeps<'a> {
    part: Sweep<'a>,
    others: Vec<Sweep<'a>>,
}

impl<'a> Requested<'a> {
    /// Finds faces for texts. Meshes must be sound.
    pub(crate) fn new(
        design: &Mesh,
        modifiers: &[Modifier<'a>],
        profile: &Profile,
    ) -> Result<Self, SliceError> {
        let mut meshes = Vec::new();
        let mut bodies: Vec<&Mesh> = vec![design];
        for modifier in modifiers {
            let (rule, mesh) = match modifier {
                Modifier::Add(mesh) => (Rule::Add, *mesh),
                Modifier::Subtract(mesh) => (Rule::Subtract, *mesh),
                Modifier::Intersect(mesh) => (Rule::Intersect, *mesh),
                Modifier::Text(_) => continue,
            };
            meshes.push((rule, mesh));
            bodies.extend((rule == Rule::Add).then_some(mesh));
        }
        let relief = |modifier: &Modifier<'a>| match modifier {
            Modifier::Text(text) => Some(Relief::new(text, &bodies, profile)),
            _ => None,
        };
        let reliefs = modifiers.iter().filter_map(relief).collect::<Result<_, _>>()?;
        Ok(Self { meshes, reliefs })
    }

    /// What they add to the room the design takes.
    pub(crate) fn widen(&self, extent: &mut Extent) {
        for (_, mesh) in self.meshes.iter().filter(|(rule, _)| *rule == Rule::Add) {
            extent.cover_mesh(mesh);
        }
        self.reliefs.iter().flat_map(Relief::corners).for_each(|corner| extent.cover(corner));
    }

    pub(crate) fn placed(self, frame: &Frame) -> Shaper<'a> {
        Shaper {
            meshes: self.meshes.into_iter().map(|(rule, mesh)| (rule, frame.place(mesh))).collect(),
            reliefs: self.reliefs.into_iter().map(|relief| relief.placed(frame)).collect(),
        }
    }
}

impl Shaper<'_> {
    /// Sweeps through `part` and the modifying meshes.
    pub(crate) fn sweeps<'s>(&'s self, part: &'s Placed<'s>, schedule: &Schedule) -> Sweeps<'s> {
        let sweep = |(_, mesh): &'s (Rule, Placed<'_>)| Sweep::new(mesh, schedule);
        Sweeps { part: Sweep::new(part, schedule), others: self.meshes.iter().map(sweep).collect() }
    }

    /// Every body whose surface may become the part's.
    pub(crate) fn bodies<'s>(&'s self, part: &'s Placed<'s>) -> Vec<&'s Placed<'s>> {
        [part].into_iter().chain(self.meshes.iter().map(|(_, mesh)| mesh)).collect()
    }

    /// All triangles there are, for a cut at any height.
    pub(crate) fn all(&self, part: &Placed<'_>) -> Lists {
        let all = |part: &Placed<'_>| (0..part.triangles.len() as u32).collect();
        Lists { part: all(part), others: self.meshes.iter().map(|(_, mesh)| all(mesh)).collect() }
    }

    /// The design's `outline`, cut at half of height `plane`, with everything done to it that modifiers ask for.
    pub(crate) fn shape(&self, mut outline: Region, plane: i64, lists: &Lists) -> Result<Region, Tangled> {
        for ((rule, mesh), list) in self.meshes.iter().zip(&lists.others) {
            let other = unite(&contours(mesh, plane, list.iter().copied()))?;
            outline = match rule {
                Rule::Add => Region::united(&[&outline, &other]),
                Rule::Subtract => outline.minus(&other),
                Rule::Intersect => outline.and(&other),
            };
        }
        for relief in &self.reliefs {
            let letters = relief.section(plane);
            outline = match relief.style {
                TextStyle::Raised => Region::united(&[&outline, &letters]),
                TextStyle::Engraved => outline.minus(&letters),
            };
        }
        Ok(outline)
    }
}

impl Sweeps<'_> {
    /// The triangles that layers `from..to` meet. Batches must be asked for upwards.
    pub(crate) fn batch(&mut self, from: u32, to: u32) -> Vec<Lists> {
        let others: Vec<Vec<Vec<u32>>> = self.others.iter_mut().map(|sweep| sweep.batch(from, to)).collect();
        let mut lists: Vec<Lists> =
            self.part.batch(from, to).into_iter().map(|part| Lists { part, others: Vec::new() }).collect();
        for other in others {
            lists.iter_mut().zip(other).for_each(|(lists, list)| lists.others.push(list));
        }
        lists
    }
}
