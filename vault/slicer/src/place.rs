//! Placing the part: turned, scaled, dropped to the bed, centred on it, and refused if it does not fit. What modifies the
//! part is placed by the same frame.

use std::borrow::Cow;

use layerlock_terms::machine::Machine;
use layerlock_terms::profile::{Key, Profile};
use layerlock_terms::units::Micrometres;

use crate::error::SliceError;
use crate::mesh::{Mesh, REACH_MM};
use crate::plate::Plate;
use crate::raft::Raft;
use crate::supports;

/// The part in the machine's coordinates, whole micrometres, its foot at height zero.
#[derive(Debug)]
pub(crate) struct Placed<'a> {
    /// Corners, x y z.
    pub(crate) vertices: Vec<[i32; 3]>,
    /// Three indices into `vertices` each, all in range.
    pub(crate) triangles: Cow<'a, [[u32; 3]]>,
    /// Height of the whole part, with what is added to it.
    pub(crate) height: i32,
}

/// Largest part that can be cut as it is, in millimetres.
const LARGEST_MM: f64 = 2_000.0;

impl<'a> Placed<'a> {
    /// The mesh as it lies, with its lowest corner at the origin; nothing for one larger than any bed.
    pub(crate) fn as_it_is(mesh: &'a Mesh) -> Option<Self> {
        let (mut low, mut high) = ([f64::MAX; 3], [f64::MIN; 3]);
        for corner in &mesh.vertices {
            low = std::array::from_fn(|axis| low[axis].min(f64::from(corner[axis])));
            high = std::array::from_fn(|axis| high[axis].max(f64::from(corner[axis])));
        }
        let size: [f64; 3] = std::array::from_fn(|axis| high[axis] - low[axis]);
        if size.iter().any(|side| *side > LARGEST_MM) {
            return None;
        }
        let at = |corner: &[f32; 3]| {
            [0, 1, 2].map(|axis| ((f64::from(corner[axis]) - low[axis]) * 1e3).round() as i32)
        };
        let vertices = mesh.vertices.iter().map(at).collect();
        Some(Self {
            vertices,
            triangles: Cow::Borrowed(&mesh.triangles),
            height: (size[2] * 1e3).round() as i32,
        })
    }
}

/// How the design is turned before it is laid down: three rows.
pub(crate) struct Turn([[f64; 3]; 3]);

impl Turn {
    /// First about x, then y, then z; counter-clockwise seen from each axis's tip.
    pub(crate) fn of(profile: &Profile) -> Self {
        let still = Self([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        [Key::RotateX, Key::RotateY, Key::RotateZ]
            .into_iter()
            .enumerate()
            .fold(still, |turn, (axis, key)| turn.about(axis, profile.turn(key)))
    }

    fn about(mut self, axis: usize, degrees: i32) -> Self {
        let (sin, cos) = sin_cos(degrees);
        let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
        let (from_u, from_v) = (self.0[u], self.0[v]);
        self.0[u] = [0, 1, 2].map(|at| cos * from_u[at] - sin * from_v[at]);
        self.0[v] = [0, 1, 2].map(|at| sin * from_u[at] + cos * from_v[at]);
        self
    }

    /// The mesh turned; the same one where it stays as it is.
    pub(crate) fn apply<'a>(&self, mesh: Cow<'a, Mesh>) -> Cow<'a, Mesh> {
        if self.0 == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] {
            return mesh;
        }
        let mut mesh = mesh.into_owned();
        for corner in &mut mesh.vertices {
            let at = corner.map(f64::from);
            *corner = self.0.map(|row| (row[0] * at[0] + row[1] * at[1] + row[2] * at[2]) as f32);
        }
        Cow::Owned(mesh)
    }
}

/// Exact for quarter turns, so that a part turned by one is the same part.
fn sin_cos(degrees: i32) -> (f64, f64) {
    match degrees.rem_euclid(360) {
        0 => (0.0, 1.0),
        90 => (1.0, 0.0),
        180 => (0.0, -1.0),
        270 => (-1.0, 0.0),
        other => f64::from(other).to_radians().sin_cos(),
    }
}

/// The room bodies take in the design's axes, scaled, in micrometres.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    scale: f64,
    low: [f64; 3],
    high: [f64; 3],
}

impl Extent {
    pub(crate) fn new(profile: &Profile) -> Self {
        let scale = f64::from(profile.percent(Key::Scale)) * 10.0;
        Self { scale, low: [f64::MAX; 3], high: [f64::MIN; 3] }
    }

    pub(crate) fn cover_mesh(&mut self, mesh: &Mesh) {
        for corner in &mesh.vertices {
            self.cover(corner.map(|mm| f64::from(mm) * self.scale));
        }
    }

    pub(crate) fn cover(&mut self, corner: [f64; 3]) {
        self.low = std::array::from_fn(|axis| self.low[axis].min(corner[axis]));
        self.high = std::array::from_fn(|axis| self.high[axis].max(corner[axis]));
    }
}

/// Where the design's axes lie on the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// Micrometres for one of the design's millimetres.
    scale: f64,
    shift: [f64; 3],
    height: i32,
}

impl Frame {
    /// The frame that puts this room in the middle of the profile's machine, if there is as much.
    pub(crate) fn new(extent: &Extent, profile: &Profile) -> Result<Self, SliceError> {
        let Extent { scale, low, high } = *extent;
        fit(std::array::from_fn(|axis| high[axis] - low[axis]), profile)?;
        let bed = profile.machine().volume;
        let centre = |axis: usize| f64::from(bed[axis].0) / 2.0 - (low[axis] + high[axis]) / 2.0;
        let height = (high[2] - low[2]).round() as i32;
        Ok(Self { scale, shift: [centre(0), centre(1), -low[2]], height })
    }

    /// Places on the bed for the profile's parts, each as large as this room.
    pub(crate) fn plate(extent: &Extent, profile: &Profile) -> Result<Plate, SliceError> {
        let [width, depth, height] =
            [0, 1, 2].map(|axis| (extent.high[axis] - extent.low[axis]).round() as i32);
        let around = 2 * around(profile);
        Plate::new([width + around, depth + around], height + Raft::of(profile).lift(), profile)
    }

    /// How far the design's scaled axes are moved, in micrometres.
    pub(crate) fn shift(&self) -> [f64; 3] {
        self.shift
    }

    /// The mesh on the machine. Of one's own mesh the room is kept: its corners turn into those of the part in place.
    pub(crate) fn place<'a>(&self, mesh: impl Into<Cow<'a, Mesh>>) -> Placed<'a> {
        let place = |corner: [f32; 3]| {
            let scaled = corner.map(|mm| f64::from(mm) * self.scale);
            std::array::from_fn(|axis| (scaled[axis] + self.shift[axis]).round() as i32)
        };
        let (vertices, triangles) = match mesh.into() {
            Cow::Borrowed(mesh) => {
                (mesh.vertices.iter().copied().map(place).collect(), Cow::Borrowed(&*mesh.triangles))
            }
            Cow::Owned(mesh) => (mesh.vertices.into_iter().map(place).collect(), Cow::Owned(mesh.triangles)),
        };
        Placed { vertices, triangles, height: self.height }
    }
}

/// Refuses what no parser of ours lets through, so that a mesh from elsewhere can't make us panic.
pub(crate) fn check(mesh: &Mesh) -> Result<(), SliceError> {
    if mesh.triangles.is_empty() {
        return Err(SliceError::Empty);
    }
    let wild = |corner: &[f32; 3]| !corner.iter().all(|mm| mm.abs() <= REACH_MM);
    if let Some(vertex) = mesh.vertices.iter().position(wild) {
        return Err(SliceError::Unbounded { vertex });
    }
    let vertices = mesh.vertices.len();
    for (triangle, corners) in mesh.triangles.iter().enumerate() {
        if let Some(vertex) = corners.iter().copied().find(|index| *index as usize >= vertices) {
            return Err(SliceError::MissingVertex { triangle, vertex, vertices });
        }
    }
    Ok(())
}

/// Refuses a part that, with what is printed around it, leaves the machine's volume.
fn fit(size: [f64; 3], profile: &Profile) -> Result<(), SliceError> {
    let machine: &Machine = profile.machine();
    let around = around(profile);
    let lift = f64::from(Raft::of(profile).lift());
    let part = [size[0], size[1], size[2] + lift].map(|um| Micrometres(um.ceil() as i32));
    let whole = [part[0].0 + 2 * around, part[1].0 + 2 * around, part[2].0];
    if whole.iter().zip(&machine.volume).all(|(whole, room)| *whole <= room.0) {
        Ok(())
    } else {
        let around = Micrometres(around);
        Err(SliceError::TooLarge { part, around, volume: machine.volume, machine: machine.name })
    }
}

/// How far compensation, supports, raft, skirt and brim reach from the part, in micrometres.
fn around(profile: &Profile) -> i32 {
    let line = profile.length(Key::FirstLayerLineWidth).0;
    let loops = profile.count(Key::SkirtLoops) as i32;
    let skirt = if loops > 0 { profile.length(Key::SkirtDistance).0 + loops * line } else { 0 };
    let wider = profile.length(Key::XyCompensation).0.max(0);
    wider + supports::reach(profile) + Raft::of(profile).reach() + profile.length(Key::BrimWidth).0 + skirt
}
