//! Where a face is: the outermost surface under a set of places, as one looks at it.

use super::Face;
use crate::mesh::Mesh;

/// A place this far outside a triangle still meets it, in micrometres: no ray slips through between two.
const SLACK: f64 = 1.0;

/// Finds surfaces of meshes along one direction.
pub(super) struct Probe {
    /// Places asked for, sorted by how far right they are, in micrometres as seen.
    places: Vec<[f64; 2]>,
    /// How far out the outermost surface met is.
    found: Vec<Option<f64>>,
}

impl Probe {
    pub(super) fn new(mut places: Vec<[f64; 2]>) -> Self {
        places.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        let found = vec![None; places.len()];
        Self { places, found }
    }

    /// Looks at every triangle of `mesh`; `scale` is how many micrometres one of its units is.
    pub(super) fn look(&mut self, mesh: &Mesh, face: Face, scale: f64) {
        for corners in &mesh.triangles {
            let seen = mesh.corners(*corners).map(|at| face.seen(at.map(|c| f64::from(c) * scale)));
            self.meet(seen);
        }
    }

    /// How far out the outermost surface is at each place; nothing where there is none.
    pub(super) fn found(self) -> Vec<Option<f64>> {
        self.found
    }

    fn meet(&mut self, triangle: [[f64; 3]; 3]) {
        let least = |axis: usize| triangle.iter().map(|at| at[axis]).fold(f64::MAX, f64::min) - SLACK;
        let most = |axis: usize| triangle.iter().map(|at| at[axis]).fold(f64::MIN, f64::max) + SLACK;
        let from = self.places.partition_point(|place| place[0] < least(0));
        let to = self.places.partition_point(|place| place[0] <= most(0));
        if from >= to {
            return;
        }
        let (low, high) = (least(1), most(1));
        for at in from..to {
            let place = self.places[at];
            if (low..=high).contains(&place[1]) {
                let out = surface(triangle, place);
                self.found[at] = out.into_iter().chain(self.found[at]).reduce(f64::max);
            }
        }
    }
}

/// How far out the triangle is at this place.
fn surface([a, b, c]: [[f64; 3]; 3], [x, y]: [f64; 2]) -> Option<f64> {
    let cross = |p: [f64; 3], q: [f64; 3]| (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]);
    let whole = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    // A triangle seen from its edge hides nothing.
    if whole.abs() < 1.0 {
        return None;
    }
    let shares = [cross(b, c), cross(c, a), cross(a, b)].map(|area| area / whole);
    let outside = |share: f64, p: [f64; 3], q: [f64; 3]| {
        share * whole.abs() < -SLACK * (q[0] - p[0]).hypot(q[1] - p[1])
    };
    if outside(shares[0], b, c) || outside(shares[1], c, a) || outside(shares[2], a, b) {
        return None;
    }
    // Just outside a steep triangle its plane is far away, the triangle is not.
    let (low, high) = (a[2].min(b[2]).min(c[2]), a[2].max(b[2]).max(c[2]));
    Some((shares[0] * a[2] + shares[1] * b[2] + shares[2] * c[2]).clamp(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two squares of 10 mm, one at 3 mm and one at 5 mm, the upper one over the right half of the lower.
    fn steps() -> Mesh {
        let square = |x: f32, z: f32| [[x, 0.0, z], [x + 10.0, 0.0, z], [x + 10.0, 10.0, z], [x, 10.0, z]];
        let vertices = [square(0.0, 3.0), square(5.0, 5.0)].concat();
        Mesh { vertices, triangles: vec![[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6]] }
    }

    fn found(places: &[[f64; 2]], face: Face) -> Vec<Option<f64>> {
        let mut probe = Probe::new(places.to_vec());
        probe.look(&steps(), face, 1_000.0);
        probe.found()
    }

    #[test]
    fn the_outermost_surface_is_met_and_none_beside_the_part() {
        let places = [[1_000.0, 5_000.0], [7_000.0, 5_000.0], [14_000.0, 2_000.0], [16_000.0, 2_000.0]];
        assert_eq!(found(&places, Face::Top), [Some(3_000.0), Some(5_000.0), Some(5_000.0), None]);
    }

    #[test]
    fn no_place_on_a_shared_edge_slips_through() {
        let diagonal: Vec<[f64; 2]> = (1..100).map(|n| [f64::from(n) * 49.0, f64::from(n) * 49.0]).collect();
        let met = |out: &Option<f64>| out.is_some_and(|out| (out - 3_000.0).abs() < 1e-6);
        assert!(found(&diagonal, Face::Top).iter().all(met));
    }

    #[test]
    fn a_face_seen_and_unseen_is_where_it_was() {
        for (name, face) in Face::NAMED {
            assert_eq!(face.unseen(face.seen([1.0, 2.0, 3.0])), [1.0, 2.0, 3.0], "{name}");
        }
    }
}
