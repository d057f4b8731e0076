//! Which edges are sound: each must have as many faces running along it one way as the other.
//!
//! Edges are sorted into buckets by their lower corner, a few corners' worth at a time, so that the survey of ten million
//! triangles takes a quarter of the mesh's memory on top. The buckets are small and the corners of neighbouring
//! triangles close together, so this is linear and kind to the cache.

use crate::mesh::Mesh;

/// Edges in the buckets at a time, unless a quarter of all is more.
const AT_ONCE: usize = 1 << 20;

/// What is wrong with a mesh's edges.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Edges with one face more on one side: holes, and twin faces.
    pub(super) open: u32,
    /// Edges of two faces that disagree which side is out.
    pub(super) flipped: u32,
    /// Edges of more than two faces.
    pub(super) crowded: u32,
    /// Faces that name a corner twice.
    pub(super) collapsed: u32,
    /// For each vertex whether an open or flipped edge ends there; empty where none does.
    pub(super) faulty: Vec<bool>,
}

impl Survey {
    pub(super) fn of(mesh: &Mesh) -> Self {
        let vertices = mesh.vertices.len();
        let edges = mesh.triangles.len() * 3;
        let rounds = edges.div_ceil(AT_ONCE.max(edges / 4)).max(1);
        let step = vertices.div_ceil(rounds).max(1);
        let collapsed = mesh.triangles.iter().filter(|&&[a, b, c]| a == b || b == c || c == a).count();
        let mut survey = Self { collapsed: collapsed as u32, ..Self::default() };
        let mut buckets = Buckets::default();
        for first in (0..vertices).step_by(step) {
            buckets.fill(mesh, first as u32, step.min(vertices - first));
            survey.add(&mut buckets, first as u32, vertices);
        }
        survey
    }

    /// Whether there is nothing to mend.
    pub(super) fn is_sound(&self) -> bool {
        self.open == 0 && self.flipped == 0 && self.collapsed == 0
    }

    fn add(&mut self, buckets: &mut Buckets, first: u32, vertices: usize) {
        for bucket in 0..buckets.starts.len() - 1 {
            let edges =
                &mut buckets.edges[buckets.starts[bucket] as usize..buckets.starts[bucket + 1] as usize];
            edges.sort_unstable();
            for same in edges.chunk_by(|a, b| a >> 1 == b >> 1) {
                if self.count(same) == Verdict::Faulty {
                    self.faulty.resize(vertices, false);
                    self.faulty[first as usize + bucket] = true;
                    self.faulty[(same[0] >> 1) as usize] = true;
                }
            }
        }
    }

    fn count(&mut self, same: &[u32]) -> Verdict {
        let upwards = same.iter().filter(|edge| *edge & 1 == 1).count();
        self.crowded += u32::from(same.len() > 2);
        if upwards * 2 == same.len() {
            return Verdict::Sound;
        }
        if same.len() == 2 {
            self.flipped += 1;
        } else {
            self.open += 1;
        }
        Verdict::Faulty
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Sound,
    Faulty,
}

/// Edges by their lower corner: the other corner, and in the last bit whether the face runs towards it.
#[derive(Default)]
struct Buckets {
    starts: Vec<u32>,
    edges: Vec<u32>,
}

impl Buckets {
    /// Takes the edges whose lower corner is one of `count` from `first` on.
    fn fill(&mut self, mesh: &Mesh, first: u32, count: usize) {
        self.starts.clear();
        self.starts.resize(count + 1, 0);
        each_edge(mesh, |low, _| {
            if let Some(size) = self.starts[..count].get_mut(low.wrapping_sub(first) as usize) {
                *size += 1;
            }
        });
        let mut all = 0;
        for start in &mut self.starts {
            all += *start;
            *start = all;
        }
        self.edges.clear();
        self.edges.resize(all as usize, 0);
        // Filled from the end of each bucket, which leaves `starts` where the buckets begin.
        each_edge(mesh, |low, edge| {
            if let Some(start) = self.starts[..count].get_mut(low.wrapping_sub(first) as usize) {
                *start -= 1;
                self.edges[*start as usize] = edge;
            }
        });
    }
}

/// Calls `each` with the lower corner of every edge and its entry. Collapsed faces have no edges.
#[inline]
fn each_edge(mesh: &Mesh, mut each: impl FnMut(u32, u32)) {
    for &[a, b, c] in &mesh.triangles {
        if a == b || b == c || c == a {
            continue;
        }
        for (from, to) in [(a, b), (b, c), (c, a)] {
            each(from.min(to), from.max(to) << 1 | u32::from(from < to));
        }
    }
}
