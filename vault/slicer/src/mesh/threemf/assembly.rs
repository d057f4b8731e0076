//! Placing objects: from build items through nested components down to triangles in millimetres.
//!
//! Planned first, then carried out. The plan is bounded three ways before anything is copied, because a file of a few
//! hundred bytes can ask for billions of copies (SECURITY-CASES U2): depth of nesting, placements in total (also of
//! objects that hold no triangle), and triangles. Carrying it out moves an object's mesh where it is placed for the
//! last time, so that a file of one object never stands in memory twice.

use std::collections::BTreeMap;

use super::model::{Body, Model, Object, Placement, Solidity};
use super::package::PartPath;
use super::transform::{Facing, Transform};
use crate::mesh::{Limits, Mesh, MeshError, Place, REACH_MM};

/// What a build list comes to: which mesh goes where.
#[derive(Debug, Default)]
pub(super) struct Plan {
    instances: Vec<Instance>,
    triangles: usize,
    vertices: usize,
    /// Placements left out: not printable, or not solid.
    pub(super) left_out: u32,
}

/// One mesh at one place.
#[derive(Debug)]
struct Instance {
    part: PartPath,
    object: u32,
    /// From the object's own unit to millimetres on the plate.
    transform: Transform,
    facing: Facing,
    taking: Taking,
}

/// How a placement comes by its mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taking {
    /// Nobody needs it afterwards.
    Move,
    /// It is placed again.
    Copy,
}

impl Plan {
    /// Follows everything the root part's build list names.
    pub(super) fn new(
        models: &BTreeMap<PartPath, Model>,
        root: &PartPath,
        limits: &Limits,
    ) -> Result<Self, MeshError> {
        let plan = Self { left_out: model(models, root).unprintable, ..Self::default() };
        let mut planner = Planner {
            models,
            limits,
            plan,
            placements: 0,
            hints: 0,
            chain: Vec::new(),
            last: BTreeMap::new(),
        };
        for item in &model(models, root).items {
            planner.place(root, item, &Transform::IDENTITY)?;
        }
        if planner.plan.instances.is_empty() && planner.placements == planner.hints {
            return Err(MeshError::EmptyBuild);
        }
        planner.plan.left_out += planner.hints;
        Ok(planner.plan)
    }

    /// The mesh of it all. Takes meshes out of `models`, whose order and names stay.
    pub(super) fn carry_out(self, models: &mut BTreeMap<PartPath, Model>) -> Result<Mesh, MeshError> {
        let mut all = Mesh::default();
        for instance in &self.instances {
            let mut mesh = instance.mesh(models);
            instance.transform(&mut mesh)?;
            if all.triangles.is_empty() {
                all = mesh;
                all.vertices.reserve_exact(self.vertices - all.vertices.len());
                all.triangles.reserve_exact(self.triangles - all.triangles.len());
            } else {
                append(&mut all, &mesh);
            }
        }
        Ok(all)
    }

    /// Adds one placement of a mesh, unless there is no room: refused before copying, not after.
    fn add(&mut self, mesh: &Mesh, instance: Instance, limits: &Limits) -> Result<(), MeshError> {
        let triangles = self.triangles + mesh.triangles.len();
        if triangles > limits.triangles as usize {
            let limit = u64::from(limits.triangles);
            return Err(MeshError::TooManyTriangles { found: triangles as u64, limit });
        }
        self.vertices += mesh.vertices.len();
        if self.vertices > limits.vertices as usize {
            return Err(MeshError::TooManyVertices { limit: u64::from(limits.vertices) });
        }
        self.triangles = triangles;
        self.instances.push(instance);
        Ok(())
    }
}

/// A plan being made.
struct Planner<'m> {
    models: &'m BTreeMap<PartPath, Model>,
    limits: &'m Limits,
    plan: Plan,
    /// Placements followed so far.
    placements: u32,
    /// Placements left out because the object is not solid.
    hints: u32,
    /// The objects being placed, outermost first.
    chain: Vec<(&'m PartPath, u32)>,
    /// Where in the plan each mesh is placed last.
    last: BTreeMap<(&'m PartPath, u32), usize>,
}

fn model<'m>(models: &'m BTreeMap<PartPath, Model>, path: &PartPath) -> &'m Model {
    models.get(path).expect("every part a placement names was loaded first")
}

impl<'m> Planner<'m> {
    /// Places one object as written in the part `within`.
    fn place(
        &mut self,
        within: &'m PartPath,
        placed: &'m Placement,
        outer: &Transform,
    ) -> Result<(), MeshError> {
        let part = placed.part.as_ref().unwrap_or(within);
        let id = placed.object;
        self.count_placement()?;
        if self.chain.contains(&(part, id)) {
            return Err(MeshError::Circular { object: id });
        }
        if self.chain.len() as u32 >= self.limits.depth {
            return Err(MeshError::TooDeep { limit: self.limits.depth });
        }
        let objects = &model(self.models, part).objects;
        let object = objects.get(&id).ok_or(MeshError::UnknownObject { object: id })?;
        if object.solidity == Solidity::Hint {
            self.hints += 1;
            return Ok(());
        }
        let unit = model(self.models, within).unit_mm;
        let transform = placed.transform.with_shift_in(unit).then(outer);
        self.chain.push((part, id));
        self.place_body(object, &transform)?;
        self.chain.pop();
        Ok(())
    }

    fn count_placement(&mut self) -> Result<(), MeshError> {
        if self.placements >= self.limits.instances {
            return Err(MeshError::TooManyInstances { limit: self.limits.instances });
        }
        self.placements += 1;
        Ok(())
    }

    /// Places the body of the object at the end of the chain.
    fn place_body(&mut self, object: &'m Object, transform: &Transform) -> Result<(), MeshError> {
        let &(part, id) = self.chain.last().expect("the object was just put on the chain");
        match &object.body {
            Body::Nothing => Err(MeshError::EmptyObject { object: id }),
            Body::Mesh(mesh) => self.place_mesh(mesh, transform),
            Body::Components(components) => {
                components.iter().try_for_each(|component| self.place(part, component, transform))
            }
        }
    }

    fn place_mesh(&mut self, mesh: &Mesh, transform: &Transform) -> Result<(), MeshError> {
        let &(part, object) = self.chain.last().expect("the object was just put on the chain");
        let transform = Transform::scale(model(self.models, part).unit_mm).then(transform);
        let facing = transform.facing();
        if facing == Facing::Lost {
            return Err(MeshError::SingularTransform { object });
        }
        if let Some(before) = self.last.insert((part, object), self.plan.instances.len()) {
            self.plan.instances[before].taking = Taking::Copy;
        }
        let instance = Instance { part: part.clone(), object, transform, facing, taking: Taking::Move };
        self.plan.add(mesh, instance, self.limits)
    }
}

impl Instance {
    /// The object's mesh: the thing itself where nobody needs it after us, else a copy.
    fn mesh(&self, models: &mut BTreeMap<PartPath, Model>) -> Mesh {
        let objects = models.get_mut(&self.part).map(|model| &mut model.objects);
        match objects.and_then(|objects| objects.get_mut(&self.object)).map(|object| &mut object.body) {
            Some(Body::Mesh(mesh)) => match self.taking {
                Taking::Move => std::mem::take(mesh),
                Taking::Copy => mesh.clone(),
            },
            _ => unreachable!("the plan names objects that hold a mesh"),
        }
    }

    fn transform(&self, mesh: &mut Mesh) -> Result<(), MeshError> {
        for vertex in &mut mesh.vertices {
            let point = self.transform.apply(vertex.map(f64::from));
            if !point.iter().all(|c| c.abs() <= f64::from(REACH_MM)) {
                return Err(MeshError::OutOfRange { at: Place::Placed { object: self.object } });
            }
            *vertex = point.map(|c| c as f32);
        }
        if self.facing == Facing::Mirrored {
            mesh.triangles.iter_mut().for_each(|triangle| triangle.swap(1, 2));
        }
        Ok(())
    }
}

fn append(all: &mut Mesh, mesh: &Mesh) {
    let first = all.vertices.len() as u32;
    all.vertices.extend_from_slice(&mesh.vertices);
    all.triangles.extend(mesh.triangles.iter().map(|triangle| triangle.map(|index| first + index)));
}
