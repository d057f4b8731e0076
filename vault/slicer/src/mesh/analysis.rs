//! What a mesh is like: size, volume, holes and other defects, for the seller's report and the slicer's choices.
//!
//! Serves hop 1 (upload). Sort-based and linear otherwise, with sums taken in triangle order, so the same mesh
//! gives the same figures on any number of threads. Outward figures are integers: micrometres for lengths, square
//! micrometres for areas, nanolitres (10⁻³ mm³) for volumes; a 10 m cube still fits.
//! Deliberately absent: mending (`heal` does, and says what) and judging what is hard to print (`printability` does).

use layerlock_terms::toolpath::Point3;
use rayon::slice::ParallelSliceMut;

use super::Mesh;
use crate::descriptor::Descriptor;
use crate::heal::{self, Healed, Healing};
use crate::printability::Printability;

/// Figures about a mesh. Lengths in micrometres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Analysis {
    /// Triangles, all of them.
    pub triangles: u32,
    /// Distinct vertices.
    pub vertices: u32,
    /// Lowest corner.
    pub min: Point3,
    /// Highest corner.
    pub max: Point3,
    /// Enclosed volume in nanolitres (10⁻³ mm³): negative when most triangles face inwards, meaningless where
    /// edges are open.
    pub volume_nl: i64,
    /// Surface in square micrometres; saturates.
    pub area_um2: u64,
    /// Bodies: groups of triangles connected through edges.
    pub shells: u32,
    /// Edges of one triangle only: holes.
    pub open_edges: u32,
    /// Edges shared by more than two triangles.
    pub non_manifold_edges: u32,
    /// Edges whose two triangles face opposite ways.
    pub flipped_edges: u32,
    /// Triangles without area.
    pub degenerate_faces: u32,
    /// Triangles that repeat another one's corners, in any order.
    pub duplicate_faces: u32,
    /// What slicing makes of the defects.
    pub healing: Healing,
    /// What of it is hard to print.
    pub printability: Printability,
    /// What it looks like, for finding designs that look alike.
    pub descriptor: Descriptor,
}

impl Analysis {
    /// Extent in x, y and z.
    pub fn size(&self) -> Point3 {
        Point3 { x: self.max.x - self.min.x, y: self.max.y - self.min.y, z: self.max.z - self.min.z }
    }

    /// Whether the surface closes: every edge belongs to exactly two triangles that agree which side is out.
    pub fn is_watertight(&self) -> bool {
        self.open_edges == 0 && self.non_manifold_edges == 0 && self.flipped_edges == 0
    }
}

/// Measures `mesh`. Indices must be in range, as [`super::parse`] makes sure.
pub fn analyse(mesh: &Mesh) -> Analysis {
    let extent = Extent::of(mesh);
    let measure = Measure::of(mesh, extent.centre());
    let edges = || (EdgeCount::of(mesh), duplicate_faces(mesh));
    let ((edges, duplicate_faces), (healing, printability, descriptor)) = rayon::join(edges, || mended(mesh));
    Analysis {
        triangles: mesh.triangles.len() as u32,
        vertices: mesh.vertices.len() as u32,
        min: to_point(extent.min),
        max: to_point(extent.max),
        volume_nl: (measure.signed * 1e3).round() as i64,
        area_um2: (measure.area * 1e6).round() as u64,
        shells: edges.shells,
        open_edges: edges.open,
        non_manifold_edges: edges.crowded,
        flipped_edges: edges.flipped,
        degenerate_faces: measure.degenerate,
        duplicate_faces,
        healing,
        printability,
        descriptor,
    }
}

/// What is to be said of the mesh as it will be sliced.
fn mended(mesh: &Mesh) -> (Healing, Printability, Descriptor) {
    let Healed { mesh, report } = heal::examine(mesh);
    let (printability, descriptor) = rayon::join(|| Printability::of(&mesh), || Descriptor::of(&mesh));
    (report, printability, descriptor)
}

/// The box around a mesh, in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    pub(crate) min: [f32; 3],
    pub(crate) max: [f32; 3],
}

impl Extent {
    /// The box around all vertices; a point at the origin where there are none.
    pub(crate) fn of(mesh: &Mesh) -> Self {
        let mut vertices = mesh.vertices.iter();
        let first = vertices.next().copied().unwrap_or_default();
        vertices.fold(Self { min: first, max: first }, |extent, v| Self {
            min: [0, 1, 2].map(|i| extent.min[i].min(v[i])),
            max: [0, 1, 2].map(|i| extent.max[i].max(v[i])),
        })
    }

    /// Width, depth and height in millimetres.
    pub(crate) fn size_mm(&self) -> [f64; 3] {
        [0, 1, 2].map(|i| f64::from(self.max[i]) - f64::from(self.min[i]))
    }

    fn centre(&self) -> [f64; 3] {
        [0, 1, 2].map(|i| (f64::from(self.max[i]) + f64::from(self.min[i])) / 2.0)
    }
}

fn to_point(mm: [f32; 3]) -> Point3 {
    let [x, y, z] = mm.map(|c| (f64::from(c) * 1000.0).round() as i32);
    Point3 { x, y, z }
}

/// Whether there is a body at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bulk {
    /// No triangle has an area.
    NoArea,
    /// All triangles lie in one plane, nearly so, or cancel each other out.
    NoVolume,
    /// Something that could enclose a volume.
    Solid,
}

/// Least volume that counts as a body, in mm³: a cube of a tenth of a millimetre.
const LEAST_VOLUME_MM3: f64 = 1e-3;

/// Least width, depth and height of a body, in mm: what is thinner is thinner than any layer or line.
const LEAST_SIDE_MM: f64 = 0.05;

/// Share of the unsigned volume that the signed sum may be off by: a sum of ten million rounded terms.
const ROUNDING: f64 = 1e-9;

/// Tells a body from a sheet without trusting the triangles' facing: the tetrahedra over all triangles from
/// one point of the mesh have no volume only if everything lies in a plane through that point.
///
/// A signed sum of nothing may be a body with half of its triangles turned round, or one whose every triangle is
/// there twice, facing both ways, so that nothing is inside: only then are such pairs looked for and taken out.
pub(super) fn bulk(mesh: &Mesh) -> Bulk {
    let apex = mesh.vertices.first().map_or([0.0; 3], |v| v.map(f64::from));
    let measure = Measure::of(mesh, apex);
    if measure.degenerate as usize == mesh.triangles.len() {
        return Bulk::NoArea;
    }
    let is_thin = Extent::of(mesh).size_mm().into_iter().any(|side| side < LEAST_SIDE_MM);
    let cancels = measure.signed.abs() < LEAST_VOLUME_MM3 + ROUNDING * measure.unsigned;
    let enclosed = if cancels { unpaired_volume(mesh, apex) } else { measure.unsigned };
    if is_thin || enclosed < LEAST_VOLUME_MM3 { Bulk::NoVolume } else { Bulk::Solid }
}

/// The unsigned volume, in mm³, over the triangles that no other triangle of the same corners faces away from.
fn unpaired_volume(mesh: &Mesh, apex: [f64; 3]) -> f64 {
    let mut faces: Vec<Facing> = mesh.triangles.iter().map(|&triangle| Facing::of(triangle)).collect();
    faces.par_sort_unstable();
    let volume = |same: &[Facing]| {
        let even = same.iter().filter(|face| face.is_even).count();
        let left = even.abs_diff(same.len() - even) as f64;
        left * tetrahedron(mesh.corners(same[0].corners), apex).0.abs()
    };
    faces.chunk_by(|a, b| a.corners == b.corners).map(volume).sum()
}

/// A triangle by its corners in rising order, and whether putting them so was an even permutation: two of the same
/// corners that differ in this face opposite ways.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Facing {
    corners: [u32; 3],
    is_even: bool,
}

impl Facing {
    fn of(triangle: [u32; 3]) -> Self {
        let [a, b, c] = triangle;
        let mut corners = triangle;
        corners.sort_unstable();
        Self {
            corners,
            is_even: [a > b, a > c, b > c].into_iter().filter(|&swapped| swapped).count() % 2 == 0,
        }
    }
}

/// Sums over triangles, in mm² and mm³.
struct Measure {
    signed: f64,
    unsigned: f64,
    area: f64,
    degenerate: u32,
}

impl Measure {
    /// `origin` is the apex of the tetrahedra; any point gives the same signed volume of a closed mesh, one nearby
    /// loses fewer digits.
    fn of(mesh: &Mesh, origin: [f64; 3]) -> Self {
        let mut sum = Self { signed: 0.0, unsigned: 0.0, area: 0.0, degenerate: 0 };
        for &triangle in &mesh.triangles {
            let (volume, doubled) = tetrahedron(mesh.corners(triangle), origin);
            sum.area += doubled / 2.0;
            sum.signed += volume;
            sum.unsigned += volume.abs();
            sum.degenerate += u32::from(doubled == 0.0);
        }
        sum
    }
}

/// The signed volume between a triangle and `apex`, and twice the triangle's area.
pub(crate) fn tetrahedron(corners: [[f32; 3]; 3], apex: [f64; 3]) -> (f64, f64) {
    let [a, b, c] = corners.map(|v| [0, 1, 2].map(|i| f64::from(v[i]) - apex[i]));
    let cross = cross(minus(b, a), minus(c, a));
    (dot(a, cross) / 6.0, dot(cross, cross).sqrt())
}

pub(crate) fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// One side of a triangle: its edge as (lower, higher) vertex packed into one key, and whose it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Side {
    pub(crate) edge: u64,
    pub(crate) triangle: u32,
    /// Runs from the lower vertex to the higher one.
    pub(crate) ascending: bool,
}

#[derive(Default)]
struct EdgeCount {
    open: u32,
    crowded: u32,
    flipped: u32,
    shells: u32,
}

impl EdgeCount {
    fn of(mesh: &Mesh) -> Self {
        let mut sides = sides(mesh);
        sides.par_sort_unstable();
        let mut count = Self::default();
        let mut groups = Groups::new(mesh.triangles.len());
        for sharing in sides.chunk_by(|a, b| a.edge == b.edge) {
            count.add(sharing);
            for pair in sharing.windows(2) {
                groups.join(pair[0].triangle, pair[1].triangle);
            }
        }
        let collapsed = mesh.triangles.iter().filter(|t| is_collapsed(t)).count() as u32;
        count.shells = groups.count() - collapsed;
        count
    }

    fn add(&mut self, sharing: &[Side]) {
        match sharing {
            [_] => self.open += 1,
            [a, b] => self.flipped += u32::from(a.ascending == b.ascending),
            _ => self.crowded += 1,
        }
    }
}

/// A triangle that names a vertex twice has no sides that could be shared.
fn is_collapsed(&[a, b, c]: &[u32; 3]) -> bool {
    a == b || b == c || c == a
}

pub(crate) fn sides(mesh: &Mesh) -> Vec<Side> {
    let mut sides = Vec::with_capacity(mesh.triangles.len() * 3);
    for (n, triangle) in mesh.triangles.iter().enumerate().filter(|(_, t)| !is_collapsed(t)) {
        let [a, b, c] = *triangle;
        for (from, to) in [(a, b), (b, c), (c, a)] {
            let edge = u64::from(from.min(to)) << 32 | u64::from(from.max(to));
            sides.push(Side { edge, triangle: n as u32, ascending: from < to });
        }
    }
    sides
}

fn duplicate_faces(mesh: &Mesh) -> u32 {
    let mut faces: Vec<[u32; 3]> = mesh.triangles.iter().filter(|t| !is_collapsed(t)).copied().collect();
    faces.iter_mut().for_each(|face| face.sort_unstable());
    faces.par_sort_unstable();
    faces.windows(2).filter(|pair| pair[0] == pair[1]).count() as u32
}

/// Union-find (Tarjan), halving paths as it goes.
pub(crate) struct Groups {
    parent: Vec<u32>,
}

impl Groups {
    /// Every member by itself.
    pub(crate) fn new(members: usize) -> Self {
        Self { parent: (0..members as u32).collect() }
    }

    /// Who leads the member's group: its lowest.
    pub(crate) fn root(&mut self, mut member: u32) -> u32 {
        while self.parent[member as usize] != member {
            let grandparent = self.parent[self.parent[member as usize] as usize];
            self.parent[member as usize] = grandparent;
            member = grandparent;
        }
        member
    }

    /// Makes one group of two.
    pub(crate) fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        // The lower index leads, which keeps the outcome independent of the order of joins.
        self.parent[a.max(b) as usize] = a.min(b);
    }

    fn count(&self) -> u32 {
        self.parent.iter().enumerate().filter(|&(n, &parent)| n as u32 == parent).count() as u32
    }
}
