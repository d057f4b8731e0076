//! Which way faces look: alike across each edge, and out of the body.
//!
//! Neighbours are made to agree by a union-find that also keeps whether a face looks as its group's leader does (Tarjan
//! and van Leeuwen 1984, with parity); the fewer turn. Then a shell of negative volume is inside out, unless it lies
//! inside another body: then it is a void, which is meant. Of a mesh whose volumes add up to less than nothing,
//! everything is inside out, voids and all.

use crate::mesh::Mesh;
use crate::mesh::analysis::{sides, tetrahedron};

/// Most shells that are looked at for lying inside a body: each look passes over all faces.
const LOOKS: usize = 64;

/// A volume nearer to nothing than this has no inside, in mm³.
const LEAST_MM3: f64 = 1e-3;

/// How far before a face of a shell one looks for what is around it, in millimetres: slicing resolves no less.
const BEFORE_MM: f64 = 1e-3;

/// A mesh's shells: groups of faces connected through corners.
pub(super) struct Shells {
    /// For each vertex the number of its shell; they are numbered by their lowest vertices.
    shell: Vec<u32>,
    /// Signed volume in mm³ of each shell.
    volume: Vec<f64>,
}

impl Shells {
    pub(super) fn of(mesh: &Mesh) -> Self {
        let mut groups = Groups::new(mesh.vertices.len());
        for &[a, b, c] in &mesh.triangles {
            groups.join(a, b, false);
            groups.join(b, c, false);
        }
        let (shell, leaders) = groups.numbered();
        let mut volume = vec![0.0; leaders.len()];
        for &triangle in &mesh.triangles {
            let number = shell[triangle[0] as usize] as usize;
            // From a corner of its own, so that a hole in a shell adds or takes little.
            let apex = mesh.vertices[leaders[number] as usize].map(f64::from);
            volume[number] += tetrahedron(mesh.corners(triangle), apex).0;
        }
        Self { shell, volume }
    }

    /// The number of the shell this vertex is in.
    pub(super) fn number(&self, vertex: u32) -> usize {
        self.shell[vertex as usize] as usize
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.volume.len()
    }

    /// How many faces each shell has.
    pub(super) fn faces(&self, mesh: &Mesh) -> Vec<u32> {
        let mut faces = vec![0; self.count()];
        mesh.triangles.iter().for_each(|triangle| faces[self.number(triangle[0])] += 1);
        faces
    }

    /// Whether no shell is inside out, a void's neither.
    pub(super) fn face_outwards(&self) -> bool {
        !self.volume.iter().any(is_inside_out)
    }
}

fn is_inside_out(volume: &f64) -> bool {
    *volume < -LEAST_MM3
}

/// Turns the faces that look otherwise than most of those they are connected with; gives how many.
pub(super) fn turn_faces(mesh: &mut Mesh) -> u32 {
    let mut sides = sides(mesh);
    sides.sort_unstable();
    let mut groups = Groups::new(mesh.triangles.len());
    for sharing in sides.chunk_by(|a, b| a.edge == b.edge) {
        if let [a, b] = sharing {
            groups.join(a.triangle, b.triangle, a.ascending == b.ascending);
        }
    }
    let looks: Vec<(u32, bool)> = (0..mesh.triangles.len() as u32).map(|face| groups.root(face)).collect();
    let mut balance = vec![0_i64; mesh.triangles.len()];
    for (leader, is_turned) in &looks {
        balance[*leader as usize] += if *is_turned { -1 } else { 1 };
    }
    let mut turned = 0;
    for ((leader, is_turned), triangle) in looks.iter().zip(&mut mesh.triangles) {
        if *is_turned == (balance[*leader as usize] >= 0) {
            triangle.swap(1, 2);
            turned += 1;
        }
    }
    turned
}

/// Turns shells that are inside out; gives how many.
pub(super) fn turn_shells(mesh: &mut Mesh) -> u32 {
    let shells = Shells::of(mesh);
    let whole: f64 = shells.volume.iter().sum();
    if is_inside_out(&whole) {
        mesh.triangles.iter_mut().for_each(|triangle| triangle.swap(1, 2));
        return shells.volume.iter().filter(|volume| **volume != 0.0).count() as u32;
    }
    let inward = shells.volume.iter().enumerate().filter(|(_, volume)| is_inside_out(volume));
    let inside_out: Vec<u32> = inward
        .map(|(number, _)| number as u32)
        .take(LOOKS)
        .filter(|number| !is_void(mesh, &shells, *number))
        .collect();
    for triangle in &mut mesh.triangles {
        if inside_out.binary_search(&shells.shell[triangle[0] as usize]).is_ok() {
            triangle.swap(1, 2);
        }
    }
    inside_out.len() as u32
}

/// Whether the shell, whose faces look into what it encloses, lies inside another body, as most of six rays from within
/// say: one of them may leave through a hole in that body.
fn is_void(mesh: &Mesh, shells: &Shells, number: u32) -> bool {
    let of_shell = |triangle: &&[u32; 3]| shells.shell[triangle[0] as usize] == number;
    let Some(&first) = mesh.triangles.iter().find(of_shell) else { return false };
    let from = before(mesh.corners(first).map(|at| at.map(f64::from)));
    let mut wound = [[0; 2]; 3];
    for triangle in mesh.triangles.iter().filter(|triangle| !of_shell(triangle)) {
        let corners = mesh.corners(*triangle).map(|at| at.map(f64::from));
        for (axis, [ahead, behind]) in wound.iter_mut().enumerate() {
            match crossing(from, corners, axis) {
                (side, true) => *ahead += side,
                (side, false) => *behind -= side,
            }
        }
    }
    wound.iter().flatten().filter(|wound| **wound > 0).count() > 3
}

/// A point [`BEFORE_MM`] before a face: not in it, because the shell may share its plane with the body.
fn before([a, b, c]: [[f64; 3]; 3]) -> [f64; 3] {
    let (p, q) = ([0, 1, 2].map(|axis| b[axis] - a[axis]), [0, 1, 2].map(|axis| c[axis] - a[axis]));
    let normal = [0, 1, 2].map(|axis| {
        let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
        p[u] * q[v] - p[v] * q[u]
    });
    let length = normal.iter().map(|share| share * share).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    // Uneven shares, so that no ray runs along an edge of something drawn by the same grid.
    [0, 1, 2].map(|axis| a[axis] + 0.37 * p[axis] + 0.22 * q[axis] + BEFORE_MM * normal[axis] / length)
}

/// 1 where the line along an axis through a point meets a face that looks along it, -1 where one that looks against it, 0
/// where it misses; and whether it meets it beyond the point.
fn crossing(from: [f64; 3], [a, b, c]: [[f64; 3]; 3], axis: usize) -> (i32, bool) {
    let (right, up) = ((axis + 1) % 3, (axis + 2) % 3);
    let side = |p: [f64; 3], q: [f64; 3]| {
        (q[right] - p[right]) * (from[up] - p[up]) - (q[up] - p[up]) * (from[right] - p[right])
    };
    let (u, v, w) = (side(b, c), side(c, a), side(a, b));
    let looks_along = u > 0.0 && v > 0.0 && w > 0.0;
    let looks_against = u < 0.0 && v < 0.0 && w < 0.0;
    let met_at = (u * a[axis] + v * b[axis] + w * c[axis]) / (u + v + w);
    (i32::from(looks_along) - i32::from(looks_against), met_at > from[axis])
}

/// Union-find that keeps for each member whether it is turned against its leader.
pub(super) struct Groups {
    /// For each member the next one towards the leader, never a higher one; in the last bit whether it is turned against
    /// that. A mesh has fewer members than half of what the type holds.
    parent: Vec<u32>,
}

impl Groups {
    pub(super) fn new(members: usize) -> Self {
        Self { parent: (0..members as u32).map(|member| member << 1).collect() }
    }

    fn towards_leader(&self, member: u32) -> (u32, bool) {
        let parent = self.parent[member as usize];
        (parent >> 1, parent & 1 == 1)
    }

    /// The leader, and whether the member is turned against it. Halves the path as it goes.
    pub(super) fn root(&mut self, mut member: u32) -> (u32, bool) {
        let mut is_turned = false;
        loop {
            let (parent, turned) = self.towards_leader(member);
            if parent == member {
                return (member, is_turned);
            }
            let (grandparent, turned_too) = self.towards_leader(parent);
            self.parent[member as usize] = grandparent << 1 | u32::from(turned ^ turned_too);
            is_turned ^= turned ^ turned_too;
            member = grandparent;
        }
    }

    /// The lower one leads, which keeps the outcome independent of the order of joins.
    pub(super) fn join(&mut self, a: u32, b: u32, is_turned: bool) {
        let ((a, a_turned), (b, b_turned)) = (self.root(a), self.root(b));
        let turned = (a != b) && (a_turned ^ b_turned ^ is_turned);
        self.parent[a.max(b) as usize] = a.min(b) << 1 | u32::from(turned);
    }

    /// For each member the number of its group, and the groups' leaders in order.
    fn numbered(self) -> (Vec<u32>, Vec<u32>) {
        let mut numbers = self.parent;
        let mut leaders = Vec::new();
        for member in 0..numbers.len() {
            let parent = (numbers[member] >> 1) as usize;
            numbers[member] = if parent == member {
                leaders.push(member as u32);
                leaders.len() as u32 - 1
            } else {
                // Lower, so it has its number already.
                numbers[parent]
            };
        }
        (numbers, leaders)
    }
}
