//! Meshes that came with vertices of their own: checked, tidied, and welded only where they share none.
//!
//! Serves the formats that name vertices by number (3MF, OBJ). Vertices stay as the file has them, because two bodies
//! may touch in a vertex without being one.

use super::{Limits, Mesh, MeshError, weld::Welder};

/// Which vertices of a mesh a triangle names. Made by [`Named::in_mesh`] alone, so all names are in range.
pub(super) struct Named(Vec<bool>);

/// A triangle that names a vertex which isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stray {
    /// Triangle, from 0.
    pub(super) triangle: u64,
    /// What it names, from 0.
    pub(super) index: u32,
}

impl Named {
    /// Checks every name.
    pub(super) fn in_mesh(mesh: &Mesh) -> Result<Self, Stray> {
        let mut named = vec![false; mesh.vertices.len()];
        for (triangle, corners) in mesh.triangles.iter().enumerate() {
            for &index in corners {
                let stray = Stray { triangle: triangle as u64, index };
                *named.get_mut(index as usize).ok_or(stray)? = true;
            }
        }
        Ok(Self(named))
    }

    /// The mesh without vertices nobody names, and welded where it can't be closed as it is: a closed mesh has about
    /// half as many vertices as triangles, so one with more than its triangles shares hardly any.
    pub(super) fn tidy(&self, mut mesh: Mesh, limits: &Limits) -> Result<Mesh, MeshError> {
        self.compact(&mut mesh);
        if mesh.vertices.len() > mesh.triangles.len() { weld(&mesh, limits) } else { Ok(mesh) }
    }

    /// Drops vertices no triangle names, which would otherwise stretch the bounding box.
    fn compact(&self, mesh: &mut Mesh) {
        if self.0.iter().all(|&is_named| is_named) {
            return;
        }
        let mut kept = 0;
        let renumber = |&is_named: &bool| {
            let number = kept;
            kept += u32::from(is_named);
            number
        };
        let renumbered: Vec<u32> = self.0.iter().map(renumber).collect();
        mesh.triangles.iter_mut().flatten().for_each(|index| *index = renumbered[*index as usize]);
        let mut names = self.0.iter();
        mesh.vertices.retain(|_| names.next() == Some(&true));
    }
}

/// Drops vertices no triangle names. Names must be in range.
pub(crate) fn compact(mesh: &mut Mesh) {
    let named = Named::in_mesh(mesh).expect("names are in range");
    named.compact(mesh);
}

fn weld(mesh: &Mesh, limits: &Limits) -> Result<Mesh, MeshError> {
    let mut welder = Welder::new(mesh.triangles.len(), limits);
    for &triangle in &mesh.triangles {
        welder.triangle(mesh.corners(triangle))?;
    }
    Ok(welder.finish())
}
