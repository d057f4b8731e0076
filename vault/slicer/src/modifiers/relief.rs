//! A line of letters on a face as a body: which part of a layer it takes.

use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::units::Micrometres;

use super::probe::Probe;
use super::text::letters;
use super::{Face, Text, TextError, TextStyle};
use crate::geometry::{IntPoint, Region, point};
use crate::mesh::Mesh;
use crate::place::Frame;

/// The face is looked at where letters are, every so many micrometres of their edges.
const PROBED: f64 = 500.0;

/// Raised letters reach this much deeper than the face falls away, in micrometres.
const SUNK: f64 = 50.0;

/// Engraved letters cut away everything out to here, in micrometres: nothing of the part lies before its face.
const BEFORE: f64 = 10_000.0;

/// Letters between two depths below the eye, in micrometres as seen on their face.
#[derive(Debug, Clone)]
pub(crate) struct Relief {
    letters: Region,
    face: Face,
    pub(super) style: TextStyle,
    /// From the innermost to the outermost place.
    depth: [f64; 2],
}

impl Relief {
    /// Finds the face of `bodies` and lays the letters on it; in micrometres of the design's own axes, scaled.
    pub(crate) fn new(text: &Text, bodies: &[&Mesh], profile: &Profile) -> Result<Self, TextError> {
        let scale = f64::from(profile.percent(Key::Scale)) / 100.0;
        let line = profile.length(Key::OuterLineWidth).0;
        let depth = f64::from(text.depth.0) * scale;
        refuse_shallow(text, depth, profile)?;
        let at = text.at.map(|um| f64::from(um.0) * scale);
        // On the top a place is given by x and y, on a side by the axis along it and the height.
        let seen = match text.face {
            Face::Top | Face::Front | Face::Right => at,
            Face::Back | Face::Left => [-at[0], at[1]],
        };
        let letters =
            letters(text, scale, line)?.moved(point(seen[0].round() as i32, seen[1].round() as i32));
        let (inner, outer) = surface(text, seen, &letters, bodies, scale * 1_000.0)?;
        let fall = outer - inner;
        if fall > depth / 2.0 {
            let fall = Micrometres((fall / scale).round() as i32);
            return Err(TextError::Uneven { face: text.face, fall, depth: text.depth });
        }
        let depth = match text.style {
            TextStyle::Raised => [inner - SUNK, outer + depth],
            TextStyle::Engraved => [outer - depth, outer + BEFORE],
        };
        Ok(Self { letters, face: text.face, style: text.style, depth })
    }

    /// The corners of a box around raised letters, in the design's axes.
    pub(crate) fn corners(&self) -> Vec<[f64; 3]> {
        let Some(bounds) = self.letters.bounds().filter(|_| self.style == TextStyle::Raised) else {
            return Vec::new();
        };
        let (low, high) = (bounds.min, bounds.max);
        let corner = |p: IntPoint<i32>, out: f64| self.face.unseen([f64::from(p.x), f64::from(p.y), out]);
        vec![corner(low, self.depth[0]), corner(high, self.depth[1])]
    }

    /// The same letters where the frame has the design.
    pub(crate) fn placed(mut self, frame: &Frame) -> Self {
        let [right, up, out] = self.face.seen(frame.shift());
        self.letters = self.letters.moved(point(right.round() as i32, up.round() as i32));
        self.depth = self.depth.map(|depth| depth + out);
        self
    }

    /// What the letters take of a layer cut at half of height `plane`.
    pub(crate) fn section(&self, plane: i64) -> Region {
        let height = plane as f64 / 2.0;
        let [inner, outer] = self.depth;
        match self.face {
            Face::Top if (inner..outer).contains(&height) => self.letters.clone(),
            Face::Top => Region::default(),
            _ => self.bars(plane),
        }
    }

    /// On a side, each stretch of letter at this height is a bar as long as the letters are deep.
    fn bars(&self, plane: i64) -> Region {
        let spans = self.letters.spans(plane);
        let bar = |[from, to]: [i32; 2]| -> Vec<IntPoint<i32>> {
            let [inner, outer] = self.depth;
            let corners = [(from, inner), (to, inner), (to, outer), (from, outer)];
            let at = corners.map(|(right, out)| self.face.unseen([f64::from(right), 0.0, out]));
            at.map(|at| point(at[0].round() as i32, at[1].round() as i32)).to_vec()
        };
        Region::wound(&spans.into_iter().map(bar).collect::<Vec<_>>())
    }
}

/// On the top, text less than a layer deep may have no layer at all.
fn refuse_shallow(text: &Text, depth: f64, profile: &Profile) -> Result<(), TextError> {
    let key = if profile.on(Key::AdaptiveLayers) { Key::AdaptiveMost } else { Key::LayerHeight };
    let layer = profile.length(key);
    if text.face == Face::Top && depth < f64::from(layer.0) && text.depth.0 > 0 {
        return Err(TextError::TooShallow { depth: text.depth, layer });
    }
    Ok(())
}

/// The innermost and outermost place of the face under the letters.
fn surface(
    text: &Text,
    middle: [f64; 2],
    letters: &Region,
    bodies: &[&Mesh],
    scale: f64,
) -> Result<(f64, f64), TextError> {
    let look = |places: Vec<[f64; 2]>| {
        let mut probe = Probe::new(places);
        bodies.iter().for_each(|body| probe.look(body, text.face, scale));
        probe.found()
    };
    if look(vec![middle]) == [None] {
        return Err(TextError::Misses { at: text.at, face: text.face });
    }
    let found: Option<Vec<f64>> = look(places(letters)).into_iter().collect();
    let found = found.ok_or_else(|| hanging_over(text, letters, scale))?;
    let inner = found.iter().copied().fold(f64::MAX, f64::min);
    Ok((inner, found.iter().copied().fold(f64::MIN, f64::max)))
}

fn hanging_over(text: &Text, letters: &Region, scale: f64) -> TextError {
    let Some(bounds) = letters.bounds() else { return TextError::Empty };
    let design = |um: i32| Micrometres((f64::from(um) * 1_000.0 / scale).round() as i32);
    let extent = [design(bounds.max.x - bounds.min.x), design(bounds.max.y - bounds.min.y)];
    TextError::HangsOver { extent, face: text.face }
}

/// Places on the letters' edges.
fn places(letters: &Region) -> Vec<[f64; 2]> {
    let mut places = Vec::new();
    for contour in letters.contours() {
        for (at, from) in contour.iter().enumerate() {
            let to = contour[(at + 1) % contour.len()];
            let pieces = (crate::geometry::distance(*from, to) / PROBED).ceil().max(1.0) as u32;
            let part = |a: i32, b: i32, piece: u32| {
                f64::from(a) + (f64::from(b) - f64::from(a)) * f64::from(piece) / f64::from(pieces)
            };
            places.extend((0..pieces).map(|piece| [part(from.x, to.x, piece), part(from.y, to.y, piece)]));
        }
    }
    places
}
