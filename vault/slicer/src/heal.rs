//! Healing: what is wrong with a mesh is mended where that is sure, left to the cut where that bears it, and reported
//! either way.
//!
//! The stage between `mesh` and `place`. Who mends what:
//! - **here**: faces that are there twice; faces that collapsed to a line; corners a rounding apart (`join`); faces
//!   and whole shells that look the wrong way (`facing`); an underside that is missing (`foot`); small holes and
//!   the slits of T-junctions (`holes`);
//! - **`layers`, contour by contour**: holes that are left, closed along the cut; edges of three and more faces;
//! - **`regions`**: shells that overlap or cross themselves, by winding. Those are counted per layer (`overlaps`).
//!
//! It stands before the first layer, so a sound mesh costs one pass over its edges and one over its shells, side by
//! side, and is not copied. An edge that has as many faces on the one side as on the other is sound here, however many
//! they are: their cuts cancel out. Sorting and sums run in the order of the mesh: the outcome is the same on any number of threads.

mod facing;
mod foot;
mod holes;
mod join;
mod overlaps;
mod survey;
mod twins;

use std::borrow::Cow;

use crate::mesh::{Mesh, compact};
use facing::Shells;
use survey::Survey;

pub(crate) use overlaps::overlaps;

/// What was wrong with a mesh, counted by kind; all zero for a sound one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Healing {
    /// Faces that name a corner twice: dropped.
    pub collapsed_faces: u32,
    /// Faces that are there more than once, or twice facing both ways: dropped but for one, or both.
    pub twin_faces: u32,
    /// Corners that lay within a micrometre of another at an open edge: joined.
    pub joined_corners: u32,
    /// Faces that looked the other way than their neighbours: turned.
    pub turned_faces: u32,
    /// Shells that were inside out as a whole: turned.
    pub turned_shells: u32,
    /// Slits where an edge meets another's middle: closed.
    pub t_junctions: u32,
    /// Holes of few edges, and undersides that were missing: filled.
    pub filled_holes: u32,
    /// Edges of holes that are left: closed in each layer, straight along the cut.
    pub open_edges: u32,
    /// Edges of more than two faces: left as they are.
    pub crowded_edges: u32,
    /// Layers (or, of an analysis, sections) in which shells overlap or the surface crosses itself: united.
    pub overlapping_layers: u32,
}

/// A mesh fit to be sliced, and what was done to it.
#[derive(Debug)]
pub struct Healed<'a> {
    /// The mesh; the caller's own where nothing had to be done.
    pub mesh: Cow<'a, Mesh>,
    /// What was found.
    pub report: Healing,
}

impl Healing {
    /// The counts alone, for a record.
    pub fn counts(&self) -> [u32; 10] {
        [
            self.collapsed_faces,
            self.twin_faces,
            self.joined_corners,
            self.turned_faces,
            self.turned_shells,
            self.t_junctions,
            self.filled_holes,
            self.open_edges,
            self.crowded_edges,
            self.overlapping_layers,
        ]
    }

    /// What [`Self::counts`] gave.
    pub fn of_counts(counts: [u32; 10]) -> Self {
        let [collapsed_faces, twin_faces, joined_corners, turned_faces, turned_shells, ..] = counts;
        let [.., t_junctions, filled_holes, open_edges, crowded_edges, overlapping_layers] = counts;
        Self {
            collapsed_faces,
            twin_faces,
            joined_corners,
            turned_faces,
            turned_shells,
            t_junctions,
            filled_holes,
            open_edges,
            crowded_edges,
            overlapping_layers,
        }
    }

    /// The same of two meshes together.
    pub(crate) fn and(self, other: Self) -> Self {
        let (mut counts, others) = (self.counts(), other.counts());
        counts.iter_mut().zip(others).for_each(|(count, other)| *count += other);
        Self::of_counts(counts)
    }

    /// A sentence for each kind that was met.
    pub fn lines(&self) -> Vec<String> {
        let kinds = [
            (self.collapsed_faces, "face", "that had collapsed to a line, dropped"),
            (self.twin_faces, "face", "that stood on another, dropped"),
            (self.joined_corners, "corner", "a rounding away from another, joined"),
            (self.turned_faces, "face", "that looked inwards, turned"),
            (self.turned_shells, "shell", "that was inside out, turned"),
            (self.t_junctions, "slit", "at an edge that ends inside another, closed"),
            (self.filled_holes, "hole", "filled"),
            (self.open_edges, "edge", "of holes left, closed layer by layer: look at the preview"),
            (self.crowded_edges, "edge", "of more than two faces, sliced as it is"),
            (
                self.overlapping_layers,
                "layer",
                "in which bodies overlap or the surface crosses itself, united",
            ),
        ];
        let met = kinds.into_iter().filter(|(count, ..)| *count > 0);
        met.map(|(count, what, done)| format!("{count} {what}{} {done}", if count == 1 { "" } else { "s" }))
            .collect()
    }

    /// Whether there was nothing to say.
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

/// Mends `mesh`, which is copied only if it is borrowed and not sound. Indices must be in range, as
/// [`crate::mesh::parse`] makes sure.
pub fn heal<'a>(mesh: impl Into<Cow<'a, Mesh>>) -> Healed<'a> {
    let mesh = mesh.into();
    let (survey, shells) = rayon::join(|| Survey::of(&mesh), || Shells::of(&mesh));
    let mut report = Healing { crowded_edges: survey.crowded, ..Healing::default() };
    if survey.is_sound() && shells.face_outwards() {
        return Healed { mesh, report };
    }
    drop(shells);
    let mut mended = mesh.into_owned();
    if !survey.is_sound() {
        mend_surface(&mut mended, survey, &mut report);
    }
    report.turned_shells = facing::turn_shells(&mut mended);
    Healed { mesh: Cow::Owned(mended), report }
}

/// [`heal`], for an upload's report: of bodies that overlap it tells sixteen sections in place of layers.
pub fn examine(mesh: &Mesh) -> Healed<'_> {
    let Healed { mesh, report } = heal(mesh);
    let report = Healing { overlapping_layers: overlaps::overlapping_sections(&mesh), ..report };
    Healed { mesh, report }
}

/// Each mend in turn, none without need: what one leaves is what the next one sees.
fn mend_surface(mesh: &mut Mesh, mut survey: Survey, report: &mut Healing) {
    report.collapsed_faces = twins::drop_collapsed(mesh);
    report.twin_faces = twins::drop_twins(mesh, &survey.faulty);
    if survey.open > 0 {
        report.joined_corners = join::join(mesh, &survey.faulty);
    }
    survey = Survey::of(mesh);
    if survey.flipped > 0 {
        report.turned_faces = facing::turn_faces(mesh);
        survey = Survey::of(mesh);
    }
    if survey.open > 0 {
        report.filled_holes = foot::close(mesh, &survey.faulty);
        if report.filled_holes > 0 {
            survey = Survey::of(mesh);
        }
    }
    if survey.open > 0 {
        let (holes, slits) = holes::fill(mesh, &survey.faulty);
        report.filled_holes += holes;
        report.t_junctions = slits;
        survey = Survey::of(mesh);
    }
    report.open_edges = survey.open + survey.flipped;
    report.crowded_edges = survey.crowded;
    // What was dropped may have been all there was of a corner, which must not stretch the box around the part.
    compact(mesh);
}
