//! Placing objects: from build items through nested components down to triangles in millimetres.
//!
//! The work is bounded three ways, because a file of a few hundred bytes can ask for billions of copies
//! (SECURITY-CASES U2): depth of nesting, placements in total (also of objects that hold no triangle), and triangles.

use std::collections::BTreeMap;

use super::model::{Body, Model, Object, Placement, Solidity};
use super::package::PartPath;
use super::transform::{Facing, Transform};
use crate::mesh::{Limits, Mesh, MeshError, Place, REACH_MM};

/// A build in progress.
pub(super) struct Assembly<'m> {
    models: &'m BTreeMap<PartPath, Model>,
    limits: &'m Limits,
    mesh: Mesh,
    /// Placements made so far.
    instances: u32,
    /// Placements left out because the object is not solid.
    hints: u32,
    /// The objects being placed, outermost first.
    chain: Vec<(&'m PartPath, u32)>,
}

impl<'m> Assembly<'m> {
    pub(super) fn new(models: &'m BTreeMap<PartPath, Model>, limits: &'m Limits) -> Self {
        Self { models, limits, mesh: Mesh::default(), instances: 0, hints: 0, chain: Vec::new() }
    }

    /// The mesh of everything the root part's build list names, and how many placements were left out.
    pub(super) fn build(mut self, root: &'m PartPath) -> Result<(Mesh, u32), MeshError> {
        let model = self.model(root);
        for item in &model.items {
            self.place(root, item, &Transform::IDENTITY)?;
        }
        if self.mesh.triangles.is_empty() && self.instances == self.hints {
            return Err(MeshError::EmptyBuild);
        }
        Ok((self.mesh, self.hints + model.unprintable))
    }

    fn model(&self, path: &PartPath) -> &'m Model {
        self.models.get(path).expect("every part a placement names was loaded first")
    }

    /// Places one object as written in the part `within`.
    fn place(
        &mut self,
        within: &'m PartPath,
        placed: &'m Placement,
        outer: &Transform,
    ) -> Result<(), MeshError> {
        let part = placed.part.as_ref().unwrap_or(within);
        let id = placed.object;
        self.count_instance()?;
        if self.chain.contains(&(part, id)) {
            return Err(MeshError::Circular { object: id });
        }
        if self.chain.len() as u32 >= self.limits.depth {
            return Err(MeshError::TooDeep { limit: self.limits.depth });
        }
        let object = self.model(part).objects.get(&id).ok_or(MeshError::UnknownObject { object: id })?;
        if object.solidity == Solidity::Hint {
            self.hints += 1;
            return Ok(());
        }
        let transform = placed.transform.with_shift_in(self.model(within).unit_mm).then(outer);
        self.chain.push((part, id));
        self.place_body(object, &transform)?;
        self.chain.pop();
        Ok(())
    }

    fn count_instance(&mut self) -> Result<(), MeshError> {
        if self.instances >= self.limits.instances {
            return Err(MeshError::TooManyInstances { limit: self.limits.instances });
        }
        self.instances += 1;
        Ok(())
    }

    /// Places the body of the object at the end of the chain.
    fn place_body(&mut self, object: &'m Object, transform: &Transform) -> Result<(), MeshError> {
        let &(part, id) = self.chain.last().expect("the object was just put on the chain");
        match &object.body {
            Body::Nothing => Err(MeshError::EmptyObject { object: id }),
            Body::Mesh(mesh) => self.add(mesh, transform, self.model(part).unit_mm, id),
            Body::Components(components) => {
                components.iter().try_for_each(|component| self.place(part, component, transform))
            }
        }
    }

    fn add(
        &mut self,
        mesh: &Mesh,
        transform: &Transform,
        unit_mm: f64,
        object: u32,
    ) -> Result<(), MeshError> {
        let facing = transform.facing();
        if facing == Facing::Lost {
            return Err(MeshError::SingularTransform { object });
        }
        self.check_room(mesh)?;
        let first = self.mesh.vertices.len() as u32;
        for vertex in &mesh.vertices {
            let point = transform.apply(vertex.map(|c| f64::from(c) * unit_mm));
            let within_reach = point.iter().all(|c| c.abs() <= f64::from(REACH_MM));
            if !within_reach {
                return Err(MeshError::OutOfRange { at: Place::Placed { object } });
            }
            self.mesh.vertices.push(point.map(|c| c as f32));
        }
        self.mesh.triangles.extend(mesh.triangles.iter().map(|&[a, b, c]| match facing {
            Facing::Mirrored => [first + a, first + c, first + b],
            Facing::Kept | Facing::Lost => [first + a, first + b, first + c],
        }));
        Ok(())
    }

    /// Refuses before copying, not after.
    fn check_room(&self, more: &Mesh) -> Result<(), MeshError> {
        let triangles = (self.mesh.triangles.len() + more.triangles.len()) as u64;
        if triangles > u64::from(self.limits.triangles) {
            let limit = u64::from(self.limits.triangles);
            return Err(MeshError::TooManyTriangles { found: triangles, limit });
        }
        if self.mesh.vertices.len() + more.vertices.len() > self.limits.vertices as usize {
            return Err(MeshError::TooManyVertices { limit: u64::from(self.limits.vertices) });
        }
        Ok(())
    }
}
