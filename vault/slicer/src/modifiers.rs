//! Modifiers: what changes the part in slice space, after it is cut and before it has walls.
//!
//! A mesh that is added, subtracted or intersected is cut at the same heights as the design, and the outlines are
//! combined layer by layer: the region engine is exact where booleans of meshes are not, and a broken modifier is
//! healed like any part. Text is a set of glyph outlines pushed into or out of a face ([`Text`]). Modifiers stand in
//! the design's own coordinates and are placed with it. Deliberately absent: changing the mesh, files, and any say
//! over what a license allows.

mod font;
mod probe;
mod relief;
mod shaper;
mod text;

use std::borrow::Cow;

use layerlock_terms::units::Micrometres;

use crate::error::SliceError;
use crate::mesh::Mesh;
use crate::place::{Turn, check};

pub use text::TextError;

pub(crate) use relief::Relief;
pub(crate) use shaper::{Lists, Requested, Shaper, Sweeps};

/// One change of the part. Meshes come first, in order; text is laid on what the design and the added meshes make.
#[derive(Debug, Clone)]
pub enum Modifier<'a> {
    /// The part is what either is.
    Add(&'a Mesh),
    /// The part is what the mesh is not.
    Subtract(&'a Mesh),
    /// The part is what both are.
    Intersect(&'a Mesh),
    /// Letters on a face.
    Text(Text),
}

impl Modifier<'_> {
    /// The meshes of `modifiers` turned as the design is; an empty one for letters, which are laid on what is turned.
    ///
    /// # Errors
    /// [`SliceError::Modifier`] names the one that no parser of ours lets through.
    pub(crate) fn turned<'m>(
        modifiers: &[Modifier<'m>],
        turn: &Turn,
    ) -> Result<Vec<Cow<'m, Mesh>>, SliceError> {
        let turned = |(at, modifier): (usize, &Modifier<'m>)| match modifier {
            Modifier::Add(mesh) | Modifier::Subtract(mesh) | Modifier::Intersect(mesh) => {
                check(mesh)
                    .map_err(|error| SliceError::Modifier { number: at + 1, error: Box::new(error) })?;
                Ok(turn.apply(Cow::Borrowed(mesh)))
            }
            Modifier::Text(_) => Ok(Cow::Owned(Mesh::default())),
        };
        modifiers.iter().enumerate().map(turned).collect()
    }

    /// The same with another mesh.
    pub(crate) fn with<'m>(&self, mesh: &'m Mesh) -> Modifier<'m> {
        match self {
            Self::Add(_) => Modifier::Add(mesh),
            Self::Subtract(_) => Modifier::Subtract(mesh),
            Self::Intersect(_) => Modifier::Intersect(mesh),
            Self::Text(text) => Modifier::Text(text.clone()),
        }
    }
}

/// Letters on one of the part's faces, all lengths in the design's own millimetres, before it is scaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// One line of letters.
    pub words: String,
    /// Which way the face looks.
    pub face: Face,
    /// The middle of the text: x and y on the top; x and z on front and back; y and z on left and right. The text
    /// lies on the outermost surface there.
    pub at: [Micrometres; 2],
    /// Height of a capital letter.
    pub size: Micrometres,
    /// How far the letters stand out or are cut in.
    pub depth: Micrometres,
    /// Whether they stand out or are cut in.
    pub style: TextStyle,
}

/// Which way a face looks, as one stands before the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// Up.
    Top,
    /// Towards the person: y is least.
    Front,
    /// Away from the person.
    Back,
    /// x is least.
    Left,
    /// x is greatest.
    Right,
}

impl Face {
    /// Every face there is, with the name typed for it.
    pub const NAMED: [(&'static str, Self); 5] = [
        ("top", Self::Top),
        ("front", Self::Front),
        ("back", Self::Back),
        ("left", Self::Left),
        ("right", Self::Right),
    ];

    /// The name typed for it.
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, face)| *face == self).map_or("top", |(name, _)| name)
    }

    /// A place in the machine's axes as seen on the face: to the right, up, and towards the one who looks.
    fn seen(self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        match self {
            Self::Top => [x, y, z],
            Self::Front => [x, z, -y],
            Self::Back => [-x, z, y],
            Self::Left => [-y, z, -x],
            Self::Right => [y, z, x],
        }
    }

    /// The other way round.
    fn unseen(self, [right, up, out]: [f64; 3]) -> [f64; 3] {
        match self {
            Self::Top => [right, up, out],
            Self::Front => [right, -out, up],
            Self::Back => [-right, out, up],
            Self::Left => [-out, -right, up],
            Self::Right => [out, right, up],
        }
    }
}

/// Whether letters stand out of a face or are cut into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextStyle {
    /// They stand out.
    Raised,
    /// They are cut in.
    Engraved,
}
